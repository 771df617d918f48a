"""Compare the two stores of an index on the same points: Qdrant's engine in process and qdrant-client's local mode.

    python bench/stores.py [--points 5000]

Random vectors of 256 dimensions, 60 of 50,000 terms a point, seed 0; each store in a process of its own. Prints seconds
and milliseconds as a table, and their ratios. Needs the qdrant extra.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

DIMENSION, TERMS, VOCABULARY = 256, 60, 50_000
QUERIES = 20


def open_store(kind: str, folder: Path) -> Any:
    """Open one of the two stores in a folder."""
    if kind == "edge":
        from memcache_lsp.store.edge import EdgeStore

        return EdgeStore(folder / "shard", dimension=lambda: DIMENSION)
    from memcache_lsp.store.client import ClientStore, connect

    return ClientStore(connect(folder=folder / "local"), collection="bench", dimension=lambda: DIMENSION, local=True)


def make_points(count: int) -> list[Any]:
    """Return points that are the same at every call."""
    from memcache_lsp.store import Point
    from memcache_lsp.tokens import Sparse

    rng = np.random.default_rng(0)
    points = []
    for number in range(count):
        vector = rng.normal(size=DIMENSION).astype(np.float32)
        terms = np.unique(rng.integers(0, VOCABULARY, TERMS)).tolist()
        payload = {
            "path": f"src/file{number // 10}.py", "language": "python", "kind": "function", "symbol": "f",
            "start_line": 1, "end_line": 9, "text": "x" * 900,
        }  # fmt: skip
        text = Sparse(tuple(terms), (1.0,) * len(terms))
        points.append(Point(number + 1, payload, vector / np.linalg.norm(vector), {"text": text}))
    return points


def timed(action: Callable[[], Any], repeat: int = 1) -> float:
    """Return the seconds of one call, the least of several."""
    seconds = []
    for _ in range(repeat):
        began = time.perf_counter()
        action()
        seconds.append(time.perf_counter() - began)
    return min(seconds)


def measure(kind: str, count: int) -> dict[str, float]:
    """Return what each operation takes in one store."""
    from memcache_lsp.store import Filter, Query

    warnings.simplefilter("ignore")  # the local mode warns of its own slowness
    points = make_points(count)
    query = Query(dense=points[7].dense, words=points[7].sparse["text"], limit=100)
    narrow = replace(query, filter=Filter(paths=("src/file3.py",)))
    with tempfile.TemporaryDirectory() as name:
        store = open_store(kind, Path(name))
        result = {"upsert all, s": timed(lambda: store.upsert(points))}
        result["query, ms"] = 1000 * timed(lambda: store.search(query), QUERIES)
        result["query in one file, ms"] = 1000 * timed(lambda: store.search(narrow), QUERIES)
        result["delete 100, ms"] = 1000 * timed(lambda: store.delete(list(range(1, 101))))
        store.close()
        result["reopen, s"] = timed(lambda: open_store(kind, Path(name)))
    result["peak memory, MB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, default=5000)
    parser.add_argument("--only", choices=["edge", "local"], help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.only:
        print(json.dumps(measure(args.only, args.points)))
        return
    rows = {}
    for kind in ("edge", "local"):
        command = [sys.executable, __file__, "--points", str(args.points), "--only", kind]
        rows[kind] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    print(
        f"| {args.points} points of {DIMENSION} dimensions and {TERMS} terms | embedded engine | local mode | ratio |\n|---|---|---|---|"
    )
    for name, edge in rows["edge"].items():
        local = rows["local"][name]
        print(f"| {name} | {edge:.2f} | {local:.2f} | {local / edge:.1f} |")


if __name__ == "__main__":
    main()
