"""A root that is kept: in step by itself while somebody has it, cheaply, and at the speed that is called for."""

import asyncio
import contextlib
import dataclasses
import shutil
import sys
import threading

import indexes
import pytest

from memcache_lsp import config, indexing, updating, watching
from memcache_lsp import keeper as keeping
from memcache_lsp.caches import Ground
from memcache_lsp.engine import Project
from memcache_lsp.keeper import Keeper
from memcache_lsp.preparing import Preparer
from memcache_lsp.scopes import Scope

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="inotify is Linux's")


@pytest.fixture(autouse=True)
def soon(monkeypatch):
    monkeypatch.setattr(watching, "_ROOT_BACK_S", 0.05)
    monkeypatch.setattr(indexing, "_CLOCK_GRAIN_NS", indexes.GRAIN_NS)
    monkeypatch.setattr(watching.Watcher, "__init__", calm(watching.Watcher.__init__))


def calm(init):
    return lambda self, root, **options: init(self, root, **{"calm_s": 0.1, **options})


@pytest.fixture
def updates(monkeypatch):
    """Note which paths each update looks at, None for all."""
    noted = []
    update = Project.update

    def noting(self, **options):
        noted.append(options.get("only"))
        return update(self, **options)

    monkeypatch.setattr(Project, "update", noting)
    return noted


@pytest.fixture(autouse=True)
def workers(monkeypatch):
    """Index in this process: the worker's own is tested elsewhere."""
    made = []

    class Worker:
        def __init__(self, recipe, *, hurried, spares):
            self.preparer = Preparer(recipe, embedder=indexes.embedder())
            self.hurried = hurried
            self.seen = []
            self.files = []
            self.hold = threading.Event()
            self.hold.set()
            self.pauses = set()
            made.append(self)

        def prepare(self, batch, *, cancelled):
            self.files.append([job.found.path for job in batch])
            self.hold.wait(10)
            self.seen.append(self.hurried())
            return self.preparer.prepare(batch)

        def close(self):
            self.preparer.close()

        def rest(self):
            pass

        def pause(self, why):
            self.pauses.add(why)

        def resume(self, why):
            self.pauses.discard(why)

    monkeypatch.setattr(updating, "IndexWorker", Worker)
    return made


def setup(root):
    project, _ = config.load_project_settings(root)
    return dataclasses.replace(indexes.setup(root), project=project)


class Kept:
    """A keeper and what it says."""

    def __init__(self, root, **options):
        self._news = asyncio.Event()
        self.states = []
        self.keeper = Keeper(Ground(root), setup=setup, changed=self._heard, **options)
        self.keeper.users.add(1)

    def _heard(self, keeper):
        if not self.states or self.states[-1] != keeper.state:
            self.states.append(keeper.state)
        self._news.set()

    async def until(self, true):
        """Wait until it is true, looked at again with each piece of news and every moment."""
        async with asyncio.timeout(20):
            while not true():
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(0.05):
                        await self._news.wait()
                self._news.clear()

    async def ready(self):
        await self.until(lambda: self.keeper.quiescent and self.keeper.state == "ready")

    async def paths(self, question):
        return [hit.path for hit in await self.keeper.search(question, scope=Scope(), limit=3)]

    async def found(self, question, path):
        async with asyncio.timeout(20):
            while (await self.paths(question))[:1] != [path]:
                await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def kept(root, **options):
    one = Kept(root, **options)
    try:
        one.keeper.start()
        await one.ready()
        yield one
    finally:
        await one.keeper.close()


def test_a_worker_that_begins_during_an_answer_waits_for_it_too(example, workers):
    async def talk():
        one = Kept(example)
        one.keeper.hold("question 1")
        one.keeper.hold("question 2")
        one.keeper.release("question 1")
        one.keeper.start()
        await one.ready()
        assert workers[0].pauses == {"question 2"}
        one.keeper.release("question 2")
        assert workers[0].pauses == set()
        one.keeper.hold("question 3")
        assert workers[0].pauses == {"question 3"}
        await one.keeper.close()

    asyncio.run(talk())


def test_what_is_written_is_found_by_a_look_at_that_alone(example, updates):
    async def run():
        async with kept(example) as one:
            (example / "courier" / "zebra.py").write_text("def zebra_crossing():\n    return 1\n")
            await one.found("zebra_crossing", "courier/zebra.py")
            (example / "courier" / "zebra.py").rename(example / "courier" / "okapi.py")
            await one.found("zebra_crossing", "courier/okapi.py")
            (example / "new").mkdir()
            (example / "new" / "gnu.py").write_text("def gnu_migration():\n    return 1\n")
            await one.found("gnu_migration", "new/gnu.py")
            (example / "new" / "gnat.py").write_text("def gnat_swarm():\n    return 1\n")
            await one.found("gnat_swarm", "new/gnat.py")
            shutil.rmtree(example / "new")
            async with asyncio.timeout(20):
                while "new/gnat.py" in await one.paths("gnat_swarm"):
                    await asyncio.sleep(0.01)
            assert updates.count(None) == 1

    asyncio.run(run())


