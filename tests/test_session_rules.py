"""The rules of JSON-RPC on a connection: whatever comes, every request is answered exactly once."""

import json
import logging

import pytest
from lsp import NEVER, ServerError, frame, run
from session_backend import FakeBackend, connected, session

from memcache_lsp.errors import UserError
from memcache_lsp.protocol.methods import METHODS
from memcache_lsp.session import connection, framing

STATUS = {"jsonrpc": "2.0", "method": "memcache/status"}


async def replies(client, count):
    await client.wait_for(lambda: len(client.replies) >= count)
    return client.replies


async def code_of(future):
    with pytest.raises(ServerError) as error:
        await future
    return error.value.code


@run
async def test_nothing_is_served_before_initialize():
    async with connected() as client:
        assert await code_of(client.request("memcache/status")) == -32002
        assert await code_of(client.request("nothing/such")) == -32002
        assert await code_of(client.request("shutdown")) == -32002
        client.notify("textDocument/didOpen", {})
        client.notify("initialized", {})
        assert await code_of(client.request("initialize", {})) == -32602
        assert await code_of(client.request("initialize", [])) == -32602
        assert await code_of(client.request("initialize", {"capabilities": 5})) == -32602
        await client.initialize()
        assert await code_of(client.request("initialize", {"capabilities": {}})) == -32600
        assert (await client.request("memcache/status"))["health"] == "ok"
        assert not client.backend.told("buffer_changed")


@run
async def test_nothing_is_served_after_shutdown():
    async with session() as client:
        assert await client.request("shutdown") is None
        assert await code_of(client.request("memcache/status")) == -32600
        assert await code_of(client.request("nothing/such")) == -32600
        assert await code_of(client.request("shutdown")) == -32600
        client.notify("exit")
        await client.ended()
        assert await client.served == 0


@run
async def test_exit_without_shutdown_is_no_success():
    async with session() as client:
        client.notify("exit")
        await client.ended()
        assert await client.served == 1


@run
async def test_exit_before_initialize():
    async with connected() as client:
        client.notify("exit")
        await client.ended()
        assert await client.served == 1
        assert not client.backend.calls


@run
async def test_unknown_methods():
    async with session() as client:
        for method in (
            "nothing/such",
            "",
            "$/unknown",
            "textDocument/didOpen",
            "memcache/didChangeStatus",
            "exit",
            "\0é",
        ):
            assert await code_of(client.request(method, {})) == -32601
        for method in ("nothing/such", "", "$/unknown", "memcache/status", "textDocument/codeAction", "shutdown"):
            client.notify(method, {})
        assert (await client.request("memcache/status"))["health"] == "ok"
        assert len(client.backend.told("status")) == 1


REQUESTS = [
    *(method.name for method in METHODS if method.result),
    "workspace/symbol",
    "workspace/executeCommand",
    "textDocument/codeAction",
]
NOTIFICATIONS = [
    "textDocument/didOpen",
    "textDocument/didChange",
    "textDocument/didClose",
    "textDocument/didSave",
    "workspace/didChangeWatchedFiles",
    "workspace/didChangeWorkspaceFolders",
    "workspace/didChangeConfiguration",
    "window/workDoneProgress/cancel",
    "$/setTrace",
    "$/cancelRequest",
]
MALFORMED = [[5], ["x", {}], {"query": 5, "question": [], "action": {}, "command": 7, "textDocument": 1, "hit": ""}]


@pytest.mark.parametrize("method", REQUESTS)
@run
async def test_malformed_params_are_invalid_params_with_one_sentence(method):
    async with session() as client:
        everything = {"textDocument": {"uri": 5}, "range": {"start": {"line": "x"}}, "query": {}, "action": "?"}
        for params in [*MALFORMED, everything]:
            if method == "memcache/status" and isinstance(params, dict):
                continue  # it has none that could be wrong
            with pytest.raises(ServerError) as error:
                await client.request(method, params)
            assert error.value.code == -32602
            assert error.value.message.endswith(".")
            assert "\n" not in error.value.message
        for params in (5, "x", True):
            assert await code_of(client.request(method, params)) == -32602


