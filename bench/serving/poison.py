"""Measure a healthy project beside two whose files stall and crash their index workers, against the same without."""

from __future__ import annotations

import asyncio
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from serving.editor import Asked, Editor
from serving.figures import Figure, quantile
from serving.home import Home
from serving.poisoned import CRASH, STALL
from serving.projects import fill, questions

FILES = 1000
SEARCHES, ANSWERS = 200, 4
POISON_FILES = 40
MOST = 2.0


@dataclass(frozen=True, slots=True)
class Times:
    """What the healthy project took."""

    index_s: float
    search_ms: list[float]
    answer_s: float


async def measure(*, scratch: Path, model: Path, corpus: Path | None) -> list[Figure]:
    """Return the part's figures."""
    root = fill(scratch / "project", FILES, corpus)
    sick = [poisoned(scratch, name) for name in (STALL, CRASH)]
    healthy = await times(model, root, [])
    beside = await times(model, root, sick)
    p95, p95_beside = quantile(healthy.search_ms, 0.95), quantile(beside.search_ms, 0.95)
    return [
        Figure("a search, p95", p95, "ms"),
        Figure("a search beside poisoned projects, p95", p95_beside, "ms"),
        Figure("ratio of these", p95_beside / p95, "", MOST),
        Figure("indexing", healthy.index_s, "s"),
        Figure("indexing beside poisoned projects, of that", beside.index_s / healthy.index_s, "", MOST),
        Figure("an answer", healthy.answer_s, "s"),
        Figure("an answer beside poisoned projects, of that", beside.answer_s / healthy.answer_s, "", MOST),
    ]


def poisoned(scratch: Path, name: str) -> Path:
    """Make a project of files that poison, more than can be given up in the time of measuring, and of one that does not."""
    folder = scratch / name
    folder.mkdir()
    for number in range(POISON_FILES):
        (folder / f"{name}-{number:02}.py").write_text(f"def poison_{number}():\n    return {number}\n")
    (folder / "z_sound.py").write_text("def sound():\n    return 'sound'\n")
    return folder


async def times(model: Path, root: Path, sick: list[Path]) -> Times:
    """Measure the healthy project in a home of its own, beside the sick ones."""
    with Home(model) as home:
        home.start(sys.executable, "-P", "-m", "serving.poisoned")
        others = [await Editor.open(home, folder) for folder in sick]
        for _ in others:
            await asyncio.sleep(1.5)  # the workers are at their first file by then
        began = time.perf_counter()
        editor = await Editor.open(home, root)
        await editor.settled()
        index_s = time.perf_counter() - began
        asked = questions(root, SEARCHES)
        search_ms = []
        for question in asked:
            reply = editor.begin("memcache/search", {"query": question})
            await reply.result()
            search_ms.append(reply.took_ms)
        await Asked(editor, asked[0]).reply.result()  # loads the model
        began = time.perf_counter()
        for question in asked[1 : ANSWERS + 1]:
            await Asked(editor, question).reply.result()
        answer_s = (time.perf_counter() - began) / ANSWERS
        for other in others:
            assert not (await other.status())["quiescent"], "the poison was used up before the end"
        await asyncio.gather(*(each.leave() for each in (editor, *others)))
    return Times(index_s, search_ms, answer_s)
