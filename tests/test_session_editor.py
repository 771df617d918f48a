"""What an editor gets: capabilities, buffers, folders, settings, progress, trace."""

import asyncio
from pathlib import Path

import pytest
from lsp import NEVER, run
from session_backend import ROOT, FakeBackend, connected, session

from memcache_lsp.protocol.methods import METHODS
from memcache_lsp.protocol.spec import DidChangeStatusParams
from memcache_lsp.session import indexing
from memcache_lsp.session import session as editor_session
from memcache_lsp.session.backend import IndexProgress
from memcache_lsp.session.client import read_client
from memcache_lsp.session.lsp import converter
from memcache_lsp.session.session import prepare
from memcache_lsp.session.settings import SessionSettings, parse_settings, unknown_settings

OURS = {"experimental": {"memcache": True}}
PROGRESS = {"window": {"workDoneProgress": True}}
CONFIGURATION = {"workspace": {"configuration": True}}
URI = "file:///project/a.py"


def document(text, uri=URI):
    return {"textDocument": {"uri": uri, "languageId": "python", "version": 1, "text": text}}


def change(*events, uri=URI):
    return {"textDocument": {"uri": uri, "version": 2}, "contentChanges": list(events)}


def edit(text, line, start, end):
    where = {"start": {"line": line, "character": start}, "end": {"line": line, "character": end}}
    return {"range": where, "text": text}


async def settled(client):
    """Wait until everything that was sent so far is done."""
    await client.request("memcache/status")


@run
async def test_capabilities():
    async with session() as client:
        told = client.initialized["capabilities"]
        assert told["positionEncoding"] == "utf-16"
        assert told["textDocumentSync"] == {"openClose": True, "change": 2, "save": {"includeText": False}}
        assert told["workspace"]["workspaceFolders"] == {"supported": True, "changeNotifications": True}
        assert told["codeActionProvider"] == {"codeActionKinds": ["memcache"]}
        assert told["workspaceSymbolProvider"] == {"resolveProvider": False}
        assert told["experimental"]["memcache"]["version"] == 1
        assert client.initialized["serverInfo"]["name"] == "memcache-lsp"
        assert {*told} == {
            *("positionEncoding", "textDocumentSync", "codeActionProvider", "workspaceSymbolProvider"),
            *("executeCommandProvider", "workspace", "experimental"),
        }


@run
async def test_commands_are_told_only_to_clients_that_have_none_of_their_own():
    async with session() as client:
        commands = client.initialized["capabilities"]["executeCommandProvider"]["commands"]
        assert {method.command for method in METHODS if method.command and not method.later} < set(commands)
    async with session(capabilities=OURS) as client:
        assert client.initialized["capabilities"]["executeCommandProvider"]["commands"] == []


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        (None, "utf-16"),
        ([], "utf-16"),
        (["utf-8", "utf-16"], "utf-8"),
        (["utf-32"], "utf-32"),
        (["utf-7", 5, "utf-32", "utf-16"], "utf-32"),
        (["utf-7"], "utf-16"),
        ("utf-8", "utf-16"),
    ],
)
@run
async def test_position_encodings(offered, chosen):
    async with session(encodings=offered) as client:
        assert client.initialized["capabilities"]["positionEncoding"] == chosen


@pytest.mark.parametrize(
    ("params", "roots"),
    [
        ({"rootUri": "file:///a"}, ["/a"]),
        ({"rootPath": "/a"}, ["/a"]),
        ({"rootPath": "a"}, []),
        ({"rootUri": None, "rootPath": None, "workspaceFolders": None}, []),
        ({"rootUri": "file:///a", "workspaceFolders": [{"uri": "file:///b", "name": "b"}]}, ["/b"]),
        ({"rootUri": "file:///a", "workspaceFolders": []}, ["/a"]),
        (
            {"workspaceFolders": [{"uri": "file:///b"}, {"uri": "vfs:///c"}, 5, {"uri": 5}, {"uri": "file:///b"}]},
            ["/b"],
        ),
    ],
)
def test_roots(params, roots):
    assert read_client({"capabilities": {}, **params}).roots == tuple(map(Path, roots))