@pytest.mark.parametrize("method", NOTIFICATIONS)
@run
async def test_malformed_notifications_are_ignored(method):
    async with session() as client:
        for params in [*MALFORMED, None, 5, "x", {"id": {}}, {"id": None}, {"token": []}, {"value": 5}, {"event": 1}]:
            client.notify(method, params)
        assert (await client.request("memcache/status"))["health"] == "ok"


@run
async def test_an_error_of_the_backend_is_shown_as_it_is():
    async with session() as client:
        client.backend.error = UserError("Do this.")
        with pytest.raises(ServerError) as error:
            await client.request("memcache/search", {"query": "x"})
        assert (error.value.code, error.value.message) == (-32803, "Do this.")


@run
async def test_a_bug_is_told_without_what_the_user_typed(caplog):
    async with session() as client:
        client.backend.error = ValueError("the secret question")
        with pytest.raises(ServerError) as error:
            await client.request("memcache/search", {"query": "the secret question"})
        assert error.value.code == -32603
        assert "secret" not in error.value.message + caplog.text
        assert "ValueError" in caplog.text
        client.backend.error = None
        client.backend.hits = (object(),)  # no JSON
        assert await code_of(client.request("memcache/search", {"query": "x"})) == -32603


@run
async def test_the_log_has_ids_and_durations_and_no_text(caplog):
    caplog.set_level(logging.DEBUG)
    async with session() as client:
        client.notify("textDocument/didOpen", {"textDocument": _document("file:///project/a.py", "SECRET text")})
        await client.request("memcache/ask", {"question": "SECRET", "partialResultToken": 1})
    assert "SECRET" not in caplog.text
    assert "It retries" not in caplog.text
    assert any("memcache/ask done in" in record.getMessage() for record in caplog.records)


def _document(uri, text):
    return {"uri": uri, "languageId": "python", "version": 1, "text": text}


@run
async def test_odd_ids():
    async with session() as client:
        client.replies.clear()
        for key in (1.5, -7, "x", "", 2**60, "1", 1.0):
            client.send({**STATUS, "id": key})
        for key in (None, True, {}, [1]):
            client.send({**STATUS, "id": key})
        client.send_bytes(frame(b'{"jsonrpc":"2.0","id":1e999,"method":"memcache/status"}'))
        found = await replies(client, 12)
        assert [reply["id"] for reply in found if "result" in reply] == [1.5, -7, "x", "", 2**60, "1", 1.0]
        errors = [(reply["id"], reply["error"]["code"]) for reply in found if "error" in reply]
        assert errors == [(None, -32600)] * 5


@run
async def test_an_id_that_is_in_flight_cannot_be_used_again():
    backend = FakeBackend()
    backend.hold = True
    async with session(backend) as client:
        client.replies.clear()
        for key in (5, 5.0, "5"):
            client.send({"jsonrpc": "2.0", "id": key, "method": "memcache/search", "params": {"query": "x"}})
        client.send({**STATUS, "id": 5})
        found = await replies(client, 2)
        assert [(reply["id"], reply["error"]["code"]) for reply in found] == [(5.0, -32600), (5, -32600)]
        client.notify("$/cancelRequest", {"id": 5})
        client.notify("$/cancelRequest", {"id": "5"})
        found = (await replies(client, 4))[2:]
        assert [(reply["id"], reply["error"]["code"]) for reply in found] == [(5, -32800), ("5", -32800)]
        client.send({**STATUS, "id": 5})  # it was answered, and may be used again
        assert "result" in (await replies(client, 5))[4]


@run
async def test_cancels_of_unknown_and_finished_ids_are_ignored():
    async with session() as client:
        key, future = client.start("memcache/status")
        await future
        count = len(client.replies)
        for cancelled in (key, 99, "99", None, {}, [], 1.5, True):
            client.notify("$/cancelRequest", {"id": cancelled})
        client.notify("$/cancelRequest", {})
        client.notify("$/cancelRequest")
        await client.request("memcache/status")
        assert len(client.replies) == count + 1


