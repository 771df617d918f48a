"""The real server, end to end, in both modes: the daemon behind fronts, and one process by itself."""

import asyncio
import contextlib
import json
import os
import re
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from lsp import ServerError, process, run

from memcache_lsp import rendezvous

OURS = {"experimental": {"memcache": {}}}
COURIER = Path(__file__).parent.parent / "examples" / "courier"
QUESTION = "what happens to a parcel that fails too often?"
pytestmark = pytest.mark.usefixtures("short_home")

MODES = {"daemon": ("serve",), "no-daemon": ("serve", "--no-daemon")}


@pytest.fixture(params=MODES)
def command(request):
    return (sys.executable, "-m", "memcache_lsp", *MODES[request.param])


@pytest.fixture
def daemon():
    return (sys.executable, "-m", "memcache_lsp", "serve")


@contextlib.asynccontextmanager
async def editor(command, root, **options):
    async with process(*command) as client:
        await client.initialize(root, capabilities=options.pop("capabilities", OURS), **options)
        client.notify("initialized", {})
        yield client
        if not client._ended:
            with contextlib.suppress(ServerError, TimeoutError):
                await client.shutdown()


async def settled(client):
    while True:
        status = await client.request("memcache/status", {})
        if status["quiescent"]:
            return status
        await asyncio.sleep(0.05)


def shown(root, location):
    path = Path(location["uri"].removeprefix("file://"))
    assert path.is_relative_to(root)
    lines = path.read_text().splitlines()
    return "\n".join(lines[location["range"]["start"]["line"] : location["range"]["end"]["line"]])


def test_search_ask_and_status(command, example):
    @run
    async def talk():
        async with editor(command, example) as client:
            status = await settled(client)
            assert status["health"] == "ok"
            assert status["roots"][0]["files"]["done"] > 10, json.dumps(status)
            result = await client.request("memcache/search", {"query": "dead letters", "limit": 5})
            assert result["complete"]
            assert "dead" in shown(example, result["hits"][0]["location"]).lower()
            _, future = client.start("memcache/ask", {"question": QUESTION, "partialResultToken": "p"})
            answer = await future
            assert answer["finishReason"] == "extract"
            values = [params["value"] for method, params in client.notifications if method == "$/progress"]
            kinds = [value["type"] for value in values if "type" in value]
            assert kinds[0] == "sources"
            assert {"delta", "citation"} <= set(kinds)
            for value in values:
                if value.get("type") == "citation":
                    assert shown(example, value["location"]).strip()
            whole = await client.request("memcache/ask", {"question": QUESTION})
            assert whole["answer"] == "".join(value["text"] for value in values if value.get("type") == "delta")
            nothing = await client.request("memcache/ask", {"question": "xylophone cadenza"})
            assert nothing["finishReason"] == "no_answer"

    talk()


def test_unsaved_text_is_found_at_its_present_lines(command, example):
    @run
    async def talk():
        async with editor(command, example) as client:
            await settled(client)
            path = example / "courier" / "retry.py"
            uri, text = path.as_uri(), path.read_text()
            document = {"uri": uri, "languageId": "python", "version": 1, "text": text}
            client.notify("textDocument/didOpen", {"textDocument": document})
            start = {"line": 0, "character": 0}
            typed = '"""Typed."""\n\n\ndef zebra_crossing():\n    return "unsaved"\n\n\n'
            client.notify(
                "textDocument/didChange",
                {
                    "textDocument": {"uri": uri, "version": 2},
                    "contentChanges": [{"range": {"start": start, "end": start}, "text": typed}],
                },
            )
            hits = (await client.request("memcache/search", {"query": "zebra_crossing", "limit": 3}))["hits"]
            assert hits[0]["path"] == "courier/retry.py"
            assert hits[0]["origin"] == "buffer"
            first, end = (hits[0]["location"]["range"][side]["line"] for side in ("start", "end"))
            assert first <= 3 < end
            client.notify("textDocument/didClose", {"textDocument": {"uri": uri}})
            hits = (await client.request("memcache/search", {"query": "zebra_crossing", "limit": 3}))["hits"]
            assert all("zebra" not in hit["snippet"] for hit in hits)

    talk()


