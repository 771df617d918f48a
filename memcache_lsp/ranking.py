"""The order of hits: what each candidate's vectors say, and what its file's name, symbols and place say.

Pure: candidates in, order out. Every signal has a name, a weight and a reason in `WEIGHTS`.
Must not import the store's implementations or anything that reads files.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from memcache_lsp.store import Candidate, Candidates
from memcache_lsp.tokens import STOP_WORDS, content_terms, parts_of, terms, words

WEIGHTS: dict[str, float] = {
    "text": 1.0,  # BM25 of the chunk's words: the base that works for every kind of question
    "dense": 0.6,  # cosine of meaning: finds what is said in other words
    "name": 0.8,  # BM25 of path, symbol and defined names: what a place is called tells what it is about
    "stem": 0.9,  # the file's name is the question's subject
    "symbol": 1.5,  # the question names what is defined here
    "file": 0.3,  # other chunks of the same file were found too
    "test": -0.35,  # a test shows the use of what was asked for, seldom the thing
}

_FOLDER_STEMS = frozenset({"index", "mod", "__init__", "lib", "init", "main"})
_TEST_FOLDERS = frozenset({"test", "tests", "testing", "spec", "specs", "__tests__", "testdata", "fixtures"})
_TEST_WORDS = frozenset({"test", "tests", "conftest"})


@dataclass(frozen=True, slots=True)
class Ranked:
    """A candidate with its final score and what made it."""

    id: int
    score: float
    path: str
    signals: Mapping[str, float]  # what each added to the score


def rank(question: str, candidates: Candidates) -> list[Ranked]:
    """Return the candidates best first: one place of each file first, the files' other places after them."""
    signals: dict[int, dict[str, float]] = defaultdict(dict)
    payloads: dict[int, Mapping[str, Any]] = {}
    for name, found in (("text", candidates.text), ("dense", candidates.dense), ("name", candidates.name)):
        for candidate, value in _normalised(found):
            signals[candidate.id][name] = value
            payloads[candidate.id] = candidate.payload
    asked = _Asked.of(question)
    for point, mine in signals.items():
        payload = payloads[point]
        mine["stem"] = asked.stem_match(payload["path"])
        mine["symbol"] = asked.symbol_match(payload["names"])
        mine["test"] = float(not asked.about_tests and _is_test(payload["path"]))
    _add_file_signal(signals, payloads)
    brought = {point: {name: WEIGHTS[name] * value for name, value in mine.items()} for point, mine in signals.items()}
    ranked = [Ranked(point, sum(b.values()), payloads[point]["path"], b) for point, b in brought.items()]
    ranked.sort(key=lambda r: (-r.score, r.path, payloads[r.id]["start_line"], r.id))
    return _one_place_per_file_first(ranked)


def _normalised(found: Sequence[Candidate]) -> list[tuple[Candidate, float]]:
    best = max((c.score for c in found), default=0.0)
    return [(c, max(0.0, c.score) / best) for c in found] if best > 0 else [(c, 0.0) for c in found]


def _add_file_signal(signals: Mapping[int, dict[str, float]], payloads: Mapping[int, Mapping[str, Any]]) -> None:
    """Credit a chunk with what the rest of its file brings, saturating, relative to the best file."""
    base = {point: sum(mine.get(n, 0.0) for n in ("text", "dense", "name")) for point, mine in signals.items()}
    by_file: dict[str, list[float]] = defaultdict(list)
    for point, value in base.items():
        by_file[payloads[point]["path"]].append(value)
    sums = {path: sum(sorted(values, reverse=True)[:4]) for path, values in by_file.items()}
    best = max(sums.values(), default=0.0) or 1.0
    for point, mine in signals.items():
        mine["file"] = sums[payloads[point]["path"]] / best


def _one_place_per_file_first(ranked: Sequence[Ranked]) -> list[Ranked]:
    seen: set[str] = set()
    first: list[Ranked] = []
    rest: list[Ranked] = []
    for r in ranked:
        (rest if r.path in seen else first).append(r)
        seen.add(r.path)
    return first + rest


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a question asks for, in the forms that the signals compare."""

    terms: frozenset[str]
    names: frozenset[str]  # words that may be a symbol, lower case
    about_tests: bool

    @classmethod
    def of(cls, question: str) -> _Asked:
        content = frozenset(content_terms(question))
        written = [word for word in words(question) if word.lower() not in STOP_WORDS]
        # One word is a symbol; of several, those that look like code.
        names = written if len(written) == 1 else [w for w in written if _looks_like_code(w)]
        return cls(content, frozenset(name.lower() for name in names), bool(content & {"test", "spec"}))

    def stem_match(self, path: str) -> float:
        """Return the F1 of the question's terms and the terms of the file's name."""
        name = PurePosixPath(path)
        stem = name.parent.name if name.stem.lower() in _FOLDER_STEMS else name.name.split(".")[0]
        mine = frozenset(terms(stem))
        both = len(mine & self.terms)
        return 2 * both / (len(mine) + len(self.terms)) if both else 0.0

    def symbol_match(self, names: Sequence[str]) -> float:
        """Return the share of the question's names that are defined here."""
        return len(self.names.intersection(names)) / len(self.names) if self.names else 0.0


def _looks_like_code(word: str) -> bool:
    return "_" in word.strip("_") or (not word.isupper() and any(c.isupper() for c in word[1:]))


def _is_test(path: str) -> bool:
    """Tell a test by its folder, or by a whole word of its name: `latest.py` and `contest.js` are none."""
    *folders, name = path.split("/")
    parts = parts_of(name.rpartition(".")[0] or name)
    return (
        not _TEST_FOLDERS.isdisjoint(folder.lower() for folder in folders)
        or not _TEST_WORDS.isdisjoint(parts)
        or "spec" in parts[1:]  # a name that begins with it is a specification's
    )