@run
async def test_a_cancel_that_comes_with_its_request():
    async with session() as client:
        client.replies.clear()
        request = {"jsonrpc": "2.0", "id": 1, "method": "memcache/search", "params": {"query": "x"}}
        cancel = {"jsonrpc": "2.0", "method": "$/cancelRequest", "params": {"id": 1}}
        client.send_bytes(
            b"".join(frame(json.dumps(each).encode()) for each in (request, cancel, cancel, {**STATUS, "id": 2}))
        )
        assert [(reply["id"], "error" in reply) for reply in await replies(client, 2)] == [(1, True), (2, False)]


@run
async def test_what_cannot_be_parsed_is_answered_once_without_an_id():
    async with session() as client:
        client.replies.clear()
        bad = [
            b"",
            b"{",
            b"\xff",
            b"[]",
            b"[" * 100_000,
            b'[{"jsonrpc":"2.0","id":1,"method":"memcache/status"}]',
            b"1",
        ]
        for body in bad:
            client.send_bytes(frame(body))
        client.send_bytes(frame(json.dumps({**STATUS, "id": 1}).encode(), b"Content-Type: a/b; charset=latin1"))
        client.send({**STATUS, "id": "last"})
        found = await replies(client, len(bad) + 2)
        assert [reply["id"] for reply in found] == [None] * (len(bad) + 1) + ["last"]


@run
async def test_nested_jsonrpc_keys_do_no_harm():
    async with session() as client:
        params = {
            "query": "x",
            "jsonrpc": "2.0",
            "id": 3,
            "scope": {"jsonrpc": "1.0", "globs": ["a"]},
            "class": {"a-b": 1},
        }
        assert (await client.request("memcache/search", params))["complete"] is True


@run
async def test_odd_headers():
    async with session() as client:
        client.replies.clear()
        body = json.dumps({**STATUS, "id": 1}).encode()
        client.send_bytes(b"content-length: %d\r\n\r\n%b" % (len(body), body))
        client.send_bytes(frame(body, b"Content-Length: %d" % len(body), b"Content-Type: a/b; charset=utf8"))
        assert [reply["id"] for reply in await replies(client, 2)] == [1, 1]


@pytest.mark.parametrize("header", [b"Content-Length: x", b"Content-Length: -1", b"Other: 1", b"garbage"])
@run
async def test_a_lost_boundary_ends_the_session_cleanly(header):
    async with session() as client:
        client.replies.clear()
        client.send_bytes(header + b"\r\n\r\n" + frame(json.dumps({**STATUS, "id": 1}).encode()))
        await client.ended()
        assert await client.served == 1
        assert [(reply["id"], reply["error"]["code"]) for reply in client.replies] == [(None, -32700)]
        assert client.backend.told("close_session") == [[1]]


@run
async def test_a_frame_that_is_too_large_is_skipped(monkeypatch):
    monkeypatch.setattr(framing, "MAX_FRAME_BYTES", 100_000)
    async with session() as client:
        client.replies.clear()
        client.send_bytes(frame(b"x" * 1_000_000))
        client.send({**STATUS, "id": 2})
        found = await replies(client, 2)
        assert [(reply["id"], "error" in reply) for reply in found] == [(None, True), (2, False)]


@run
async def test_responses_nobody_asked_for_are_ignored():
    async with session() as client:
        client.replies.clear()
        for key in (1, 99, "x", None, [], {}, 1.5):
            client.send({"jsonrpc": "2.0", "id": key, "result": None})
            client.send({"jsonrpc": "2.0", "id": key, "error": {"code": 1, "message": "x"}})
        await client.request("memcache/status")
        assert len(client.replies) == 1


@run
async def test_too_many_requests_at_once_are_refused(monkeypatch):
    monkeypatch.setattr(connection, "MAX_FLYING", 5)
    backend = FakeBackend()
    backend.hold = True
    async with session(backend) as client:
        started = [client.start("memcache/search", {"query": "x"}) for _ in range(8)]
        for _, future in started[5:]:
            assert await code_of(future) == -32803
        client.notify("$/cancelRequest", {"id": started[0][0]})
        assert await code_of(started[0][1]) == -32800
        assert (await client.request("memcache/status"))["health"] == "ok"


@run
async def test_shutdown_cancels_what_is_in_flight():
    backend = FakeBackend()
    backend.hold = True
    async with session(backend) as client:
        _, future = client.start("memcache/ask", {"question": "x"})
        await backend.held.wait()
        await client.request("shutdown")
        assert await code_of(future) == -32800
        await backend.stopped.wait()


