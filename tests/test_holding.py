"""The caches as the engine has them, where a disk misbehaves or several want something at the same moment."""

import asyncio
import os
import threading
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from indexes import WorkerHere, opened, setup
from lsp import run
from papers import pdf
from test_hub import info, until

from memcache_lsp import disks, forgetting, holding, inventory, keeper, locking, paths, updating
from memcache_lsp.caches import Ground, Place, Registry, seen
from memcache_lsp.cli.caches import _forget_left
from memcache_lsp.config import UserSettings
from memcache_lsp.errors import Stopped, UserError
from memcache_lsp.hub import Hub
from memcache_lsp.protocol.parts import Scope, TextDocumentIdentifier
from memcache_lsp.protocol.spec import (
    AskParams,
    CachesParams,
    DidReadDocumentParams,
    ExplainParams,
    IndexParams,
    SearchParams,
    SimilarParams,
    StatusParams,
    ThreadsParams,
)
from memcache_lsp.status import read_status
from memcache_lsp.threads.disk import Threads


@pytest.fixture(autouse=True)
def _worker(monkeypatch):
    """Index in this process: the worker's own is tested elsewhere."""
    monkeypatch.setattr(updating, "IndexWorker", WorkerHere)
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


def test_the_status_tells_of_a_cache_alone_how_far_it_is(papers, example, monkeypatch):
    goes_on = threading.Event()

    class Waiting(WorkerHere):
        def prepare(self, batch, *, cancelled):
            assert goes_on.wait(20)
            return super().prepare(batch, cancelled=cancelled)

    @run
    async def talk():
        hub = make()
        await hub.open_session(info(1, example))

        async def at(*names):
            return (await hub.status(1, StatusParams(scope=Scope(caches=names)))).scope

        assert (await hub.status(1, StatusParams())).scope is None
        await hub.index(1, IndexParams(action="start"))
        first = await at()
        assert (first.indexing, first.complete) == (True, False)
        await until(lambda: all(keeper.in_step for keeper in hub._holding))
        monkeypatch.setattr(updating, "IndexWorker", Waiting)
        await hub.caches(1, add("papers", papers))
        early = await at("papers")
        assert (early.indexing, early.complete) == (True, False)
        project = await at()
        goes_on.set()
        assert (project.indexing, project.complete) == (False, True)
        assert project.version != first.version
        await ready(hub, "papers")
        whole = await at("papers", "workspace")
        assert (whole.indexing, whole.complete) == (False, True)
        before = await at("papers")
        assert before.version != early.version
        assert await at("papers") == before
        (papers / "auk.md").write_text("# The auk\n\nThe auk is black and white.\n")
        await hub.index(1, IndexParams(action="start", cache="papers"))
        await ready(hub, "papers")
        assert (await at("papers")).version != before.version
        await hub.index(1, IndexParams(action="pause", cache="papers"))
        paused = await at("papers")
        assert (paused.indexing, paused.complete) == (False, False)
        await hub.close()

    talk()


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
        monkeypatch.setattr(disks, "seen", slow)  # and the other disk has its usual time, however busy the machine is
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


def test_a_disk_that_hangs_makes_no_other_cache_offline(papers, tmp_path, monkeypatch):
    hung = tmp_path / "hung"
    for number in range(20):
        (hung / f"f{number}").mkdir(parents=True)
        (hung / f"f{number}" / "one.md").write_text("# One\n")
        (papers / f"n{number}.md").write_text(f"# Number {number}\n")
    goes_on = threading.Event()
    looks = []

    def slow(place, **options):
        looks.append(place.folder)
        if hung in place.path.parents or place.folder == papers:
            assert goes_on.wait(20)
        return seen(place, **options)

    @run
    async def talk():
        it = disks.Disks()
        monkeypatch.setattr(disks, "seen", slow)
        monkeypatch.setattr(disks, "ANSWERS_S", 0.02)
        monkeypatch.setattr(disks, "mount_of", lambda folder: "hung" if hung in folder.parents else "/")
        files = [Place(papers / f"n{number}.md", False) for number in range(20)]
        others = [Place(hung / f"f{number}" / "one.md", False) for number in range(20)]
        found = await asyncio.gather(*map(it.look, [*files, *others]))
        assert all(place.away_since is not None for place in found)
        assert (looks.count(papers), len(looks)) == (1, 1 + disks._THREADS)
        monkeypatch.setattr(disks, "ANSWERS_S", 20)
        assert (await it.look(Place(tmp_path, True))).away_since is None
        goes_on.set()
        found = await asyncio.gather(*map(it.look, [*files, *others]))
        assert all(place.away_since is None for place in found)
        it.close()

    talk()


