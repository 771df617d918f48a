"""The engine behind all sessions, where several of them want something at the same moment."""

import asyncio
from pathlib import Path

from indexes import setup
from lsp import run

from memcache_lsp import finding
from memcache_lsp.config import UserSettings
from memcache_lsp.hub import Hub
from memcache_lsp.protocol.spec import SearchParams
from memcache_lsp.session.backend import SessionInfo
from memcache_lsp.session.settings import SessionSettings
from memcache_lsp.values import Hit, Span


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
