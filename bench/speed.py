"""Measure what a user waits for: indexing from nothing, an unchanged run, one changed file, the first hits.

    python bench/speed.py FOLDER [FOLDER …]

Each folder is copied first, so that a file can be changed, and indexed into a cache of this run's own by the real
command line. Wall seconds, CPU seconds of the process, peak memory and sizes on disk are printed as a table.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

PROGRAM = Path(sys.executable).with_name("memcache-lsp")


@dataclass(frozen=True, slots=True)
class Run:
    """One process: what it printed and what it took."""

    lines: list[str]
    wall_s: float
    first_line_s: float
    cpu_s: float
    peak_mb: float


def run(home: str, *arguments: str) -> Run:
    """Run the program, time its first line of output and its end."""
    began = time.perf_counter()
    process = subprocess.Popen(
        [PROGRAM, *arguments], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        env=os.environ | {"MEMCACHE_HOME": home},
    )  # fmt: skip
    assert process.stdout is not None
    lines = []
    first = 0.0
    for line in process.stdout:
        first = first or time.perf_counter() - began
        lines.append(line)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in {0, 3}:
        sys.exit(f"{' '.join(arguments)} ended with {process.returncode}")
    wall = time.perf_counter() - began
    return Run(lines, wall, first, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1000)


def disk_mb(folder: Path) -> float:
    """Return what a folder takes on disk."""
    return sum(path.stat().st_blocks * 512 for path in folder.rglob("*") if path.is_file()) / 1e6


def measure(folder: Path, scratch: Path) -> str:
    """Return one row of the table."""
    root, home = scratch / "project", scratch / "home"
    shutil.copytree(folder, root, symlinks=True)
    time.sleep(2.1)  # a file younger than the clock's grain is read again, which is not what is measured here
    query = ("search", "--root", str(root), "--json", "--limit", "3", "how are errors handled")
    hits = run(str(home), *query)
    shutil.rmtree(home)
    cold = run(str(home), "index", "--root", str(root), "--json")
    same = run(str(home), "index", "--root", str(root), "--json")
    report = json.loads(cold.lines[-1])
    largest = sorted(
        (p for p in root.rglob("*.*") if p.is_file() and not p.is_symlink()), key=lambda p: p.stat().st_size
    )
    indexed = [p for p in largest if p.suffix in {".py", ".php", ".go", ".rs", ".c", ".java", ".ts", ".rb", ".md"}]
    with indexed[len(indexed) // 2].open("a", encoding="utf-8") as file:
        file.write("\n\n# one more line\n")
    one = run(str(home), "index", "--root", str(root), "--json")
    assert json.loads(one.lines[-1])["changed"] == 1
    search = run(str(home), *query)
    return (
        f"| {folder.name} | {report['added']} | {report['chunks']} | {hits.first_line_s:.2f} | {cold.wall_s:.1f} | "
        f"{cold.cpu_s:.1f} | {same.wall_s:.2f} | {same.cpu_s:.2f} | {one.wall_s:.2f} | {search.wall_s:.2f} | "
        f"{max(cold.peak_mb, hits.peak_mb):.0f} | {disk_mb(home):.1f} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER")
    args = parser.parse_args()
    print(
        "| project | files | chunks | first hits, cold s | index s | CPU s | unchanged s | CPU s | one file changed s | search s | peak MB | disk MB |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|---|---|")
    for folder in args.folders:
        with tempfile.TemporaryDirectory() as scratch:
            print(measure(folder, Path(scratch)), flush=True)


if __name__ == "__main__":
    main()