def test_the_kernel_tells_which_disk_a_folder_lies_on(tmp_path):
    mounts = tmp_path / "mountinfo"
    mounts.write_text(
        "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n30 22 0:40 / /mnt/a\\040disk rw shared:1 - nfs host:/ rw\nnonsense\n"
    )
    assert disks.mount_of(Path("/mnt/a disk/papers/old"), mounts) == "/mnt/a disk"
    assert disks.mount_of(Path("/mnt/a"), mounts) == "/"
    assert disks.mount_of(Path("/mnt/a"), tmp_path / "nothing") == ""


async def indexed(hub, name, folder):
    await hub.open_session(info(1))
    await hub.caches(1, add(name, folder))
    await ready(hub, name)


def test_a_cache_on_a_disk_that_hangs_can_be_removed(papers, monkeypatch):
    def asked_of_disk(path, *_args, **_options):
        assert papers not in [Path(path), *Path(path).parents], "this would hang"
        return real(path)

    def hanging(root):
        assert root != papers, "this would hang"
        return setup(root)

    real = os.path.realpath

    @run
    async def talk():
        hub = make()
        await indexed(hub, "papers", papers)
        await hub.close()
        hub = Hub(user=UserSettings, setup=hanging, mode="daemon")
        monkeypatch.setattr(os.path, "realpath", asked_of_disk)
        await hub.open_session(info(1))
        (row,) = (await hub.caches(1, CachesParams(action="list"))).caches
        assert row.files.done == 1
        gone = CachesParams(action="remove", name="papers", uris=(papers.as_uri(),))
        assert (await hub.caches(1, gone)).message is None
        assert not paths.index_dir(papers, is_real=True).exists()
        await hub.close()

    talk()


def test_a_cache_that_waits_for_its_disk_is_forgotten_when_that_answers(papers, monkeypatch):
    hangs, waits, goes_on = threading.Event(), threading.Event(), threading.Event()

    def slow(root):
        if hangs.is_set() and root == papers:
            waits.set()
            assert goes_on.wait(20)
        return setup(root)

    @run
    async def talk():
        hub = Hub(user=UserSettings, setup=slow, mode="daemon")
        await indexed(hub, "papers", papers)
        monkeypatch.setattr(holding, "_CLOSES_S", 0.02)
        hangs.set()
        hub._holding.keepers[Ground(papers)].start()
        await until(waits.is_set)
        told = await hub.caches(1, CachesParams(action="remove", name="papers"))
        assert (told.caches, "does not answer" in told.message) == ((), True)
        goes_on.set()
        await until(lambda: not Registry().read().leaving)
        assert not paths.index_dir(papers).exists()
        await hub.close()

    talk()


def test_what_is_added_again_while_others_are_forgotten_stays_indexed(papers, tmp_path, monkeypatch):
    other = tmp_path / "a first folder"
    other.mkdir()
    (other / "okapi.md").write_text("# The okapi\n")

    def meanwhile(ground, **options):
        if ground.root == other:
            Registry().add("again", [papers])
        forget(ground, **options)

    forget = forgetting.forget

    @run
    async def talk():
        hub = make()
        await indexed(hub, "papers", papers)
        await hub.caches(1, add("papers", other))
        await ready(hub, "papers")
        monkeypatch.setattr(forgetting, "forget", meanwhile)
        await hub.caches(1, CachesParams(action="remove", name="papers"))
        assert read_status(papers).indexed == 1
        assert Ground(papers) in hub._holding.keepers
        assert not paths.index_dir(other).exists()
        await hub.close()
        Registry().add("papers", [other])
        Registry().remove("again")
        Registry().remove("papers")
        assert _forget_left() is None  # the same in a command
        assert read_status(papers).indexed == 1
        assert Registry().read().leaving == ()

    talk()


