"""Measure a branch switch that changes 1,000 of 2,000 files, and the way back: the first time, and once both are known."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from serving.figures import Figure
from serving.home import Home
from serving.projects import fill

from scaling.commands import GRAIN_S, MODES, embedded, indexed

FILES, CHANGED = 2_000, 1_000
LIMIT_S = 5.0
_EVERY = 10  # lines, one of which differs, so that hardly a chunk stays as it was


def branches(root: Path) -> tuple[dict[Path, bytes], dict[Path, bytes]]:
    """Return two texts of each of the files that the branches do not share."""
    files = sorted(path for path in root.rglob("*") if path.is_file())[:: FILES // CHANGED][:CHANGED]
    ours = {path: path.read_bytes() for path in files}
    return ours, {path: _other(text) for path, text in ours.items()}


def _other(text: bytes) -> bytes:
    lines = text.splitlines(keepends=True)
    return b"".join(b" otherwise " + line if at % _EVERY == 0 else line for at, line in enumerate(lines))


def checked_out(branch: dict[Path, bytes]) -> None:
    """Write the files of a branch, and let the clock go on."""
    for path, text in branch.items():
        path.write_bytes(text)
    time.sleep(GRAIN_S)


def measure(chosen: Any) -> Iterator[Figure]:
    """Yield the part's figures."""
    root = fill(chosen.folder / "project", FILES, chosen.corpus)
    ours, theirs = branches(root)
    for name, mode in MODES.items():
        checked_out(ours)
        with Home() as home:
            cold_s, _ = indexed(home, root, mode)
            yield Figure(f"{name}: indexing {FILES:,} files", cold_s, "s")
            took: list[float] = []
            for branch in (theirs, ours, theirs, ours):
                checked_out(branch)
                before = embedded(home)
                took_s, report = indexed(home, root, mode)
                took.append(took_s)
                assert report["changed"] > 0.9 * CHANGED, report  # an empty file has no second text
                if len(took) == 1:
                    yield Figure(f"{name}: texts embedded by the first switch", embedded(home) - before, "")
                else:
                    assert embedded(home) == before
            yield Figure(f"{name}: the first switch", took[0], "s")
            yield Figure(f"{name}: the first way back", took[1], "s")
            yield Figure(f"{name}: the second switch", took[2], "s", LIMIT_S)
            yield Figure(f"{name}: the second way back", took[3], "s", LIMIT_S)
