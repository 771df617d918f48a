"""The order of hits: candidates in, places out, one of each file first.

Pure. Owns how points become files and files become places again. Must not import the store's implementations.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from memcache_lsp.ranking.cards import Cards
from memcache_lsp.ranking.facts import name_hash
from memcache_lsp.ranking.question import Question
from memcache_lsp.ranking.signals import Scores, matrix
from memcache_lsp.ranking.table import Above, FileTable, Row
from memcache_lsp.ranking.vectors import Values, normalised
from memcache_lsp.ranking.weights import AT_LINE, DEFINES, DENSE_OF_CHUNK, PLACE, WEIGHTS
from memcache_lsp.store import Candidates, Filter

MAX_FILES = 120  # that get all signals; recall of the right file is 1.0 there
_BEHIND = 0.1  # that a second place loses, even if it is as good
_CLUSTER = 50  # of the best chunks
_VECTORS = ("text", "file", "name", "dense")  # in the order of `Scores`
Owned = tuple[Row, int]  # a point's file, and the point's place there
Hit = tuple[Owned, float]  # with its score
_WEIGHTS = np.array([signal.weight for signal in WEIGHTS.values()])


@dataclass(frozen=True, slots=True)
class Ranked:
    """A place with its final score and what made it: each signal's value times its weight, and what `place` costs.

    `place` is what one loses that stands behind the best one of its file.
    """

    id: int
    score: float
    path: str
    signals: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Scored:
    """Candidate files with their signals, and what was found of their chunks."""

    rows: tuple[Row, ...]
    values: Values  # (rows, signals), in the order of WEIGHTS
    hits: Mapping[str, Sequence[Hit]]  # by the vector's name
    tops: Mapping[str, float]  # the best score of a chunk, by the vector's name

    def totals(self) -> Values:
        """Return the files' scores."""
        totals: Values = self.values @ _WEIGHTS
        return totals

    def best_first(self) -> list[int]:
        """Return the places of the rows by score."""
        totals = self.totals().tolist()
        return sorted(range(len(self.rows)), key=lambda at: (-totals[at], self.rows[at].path))

    def chunks(self, rows: Iterable[Row]) -> dict[Row, dict[int, float]]:
        """Return the scores of the chunks that were found of some files, by their places there."""
        chunks: dict[Row, dict[int, float]] = {row: {} for row in rows}
        for name, weight in (("text", 1.0), ("dense", DENSE_OF_CHUNK)):
            if (top := self.tops[name]) <= 0:
                continue
            for (row, place), value in self.hits[name]:
                mine = chunks.get(row)
                if mine is not None:
                    mine[place] = mine.get(place, 0.0) + weight * max(0.0, value) / top
        return chunks


def score(
    question: Question,
    found: Candidates,
    table: FileTable,
    *,
    meaning: NDArray[np.float32] | None,
    wanted: Filter | None = None,
    above: Above | None = None,
    cards: Cards | None = None,
) -> Scored:
    """Return the candidate files with all their signals; `wanted` is the filter by which they were found."""
    wanted, above = wanted or Filter(), above or Above()
    hits = _owned(found, table, above)
    rows: dict[Row, int] = {}
    # A file has no kind, so where kinds are wanted it takes a chunk to bring one in.
    for name in ("text", "dense") if wanted.kinds else _VECTORS:
        for (row, _), _ in hits[name]:
            rows.setdefault(row, len(rows))
    asked = {row for row in _asked_for(question, table, above) if wanted.allows(row.path, row.language)}
    if not wanted.kinds:
        for row in sorted(asked, key=lambda row: row.path):
            rows.setdefault(row, len(rows))
    listed = list(rows)
    best = {name: _best(hits[name], rows, is_full=len(getattr(found, name)) >= found.limit) for name in _VECTORS}
    cluster = _cluster(hits["text"], rows)
    scores = Scores(best["text"], best["file"], best["name"], best["dense"], cluster)
    kept = _likely(question, listed, scores, asked)
    scores = Scores(*(getattr(scores, name)[kept] for name in Scores.__slots__))
    mine = tuple(listed[at] for at in kept)
    values = matrix(question, mine, scores, meaning=meaning, table=table, cards=cards)
    tops = {name: max((value for _, value in hits[name]), default=0.0) for name in ("text", "dense")}
    return Scored(mine, values, hits, tops)


def _owned(found: Candidates, table: FileTable, above: Above) -> dict[str, list[Hit]]:
    """Return the points that were found with their files, without those that lie hidden."""
    indexed, over = table.owners(), above.owners()
    hits: dict[str, list[Hit]] = {}
    for name in _VECTORS:
        mine = hits[name] = []
        for point, value in getattr(found, name):
            owned = indexed.get(point)
            if owned is not None and owned[0].path not in above.hidden:
                mine.append((owned, value))
            elif point in over:
                mine.append((over[point], value))
    return hits


