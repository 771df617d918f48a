"""A trial of the search: questions made of a project, asked of an index of its own in which their words are blanked.

The index is made in a folder that the caller throws away, by the same steps as the user's, but that the doc comments
whose sentences are asked are blanks of the same length: else each would be found by its own words. The user's index is
not touched; the cache of vectors, which is by content, is shared. Must not import the command line or editor types.
"""

from __future__ import annotations

import contextlib
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Final

from memcache_lsp.documents import read_document
from memcache_lsp.engine import Setup, gate_of, open_project, recipe_of
from memcache_lsp.evaluating import comments, history, metrics, questions
from memcache_lsp.evaluating.questions import Question
from memcache_lsp.preparing import Preparer
from memcache_lsp.reports import Progress
from memcache_lsp.scan import Scanner
from memcache_lsp.scopes import Scope
from memcache_lsp.values import Document, Found, Hit

_PLENTY: Final = 4  # as many sentences as are wanted, from which they are taken; no more files are read then

Show = Callable[[Progress], None]


@dataclass(frozen=True, slots=True)
class Gathered:
    """The questions of a project, and how many there were to choose from."""

    questions: tuple[Question, ...]
    found: dict[str, int]  # by kind
    without_history: str  # why there are no commits, or empty


@dataclass(frozen=True, slots=True)
class Answer:
    """What a search answered to a question."""

    question: Question
    hits: tuple[Hit, ...]
    ndcg10: float
    rank: int | None  # of the first right hit, counted from 1
    has_file: bool  # whether a hit is in a right file, at the right place or not
    ms: float


def gather(setup: Setup, wanted: int, *, max_files: int | None, show: Show) -> Gathered:
    """Make questions of a project's doc comments and commits."""
    scanner = gate_of(setup)
    found = {each.path: each for each in scanner.scan(max_files=max_files).found}
    asked = _of_comments(scanner, found, wanted, show)
    without_history = ""
    try:
        commits = history.commits(setup.root)
    except history.NoHistory as error:
        commits, without_history = [], str(error)
    is_there = cache(lambda path: path in found and _read(scanner, found[path]) is not None)
    asked += [question for commit in commits if (question := questions.of_commit(commit, is_there))]
    asked = questions.distinct(asked)
    return Gathered(
        questions=tuple(questions.sample(asked, wanted)),
        found={kind: sum(question.kind == kind for question in asked) for kind in questions.KINDS},
        without_history=without_history,
    )


def _of_comments(scanner: Scanner, found: dict[str, Found], wanted: int, show: Show) -> list[Question]:
    """Make questions of doc comments, reading files as if by chance until there are plenty."""
    asked: list[Question] = []
    paths = sorted(filter(questions.is_code, found), key=questions.hashed)
    for done, path in enumerate(paths):
        if len(asked) >= _PLENTY * wanted:
            break
        show(Progress(done, len(paths)))
        document = _read(scanner, found[path])
        if document is not None:
            made = (questions.of_comment(path, comment) for comment in comments.doc_comments(document))
            asked += filter(None, made)
    return asked


def _read(scanner: Scanner, found: Found) -> Document | None:
    document = read_document(scanner.root, found, limits=scanner.limits).document
    return document if isinstance(document, Document) else None


def judge(
    setup: Setup, asked: Sequence[Question], folder: Path, *, max_files: int | None, indexing: Show, asking: Show
) -> list[Answer]:
    """Index a project into `folder` without the questions' own words, and ask them all."""
    user = replace(setup.user, qdrant_url="", qdrant_read_only=False)  # nobody else's store
    setup = replace(setup, user=user)
    preparer = Preparer(recipe_of(setup), embedder=setup.embedder, amend=blanker(asked))
    answers = []
    with (
        contextlib.closing(preparer),
        contextlib.closing(open_project(setup, purpose="memcache-lsp eval", folder=folder)) as project,
    ):
        project.update(prepare=preparer.prepare, on_progress=indexing, max_files=max_files)
        project.search("the first search pays for what is loaded once", scope=Scope(), limit=metrics.K)
        for done, question in enumerate(asked):
            asking(Progress(done, len(asked)))
            began = time.perf_counter()
            hits = project.search(question.text, scope=Scope(), limit=metrics.K)
            answers.append(score(question, hits, ms=1000 * (time.perf_counter() - began)))
    return answers


def blanker(asked: Sequence[Question]) -> Callable[[Document], Document]:
    """Return what takes the questions' own doc comments out of documents."""
    by_path: defaultdict[str, set[str]] = defaultdict(set)
    for question in asked:
        if question.comment:
            by_path[question.targets[0].path].add(question.comment)

    def blank(document: Document) -> Document:
        mine = by_path.get(document.path)
        return comments.without(document, lambda comment: comment.text in mine) if mine else document

    return blank


def score(question: Question, hits: Sequence[Hit], *, ms: float) -> Answer:
    """Return what hits are worth as the answer to a question: a target's rank is that of the first hit that shows it."""
    ranks = [
        next((n for n, h in enumerate(hits) if target.is_shown(h.path, h.span.start_line, h.span.end_line)), None)
        for target in question.targets
    ]
    found = [rank for rank in ranks if rank is not None]
    gain = metrics.ndcg(found, len(question.targets))
    has_file = not {hit.path for hit in hits}.isdisjoint(target.path for target in question.targets)
    return Answer(question, tuple(hits), gain, min(found) + 1 if found else None, has_file, ms)
