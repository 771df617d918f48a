"""Measure `$/cancelRequest` through front and daemon: how soon it is answered, and how soon the model is at rest.

At rest is when the threads of the model's process have stopped running, as the system tells, or it has been killed.
"""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import dataclass
from pathlib import Path

from serving.editor import CANCELLED, Asked, Editor, Refused
from serving.figures import Figure, spread
from serving.home import Home, Process
from serving.projects import fill, questions

FILES = 400
TIMES = 50
ANSWER_MS, REST_MS = 50, 500
LONGEST_WAIT_S = 0.4  # several batches of reading, tens of tokens of writing
_LOOK_S = 0.005
_STILL = 12  # looks in a row without running
_STIR_NS = 500_000  # what a thread that waits may run between two looks


@dataclass(frozen=True, slots=True)
class Cancel:
    """One cancel and what it took."""

    answer_ms: float
    rest_ms: float
    refused: bool  # with the code that is due
    killed: bool


async def measure(*, scratch: Path, model: Path, corpus: Path | None) -> list[Figure]:
    """Return the part's figures."""
    root = fill(scratch / "project", FILES, corpus)
    dice = random.Random(1)
    figures: list[Figure] = []
    with Home(model) as home:
        editor = await Editor.open(home, root)
        await editor.settled()
        await Asked(editor, "What is this?").reply.result()  # loads the model
        texts = iter(questions(root, 20 * TIMES))
        good = 0
        for stage, doing in (("reading", "the prompt is read"), ("writing", "tokens stream")):
            cancels: list[Cancel] = []
            question = next(texts)
            while len(cancels) < TIMES:
                question = next(texts) if stage == "reading" else question  # one that was read is not read again
                cancel = await cancel_once(home, editor, question, stage=stage, wait_s=dice.uniform(0, LONGEST_WAIT_S))
                if cancel is None:
                    question = next(texts)  # too short to be met in time
                else:
                    cancels.append(cancel)
            figures += spread(
                f"answered while {doing}",
                [c.answer_ms for c in cancels],
                limits={"max": ANSWER_MS},
                shown=("p50", "p95", "max"),
            )
            figures += spread(
                f"at rest while {doing}",
                [c.rest_ms for c in cancels],
                limits={"max": REST_MS},
                shown=("p50", "p95", "max"),
            )
            figures.append(Figure(f"killed while {doing}", sum(c.killed for c in cancels), f"of {TIMES}"))
            good += sum(c.refused and c.answer_ms < ANSWER_MS and c.rest_ms < REST_MS for c in cancels)
        await editor.leave()
    return [*figures, Figure("cancels as they should be", good, f"of {2 * TIMES}", 2 * TIMES, at_least=True)]  # fmt: skip


async def cancel_once(home: Home, editor: Editor, question: str, *, stage: str, wait_s: float) -> Cancel | None:
    """Ask and cancel some time after a stage has begun; None where the question was beyond it by then."""
    asked = Asked(editor, question)
    kinds = ("reading",) if stage == "reading" else ("writing", "delta", "citation")
    await asked.reaches(*kinds)
    await asyncio.sleep(wait_s)
    last = asked.last or {}
    if asked.reply.done or (last.get("stage") or last["type"]) not in kinds:
        editor.cancel(asked.reply)
        await outcome(asked)
        return None
    model = home.one("model worker")
    sent = time.perf_counter()
    editor.cancel(asked.reply)
    rest = asyncio.create_task(rest_at(model))
    refused = await outcome(asked) == CANCELLED
    killed, at = await rest
    return Cancel(1000 * (asked.reply.came - sent), 1000 * (at - sent), refused, killed)


async def outcome(asked: Asked) -> int | None:
    """Return the code that the question was refused with, None where it was answered."""
    try:
        await asked.reply.result()
    except Refused as error:
        return error.code
    return None


async def rest_at(model: Process) -> tuple[bool, float]:
    """Watch a process until it runs no more; tell whether it is gone, and since when it rests."""
    ran, still, since = model.running_ns(), 0, time.perf_counter()
    while still < _STILL:
        await asyncio.sleep(_LOOK_S)
        now = model.running_ns()
        if now is None:
            return True, time.perf_counter()
        if ran is not None and now - ran > _STIR_NS:
            since, still = time.perf_counter(), 0
        else:
            still += 1
        ran = now
    return False, since
