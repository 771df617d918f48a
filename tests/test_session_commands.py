"""What editors without a client of ours can do: commands with Markdown, symbols by meaning, actions on a selection."""

import asyncio
import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest
from lsp import NEVER, ServerError, run
from session_backend import EVENTS, RESULT, FakeBackend, hit, location, session

from memcache_lsp.errors import UserError
from memcache_lsp.paths import state_dir
from memcache_lsp.protocol.codec import to_json
from memcache_lsp.protocol.methods import METHODS
from memcache_lsp.protocol.parts import Cited, Location, Position, Range, Stretch
from memcache_lsp.protocol.spec import AskCitation, AskDelta, AskUnsupported, Thread, Turn
from memcache_lsp.session import own, selection, showing
from memcache_lsp.session.markdown import to_markdown
from memcache_lsp.session.uris import to_path

OURS = {"experimental": {"memcache": {}}}
LITERALS = {"textDocument": {"codeAction": {"codeActionLiteralSupport": {"codeActionKind": {"valueSet": []}}}}}
PROGRESS = {"window": {"workDoneProgress": True}}
SHOWS = {"window": {"showDocument": {"support": True}}}
URI = "file:///project/a.py"
SELECTED = {"start": {"line": 0, "character": 2}, "end": {"line": 1, "character": 1}}
ABOUT = {"textDocument": {"uri": URI}, "selection": SELECTED}


def actions(**context):
    return {"textDocument": {"uri": URI}, "range": SELECTED, "context": {"diagnostics": [], **context}}


async def opened(client, text):
    document = {"uri": URI, "languageId": "python", "version": 1, "text": text}
    client.notify("textDocument/didOpen", {"textDocument": document})


@run
async def test_commands_give_markdown_to_clients_of_others():
    async with session() as client:
        result = await client.execute("memcache.ask", {"question": "how?"})
        assert result["answer"] == RESULT.answer
        assert result["markdown"] == (
            "It retries 😀 [1].\n"
            "\n## Cited\n\n- [1] [retry.py:3-6](file:///project/src/retry.py#L3)\n"
            "\n## Also found\n\n- [2] [retry.py:3-6](file:///project/src/retry.py#L3) function `other`\n"
        )
        found = await client.execute("memcache.search", {"query": "x"})
        assert found["markdown"].startswith("1. [retry.py:3-6](file:///project/src/retry.py#L3) method `Client.retry`")
        assert found["hits"] == [to_json(hit())]
        assert (await client.execute("memcache.status"))["markdown"].startswith("memcache-lsp 0, ok\n")
        assert (await client.execute("memcache.index", {"action": "start"}))["markdown"] == "- project: indexing\n"
        assert "markdown" in await client.execute("memcache.threads", {"action": "list"})


@run
async def test_commands_give_plain_results_to_our_own_clients():
    async with session(capabilities=OURS) as client:
        assert await client.execute("memcache.ask", {"question": "how?"}) == to_json(RESULT)
        assert "markdown" not in await client.execute("memcache.status")


@run
async def test_a_command_streams_like_its_method():
    async with session() as client:
        result = await client.execute("memcache.ask", {"question": "how?", "partialResultToken": "p"})
        assert len(client.progress("p")) == len(EVENTS) - 1
        assert result["markdown"].startswith("It retries")


@run
async def test_a_command_is_cancelled_like_its_method():
    backend = FakeBackend()
    backend.hold = True
    async with session(backend) as client:
        params = {"command": "memcache.ask", "arguments": [{"question": "x"}]}
        key, future = client.start("workspace/executeCommand", params)
        await backend.held.wait()
        client.notify("$/cancelRequest", {"id": key})
        with pytest.raises(ServerError) as error:
            await future
        assert error.value.code == -32800
        await backend.stopped.wait()