def test_odd_capabilities_never_stop_the_start():
    odd = {"workspace": 5, "window": [], "general": {"positionEncodings": 5}, "textDocument": None, "experimental": "x"}
    client = read_client({"capabilities": odd, "clientInfo": 5, "trace": {}, "workspaceFolders": 5})
    assert (client.name, client.is_ours, client.trace, client.encoding) == ("", False, "off", "utf-16")


@pytest.mark.parametrize(("encoding", "column"), [("utf-8", 7), ("utf-16", 4), ("utf-32", 3)])
@run
async def test_documents_reach_the_backend(encoding, column):
    async with session(encodings=[encoding]) as client:
        client.notify("textDocument/didOpen", document("a\fé😀b\r\nc"))
        client.notify("textDocument/didChange", change(edit("X", 0, column + 1, column + 2), edit("\n", 1, 0, 0)))
        client.notify("textDocument/didChange", change({"text": "all"}, edit("!", 0, 3, 3)))
        client.notify("textDocument/didClose", {"textDocument": {"uri": URI}})
        await settled(client)
        texts = [text for _, _, text in client.backend.told("buffer_changed")]
        assert texts == ["a\fé😀b\r\nc", "a\fé😀X\r\n\nc", "all!", None]
        assert {path for _, path, _ in client.backend.told("buffer_changed")} == {ROOT / "a.py"}


@run
async def test_a_request_sees_the_buffer_as_it_was_when_it_was_sent():
    async with session() as client:
        for number in range(50):
            client.notify("textDocument/didOpen", document(str(number)))
            client.start("memcache/search", {"query": str(number)})
        await settled(client)
        order = [call for call in client.backend.calls if call[0] in {"buffer_changed", "search"}]
        told = [call[3] if call[0] == "buffer_changed" else call[2].query for call in order]
        assert told == [str(number) for number in range(50) for _ in range(2)]


@run
async def test_documents_that_are_no_files_and_that_are_not_open():
    async with session() as client:
        client.notify("textDocument/didOpen", document("x", "untitled:1"))
        client.notify("textDocument/didChange", change({"text": "y"}, uri="untitled:1"))
        client.notify("textDocument/didChange", change({"text": "y"}))
        client.notify("textDocument/didClose", {"textDocument": {"uri": URI}})
        await settled(client)
        assert not client.backend.told("buffer_changed")


@run
async def test_hints_of_changed_files():
    async with session() as client:
        client.notify("textDocument/didSave", {"textDocument": {"uri": URI}})
        events = [{"uri": "file:///project/b%20c", "type": 1}, {"uri": "vfs:/x", "type": 2}, {"uri": URI, "type": 3}]
        client.notify("workspace/didChangeWatchedFiles", {"changes": events})
        await settled(client)
        assert client.backend.told("files_changed") == [[1, (ROOT / "a.py",)], [1, (ROOT / "b c", ROOT / "a.py")]]


@run
async def test_very_many_changes_are_told_as_one():
    async with session() as client:
        events = [{"uri": f"file:///project/{number}.py", "type": 1} for number in range(501)]
        client.notify("workspace/didChangeWatchedFiles", {"changes": events})
        await settled(client)
        assert client.backend.told("files_changed") == [[1, None]]


@run
async def test_file_watchers_are_registered_where_the_client_takes_them():
    async with session() as client:
        await settled(client)
        assert client.requests == []
    able = {"workspace": {"didChangeWatchedFiles": {"dynamicRegistration": True}}}
    async with session(capabilities=able) as client:
        await client.wait_for(lambda: client.requests)
        [(method, params)] = client.requests
        assert method == "client/registerCapability"
        assert [each["method"] for each in params["registrations"]] == ["workspace/didChangeWatchedFiles"]
    able = {"workspace": {"didChangeConfiguration": {"dynamicRegistration": True}}}
    async with session(capabilities=able) as client:
        await client.wait_for(lambda: client.requests)
        [(_, params)] = client.requests
        [registration] = params["registrations"]
        assert registration["method"] == "workspace/didChangeConfiguration"
        assert registration["registerOptions"] == {"section": "memcache"}


@run
async def test_a_client_that_refuses_watchers_is_served_all_the_same(caplog):
    able = {"workspace": {"didChangeWatchedFiles": {"dynamicRegistration": True}, "configuration": True}}
    async with connected() as client:
        client.answers["client/registerCapability"] = ValueError("no")
        client.answers["workspace/configuration"] = [{"answerTokens": 99}]
        await client.initialize(ROOT, capabilities=able)
        await client.wait_for(lambda: len(client.requests) == 2)
        await settled(client)
        assert client.backend.told("settings_changed")
    assert "Error" not in caplog.text


