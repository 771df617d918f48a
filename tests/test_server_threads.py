"""Threads as editors have them, in both modes: kept, shared, gone on from, flagged, asked again, replayed."""

import asyncio
from pathlib import Path

import pytest
from lsp import ServerError, run
from test_server import QUESTION, command, configure, daemon, editor, settled  # noqa: F401 - fixtures

pytestmark = pytest.mark.usefixtures("short_home")


async def ask(client, question, **more):
    return await client.request("memcache/ask", {"question": question, **more})


async def threads(client, action, **more):
    return await client.request("memcache/threads", {"action": action, **more})


def line_of(cited):
    path = Path(cited["location"]["uri"].removeprefix("file://"))
    return path, cited["location"]["range"]["start"]["line"]


def test_another_editor_goes_on_with_a_thread_in_the_next_life(command, example):  # noqa: F811
    @run
    async def talk():
        async with editor(command, example) as client:
            await settled(client)
            first = await ask(client, QUESTION)
        async with editor(command, example) as client:
            await settled(client)
            listed = (await threads(client, "list"))["threads"]
            assert [thread["threadId"] for thread in listed] == [first["threadId"]]
            client.start(
                "memcache/ask",
                {"question": "and where is it called?", "threadId": first["threadId"], "partialResultToken": "p"},
            )
            sources = await client.notification("$/progress", lambda params: params["value"].get("type") == "sources")
            assert sources["value"]["first"] > 1  # the numbers go on
            assert any("dispatcher" in item["path"] for item in sources["value"]["items"])
            with pytest.raises(ServerError, match="no thread"):
                await ask(client, QUESTION, threadId="t0123456789")

    talk()


def test_threads_are_listed_by_project(command, example, tmp_path):  # noqa: F811
    other = tmp_path / "other"
    other.mkdir()
    (other / "a.py").write_text("def parcel_that_fails():\n    return 'often'\n")

    @run
    async def talk():
        async with editor(command, example) as client:
            await settled(client)
            first = await ask(client, QUESTION)
        async with editor(command, other) as client:
            await settled(client)
            second = await ask(client, "parcel_that_fails")
            names = {thread["threadId"] for thread in (await threads(client, "list"))["threads"]}
            assert names == {second["threadId"]}
            everything = (await threads(client, "list", allRoots=True))["threads"]
            assert {thread["threadId"] for thread in everything} == {first["threadId"], second["threadId"]}
            await client.request("memcache/index", {"action": "drop"})
            assert (await threads(client, "list"))["threads"] == []
            assert len((await threads(client, "list", allRoots=True))["threads"]) == 1

    talk()


def test_what_was_not_kept_is_gone_on_with_in_a_new_thread(command, example):  # noqa: F811
    @run
    async def talk():
        async with editor(command, example) as client:
            await settled(client)
            answered = await ask(client, QUESTION, threadId="")  # as it was told
            assert [thread["threadId"] for thread in (await threads(client, "list"))["threads"]] == [
                answered["threadId"]
            ]

    talk()


def test_an_edit_of_a_cited_line_is_told_and_shown_on_disk_and_in_a_buffer(command, example):  # noqa: F811
    @run
    async def talk():
        async with editor(command, example) as client:
            await settled(client)
            first = await ask(client, QUESTION)
            of_first = lambda params: params["turnId"] == first["turnId"]  # noqa: E731
            path, line = line_of(first["citations"][0])
            text = path.read_text()
            lines = text.splitlines(keepends=True)
            changed = "".join([*lines[:line], "# something else\n", *lines[line + 1 :]])
            path.write_text(changed)
            told = await client.notification("memcache/didChangeThread", of_first)
            assert told["stale"][0]["status"] == "stale"
            got = (await threads(client, "get", threadId=first["threadId"]))["threads"][0]
            assert got["stale"]
            assert got["turns"][0]["stale"]
            assert got["turns"][0]["citations"][0]["status"] == "stale"
            assert (await threads(client, "list"))["threads"][0]["stale"]
            path.write_text(text)
            await client.notification(
                "memcache/didChangeThread", lambda params: of_first(params) and not params["stale"]
            )
            assert not (await threads(client, "list"))["threads"][0]["stale"]
            client.notifications.clear()
            document = {"uri": path.as_uri(), "languageId": "python", "version": 1, "text": "import os\n" + text}
            client.notify("textDocument/didOpen", {"textDocument": document})
            told = await client.notification("memcache/didChangeThread", of_first)
            assert {cited["status"] for cited in told["stale"]} == {"moved"}
            assert told["stale"][0]["location"]["range"]["start"]["line"] == line + 1
            assert not (await threads(client, "list"))["threads"][0]["stale"]

    talk()


