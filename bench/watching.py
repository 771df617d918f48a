"""Measure what watching a project costs, and how soon a change is found.

    python bench/watching.py [--files N] [--folders N] [--idle S] [--check]

A project of N files is kept as the daemon keeps one, with a real index worker. Then files are written, one at a time, and
searched for until they are found; nothing happens for S seconds; every file is written at once; the watch is ended.
Last, a tree of 100,000 files in as many folders as told is walked, without a watch and with one. With `--check` the
exit code is 1 where a limit is broken.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import speed

from memcache_lsp.caches import Ground
from memcache_lsp.daemon import Setups
from memcache_lsp.engine import Project
from memcache_lsp.keeper import Keeper
from memcache_lsp.scan import Scanner
from memcache_lsp.scopes import Scope
from memcache_lsp.watching import Watcher

CHANGES = 20
FILES_OF_THE_TREE = 100_000


@dataclass(frozen=True, slots=True)
class Limit:
    """What one of the figures may be."""

    told: str
    limit: float


LIMITS = {
    "found_s": Limit("seconds until a change is found", 1.0),
    "idle_cpu_s": Limit("CPU seconds of 30 s idle", 0.05),
    "storm_updates": Limit("updates for a storm of changes", 3),
    "end_s": Limit("seconds to end a watch", 0.1),
}


def cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def memory_mb() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 1e6


async def settled(keeper: Keeper) -> None:
    await until(lambda: keeper.quiescent and keeper.state == "ready")


async def until(true: Callable[[], bool]) -> None:
    while not true():
        await asyncio.sleep(0.01)


def add_word(root: Path, number: int, word: str) -> Path:
    files = sorted(path for path in root.rglob("*.py"))
    path = files[number * 37 % len(files)]
    with path.open("a", encoding="utf-8") as file:
        file.write(f"\n\ndef {word}():\n    return {number}\n")
    return path


async def time_to_find(keeper: Keeper, root: Path, number: int) -> float:
    """Return how long a new word in a file takes to be found there."""
    word = f"zanzibar{number}q"
    path = await asyncio.to_thread(add_word, root, number, word)
    began = time.perf_counter()
    while True:
        hits = await keeper.search(word, scope=Scope(), limit=1)
        if hits and hits[0].path == path.relative_to(root).as_posix() and word in hits[0].text:
            return time.perf_counter() - began
        await asyncio.sleep(0.005)


async def lateness(late: list[float]) -> None:
    while True:
        began = time.perf_counter()
        await asyncio.sleep(0.002)
        late.append(time.perf_counter() - began - 0.002)


async def storm(keeper: Keeper, root: Path) -> tuple[int, float, float]:
    """Change every file; return how many updates came of it, how long they took, and how late the loop was (p99)."""
    updates = 0
    update = Project.update

    def counted(self: Project, **options: object) -> object:
        nonlocal updates
        updates += 1
        return update(self, **options)  # type: ignore[arg-type]

    def write() -> None:
        for path in root.rglob("*.*"):
            with path.open("a", encoding="utf-8") as file:
                file.write("\n")

    late: list[float] = []
    ticking = asyncio.create_task(lateness(late))
    Project.update = counted  # type: ignore[method-assign, assignment]
    began = time.perf_counter()
    await asyncio.to_thread(write)
    with keeper.hurry():
        await until(lambda: updates > 0 and keeper.quiescent)
        took = time.perf_counter() - began
        await asyncio.sleep(3)
        await settled(keeper)
    ticking.cancel()
    Project.update = update  # type: ignore[method-assign]
    return updates, took, sorted(late)[int(len(late) * 0.99)]


async def keep(root: Path, idle_s: float) -> dict[str, float]:
    keeper = Keeper(Ground(root), setup=Setups(), changed=lambda _: None)
    keeper.users.add(1)
    keeper.start(hurry=True)
    began = time.perf_counter()
    await settled(keeper)
    print(f"first index: {time.perf_counter() - began:.1f} s")
    found = sorted([await time_to_find(keeper, root, number) for number in range(CHANGES)])
    print(f"a change is found after: median {found[CHANGES // 2]:.2f} s, worst {found[-1]:.2f} s")
    await settled(keeper)
    before = cpu_s()
    await asyncio.sleep(idle_s)
    idle_cpu_s = cpu_s() - before
    print(f"CPU of {idle_s:g} s idle: {idle_cpu_s * 1000:.1f} ms")
    updates, took, late_s = await storm(keeper, root)
    print(f"every file changed: {updates} updates, in step after {took:.1f} s, loop late p99 {late_s * 1000:.1f} ms")
    began = time.perf_counter()
    keeper.users.clear()
    keeper.cancel()
    end_s = time.perf_counter() - began
    print(f"the watch ends after {end_s * 1000:.2f} ms")
    await keeper.close()
    idle_cpu_s *= 30 / idle_s
    return {"found_s": found[-1], "idle_cpu_s": idle_cpu_s, "storm_updates": float(updates), "end_s": end_s}


async def walk(root: Path, *, watched: bool) -> None:
    watcher = Watcher(root, changed=lambda _: None)
    memory, used, began = memory_mb(), cpu_s(), time.perf_counter()
    entered = watcher.watch if watched else lambda _folder: None
    late: list[float] = []
    ticking = asyncio.create_task(lateness(late))
    result = await asyncio.to_thread(lambda: Scanner(root).scan(entered=entered))
    ticking.cancel()
    how = f"with {watcher.folders} watches" if watched else "without watches"
    print(
        f"{len(result.found)} files walked {how}: {time.perf_counter() - began:.2f} s, CPU {cpu_s() - used:.2f} s, "
        f"memory +{memory_mb() - memory:.1f} MB (with the list of files), loop late p99 "
        f"{sorted(late)[int(len(late) * 0.99)] * 1000:.1f} ms, worst {max(late) * 1000:.1f} ms"
    )
    watcher.close()


def make_tree(root: Path, folders: int) -> None:
    for number in range(folders):
        folder = root / f"d{number // 100}" / f"e{number % 100}"
        folder.mkdir(parents=True)
        for file in range(FILES_OF_THE_TREE // folders):
            (folder / f"f{file}.py").touch()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=5000, metavar="N", help="of the project that is kept")
    parser.add_argument("--folders", type=int, default=10_000, metavar="N", help="of the tree that is walked; 0: none")
    parser.add_argument("--idle", type=float, default=30.0, metavar="S", help="seconds of idleness")
    parser.add_argument("--check", action="store_true", help="fail where a limit is broken")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["MEMCACHE_HOME"] = str(Path(folder) / "home")
        root = Path(os.path.realpath(folder)) / "project"
        speed.make_project(root, args.files)
        figures = asyncio.run(keep(root, args.idle))
        if args.folders:
            tree = Path(os.path.realpath(folder)) / "tree"
            make_tree(tree, args.folders)
            for watched in (False, True):
                asyncio.run(walk(tree, watched=watched))
    broken = [
        f"{limit.told}: {figures[name]:g}, the limit is {limit.limit:g}"
        for name, limit in LIMITS.items()
        if figures[name] > limit.limit
    ]
    print("\n".join(broken) or "Every limit is kept.", file=sys.stderr)
    return 1 if args.check and broken else 0


if __name__ == "__main__":
    sys.exit(main())
