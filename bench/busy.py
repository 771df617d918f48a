"""Measure what an answer keeps of its speed beside processes of normal priority that are busy all the time.

    python bench/busy.py MODEL.gguf [--pairs 7] [--loops 2] [--threads N] [--check]

Pair by pair: one thread on the machine as it is, then the model as it comes (or N threads) beside LOOPS busy loops, then
the model as it comes without them. Printed are tokens a second, read and written, and the median of each pair's ratio
to the single thread. With --check the exit code is 1 where an answer beside the loops has less than half of it.
"""

from __future__ import annotations

import argparse
import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from memcache_lsp.generation import LlamaGenerator, load
from memcache_lsp.generator import Finished, StopFlag
from memcache_lsp.prompt import Message

BOUND = 0.5
_EVIDENCE = "The courier carries a parcel to its door and waits there for an answer. " * 16
_TOKENS = 48
_LOOP = "print(flush=True)\nwhile True: pass"


@dataclass(frozen=True, slots=True)
class Speed:
    """Tokens a second, of the prompt, of the answer, and of both together."""

    read: float
    written: float
    whole: float


@contextlib.contextmanager
def busy(loops: int) -> Iterator[None]:
    """Keep so many processes busy."""
    running = [subprocess.Popen([sys.executable, "-c", _LOOP], stdout=subprocess.PIPE) for _ in range(loops)]
    for process in running:
        assert process.stdout is not None
        process.stdout.readline()
    time.sleep(0.3)  # for the kernel to spread them
    try:
        yield
    finally:
        for process in running:
            process.kill()
            process.communicate()


def answer(model: LlamaGenerator, number: int) -> Speed:
    """Read a prompt that begins like none before, and write."""
    messages = (Message("user", f"Case {number}. {_EVIDENCE}\nTell at length what the courier does, and why."),)
    done = [
        step for step in model.generate(messages, max_tokens=_TOKENS, stop=StopFlag()) if isinstance(step, Finished)
    ]
    finished = done[0]
    tokens = finished.prompt_tokens - finished.reused_tokens
    return Speed(
        tokens / finished.read_s,
        finished.answer_tokens / finished.write_s,
        (tokens + finished.answer_tokens) / (finished.read_s + finished.write_s),
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--loops", type=int, default=2)
    parser.add_argument("--threads", type=int, help="of the model that is measured; by default it chooses")
    parser.add_argument("--check", action="store_true")
    args = parser.parse_args()
    single, quiet, beside = [], [], []
    with (
        load(args.model, context_tokens=1024, threads=1) as one,
        load(args.model, context_tokens=1024, threads=args.threads) as chosen,
    ):
        for number in range(args.pairs + 1):  # the first one warms up
            single.append(answer(one, number))
            with busy(args.loops):
                beside.append(answer(chosen, number))
            quiet.append(answer(chosen, 1000 + number))
    ratios = {}
    for name, speeds in (("one thread", single), ("chosen", quiet), (f"beside {args.loops}", beside)):
        kept = list(zip(speeds, single, strict=True))[1:]
        parts = []
        for part in ("read", "written", "whole"):
            ratio = median(getattr(each, part) / getattr(base, part) for each, base in kept)
            ratios[name, part] = ratio
            parts.append(f"{part} {median(getattr(each, part) for each, _ in kept):6.1f} ({ratio:.2f})")
        print(f"{name:12} {'  '.join(parts)}", flush=True)
    worst = min(ratios[f"beside {args.loops}", part] for part in ("read", "written"))
    return int(args.check and worst < BOUND)


if __name__ == "__main__":
    raise SystemExit(main())
