"""One root of the daemon: whoever is cancelled in the middle of it, the index stays in order and can be used."""

import asyncio
import contextlib
import threading
from types import SimpleNamespace

import pytest
from indexes import setup
from lsp import run

from memcache_lsp import engine, glance, keeper, locking
from memcache_lsp.caches import Ground
from memcache_lsp.errors import LockedError, Stopped, UserError
from memcache_lsp.keeper import Keeper
from memcache_lsp.opened import Opened
from memcache_lsp.scopes import Scope


class Gate:
    """A step of the engine that waits, in its thread, until the test lets it go on."""

    def __init__(self, step):
        self._step = step
        self.reached = threading.Event()
        self.go_on = threading.Event()
        self.times = 0

    def __call__(self, *args, **kwargs):
        self.times += 1
        self.reached.set()
        assert self.go_on.wait(20)
        return self._step(*args, **kwargs)


@contextlib.asynccontextmanager
async def kept(root):
    it = Keeper(Ground(root), setup=setup, changed=lambda _: None)
    try:
        yield it
    finally:
        await it.close()


def search(it):
    return asyncio.create_task(it.search("retry", scope=Scope(), limit=1))


async def cancelled(task):
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_an_opening_outlives_who_asked_for_it(example, monkeypatch):
    """A project that nobody knows would hold its lock for ever."""
    gate = Gate(engine.open_project)
    monkeypatch.setattr(keeper, "open_project", gate)

    @run
    async def talk():
        async with kept(example) as it:
            first = search(it)
            await asyncio.to_thread(gate.reached.wait)
            await cancelled(first)
            assert not it.asleep
            second = search(it)
            gate.go_on.set()
            await second
            assert gate.times == 1
        assert locking.holder(engine.paths.index_dir(example)) is None

    talk()


def test_a_lock_whose_folder_is_deleted_while_it_is_waited_for_is_made_again(tmp_path, monkeypatch):
    folder = tmp_path / "index"
    acquire = locking.filelock.FileLock.acquire
    gone = []

    def acquiring(self, *args, **kwargs):
        if not gone:  # as its holder ends, who has deleted all
            gone.append(folder.rmdir())
        return acquire(self, *args, **kwargs)

    monkeypatch.setattr(locking.filelock.FileLock, "acquire", acquiring)
    with locking.held(folder, what="it", purpose="a test"):
        assert "a test" in locking.holder(folder)
    assert len(gone) == 1


def test_an_owner_that_has_removed_its_folder_leaves_the_next_owners_note(tmp_path):
    folder = tmp_path / "index"
    with locking.held(folder, what="it", purpose="the first"):
        locking.remove(folder)
        second = locking.held(folder, what="it", purpose="the second")
        second.__enter__()
    assert "the second" in locking.holder(folder)
    second.__exit__(None, None, None)
    assert locking.holder(folder) is None
    assert not (folder / "holder.json").exists()


def test_a_closing_that_is_cancelled_says_so_and_lets_the_lock_go(example, monkeypatch):
    gate = Gate(Keeper._bring_in_step)

    @run
    async def talk():
        it = Keeper(Ground(example), setup=setup, changed=lambda _: None)
        monkeypatch.setattr(it, "_bring_in_step", lambda *args: gate(it, *args))
        it.start()
        await asyncio.to_thread(gate.reached.wait)
        closing = asyncio.create_task(it.close())
        await asyncio.sleep(0)  # it waits for the task now
        closing.cancel()
        gate.go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await closing
        assert locking.holder(engine.paths.index_dir(example)) is None

    talk()


def test_it_is_calm_once_nobody_is_at_work_or_something_else_is_to_be_done():
    async def goes():
        pass

    @run
    async def talk():
        index = Opened(lambda _: None, came=lambda *_: None, goes=goes, idle_s=60)
        never, now = asyncio.Event(), asyncio.Event()
        now.set()
        async with index.use():
            waiting = asyncio.create_task(index.calm(0.01, at_most_s=60, unless=never))
            assert await asyncio.wait([waiting], timeout=0.05) == (set(), {waiting})
            await index.calm(60, at_most_s=60, unless=now)
            await index.calm(60, at_most_s=0.01, unless=never)  # a search that hangs holds it up for so long only
        await waiting
        index.close()

    talk()


def test_a_keeper_closed_while_it_opens_lets_go(example, monkeypatch):
    gate = Gate(engine.open_project)
    monkeypatch.setattr(keeper, "open_project", gate)

    @run
    async def talk():
        async with kept(example) as it:
            it.start()
            await asyncio.to_thread(gate.reached.wait)
            assert not it.asleep
            closing = asyncio.create_task(it.close())
            await asyncio.sleep(0)
            gate.go_on.set()
            await closing
            with pytest.raises(Stopped):
                await search(it)
        assert locking.holder(engine.paths.index_dir(example)) is None

    talk()


