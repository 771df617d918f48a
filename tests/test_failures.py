"""Whatever fails behind an answer is one sentence in the editor within five seconds, and the next question works."""

import asyncio
import contextlib
import os
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import model_server
import pytest
from lsp import ServerError, process, run
from told import sentences

from memcache_lsp import models

OURS = {"experimental": {"memcache": {}}}
QUESTION = "what happens to a parcel that fails too often?"
BOUND_S = 20.0  # five by design (see test_endpoint.py); the rest is for a machine with other work
MODES = {"daemon": ("serve",), "no-daemon": ("serve", "--no-daemon")}
pytestmark = pytest.mark.usefixtures("short_home")


@pytest.fixture(params=MODES)
def command(request):
    return (sys.executable, "-m", "memcache_lsp", *MODES[request.param])


@pytest.fixture
def server():
    with model_server.serving() as server:
        yield server


def settings(**values):
    path = Path(os.environ["MEMCACHE_HOME"]) / "config" / "config.toml"
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(f'{name} = "{value}"\n' for name, value in values.items()))


@contextlib.asynccontextmanager
async def editor(command, root):
    async with process(*command) as client:
        await client.initialize(root, capabilities=OURS)
        while not (await client.request("memcache/status", {}))["quiescent"]:
            await asyncio.sleep(0.05)
        yield client
        if not client._ended:
            with contextlib.suppress(ServerError, TimeoutError, ConnectionError):
                await client.shutdown()


async def ask(client):
    return await client.request("memcache/ask", {"question": QUESTION})


async def refused(client):
    """Ask, and return the sentence that comes in place of an answer."""
    await client.request("memcache/search", {"query": "warm up"})
    began = time.monotonic()
    with pytest.raises(ServerError) as error:
        await ask(client)
    assert time.monotonic() - began < BOUND_S
    assert error.value.code == -32803
    sentence = error.value.message
    assert "\n" not in sentence
    assert sentence.endswith(".")
    return sentence


def test_no_model_at_all(command, example):
    @run
    async def talk():
        async with editor(command, example) as client:
            answer = await ask(client)
            assert answer["finishReason"] == "extract"
            assert "models pull" in answer["message"]

    talk()


def test_a_model_that_is_missing_or_is_none(command, example, server, tmp_path):
    (tmp_path / "text.gguf").write_text("this is no model")
    (tmp_path / "damaged.gguf").write_bytes(b"GGUF\x03\x00\x00\x00" + b"\xff" * 64)
    (tmp_path / "script").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "script").chmod(0o700)

    @run
    async def talk():
        async with editor(command, example) as client:
            for name, why in (
                ("nowhere", "no model nowhere"),
                (str(tmp_path / "text.gguf"), "not a GGUF file"),
                (str(tmp_path / "damaged.gguf"), "cannot load"),
                (str(tmp_path / "script"), "does not start as a server"),
            ):
                settings(model=name)
                assert why in await refused(client)
            settings(endpoint=server.url)
            assert (await ask(client))["answer"] == "".join(model_server.WORDS)
            settings()
            assert (await ask(client))["finishReason"] == "extract"

    talk()