@run
async def test_similar_and_explain_reach_the_engine_under_both_names():
    async with session() as client:
        stretch = {"textDocument": {"uri": URI}, "range": SELECTED, "limit": 1}
        about = {"textDocument": {"uri": URI}}
        similar = await client.request("memcache/similar", stretch)
        assert similar["hits"][0]["symbol"] == "Client.retry"
        explained = await client.request("memcache/explain", about)
        assert explained == {"indexed": True, "reason": "It is.", "signals": {"name": -0.5, "text": 1.25}}
        told = await client.execute("memcache.explain", about)
        assert told == {"markdown": "It is.\n- text: +1.250\n- name: -0.500\n", **explained}
        assert "Client.retry" in (await client.execute("memcache.similar", stretch))["markdown"]
        (_, params), _ = client.backend.told("similar")
        assert (params.limit, params.text_document.uri, params.range.start.line) == (1, URI, SELECTED["start"]["line"])
        for method, wrong in (("similar", about), ("explain", {}), ("explain", {**about, "query": "q"})):
            with pytest.raises(ServerError) as error:
                await client.request(f"memcache/{method}", wrong)
            assert error.value.code == -32602


def test_what_is_not_there_yet_says_so(monkeypatch):
    monkeypatch.delitem(own._DOERS, "memcache/caches")

    @run
    async def talk():
        async with session() as client:
            for request in (
                client.request("memcache/caches", {"action": "list"}),
                client.execute("memcache.caches", {"action": "list"}),
            ):
                with pytest.raises(ServerError) as error:
                    await request
                assert error.value.code == -32803
                assert "not there yet" in error.value.message

    talk()


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        ("memcache.nothing", []),
        ("memcache.didChangeStatus", []),
        ("memcache.ask", ["x"]),
        ("memcache.ask", [{"question": "x"}, {}]),
        ("memcache.ask", [{"question": " "}]),
        ("memcache.explainSelection", []),
        ("memcache.explainSelection", [5]),
        ("memcache.explainSelection", [{}]),
        ("memcache.explainSelection", [{"textDocument": {"uri": URI}}]),
        ("memcache.askSelection", [{"selection": SELECTED}]),
        ("memcache.callersOfSelection", [{"textDocument": {"uri": URI}}]),
        ("memcache.summarizeFile", [{}]),
    ],
)
@run
async def test_malformed_commands(command, arguments):
    async with session() as client:
        with pytest.raises(ServerError) as error:
            await client.execute(command, *arguments)
        assert error.value.code == -32602
        assert not client.backend.told("ask")


@run
async def test_symbols_by_meaning():
    backend = FakeBackend()
    backend.hits = (hit("A.b.retry", "method"), hit("How to retry", "section"), hit("", "block", "\n  first line\n"))
    async with session(backend) as client:
        found = await client.request("workspace/symbol", {"query": "try again"})
        assert [(each["name"], each["kind"], each["containerName"]) for each in found] == [
            ("retry", 6, "A.b (src/retry.py)"),
            ("How to retry", 15, "src/retry.py"),
            ("first line", 1, "src/retry.py"),
        ]
        assert found[0]["location"] == to_json(location())
        assert await client.request("workspace/symbol", {"query": "  "}) == []
        assert len(backend.told("search")) == 1


@pytest.mark.parametrize(("encoding", "end"), [("utf-8", 14), ("utf-16", 12), ("utf-32", 11)])
@run
async def test_an_answer_tells_what_is_not_borne_out(encoding, end):
    said = "\U0001f680 It flies. It retries [1]."
    doubtful = replace(RESULT, answer=said, unsupported=(Stretch(start=0, end=11),))
    capabilities = {"general": {"positionEncodings": [encoding]}}
    async with session(capabilities=capabilities) as client:
        client.backend.events = (*EVENTS[:-1], doubtful)
        result = await client.execute("memcache.ask", {"question": "why?"})
        assert result["unsupported"] == [{"start": 0, "end": end}]
        assert "## Not borne out by what is cited\n\n- \U0001f680 It flies.\n" in result["markdown"]
        assert (await client.request("memcache/ask", {"question": "why?"}))["unsupported"] == [{"start": 0, "end": end}]