def test_a_hit_and_a_document_are_explained(command, example):
    @run
    async def talk():
        (example / ".gitignore").write_text("/secret.py\n")
        (example / "secret.py").write_text("a = 1\n")
        async with editor(command, example) as client:
            await settled(client)

            async def explain(path):
                return await client.request("memcache/explain", {"textDocument": {"uri": path.as_uri()}})

            query = {"query": "dead letters", "limit": 5}
            plain = await client.request("memcache/search", query)
            assert not any("signals" in hit for hit in plain["hits"])
            hits = (await client.request("memcache/search", {**query, "explain": True}))["hits"]
            assert len(hits) == 5
            for rank, hit in enumerate(hits, start=1):
                assert sum(hit["signals"].values()) == pytest.approx(hit["score"], abs=1e-3)
                told = await client.request("memcache/explain", {"hit": hit, "query": query["query"]})
                assert told["signals"] == hit["signals"]
                assert told["indexed"]
                assert told["reason"].startswith(f"It is hit {rank} of the query: ")
            none = await client.request("memcache/explain", {"hit": hits[0], "query": "xylophone"})
            assert not none["indexed"] or none["signals"] != hits[0]["signals"]
            assert await explain(example / "secret.py") == {
                "indexed": False,
                "reason": "It is not indexed: ignored: .gitignore line 1, /secret.py.",
            }
            assert (await explain(example / "courier" / "retry.py"))["indexed"]
            assert "none of the folders" in (await explain(example.parent / "other.py"))["reason"]
            unsaved = example / "courier" / "unsaved.py"
            document = {"uri": unsaved.as_uri(), "languageId": "python", "version": 1, "text": "okapi = 1\n"}
            client.notify("textDocument/didOpen", {"textDocument": document})
            told = await explain(unsaved)
            assert told == {"indexed": False, "reason": "Its open text is searched in place of the file's."}

    talk()


TWIN = """def stamp_for(envelope, weight_g):
    postage = base_fee(envelope.country)
    if weight_g > 500:
        postage += surcharge(weight_g - 500)
    return Stamp(postage, envelope.country)
"""


def test_similar_finds_twins_and_not_the_stretch_itself(command, example):
    @run
    async def talk():
        (example / "courier" / "stamps.py").write_text('"""Stamps."""\n\n\n' + TWIN)
        (example / "courier" / "labels.py").write_text(TWIN.replace("stamp", "label").replace("Stamp", "Label"))
        async with editor(command, example) as client:
            await settled(client)
            uri = (example / "courier" / "stamps.py").as_uri()
            stretch = {"start": {"line": 3, "character": 4}, "end": {"line": 8, "character": 0}}
            about = {"textDocument": {"uri": uri}, "range": stretch, "limit": 3}
            hits = (await client.request("memcache/similar", about))["hits"]
            assert hits[0]["path"] == "courier/labels.py"
            assert len(hits) == 3
            assert not any(
                hit["location"]["uri"] == uri and hit["location"]["range"]["end"]["line"] > 3 for hit in hits
            )
            moved = {"uri": uri, "languageId": "python", "version": 1, "text": "\n" * 9 + TWIN}
            client.notify("textDocument/didOpen", {"textDocument": moved})
            stretch = {"start": {"line": 9, "character": 0}, "end": {"line": 13, "character": 9}}
            hits = (await client.request("memcache/similar", {**about, "range": stretch}))["hits"]
            assert [hit["path"] for hit in hits].index("courier/labels.py") == 0
            assert not any(hit["location"]["uri"] == uri for hit in hits)
            for wrong, sentence in (
                (
                    {**about, "range": {"start": {"line": 0, "character": 0}, "end": {"line": 1, "character": 0}}},
                    "no text",
                ),
                ({**about, "textDocument": {"uri": (example / "gone.py").as_uri()}}, "cannot be compared"),
                ({**about, "textDocument": {"uri": "untitled:one"}}, "none of the folders"),
            ):
                with pytest.raises(ServerError, match=sentence):
                    await client.request("memcache/similar", wrong)

    talk()