@run
async def test_a_disconnect_halfway_cancels_the_work_and_closes_the_session():
    backend = FakeBackend()
    backend.hold = True
    async with session(backend) as client:
        client.start("memcache/ask", {"question": "x"})
        await backend.held.wait()
        client.send_bytes(b"Content-Length: 500\r\n\r\n{")
        client.writer.transport.abort()
        assert await client.served == 1
        assert backend.stopped.is_set()
        assert backend.told("close_session") == [[1]]


@run
async def test_the_end_of_input_is_an_end_for_what_is_in_flight():
    backend = FakeBackend()
    backend.hold = True
    async with session(backend) as client:
        _, future = client.start("memcache/search", {"query": "x"})
        await backend.held.wait()
        client.writer.write_eof()
        assert await code_of(future) == -32800
        await client.ended()


@run
async def test_a_client_that_stops_reading_loses_its_session_and_disturbs_no_other(monkeypatch):
    monkeypatch.setattr(connection, "HARD_BYTES", 2_000_000)
    backend = FakeBackend()
    big = "x" * 100_000
    backend.hits = (type(backend.hits[0])(**{**_fields(backend.hits[0]), "snippet": big}),)
    async with session(backend) as deaf, session(FakeBackend()) as other:
        deaf._task.cancel()
        held = []
        while not deaf.served.done():
            deaf.start("memcache/search", {"query": "x"})
            held.append(deaf.writer.transport.get_write_buffer_size())
            assert (await other.request("memcache/status"))["health"] == "ok"
            assert len(held) < 1000
        assert await deaf.served == 1
        assert backend.told("close_session") == [[1]]


def _fields(value):
    return {name: getattr(value, name) for name in value.__slots__}


@run
async def test_what_may_get_lost_is_dropped_while_the_client_does_not_read(monkeypatch):
    sent = []

    class Transport:
        def get_write_buffer_size(self):
            return connection.SOFT_BYTES + 1

        def is_closing(self):
            return False

    class Writer:
        transport = Transport()

        def write(self, data):
            sent.append(data)

    target = connection.Connection(None, Writer(), name="x")
    target.notify("$/progress", {}, droppable=True)
    assert sent == []
    target.notify("$/progress", {})
    assert len(sent) == 1


@run
async def test_a_client_that_never_answers_costs_a_bounded_number_of_questions(monkeypatch):
    monkeypatch.setattr(connection, "MAX_ASKED", 3)
    abilities = {"workspace": {"configuration": True}}
    async with connected() as client:
        client.answers["workspace/configuration"] = NEVER
        await client.initialize(capabilities=abilities)
        for _ in range(10):
            client.notify("workspace/didChangeConfiguration", {"settings": None})
        await client.request("memcache/status")
        assert len(client.requests) == 3


@run
async def test_two_sessions_know_nothing_of_each_other():
    async with session() as one, session() as two:
        two.backend.hold = True
        key, held = two.start("memcache/search", {"query": "x"})
        await two.backend.held.wait()
        one.notify("$/cancelRequest", {"id": key})
        await one.shutdown()
        two.backend.hold = False
        assert (await two.request("memcache/status"))["health"] == "ok"
        assert not held.done()


@run
async def test_a_session_that_cannot_be_opened_says_why_and_may_be_tried_again():
    backend = FakeBackend()
    async with connected(backend) as client:
        backend.error = UserError("Not now.")
        assert await code_of(client.initialize()) == -32803
        assert backend.told("close_session") == [[1]]
        backend.error = None
        await client.initialize()
        assert (await client.request("memcache/status"))["health"] == "ok"


@run
async def test_the_answer_is_whole_before_the_connection_ends():
    async with connected() as client:
        big = json.dumps({**STATUS, "id": "x" * 1_000_000}).encode()
        client.start("initialize", {"capabilities": {}})
        client.send_bytes(frame(big))
        shutdown = client.start("shutdown", key="bye")[1]
        client.notify("exit")
        assert await client.served in {0, 1}
        await client.ended()
        assert {len(str(reply["id"])) for reply in client.replies} >= {1_000_000, 3}
        assert shutdown.done()
