"""Ask questions over a corpus of documents, and tell which find a passage on the right page or under the right heading.

A question is `{"question", "expected": [{"file", "heading" | "page"}, …]}`: `file` is how a path ends, `heading` is a part
of the heading of the passage or of one above it, whatever its case and blanks; one of `expected` is enough.
"""

from __future__ import annotations

import json
import resource
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path

from memcache_lsp.config import ProjectSettings, UserSettings
from memcache_lsp.embedding import open_embedder
from memcache_lsp.engine import Project, Setup, open_project
from memcache_lsp.finding import each_once, places_first
from memcache_lsp.manifest import Manifest
from memcache_lsp.preparing import FAILED, SKIPPED
from memcache_lsp.reports import Report, Skipped
from memcache_lsp.scopes import Scope
from memcache_lsp.values import Hit

FIRST = 5


@dataclass(frozen=True)
class Judged:
    """A question and at which place a right passage was found, 0 for none within the first."""

    question: str
    place: int
    hits: tuple[Hit, ...]


@dataclass(frozen=True)
class Outcome:
    """What came of a corpus and its questions."""

    report: Report
    index_s: float
    search_ms: float  # the median
    judged: tuple[Judged, ...]
    left_out: tuple[Skipped, ...]
    peak_mb: float  # of this process, and of the largest reader
    reader_mb: float

    @property
    def share(self) -> float:
        """The share of questions that found a right passage."""
        return sum(each.place > 0 for each in self.judged) / max(1, len(self.judged))


def load(path: Path) -> list[dict]:
    """Read questions; ValueError where one is not as it should be."""
    questions = json.loads(path.read_text(encoding="utf-8"))["questions"]
    for each in questions:
        right = each["question"].strip() and each["expected"]
        if not right or not all(e["file"] and ("heading" in e or "page" in e) for e in each["expected"]):
            raise ValueError(f"{path}: {each!r} is no question")
    return questions


def judge(corpus: Path, questions: Sequence[dict], home: Path, *, beside: Path | None = None) -> Outcome:
    """Index a corpus below `home` and ask everything, of a project `beside` it too."""
    embedder = open_embedder(None)
    with ExitStack() as stack:

        def opened(root: Path, name: str) -> Project:
            setup = Setup(root.resolve(), UserSettings(), ProjectSettings(), embedder)
            return stack.enter_context(closing(open_project(setup, purpose="bench/documents.py", folder=home / name)))

        documents = opened(corpus, "documents")
        began = time.perf_counter()
        report = documents.update(max_files=None)
        index_s = time.perf_counter() - began
        asked = [documents]
        if beside is not None:
            asked.append(opened(beside, "project"))
            asked[-1].update(max_files=None)
        judged, times = [], []
        for each in questions:
            began = time.perf_counter()
            found, place = _asked(asked, each)
            times.append(time.perf_counter() - began)
            judged.append(Judged(each["question"], place, found))
    return Outcome(
        report,
        index_s,
        1000 * sorted(times)[len(times) // 2] if times else 0.0,
        tuple(judged),
        _left_out(home / "documents"),
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024,
    )


def _asked(projects: Sequence[Project], question: dict) -> tuple[tuple[Hit, ...], int]:
    answers = [(each.root, each.search(question["question"], scope=Scope(), limit=FIRST)) for each in projects]
    hits = places_first(each_once(answers)) if len(projects) > 1 else each_once(answers)
    first = tuple(replace(hit, path=str(root / hit.path)) for root, hit in hits[:FIRST])
    places = (n for n, hit in enumerate(first, 1) if any(is_right(hit, e) for e in question["expected"]))
    return first, next(places, 0)


def is_right(hit: Hit, expected: dict) -> bool:
    """Tell whether a hit is on the page or under the heading that is expected."""
    if not hit.path.endswith(expected["file"]):
        return False
    if "page" in expected:
        return hit.spot is not None and hit.spot.page == expected["page"]
    wanted = _plain(expected["heading"])
    inside = (
        line for line in hit.text.splitlines() if len(_plain(line)) <= 2 * len(wanted) + 12
    )  # a heading, no mention
    return any(wanted in _plain(name) for name in (hit.symbol, *hit.breadcrumb, *inside))


def _plain(text: str) -> str:
    return "".join(text.lower().split())


def _left_out(folder: Path) -> tuple[Skipped, ...]:
    manifest = Manifest(folder / "manifest.sqlite", read_only=True)
    try:
        return (*manifest.unscanned(), *manifest.reasons(SKIPPED), *manifest.reasons(FAILED))
    finally:
        manifest.close()


def tell(outcome: Outcome, *, worst: int) -> None:
    """Print what came of it."""
    found = sum(each.place > 0 for each in outcome.judged)
    report = outcome.report
    print(f"documents indexed: {report.added}, {report.chunks} chunks, in {outcome.index_s:.1f} s")
    print(f"memory: {outcome.peak_mb:.0f} MB here, {outcome.reader_mb:.0f} MB in the largest reader")
    print(f"left out: {len(outcome.left_out)}")
    for reason, count in Counter(each.reason.partition(":")[0] for each in outcome.left_out).most_common():
        print(f"  {count} {reason}")
    print(f"right within the first {FIRST}: {found} of {len(outcome.judged)} ({outcome.share:.0%})", end="")
    print(f", first: {sum(each.place == 1 for each in outcome.judged)}, median {outcome.search_ms:.0f} ms")
    for each in [each for each in outcome.judged if not each.place][:worst]:
        print(f"  not found: {each.question}")
        for hit in each.hits:
            where = f"p. {hit.spot.page}" if hit.spot and hit.spot.page else hit.span.start_line
            print(f"    {hit.path.rpartition('/')[2]}:{where} {' > '.join((*hit.breadcrumb[-1:], hit.symbol))[:80]}")