def test_what_changed_while_nobody_was_there_is_told_at_the_beginning(command, example):  # noqa: F811
    @run
    async def talk():
        async with editor(command, example) as client:
            await settled(client)
            first = await ask(client, QUESTION)
        path, _ = line_of(first["citations"][0])
        path.write_text("nothing of it is left\n")
        async with editor(command, example) as client:
            told = await client.notification("memcache/didChangeThread")
            assert (told["threadId"], told["turnId"]) == (first["threadId"], first["turnId"])

    talk()


def test_a_stale_answer_is_asked_again_and_streams(command, example):  # noqa: F811
    @run
    async def talk():
        async with editor(command, example) as client:
            await settled(client)
            first = await ask(client, QUESTION)
            path, line = line_of(first["citations"][0])
            lines = path.read_text().splitlines(keepends=True)
            path.write_text("".join([*lines[:line], "# something else\n", *lines[line + 1 :]]))
            await client.notification("memcache/didChangeThread")
            this = {"threadId": first["threadId"], "turnId": first["turnId"], "partialResultToken": "p"}
            again = await threads(client, "askAgain", **this)
            kinds = [value["type"] for value in client.progress("p")]
            assert kinds[0] == "sources"
            assert "delta" in kinds
            assert "answer" not in again["asked"]
            turns = again["threads"][0]["turns"]
            assert [turn["turnId"] for turn in turns] == [first["turnId"], again["asked"]["turnId"]]
            assert turns[1]["predecessor"] == first["turnId"]
            assert not again["threads"][0]["stale"]

    talk()


def test_the_same_question_comes_again_at_once_and_is_replayed_to_the_byte(daemon, example, smollm2, short_home):  # noqa: F811
    configure(short_home, smollm2)

    @run
    async def talk():
        options = {"options": {"memcache": {"answerTokens": 24}}}
        async with editor(daemon, example, **options) as client:
            await settled(client)
            first = await ask(client, QUESTION)
            assert not first["cached"]
            again = await ask(client, QUESTION)
            assert again["cached"]
            assert again["answer"] == first["answer"]
            assert again["citations"] == first["citations"]
            assert again["turnId"] == first["turnId"]
            further = await ask(client, "and where is it called?", threadId=first["threadId"])
            assert further["usage"]["reusedTokens"] >= first["usage"]["promptTokens"]
            await asyncio.gather(*(ask(client, QUESTION, threadId=first["threadId"]) for _ in range(2)))
            shown = (await threads(client, "get", threadId=first["threadId"]))["threads"][0]["turns"]
            assert len({turn["turnId"] for turn in shown}) == 4
            assert shown[1]["record"]["threads"] >= 1
            assert (
                "1x" in shown[1]["record"]["batches"]
            )  # batches of the first question, tokens of its answer, the rest
            for turn in shown[:2]:
                this = {"threadId": first["threadId"], "turnId": turn["turnId"]}
                replayed = (await threads(client, "replay", **this))["replayed"]
                assert replayed["identical"], replayed["answer"]

    talk()


def test_what_is_asked_is_not_kept_where_an_editor_says_so(command, example, short_home):  # noqa: F811
    @run
    async def talk():
        async with editor(command, example, options={"memcache": {"keepThreads": False}}) as client:
            await settled(client)
            answer = await ask(client, "what happens to a xylophone parcel that fails too often?")
            assert answer["finishReason"] == "extract"
            assert answer["threadId"] == ""
            assert (await threads(client, "list"))["threads"] == []

    talk()
    assert all(b"xylophone" not in path.read_bytes() for path in short_home.rglob("data/threads/*"))
