"""Measure the daemon after nobody has asked for a minute, with two editors open on a project of 20,000 chunks."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from serving.editor import Asked, Editor
from serving.figures import Figure
from serving.home import Home
from serving.projects import fill, questions

FILES = 4000
CLOSED_S = 66.0  # a minute, and what it takes to close
RESIDENT_MB = 150
WATCHED_S = 30.0
CPU_S = 0.05  # of half a minute


async def measure(*, scratch: Path, model: Path, corpus: Path | None) -> list[Figure]:
    """Return the part's figures."""
    root = fill(scratch / "project", FILES, corpus)
    with Home(model) as home:
        editors = [await Editor.open(home, root) for _ in range(2)]
        chunks = (await editors[0].settled())["roots"][0]["chunks"]
        await Asked(editors[0], questions(root, 1)[0]).reply.result()
        for question in questions(root, 20):
            await editors[1].call("memcache/search", {"query": question})
        asked_at = time.monotonic()
        daemon = home.one("daemon")
        busy_mb = daemon.resident_mb()
        while (held := daemon.opened(home.indexes)) and time.monotonic() - asked_at < 3 * CLOSED_S:
            await asyncio.sleep(0.5)
        closed_s = time.monotonic() - asked_at
        await asyncio.sleep(2)
        resident_mb = daemon.resident_mb()
        before = {process: process.cpu_s() for process in home.processes()}
        await asyncio.sleep(WATCHED_S)
        after = {process: process.cpu_s() for process in home.processes()}
        held += daemon.opened(home.indexes)
        began = time.perf_counter()
        await editors[0].call("memcache/search", {"query": questions(root, 1)[0]})
        again_ms = 1000 * (time.perf_counter() - began)
        await asyncio.gather(*(editor.leave() for editor in editors))
    total = sum(cpu - before.get(process, 0.0) for process, cpu in after.items())
    return [
        Figure("chunks in the index", chunks, ""),
        Figure("daemon before", busy_mb, "MB"),
        Figure("from the last request until the store is closed", closed_s, "s", CLOSED_S),
        Figure("files of the index that are open then", len(held), "", 1),
        Figure("daemon idle, resident", resident_mb, "MB", RESIDENT_MB),
        Figure(f"daemon's CPU in {WATCHED_S:g} s", after[daemon] - before[daemon], "s", CPU_S),
        Figure(f"CPU of all processes in {WATCHED_S:g} s", total, "s", CPU_S),
        Figure("the first search after it", again_ms, "ms"),
    ]