@run
async def test_code_actions():
    async with session(capabilities=LITERALS) as client:
        found = await client.request("textDocument/codeAction", actions())
        assert [(each["title"], each["kind"]) for each in found] == [
            ("Explain", "memcache"),
            ("Ask about this", "memcache"),
            ("What calls this?", "memcache"),
            ("Summarize this file", "memcache"),
        ]
        assert [each["command"]["command"] for each in found] == [
            "memcache.explainSelection",
            "memcache.askSelection",
            "memcache.callersOfSelection",
            "memcache.summarizeFile",
        ]
        assert found[0]["command"]["arguments"] == found[2]["command"]["arguments"] == [ABOUT]
        assert found[3]["command"]["arguments"] == [{"textDocument": {"uri": URI}}]
        assert await client.request("textDocument/codeAction", actions(only=["quickfix"])) is None
        assert len(await client.request("textDocument/codeAction", actions(only=["quickfix", "memcache"]))) == 4
        nothing = actions() | {"range": {"start": SELECTED["start"], "end": SELECTED["start"]}}
        assert await client.request("textDocument/codeAction", nothing) is None


@run
async def test_code_actions_for_clients_that_know_commands_only():
    async with session() as client:
        found = await client.request("textDocument/codeAction", actions())
        assert [(each["title"], each["command"]) for each in found] == [
            ("Explain", "memcache.explainSelection"),
            ("Ask about this", "memcache.askSelection"),
            ("What calls this?", "memcache.callersOfSelection"),
            ("Summarize this file", "memcache.summarizeFile"),
        ]


@run
async def test_code_actions_of_our_own_clients_are_their_own_command():
    async with session(capabilities=OURS | LITERALS) as client:
        found = await client.request("textDocument/codeAction", actions())
        assert [each["command"]["command"] for each in found] == ["memcache.ask"] * 4
        assert found[0]["command"]["arguments"] == [{"intent": "explain", **ABOUT}]
        assert found[3]["command"]["arguments"] == [{"intent": "summarize", "textDocument": {"uri": URI}}]


@pytest.mark.parametrize(
    ("command", "about", "intent", "question"),
    [
        ("memcache.callersOfSelection", ABOUT, "callers", "What calls this?"),
        ("memcache.summarizeFile", {"textDocument": {"uri": URI}}, "summarize", "Summarize this file."),
    ],
)
@run
async def test_each_command_asks_with_its_intent(command, about, intent, question):
    async with session() as client:
        await client.execute(command, about)
        await client.wait_for(lambda: client.backend.told("ask"))
        [[_, params]] = client.backend.told("ask")
        assert (params.intent, params.question) == (intent, question)


@run
async def test_code_actions_can_be_switched_off():
    async with session(options={"codeActions": False}) as client:
        assert await client.request("textDocument/codeAction", actions()) is None


async def explained(client):
    """Have a selection explained and give the path of the document that is opened."""
    before = len(client.requests)
    assert await client.execute("memcache.explainSelection", ABOUT) is None
    await client.wait_for(lambda: len(client.requests) > before)
    return to_path(client.requests[-1][1]["uri"])


@run
async def test_an_explanation_is_opened_as_a_document_of_our_own():
    async with session(capabilities=SHOWS) as client:
        client.answers["window/showDocument"] = {"success": True}
        path = await explained(client)
        assert path.is_relative_to(state_dir())
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert path.read_text(encoding="utf-8").startswith("# Explain this.\n\nIt retries")
        assert not client.notifications
        [[_, params]] = client.backend.told("ask")
        assert params.intent == "explain"


@pytest.mark.parametrize("answer", [{"success": False}, ValueError("no"), None])
@run
async def test_an_explanation_that_cannot_be_opened_is_a_message(answer):
    async with session(capabilities=SHOWS) as client:
        client.answers["window/showDocument"] = answer
        await client.execute("memcache.explainSelection", ABOUT)
        assert (await client.notification("window/showMessage"))["message"].startswith("# Explain this.")
    async with session() as client:
        await client.execute("memcache.explainSelection", ABOUT)
        assert (await client.notification("window/showMessage"))["type"] == 3