def _asked_for(question: Question, table: FileTable, above: Above) -> Iterable[Row]:
    """Return the files that the question names, or whose definitions it does."""
    for named in question.named:
        yield from (row for row in table.called(named.path) if row.path not in above.hidden)
    for name in (*question.symbol, *question.names):
        yield from (row for row in table.defining(name) if row.path not in above.hidden)
        yield from (row for row in above.rows if row.level_of(name_hash(name)))


def _best(hits: Sequence[Hit], rows: Mapping[Row, int], *, is_full: bool) -> Values:
    """Return each file's best score by the best of all; one that is not on a full list has at most the last one's."""
    out = np.zeros(len(rows))
    for (row, _), value in hits:
        at = rows.get(row)
        if at is not None and value > out[at]:
            out[at] = value
    if is_full and hits:
        out = np.maximum(out, min(value for _, value in hits))
    return normalised(out)


def _cluster(hits: Sequence[Hit], rows: Mapping[Row, int]) -> Values:
    """Return what each file's chunks among the best have together.

    Chunks that tie with the first that is not among the best are not either: which of them are is chance.
    """
    best = sorted((value for _, value in hits), reverse=True)
    least = best[_CLUSTER] if len(best) > _CLUSTER else 0.0
    out = np.zeros(len(rows))
    for (row, _), value in hits:
        if value > least:
            out[rows[row]] += value
    return normalised(out)


def _likely(question: Question, rows: Sequence[Row], scores: Scores, asked: Container[Row]) -> list[int]:
    """Return the places of the files that get all signals: the best by what the store found, and those asked for."""
    if len(rows) <= MAX_FILES:
        return list(range(len(rows)))
    rough = scores.text + scores.file + scores.names + scores.dense + scores.cluster
    classes = question.classes
    rough += [sum(each in classes for each in row.place.stem) / len(row.place.stem) for row in rows]
    rough += [2.0 * (row in asked) for row in rows]
    return [int(at) for at in np.sort(np.argsort(-rough, kind="stable")[:MAX_FILES])]


def completed(scored: Scored, found: Candidates, table: FileTable, searched: Container[Row]) -> Scored:
    """Return the same with all chunks of some files that were searched by themselves, not only the ones on a list."""
    exact = _owned(found, table, Above())
    hits = {
        name: [*(hit for hit in before if hit[0][0] not in searched), *exact[name]]
        for name, before in scored.hits.items()
    }
    return replace(scored, hits=hits)


def rank(question: Question, scored: Scored, *, limit: int, wanted: Filter | None = None) -> list[Ranked]:
    """Return the places of the best `limit` files: the best of each first, in the order of the files, then the others.

    A place behind the best one of its file has its file's score less what it is worse by, so no place of a file
    beyond the limit could be among the best.
    """
    totals = scored.totals().tolist()
    firsts: list[Ranked] = []
    others: list[Ranked] = []
    is_any_chunk = wanted is None or wanted.kinds is None
    best = scored.best_first()[:limit]
    chunks = scored.chunks(scored.rows[at] for at in best)
    for at in best:
        row = scored.rows[at]
        places = _places(question, row, chunks[row], is_any_chunk=is_any_chunk)
        told = _told(scored.values[at])
        for behind, (place, value) in enumerate(places[:limit]):
            loss = PLACE * (places[0][1] - value) + (_BEHIND if behind else 0.0)
            mine = told | {"place": -round(loss, 4)} if behind else told
            each = Ranked(row.points[place], totals[at] - loss, row.path, mine)
            (others if behind else firsts).append(each)
    others.sort(key=lambda each: -each.score)
    return firsts + others


def _told(values: NDArray[np.float64]) -> dict[str, float]:
    brought = values * _WEIGHTS
    return {name: round(float(value), 4) for name, value in zip(WEIGHTS, brought, strict=True) if abs(value) >= 0.00005}


def _places(question: Question, row: Row, found: Mapping[int, float], *, is_any_chunk: bool) -> list[tuple[int, float]]:
    """Return the chunks of a file with their scores, best first: by what was found, what they define, and the lines that are named."""
    bonus: dict[int, float] = defaultdict(float)
    for name in (*question.symbol, *question.names):
        if (place := row.chunk_with(name_hash(name))) is not None:
            bonus[place] += DEFINES
    for named in question.named:
        if named.line and _may_mean(named.path, row.path) and (place := row.chunk_at(named.line)) is not None:
            bonus[place] += AT_LINE * named.weight
    places = dict(found)
    for place, value in bonus.items():
        if place in places or (is_any_chunk and place < len(row.points) - 1):
            places[place] = places.get(place, 0.0) + value
    if not places and len(row.points) > 1:
        places[0] = 0.0
    return sorted(places.items(), key=lambda each: (-each[1], each[0]))


def _may_mean(named: str, path: str) -> bool:
    return ("/" + path).endswith("/" + named) or ("/" + named).endswith("/" + path)
