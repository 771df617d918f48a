"""The watcher on real folders: what is told, how calmly, and what becomes of it when folders come and go."""

import asyncio
import contextlib
import logging
import os
import shutil
import sys
import threading

import pytest

from memcache_lsp import watching
from memcache_lsp.scan import Scanner
from memcache_lsp.watching import Watcher

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="inotify is Linux's")

EVERYWHERE = None


class Told:
    """What a watcher told, to be awaited."""

    def __init__(self):
        self.portions = []
        self._news = asyncio.Event()

    def __call__(self, paths):
        self.portions.append(paths)
        self._news.set()

    async def wait(self, enough, timeout_s=20.0):
        """Wait until enough has been told, and return all of it."""
        async with asyncio.timeout(timeout_s):
            while not enough(self.portions):
                self._news.clear()
                await self._news.wait()
        return self.portions

    async def of(self, *paths):
        """Wait until these paths have been told, and return all that were."""
        portions = await self.wait(lambda all_: set(paths) <= {p for each in all_ if each for p in each})
        return {p for each in portions if each for p in each}


@contextlib.asynccontextmanager
async def watching_of(root, *, walked=True, **options):
    told = Told()
    watcher = Watcher(root, changed=told, **{"calm_s": 0.1, **options})
    if walked:
        walk(watcher, root)
    try:
        yield watcher, told
    finally:
        watcher.close()


def walk(watcher, root, only=None):
    """Do with the watcher as an update does, here in the same thread."""
    entered = set()

    def enter(folder):
        entered.add(folder)
        watcher.watch(folder)

    scanner = Scanner(root)
    scanner.scan(entered=enter) if only is None else scanner.look(only, entered=enter)
    watcher.keep(entered, within=only)
    return entered


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "project"
    for path in ("src/deep/a.py", "docs/b.md", "node_modules/x/c.js", ".git/HEAD"):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text("x")
    (folder / ".gitignore").write_text("node_modules/\n")
    return folder


def test_what_is_written_made_renamed_and_deleted_is_told(root):
    async def run():
        async with watching_of(root) as (watcher, told):
            assert watcher.folders == 4  # the root, src, src/deep, docs
            (root / "src/deep/a.py").write_text("y")
            await told.of("src/deep/a.py")
            (root / "docs/b.md").rename(root / "docs/c.md")
            await told.of("docs/b.md", "docs/c.md")
            (root / "docs/c.md").unlink()
            (root / "new").mkdir()
            assert await told.of("docs/c.md", "new") == {"src/deep/a.py", "docs/b.md", "docs/c.md", "new"}

    asyncio.run(run())


def test_reading_and_listing_are_no_changes(root):
    async def run():
        async with watching_of(root) as (_, told):
            for path in root.rglob("*"):
                if path.is_file():
                    path.read_bytes()
            Scanner(root).scan()
            (root / "docs/last.md").write_text("y")
            assert await told.of("docs/last.md") == {"docs/last.md"}

    asyncio.run(run())


def test_what_lies_in_ignored_folders_is_not_told(root):
    async def run():
        async with watching_of(root) as (_, told):
            (root / "node_modules/x/d.js").write_text("y")
            (root / ".git/index").write_text("y")
            (root / "docs/last.md").write_text("y")
            assert await told.of("docs/last.md") == {"docs/last.md"}

    asyncio.run(run())


def test_new_and_renamed_folders_are_watched_once_they_are_looked_at(root):
    async def run():
        async with watching_of(root) as (watcher, told):
            (root / "src").rename(root / "lib")
            (root / "new/inner").mkdir(parents=True)
            await told.of("src", "lib", "new")
            walk(watcher, root, only={"src", "lib", "new"})
            assert sorted(watcher._folders.values()) == ["", "docs", "lib", "lib/deep", "new", "new/inner"]
            (root / "lib/deep/z.py").write_text("z")
            (root / "new/inner/z.py").write_text("z")
            assert {"lib/deep/z.py", "new/inner/z.py"} <= await told.of("lib/deep/z.py", "new/inner/z.py")

    asyncio.run(run())


def test_a_folder_moved_out_of_the_root_is_not_watched_any_more(root, tmp_path):
    async def run():
        async with watching_of(root) as (watcher, told):
            (root / "src").rename(tmp_path / "elsewhere")
            await told.of("src")
            walk(watcher, root, only={"src"})
            assert sorted(watcher._folders.values()) == ["", "docs"]
            (tmp_path / "elsewhere/deep/z.py").write_text("z")
            (root / "docs/last.md").write_text("y")
            assert await told.of("docs/last.md") == {"src", "docs/last.md"}

    asyncio.run(run())


def test_what_is_ignored_from_now_on_is_not_watched_any_more(root):
    async def run():
        async with watching_of(root) as (watcher, told):
            (root / ".gitignore").write_text("node_modules/\nsrc/\n")
            await told.of(".gitignore")
            walk(watcher, root)
            assert sorted(watcher._folders.values()) == ["", "docs"]

    asyncio.run(run())


def test_a_storm_is_told_in_few_portions(root):
    """As many files as a checkout of another branch writes."""

    async def run():
        def storm():
            for number in range(4000):
                (root / "src" / f"{number}.py").write_text("y")

        async with watching_of(root, calm_s=0.3) as (_, told):
            await asyncio.to_thread(storm)
            paths = await told.of(*(f"src/{number}.py" for number in range(4000)))
            assert len(paths) == 4000
            assert len(told.portions) <= 5  # one, but for a machine that is so slow that it takes many seconds

    asyncio.run(run())