@run
async def test_workspace_folders():
    def event(added=(), removed=()):
        folders = [[{"uri": uri, "name": "x"} for uri in uris] for uris in (added, removed)]
        return {"event": {"added": folders[0], "removed": folders[1]}}

    async with session() as client:
        client.notify("workspace/didChangeWorkspaceFolders", event(added=["file:///b", "file:///project"]))
        client.notify("workspace/didChangeWorkspaceFolders", event(added=["file:///c"], removed=["file:///project/"]))
        await settled(client)
        assert client.backend.told("set_roots")[-1] == [1, (Path("/b"), Path("/c"))]


@run
async def test_settings_of_the_initialization():
    for options in (
        {"answerTokens": 100, "codeActions": False},
        {"memcache": {"answerTokens": 100, "codeActions": False}},
    ):
        async with session(options=options) as client:
            [[info]] = client.backend.told("open_session")
            assert info.settings == SessionSettings(answer_tokens=100, code_actions=False)


@run
async def test_a_bad_setting_is_told_once_and_its_default_used():
    able = {"workspace": {"configuration": True}}
    async with connected() as client:
        client.answers["workspace/configuration"] = [{"model": "/evil.gguf"}]
        await client.initialize(ROOT, options={"answerTokens": "many", "indexOnStart": False}, capabilities=able)
        shown = await client.notification("window/showMessage", lambda params: "answerTokens" in params["message"])
        assert shown["type"] == 2
        assert (
            shown["message"]
            == "memcache-lsp: memcache.answerTokens must be a whole number from 16 to 2048; its default is used."
        )
        logged = await client.notification("window/logMessage", lambda params: "memcache.model" in params["message"])
        assert "config.toml" in logged["message"]
        client.notify("workspace/didChangeConfiguration", {"settings": None})
        await client.wait_for(lambda: len(client.requests) == 2)
        await settled(client)
        assert len(client.notifications) == 2
        [[info]] = client.backend.told("open_session")
        assert info.settings == SessionSettings(index_on_start=False)


@run
async def test_settings_are_pulled_and_pushed():
    async with connected() as client:
        client.answers["workspace/configuration"] = [{"answerTokens": 99}]
        await client.initialize(ROOT, options={"codeActions": False}, capabilities=CONFIGURATION)
        await client.wait_for(lambda: client.requests)
        await settled(client)
        assert client.requests == [("workspace/configuration", {"items": [{"section": "memcache"}]})]
        assert client.backend.told("settings_changed") == [[1, SessionSettings(answer_tokens=99, code_actions=False)]]
    async with session() as client:
        client.notify("workspace/didChangeConfiguration", {"settings": {"memcache": {"answerTokens": 98}, "other": 1}})
        client.notify("workspace/didChangeConfiguration", {"settings": {"other": 2}})
        client.notify("workspace/didChangeConfiguration", {"settings": None})
        await settled(client)
        assert client.backend.told("settings_changed") == [[1, SessionSettings(answer_tokens=98)]]


@pytest.mark.parametrize("answer", [None, [], [None], {}, "x", [{}]])
@run
async def test_odd_answers_to_the_question_for_settings(answer):
    async with connected() as client:
        client.answers["workspace/configuration"] = answer
        await client.initialize(ROOT, capabilities={"workspace": {"configuration": True}})
        await client.wait_for(lambda: client.requests)
        await settled(client)
        assert client.backend.told("settings_changed") == [[1, SessionSettings()]]


def test_parse_settings():
    assert parse_settings([]) == (SessionSettings(), ())
    assert parse_settings({"codeActions": None}) == (SessionSettings(), ())
    assert len(parse_settings({"codeActions": 1, "answerTokens": True, "x": 1})[1]) == 2
    assert [remark.split()[0] for remark in unknown_settings({"codeActions": 1, "x": 1})] == ["memcache.x"]
    assert unknown_settings(5) == unknown_settings([]) == ()
    assert parse_settings(5)[1] == ("The settings memcache must be an object; the defaults are used.",)


