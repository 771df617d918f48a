"""Measure what a user waits for: indexing from nothing, an unchanged run, one changed file, the first hits.

    python bench/speed.py [FOLDER …] [--synthetic N] [--times N] [--check] [--no-daemon]

Each folder is copied first, so that a file can be changed, and indexed into a cache of this run's own by the real
command line, through a daemon that the first command starts, or with `--no-daemon` without one. Wall seconds, CPU seconds
and peak memory of the command's process, and sizes on disk are printed as a table; what takes a second or so is the best
of three (`--times`), which other load on the machine disturbs least. `--synthetic` makes a
project of N source files, always the same, and measures that too. With `--check` the exit code is 1 where a limit of
`LIMITS` is broken.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PROGRAM = Path(sys.executable).with_name("memcache-lsp")
QUESTION = "how are errors handled"


@dataclass(frozen=True, slots=True)
class Limit:
    """What a project of at most so many files may take."""

    field: str
    told: str
    limit_s: float
    files: int


LIMITS = (
    Limit("cold_s", "indexing", 60, 1500),
    Limit("same_s", "an unchanged run", 2, 1500),
    Limit("one_s", "a run after one change", 1, 1500),
    Limit("hits_s", "the wait for the first hits without an index", 2, 300),
    Limit("same_cpu_s", "the CPU of an unchanged run", 0.6, 300),
)


@dataclass(frozen=True, slots=True)
class Run:
    """One process: what it printed and what it took."""

    lines: list[str]
    wall_s: float
    first_line_s: float
    cpu_s: float
    peak_mb: float


@dataclass(frozen=True, slots=True)
class Row:
    """What was measured of one project."""

    name: str
    files: int
    chunks: int
    hits_s: float  # from the command to the first hit, without an index
    cold_s: float
    cold_cpu_s: float
    same_s: float
    same_cpu_s: float
    one_s: float
    search_s: float
    peak_mb: float
    disk_mb: float


def run(home: Path, *arguments: str) -> Run:
    """Run the program, time its first line of output and its end."""
    began = time.perf_counter()
    with tempfile.TemporaryFile(mode="w+", encoding="utf-8") as told:
        process = subprocess.Popen(
            [PROGRAM, *arguments], stdout=subprocess.PIPE, stderr=told, text=True,
            env=os.environ | {"MEMCACHE_HOME": str(home)},
        )  # fmt: skip
        assert process.stdout is not None
        lines = []
        first = 0.0
        for line in process.stdout:
            first = first or time.perf_counter() - began
            lines.append(line)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode not in {0, 3}:
            told.seek(0)
            sys.exit(f"{' '.join(arguments)} ended with {process.returncode}: {told.read()}")
    return Run(lines, wall, first, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1000)


def disk_mb(folder: Path) -> float:
    """Return what a folder takes on disk."""
    return sum(path.stat().st_blocks * 512 for path in folder.rglob("*") if path.is_file()) / 1e6


def file_to_change(root: Path) -> Path:
    """Return a source file of middle size."""
    suffixes = {".py", ".php", ".go", ".rs", ".c", ".java", ".js", ".ts", ".rb", ".md"}
    files = [p for p in root.rglob("*.*") if p.suffix in suffixes and p.is_file() and not p.is_symlink()]
    return sorted(files, key=lambda p: (p.stat().st_size, p))[len(files) // 2]


def forget(home: Path) -> None:
    """End what runs for a home, and remove it."""
    if home.exists():
        run(home, "stop")
    shutil.rmtree(home, ignore_errors=True)


def measure(folder: Path, scratch: Path, *, times: int, mode: tuple[str, ...]) -> Row:
    """Measure one project in a copy of it."""
    root, home = scratch / "project", scratch / "home"
    shutil.copytree(folder, root, symlinks=True)
    time.sleep(2.1)  # a file younger than the clock's grain is read again, which is not what is measured here
    index = ("index", *mode, "--root", str(root), "--json")
    query = ("search", *mode, "--root", str(root), "--json", "--limit", "3", QUESTION)
    first = []
    for _ in range(times):
        forget(home)
        first.append(run(home, *query))
    forget(home)
    cold = run(home, *index)
    report = json.loads(cold.lines[-1])
    same = [run(home, *index) for _ in range(times)]
    changed = file_to_change(root)
    one = []
    for number in range(times):
        with changed.open("a", encoding="utf-8") as file:
            file.write(f"\n\n# one more line, number {number}\n")
        one.append(run(home, *index))
        assert json.loads(one[-1].lines[-1])["changed"] == 1
    search = [run(home, *query) for _ in range(times)]
    taken_mb = disk_mb(home)
    forget(home)
    return Row(
        name=folder.name,
        files=report["added"],
        chunks=report["chunks"],
        hits_s=min(r.first_line_s for r in first),
        cold_s=cold.wall_s,
        cold_cpu_s=cold.cpu_s,
        same_s=min(r.wall_s for r in same),
        same_cpu_s=min(r.cpu_s for r in same),
        one_s=min(r.wall_s for r in one),
        search_s=min(r.wall_s for r in search),
        peak_mb=max(r.peak_mb for r in (cold, *first, *same, *one, *search)),
        disk_mb=taken_mb,
    )


def to_line(row: Row) -> str:
    """Return a row of the table, as Markdown."""
    return (
        f"| {row.name} | {row.files} | {row.chunks} | {row.hits_s:.2f} | {row.cold_s:.1f} | {row.cold_cpu_s:.1f} | "
        f"{row.same_s:.2f} | {row.same_cpu_s:.2f} | {row.one_s:.2f} | {row.search_s:.2f} | {row.peak_mb:.0f} | "
        f"{row.disk_mb:.1f} |"
    )


def broken_limits(row: Row) -> list[str]:
    """Return a sentence for each limit that a project breaks."""
    return [
        f"{row.name}: {limit.told} took {getattr(row, limit.field):.2f} s, where {limit.limit_s:g} s is the limit."
        for limit in LIMITS
        if row.files <= limit.files and getattr(row, limit.field) >= limit.limit_s
    ]


WORDS = """parcel depot carrier route session token cache index query answer window driver ledger invoice batch worker
signal buffer stream packet header cookie schema cursor filter metric budget retry limit backoff lease shard replica
journal snapshot merge commit branch widget layout canvas cipher digest secret policy tenant gateway proxy socket""".split()
TEMPLATES = {
    "py": 'def {name}({a}, {b}=None):\n    """{sentence}."""\n    if {a} is None:\n        raise ValueError("{sentence}")\n'
    "    for {c} in {a}:\n        {b} = handle_{d}({c}, {b})\n    return {b}\n",
    "js": '// {sentence}.\nexport function {name}({a}, {b}) {{\n  if (!{a}) {{\n    throw new Error("{sentence}");\n  }}\n'
    "  return {a}.map(({c}) => handle{d}({c}, {b}));\n}}\n",
    "go": "// {name} does this: {sentence}.\nfunc {name}({a} []string, {b} int) (int, error) {{\n"
    '\tif len({a}) == 0 {{\n\t\treturn 0, errors.New("{sentence}")\n\t}}\n\treturn handle_{d}({a}, {b})\n}}\n',
    "rs": "/// {sentence}.\npub fn {name}({a}: &[u8], {b}: usize) -> Result<usize, Error> {{\n"
    "    let {c} = handle_{d}({a})?;\n    Ok({c} + {b})\n}}\n",
    "md": "## {name}\n\n{sentence}. {sentence}, where `{a}` and `{b}` are told apart by `{c}` and `{d}`.\n",
}


def definitions(rng: random.Random, suffix: str) -> Iterator[str]:
    """Make the text of one file, a definition at a time."""
    for number in range(rng.randint(6, 24)):
        a, b, c, d = rng.sample(WORDS, 4)
        name = f"{'_'.join(rng.sample(WORDS, 2))}_{number}"
        sentence = " ".join(rng.choices(WORDS, k=rng.randint(5, 14))).capitalize()
        yield TEMPLATES[suffix].format(name=name, a=a, b=b, c=c, d=d, sentence=sentence)


def make_project(folder: Path, files: int) -> None:
    """Write a project of so many source files; the same number gives the same project."""
    rng = random.Random(files)
    suffixes = list(TEMPLATES)
    for number in range(files):
        suffix = suffixes[number % len(suffixes)]
        path = folder / rng.choice(WORDS) / f"{rng.choice(WORDS)}_{number}.{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(definitions(rng, suffix)), encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", type=Path, metavar="FOLDER")
    parser.add_argument("--synthetic", type=int, metavar="N", help="measure a project of N files made for this")
    parser.add_argument("--times", type=int, default=3, metavar="N", help="how often what is short is measured")
    parser.add_argument("--check", action="store_true", help="fail where a limit is broken")
    parser.add_argument("--no-daemon", action="store_true", help="each command with an engine of its own")
    args = parser.parse_args()
    if not args.folders and not args.synthetic:
        parser.error("name a folder or --synthetic N")
    print(
        "| project | files | chunks | first hits, cold s | index s | CPU s | unchanged s | CPU s | one file changed s | search s | peak MB | disk MB |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|---|---|")
    broken = []
    with tempfile.TemporaryDirectory() as made:
        folders = list(args.folders)
        if args.synthetic:
            folders.append(Path(made) / f"synthetic-{args.synthetic}")
            make_project(folders[-1], args.synthetic)
        for folder in folders:
            with tempfile.TemporaryDirectory() as scratch:
                row = measure(folder, Path(scratch), times=args.times, mode=("--no-daemon",) if args.no_daemon else ())
            print(to_line(row), flush=True)
            broken += broken_limits(row)
    if not args.check:
        return 0
    print("\n".join(broken) or "Every limit is kept.", file=sys.stderr)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
