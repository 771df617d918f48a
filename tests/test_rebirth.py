"""What dies and comes back: the real daemon and its workers, killed, stopped, bereft of their files, replaced by others.

Each editor is told once, in one sentence, and its next request works, with what it has not saved.
"""

import asyncio
import contextlib
import os
import random
import shutil
import signal
import sys
from pathlib import Path

import pytest
from lsp import ServerError, process, run

import memcache_lsp
from memcache_lsp import daemon, rendezvous
from memcache_lsp.paths import runtime_dir
from memcache_lsp.relay.memory import LOST, LOST_REQUEST
from memcache_lsp.rendezvous import listening

pytestmark = pytest.mark.usefixtures("short_home")

OURS = {"experimental": {"memcache": {}}}
QUESTION = "what happens to a parcel that fails too often?"
FRONT = (sys.executable, "-P", "-m", "memcache_lsp", "serve")


@contextlib.asynccontextmanager
async def editor(root, env=None, mode=()):
    """An editor with something unsaved in it."""
    async with process(*FRONT, *mode, env=env) as client:
        await client.initialize(root, capabilities=OURS)
        uri = (root / "unsaved.py").as_uri()
        text = f"def okapi_{client.process.pid}():\n    return 1\n"
        document = {"uri": uri, "languageId": "python", "version": 1, "text": text}
        client.notify("textDocument/didOpen", {"textDocument": document})
        yield client
        if not client._ended:
            with contextlib.suppress(ServerError, TimeoutError):
                await client.shutdown()


async def status(client):
    return await client.request("memcache/status", {})


async def settled(client):
    while not (now := await status(client))["quiescent"]:
        await asyncio.sleep(0.05)
    return now


async def told(client, times=1):
    """Wait until the editor was told that the engine stopped; it must be so many times."""
    await client.notification("window/showMessage", lambda params: params["message"] == LOST)
    assert messages(client) == [LOST] * times


def messages(client):
    return [params["message"] for method, params in client.notifications if method == "window/showMessage"]


async def knows_what_is_unsaved(client):
    query = {"query": f"okapi_{client.process.pid}", "limit": 1}
    hits = (await client.request("memcache/search", query))["hits"]
    assert hits
    assert hits[0]["path"] == "unsaved.py"
    assert hits[0]["origin"] == "buffer"
    assert str(client.process.pid) in hits[0]["snippet"]


def kinds_of(client):
    return [params["value"].get("type") for method, params in client.notifications if method == "$/progress"]


def with_model(home, model):
    (home / "config").mkdir(mode=0o700)
    (home / "config" / "config.toml").write_text(f'model = "{model}"\n')


def many(root, count=300):
    root.mkdir()
    for number in range(count):
        (root / f"m{number}.py").write_text("\n".join(f"def f{i}_{number}():\n    return {i}\n" for i in range(20)))
    return root


def test_the_daemon_is_killed_while_it_answers(example, smollm2, short_home):
    with_model(short_home, smollm2)

    @run
    async def talk():
        async with editor(example) as asking, editor(example) as other:
            pid = (await settled(asking))["pid"]
            _, future = asking.start("memcache/ask", {"question": QUESTION, "partialResultToken": "p"})
            await asking.wait_for(lambda: "delta" in kinds_of(asking))
            os.kill(pid, signal.SIGKILL)
            with pytest.raises(ServerError) as error:
                await future
            assert error.value.message == LOST_REQUEST
            for client in (asking, other):
                await told(client)
                await knows_what_is_unsaved(client)
            assert (await status(asking))["pid"] == (await status(other))["pid"] != pid

    talk()


def test_the_daemon_is_killed_while_it_indexes(tmp_path):
    root = many(tmp_path / "many")

    @run
    async def talk():
        async with editor(root) as client:
            now = await status(client)
            while not now["roots"][0]["files"]["done"]:
                assert not now["quiescent"]
                now = await status(client)
            os.kill(now["pid"], signal.SIGKILL)
            await told(client)
            await knows_what_is_unsaved(client)
            now = await settled(client)
            assert now["roots"][0]["files"] == {"done": 300, "total": 300, "failed": 0, "skipped": 0}
            assert messages(client) == [LOST]

    talk()


@pytest.mark.parametrize("mode", [(), ("--no-daemon",)], ids=["daemon", "no-daemon"])
def test_the_models_process_is_killed_while_it_answers(example, smollm2, short_home, mode):
    with_model(short_home, smollm2)

    @run
    async def talk():
        async with editor(example, mode=mode) as client:
            before = await settled(client)
            _, future = client.start("memcache/ask", {"question": QUESTION, "partialResultToken": "p"})
            await client.wait_for(lambda: "delta" in kinds_of(client))
            model = next(w for w in (await status(client))["workers"] if w["name"] == "model")
            os.kill(model["pid"], signal.SIGKILL)
            with pytest.raises(ServerError, match="ended unexpectedly.*ask again"):
                await future
            answer = await client.request("memcache/ask", {"question": QUESTION})
            assert answer["finishReason"] in {"stop", "length"}
            assert (await status(client))["pid"] == before["pid"]
            assert messages(client) == []

    talk()


