"""Named caches, end to end in both modes: found alone and with the project, kept up, offline, forgotten."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from lsp import ServerError, run
from test_server import MODES, configure, editor, settled
from told import sentences

from memcache_lsp import paths
from memcache_lsp.caches import Registry

NAMED = "check_signature"
pytestmark = pytest.mark.usefixtures("short_home")


@pytest.fixture(params=MODES)
def command(request):
    return (sys.executable, "-m", "memcache_lsp", *MODES[request.param])


@pytest.fixture
def disk(tmp_path):
    """Return a folder with documents beside the project."""
    folder = tmp_path / "disk"
    for name, text in {
        "papers/walrus.md": "# The walrus\n\nThe walrus dives for molluscs.\n",
        "papers/okapi.md": "# The okapi\n\nThe okapi browses leaves at dusk.\n",
        "loose/zebu.md": "# The zebu\n\nA zebu has a hump.\n",
        "loose/secret.md": "# The quokka\n\nNobody named this file.\n",
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


async def add(client, name, *given, **more):
    uris = [path.as_uri() for path in given]
    result = await client.request("memcache/caches", {"action": "add", "name": name, "uris": uris, **more})
    return next(cache for cache in result["caches"] if cache["name"] == name)


async def listed(client):
    return {cache["name"]: cache for cache in (await client.request("memcache/caches", {"action": "list"}))["caches"]}


async def until_state(client, name, *states):
    async with asyncio.timeout(60):
        while (cache := (await listed(client))[name])["state"] not in states:
            await asyncio.sleep(0.05)
    return cache


async def search(client, query, *names, **more):
    scope = {"caches": list(names), **more}
    return await client.request("memcache/search", {"query": query, "limit": 10, "scope": scope})


async def until_found(client, query, wanted, *names):
    """Wait until a search finds these files by their names, and no other ones."""
    async with asyncio.timeout(60):
        while {Path(hit["path"]).name for hit in (await search(client, query, *names))["hits"]} != wanted:
            await asyncio.sleep(0.05)


def paths_of(result):
    return [hit["path"] for hit in result["hits"]]


def test_a_cache_is_searched_alone_or_with_the_project_and_forgotten_wholly(command, example, disk):
    @run
    async def talk():
        async with editor(command, example) as client:
            await settled(client)
            made = await add(client, "papers", disk / "papers", disk / "loose" / "zebu.md")
            assert [place["kind"] for place in made["places"]] == ["file", "folder"]
            ready = await until_state(client, "papers", "ready")
            assert (ready["files"]["done"], ready["chunks"], ready["failed"]) == (3, 3, [])
            alone = await search(client, "walrus retry", "papers")
            assert paths_of(alone)[0] == "walrus.md"
            assert {(hit["origin"], hit["cache"]) for hit in alone["hits"]} == {("cache", "papers")}
            both = await search(client, "walrus retry", "papers", "workspace")
            assert {hit.get("cache") for hit in both["hits"]} == {None, "papers"}
            assert both["hits"] == sorted(both["hits"], key=lambda hit: -hit["score"])
            project = await client.request("memcache/search", {"query": "walrus", "limit": 10})
            assert not any("cache" in hit for hit in project["hits"])
            named = await search(client, "walrus", "papers", roots=[example.as_uri()])
            assert {hit.get("cache") for hit in named["hits"]} == {None, "papers"}
            filtered = await search(client, "walrus retry", "papers", "workspace", globs=["zebu.*"])
            assert paths_of(filtered) == ["zebu.md"]
            answer = await client.request(
                "memcache/ask", {"question": "What does the walrus dive for?", "scope": {"caches": ["papers"]}}
            )
            assert "molluscs" in answer["answer"]
            assert answer["citations"][0]["location"]["uri"] == (disk / "papers" / "walrus.md").as_uri()
            why = {"textDocument": {"uri": (disk / "papers" / "walrus.md").as_uri()}}
            assert (await client.request("memcache/explain", why))["indexed"]
            status = await client.request("memcache/status", {})
            assert [cache["name"] for cache in status["caches"]] == ["papers"]
            removed = await client.request("memcache/caches", {"action": "remove", "name": "papers"})
            assert removed == {"caches": []}
            assert not paths.index_dir(disk / "papers").exists()
            assert not paths.index_dir(disk / "loose", "papers").exists()
            threads = await client.request("memcache/threads", {"action": "list", "allRoots": True})
            assert threads["threads"] == []
            with pytest.raises(ServerError, match="There is no cache 'papers'"):
                await search(client, "walrus", "papers")
            assert (await client.request("memcache/search", {"query": "retry", "limit": 1}))["hits"]

    talk()


def test_of_a_single_file_its_folder_is_not_read(command, example, disk):
    @run
    async def talk():
        async with editor(command, example) as client:
            await add(client, "one", disk / "loose" / "zebu.md")
            await until_state(client, "one", "ready")
            assert paths_of(await search(client, "quokka nobody named", "one")) == ["zebu.md"]
            (disk / "loose" / "another.md").write_text("# The quokka again\n")
            (disk / "loose" / "zebu.md").write_text("# The numbat\n\nA numbat eats termites.\n")
            async with asyncio.timeout(60):
                while "numbat" not in (await search(client, "numbat", "one"))["hits"][0]["snippet"]:
                    await asyncio.sleep(0.05)
            assert paths_of(await search(client, "quokka", "one")) == ["zebu.md"]
            why = {"textDocument": {"uri": (disk / "loose" / "secret.md").as_uri()}}
            assert not (await client.request("memcache/explain", why))["indexed"]

    talk()


def test_a_cache_follows_edits_deletions_and_renames_and_unsaved_text(command, example, disk):
    @run
    async def talk():
        async with editor(command, example) as client:
            await add(client, "papers", disk / "papers")
            await until_state(client, "papers", "ready")
            (disk / "papers" / "new.md").write_text("# The dugong\n")
            await until_found(client, "dugong", {"new.md", "walrus.md", "okapi.md"}, "papers")
            (disk / "papers" / "new.md").rename(disk / "papers" / "other.md")
            await until_found(client, "dugong", {"other.md", "walrus.md", "okapi.md"}, "papers")
            (disk / "papers" / "other.md").unlink()
            await until_found(client, "dugong", {"walrus.md", "okapi.md"}, "papers")
            document = {"uri": (disk / "papers" / "walrus.md").as_uri(), "languageId": "markdown", "version": 1}
            text = "# The narwhal\n\nunsaved narwhal\n"
            client.notify("textDocument/didOpen", {"textDocument": {**document, "text": text}})
            best = (await search(client, "narwhal", "papers"))["hits"][0]
            assert ("narwhal" in best["snippet"], best["origin"], best["cache"]) == (True, "buffer", "papers")

    talk()


def test_a_cache_whose_disk_is_gone_is_offline_and_comes_back(command, example, disk):
    @run
    async def talk():
        async with editor(command, example) as client:
            await add(client, "papers", disk / "papers")
            await until_state(client, "papers", "ready")
            (disk / "papers").rename(disk / "gone")
            found = await search(client, "walrus", "papers", "workspace")
            assert "of the cache papers is offline since" in found["notes"][0]
            assert not any(hit.get("cache") for hit in found["hits"])
            cache = await until_state(client, "papers", "offline")
            assert cache["places"][0]["offlineSince"].endswith("Z")
            assert cache["files"]["done"] == 2  # it is not lost
            answer = await client.request("memcache/ask", {"question": "walrus?", "scope": {"caches": ["papers"]}})
            assert answer["finishReason"] == "no_answer"
            assert "offline since" in answer["message"]
            with pytest.raises(ServerError, match="offline since"):
                await client.request("memcache/index", {"action": "start", "cache": "papers"})
            (disk / "gone" / "walrus.md").write_text("# The walrus\n\nIt was edited elsewhere: tusks.\n")
            (disk / "gone").rename(disk / "papers")
            async with asyncio.timeout(60):
                while True:
                    hits = (await search(client, "walrus tusks", "papers"))["hits"]
                    if hits and "tusks" in hits[0]["snippet"]:
                        break
                    await asyncio.sleep(0.05)

    talk()


def test_a_folder_that_is_a_project_too_has_one_index_which_stays(command, example):
    @run
    async def talk():
        async with editor(command, example) as client:
            await settled(client)
            await add(client, "code", example)
            await add(client, "docs", example / "courier")
            await until_state(client, "docs", "ready")
            found = await search(client, "retry delay", "code", "docs", "workspace")
            places = [json.dumps(hit["location"]) for hit in found["hits"]]
            assert len(places) == len(set(places))
            for name in ("code", "docs"):
                await client.request("memcache/caches", {"action": "remove", "name": name})
            assert paths.index_dir(example).exists()
            assert not paths.index_dir(example / "courier").exists()
            assert (await client.request("memcache/search", {"query": "retry", "limit": 1}))["hits"]

    talk()


def test_a_new_file_in_the_reading_folder_is_news_once_it_is_whole(command, example, tmp_path):
    folder = tmp_path / "pages"
    folder.mkdir()
    (folder / "old.md").write_text("# Old page\n")

    @run
    async def talk():
        async with editor(command, example) as client:
            cache = await add(client, "reading", folder, reading=True)
            assert cache["reading"]
            await until_state(client, "reading", "ready")
            part = folder / "capybara.md.part"
            part.write_text("# The capy")
            (folder / "first.md").write_text("# A first page\n")
            await client.notification("memcache/didReadDocument")
            part.write_text("# The capybara\n\nA rodent that swims.\n")
            part.rename(folder / "capybara.md")
            uri = (folder / "capybara.md").as_uri()
            news = await client.notification("memcache/didReadDocument", lambda params: params["uri"] == uri)
            assert news == {"cache": "reading", "uri": uri, "title": "The capybara"}
            assert paths_of(await search(client, "capybara", "reading"))[0] == "capybara.md"
            told = [params["uri"] for name, params in client.notifications if name == "memcache/didReadDocument"]
            assert told == [(folder / "first.md").as_uri(), uri]  # neither what was there before, nor a piece

    talk()


@pytest.mark.parametrize("last", ["the page", "its files"])
def test_of_a_page_that_is_saved_whole_only_the_page_is_news(example, tmp_path, last):
    folder = tmp_path / "pages"
    folder.mkdir()
    text = "<!doctype html><html><body><h1>The tapir</h1>" + "<p>A tapir wades through the river at night.</p>" * 12
    page, script = folder / "Tapir.html", folder / "Tapir_files/menu.js"
    writes = [(script, "function tapirMenu() { return 1 }\n"), (page, text)]

    @run
    async def talk():
        async with editor((sys.executable, "-m", "memcache_lsp", *MODES["daemon"]), example) as client:
            await add(client, "reading", folder, reading=True)
            await until_state(client, "reading", "ready")
            for path, content in writes if last == "the page" else reversed(writes):
                path.parent.mkdir(exist_ok=True)
                path.write_text(content)
                if path == script and last == "the page":  # browsers take seconds to write what is large
                    await until_found(client, "tapirMenu", {"menu.js"}, "reading")
            await until_found(client, "tapir", {"Tapir.html"}, "reading")
            (folder / "then.md").write_text("# Then\n")
            await client.notification("memcache/didReadDocument", lambda params: params["uri"].endswith("then.md"))
            told = [params["title"] for name, params in client.notifications if name == "memcache/didReadDocument"]
            assert told == ["The tapir", "Then"]
            why = await client.request("memcache/explain", {"textDocument": {"uri": script.as_uri()}})
            assert not why["indexed"]
            assert "saved page" in why["reason"]

    talk()


def test_a_cache_that_is_removed_while_it_is_indexed_leaves_nothing(command, example, disk):
    for number in range(300):
        (disk / "papers" / f"n{number}.md").write_text(f"# Number {number}\n\n" + f"text {number} " * 200)

    @run
    async def talk():
        async with editor(command, example) as client:
            await settled(client)
            await add(client, "papers", disk / "papers")
            searches = [
                client.start("memcache/search", {"query": "text", "scope": {"caches": ["papers"]}})[1] for _ in "abc"
            ]
            removed = await client.request("memcache/caches", {"action": "remove", "name": "papers"})
            assert removed == {"caches": []}
            await asyncio.gather(*searches, return_exceptions=True)
            assert not paths.index_dir(disk / "papers").exists()
            assert Registry().read().leaving == ()

    talk()


def test_what_makes_no_sense_is_one_sentence(command, example, disk):
    @run
    async def talk():
        async with editor(command, example) as client:
            for params, why in (
                ({"action": "add", "name": "a/b", "uris": [disk.as_uri()]}, "name of a cache"),
                ({"action": "add", "name": "root", "uris": ["file:///"]}, "everything that you have"),
                (
                    {"action": "add", "name": "web", "uris": ["https://example.org/"]},
                    "no folder or file of this machine",
                ),
                ({"action": "remove", "name": "nothing"}, "There is no cache"),
            ):
                with pytest.raises(ServerError, match=why) as error:
                    await client.request("memcache/caches", params)
                assert error.value.code == -32803

    talk()


def test_a_summary_is_kept_until_its_file_changes_and_goes_with_the_cache(example, disk, smollm2, short_home):
    configure(short_home, smollm2)
    walrus = disk / "papers" / "walrus.md"

    @run
    async def talk():
        options = {"options": {"memcache": {"answerTokens": 16}}}
        async with editor((sys.executable, "-m", "memcache_lsp", "serve"), example, **options) as client:
            await add(client, "papers", disk / "papers")
            summary = {
                "question": "Summarize this file.",
                "intent": "summarize",
                "textDocument": {"uri": walrus.as_uri()},
            }
            first = await client.request("memcache/ask", summary)
            assert (first["cached"], first["finishReason"] in {"stop", "length"}) == (False, True)
            again = await client.request("memcache/ask", summary)
            assert (again["cached"], again["answer"]) == (True, first["answer"])
            (beside,) = (paths.index_dir(disk / "papers") / "summaries-1").iterdir()
            before = beside.read_bytes()
            await client.request("memcache/threads", {"action": "delete", "threadId": first["threadId"]})
            assert not beside.exists()  # who deletes an answer does not want it kept elsewhere
            third = await client.request("memcache/ask", summary)
            assert (third["cached"], third["answer"]) == (False, first["answer"])
            assert third["threadId"] != first["threadId"]
            assert beside.exists()
            walrus.write_text("# The walrus\n\nIt naps on floating ice.\n")
            assert not (await client.request("memcache/ask", summary))["cached"]
            assert list(beside.parent.iterdir()) == [beside]
            assert beside.read_bytes() != before
            await client.request("memcache/caches", {"action": "remove", "name": "papers"})
            threads = await client.request("memcache/threads", {"action": "list", "allRoots": True})
            assert threads["threads"] == []

    talk()


# The command line

CLI_MODES = {"daemon": (), "no-daemon": ("--no-daemon",)}


def cli(folder, *arguments):
    command = [sys.executable, "-m", "memcache_lsp", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)


def lines(done):
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("mode", CLI_MODES.values(), ids=CLI_MODES)
def test_the_command_line_has_caches(mode, example, disk):
    added = lines(
        cli(example, "caches", "add", *mode, "--json", "papers", str(disk / "papers"), "../disk/loose/zebu.md")
    )
    assert (added[-1]["type"], added[-1]["added"]) == ("result", 3)
    (cache,) = lines(cli(example, "caches", "--json"))
    assert (cache["name"], cache["state"], cache["files"]["done"]) == ("papers", "ready", 3)
    assert [place["path"] for place in cache["places"]] == [str(disk / "loose/zebu.md"), str(disk / "papers")]
    alone = lines(cli(example, "search", *mode, "--json", "--cache", "papers", "walrus"))
    assert alone[0]["path"] == str(disk / "papers" / "walrus.md")
    both = lines(cli(example, "search", *mode, "--json", "--cache", "papers", "--cache", "workspace", "walrus retry"))
    assert {os.path.isabs(hit["path"]) for hit in both} == {True, False}
    project = lines(cli(example, "search", *mode, "--json", "walrus retry"))
    assert not any(os.path.isabs(hit["path"]) for hit in project)
    answer = lines(
        cli(example, "ask", *mode, "--json", "--no-model", "--cache", "papers", "what does the walrus dive for?")
    )
    assert answer[-1]["citations"][0]["path"] == str(disk / "papers" / "walrus.md")
    about = ("--about", "../disk/papers/walrus.md")
    summary = lines(cli(example, "ask", *mode, "--json", "--no-model", *about))
    assert summary[-1]["citations"][0]["path"] == str(disk / "papers" / "walrus.md")
    assert [each["name"] for each in lines(cli(example, "status", "--json"))[0]["caches"]] == ["papers"]
    (disk / "papers" / "walrus.md").write_text("# The narwhal\n\nIt has a tusk.\n")
    edited = lines(cli(example, "search", *mode, "--json", "--cache", "papers", "what has a tusk"))
    assert edited[0]["snippet"].startswith("# The narwhal")
    (disk / "papers").rename(disk / "gone")
    partly = cli(example, "search", *mode, "--cache", "papers", "zebu")
    assert (partly.returncode, partly.stderr.count("offline since")) == (0, 1)
    (disk / "gone").rename(disk / "papers")
    assert len(sentences(cli(example, "search", *mode, "--cache", "nothing", "zebu").stderr)) == 1
    assert cli(example, "caches", "remove", "papers").returncode == 0
    assert lines(cli(example, "caches", "--json")) == []
    assert not paths.index_dir(disk / "papers").exists()
    assert not paths.index_dir(disk / "loose", "papers").exists()


def test_the_list_tells_of_files_that_are_not_indexed(example, disk):
    (disk / "papers" / "two\nlines.md").write_text("# The okapi\n")
    assert cli(example, "caches", "add", "--no-daemon", "papers", str(disk / "papers")).returncode == 0
    told = cli(example, "caches").stdout
    assert "; 1 not indexed, why: `memcache-lsp status --root FOLDER`, or of one `memcache-lsp explain FILE`\n" in told
    assert "two\\nlines.md" in cli(example, "status", "--root", str(disk / "papers")).stdout


@pytest.mark.parametrize("mode", CLI_MODES.values(), ids=CLI_MODES)
def test_of_any_file_of_a_cache_it_is_told_why_it_is_not_indexed(mode, example, disk):
    for name in ("papers/core.zip", "loose/core.zip"):
        (disk / name).write_bytes(b"PK")
    named = [str(disk / name) for name in ("loose/zebu.md", "loose/core.zip", "papers")]
    assert cli(example, "caches", "add", *mode, "papers", *named).returncode == 0

    def told(path, cwd=example):
        (line,) = lines(cli(cwd, "explain", *mode, "--json", path))
        return line["path"], line["indexed"], line["reason"]

    why = "It is not indexed: binary: files that end in .zip hold no text."
    for folder in ("papers", "loose"):
        whole = str(disk / folder / "core.zip")
        assert told(f"../disk/{folder}/core.zip") == (whole, False, why)
        assert told("core.zip", cwd=disk / folder)[1:] == (False, why)
    assert told(str(disk / "loose/zebu.md"))[1]
    assert not paths.index_dir(disk / "loose").exists()  # a file of it is no reason to read its folder
    other = cli(example, "explain", *mode, str(disk / "loose/secret.md"))
    assert (other.returncode, other.stderr.count("lies outside")) == (2, 1)

    (disk / "loose/zebu.md").rename(disk / "loose/gnu.md")
    assert cli(example, "search", *mode, "--cache", "papers", "walrus").returncode == 0
    listed = cli(example, "caches").stdout
    assert f"There is no file {disk / 'loose/zebu.md'} any more: add it by its new name, or remove it" in listed
    assert f"{disk / 'loose/core.zip'} is not indexed: binary: files that end in .zip hold no text." in listed


@pytest.mark.parametrize("mode", CLI_MODES.values(), ids=CLI_MODES)
def test_of_a_file_that_the_project_leaves_out_it_is_told_what_a_cache_says(mode, example):
    notes = example / "notes"
    notes.mkdir()
    (notes / "walrus.md").write_text("# The walrus\n")
    (notes / "core.zip").write_bytes(b"PK")
    (example / ".gitignore").write_text("/notes/\n")
    assert cli(example, "index", *mode).returncode == 0
    assert cli(example, "caches", "add", *mode, "papers", str(notes)).returncode == 0

    def told(path, cwd=example):
        (line,) = lines(cli(cwd, "explain", *mode, "--json", path))
        return line["path"], line["indexed"], line["reason"]

    left_out = "It is not indexed: ignored: .gitignore line 1, /notes/."
    assert told("notes/walrus.md") == (
        "notes/walrus.md", True, f"{left_out} In the cache papers, it is indexed as markdown, in 1 piece."
    )  # fmt: skip
    path, indexed, _ = told("walrus.md", cwd=notes)
    assert (path, indexed) == ("walrus.md", True)  # the folder has an index of its own
    assert told("notes/core.zip")[1:] == (
        False, f"{left_out} In the cache papers, it is not indexed: binary: files that end in .zip hold no text."
    )  # fmt: skip
    assert not told(".gitignore")[2].count("papers")


def test_an_editor_is_told_what_a_cache_says_of_a_file_that_the_project_leaves_out(command, example):
    (example / "notes").mkdir()
    (example / "notes" / "walrus.md").write_text("# The walrus\n")
    (example / ".gitignore").write_text("/notes/\n")

    @run
    async def talk():
        async with editor(command, example) as client:
            await settled(client)
            await add(client, "papers", example / "notes")
            await until_state(client, "papers", "ready")
            why = {"textDocument": {"uri": (example / "notes" / "walrus.md").as_uri()}}
            told = await client.request("memcache/explain", why)
            assert told["indexed"]
            assert told["reason"].startswith("It is not indexed: ignored: .gitignore")
            assert "In the cache papers, it is indexed as markdown" in told["reason"]

    talk()


def test_a_cache_is_searched_where_no_project_is(disk, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cli(tmp_path, "caches", "add", "papers", "disk/papers").returncode == 0
    found = lines(cli(tmp_path, "search", "--json", "--cache", "papers", "walrus"))
    assert found[0]["path"] == "disk/papers/walrus.md"
    assert "holds more than one project" in cli(tmp_path, "search", "walrus").stderr


def test_an_editor_sees_what_a_command_did(example, disk):
    @run
    async def talk():
        async with editor((sys.executable, "-m", "memcache_lsp", "serve"), example) as client:
            done = await asyncio.to_thread(cli, example, "caches", "add", "--no-daemon", "papers", str(disk / "papers"))
            assert done.returncode == 0, done.stderr
            assert paths_of(await search(client, "walrus", "papers"))[0] == "walrus.md"
            done = await asyncio.to_thread(cli, example, "caches", "remove", "papers")
            assert done.returncode == 0, done.stderr
            assert await listed(client) == {}
            assert not paths.index_dir(disk / "papers").exists()

    talk()


def test_a_manual_brings_along_what_it_names_in_the_project(command, example, disk):
    (disk / "papers" / "manual.md").write_text(
        "# Operating the walrus tank\n\nWhen the walrus tank overflows, the operator resets it, which is what\n"
        "`NAME` does behind the scenes.\n".replace("NAME", NAMED)
    )
    question = "what happens when the walrus tank overflows?"

    @run
    async def talk():
        async with editor(command, example) as client:
            await settled(client)
            await add(client, "papers", disk / "papers")
            await until_state(client, "papers", "ready")
            partial = {"partialResultToken": "t"}
            scope = {"caches": ["papers", "workspace"]}
            await client.request("memcache/ask", {"question": question, "scope": scope, **partial})
            (sources,) = [value for value in client.progress("t") if value["type"] == "sources"]
            first, second = sources["items"][:2]
            assert (Path(first["path"]).name, first["cache"]) == ("manual.md", "papers")
            assert (second["symbol"].split(".")[-1], second.get("cache")) == (NAMED, None)

    talk()
