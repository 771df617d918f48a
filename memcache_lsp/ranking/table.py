"""The table of a project's files, in memory: which points are whose, what each path tells, how common its words are.

Loaded when it is first asked for, and kept in step row by row. Paths are read again and not stored; the facts stay the
bytes of the manifest until a question needs them. Must not import the manifest or the store.
"""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from memcache_lsp.ranking.facts import Facts, decoded, name_hash, names_in
from memcache_lsp.ranking.owners import Owners
from memcache_lsp.ranking.places import Place, place_of

_KEPT_PLACES = 20_000
_COUNTED = ("stem", "folders", "path")  # of a place: what has a rarity


@dataclass(eq=False)
class Row:
    """A file. `points` are the ids of its chunks in order and, last, of the file itself."""

    path: str
    language: str
    size_bytes: int
    points: array[int]
    data: bytes = b""  # of `Facts`

    @cached_property
    def place(self) -> Place:
        return place_of(self.path, self.language)

    @cached_property
    def facts(self) -> Facts:
        return decoded(self.data)

    def chunk_with(self, name: int) -> int | None:
        """Return the place of the chunk that defines the name of a hash."""
        found = np.flatnonzero(self.facts.names == name)
        return int(self.facts.chunks[found[0]]) if len(found) else None

    def chunk_at(self, line: int) -> int | None:
        """Return the place of the chunk that holds a line, or comes before it."""
        lines = self.facts.lines
        return max(0, int(np.searchsorted(lines, line, side="right")) - 1) if len(lines) else None

    def level_of(self, name: int) -> float:
        """Return how much this file's definition of a name is what a question for it asks for; 0 without one."""
        found = np.flatnonzero(self.facts.names == name)
        return int(self.facts.levels[found[0]]) / 100 if len(found) else 0.0


@dataclass(frozen=True, slots=True)
class Above:
    """Files whose present text lies above the index: what is indexed of the `hidden` paths does not count."""

    hidden: frozenset[str] = frozenset()
    rows: tuple[Row, ...] = ()

    def owners(self) -> dict[int, tuple[Row, int]]:
        """Return for each of their points its row and its place there."""
        return {point: (row, place) for row in self.rows for place, point in enumerate(row.points)}


class FileTable:
    """The rows of one index. For one thread at a time."""

    def __init__(self, load: Callable[[], Iterable[Row]]) -> None:
        """`load` gives all rows when the table is first needed."""
        self._load = load
        self._rows: dict[str, Row] | None = None
        self._owners: Owners[Row] = Owners()
        self._points = 0
        self._called: dict[str, list[str]] = {}  # paths by the name of the file
        self._counts: dict[str, Counter[str]] = {name: Counter() for name in _COUNTED}
        self._names: tuple[NDArray[np.uint32], NDArray[np.int64], list[Row]] | None = None

    def put(self, rows: Iterable[Row], removed: Iterable[str] = ()) -> None:
        """Take new rows in place of those of the same paths; a table that nobody asked yet will load them itself."""
        if self._rows is None:
            return
        for path in removed:
            self._drop(path)
        for row in rows:
            self._drop(row.path)
            self._add(row)

    def rows(self) -> Mapping[str, Row]:
        """Return all rows by path."""
        if self._rows is None:
            self._rows = {}
            for row in self._load():
                self._add(row)
        return self._rows

    def owners(self) -> Owners[Row]:
        """Return what tells of each point its file's row, and its place among the row's points."""
        self.rows()
        return self._owners

    def defining(self, name: str) -> list[Row]:
        """Return the files that define a name."""
        hashes, ends, rows = self._all_names()
        places = np.flatnonzero(hashes == name_hash(name))
        return [rows[at] for at in dict.fromkeys(np.searchsorted(ends, places, side="right").tolist())]

    def called(self, path: str) -> list[Row]:
        """Return the files that a path may mean: its own, or those that end so, or that it ends with."""
        rows = self.rows()
        if path in rows:
            return [rows[path]]
        alike, below = self._called.get(_name(path), ()), "/" + path
        found = [rows[own] for own in alike if ("/" + own).endswith(below)]
        return found or [rows[own] for own in alike if "/" in own and path.endswith("/" + own)]

    def rarity(self, kind: str) -> Callable[[str], float]:
        """Return the inverse document frequency of classes in stems, folders or paths."""
        total = len(self.rows())
        counts, known = self._counts[kind], dict[str, float]()

        def idf(word: str) -> float:
            value = known.get(word)
            if value is None:
                found = counts.get(word, 0)
                value = known[word] = math.log(1 + (total - found + 0.5) / (found + 0.5))
            return value

        return idf

    def rarest(self) -> float:
        """Return the inverse document frequency of a word that stands in one chunk of the index."""
        self.rows()
        return math.log(1 + max(self._points - 0.5, 0.5) / 1.5)

    def _add(self, row: Row) -> None:
        assert self._rows is not None
        self._rows[row.path] = row
        self._points += len(row.points)
        self._owners.add(row)
        self._called.setdefault(_name(row.path), []).append(row.path)
        self._count(row, 1)
        self._names = None

    def _drop(self, path: str) -> None:
        assert self._rows is not None
        row = self._rows.pop(path, None)
        if row is None:
            return
        self._points -= len(row.points)
        self._owners.drop(row)
        self._called[_name(path)].remove(path)
        if not self._called[_name(path)]:
            del self._called[_name(path)]
        self._count(row, -1)
        self._names = None

    def _count(self, row: Row, by: int) -> None:
        # Of very many files the places are made again for those that are candidates, for one takes a kilobyte.
        place = row.place if len(self.rows()) <= _KEPT_PLACES else place_of(row.path, row.language)
        for name, counts in self._counts.items():
            for word in set(getattr(place, name)):
                counts[word] += by
                if not counts[word]:
                    del counts[word]

    def _all_names(self) -> tuple[NDArray[np.uint32], NDArray[np.int64], list[Row]]:
        """Return the names of all files behind each other, where each file's end, and the files."""
        if self._names is None:
            rows = list(self.rows().values())
            parts = [names_in(row.data) for row in rows]
            ends = np.cumsum([len(part) // 4 for part in parts], dtype=np.int64)
            self._names = np.frombuffer(b"".join(parts), dtype=np.uint32), ends, rows
        return self._names


def _name(path: str) -> str:
    return path.rpartition("/")[2]
