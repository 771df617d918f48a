"""Measure a search of very many chunks: what a question takes, and what memory the process has of its own.

    python -m scaling.million ROOT < QUESTIONS      one measurement, as JSON; what bench/scale.py starts

The questions are the first sentences of docstrings in the corpus, or with data those of its annotations.
"""

from __future__ import annotations

import ast
import contextlib
import json
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from serving.figures import Figure, quantile
from serving.home import Home, own_mb

P50_MS = 150.0
MEMORY_MB = 2000.0
POINTS = (100_000, 300_000, 1_000_000)
QUESTIONS = 100
_LEAST_WORDS, _MOST_WORDS = 3, 30
_HITS = 10


def docstrings(corpus: Path) -> Iterator[str]:
    """Yield the first paragraphs of the docstrings of a corpus's Python files."""
    for path in sorted(corpus.rglob("*.py")):
        with contextlib.suppress(SyntaxError, ValueError, OSError, RecursionError):
            for node in ast.walk(ast.parse(path.read_bytes())):
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                    first = (ast.get_docstring(node) or "").partition("\n\n")[0]
                    if _LEAST_WORDS <= len(first.split()) <= _MOST_WORDS:
                        yield " ".join(first.split())


def annotated(data: Path) -> Iterator[str]:
    """Yield the questions of a folder of annotations."""
    for path in sorted((data / "annotations").glob("*.json")):
        yield from (each["query"] for each in json.loads(path.read_text()))


def asked_of(corpus: Path, data: Path | None) -> list[str]:
    """Return the questions, the same each time."""
    found = list(dict.fromkeys(annotated(data) if data else docstrings(corpus)))
    return random.Random(3).sample(found, min(QUESTIONS, len(found)))


def measured(root: Path, questions: list[str]) -> dict[str, float]:
    """Open an index and ask all questions in this process."""
    from memcache_lsp.engine import open_project
    from memcache_lsp.scopes import Scope
    from scaling.copies import setup_of

    began = time.perf_counter()
    project = open_project(setup_of(root), purpose="a bench")
    opened_s = time.perf_counter() - began
    opened_mb = own_mb("self")
    began = time.perf_counter()
    project.search(questions[0], scope=Scope(), limit=_HITS)
    first_s = time.perf_counter() - began
    took_ms = []
    for question in questions:
        began = time.perf_counter()
        hits = project.search(question, scope=Scope(), limit=_HITS)
        took_ms.append(1000 * (time.perf_counter() - began))
        assert hits, question
    result = {
        "open_s": opened_s,
        "first_s": first_s,
        "p50_ms": quantile(took_ms, 0.5),
        "p95_ms": quantile(took_ms, 0.95),
        "opened_mb": opened_mb,
        "own_mb": own_mb("self"),
    }
    project.close()
    return result


def measure(chosen: Any) -> Iterator[Figure]:
    """Yield the part's figures: the index grows from one number of chunks to the next."""
    from scaling import copies

    questions = asked_of(chosen.corpus, chosen.data)
    root = chosen.folder / "project"
    root.mkdir()
    with Home(below=chosen.folder) as home:
        with home.entered():
            originals = copies.prepared(chosen.corpus)
        for count in sorted(chosen.points or POINTS):
            with home.entered():
                written, took_s = copies.grow(root, originals, count)
            yield Figure(f"{count:,} chunks: written", written / took_s, "a second")
            yield from _figures(count, _in_a_process_of_its_own(home, root, questions))


def _in_a_process_of_its_own(home: Home, root: Path, questions: list[str]) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, "-m", "scaling.million", str(root)],
        check=True, input=json.dumps(questions), stdout=subprocess.PIPE, text=True, env=home.environment,
    )  # fmt: skip
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def _figures(count: int, told: dict[str, float]) -> Iterator[Figure]:
    name = f"{count:,} chunks: "
    yield Figure(name + "search, p50", told["p50_ms"], "ms", P50_MS)
    yield Figure(name + "search, p95", told["p95_ms"])
    yield Figure(name + "own memory, files apart", told["own_mb"], "MB", MEMORY_MB)
    yield Figure(name + "of that before the first search", told["opened_mb"], "MB")
    yield Figure(name + "open", told["open_s"], "s")
    yield Figure(name + "first search", told["first_s"], "s")


if __name__ == "__main__":
    print(json.dumps(measured(Path(sys.argv[1]), json.load(sys.stdin))))
