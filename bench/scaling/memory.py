"""Measure what the daemon and the index worker take while a large project is indexed, quarter by quarter."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from serving.figures import Figure
from serving.home import PROGRAM, Home, own_mb
from serving.projects import fill, is_wanted

_QUARTERS = 4
WORKER_MB = 400.0  # whatever the size of the project


def many(folder: Path, files: int, corpus: Path | None) -> Path:
    """Make a project of so many files; a corpus is copied as often as it takes."""
    if corpus is None:
        return fill(folder, files, None)
    found = sorted(path for path in corpus.rglob("*") if is_wanted(path, corpus))
    for number in range(files):
        path = found[number % len(found)]
        copy = folder / f"part{number // len(found)}" / path.relative_to(corpus)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
    return folder


def measure(chosen: Any) -> Iterator[Figure]:
    """Yield the part's figures."""
    root = many(chosen.folder / "project", chosen.files, chosen.corpus)
    with Home() as home:
        process = subprocess.Popen(
            [*PROGRAM, "index", "--root", root, "--json"],
            stdout=subprocess.PIPE, text=True, env=home.environment,
        )  # fmt: skip
        assert process.stdout is not None
        most: list[dict[str, float]] = [{} for _ in range(_QUARTERS)]
        for line in process.stdout:
            told = json.loads(line)
            if told["type"] != "progress" or not told["total"]:
                continue
            quarter = most[min(_QUARTERS - 1, _QUARTERS * told["done"] // told["total"])]
            for each in home.processes():
                if each.kind in {"daemon", "index worker"}:
                    quarter[each.kind] = max(quarter.get(each.kind, 0.0), own_mb(each.pid))
        assert process.wait() == 0
    for number, quarter in enumerate(most, start=1):
        for kind, used_mb in sorted(quarter.items()):
            limit = WORKER_MB if kind == "index worker" else None
            yield Figure(f"{chosen.files:,} files, quarter {number}: {kind}, own memory", used_mb, "MB", limit)