def test_an_ignore_file_means_a_look_at_everything(example, updates):
    async def run():
        async with kept(example) as one:
            (example / ".gitignore").write_text("queue.py\n")
            await one.until(lambda: updates.count(None) == 2)
            await one.ready()
            assert "courier/queue.py" not in await one.paths("queue")

    asyncio.run(run())


def test_changed_settings_of_the_project_count_at_once(example, updates):
    async def run():
        async with kept(example) as one:
            (example / "memcache.toml").write_text('exclude = ["queue.py"]\n')
            await one.until(lambda: updates.count(None) == 2)
            await one.ready()
            assert "courier/queue.py" not in await one.paths("queue")

    asyncio.run(run())


def test_what_is_not_indexed_is_nobodys_news(example, updates):
    (example / ".gitignore").write_text("*.log\nbuild/\n")
    (example / "build").mkdir()

    async def run():
        async with kept(example) as one:
            before = list(one.states)
            (example / "build" / "made.py").write_text("x = 1\n")
            (example / "debug.log").write_text("x\n")
            await one.until(lambda: len(updates) > 1)
            await one.ready()
            assert updates[1:] == [{"debug.log"}]
            assert one.states == before

    asyncio.run(run())


def test_our_own_folders_below_the_root_are_not_watched(example, monkeypatch, updates):
    monkeypatch.setenv("MEMCACHE_HOME", str(example / "home"))

    async def run():
        async with kept(example) as one:
            folders = set(one.keeper._updating._watcher._folders.values())
            assert {"", "courier", "home"} <= folders
            assert not any(folder.startswith(("home/cache", "home/state")) for folder in folders)
            (example / "zebra.py").write_text("def zebra_crossing():\n    return 1\n")
            await one.found("zebra_crossing", "zebra.py")
            (example / "okapi.py").write_text("def okapi_forest():\n    return 1\n")
            await one.found("okapi_forest", "okapi.py")
            assert updates == [None, {"zebra.py"}, {"okapi.py"}]

    asyncio.run(run())


def test_the_last_one_to_leave_ends_the_watch(example, updates):
    async def run():
        async with kept(example) as one:
            watcher = one.keeper._updating._watcher
            assert watcher.active
            one.keeper.users.clear()
            one.keeper.cancel()
            assert not watcher.active
            (example / "courier" / "zebra.py").write_text("def zebra_crossing():\n    return 1\n")
            one.keeper.users.add(2)
            one.keeper.start()
            await one.found("zebra_crossing", "courier/zebra.py")
            assert updates == [None, None]
            assert one.keeper._updating._watcher.active

    asyncio.run(run())


def test_a_further_session_finds_it_in_step(example, updates):
    async def run():
        async with kept(example) as one:
            one.keeper.users.add(2)
            one.keeper.attend()
            assert one.keeper.quiescent
            one.keeper.users.clear()
            one.keeper.cancel()
            one.keeper.users.add(3)
            one.keeper.attend()
            assert not one.keeper.quiescent
            await one.ready()
            assert updates == [None, None]

    asyncio.run(run())


def test_a_root_that_is_deleted_and_made_again(example, tmp_path):
    async def run():
        async with kept(example) as one:
            shutil.rmtree(example)
            await one.until(lambda: one.keeper.state == "failed")
            (tmp_path / "new").mkdir()
            (tmp_path / "new" / "zebra.py").write_text("def zebra_crossing():\n    return 1\n")
            (tmp_path / "new").rename(example)
            await one.found("zebra_crossing", "zebra.py")
            await one.ready()
            (example / "okapi.py").write_text("def okapi_forest():\n    return 1\n")
            await one.found("okapi_forest", "okapi.py")

    asyncio.run(run())


def test_hints_wait_while_the_user_has_paused(example, updates):
    async def run():
        async with kept(example) as one:
            one.keeper.pause()
            (example / "zebra.py").write_text("def zebra_crossing():\n    return 1\n")
            one.keeper.hint(["zebra.py"])
            await asyncio.sleep(0)
            assert one.keeper.state == "paused"
            assert updates == [None]
            one.keeper.resume()
            await one.found("zebra_crossing", "zebra.py")
            assert updates == [None, None]

    asyncio.run(run())


def write_and_index(root):
    with indexes.opened(root) as other:
        (root / "okapi.py").write_text("def okapi_forest():\n    return 1\n")
        other.update()


def test_a_store_closed_for_idleness_is_opened_without_a_look_at_everything(example, updates):
    async def run():
        async with kept(example, idle_s=0.1) as one:
            await one.until(lambda: one.keeper._index.project is None)
            assert "courier/queue.py" in await one.paths("queue")
            await one.until(lambda: one.keeper._index.project is None)
            (example / "zebra.py").write_text("def zebra_crossing():\n    return 1\n")
            await one.until(lambda: len(updates) == 2)
            assert updates == [None, {"zebra.py"}]
            await one.until(lambda: one.keeper._index.project is None)
            await asyncio.to_thread(write_and_index, example)  # somebody else does, while it is closed here
            await one.paths("okapi_forest")
            await one.until(lambda: updates.count(None) >= 3)  # the first, the other one's, and ours after that

    asyncio.run(run())