def test_a_question_about_a_selection_cites_it(command, example):
    @run
    async def talk():
        async with editor(command, example) as client:
            await settled(client)
            uri = (example / "courier" / "unsaved.py").as_uri()
            text = "# before\ndef okapi(parcel):\n    return parcel.okapi\n"
            document = {"uri": uri, "languageId": "python", "version": 1, "text": text}
            client.notify("textDocument/didOpen", {"textDocument": document})
            selection = {"start": {"line": 1, "character": 0}, "end": {"line": 2, "character": 10}}
            about = {"textDocument": {"uri": uri}, "selection": selection, "partialResultToken": "p"}
            result = await client.request("memcache/ask", {"question": "what does okapi do?", **about})
            assert result["finishReason"] == "extract"
            sources = next(value for value in client.progress("p") if value["type"] == "sources")
            assert sources["items"][0]["path"] == "courier/unsaved.py"
            assert sources["items"][0]["location"]["range"]["start"]["line"] == 1

    talk()


def test_each_intent_draws_on_what_it_is_about(command, example):
    @run
    async def talk():
        async with editor(command, example) as client:
            await settled(client)
            uri = (example / "courier" / "retry.py").as_uri()
            about = {"textDocument": {"uri": uri}, "partialResultToken": "p"}

            async def sources(question, **params):
                before = len(client.progress("p"))
                result = await client.request("memcache/ask", {"question": question, **about, **params})
                assert result["finishReason"] == "extract"
                values = client.progress("p")[before:]
                for value in values:
                    if value["type"] == "citation":
                        assert shown(example, value["location"]).strip()
                return next(value["items"] for value in values if value["type"] == "sources")

            parts = await sources("Summarize this file.", intent="summarize")
            assert {part["path"] for part in parts} == {"courier/retry.py"}
            lines = [part["location"]["range"]["start"]["line"] for part in parts]
            assert lines == sorted(lines)
            text = (example / "courier" / "retry.py").read_text().split("\n")
            line, found = next((n, found) for n, each in enumerate(text) if (found := re.match(r" *def (\w+)\(", each)))
            name = found[1]
            at = {"line": line, "character": found.start(1)}
            selection = {"start": at, "end": {"line": line, "character": found.end(1)}}
            for use in await sources("What calls this?", intent="callers", selection=selection):
                assert name in use["snippet"]
            first, *others = await sources("Explain this.", intent="explain", selection=selection)
            assert (first["path"], first["location"]["range"]["start"]["line"]) == ("courier/retry.py", line)
            assert others

    talk()


def test_what_is_not_in_the_project_is_said_with_its_nearest_misses(command, example):
    (example / "parcels.dat").write_bytes(b"\0" * 100)

    @run
    async def talk():
        async with editor(command, example) as client:
            await settled(client)
            asked = {"question": "how long should I boil eggs so that the yolk stays soft", "partialResultToken": "p"}
            result = await client.request("memcache/ask", asked)
            assert result["finishReason"] == "no_answer"
            assert result["evidence"]["read"] == 0
            assert (await client.request("memcache/status", {}))["lastRead"] == result["evidence"]
            values = client.progress("p")
            assert [value["type"] for value in values] == ["sources", "delta"]
            assert 0 < len(values[0]["items"]) <= 5
            assert values[1]["text"].startswith(
                "Nothing in the index answers this. The sources are its nearest misses. "
            )
            assert "1 left out by rule" in values[1]["text"]

    talk()


def test_a_saved_change_is_indexed_when_the_editor_tells(command, example):
    @run
    async def talk():
        async with editor(command, example) as client:
            await settled(client)
            path = example / "courier" / "fresh.py"
            path.write_text("def giraffe_transport():\n    return 'tall parcels'\n")
            changes = {"changes": [{"uri": path.as_uri(), "type": 1}]}
            client.notify("workspace/didChangeWatchedFiles", changes)
            while True:
                hits = (await client.request("memcache/search", {"query": "giraffe_transport", "limit": 1}))["hits"]
                if hits and hits[0]["path"] == "courier/fresh.py":
                    break
                await asyncio.sleep(0.05)
            assert hits[0]["origin"] == "index"

    talk()


