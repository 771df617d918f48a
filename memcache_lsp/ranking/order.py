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
from memcache_lsp.ranking.signals import gist, matrix
from memcache_lsp.ranking.table import Above, FileTable, Row
from memcache_lsp.ranking.vectors import Values, normalised
from memcache_lsp.ranking.weights import AT_LINE, DEFINES, DENSE_OF_CHUNK, PLACE, WEIGHTS
from memcache_lsp.store import Candidates, Filter

MAX_FILES = 120  # that get all signals; recall of the right file is 1.0 there
_BEHIND = 0.1  # that a second place loses, even if it is as good
PLACES_OF_DOCUMENT = 3  # that stand among the files: the sections of a manual are about as much as several files
_CLUSTER = 50  # of the best chunks
_VECTORS = {"text": "text", "file": "file", "name": "names", "dense": "dense"}  # with the signal that each brings
_OF_CHUNKS = {"text": 1.0, "dense": DENSE_OF_CHUNK}  # with what each counts among the chunks of a file
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
class _List:
    """What one vector found: each hit's score and the place of its file, among `count` candidate files."""

    at: NDArray[np.int64]
    values: Values
    count: int

    @classmethod
    def of(cls, hits: Sequence[Hit], rows: Mapping[Row, int]) -> _List:
        """Return the hits of the files that are candidates."""
        mine = [(rows[row], value) for (row, _), value in hits if row in rows]
        at, values = [at for at, _ in mine], [value for _, value in mine]
        return cls(np.array(at, dtype=np.int64), np.array(values, dtype=np.float64), len(rows))

    def best(self, floor: float) -> Values:
        """Return each file's best score, at least `floor`."""
        out = np.full(self.count, max(0.0, floor))
        np.maximum.at(out, self.at, self.values)
        return out

    def cluster(self) -> Values:
        """Return what each file's chunks among the best have together.

        Chunks that tie with the first that is not among the best are not either: which of them are is chance.
        """
        best = np.sort(self.values)[::-1]
        kept = self.values > (best[_CLUSTER] if len(best) > _CLUSTER else 0.0)
        out = np.zeros(self.count)
        np.add.at(out, self.at[kept], self.values[kept])
        return out


@dataclass(frozen=True, slots=True)
class Scored:
    """Candidate files with their signals, and what was found of their chunks."""

    rows: tuple[Row, ...]
    values: Values  # (rows, signals), in the order of WEIGHTS
    hits: Mapping[str, Sequence[Hit]]  # by the vector's name
    tops: Mapping[str, float]  # what 1 stands for in each signal that is a share of the best
    floors: Mapping[str, float]  # what a chunk may have at most that is on no list, by the vector's name

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
        for name, weight in _OF_CHUNKS.items():
            if (top := self.tops[name]) <= 0:
                continue
            for (row, place), value in self.hits[name]:
                mine = chunks.get(row)
                if mine is not None:
                    mine[place] = mine.get(place, 0.0) + (weight * value / top if value > 0 else 0.0)
        return chunks

    def unsure(self, question: Question, rows: Sequence[Row]) -> dict[Row, list[int]]:
        """Return the places of the chunks that may be a file's best, or equal to it, but were not found by every vector.

        Of a document as many are its best as stand among the files. What the question names counts with what was found.
        """
        chunks = self.chunks(rows)
        lacks = {
            name: weight * max(0.0, self.floors[name]) / top if (top := self.tops[name]) > 0 else 0.0
            for name, weight in _OF_CHUNKS.items()
        }
        found = {name: {owned for owned, _ in self.hits[name] if owned[0] in chunks} for name in _OF_CHUNKS}
        most = sum(lacks.values())
        unsure: dict[Row, list[int]] = {}
        for row, mine in chunks.items():
            named = _named(question, row)
            values = {place: value + named.get(place, 0.0) for place, value in mine.items()}
            bests = sorted(values.values(), reverse=True)[: _among(row)]
            least = bests[-1] if len(bests) == _among(row) else 0.0
            if most >= least:
                unsure[row] = list(range(len(row.points) - 1))
                continue
            unsure[row] = [
                place
                for place, value in values.items()
                if value + most >= least
                and (lack := sum(each for name, each in lacks.items() if (row, place) not in found[name]))
                and value + lack >= least
            ]
            unsure[row] += [place for place, value in named.items() if place not in mine and value + most >= least]
        return unsure


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
    asked = {row for row in _asked_for(question, table, above) if wanted.allows(row.path, row.language)}
    # A file has no kind, so where kinds are wanted it takes a chunk to bring one in.
    known = dict.fromkeys(row for name in (_OF_CHUNKS if wanted.kinds else _VECTORS) for (row, _), _ in hits[name])
    if not wanted.kinds:
        known |= dict.fromkeys(sorted(asked, key=lambda row: row.path))
    listed = list(known)
    rows = {row: at for at, row in enumerate(listed)}
    lists = {name: _List.of(hits[name], rows) for name in _VECTORS}
    floors = {name: _floor(hits[name], is_full=_is_full(found, name)) for name in _VECTORS}
    scores = {signal: lists[name].best(floors[name]) for name, signal in _VECTORS.items()}
    scores["cluster"] = lists["text"].cluster()
    shares = {name: normalised(values) for name, values in scores.items()}
    kept = _likely(question, listed, shares, asked)
    mine = tuple(listed[at] for at in kept)
    scores["gist"] = gist(mine, meaning)
    shares = {name: values[kept] for name, values in shares.items()} | {"gist": normalised(scores["gist"])}
    values = matrix(question, mine, shares, table=table, cards=cards)
    tops = {name: float(each.max(initial=0.0)) for name, each in scores.items()}
    return Scored(mine, values, hits, tops, floors)


