"""What a session has open, as its editor names it: links, folders of one name, unsaved text, many changes at once."""

import asyncio
import contextlib
import os
import threading
from pathlib import Path

import pytest
from indexes import setup
from lsp import run

from memcache_lsp import editor as editors
from memcache_lsp.config import UserSettings
from memcache_lsp.editor import Editor
from memcache_lsp.errors import UserError
from memcache_lsp.hub import Hub
from memcache_lsp.protocol import parts
from memcache_lsp.protocol.spec import AskParams, AskResult, AskSources, SearchParams, StatusParams
from memcache_lsp.session.backend import SessionInfo
from memcache_lsp.session.settings import SessionSettings
from memcache_lsp.session.uris import from_path

HERE = parts.Position(line=0, character=0)


@contextlib.asynccontextmanager
async def engine(*folders, **options):
    """Return a hub with one session whose folders are indexed."""
    hub = Hub(user=UserSettings, setup=options.pop("setup", setup), mode="daemon")
    try:
        await hub.open_session(SessionInfo(1, "a test", folders, SessionSettings(use_model=False)))
        while not (await hub.status(1, StatusParams())).quiescent:
            await asyncio.sleep(0.01)
        yield hub
    finally:
        await hub.close()


async def ask(hub, question, **params):
    """Return the sources of an answer, and its result."""
    events = [event async for event in hub.ask(1, AskParams(question=question, **params))]
    sources = next(event for event in events if isinstance(event, AskSources)).items
    return sources, next(event for event in events if isinstance(event, AskResult))


def written(folder, **files):
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)
    return folder


@run
async def test_what_is_typed_is_asked_about(tmp_path):
    root = written(tmp_path / "app", other="def other():\n    return 1\n")
    async with engine(root) as hub:
        hub.buffer_changed(1, root / "new.py", "def zorblax_quuxify(parcel):\n    return parcel.weight * 2\n")
        sources, result = await ask(hub, "what does zorblax_quuxify do?")
        assert (Path(sources[0].path).name, sources[0].origin) == ("new.py", "buffer")
        assert result.finish_reason == "extract"
        assert result.citations[0].location.uri == from_path(root / "new.py")


@run
async def test_a_root_that_cannot_be_opened_is_told_by_a_question_too(tmp_path):
    def broken(root):
        raise UserError("The index is in use by another process: stop it.")

    async with engine(written(tmp_path / "app", a="x = 1\n"), setup=broken) as hub:
        for asked in (hub.search(1, SearchParams(query="what is x?")), ask(hub, "what is x?")):
            with pytest.raises(UserError, match="in use by another process"):
                await asked


@run
async def test_a_folder_that_is_reached_through_a_link_is_named_by_the_link(tmp_path):
    real = written(tmp_path / "real", parcel="def weigh_the_parcel():\n    return 1\n")
    link = tmp_path / "link"
    link.symlink_to(real)
    async with engine(link) as hub:
        uri = from_path(link / "parcel.py")
        assert [hit.location.uri for hit in (await hub.search(1, SearchParams(query="weigh"))).hits] == [uri]
        hub.buffer_changed(1, link / "parcel.py", "\n\ndef weigh_the_parcel():\n    return 1\n")
        found = (await hub.search(1, SearchParams(query="weigh_the_parcel"))).hits
        assert [(hit.location.uri, hit.location.range.start.line) for hit in found] == [(uri, 2)]
        sources, result = await ask(hub, "weigh_the_parcel")
        assert {source.location.uri for source in sources} == {c.location.uri for c in result.citations} == {uri}
        assert [root.uri for root in (await hub.status(1, StatusParams())).roots] == [from_path(link)]
        for named in (link, real):
            scope = parts.Scope(roots=(from_path(named),))
            assert (await hub.search(1, SearchParams(query="weigh", scope=scope))).hits


