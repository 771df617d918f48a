"""Own the commands that the parts wait for: the program with a home, through its daemon or without one."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import time
from pathlib import Path
from typing import Any

from serving.home import PROGRAM, Home

MODES = {"daemon": (), "no daemon": ("--no-daemon",)}
GRAIN_S = 2.1  # a file that is younger than the clock's grain is read again, which is not what is measured


def indexed(home: Home, root: Path, mode: tuple[str, ...]) -> tuple[float, dict[str, Any]]:
    """Bring an index in step; return the seconds and the report."""
    began = time.perf_counter()
    done = subprocess.run(
        [*PROGRAM, "index", *mode, "--root", root, "--json"],
        check=True, stdout=subprocess.PIPE, text=True, env=home.environment,
    )  # fmt: skip
    took_s = time.perf_counter() - began
    report: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return took_s, report


def embedded(home: Home) -> int:
    """Count the texts that were ever embedded in a home: each is remembered by the cache of vectors, as whole files are."""
    db = sqlite3.connect(home.folder / "cache" / "vectors.sqlite", timeout=10)
    try:
        known = "select count(*) from vector join embedder e on e.id = embedder where e.name not like 'files %'"
        return int(db.execute(known).fetchone()[0])
    finally:
        db.close()