@run
async def test_indexing_is_shown_and_never_goes_back():
    async with session(capabilities=PROGRESS) as client:
        tell = client.backend.listeners[1]
        tell(IndexProgress(ROOT, 0, 0))
        tell(IndexProgress(ROOT, 0, 1000))
        await client.wait_for(lambda: client.requests)
        [(method, params)] = client.requests
        assert method == "window/workDoneProgress/create"
        await client.notification("$/progress")
        for done, total in ((100, 1000), (500, 1000), (500, 2000), (1900, 2000), (2000, 2000)):
            tell(IndexProgress(ROOT, done, total))
        tell(IndexProgress(ROOT, 2000, 2000, finished=True))
        tell(IndexProgress(ROOT, 2000, 2000, finished=True))
        await settled(client)
        values = client.progress(params["token"])
        assert [value["kind"] for value in values] == ["begin", *["report"] * 4, "end"]
        assert values[0]["cancellable"] is True
        assert [value["percentage"] for value in values[:-1]] == [0, 10, 50, 95, 100]


@run
async def test_indexing_is_over_before_it_could_be_shown():
    async with session(capabilities=PROGRESS) as client:
        tell = client.backend.listeners[1]
        tell(IndexProgress(ROOT, 0, 500))
        tell(IndexProgress(ROOT, 500, 500, finished=True))
        await client.wait_for(lambda: client.requests)
        await settled(client)
        assert not client.notifications
        tell(IndexProgress(ROOT, 0, 500))
        await client.notification("$/progress")


@run
async def test_indexing_can_be_cancelled_from_the_editor():
    async with session(capabilities=PROGRESS) as client:
        tell = client.backend.listeners[1]
        tell(IndexProgress(ROOT, 1, 1000))
        token = (await client.notification("$/progress"))["token"]
        client.notify("window/workDoneProgress/cancel", {"token": "unknown"})
        client.notify("window/workDoneProgress/cancel", {"token": token})
        tell(IndexProgress(ROOT, 5, 1000))
        await settled(client)
        tell(IndexProgress(ROOT, 6, 1000))
        await settled(client)
        assert [value["kind"] for value in client.progress(token)][-1] == "end"
        assert [value["kind"] for value in client.progress(token)].count("end") == 1
        [[_, params]] = client.backend.told("index")
        assert (params.action, params.root) == ("cancel", "file:///project")


@run
async def test_progress_ends_with_the_session():
    async with session(capabilities=PROGRESS) as client:
        client.backend.listeners[1](IndexProgress(ROOT, 1, 1000))
        token = (await client.notification("$/progress"))["token"]
        await client.shutdown()
        assert [value["kind"] for value in client.progress(token)][-1] == "end"


@run
async def test_a_client_without_progress_or_that_refuses_it_sees_none():
    async with session() as client:
        client.backend.listeners[1](IndexProgress(ROOT, 1, 1000))
        await settled(client)
        assert not client.requests
    async with connected() as client:
        client.answers["window/workDoneProgress/create"] = ValueError("no")
        await client.initialize(ROOT, capabilities=PROGRESS)
        for done in range(5):
            client.backend.listeners[1](IndexProgress(ROOT, done, 1000))
            await settled(client)
        assert len(client.requests) == 1
        assert not client.notifications


@run
async def test_a_question_shows_its_work():
    async with session() as client:
        await client.request("memcache/ask", {"question": "x", "workDoneToken": "w"})
        values = client.progress("w")
        assert [value["kind"] for value in values] == ["begin", "report", "end"]
        assert values[1]["percentage"] == 50
        backend = client.backend
        backend.hold = True
        key, future = client.start("memcache/ask", {"question": "x", "workDoneToken": "v"})
        await backend.held.wait()
        client.notify("$/cancelRequest", {"id": key})
        await client.notification(
            "$/progress", lambda params: params["token"] == "v" and params["value"]["kind"] == "end"
        )
        await asyncio.gather(future, return_exceptions=True)


@run
async def test_status_changes_go_to_our_own_clients_only():
    change = DidChangeStatusParams(health="warning", quiescent=False, message="x")
    async with session() as client:
        client.backend.listeners[1](change)
        await settled(client)
        assert not client.notifications
    async with session(capabilities=OURS) as client:
        client.backend.listeners[1](change)
        params = await client.notification("memcache/didChangeStatus")
        assert params == {"health": "warning", "quiescent": False, "message": "x"}


