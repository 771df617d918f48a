"""Measure the first hits of a project of 2,000 files that nobody has indexed, and whether they are to the point."""

from __future__ import annotations

import json
import random
import re
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from serving.figures import Figure
from serving.home import PROGRAM, Home
from serving.projects import fill

FILES, QUESTIONS = 2_000, 5
LIMIT_S = 2.0
_WORD = re.compile(r"[A-Z]?[a-z]{3,}")


def subjects(root: Path) -> list[tuple[str, str]]:
    """Return questions, each with the path of the file whose name it is made of; no other file is called so."""
    files = sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())
    words = {path: tuple(word.lower() for word in _WORD.findall(Path(path).stem)) for path in files}
    common = Counter(words.values())
    late = files[len(files) // 2 :]  # what is walked last would be indexed last
    known = [path for path in late if len(words[path]) > 1 and common[words[path]] == 1 and _has_text(root / path)]
    chosen = random.Random(4).sample(known, QUESTIONS)
    return [(f"how does {' '.join(words[path])} work", path) for path in chosen]


def _has_text(path: Path) -> bool:
    return path.suffix in {".py", ".go", ".rs", ".js", ".ts", ".rb", ".php", ".java", ".kt", ".c", ".cs"} and (
        path.stat().st_size > 1000
    )


def first_hits(home: Home, root: Path, question: str, mode: tuple[str, ...]) -> tuple[float, list[dict[str, Any]]]:
    """Ask; return the seconds until the first line, and the hits that were shown before the index was whole."""
    began = time.perf_counter()
    process = subprocess.Popen(
        [*PROGRAM, "search", *mode, "--root", root, "--json", "--limit", "5", question],
        stdout=subprocess.PIPE, text=True, env=home.environment,
    )  # fmt: skip
    assert process.stdout is not None
    hits = []
    took_s = float("inf")
    try:
        for line in process.stdout:
            took_s = min(took_s, time.perf_counter() - began)
            hits.append(json.loads(line))
            if len(hits) == 5 or not hits[-1].get("partial"):
                break
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    return took_s, hits


def measure(chosen: Any) -> Iterator[Figure]:
    """Yield the part's figures."""
    root = fill(chosen.folder / "project", FILES, chosen.corpus)
    asked = subjects(root)
    for name, mode, is_running in (
        ("daemon runs", (), True),
        ("no daemon runs", (), False),
        ("without a daemon", ("--no-daemon",), False),
    ):
        took, right, early = [], 0, 0
        for question, path in asked:
            with Home() as home:
                if is_running:
                    home.start()
                took_s, hits = first_hits(home, root, question, mode)
                took.append(took_s)
                early += all(hit.get("partial") for hit in hits)
                right += any(hit["path"] == path for hit in hits)
        yield Figure(f"{name}: first hits, the slowest of {len(asked)}", max(took), "s", LIMIT_S)
        yield Figure(f"{name}: while indexing goes on", early, f"of {len(asked)}")
        yield Figure(f"{name}: the file asked for is among them", right, f"of {len(asked)}", len(asked), at_least=True)