def test_what_is_added_again_at_the_last_moment_is_not_forgotten(papers):
    @run
    async def talk():
        hub = make()
        await indexed(hub, "papers", papers)
        await hub.close()
        Registry().remove("papers")
        Registry().add("again", [papers])
        with closing(Threads()) as threads:
            forgetting.forget(Ground(papers), registry=Registry(), user=UserSettings(), threads=threads)
        assert read_status(papers).indexed == 1

    talk()


@pytest.mark.parametrize("answers", [True, False])
def test_the_end_waits_for_what_was_being_closed_but_not_for_a_disk_that_hangs(papers, monkeypatch, answers):
    hangs, waits, goes_on = threading.Event(), threading.Event(), threading.Event()

    def slow(root):
        if hangs.is_set() and root == papers:
            waits.set()
            assert goes_on.wait(20)
        return setup(root)

    @run
    async def talk():
        hub = Hub(user=UserSettings, setup=slow, mode="daemon")
        await indexed(hub, "papers", papers)
        monkeypatch.setattr(holding, "_CLOSES_S", 0.02)
        hangs.set()
        hub._holding.keepers[Ground(papers)].start()
        await until(waits.is_set)
        await hub.caches(1, CachesParams(action="remove", name="papers"))
        (closing,) = hub._holding._closing.values()
        assert not closing.done()
        monkeypatch.setattr(holding, "_CLOSES_S", 20 if answers else 0.02)
        ending = asyncio.create_task(hub.close())
        await until(lambda: not hub._holding._closing)
        if answers:
            goes_on.set()
        await ending
        assert (closing.done(), closing.cancelled()) == (True, not answers)
        goes_on.set()

    talk()


def test_others_change_the_registry_while_an_index_is_deleted(papers, tmp_path, monkeypatch):
    other = tmp_path / "other"
    other.mkdir()
    deletes, goes_on = threading.Event(), threading.Event()

    def slow(folder):
        deletes.set()
        assert goes_on.wait(20)
        empty(folder)

    empty = locking.empty

    @run
    async def talk():
        hub = make()
        await indexed(hub, "papers", papers)
        monkeypatch.setattr(locking, "empty", slow)
        removing = asyncio.create_task(hub.caches(1, CachesParams(action="remove", name="papers")))
        assert await asyncio.to_thread(deletes.wait, 20)
        await asyncio.to_thread(Registry().add, "other", [other])  # it waits for nothing
        assert Registry().read().leaving == (Ground(papers),)  # a kill now would leave it to the next one
        goes_on.set()
        await removing
        assert Registry().read().leaving == ()
        assert not paths.index_dir(papers).exists()
        await hub.close()

    talk()


def test_what_is_added_again_while_it_is_deleted_is_indexed_anew(papers, monkeypatch):
    deletes, goes_on = threading.Event(), threading.Event()

    def slow(folder):
        deletes.set()
        assert goes_on.wait(20)
        empty(folder)

    def opened_late(*arguments, **options):
        opens.append(goes_on.is_set())
        return open_project(*arguments, **options)

    empty, open_project, opens = locking.empty, keeper.open_project, []

    @run
    async def talk():
        hub = make()
        await indexed(hub, "papers", papers)
        monkeypatch.setattr(locking, "empty", slow)
        removing = asyncio.create_task(hub.caches(1, CachesParams(action="remove", name="papers")))
        assert await asyncio.to_thread(deletes.wait, 20)
        monkeypatch.setattr(keeper, "open_project", opened_late)
        (row,) = (await hub.caches(1, add("again", papers))).caches
        await until(hub._holding.keepers[Ground(papers)]._index._turn.locked)  # it is about to be opened
        assert row.state == "indexing"
        goes_on.set()
        await removing
        await ready(hub, "again")
        assert opens == [True]
        assert (await hub.search(1, asked("walrus", "again"))).hits
        assert read_status(papers).indexed == 1
        await hub.close()

    talk()


