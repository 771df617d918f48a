"""Measure how soon the model is at rest after a cancel, while the prompt is read and while tokens stream.

    python bench/cancel.py MODEL.gguf [--times 100]

Each time a task that consumes an answer is cancelled at a random moment. Printed are the milliseconds until the task
is free, until the model's process says that nothing computes any more (or has been killed), and how many were killed.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from memcache_lsp.events import Delta, Event, Stage
from memcache_lsp.values import Hit, Span
from memcache_lsp.workers.model import ModelWorker

LINE = "    courier.carry(parcel, to=door, before=evening)  # and wait there for an answer\n"
BOUND_MS = 500
LONGEST_WAIT_S = 0.4  # several batches of reading, tens of tokens of writing


@dataclass(frozen=True, slots=True)
class Cancel:
    """One cancel: what it took, and whether the process had to be killed."""

    free_ms: float
    rest_ms: float
    killed: bool


def hits_of(number: int, lines: int) -> list[Hit]:
    """Return evidence that no earlier prompt began with."""
    text = f"def deliver_{number}(parcel):\n" + LINE * lines
    return [
        Hit(f"src/m{n}.py", Span(0, len(text), 1, lines + 1), text, "function", "", "python", (), 1.0) for n in range(6)
    ]


async def cancel_once(worker: ModelWorker, number: int, *, writing: bool, wait_s: float) -> Cancel | None:
    """Cancel an answer some time after it began to read or to write; None where it was over, or beyond that, by then."""
    began = asyncio.Event()
    last: list[Event] = []
    hits = hits_of(0, 1) if writing else hits_of(number, 40)  # the same prompt again is not read again

    async def consume() -> None:
        async for event in worker.answer("What is carried where?", hits, found=len(hits), max_tokens=400):
            last[:] = [event]
            if isinstance(event, Delta if writing else Stage):
                began.set()

    task = asyncio.create_task(consume())
    await began.wait()
    await asyncio.sleep(wait_s)
    if task.done() or not isinstance(last[0], Delta if writing else Stage):
        await task
        return None
    pid = worker.pid
    asked = time.perf_counter()
    task.cancel()
    await asyncio.wait([task])
    free = time.perf_counter()
    await worker.settled()
    rest = time.perf_counter()
    return Cancel((free - asked) * 1000, (rest - asked) * 1000, worker.pid != pid)


def row(name: str, values: list[float]) -> str:
    values = sorted(values)
    p50, p95 = (values[min(len(values) - 1, int(len(values) * share))] for share in (0.5, 0.95))
    return f"{name:34} {p50:8.1f} {p95:8.1f} {values[-1]:8.1f}"


async def measure(model: Path, times: int) -> bool:
    """Print the table; tell whether every cancel was within bounds."""
    dice = random.Random(1)
    worker = ModelWorker()
    number = 0
    good = True
    print(f"{'milliseconds':34} {'p50':>8} {'p95':>8} {'max':>8}")
    try:
        await worker.load(model)
        for writing in (False, True):
            cancels: list[Cancel] = []
            while len(cancels) < times:
                number += 1
                wait_s = dice.uniform(0, LONGEST_WAIT_S)
                cancel = await cancel_once(worker, number, writing=writing, wait_s=wait_s)
                cancels += [cancel] if cancel else []
            doing = "writing" if writing else "reading"
            print(row(f"{doing}: the request is free", [cancel.free_ms for cancel in cancels]))
            print(row(f"{doing}: the model is at rest", [cancel.rest_ms for cancel in cancels]))
            within = sum(cancel.rest_ms < BOUND_MS for cancel in cancels)
            killed = sum(cancel.killed for cancel in cancels)
            print(f"{doing}: {within} of {times} at rest within {BOUND_MS} ms, {killed} by the kill")
            good = good and within == times
    finally:
        await worker.close()
    return good


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--times", type=int, default=100)
    arguments = parser.parse_args()
    if not asyncio.run(measure(arguments.model, arguments.times)):
        sys.exit(1)


if __name__ == "__main__":
    main()
