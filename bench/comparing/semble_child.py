"""Run semble on one repository and tell what it took. Owns nothing; runs in semble's own environment, not in ours.

    python -I semble_child.py ROOT < lines

The first line in is {"queries": [...], "warm": QUERY, "modes": {NAME: {"alpha", "rerank"}}, "limit"}; the first out tells
files, chunks, index_s, and by mode the hits and milliseconds of each question. Then for each further line in, the folder
is indexed again and a line tells change_s and peak_mb. Must not import anything of the project.
"""

import json
import sys
import time
from pathlib import Path

from semble import SembleIndex
from semble.cache import save_index_to_cache
from semble.index.dense import load_model


def main() -> None:
    root = sys.argv[1]
    work = json.loads(sys.stdin.readline())
    load_model()  # warm, as in a server that has been asked before
    began = time.perf_counter()
    index = SembleIndex.from_path(root)
    index_s = time.perf_counter() - began
    found = {name: ask(index, work, mode) for name, mode in work["modes"].items()}
    tell(
        files=index.stats.indexed_files,
        chunks=index.stats.total_chunks,
        index_s=index_s,
        modes={name: {"hits": hits, "ms": ms} for name, (hits, ms) in found.items()},
    )
    save_index_to_cache(index, root)
    for _ in sys.stdin:
        began = time.perf_counter()
        SembleIndex.from_path(root)
        tell(change_s=time.perf_counter() - began, peak_mb=peak_mb())


def ask(index: SembleIndex, work: dict, mode: dict) -> tuple[list[list[dict]], list[float]]:
    """Return the hits and the milliseconds of each question."""
    index.search(work["warm"], top_k=work["limit"], **mode)
    hits, ms = [], []
    for query in work["queries"]:
        began = time.perf_counter()
        results = index.search(query, top_k=work["limit"], **mode)
        ms.append(1000 * (time.perf_counter() - began))
        chunks = [result.chunk for result in results]
        hits.append([{"path": c.file_path, "startLine": c.start_line, "endLine": c.end_line} for c in chunks])
    return hits, ms


def peak_mb() -> float:
    """Return the most memory that this process took."""
    own = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(own.split()[1]) * 1024 / 1e6


def tell(**said: object) -> None:
    print(json.dumps(said), flush=True)


if __name__ == "__main__":
    main()