@run
async def test_a_document_that_is_opened_through_a_link_inside_hides_the_file_itself(tmp_path):
    root = written(tmp_path / "app" / "real", parcel="def weigh_the_parcel():\n    return 1\n").parent
    (root / "alias").symlink_to(root / "real")
    async with engine(root) as hub:
        hub.buffer_changed(1, root / "alias" / "parcel.py", "def count_the_parcels():\n    return 1\n")
        while hub._looks:
            await asyncio.gather(*hub._looks)
        found = (await hub.search(1, SearchParams(query="parcel"))).hits
        assert [(hit.path, hit.symbol) for hit in found] == [("real/parcel.py", "count_the_parcels")]


@run
async def test_folders_of_one_name_are_told_apart(tmp_path):
    one = written(tmp_path / "a" / "app", parcel="def weigh_the_parcel():\n    return 'one'\n")
    other = written(tmp_path / "b" / "app", parcel="def weigh_the_parcel():\n    return 'other'\n")
    async with engine(one, other) as hub:
        sources, _ = await ask(hub, "weigh_the_parcel")
        assert {(s.path, s.location.uri) for s in sources} == {
            ("a/app/parcel.py", from_path(one / "parcel.py")),
            ("b/app/parcel.py", from_path(other / "parcel.py")),
        }


@run
async def test_an_open_document_of_no_project_can_be_asked_about(tmp_path):
    root = written(tmp_path / "app", a="x = 1\n")
    library = tmp_path / "library" / "thing.py"
    async with engine(root) as hub:
        hub.buffer_changed(1, library, "def frobnicate(it):\n    return it\n")
        selection = parts.Range(start=HERE, end=parts.Position(line=1, character=13))
        document = parts.TextDocumentIdentifier(uri=from_path(library))
        sources, _ = await ask(hub, "Explain this.", intent="explain", text_document=document, selection=selection)
        assert sources[0].location.uri == from_path(library)


@run
async def test_hints_reach_the_files_of_a_linked_folder(tmp_path, monkeypatch):
    real = written(tmp_path / "real", a="x = 1\n")
    link = tmp_path / "link"
    link.symlink_to(real)
    async with engine(link) as hub:
        keeper = next(iter(hub._holding))
        hinted = []
        monkeypatch.setattr(keeper, "hint", hinted.append)
        hub.files_changed(1, [link / "a.py", real / "b.py", tmp_path / "elsewhere.py"])
        hub.files_changed(1, [link])
        hub.files_changed(1, None)
        assert hinted == [{"a.py", "b.py"}, None, None]


@run
async def test_a_file_system_that_does_not_answer_keeps_no_name_waiting(tmp_path, monkeypatch):
    released = threading.Event()

    def stalled(path):
        released.wait(60)
        return os.fspath(path)

    monkeypatch.setattr(editors, "_LOOK_S", 0.05)
    monkeypatch.setattr(editors.os.path, "realpath", stalled)
    try:
        session = Editor(SessionInfo(1, "a test", (), SessionSettings()))
        await session.take_roots([tmp_path / "app"])
        assert session.roots == (tmp_path / "app",)
        assert await session.learn(tmp_path / "app" / "a.py") == tmp_path / "app" / "a.py"
    finally:
        released.set()


@run
async def test_a_question_during_the_first_index_waits_a_moment_for_its_answer(tmp_path):
    files = {f"module_{number}": f"def function_{number}():\n    return {number}\n" for number in range(300)}
    root = written(tmp_path / "app", zz_last="def zorblax_quuxify(parcel):\n    return parcel\n", **files)
    hub = Hub(user=UserSettings, setup=setup, mode="daemon")
    try:
        await hub.open_session(SessionInfo(1, "a test", (root,), SessionSettings(use_model=False)))
        sources, result = await ask(hub, "what does zorblax_quuxify do?")
        assert result.finish_reason == "extract"
        assert sources[0].path == "zz_last.py"
    finally:
        await hub.close()


def test_no_disk_is_looked_at_for_a_known_folder(tmp_path):
    @run
    async def talk():
        session = Editor(SessionInfo(1, "a test", (), SessionSettings()))
        await session.take_roots([tmp_path])
        await session.learn(tmp_path / "a.py")
        assert not session.take_buffer(tmp_path / "b.py", "text")
        assert session.buffers == {tmp_path.resolve() / "b.py": "text"}

    talk()
