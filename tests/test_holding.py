"""The caches as the engine has them, where a disk misbehaves or several want something at the same moment."""

import asyncio
import threading
from dataclasses import replace

import pytest
from indexes import WorkerHere, setup
from lsp import run
from test_hub import info, until

from memcache_lsp import holding, keeper, paths
from memcache_lsp.caches import Ground, Registry, seen
from memcache_lsp.config import UserSettings
from memcache_lsp.errors import UserError
from memcache_lsp.hub import Hub
from memcache_lsp.protocol.parts import Scope, TextDocumentIdentifier
from memcache_lsp.protocol.spec import CachesParams, ExplainParams, IndexParams, SearchParams, SimilarParams
from memcache_lsp.status import read_status


@pytest.fixture(autouse=True)
def _worker(monkeypatch):
    """Index in this process: the worker's own is tested elsewhere."""
    monkeypatch.setattr(keeper, "IndexWorker", WorkerHere)
    monkeypatch.setattr(holding, "LOOK_S", 0.02)


@pytest.fixture
def papers(tmp_path):
    folder = tmp_path / "papers"
    folder.mkdir()
    (folder / "walrus.md").write_text("# The walrus\n\nThe walrus dives for molluscs.\n")
    return folder


def make():
    return Hub(user=UserSettings, setup=setup, mode="daemon")


def add(name, *given):
    return CachesParams(action="add", name=name, uris=tuple(path.as_uri() for path in given))


def asked(query, *names):
    return SearchParams(query=query, limit=5, scope=Scope(caches=names))


async def ready(hub, name):
    async with asyncio.timeout(20):
        while True:
            rows = (await hub.caches(1, CachesParams(action="list"))).caches
            if next(row for row in rows if row.name == name).state == "ready":
                return
            await asyncio.sleep(0.005)


def test_a_disk_that_was_unmounted_takes_nothing_with_it(papers):
    @run
    async def talk():
        hub = make()
        await hub.open_session(info(1))
        await hub.caches(1, add("papers", papers))
        await ready(hub, "papers")
        text = (papers / "walrus.md").read_text()
        registry = Registry()
        (place,) = registry.read().named("papers").places
        registry.note([replace(place, device=place.device + 1)])  # as if what is there now were another disk
        (papers / "walrus.md").unlink()
        it = hub._holding.keepers[Ground(papers)]
        await until(lambda: it.state == "failed")
        assert "offline since" in it.message
        assert read_status(papers).indexed == 1
        found = await hub.search(1, asked("walrus", "papers"))
        assert (found.hits, len(found.notes)) == ((), 1)
        (papers / "walrus.md").write_text(text)
        await until(lambda: it.state == "ready")
        assert (await hub.search(1, asked("walrus", "papers"))).hits
        assert registry.read().named("papers").places[0].device == place.device
        await hub.close()

    talk()


def test_a_disk_that_does_not_answer_holds_nothing_up(papers, tmp_path, monkeypatch):
    notes = tmp_path / "notes"
    notes.mkdir()
    (notes / "okapi.md").write_text("# The okapi\n")
    hangs = threading.Event()
    looks = []

    def slow(place, **options):
        if place.path == papers and looks is not None:
            looks.append(place.path)
            hangs.wait(20)
        return seen(place, **options)

    @run
    async def talk():
        hub = make()
        await hub.open_session(info(1))
        await hub.caches(1, add("both", papers, notes))
        await ready(hub, "both")
        monkeypatch.setattr(holding, "seen", slow)
        monkeypatch.setattr(holding, "_ANSWERS_S", 0.02)
        for _ in range(5):
            found = await hub.search(1, asked("okapi walrus", "both"))
            assert [hit.path for hit in found.hits] == ["okapi.md"]
            assert len(found.notes) == 1
        assert len(looks) == 1  # no second thread waits for it
        hangs.set()
        async with asyncio.timeout(20):
            while (await hub.search(1, asked("walrus", "both"))).notes:
                await asyncio.sleep(0.005)
        await hub.close()

    talk()


def test_what_a_client_cancels_comes_to_its_end(papers):
    @run
    async def talk():
        hub = make()
        await hub.open_session(info(1))
        await hub.caches(1, add("papers", papers))
        removing = asyncio.create_task(hub.caches(1, CachesParams(action="remove", name="papers")))
        await until(lambda: not Registry().read().caches)
        removing.cancel()
        await asyncio.gather(removing, return_exceptions=True)
        await until(lambda: not Registry().read().leaving)
        assert not paths.index_dir(papers).exists()
        await hub.close()

    talk()


