"""Measure the real daemon behind real fronts, with a real model, and hold each figure against its limit.

    python bench/server.py [PART …] [--model NAME] [--corpus DIR]

Parts: load, cancel, ask, quote, idle, end, share, poison, threads; all of them where none is named. Each takes a home of
its own that is removed afterwards, and two cores. NAME is a model in the models folder or the path of a GGUF file; where none is
named, `load` and `ask` take the default model and the others the small one. DIR is a folder of real code from which
projects are copied; without one they are written for the purpose. The exit code is 1 where a limit is broken.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import sys
import tempfile
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

from serving.figures import Figure, measure_parts

from memcache_lsp import models

PARTS = {
    "load": "qwen2.5-coder-0.5b-instruct",
    "cancel": "smollm2-135m-instruct",
    "ask": "qwen2.5-coder-0.5b-instruct",
    "quote": "smollm2-135m-instruct",
    "idle": "smollm2-135m-instruct",
    "end": "smollm2-135m-instruct",
    "share": "smollm2-135m-instruct",
    "poison": "smollm2-135m-instruct",
    "threads": "smollm2-135m-instruct",
}

Part = Callable[..., Awaitable[list[Figure]]]


def run(name: str, *, model: str | None, corpus: Path | None) -> list[Figure]:
    """Measure one part."""
    part: Any = importlib.import_module(f"serving.{name}")
    path = models.locate(model or PARTS[name], relative=True)
    if path is None:
        raise SystemExit(f"There is no model {model}.")
    with tempfile.TemporaryDirectory(prefix="mc-bench-") as scratch:
        measured: list[Figure] = asyncio.run(part.measure(scratch=Path(scratch), model=path, corpus=corpus))
    return measured


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--model", metavar="NAME", help="the model that answers")
    parser.add_argument("--corpus", type=Path, metavar="DIR", help="real code to make projects of")
    args = parser.parse_args()
    if unknown := set(args.parts) - set(PARTS):
        parser.error(f"there is no part {', '.join(sorted(unknown))}")
    corpus = args.corpus and args.corpus.resolve()
    return measure_parts(args.parts or PARTS, partial(run, model=args.model, corpus=corpus))


if __name__ == "__main__":
    sys.exit(main())