def test_changes_that_go_on_are_told_in_time(root):
    async def run():
        stop = threading.Event()

        def scribble():
            while not stop.is_set():
                (root / "src/log.txt").write_text("y")

        async with watching_of(root, calm_s=60.0, latest_s=0.3) as (_, told):
            writing = asyncio.create_task(asyncio.to_thread(scribble))
            try:
                await told.wait(lambda portions: len(portions) > 1)
            finally:
                stop.set()
                await writing

    asyncio.run(run())


def test_more_than_can_be_told_is_everything(root, monkeypatch):
    monkeypatch.setattr(watching, "MAX_PATHS", 10)

    async def run():
        async with watching_of(root) as (_, told):
            for number in range(20):
                (root / "src" / f"{number}.py").write_text("y")
            assert await told.wait(bool) == [EVERYWHERE]

    asyncio.run(run())


def test_what_the_kernel_lost_is_everything(root):
    async def run():
        async with watching_of(root) as (watcher, told):
            watcher._note(-1, watching._OVERFLOW, "")
            (root / "src/a.py").write_text("y")
            assert await told.wait(bool) == [EVERYWHERE]

    asyncio.run(run())


@pytest.mark.parametrize("how", ["deleted", "renamed"])
def test_a_root_that_goes_and_comes_again_is_watched_again(root, tmp_path, monkeypatch, how):
    monkeypatch.setattr(watching, "_ROOT_BACK_S", 0.05)

    async def run():
        async with watching_of(root) as (watcher, told):
            shutil.rmtree(root) if how == "deleted" else root.rename(tmp_path / "away")
            await told.wait(lambda portions: EVERYWHERE in portions)
            assert watcher.active
            assert not watcher.sees_root
            before = len(told.portions)
            (root / "src").mkdir(parents=True)
            await told.wait(lambda portions: len(portions) > before)
            assert told.portions[-1] is EVERYWHERE
            walk(watcher, root)
            (root / "src/again.py").write_text("y")
            await told.of("src/again.py")

    asyncio.run(run())


def test_a_root_that_is_not_there_yet(tmp_path, monkeypatch):
    monkeypatch.setattr(watching, "_ROOT_BACK_S", 0.05)

    async def run():
        async with watching_of(tmp_path / "later", walked=False) as (watcher, told):
            watcher.watch("")
            assert not watcher.sees_root
            watcher.seek()
            (tmp_path / "later").mkdir()
            assert await told.wait(bool) == [EVERYWHERE]

    asyncio.run(run())


@pytest.mark.parametrize("limit", [0, 2])
def test_too_few_watches_are_one_line_in_the_log(root, caplog, limit):
    async def run():
        with caplog.at_level(logging.INFO):
            async with watching_of(root, max_folders=limit) as (watcher, told):
                await asyncio.sleep(0)
                assert not watcher.active
                assert watcher.folders == 0
                walk(watcher, root)
                assert told.portions == []

    asyncio.run(run())
    why = f"there is room for {limit} watched folders, and not for all"
    told = f"a root is not watched, but looked at again when somebody asks: {why}"
    assert [record.message for record in caplog.records] == [told]


@pytest.mark.parametrize("error", [28, 24])  # no room for a watch, no room for another inotify
def test_a_system_that_refuses_is_one_line_in_the_log(root, caplog, monkeypatch, error):
    import inotify_simple

    def refuse(*_):
        raise OSError(error, os.strerror(error))

    monkeypatch.setattr(inotify_simple.INotify, "add_watch", refuse)
    if error == 24:
        monkeypatch.setattr(inotify_simple, "INotify", lambda **_: refuse())

    async def run():
        async with watching_of(root) as (watcher, _):
            await asyncio.sleep(0)
            assert not watcher.active

    asyncio.run(run())
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_where_there_is_no_inotify(root, caplog, monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")

    async def run():
        async with watching_of(root) as (watcher, _):
            assert not watcher.active

    asyncio.run(run())
    assert "this system has no inotify" in caplog.text


def test_no_more_than_its_share_of_the_users_watches(tmp_path, monkeypatch):
    (tmp_path / "limit").write_text("8192\n")
    monkeypatch.setattr(watching, "_LIMIT", tmp_path / "limit")
    assert watching._present_limit() == 4096
    monkeypatch.setattr(watching, "_LIMIT", tmp_path / "nothing")
    assert watching._present_limit() == sys.maxsize


def test_closed_it_gives_its_watches_back(root):
    def ours():
        return {n for n in os.listdir("/proc/self/fd") if "inotify" in os.path.realpath(f"/proc/self/fd/{n}")}

    async def run():
        before = ours()
        async with watching_of(root) as (watcher, told):
            assert len(ours() - before) == 1
            (root / "src/a.py").write_text("y")
        assert not watcher.active
        for thread in threading.enumerate():
            if thread.name == "unwatch":
                thread.join(10)
        assert not ours() - before
        watcher.watch("src")
        watcher.seek()
        assert told.portions == []

    asyncio.run(run())


def test_odd_names(root):
    async def run():
        async with watching_of(root) as (_, told):
            names = ["with blank.py", "umläut.py", os.fsdecode(b"\xff.py")]
            for name in names:
                (root / "src" / name).write_text("y")
            await told.of(*(f"src/{name}" for name in names))

    asyncio.run(run())