def test_indexing_is_steered(command, example):
    @run
    async def talk():
        async with editor(command, example) as client:
            await settled(client)
            paused = await client.request("memcache/index", {"action": "pause"})
            assert paused["roots"][0]["state"] == "paused"
            assert (await client.request("memcache/search", {"query": "retry"}))["hits"]
            await client.request("memcache/index", {"action": "rebuild"})
            status = await settled(client)
            assert status["roots"][0]["state"] == "ready"
            assert status["roots"][0]["report"]["added"] == status["roots"][0]["files"]["done"]

    talk()


def test_threads_are_kept_listed_asked_again_and_deleted(command, example):
    @run
    async def talk():
        async with editor(command, example) as client:
            await settled(client)
            first = await client.request("memcache/ask", {"question": QUESTION})
            more = {"question": "how are retries delayed?", "threadId": first["threadId"]}
            await client.request("memcache/ask", more)
            listed = (await client.request("memcache/threads", {"action": "list"}))["threads"]
            assert [thread["threadId"] for thread in listed] == [first["threadId"]]
            this = {"threadId": first["threadId"]}
            got = (await client.request("memcache/threads", {"action": "get", **this}))["threads"][0]
            assert [turn["question"] for turn in got["turns"]] == [QUESTION, more["question"]]
            again = await client.request("memcache/threads", {"action": "askAgain", **this})
            assert again["asked"]["finishReason"] == "extract"
            await client.request("memcache/threads", {"action": "delete", **this})
            assert (await client.request("memcache/threads", {"action": "list"}))["threads"] == []
            with pytest.raises(ServerError, match="no thread"):
                await client.request("memcache/threads", {"action": "get", **this})

    talk()


def test_plain_editors_get_symbols_actions_and_markdown(command, example):
    @run
    async def talk():
        shows = {"window": {"showDocument": {"support": True}}}
        async with editor(command, example, capabilities=shows) as client:
            client.answers["window/showDocument"] = {"success": True}
            await settled_by_command(client)
            symbols = await client.request("workspace/symbol", {"query": "webhook signature"})
            assert any("webhooks" in symbol["location"]["uri"] for symbol in symbols)
            uri = (example / "courier" / "retry.py").as_uri()
            span = {"start": {"line": 0, "character": 0}, "end": {"line": 5, "character": 0}}
            params = {"textDocument": {"uri": uri}, "range": span, "context": {"diagnostics": []}}
            actions = await client.request("textDocument/codeAction", params)
            explain = next(action for action in actions if action["title"] == "Explain")
            assert await client.execute(explain["command"], *explain["arguments"]) is None
            await client.wait_for(lambda: client.requests)
            document = Path(client.requests[0][1]["uri"].removeprefix("file://"))
            assert document.read_text().startswith("# Explain this.")
            answer = await client.execute("memcache.ask", {"question": QUESTION})
            assert "[1]" in answer["markdown"]

    talk()


async def settled_by_command(client):
    while not (await client.execute("memcache.status", {}))["quiescent"]:
        await asyncio.sleep(0.05)


def configure(home, smollm2):
    folder = home / "config"
    folder.mkdir(mode=0o700, exist_ok=True)
    (folder / "config.toml").write_text(f"model = {json.dumps(str(smollm2))}\n")


def test_a_question_stops_when_told(command, example, smollm2, short_home):
    """While the prompt is read and while tokens stream; the next question is answered."""
    configure(short_home, smollm2)

    @run
    async def talk():
        async with editor(command, example) as client:
            await settled(client)
            for kind in ("stage", "delta"):
                client.notifications.clear()
                key, future = client.start("memcache/ask", {"question": QUESTION, "partialResultToken": "p"})
                await client.wait_for(lambda kind=kind: kind in kinds_of(client))
                client.notify("$/cancelRequest", {"id": key})
                with pytest.raises(ServerError) as error:
                    await future
                assert error.value.code == -32800
            answer = await client.request("memcache/ask", {"question": QUESTION})
            assert answer["finishReason"] in {"stop", "length"}
            assert answer["usage"]["answerTokens"] > 0

    talk()


