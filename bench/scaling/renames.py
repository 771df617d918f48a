"""Measure a folder of 500 files that is moved: how long its index takes, and that nothing is embedded for it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from serving.figures import Figure
from serving.home import Home
from serving.projects import fill

from scaling.commands import GRAIN_S, MODES, embedded, indexed

FILES, MOVED = 1_000, 500


def measure(chosen: Any) -> Iterator[Figure]:
    """Yield the part's figures."""
    root = fill(chosen.folder / "project", FILES, chosen.corpus)
    for number, (name, mode) in enumerate(MODES.items()):
        with Home() as home:
            time.sleep(GRAIN_S)
            cold_s, _ = indexed(home, root, mode)
            yield Figure(f"{name}: indexing {FILES:,} files", cold_s, "s")
            before = embedded(home)
            target = root / f"moved-{number}"
            for path in sorted(path for path in root.rglob("*") if path.is_file())[:MOVED]:
                there = target / path.relative_to(root)
                there.parent.mkdir(parents=True, exist_ok=True)
                path.rename(there)
            time.sleep(GRAIN_S)
            took_s, report = indexed(home, root, mode)
            assert report["removed"] >= 0.9 * MOVED, report
            yield Figure(f"{name}: {MOVED} files renamed", took_s, "s", cold_s)
            yield Figure(f"{name}: texts embedded for it", embedded(home) - before, "", 1)
