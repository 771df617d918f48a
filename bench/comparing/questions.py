"""Own the questions and how answers are scored. Must not know which system answered."""

from __future__ import annotations

import json
import math
import os
import statistics
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

K = 10

Repo = dict[str, Any]  # an entry of repos.json, with "queries" and "top"
Hit = dict[str, Any]  # "path" from the indexed folder, "startLine", "endLine" (1-based, inclusive)


def load(data: Path, only: list[str] | None) -> list[Repo]:
    """Return the repositories with their questions."""
    repos = json.loads((data / "repos.json").read_text())
    for repo in repos:
        repo["queries"] = json.loads((data / "annotations" / f"{repo['name']}.json").read_text())
        repo["top"] = (repo.get("benchmark_root") or ".").strip("/")
    return [repo for repo in repos if not only or repo["name"] in only]


def covers(hit: Hit, target: str | dict[str, Any]) -> bool:
    """Tell whether a hit shows a target; annotations may leave out leading folders."""
    wanted = path_of(target)
    if hit["path"] != wanted and not hit["path"].endswith("/" + wanted):
        return False
    if isinstance(target, str) or target.get("start_line") is None or target.get("end_line") is None:
        return True
    return bool(hit["endLine"] >= target["start_line"] and hit["startLine"] <= target["end_line"])


def path_of(target: str | dict[str, Any]) -> str:
    """Return a target's path."""
    return target if isinstance(target, str) else str(target["path"])


def targets_of(query: dict[str, Any]) -> list[Any]:
    """Return all that answers a question."""
    return list(query.get("relevant", [])) + list(query.get("secondary", []))


def ndcg(hits: list[Hit], targets: list[Any]) -> float:
    """Return NDCG@10 with binary gain."""
    ranks = [next((i for i, hit in enumerate(hits[:K]) if covers(hit, t)), None) for t in targets]
    gained = {rank for rank in ranks if rank is not None}
    ideal = sum(1 / math.log2(i + 2) for i in range(min(K, len(targets))))
    return sum(1 / math.log2(rank + 2) for rank in gained) / ideal if ideal else 0.0


def kind_of(query: dict[str, Any]) -> str:
    """Return a question's category: as annotated, else by its form."""
    text = query["query"].strip()
    by_form = "symbol" if " " not in text else "architecture" if text.lower().startswith("how ") else "semantic"
    return str(query.get("category") or by_form)


def score(repo: Repo, answers: dict[int, list[Hit]]) -> dict[str, Any]:
    """Return what a repository's answers are worth; a question without one is worth nothing, and is counted."""
    scores = []
    for i, query in enumerate(repo["queries"]):
        hits = [hit | {"path": from_top(repo, hit["path"])} for hit in answers.get(i, [])]
        scores.append(ndcg(hits, targets_of(query)))
    return {
        "scores": scores,
        "kinds": [kind_of(query) for query in repo["queries"]],
        "unanswered": sum(i not in answers for i in range(len(repo["queries"]))),
        "ndcg10": statistics.mean(scores),
    }


def from_top(repo: Repo, path: str) -> str:
    """Return a path from the repository's top, which is what the annotations give."""
    return path if repo["top"] == "." else f"{repo['top']}/{path}"


def file_to_change(repo: Repo, root: Path) -> Path | None:
    """Return the file of middle size among those that answer a question, None where none is there as it is named."""
    names = {path_of(target) for query in repo["queries"] for target in targets_of(query)}
    above = "" if repo["top"] == "." else repo["top"] + "/"
    files = [root / name.removeprefix(above) for name in sorted(names)]
    there = sorted((path for path in files if path.is_file()), key=lambda path: (path.stat().st_size, path))
    return there[len(there) // 2] if there else None


@contextmanager
def changed(path: Path) -> Iterator[None]:
    """Add a line to a file, and take it away again in the end."""
    size = path.stat().st_size
    with path.open("ab") as file:
        file.write(b"\n# one more line\n")
    try:
        yield
    finally:
        os.truncate(path, size)