def kinds_of(client):
    return [params["value"].get("type") for method, params in client.notifications if method == "$/progress"]


def test_two_editors_share_one_index_and_a_kill_of_one_disturbs_nobody(daemon, example):
    @run
    async def talk():
        async with editor(daemon, example) as one, editor(daemon, example) as two:
            first, second = await settled(one), await settled(two)
            assert first["pid"] == second["pid"]
            assert len(second["sessions"]) == 2
            one.process.kill()
            await one.ended()
            assert (await two.request("memcache/search", {"query": "retry"}))["hits"]
            while len((await two.request("memcache/status", {}))["sessions"]) > 1:
                await asyncio.sleep(0.05)

    talk()


async def output(*arguments):
    """Run a command with --json and return what it prints."""
    command = (sys.executable, "-m", "memcache_lsp", *map(str, arguments), "--json")
    child = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    out, err = await child.communicate()
    assert child.returncode == 0, err
    return [json.loads(line) for line in out.splitlines()]


def test_the_command_line_shares_the_model_and_its_status_shows_who_is_there(daemon, example, smollm2, short_home):
    configure(short_home, smollm2)

    @run
    async def talk():
        async with editor(daemon, example) as client:
            await settled(client)
            await client.request("memcache/ask", {"question": QUESTION})
            events = await output("ask", "--root", example, "--max-tokens", 20, QUESTION)
            assert [event["type"] for event in events[:2]] == ["sources", "stage"]
            result = events[-1]
            assert result["finishReason"] in {"stop", "length"}
            assert 0 < result["usage"]["answerTokens"] <= 20
            assert result["answer"] == "".join(event["text"] for event in events if event["type"] == "delta")
            ours = await client.request("memcache/status", {})
            theirs = (await output("status", "--root", example))[0]["daemon"]
            assert theirs["pid"] == ours["pid"]
            assert theirs["model"] == ours["model"]
            assert {worker["name"]: worker["pid"] for worker in theirs["workers"]} == {
                worker["name"]: worker.get("pid") for worker in ours["workers"]
            }
            assert [session["roots"] for session in theirs["sessions"]] == [[example.as_uri()]]

    talk()


def test_a_command_that_is_interrupted_stops_the_daemons_model(daemon, example, smollm2, short_home):
    configure(short_home, smollm2)

    @run
    async def talk():
        async with editor(daemon, example) as client:
            await settled(client)
            command = (sys.executable, "-m", "memcache_lsp", "ask", "--root", str(example), "--json", QUESTION)
            child = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            while json.loads(await child.stdout.readline())["type"] != "delta":
                pass
            child.send_signal(signal.SIGINT)
            await child.communicate()
            assert child.returncode == 130
            while (await client.request("memcache/status", {}))["model"]["state"] == "answering":
                await asyncio.sleep(0.05)

    talk()


def test_the_command_line_uses_the_engine_that_runs(daemon, example):
    @run
    async def talk():
        async with editor(daemon, example) as client:
            await settled(client)
            found = await output("search", "--root", example, "--limit", 3, "dead letters")
            hits = [hit for hit in found if "partial" not in hit]
            assert len(hits) == 3
            for hit in hits:
                text = (example / hit["path"]).read_text().splitlines()
                assert hit["snippet"].splitlines()[0] == text[hit["startLine"] - 1]
            (example / "courier" / "fresh.py").write_text("def giraffe():\n    return 1\n")
            assert (await output("index", "--root", example))[-1]["failed"] == []  # the watcher may have been quicker
            assert (await output("search", "--root", example, "giraffe"))[0]["path"] == "courier/fresh.py"
            events = await output("ask", "--root", example, "--no-model", QUESTION)
            assert events[-1]["finishReason"] == "extract"
            assert (await output("index", "--root", example, "--rebuild"))[-1]["added"] > 10

    talk()