@run
async def test_an_editor_is_not_made_to_wait_for_an_explanation_and_can_cancel_it():
    async with session(capabilities={"window": SHOWS["window"] | PROGRESS["window"]}) as client:
        client.answers["window/showDocument"] = NEVER
        client.backend.hold = True
        assert await client.execute("memcache.explainSelection", ABOUT) is None
        await client.backend.held.wait()
        begun = await client.notification("$/progress")
        assert (begun["value"]["kind"], begun["value"]["cancellable"]) == ("begin", True)
        client.notify("window/workDoneProgress/cancel", {"token": begun["token"]})
        await client.backend.stopped.wait()
        await client.notification("$/progress", lambda params: params["value"]["kind"] == "end")
        assert [method for method, _ in client.requests] == ["window/workDoneProgress/create"]
        client.backend.hold = False
        await client.execute("memcache.explainSelection", ABOUT)
        await client.wait_for(lambda: client.requests[-1][0] == "window/showDocument")
        await client.shutdown()  # though the editor has not opened it


@run
async def test_an_explanation_that_fails_is_a_message():
    async with session(capabilities=SHOWS) as client:
        client.backend.error = UserError("There is no model: get one.")
        assert await client.execute("memcache.explainSelection", ABOUT) is None
        shown = await client.notification("window/showMessage")
        assert shown == {"type": 1, "message": "There is no model: get one."}
        client.backend.error = None
        client.backend.hold = True
        for _ in range(showing.MAX_AT_ONCE):
            await client.execute("memcache.explainSelection", ABOUT)
        with pytest.raises(ServerError, match="wait for one, or cancel one"):
            await client.execute("memcache.explainSelection", ABOUT)


@pytest.mark.parametrize(
    ("command", "arguments"),
    [("memcache.ask", {"question": "how?"}), ("memcache.search", {"query": "x"}), ("memcache.status", {})],
)
@run
async def test_a_command_may_open_its_markdown_and_shows_its_work_where_the_editor_wants_it(command, arguments):
    async with session(capabilities=SHOWS) as client:
        params = {"command": command, "arguments": [arguments], "workDoneToken": "w"}
        returned = await client.request("workspace/executeCommand", params)
        kinds = [value["kind"] for value in client.progress("w")]
        assert (kinds[0], kinds[-1]) == ("begin", "end")
        assert await client.execute(command, {**arguments, "show": True}) is None
        await client.wait_for(lambda: client.requests)
        path = to_path(client.requests[-1][1]["uri"])
        assert path.read_text(encoding="utf-8") == returned["markdown"]


@run
async def test_only_commands_that_are_there_are_told():
    async with session() as client:
        told = client.initialized["capabilities"]["executeCommandProvider"]["commands"]
        there = [method.command for method in METHODS if method.command and not method.later]
        assert set(told) == {*there, *selection.COMMANDS}


@run
async def test_a_selected_question_is_the_question():
    async with session() as client:
        await opened(client, "# what does this do,\n# really? and more\n")
        marked = {"start": {"line": 0, "character": 2}, "end": {"line": 1, "character": 9}}
        await client.execute("memcache.askSelection", {"textDocument": {"uri": URI}, "selection": marked})
        await opened(client, "x = 5\ny = 6\n")
        await client.execute("memcache.askSelection", ABOUT)
        await client.wait_for(lambda: len(client.notifications) == 2)
        [[_, first], [_, second]] = client.backend.told("ask")
        assert (first.question, first.selection) == ("what does this do,\n# really?", None)
        assert second.selection is not None


