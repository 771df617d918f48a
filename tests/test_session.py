"""One editor connection: the way of a question and a search, cancel, and what clients of each kind get."""

import pytest
from lsp import ServerError, run
from session_backend import EVENTS, ROOT, FakeBackend, session

from memcache_lsp.protocol.codec import to_json


@run
async def test_search():
    async with session() as client:
        found = await client.request("memcache/search", {"query": "retry", "limit": 1})
        assert found == {"hits": [to_json(client.backend.hits[0])], "complete": True}
        [[session_id, params]] = client.backend.told("search")
        assert (session_id, params.query, params.limit) == (1, "retry", 1)


@run
async def test_ask_streams_what_was_asked_for_and_answers_the_rest():
    async with session() as client:
        result = await client.request("memcache/ask", {"question": "how?", "partialResultToken": "p"})
        assert [value["type"] for value in client.progress("p")] == [event.type for event in EVENTS[:-1]]
        assert client.progress("p")[0] == to_json(EVENTS[0])
        assert result["threadId"] == "t1"
        assert "answer" not in result
        assert "citations" not in result


@run
async def test_ask_without_a_token_answers_everything():
    async with session() as client:
        result = await client.request("memcache/ask", {"question": "how?"})
        assert result == to_json(EVENTS[-1])
        assert not client.notifications


@run
async def test_cancel_is_answered_at_once_and_stops_the_question():
    backend = FakeBackend()
    backend.hold = True
    async with session(backend) as client:
        key, future = client.start("memcache/ask", {"question": "how?", "partialResultToken": 7})
        await backend.held.wait()
        client.notify("$/cancelRequest", {"id": key})
        with pytest.raises(ServerError) as error:
            await future
        assert error.value.code == -32800
        await backend.stopped.wait()
        await client.request("memcache/status")
        assert [reply["id"] for reply in client.replies].count(key) == 1


@run
async def test_the_backend_is_opened_and_closed_once():
    async with session() as client:
        await client.shutdown()
        assert await client.served == 0
    [[info]] = client.backend.told("open_session")
    assert (info.id, info.client, info.roots) == (1, "tests", (ROOT,))
    assert client.backend.told("close_session") == [[1]]
