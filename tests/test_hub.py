"""The engine behind all sessions, where several of them want something at the same moment."""

import asyncio
from pathlib import Path

import pytest
from indexes import WorkerHere, setup
from lsp import run

from memcache_lsp import finding, telling, updating
from memcache_lsp.config import UserSettings
from memcache_lsp.hub import Hub
from memcache_lsp.protocol.spec import DidChangeStatusParams, IndexParams, SearchParams, StatusParams
from memcache_lsp.session.backend import SessionInfo
from memcache_lsp.session.settings import SessionSettings
from memcache_lsp.values import Hit, Span


@pytest.fixture(autouse=True)
def _worker(monkeypatch):
    """Index in this process: the worker's own is tested elsewhere."""
    monkeypatch.setattr(updating, "IndexWorker", WorkerHere)


def info(number, *roots):
    return SessionInfo(number, "a test", roots, SessionSettings(index_on_start=False))


def test_sessions_that_begin_at_once_forget_the_same_roots(tmp_path):
    roots = [tmp_path / f"r{number}" for number in range(4)]
    for root in roots:
        root.mkdir()

    @run
    async def talk():
        hub = Hub(user=UserSettings, setup=setup, mode="daemon")
        await hub.open_session(info(1, *roots))
        await hub.close_session(1)
        await asyncio.gather(*(hub.open_session(info(number, tmp_path)) for number in range(2, 6)))
        assert hub.sessions == 4
        await hub.close()

    talk()


def test_the_search_of_one_session_comes_between_those_of_another(example):
    @run
    async def talk():
        hub = Hub(user=UserSettings, setup=setup, mode="daemon")
        root = example.resolve()
        await hub.open_session(info(1, root))
        await hub.open_session(info(2, root))
        ended = []

        async def search(session, number):
            await hub.search(session, SearchParams(query="retry", limit=1))
            ended.append((session, number))

        flood = [asyncio.create_task(search(1, number)) for number in range(50)]
        await asyncio.sleep(0)
        await asyncio.gather(search(2, 0), *flood)
        assert ended.index((2, 0)) < 10
        assert [number for session, number in ended if session == 1] == list(range(50))
        await hub.close()

    talk()


def test_each_file_has_its_first_place_before_any_has_a_second():
    one, other = Path("/one"), Path("/other")
    found = [
        (root, hit(path, score))
        for root, path, score in (
            (one, "a.py", 5.0), (one, "b.py", 3.0), (one, "a.py", 4.0), (one, "b.py", 1.0),
            (other, "a.py", 4.5), (other, "c.py", 2.0), (other, "a.py", 4.4),
        )
    ]  # fmt: skip
    assert [(root.name, found.path, found.score) for root, found in finding.places_first(found)] == [
        ("one", "a.py", 5.0), ("other", "a.py", 4.5), ("one", "b.py", 3.0), ("other", "c.py", 2.0),
        ("other", "a.py", 4.4), ("one", "a.py", 4.0), ("one", "b.py", 1.0),
    ]  # fmt: skip


def hit(path, score):
    return Hit(path, Span(0, 1, 1, 1), "x", "function", "", "python", (), score)


def listening(hub, number):
    """Return what a session is told of health from now on."""
    heard = []
    hub.subscribe(number, lambda news: heard.append(news) if isinstance(news, DidChangeStatusParams) else None)
    return heard


async def until(true):
    async with asyncio.timeout(20):
        while not true():
            await asyncio.sleep(0.005)


def test_a_session_is_told_of_what_lasts_and_never_twice_the_same(example, monkeypatch):
    monkeypatch.setattr(telling, "LASTS_S", 0.0)

    @run
    async def talk():
        hub = Hub(user=UserSettings, setup=setup, mode="daemon")
        heard = listening(hub, 1)
        await hub.open_session(SessionInfo(1, "a test", (example,), SessionSettings()))
        await until(lambda: heard and heard[-1].quiescent)
        assert [each.quiescent for each in heard] == [False, True]
        monkeypatch.setattr(telling, "LASTS_S", 60.0)
        (it,) = hub._holding
        for number in range(4):
            report = it.report
            (example / "zebra.py").write_text(f"def zebra_crossing():\n    return {number}\n")
            await hub.index(1, IndexParams(action="start"))
            await until(lambda report=report: it.in_step and it.report is not report)
        assert len(heard) == 2
        await hub.close()

    talk()


def test_a_rebuild_is_answered_with_the_state_it_leads_to(example):
    @run
    async def talk():
        hub = Hub(user=UserSettings, setup=setup, mode="daemon")
        await hub.open_session(SessionInfo(1, "a test", (example,), SessionSettings()))
        (it,) = hub._holding
        await until(lambda: it.in_step)
        for action, state in (("rebuild", "indexing"), ("pause", "paused"), ("resume", "indexing")):
            told = await hub.index(1, IndexParams(action=action))
            assert [root.state for root in told.roots] == [state]
        await hub.close()

    talk()


def test_settings_that_come_late_begin_the_indexing_and_folders_that_change_do_not_begin_it_again(example, tmp_path):
    (tmp_path / "other").mkdir()

    @run
    async def talk():
        hub = Hub(user=UserSettings, setup=setup, mode="daemon")
        await hub.open_session(info(1, example))
        (it,) = hub._holding
        assert not it.wanted
        hub.settings_changed(1, SessionSettings())
        assert it.wanted
        await hub.index(1, IndexParams(action="cancel"))
        await until(lambda: it.quiescent)
        await hub.set_roots(1, [example, tmp_path / "other"])
        assert not it.wanted
        await hub.close()

    talk()


def test_roots_that_nobody_has_any_more_are_forgotten_once_they_are_idle(example, tmp_path):
    @run
    async def talk():
        hub = Hub(user=UserSettings, setup=setup, mode="daemon", idle_s=0.05)
        (tmp_path / "plain").touch()
        await hub.open_session(SessionInfo(1, "a test", (example, tmp_path / "plain"), SessionSettings()))
        await until(lambda: all(it.quiescent for it in hub._holding))
        assert len(hub._holding.keepers) == 2
        await hub.close_session(1)
        await until(lambda: not hub._holding.keepers)
        await hub.close()

    talk()


def test_the_status_tells_which_session_asks(tmp_path):
    @run
    async def talk():
        hub = Hub(user=UserSettings, setup=setup, mode="daemon")
        for number in (1, 2, 3):
            await hub.open_session(info(number, tmp_path))
        told = await hub.status(2, StatusParams())
        assert {session.id: session.own for session in told.sessions} == {1: False, 2: True, 3: False}
        await hub.close()

    talk()