def test_a_rebuild_outlives_who_asked_for_it(example):
    gate = Gate(lambda: None)

    @run
    async def talk():
        async with kept(example) as it:
            it.pause()
            await search(it)
            it._updating.crew = SimpleNamespace(close=gate)  # one that takes its time to end
            rebuilding = asyncio.create_task(it.rebuild())
            await asyncio.to_thread(gate.reached.wait)
            await cancelled(rebuilding)
            gate.go_on.set()
            await search(it)
        assert locking.holder(engine.paths.index_dir(example)) is None

    talk()


def test_status_does_not_wait_for_an_opening(example, monkeypatch):
    gate = Gate(engine.open_project)
    monkeypatch.setattr(keeper, "open_project", gate)

    @run
    async def talk():
        async with kept(example) as it:
            searching = search(it)
            await asyncio.to_thread(gate.reached.wait)
            assert await it.status() is None
            gate.go_on.set()
            await searching

    talk()


def test_all_who_wait_for_a_lock_that_is_held_are_told_at_once(example, monkeypatch):
    tries = []

    def locked(*_args, **_kwargs):
        tries.append(1)
        raise LockedError("The index is in use.")

    gate = Gate(locked)
    monkeypatch.setattr(keeper, "open_project", gate)

    @run
    async def talk():
        async with kept(example) as it:
            searches = [search(it) for _ in range(20)]
            await asyncio.to_thread(gate.reached.wait)
            gate.go_on.set()
            answers = await asyncio.gather(*searches, return_exceptions=True)
            assert {type(answer) for answer in answers} == {LockedError}
            assert len(tries) == 1

    talk()


def test_a_search_that_waits_for_the_opening_outlives_a_rebuild(example, monkeypatch):
    gate = Gate(engine.open_project)
    monkeypatch.setattr(keeper, "open_project", gate)

    @run
    async def talk():
        async with kept(example) as it:
            searches = [search(it) for _ in range(5)]
            await asyncio.to_thread(gate.reached.wait)
            rebuilding = asyncio.create_task(it.rebuild())
            await asyncio.sleep(0)
            gate.go_on.set()
            await asyncio.gather(*searches, rebuilding)

    talk()


def test_an_update_of_a_closed_project_stops(example):
    project = engine.open_project(setup(example), purpose="a test")
    project.close()
    with pytest.raises(Stopped):
        project.update()


def test_many_who_ask_for_the_status_share_a_look(example, monkeypatch):
    gate = Gate(glance.read_status)
    monkeypatch.setattr(glance, "read_status", gate)

    @run
    async def talk():
        look = glance.Glance(example)
        first = asyncio.create_task(look.status(age_s=0, wait=True))
        await asyncio.to_thread(gate.reached.wait)
        more = [asyncio.create_task(look.status(age_s=0, wait=True)) for _ in range(50)]
        await asyncio.sleep(0)
        gate.go_on.set()
        await asyncio.gather(first, *more)
        assert gate.times == 1
        await look.status(age_s=1000, wait=True)
        assert gate.times == 1
        await look.status(age_s=0, wait=True)
        assert gate.times == 2
        look.forget()
        await look.status(age_s=float("inf"), wait=False)
        assert gate.times == 3
        look.close()

    talk()


def test_a_look_that_began_before_a_change_is_none_for_who_asks_after_it(example, monkeypatch):
    gate = Gate(lambda _root, _part, is_real: f"look {gate.times}")
    monkeypatch.setattr(glance, "read_status", gate)

    @run
    async def talk():
        look = glance.Glance(example)
        first = asyncio.create_task(look.status(age_s=0, wait=True))
        await asyncio.to_thread(gate.reached.wait)
        look.forget()
        after = asyncio.create_task(look.status(age_s=1000, wait=False))
        await asyncio.sleep(0)
        gate.go_on.set()
        assert await asyncio.gather(first, after) == ["look 2", "look 2"]
        assert gate.times == 2
        look.close()

    talk()


@pytest.mark.parametrize("name", ["no-folder", "README.md"])
def test_what_is_no_folder_leaves_nothing_behind(example, name):
    @run
    async def talk():
        async with kept(example / name) as it:
            with pytest.raises(UserError, match="folder"):
                await search(it)
        assert not engine.paths.index_dir(example / name).exists()

    talk()