@pytest.mark.skipif(sys.platform != "linux", reason="inotify is Linux's")
def test_what_is_written_is_found_without_anybody_telling(command, example):
    @run
    async def talk():
        async with editor(command, example) as client:
            await settled(client)
            (example / "courier" / "fresh.py").write_text("def giraffe():\n    return 1\n")
            async with asyncio.timeout(60):
                paths = []
                while "courier/fresh.py" not in paths:
                    hits = (await client.request("memcache/search", {"query": "giraffe", "limit": 3}))["hits"]
                    paths = [hit["path"] for hit in hits]
                    await asyncio.sleep(0.05)

    talk()


def test_a_lost_daemon_is_replaced_and_knows_the_open_buffers(daemon, example):
    @run
    async def talk():
        async with editor(daemon, example) as client:
            status = await settled(client)
            uri = (example / "courier" / "unsaved.py").as_uri()
            document = {"uri": uri, "languageId": "python", "version": 1, "text": "def okapi():\n    return 1\n"}
            client.notify("textDocument/didOpen", {"textDocument": document})
            await client.request("memcache/search", {"query": "okapi"})
            os.kill(status["pid"], signal.SIGKILL)
            hits = None
            while not hits or hits[0]["path"] != "courier/unsaved.py":
                with contextlib.suppress(ServerError):
                    hits = (await client.request("memcache/search", {"query": "okapi", "limit": 1}))["hits"]
            assert (await client.request("memcache/status", {}))["pid"] != status["pid"]

    talk()


def test_a_killed_index_worker_is_replaced(command, tmp_path):
    root = tmp_path / "many"
    root.mkdir()
    for number in range(300):
        (root / f"m{number}.py").write_text("\n".join(f"def f{i}_{number}():\n    return {i}\n" for i in range(20)))

    @run
    async def talk():
        async with editor(command, root) as client:
            pid = None
            while pid is None:
                status = await client.request("memcache/status", {})
                assert not status["quiescent"]
                pid = next((w.get("pid") for w in status["workers"] if w["name"] == "index"), None)
            os.kill(pid, signal.SIGKILL)
            status = await settled(client)
            assert status["roots"][0]["files"]["done"] == 300
            assert status["roots"][0]["failed"] == []

    talk()


def test_folders_come_and_go(command, example, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    (other / "zebra.py").write_text("def zebra_crossing():\n    return 1\n")

    def changed(*, added=(), removed=()):
        of = lambda roots: [{"uri": root.as_uri(), "name": root.name} for root in roots]  # noqa: E731
        return {"event": {"added": of(added), "removed": of(removed)}}

    async def has_roots(client, *roots):
        async with asyncio.timeout(30):  # where folders lie is looked up beside the requests
            while [root["uri"] for root in (await settled(client))["roots"]] != [root.as_uri() for root in roots]:
                await asyncio.sleep(0.02)

    async def uris(client, query):
        hits = (await client.request("memcache/search", {"query": query, "limit": 5}))["hits"]
        return [hit["location"]["uri"] for hit in hits]

    @run
    async def talk():
        async with editor(command, example) as client:
            await settled(client)
            assert (other / "zebra.py").as_uri() not in await uris(client, "zebra_crossing")
            client.notify("workspace/didChangeWorkspaceFolders", changed(added=[other]))
            await has_roots(client, example, other)
            assert (await uris(client, "zebra_crossing"))[0] == (other / "zebra.py").as_uri()
            assert any(uri.startswith(example.as_uri()) for uri in await uris(client, "dead letters"))
            client.notify("workspace/didChangeWorkspaceFolders", changed(removed=[example]))
            await has_roots(client, other)
            assert not any(uri.startswith(example.as_uri()) for uri in await uris(client, "dead letters"))

    talk()


def test_stop_ends_everything(daemon, example):
    @run
    async def talk():
        async with editor(daemon, example) as client:
            pid = (await settled(client))["pid"]
            assert await asyncio.to_thread(rendezvous.stop)
            assert rendezvous.holder() is None
            with contextlib.suppress(ProcessLookupError):
                handle = os.pidfd_open(pid)
                assert select.select([handle], [], [], 5)[0]  # it is readable once the process has ended
                os.close(handle)

    talk()