def test_what_was_to_be_forgotten_when_the_engine_ended_is_forgotten_by_the_next(papers):
    @run
    async def talk():
        hub = make()
        await hub.open_session(info(1))
        await hub.caches(1, add("papers", papers))
        await ready(hub, "papers")
        await hub.close()
        Registry().remove("papers")  # by a process that was killed then
        assert paths.index_dir(papers).exists()
        hub = make()
        await hub.open_session(info(1))
        await until(lambda: not Registry().read().leaving)
        assert not paths.index_dir(papers).exists()
        await hub.close()

    talk()


def test_a_cache_is_indexed_on_this_machine_whatever_server_there_is_for_projects(papers):
    def shared(root):
        made = setup(root)
        return replace(made, user=UserSettings(qdrant_url="http://127.0.0.1:9", qdrant_read_only=True))

    @run
    async def talk():
        hub = Hub(user=UserSettings, setup=shared, mode="daemon")
        await hub.open_session(info(1))
        await hub.caches(1, add("papers", papers, papers / "walrus.md"))
        await hub.caches(1, add("one", papers / "walrus.md"))
        for name in ("papers", "one"):
            await ready(hub, name)
            assert (await hub.search(1, asked("walrus", name))).hits
        assert (read_status(papers).store, read_status(papers, "one").store) == ("edge", "edge")
        for name in ("papers", "one"):
            await hub.caches(1, CachesParams(action="remove", name=name))
        assert read_status(papers) is None
        await hub.close()

    talk()


def test_single_files_come_and_go(papers):
    for name in ("okapi", "zebu"):
        (papers / f"{name}.md").write_text(f"# The {name}\n")

    @run
    async def talk():
        hub = make()
        await hub.open_session(info(1))

        async def finds(*names):
            await ready(hub, "some")
            async with asyncio.timeout(20):
                while {hit.path for hit in (await hub.search(1, asked("animal", "some"))).hits} != set(names):
                    await asyncio.sleep(0.005)

        await hub.caches(1, add("some", papers / "okapi.md"))
        await finds("okapi.md")
        await hub.caches(1, add("some", papers / "zebu.md"))
        await finds("okapi.md", "zebu.md")
        gone = CachesParams(action="remove", name="some", uris=((papers / "okapi.md").as_uri(),))
        assert (await hub.caches(1, gone)).message is None
        await finds("zebu.md")
        await hub.close()

    talk()


def test_a_cache_is_steered_explained_and_compared(papers):
    @run
    async def talk():
        hub = make()
        await hub.open_session(info(1))
        await hub.caches(1, add("papers", papers))
        await ready(hub, "papers")
        (hit,) = (await hub.search(1, asked("walrus", "papers"))).hits
        told = await hub.explain(1, ExplainParams(hit=hit, query="walrus"))
        assert told.signals
        (papers / "twin.md").write_text("# The walrus again\n\nThe walrus dives for molluscs, too.\n")
        hub._holding.keepers[Ground(papers)].start()
        await ready(hub, "papers")
        like = SimilarParams(
            text_document=TextDocumentIdentifier(uri=hit.location.uri),
            range=hit.location.range,
            scope=Scope(caches=("papers",)),
        )
        async with asyncio.timeout(20):
            while [each.path for each in (await hub.similar(1, like)).hits] != ["twin.md"]:
                await asyncio.sleep(0.005)
        for params in (IndexParams(action="pause", cache="papers"), IndexParams(action="pause", root=papers.as_uri())):
            (state,) = (await hub.index(1, params)).roots
            assert (state.uri, state.state) == (papers.as_uri(), "paused")
        with pytest.raises(UserError, match="no workspace folder"):
            await hub.index(1, IndexParams(action="pause", root="file:///elsewhere"))
        await hub.close()

    talk()


def test_who_leaves_a_workspace_folder_keeps_its_caches(papers, tmp_path):
    project = tmp_path / "project"
    project.mkdir()

    @run
    async def talk():
        hub = make()
        await hub.open_session(info(1, project))
        await hub.caches(1, add("papers", papers))
        await hub.set_roots(1, [])
        assert hub._holding.keepers[Ground(papers)].users == {1}
        await hub.close_session(1)
        assert not any(it.users for it in hub._holding)
        await hub.close()

    talk()
