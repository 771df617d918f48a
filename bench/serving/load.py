"""Measure round trips of `memcache/status` while 5,000 files are being indexed and a question is answered.

Whether both go on is read from the status itself. The engine lets indexing wait while it answers, but for the batch that is
in the worker's hands.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from serving.editor import Asked, Editor, Refused, Reply
from serving.figures import Figure, spread
from serving.home import Home
from serving.projects import copied, fill

FILES, SPARE = 5000, 500  # some that were chosen are left out by the scan
LIMIT_MS = 50
PERIOD_S = 0.05  # between two requests, however long the answers take
WINDOW_S = 45.0
ANSWER_TOKENS = 128
LEAST_SAMPLES = 300
QUESTIONS = (
    "What happens to a parcel that fails too often?",
    "How are routes planned between depots?",
    "Where is the rate limit set, and what does it count?",
    "How are errors told to the one who asked?",
    "Which parts of the service write to the disk?",
)


@dataclass(frozen=True, slots=True)
class Sample:
    """One round trip, and what the server said it was at."""

    took_ms: float
    at: float
    done: int  # files
    total: int
    indexing: bool
    answering: bool


async def measure(*, scratch: Path, model: Path, corpus: Path | None) -> list[Figure]:
    """Return the part's figures."""
    root, small = fill(scratch / "project", FILES + SPARE, corpus), copied(scratch)
    with Home(model) as home:
        alone = await indexing_alone(home, root)
    with Home(model) as home:
        both, speed_alone, speeds = await indexing_and_answering(home, root, small)
    together = [s for s in both if s.indexing and s.answering]
    shown = ("p50", "p95", "p99", "max")
    limits = {"p99": LIMIT_MS}
    return [
        Figure("files being indexed", min(alone[-1].total, max(s.total for s in both)), "", FILES, at_least=True),
        *spread("status while it indexes", [s.took_ms for s in alone], limits=limits, shown=shown),
        Figure("round trips while it indexes and answers", len(together), "", LEAST_SAMPLES, at_least=True),
        *spread("status while it indexes and answers", [s.took_ms for s in together], limits=limits, shown=shown),
        Figure("tokens/s of answers while indexing waits, of those alone", sum(speeds) / len(speeds) / speed_alone, ""),
        Figure("files/s while it answers, of those alone", files_per_s(together) / files_per_s(alone), ""),
    ]  # fmt: skip


async def indexing_alone(home: Home, root: Path) -> list[Sample]:
    """Sample the status from the session's start until the index is made."""
    editor = await Editor.open(home, root)
    sampler = Sampler(editor)
    await editor.settled()
    samples = [sample for sample in await sampler.stop() if sample.indexing]
    await editor.leave()
    return samples


async def indexing_and_answering(home: Home, root: Path, small: Path) -> tuple[list[Sample], float, list[float]]:
    """Sample the status of a project being indexed while questions about another are answered all the time."""
    asker = await Editor.open(home, small, answer_tokens=ANSWER_TOKENS)
    await asker.settled()
    await tokens_per_s(asker, QUESTIONS[0])  # loads the model
    watched = Sampler(asker)  # so that to be watched costs both alike
    alone = sum([await tokens_per_s(asker, question) for question in QUESTIONS[1:3]]) / 2
    await watched.stop()
    first = Asked(asker, QUESTIONS[3])
    await first.reaches("reading")
    editor = await Editor.open(home, root)
    sampler = Sampler(editor)
    speeds = [speed_of(await first.reply.result(), first)]
    until, number = time.monotonic() + WINDOW_S, 0
    while (len(speeds) < 2 or time.monotonic() < until) and not (await editor.status())["quiescent"]:
        speeds.append(await tokens_per_s(asker, f"{QUESTIONS[number % len(QUESTIONS)]} ({number})", until=until))
        number += 1
    samples = await sampler.stop()
    await asyncio.gather(asker.leave(), editor.leave())
    return samples, alone, [speed for speed in speeds if speed > 0]


async def tokens_per_s(editor: Editor, question: str, *, until: float = float("inf")) -> float:
    """Ask and return how fast the answer was written; 0 where it was taken back at a time, or shorter than a line."""
    asked = Asked(editor, question)
    left_s = min(600.0, until - time.monotonic())
    try:
        async with asyncio.timeout(left_s):
            result = await asked.reply.result()
    except TimeoutError:
        editor.cancel(asked.reply)
        try:
            await asked.reply.result()
        except Refused:
            return 0.0
    return speed_of(result, asked)


def speed_of(result: dict[str, Any], asked: Asked) -> float:
    """Return the tokens a second from the first piece of the text to the last."""
    at = [at for at, value in asked.events if value["type"] == "delta"]
    tokens = result["usage"]["answerTokens"]
    return (tokens - 1) / (at[-1] - at[0]) if tokens > 10 else 0.0


def files_per_s(samples: list[Sample]) -> float:
    """Return how fast files were done between the first sample and the last."""
    return (samples[-1].done - samples[0].done) / (samples[-1].at - samples[0].at)


class Sampler:
    """Ask for the status at a fixed beat, so that one slow answer hides no other."""

    def __init__(self, editor: Editor) -> None:
        self._editor = editor
        self._replies: list[Reply] = []
        self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        due = time.perf_counter()
        while True:
            self._replies.append(self._editor.begin("memcache/status", {}))
            due = max(due + PERIOD_S, time.perf_counter())
            await asyncio.sleep(due - time.perf_counter())

    async def stop(self) -> list[Sample]:
        """End, and return what was seen."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        return [sample(await reply.result(), reply) for reply in self._replies]


def sample(status: dict[str, Any], reply: Reply) -> Sample:
    """Read a status."""
    root, model = status["roots"][0], status.get("model") or {}
    return Sample(
        took_ms=reply.took_ms,
        at=reply.sent,
        done=root["files"]["done"],
        total=root["files"]["total"],
        indexing=root["state"] == "indexing",
        answering=model.get("state") == "answering",
    )