def worker_of(pid):
    """Return the model's process among those that a server started."""
    for each in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            parent = int((each / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == pid and b"model_child" in (each / "cmdline").read_bytes():
                return int(each.name)
    raise AssertionError("there is none")


@contextlib.contextmanager
def no_more_memory(pid, spare_bytes):
    """Let a process have so much memory more than it has."""
    has = int(Path(f"/proc/{pid}/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    before = resource.prlimit(pid, resource.RLIMIT_AS, (has + spare_bytes, resource.RLIM_INFINITY))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_AS, before)


@pytest.mark.skipif(sys.platform != "linux", reason="only there the memory of another process is limited")
def test_a_model_that_memory_has_no_room_for(command, example, server, smollm2):
    settings(endpoint=server.url)

    @run
    async def talk():
        async with editor(command, example) as client:
            await ask(client)  # the process is there
            pid = (await client.request("memcache/status", {}))["pid"]
            with no_more_memory(worker_of(pid), 8 << 20):
                settings(model=smollm2)
                assert "not enough memory" in await refused(client)
            settings(endpoint=server.url)
            assert (await ask(client))["answer"] == "".join(model_server.WORDS)

    talk()


def test_a_template_that_is_none(command, example, server, smollm2, tmp_path):
    path = tmp_path / "template.gguf"
    shutil.copyfile(smollm2, path)
    with path.open("r+b") as file:
        head = file.read(16 << 20)
        at = head.index(b"{% for")
        file.seek(at)
        file.write(b"{% f0r")

    @run
    async def talk():
        async with editor(command, example) as client:
            settings(model=path)
            assert "chat template" in await refused(client)
            settings(endpoint=server.url)
            assert (await ask(client))["finishReason"] == "stop"

    talk()


def test_an_endpoint_that_fails_in_every_way(command, example, server):
    settings(endpoint=server.url)

    @run
    async def talk():
        async with editor(command, example) as client:

            async def works():
                assert (await ask(client))["answer"] == "".join(model_server.WORDS)

            await works()
            for name, value, why in (
                ("hangs", True, "does not answer"),
                ("stalls", True, "does not answer"),
                ("cut", "quiet", "hung up in the middle"),
                ("cut", "rude", "hung up in the middle"),
                ("error", (500, "the template has no system role"), "template"),
                ("error", (503, "Loading model"), "Loading model"),
                ("says", '{"error": {"message": "out of memory"}}', "out of memory"),
                ("words", (), "empty answer"),
                ("words", ("<think>First, ", "the code.</think>"), "reasoned and gave no answer"),
            ):
                setattr(server, name, value)
                assert why in await refused(client)
                server.hangs = server.stalls = False
                server.cut = server.error = server.says = None
                server.words = model_server.WORDS
                await works()
            settings(endpoint="http://127.0.0.1:9")
            assert "cannot be reached" in await refused(client)
            settings(endpoint=server.url)
            await works()

    talk()


def test_a_slow_endpoint_shows_what_it_does_and_stops_when_told(command, example, server):
    settings(endpoint=server.url)
    server.waits = threading.Event()

    @run
    async def talk():
        async with editor(command, example) as client:
            await client.request("memcache/search", {"query": "warm up"})
            key, future = client.start("memcache/ask", {"question": QUESTION, "partialResultToken": "p"})
            async with asyncio.timeout(BOUND_S):  # the sources and what is waited for, though nothing is said yet
                await client.wait_for(lambda: any(e.get("stage") == "reading" for e in client.progress("p")))
                await asyncio.to_thread(server.began.wait)
            assert "sources" in [each["type"] for each in client.progress("p")]
            client.notify("$/cancelRequest", {"id": key})
            with pytest.raises(ServerError) as error:
                await future
            assert error.value.code == -32800
            assert await asyncio.to_thread(server.left.wait, 20)
            server.waits = None
            assert (await ask(client))["finishReason"] == "stop"

    talk()


def test_an_endpoint_is_told_of_and_gets_redacted_evidence(command, example, server):
    (example / "secret.py").write_text(
        '"""What happens to a parcel that fails too often."""\nKEY = "AKIAIOSFODNN7EXAMPLE"\n'
    )
    settings(endpoint=server.url)

    @run
    async def talk():
        async with editor(command, example) as client:
            before = await client.request("memcache/status", {})
            assert any(server.url in sentence for sentence in before["outside"])
            answer = await ask(client)
            assert answer["citations"][0]["n"] == 1
            status = await client.request("memcache/status", {})
            assert (status["model"]["name"], status["model"]["where"]) == ("tiny", "endpoint")
            assert status["model"]["contextTokens"] == 2048
            assert status["model"]["chosen"]
            sent = "".join(each["content"] for each in server.asked[-1]["messages"])
            assert "secret.py" in sent
            assert "AKIAIOSFODNN7EXAMPLE" not in sent

    talk()


def test_a_project_cannot_choose_an_endpoint(command, example, server):
    (example / "memcache.toml").write_text(f'endpoint = "{server.url}"\nmodel = "{example}/x"\n')

    @run
    async def talk():
        async with editor(command, example) as client:
            assert (await ask(client))["finishReason"] == "extract"
            assert (await client.request("memcache/status", {}))["outside"] == []

    talk()
    assert server.paths == []


def test_a_llamafile_is_started_and_ends_with_the_server(command, example, tmp_path, monkeypatch):
    note = tmp_path / "note"
    monkeypatch.setenv("MODEL_SERVER_NOTE", str(note))
    settings(model=model_server.program(tmp_path / "tiny.llamafile"))

    @run
    async def talk():
        async with editor(command, example) as client:
            assert (await ask(client))["answer"] == "".join(model_server.WORDS)
            status = await client.request("memcache/status", {})
            assert status["model"]["where"] == "llamafile"
            assert any("tiny.llamafile" in sentence for sentence in status["outside"])
            pid = int(note.read_text().split('"pid": ')[1].split(",")[0])
            os.kill(pid, signal.SIGKILL)
            assert "tiny.llamafile" in await refused(client)
            assert (await ask(client))["answer"] == "".join(model_server.WORDS)
            again = int(note.read_text().split('"pid": ')[1].split(",")[0])
            assert again != pid
            os.kill(status["pid"], signal.SIGKILL)
            while is_alive(again):
                await asyncio.sleep(0.02)

    talk()


def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_models_are_listed_chosen_unloaded_and_removed(command, example, smollm2):
    own = models.models_dir() / "small.gguf"
    shutil.copyfile(smollm2, own)

    @run
    async def talk():
        async with editor(command, example) as client:

            async def do(action, **params):
                return await client.request("memcache/models", {"action": action, **params})

            listed = {each["name"]: each for each in (await do("list"))["models"]}
            assert listed["small"]["fetched"]
            assert not listed["small"]["used"]
            assert listed[models.DEFAULT.name]["licence"] == "Apache-2.0"
            assert len(listed[models.DEFAULT.name]["sources"]) == 2
            used = {each["name"] for each in (await do("use", name="small"))["models"] if each["used"]}
            assert used == {"small"}
            client.answers.clear()
            _, future = client.start("memcache/ask", {"question": QUESTION})
            answer = await asyncio.wait_for(future, 60)
            assert answer["finishReason"] in {"stop", "length"}
            model = (await client.request("memcache/status", {}))["model"]
            assert (model["name"], model["state"], model["where"]) == ("small", "ready", "process")
            assert any("cores" in sentence for sentence in model["chosen"])
            assert (await do("unload"))["unloaded"] is True
            assert (await do("unload"))["unloaded"] is False
            assert (await client.request("memcache/status", {}))["model"]["state"] == "unloaded"
            for action, name in (("use", str(smollm2)), ("pull", "http://127.0.0.1:9/x.gguf"), ("remove", "none")):
                with pytest.raises(ServerError) as error:
                    await do(action, name=name)
                assert error.value.code == -32803
            left = {each["name"] for each in (await do("remove", name="small"))["models"]}
            assert "small" not in left
            assert (await ask(client))["finishReason"] == "extract"

    talk()
    assert not own.exists()


@pytest.mark.parametrize("mode", [(), ("--no-daemon",)], ids=["daemon", "no-daemon"])
def test_the_command_line_asks_the_endpoint_too(example, server, mode):
    settings(endpoint=server.url)
    command = [sys.executable, "-m", "memcache_lsp", "ask", "--root", str(example), *mode, QUESTION]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert "".join(model_server.WORDS) in done.stdout, done.stderr
    server.cut = "rude"
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "hung up in the middle" in done.stderr
    assert len(sentences(done.stderr)) == 1


def test_the_command_line_starts_and_ends_a_llamafile(example, tmp_path, monkeypatch):
    note = tmp_path / "note"
    monkeypatch.setenv("MODEL_SERVER_NOTE", str(note))
    program = model_server.program(tmp_path / "tiny.llamafile")
    command = [
        sys.executable, "-m", "memcache_lsp", "ask", "--root", str(example), "--no-daemon", "--model", str(program), QUESTION
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert "".join(model_server.WORDS) in done.stdout, done.stderr
    assert not is_alive(int(note.read_text().split('"pid": ')[1].split(",")[0]))
