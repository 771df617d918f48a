"""Measure what large projects cost, and hold each figure against its limit.

    python bench/scale.py [PART …] [--corpus DIR] [--data DIR] [--points N …] [--files N] [--folder DIR]

Parts: million (a search of 100,000, 300,000 and 1,000,000 chunks, or of --points), switch (1,000 files changed by a
branch switch and back), first (the first hits of a project that nobody has indexed), renames (500 files moved), memory
(what the daemon and the index worker take while --files files are indexed). DIR of --corpus is a folder of real code, of
which projects are made; `million` cannot do without, the others write projects for the purpose then. The questions of
`million` are the first sentences of docstrings there, or those of `annotations/*.json` in --data. Everything lies in
homes of its own below --folder and is removed afterwards; a million chunks take 5 GB there. The exit code is 1 where a
limit is broken.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from serving.figures import Figure, measure_parts

PARTS = ("million", "switch", "first", "renames", "memory")


@dataclass(frozen=True, slots=True)
class Chosen:
    """What the parts are told."""

    folder: Path  # for whatever they make
    corpus: Path | None
    data: Path | None
    points: tuple[int, ...]
    files: int


def run(name: str, chosen: Chosen) -> Iterator[Figure]:
    """Measure one part."""
    part: Any = importlib.import_module(f"scaling.{name}")
    yield from part.measure(chosen)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--corpus", type=Path, metavar="DIR", help="real code to make projects of")
    parser.add_argument("--data", type=Path, metavar="DIR", help="questions for `million`: annotations/*.json")
    parser.add_argument("--points", type=int, nargs="+", default=(), metavar="N", help="chunks for `million`")
    parser.add_argument("--files", type=int, default=20_000, metavar="N", help="files for `memory`")
    parser.add_argument("--folder", type=Path, default=Path("/tmp"), metavar="DIR", help="where homes and projects lie")
    args = parser.parse_args()
    parts = args.parts or [part for part in PARTS if args.corpus or part != "million"]
    if unknown := set(parts) - set(PARTS):
        parser.error(f"there is no part {', '.join(sorted(unknown))}")
    if "million" in parts and args.corpus is None:
        parser.error("million needs --corpus")

    def measure(name: str) -> Iterator[Figure]:
        with tempfile.TemporaryDirectory(prefix="mc-scale-", dir=args.folder) as folder:
            corpus = args.corpus and args.corpus.resolve()
            yield from run(name, Chosen(Path(folder), corpus, args.data, tuple(args.points), args.files))

    return measure_parts(parts, measure)


if __name__ == "__main__":
    sys.exit(main())