async def killed(kind, busy):
    """Kill a front, or a worker if there is one now; tell whether something was killed."""
    if kind == "front":
        busy.process.kill()
        return True
    workers = [w["pid"] for w in (await status(busy))["workers"] if w["name"] == kind and w.get("pid")]
    for pid in workers:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return bool(workers)


async def answered(client, limit_s=60):
    _, future = client.start("memcache/ask", {"question": QUESTION})
    async with asyncio.timeout(limit_s):
        return await future


@pytest.mark.parametrize("seed", range(3))
def test_whatever_is_killed_at_whatever_moment_the_others_go_on(example, tmp_path, smollm2, short_home, seed):
    with_model(short_home, smollm2)
    chance = random.Random(seed)
    kinds = ["front", "index", "model"] * 2
    chance.shuffle(kinds)

    @run
    async def talk():
        async with editor(example) as witness:
            before = await settled(witness)
            kills = 0
            for number, kind in enumerate(kinds):
                root = many(tmp_path / f"busy{number}", 60)
                async with editor(root) as busy:
                    _, asked = busy.start("memcache/ask", {"question": "what does f3_7 return?"})
                    await asyncio.sleep(chance.random())  # the moment is what is tried
                    kills += await killed(kind, busy)
                    await knows_what_is_unsaved(witness)
                    await asyncio.wait([asked])  # answered, or told what happened
                    if kind != "front":
                        assert isinstance(asked.exception(), ServerError | None)
                        done = (await settled(busy))["roots"][0]
                        assert (done["files"]["done"], done["failed"]) == (60, [])
            assert kills >= 2
            assert (await answered(witness))["finishReason"] in {"stop", "length"}
            assert (await status(witness))["pid"] == before["pid"]
            assert messages(witness) == []

    talk()


def test_a_daemon_that_is_stopped_for_a_while_loses_nothing(example):
    @run
    async def talk():
        async with editor(example) as client:
            pid = (await status(client))["pid"]
            os.kill(pid, signal.SIGSTOP)
            asyncio.get_running_loop().call_later(5, os.kill, pid, signal.SIGCONT)
            searching = asyncio.create_task(knows_what_is_unsaved(client))
            async with editor(example) as late:  # comes while it does not answer
                assert (await status(late))["pid"] == pid
            await searching
            assert messages(client) == []

    talk()


@pytest.mark.parametrize("lost", ["the socket", "the folder"])
def test_a_daemon_that_nobody_finds_any_more_is_replaced(example, lost):
    @run
    async def talk():
        async with editor(example) as one:
            pid = (await status(one))["pid"]
            if lost == "the socket":
                rendezvous.socket_path().unlink()
            else:
                shutil.rmtree(runtime_dir())
            async with editor(example) as other:
                await knows_what_is_unsaved(other)
                assert (await status(other))["pid"] != pid
                await told(one)
                await knows_what_is_unsaved(one)
                assert (await status(one))["pid"] == (await status(other))["pid"] == rendezvous.holder()
                assert len((await status(one))["sessions"]) == 2
                assert not Path(f"/proc/{pid}").exists()

    talk()


def test_a_successor_waits_until_a_daemon_that_is_not_found_has_noticed():
    assert daemon._LOOK_S + daemon._PARTING_S + 1 < listening.PATIENCE_S


@pytest.fixture(scope="module")
def newer(tmp_path_factory):
    """Return the environment in which a newer version of this very code is found."""
    folder = tmp_path_factory.mktemp("newer")
    source = Path(memcache_lsp.__file__).parent
    package = shutil.copytree(source, folder / "memcache_lsp", ignore=shutil.ignore_patterns("__pycache__"))
    start = package / "__init__.py"
    start.write_text(start.read_text().replace(memcache_lsp.__version__, "99.0.0"))
    return {"PYTHONPATH": str(folder)}


def test_a_newer_front_replaces_an_older_daemon(example, newer):
    @run
    async def talk():
        async with editor(example) as old:
            before = await status(old)
            async with editor(example, env={**os.environ, **newer}) as new:
                assert (await status(new))["version"] == "99.0.0"
                await told(old)
                await knows_what_is_unsaved(old)
                await knows_what_is_unsaved(new)
                for client in (old, new):
                    now = await status(client)
                    assert now["version"] == "99.0.0"
                    assert len(now["sessions"]) == 2
                assert not Path(f"/proc/{before['pid']}").exists()
                assert messages(new) == []

    talk()


def test_an_older_front_uses_a_newer_daemon(example, newer):
    @run
    async def talk():
        async with editor(example, env={**os.environ, **newer}) as new:
            before = await status(new)
            async with editor(example) as old:
                now = await status(old)
                assert (now["version"], now["pid"]) == ("99.0.0", before["pid"])
                await knows_what_is_unsaved(old)
            await knows_what_is_unsaved(new)
            assert messages(new) == messages(old) == []

    talk()