@run
async def test_news_after_the_end_is_no_harm():
    backend = FakeBackend()
    async with session(backend, capabilities=PROGRESS) as client:
        await client.shutdown()
        await client.served
        backend.listeners[1](IndexProgress(ROOT, 1, 10))
        backend.listeners[1](DidChangeStatusParams(health="ok", quiescent=True))


def test_what_is_prepared_is_not_made_again():
    prepare()
    made = converter()
    prepare()
    assert converter() is made


@run
async def test_trace():
    async with session() as client:
        await settled(client)
        assert not client.notifications
        client.notify("$/setTrace", {"value": "messages"})
        await settled(client)
        line = await client.notification("$/logTrace")
        assert line["message"].startswith("memcache/status done in ")
        client.notify("$/setTrace", {"value": "off"})
        client.notify("$/setTrace", {"value": "loud"})
        await settled(client)
        assert len(client.notifications) == 1


@pytest.mark.parametrize(("told", "begins"), [({"indexOnStart": False}, False), ({"answerTokens": 99}, True)])
@run
async def test_an_editor_that_has_settings_tells_whether_it_is_indexed(told, begins):
    async with connected() as client:
        client.answers["workspace/configuration"] = [told]
        await client.initialize(ROOT, capabilities=CONFIGURATION)
        (opened,) = client.backend.told("open_session")
        assert not opened[0].settings.index_on_start
        await client.wait_for(lambda: client.requests)
        await settled(client)
        assert [each.index_on_start for _, each in client.backend.told("settings_changed")] == [begins]


@pytest.mark.parametrize("answer", [NEVER, ValueError("no")])
@run
async def test_an_editor_that_keeps_its_settings_to_itself_is_indexed_all_the_same(answer, monkeypatch):
    monkeypatch.setattr(editor_session, "FIRST_SETTINGS_S", 0.01)
    async with connected() as client:
        client.answers["workspace/configuration"] = answer
        await client.initialize(ROOT, capabilities=CONFIGURATION)
        async with asyncio.timeout(20):
            while not client.backend.told("settings_changed"):
                await asyncio.sleep(0.001)
        assert client.backend.told("settings_changed") == [[1, SessionSettings()]]


@run
async def test_saves_show_no_bar_and_what_lasts_shows_one(monkeypatch):
    async with session(capabilities=PROGRESS) as client:
        tell = client.backend.listeners[1]
        for _ in range(4):
            tell(IndexProgress(ROOT, 0, 0))
            tell(IndexProgress(ROOT, 0, 1))
            tell(IndexProgress(ROOT, 1, 1, finished=True))
            await settled(client)
        assert not client.requests
        monkeypatch.setattr(indexing, "LASTS_S", 0.01)
        tell(IndexProgress(ROOT, 0, 0))
        await client.notification("$/progress")
        tell(IndexProgress(ROOT, 1, 1, finished=True))
        await client.notification("$/progress", lambda params: params["value"]["kind"] == "end")
        assert len(client.requests) == 1


@run
async def test_a_setting_of_the_editors_own_client_is_no_message_to_the_user():
    async with session(options={"memcache": {"trace.server": "off"}}) as client:
        logged = await client.notification("window/logMessage")
        assert "memcache.trace.server" in logged["message"]
        await settled(client)
        assert [method for method, _ in client.notifications] == ["window/logMessage"]


@run
async def test_of_very_many_folders_the_first_are_served_and_this_is_said():
    folders = [{"uri": f"file:///r{number}", "name": str(number)} for number in range(100)]
    async with session() as client:
        change = {"event": {"added": folders, "removed": [{"uri": ROOT.as_uri(), "name": ""}]}}
        client.notify("workspace/didChangeWorkspaceFolders", change)
        shown = await client.notification("window/showMessage")
        assert shown["message"] == (
            "memcache-lsp: Only the first 64 workspace folders are indexed: open fewer, or one that they lie in."
        )
        await settled(client)
        assert client.backend.told("set_roots") == [[1, tuple(Path(f"/r{number}") for number in range(64))]]
        client.notify("workspace/didChangeWorkspaceFolders", {"event": {"added": [], "removed": folders[:90]}})
        await settled(client)
        assert client.backend.told("set_roots")[-1] == [1, tuple(Path(f"/r{number}") for number in range(90, 100))]