def _owned(found: Candidates, table: FileTable, above: Above) -> dict[str, list[Hit]]:
    """Return the points that were found with their files, without those that lie hidden."""
    indexed, over = table.owners().getter(), above.owners()
    if not above.hidden and not over:
        return {
            name: [(owned, value) for point, value in getattr(found, name) if (owned := indexed(point)) is not None]
            for name in _VECTORS
        }
    hits: dict[str, list[Hit]] = {}
    for name in _VECTORS:
        mine = hits[name] = []
        for point, value in getattr(found, name):
            owned = indexed(point)
            if owned is not None and owned[0].path not in above.hidden:
                mine.append((owned, value))
            elif point in over:
                mine.append((over[point], value))
    return hits


def _is_full(found: Candidates, name: str) -> bool:
    return len(getattr(found, name)) >= found.limit


def _floor(hits: Sequence[Hit], *, is_full: bool) -> float:
    """Return what a file may have at most that is not on a full list: the last one's score."""
    return min((value for _, value in hits), default=0.0) if is_full else 0.0


def _asked_for(question: Question, table: FileTable, above: Above) -> Iterable[Row]:
    """Return the files that the question names, or whose definitions it does."""
    for named in question.named:
        yield from (row for row in table.called(named.path) if row.path not in above.hidden)
    for name in (*question.symbol, *question.names):
        yield from (row for row in table.defining(name) if row.path not in above.hidden)
        yield from (row for row in above.rows if row.level_of(name_hash(name)))


def _likely(question: Question, rows: Sequence[Row], shares: Mapping[str, Values], asked: Container[Row]) -> list[int]:
    """Return the places of the files that get all signals: the best by what the store found, and those asked for."""
    if len(rows) <= MAX_FILES:
        return list(range(len(rows)))
    rough = np.sum(list(shares.values()), axis=0)
    classes = question.classes
    rough += [_share(row.place.stem, classes) for row in rows]
    rough += [2.0 * (row in asked) for row in rows]
    return [int(at) for at in np.sort(np.argsort(-rough, kind="stable")[:MAX_FILES])]


def _share(stem: Sequence[str], classes: Mapping[str, None]) -> float:
    return 0.0 if classes.keys().isdisjoint(stem) else sum(each in classes for each in stem) / len(stem)


def completed(scored: Scored, found: Candidates, table: FileTable) -> Scored:
    """Return the same with what some chunks that were searched by themselves have by every vector."""
    exact = _owned(found, table, Above())
    hits = {name: list((dict(scored.hits[name]) | dict(exact[name])).items()) for name in _OF_CHUNKS}
    return replace(scored, hits=hits)


def rank(
    question: Question, scored: Scored, *, limit: int, wanted: Filter | None = None, per_file: bool = False
) -> list[Ranked]:
    """Return the places of the best `limit` files: the best of each first, in the order of the files, then the others.

    A place behind the best one of its file has its file's score less what it is worse by, so no place of a file
    beyond the limit could be among the best. Where so many files are found, the other places are left out but for
    `per_file`, which wants several of one. A document's next best places stand among the files.
    """
    totals = scored.totals().tolist()
    firsts: list[Ranked] = []
    others: list[Ranked] = []
    is_any_chunk = wanted is None or wanted.kinds is None
    best = scored.best_first()[:limit]
    chunks = scored.chunks(scored.rows[at] for at in best)
    is_short = per_file or len(best) < limit
    for at in best:
        row = scored.rows[at]
        among = _among(row)
        most = limit if is_short else among
        places = _places(question, row, chunks[row], is_any_chunk=is_any_chunk)
        told = _told(scored.values[at])
        for behind, (place, value) in enumerate(places[:most]):
            loss = PLACE * (places[0][1] - value) + (_BEHIND if behind else 0.0)
            mine = told | {"place": -round(loss, 4)} if behind else told
            each = Ranked(row.points[place], totals[at] - loss, row.path, mine)
            (firsts if behind < among else others).append(each)
    for places_found in (firsts, others):
        places_found.sort(key=lambda each: -each.score)
    return firsts + others


def _among(row: Row) -> int:
    """Return how many places of a file stand among the files."""
    return PLACES_OF_DOCUMENT if row.place.is_document else 1


def _told(values: NDArray[np.float64]) -> dict[str, float]:
    brought = (values * _WEIGHTS).tolist()
    return {name: round(value, 4) for name, value in zip(WEIGHTS, brought, strict=True) if abs(value) >= 0.00005}


def _places(question: Question, row: Row, found: Mapping[int, float], *, is_any_chunk: bool) -> list[tuple[int, float]]:
    """Return the chunks of a file with their scores, best first: by what was found, what they define, and the lines that are named."""
    places = dict(found)
    for place, value in _named(question, row).items():
        if is_any_chunk or place in places:
            places[place] = places.get(place, 0.0) + value
    if not places and len(row.points) > 1:
        places[0] = 0.0
    return sorted(places.items(), key=lambda each: (-each[1], each[0]))


def _named(question: Question, row: Row) -> dict[int, float]:
    """Return the chunks of a file that define what the question names, or hold lines that it names, with what that brings them."""
    bonus: dict[int, float] = defaultdict(float)
    for name in (*question.symbol, *question.names):
        if (place := row.chunk_with(name_hash(name))) is not None:
            bonus[place] += DEFINES
    for named in question.named:
        if named.line and _may_mean(named.path, row.path) and (place := row.chunk_at(named.line)) is not None:
            bonus[place] += AT_LINE * named.weight
    return {place: value for place, value in bonus.items() if place < len(row.points) - 1}


def _may_mean(named: str, path: str) -> bool:
    return ("/" + path).endswith("/" + named) or ("/" + named).endswith("/" + path)