def test_who_cannot_watch_looks_again_when_asked(example, updates, monkeypatch):
    monkeypatch.setattr(watching, "_present_limit", lambda: 0)
    monkeypatch.setattr(keeping, "LOOK_AGAIN_S", 0.0)

    async def run():
        async with kept(example) as one:
            assert not one.keeper._updating._watcher.active
            (example / "zebra.py").write_text("def zebra_crossing():\n    return 1\n")
            await one.found("zebra_crossing", "zebra.py")
            assert set(updates) == {None}

    asyncio.run(run())


def many(root):
    for number in range(30):
        (root / f"f{number}.py").write_text(f"def number_{number}():\n    return {number}\n")


def test_the_speed_is_that_which_is_called_for(example, workers):
    many(example)

    async def run():
        one = Kept(example)
        keeper = one.keeper
        keeper.users.clear()  # so that it is not watched, and each update is one that is asked for
        try:
            keeper.start()
            await one.ready()
            assert not any(workers[0].seen)  # nobody waits
            many_again = example / "second"
            many_again.mkdir()
            many(many_again)
            keeper.start(hurry=True)
            await one.ready()
            assert workers[0].seen[-1]
            shutil.copytree(many_again, example / "third")
            keeper.start()
            await one.ready()
            assert not workers[0].seen[-1]  # it was for that one update
            shutil.copytree(many_again, example / "fourth")
            keeper.start(hurry=True)
            await one.ready()
            assert workers[0].seen[-1]
            keeper.start(hurry=True)  # and once more, for files that were too young to be told from changed ones
            await one.ready()
            (example / "small.py").write_text("x = 1\n")
            keeper.start()
            await one.ready()
            assert workers[0].seen[-1]  # it is over before anybody notices
        finally:
            await keeper.close()

    asyncio.run(run())


def test_what_is_asked_about_during_the_first_index_is_indexed_next(example, workers, monkeypatch):
    for number in range(200):
        (example / f"f{number:03}.py").write_text(f"def number_{number}():\n    return {number}\n")
    make = updating.IndexWorker.__init__

    def making(self, *arguments, **options):
        make(self, *arguments, **options)
        self.hold.clear()

    monkeypatch.setattr(updating.IndexWorker, "__init__", making)

    async def run():
        one = Kept(example)
        try:
            one.keeper.start()
            await one.until(lambda: workers and workers[0].files)
            await one.paths("what is in f150")
            workers[0].hold.set()
            await one.ready()
            first, second, *_ = workers[0].files
            assert "f150.py" not in first
            assert second[0] == "f150.py"
        finally:
            await one.keeper.close()

    asyncio.run(run())


def test_who_asks_during_the_first_index_makes_it_hurry(example, workers):
    many(example)

    async def run():
        one = Kept(example)
        keeper = one.keeper
        keeper.users.clear()  # so that it is not watched, and each update is one that is asked for
        try:
            keeper.start()
            await one.until(lambda: workers)
            workers[0].hold.clear()
            await one.paths("queue")
            workers[0].hold.set()
            await one.ready()
            assert workers[0].seen[-1]
        finally:
            await keeper.close()

    asyncio.run(run())


def test_whoever_cancels_is_overruled_by_nothing_but_a_start(example, updates, workers, monkeypatch):
    monkeypatch.setattr(keeping, "LOOK_AGAIN_S", 0.0)
    monkeypatch.setattr(keeping, "LOOK_AGAIN_WATCHED_S", 0.0)

    async def run():
        async with kept(example) as one:
            keeper, worker = one.keeper, workers[0]
            worker.hold.clear()
            before = len(worker.files)
            (example / "zebra.py").write_text("def zebra_crossing():\n    return 1\n")
            keeper.start()
            await one.until(lambda: len(worker.files) > before)
            keeper.cancel()
            worker.hold.set()
            await one.until(lambda: keeper.quiescent)
            assert keeper.state == "cancelled"
            noted = len(updates)
            keeper.hint(["zebra.py"])  # a save
            keeper.hint(None)
            assert await one.paths("zebra_crossing") != ["zebra.py"]  # and a search, which looks again
            await asyncio.sleep(0.1)
            assert (keeper.state, keeper.quiescent, keeper.in_step, len(updates)) == ("cancelled", True, False, noted)
            keeper.start()
            await one.found("zebra_crossing", "zebra.py")
            await one.ready()
            assert keeper.in_step

    asyncio.run(run())


def test_nothing_is_indexed_where_nobody_permitted_it(example, updates):
    async def run():
        one = Kept(example)
        try:
            assert await one.paths("retry") == []
            one.keeper.hint(["courier/retry.py"])
            await asyncio.sleep(0.05)
            assert updates == []
            assert (one.keeper.quiescent, one.keeper.in_step) == (True, False)
            one.keeper.attend()
            await one.ready()
            assert one.keeper.in_step
        finally:
            await one.keeper.close()

    asyncio.run(run())
