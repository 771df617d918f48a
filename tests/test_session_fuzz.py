"""Frames of every wrong kind: each id of a well-framed request is answered exactly once, and nobody dies of it."""

import asyncio
import importlib
import logging
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from lsp import pair, run
from session_backend import FakeBackend

from memcache_lsp.session import framing
from memcache_lsp.session.session import serve

BENCH = Path(__file__).parent.parent / "bench"


@pytest.fixture
def fuzz(monkeypatch):
    monkeypatch.syspath_prepend(BENCH)
    return importlib.import_module("fuzz")


@pytest.mark.parametrize("seed", range(4))
@run
async def test_every_id_is_answered_exactly_once(seed, fuzz, monkeypatch, caplog):
    monkeypatch.setattr(framing, "MAX_FRAME_BYTES", 1_000_000)
    monkeypatch.setattr(importlib.import_module("frames"), "HUGE_BYTES", 3_000_000)
    caplog.set_level(logging.WARNING)
    backends = []

    @asynccontextmanager
    async def connect():
        backend = FakeBackend()
        backends.append(backend)
        async with pair() as (near, far):
            served = asyncio.create_task(serve(*far, backend))
            yield near
            near[1].close()
            await served

    report = await fuzz.fuzz(connect, frames=1500, seed=seed, root="file:///project", huge=1)
    assert report.wrong == []
    assert report.frames == 1500
    assert {"valid", "malformed", "huge", "batch", "unparsable", "odd headers"} <= set(report.by_kind)
    assert all(len(each.told("open_session")) == len(each.told("close_session")) for each in backends)
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


@run
async def test_the_fuzzer_sees_a_missing_and_a_doubled_answer(fuzz, monkeypatch):
    class Swallowing:
        def __init__(self, writer):
            self._writer = writer
            self.transport = writer.transport
            self.count = 0

        def write(self, data):
            self.count += 1
            self._writer.write(data * (2 if self.count == 5 else 1))

        def close(self):
            self._writer.close()

        async def wait_closed(self):
            await self._writer.wait_closed()

    @asynccontextmanager
    async def connect():
        async with pair() as (near, (reader, writer)):
            served = asyncio.create_task(serve(reader, Swallowing(writer), FakeBackend()))
            yield near
            near[1].close()
            await served

    report = await fuzz.fuzz(connect, frames=300, seed=1, root="file:///project")
    assert report.wrong
