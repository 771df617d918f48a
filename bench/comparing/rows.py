"""Own what is measured of one system on one repository, and what keeps a run from being whole."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path

TITLES = {
    "ours": "memcache-lsp",
    "semble": "semble, hybrid with ranking",
    "semble-bm25": "semble, BM25 with ranking",
    "semble-plain": "semble, plain BM25",
    "rg": "ripgrep, a keyword at a time",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One system on one repository; None or nothing where a figure makes no sense, as ripgrep's index."""

    system: str
    repo: str
    language: str
    scores: list[float]
    kinds: list[str]
    unanswered: int
    ndcg10: float
    files: int = 0
    chunks: int = 0
    failed: int = 0
    indexed: bool = True
    index_s: float | None = None
    change_s: float | None = None  # indexing again after one changed file
    query_ms: list[float] = field(default_factory=list)  # each question by itself, warm, inside the system's process
    round_trip_ms: list[float] = field(default_factory=list)  # the same as its client sees it
    peak_mb: float | None = None

    def line(self) -> str:
        """Return what is shown of it while the run goes on."""
        index = "" if self.index_s is None else f"{self.files:5} files  index {self.index_s:6.2f} s"
        return f"{self.repo:20} {self.language:11} {self.system:12} NDCG@10 {self.ndcg10:.3f}  {index}"


def problems(wanted: Iterable[str], rows: list[Row]) -> list[str]:
    """Return in a few words each what keeps a run from being whole."""
    there = {row.repo for row in rows}
    found = [f"{name} is missing" for name in wanted if name not in there]
    for row in rows:
        by = "" if row.system == "ours" else f" by {row.system}"
        if not row.indexed:
            found.append(f"{row.repo} was not indexed{by}")
        if row.failed:
            found.append(f"{row.failed} files of {row.repo} failed{by}")
        if row.unanswered:
            found.append(f"{row.unanswered} queries of {row.repo} had no answer{by}")
    return found


def write(rows: list[Row], path: Path) -> None:
    """Write rows as JSON."""
    path.write_text(json.dumps([asdict(row) for row in rows], indent=1))


def read(paths: Iterable[Path]) -> list[Row]:
    """Return the rows of several files; of a repository and system that come twice the later one counts."""
    found = [Row(**row) for path in paths for row in json.loads(path.read_text())]
    return list({(row.repo, row.system): row for row in found}.values())