def test_of_a_removed_file_the_threads_that_cite_it_are_forgotten(papers, tmp_path):
    (papers / "okapi.md").write_text("# The okapi\n\nThe okapi browses leaves at dusk.\n")
    files = (papers / "walrus.md", papers / "okapi.md")

    async def ask(hub, question):
        asked = AskParams(question=question, scope=Scope(caches=("some",)))
        async for event in hub.ask(1, asked):
            last = event
        return last.thread_id

    async def kept(hub):
        threads = (await hub.threads(1, ThreadsParams(action="list", all_roots=True))).threads
        return {thread.thread_id for thread in threads}

    @run
    async def talk():
        hub = make()
        await hub.open_session(info(1))
        await hub.caches(1, add("some", *files))
        await ready(hub, "some")
        walrus = await ask(hub, "walrus.md")
        await hub.caches(1, CachesParams(action="remove", name="some", uris=(files[0].as_uri(),)))
        await ready(hub, "some")
        okapi = await ask(hub, "okapi.md")
        assert await kept(hub) == {okapi} != {walrus}
        await hub.caches(1, add("twin", files[1]))
        await hub.caches(1, CachesParams(action="remove", name="some"))
        assert await kept(hub) == {okapi}  # the file is in another cache
        await hub.caches(1, CachesParams(action="remove", name="twin"))
        assert await kept(hub) == set()
        await hub.close()

    talk()


@pytest.mark.parametrize("named", [True, False])
def test_what_was_asked_of_a_cache_goes_also_where_its_folder_was_a_project_once(papers, named):
    """Of the project's own files the threads stay, unless the question named the cache."""
    draft = papers / "draft.md"
    text = "# The okapi\n\nThe okapi browses leaves at dusk.\n"
    if named:
        draft.write_text(text)

    async def ask(hub, question, **options):
        async for event in hub.ask(1, AskParams(question=question, **options)):
            last = event
        return last.thread_id

    @run
    async def talk():
        hub = make()
        await hub.open_session(replace(info(1), roots=(papers,)))
        await hub.index(1, IndexParams(action="start"))
        await until(lambda: all(it.in_step for it in hub._holding))
        own = await ask(hub, "draft.md" if named else "walrus.md")
        await hub.close()
        hub = make()
        await hub.open_session(info(1))
        draft.write_text(text)  # so it is in the project's index only where it is named
        await hub.caches(1, add("single", draft))
        await ready(hub, "single")
        scope = {"scope": Scope(caches=("single",))}
        about = {"intent": "summarize", "text_document": TextDocumentIdentifier(uri=draft.as_uri())}
        cached = await ask(hub, "draft.md", **(scope if named else about))
        await hub.caches(1, CachesParams(action="remove", name="single"))
        kept = (await hub.threads(1, ThreadsParams(action="list", all_roots=True))).threads
        assert {each.thread_id for each in kept} == {own} != {cached}
        await hub.close()

    talk()


def test_an_earlier_answer_keeps_what_it_read_of_a_page(papers):
    (papers / "manual.pdf").write_bytes(pdf(["The narwhal has one tusk."], ["Its tusk is a tooth."]))

    @run
    async def talk():
        hub = make()
        await indexed(hub, "papers", papers)
        async for event in hub.ask(1, AskParams(question="manual.pdf", scope=Scope(caches=("papers",)))):
            last = event
        shown = await hub.threads(1, ThreadsParams(action="get", thread_id=last.thread_id))
        cited = shown.threads[0].turns[0].citations
        # The lines of what is text are shown as they are.
        assert {(each.location.page, each.passage) for each in cited} == {
            (1, "The narwhal has one tusk."),
            (None, None),
        }
        await hub.close()

    talk()


def test_an_index_at_rest_is_looked_at_once(papers, monkeypatch):
    reads = []

    def read(root, part="", **options):
        reads.append(root)
        return read_status(root, part, **options)

    @run
    async def talk():
        hub = make()
        await indexed(hub, "papers", papers)
        await hub.close()
        monkeypatch.setattr(inventory, "read_status", read)
        resting = inventory.Resting()
        assert resting(Ground(papers)).status.indexed == 1
        assert resting(Ground(papers)).status.indexed == 1
        assert len(reads) == 1
        (papers / "okapi.md").write_text("# The okapi\n")
        with opened(papers) as project:
            project.update()
        assert resting(Ground(papers)).status.indexed == 2

    talk()