@run
async def test_only_the_latest_answers_are_kept(monkeypatch):
    monkeypatch.setattr(showing, "KEPT_ANSWERS", 3)
    async with session(capabilities=SHOWS) as client:
        client.answers["window/showDocument"] = {"success": True}
        for number in range(6):
            client.backend.events = (EVENTS[0], replace(RESULT, answer=str(number)))
            path = await explained(client)
            os.utime(path, (number, number))
        names = await asyncio.to_thread(lambda: sorted(path.read_text().split()[3] for path in path.parent.iterdir()))
        assert names == ["3", "4", "5"]


@pytest.mark.parametrize(("encoding", "column"), [("utf-8", 5), ("utf-16", 3), ("utf-32", 2)])
@run
async def test_selections_are_counted_in_characters(encoding, column):
    async with session(encodings=[encoding]) as client:
        await opened(client, "a😀b\r\nc")
        marked = {"start": {"line": 0, "character": column}, "end": {"line": 0, "character": 99}}
        await client.request("memcache/ask", {"question": "x", "textDocument": {"uri": URI}, "selection": marked})
        other = {"textDocument": {"uri": "file:///closed"}, "selection": marked}
        await client.request("memcache/ask", {"question": "x", **other})
        [[_, first], [_, second]] = client.backend.told("ask")
        assert first.selection == Range(start=Position(line=0, character=2), end=Position(line=0, character=3))
        assert second.selection.start.character == column


@pytest.mark.parametrize(("encoding", "start", "end"), [("utf-8", 11, 15), ("utf-16", 11, 13), ("utf-32", 11, 12)])
@run
async def test_unsupported_stretches_are_counted_in_the_clients_units(encoding, start, end):
    async with session(encodings=[encoding]) as client:
        client.backend.events = (*EVENTS[:-1], AskUnsupported(start=11, end=12), RESULT)
        await client.request("memcache/ask", {"question": "x", "partialResultToken": "p"})
        assert client.progress("p")[-1] == {"type": "unsupported", "start": start, "end": end}


@pytest.mark.parametrize(("encoding", "at"), [("utf-8", 14), ("utf-16", 12), ("utf-32", 11)])
@run
async def test_marks_are_counted_in_the_clients_units_wherever_they_are_told(encoding, at):
    said = "\U0001f680 It flies [1]."
    lines = Range(start=Position(line=1, character=0), end=Position(line=2, character=0))
    where = Location(uri="file:///a.py", range=lines)
    cited = Cited(n=1, location=where, status="fresh", at=11)
    streamed = AskCitation(n=1, location=where, status="fresh", at=11)
    turn = Turn(turn_id="t.1", question="x", answer=said, citations=(cited,))
    async with session(encodings=[encoding]) as client:
        client.backend.events = (AskDelta(seq=0, text=said), streamed, replace(RESULT, answer=said, citations=(cited,)))
        await client.request("memcache/ask", {"question": "x", "partialResultToken": "p"})
        assert client.progress("p")[-1]["at"] == at
        assert (await client.request("memcache/ask", {"question": "x"}))["citations"][0]["at"] == at
        kept = Thread(thread_id="t", title="x", updated="2026-01-01T00:00:00Z", turns=(turn,))
        client.backend.kept_threads = (kept,)
        got = await client.request("memcache/threads", {"action": "get", "threadId": "t"})
        assert got["threads"][0]["turns"][0]["citations"][0]["at"] == at


def test_markdown_fences_hold_what_is_in_them():
    backticks = "````\ncode\n````"
    found = to_markdown(replace(_search(), hits=(hit(snippet=backticks),)))
    assert f"`````python\n{backticks}\n`````\n" in found
    assert to_markdown(_search()) == "Nothing was found.\n"
    with pytest.raises(TypeError):
        to_markdown(5)


def _search():
    from memcache_lsp.protocol.spec import SearchResult

    return SearchResult(hits=(), complete=True)


def test_a_place_without_a_path_keeps_its_uri():
    odd = replace(location(), uri="memcache-cache:/x")
    assert "[memcache-cache:/x:3-6](memcache-cache:/x#L3)" in to_markdown(
        replace(RESULT, citations=(replace(RESULT.citations[0], location=odd),))
    )
    assert Path("/x") == to_path("file:///x")
