"""Count the processes and the memory of two editors and a command line on one project, against one editor alone."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from serving.editor import Asked, Editor
from serving.figures import Figure
from serving.home import PROGRAM, Home, Process
from serving.projects import fill, questions

FILES = 600
MOST_MEMORY = 1.25  # of one editor's; without sharing two take twice as much
_KINDS = ("daemon", "index worker", "model worker", "front")


async def measure(*, scratch: Path, model: Path, corpus: Path | None) -> list[Figure]:
    """Return the part's figures."""
    root = fill(scratch / "project", FILES, corpus)
    asked = questions(root, 3)
    with Home(model) as home:
        first = await Editor.open(home, root)
        await first.settled()
        await Asked(first, asked[0]).reply.result()
        alone_mb = memory_mb(home.processes())
        second = await Editor.open(home, root)
        await second.settled()
        await asyncio.gather(*(Asked(editor, asked[1]).reply.result() for editor in (first, second)))
        found = home.processes()
        both_mb = memory_mb(found)
        searching = await holders(home, model, "search", "--root", str(root), "--json", asked[2])
        asking = await holders(home, model, "ask", "--root", str(root), "--json", asked[2])
        await asyncio.gather(first.leave(), second.leave())
    kinds = Counter(process.kind for process in found)
    return [
        *(exactly(f"two editors: {kind}", kinds[kind], 2 if kind == "front" else 1) for kind in _KINDS),
        Figure("one editor: memory of all processes", alone_mb, "MB"),
        Figure("two editors: memory of all processes", both_mb, "MB"),
        Figure("two editors: memory, of one editor's", both_mb / alone_mb, "", MOST_MEMORY),
        Figure("and a front", sum(p.shared_out_mb() for p in found if p.kind == "front") / 2, "MB"),
        *exactly_held("search", searching),
        *exactly_held("ask", asking),
    ]


def memory_mb(processes: Sequence[Process]) -> float:
    """Return what processes take together, shared pages counted once."""
    return sum(process.shared_out_mb() for process in processes)


def exactly(name: str, count: int, wanted: int) -> Figure:
    """Return a figure that is over unless it is what is wanted."""
    return Figure(name, count, f"of {wanted}", wanted + 1 if count >= wanted else 0)


def exactly_held(command: str, most: tuple[int, int]) -> list[Figure]:
    """Return how many processes held index and model while a command ran."""
    index, model = most
    return [
        exactly(f"with the command line's {command}: processes that hold the index", index, 1),
        exactly(f"with the command line's {command}: processes that hold the model", model, 1),
    ]


async def holders(home: Home, model: Path, *arguments: str) -> tuple[int, int]:
    """Run a command and return by how many processes at most the index and the model were held meanwhile."""
    devnull = asyncio.subprocess.DEVNULL
    running = await asyncio.create_subprocess_exec(
        *PROGRAM, *arguments, stdin=devnull, stdout=devnull, stderr=devnull, env=home.environment
    )
    index = models = 0
    while running.returncode is None:
        processes = home.processes()
        shards = [[path for path in p.opened(home.indexes) if "/shard/" in path] for p in processes]
        index = max(index, sum(bool(held) for held in shards))
        models = max(models, sum(bool(p.opened(model.parent)) for p in processes))
        await asyncio.sleep(0.02)
    await running.wait()
    return index, models