def test_what_changed_while_nobody_used_a_cache_is_found_by_the_first_search(papers):
    @run
    async def talk():
        hub = make()
        await indexed(hub, "papers", papers)
        await hub.close()
        (papers / "walrus.md").write_text("# The narwhal\n\nIt has a tusk.\n")
        (papers / "okapi.md").write_text("# The okapi\n\nIt browses leaves.\n")
        hub = make()
        await hub.open_session(info(1))
        assert (await hub.search(1, asked("a tusk", "papers"))).hits[0].snippet.startswith("# The narwhal")
        await hub.close_session(1)  # the keeper stays open for a while, and watches nothing
        (papers / "walrus.md").rename(papers / "zebu.md")
        (papers / "okapi.md").write_text("# The quokka\n\nIt smiles.\n")
        await hub.open_session(info(2))
        found = (await hub.search(2, asked("does it smile", "papers"))).hits
        assert {(hit.path, hit.snippet.split("\n")[0]) for hit in found} == {
            ("zebu.md", "# The narwhal"),
            ("okapi.md", "# The quokka"),
        }
        await hub.close()

    talk()


def test_a_search_does_not_wait_for_a_cache_that_is_indexed_for_long(papers, monkeypatch):
    monkeypatch.setattr(holding, "_CATCHES_UP_S", 600)
    for number in range(holding._LITTLE):
        (papers / f"n{number}.md").write_text(f"# Number {number}\n")
    goes_on = threading.Event()

    class Slow(WorkerHere):
        def prepare(self, *args, **options):
            assert goes_on.wait(20)
            return super().prepare(*args, **options)

    @run
    async def talk():
        monkeypatch.setattr(updating, "IndexWorker", Slow)
        hub = make()
        await hub.open_session(info(1))
        await hub.caches(1, add("papers", papers))
        assert (await hub.search(1, asked("number", "papers"))).hits == ()
        goes_on.set()
        await ready(hub, "papers")
        await hub.close()

    talk()


def test_a_first_look_that_was_interrupted_is_no_news_and_what_comes_has_its_title(papers):
    for number in range(10):
        (papers / f"old{number}.md").write_text(f"# Old {number}\n\n" + "It was there before. " * 300)
    with opened(papers) as project, pytest.raises(Stopped):
        project.update(cancelled=lambda: bool(project._manifest.paths("indexed")))
    assert 0 < read_status(papers).indexed < 11
    told = []

    @run
    async def talk():
        hub = make()
        hub.subscribe(1, lambda news: told.append(news) if isinstance(news, DidReadDocumentParams) else None)
        await hub.open_session(info(1))
        reading = replace(add("reading", papers), reading=True)
        await hub.caches(1, reading)
        await until(lambda: hub._holding.keepers[Ground(papers)].in_step)
        assert read_status(papers).indexed == 11
        (papers / "new.md").write_text("# A new one\n")
        await until(lambda: told)
        page = "<html><head><title>x</title></head><body><h1>A page &amp; more</h1>" + "<p>said at length</p>" * 60
        (papers / "page.html").write_text(page)
        await until(lambda: len(told) == 2)
        (papers / "paper.pdf").write_bytes(pdf(["The paper", "It says this."], marks=[("The paper", 0)]))
        await until(lambda: len(told) == 3)
        await hub.close()

    talk()
    assert [news.title for news in told] == ["A new one", "A page & more", "The paper"]


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


def test_a_list_that_cannot_be_read_is_told_and_nothing_else_is_indexed_for_it(papers):
    (papers / "other.md").write_text("# Another\n\nNobody named this file.\n")
    file = Registry().path

    @run
    async def talk():
        hub = make()
        await hub.open_session(info(1))
        await hub.caches(1, add("some", papers / "walrus.md"))
        await ready(hub, "some")
        whole = file.read_text()
        for known in (True, False):
            file.write_text("{")
            told = await hub.caches(1, CachesParams(action="list"))
            assert "mend or delete that file" in told.message
            assert [row.name for row in told.caches] == ["some"] * known
            with pytest.raises(UserError, match="mend or delete that file"):
                await hub.caches(1, CachesParams(action="remove", name="some"))
            if known:
                (hit,) = (await hub.search(1, asked("walrus", "some"))).hits
                assert hit.path == "walrus.md"
                hub._holding._registry._known = None  # as in an engine that begins now
            else:
                kept = hub._holding.keepers[Ground(papers, "some")]
                kept.start()
                await until(lambda kept=kept: kept.state == "failed")
                assert "mend or delete that file" in kept.message
        assert not paths.index_dir(papers).exists()
        assert file.read_text() == "{"
        file.write_text(whole)
        hub._holding.keepers[Ground(papers, "some")].start()
        await ready(hub, "some")
        assert (await hub.caches(1, CachesParams(action="list"))).message is None
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
