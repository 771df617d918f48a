"""What the engine asks of a store, and nothing of how one does it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from memcache_lsp.errors import MemcacheError
from memcache_lsp.tokens import Sparse

DENSE, TEXT = "dense", "text"  # the vectors of a chunk
FILE, NAME = "file", "name"  # the vectors of a file: all words of its text and path, and what it defines
SPARSE = (TEXT, FILE, NAME)
INDEXED_FIELDS = ("path", "language", "kind")  # payload fields that filters use
FILE_KIND = "file"  # the kind of a file's own point
BATCH_POINTS = 64  # a call holds the GIL: 64 points keep an event loop's p99 lateness under 2 ms


class StoreBroken(MemcacheError):
    """The store's files cannot be read; the index has to be made again from the project."""

    def __init__(self, what: str) -> None:
        super().__init__(f"The index cannot be read ({what}); make it again with `memcache-lsp index --rebuild`.")
        self.what = what


@dataclass(frozen=True, slots=True)
class Point:
    """A chunk, or a file as a whole, as it is stored."""

    id: int  # 63 bits, made from path, span and text
    payload: Mapping[str, Any]
    dense: NDArray[np.float32] | None = None  # (dimension,), unit length or zero
    sparse: Mapping[str, Sparse] = field(default_factory=dict)  # by names of SPARSE

    def __reduce__(self) -> tuple[type[Point], tuple[object, ...]]:
        """Pickle in half of the time that a dataclass takes by itself: there are thousands."""
        return Point, (self.id, self.payload, self.dense, self.sparse)


@dataclass(frozen=True, slots=True)
class Filter:
    """What must hold for a point before it is scored; None means anything."""

    paths: tuple[str, ...] | None = None
    languages: tuple[str, ...] | None = None
    kinds: tuple[str, ...] | None = None
    ids: tuple[int, ...] | None = None

    def allows(self, path: str, language: str) -> bool:
        """Tell whether a file passes, whatever its chunks are."""
        return (self.paths is None or path in self.paths) and (self.languages is None or language in self.languages)

    def conditions(self) -> dict[str, list[str]]:
        """Return the allowed values by payload field, without the ids."""
        pairs = zip(INDEXED_FIELDS, (self.paths, self.languages, self.kinds), strict=True)
        return {name: list(values) for name, values in pairs if values is not None}


@dataclass(frozen=True, slots=True)
class Query:
    """A question to the store; `limit` holds for each vector by itself, `words` is what all sparse ones are asked."""

    dense: NDArray[np.float32] | None
    words: Sparse
    filter: Filter = field(default_factory=Filter)
    limit: int = 120  # 200 cost an eighth of the time of a search more, and found nothing better
    vectors: tuple[str, ...] = (DENSE, *SPARSE)  # those to ask

    def asked(self) -> dict[str, tuple[NDArray[np.float32] | Sparse, Filter]]:
        """Return the vectors that ask for something, each with its filter: a file has no kind of chunk."""
        given: dict[str, NDArray[np.float32] | Sparse] = {} if self.dense is None else {DENSE: self.dense}
        given |= dict.fromkeys(SPARSE, self.words) if self.words.indices else {}
        of_files = replace(self.filter, kinds=None)
        return {
            name: (given[name], of_files if name in {FILE, NAME} else self.filter)
            for name in self.vectors
            if name in given
        }


class Candidate(NamedTuple):
    """A point that one vector of the query found."""

    id: int
    score: float  # inner product: cosine for dense, BM25 for sparse vectors


@dataclass(frozen=True, slots=True)
class Candidates:
    """The best points by each vector of a query, best first; `limit` is how many were asked for."""

    dense: tuple[Candidate, ...] = ()
    text: tuple[Candidate, ...] = ()
    file: tuple[Candidate, ...] = ()
    name: tuple[Candidate, ...] = ()
    limit: int = 0


class Store(Protocol):
    """Hold points by id. A call that returned survives the death of the process.

    Calls come from one thread at a time. Methods raise StoreBroken where the files cannot be read.
    """

    def make_ready(self) -> None:
        """Make what the first write needs, where something waits anyway."""
        ...

    def upsert(self, points: Sequence[Point]) -> None:
        """Write points, replacing those of the same id."""
        ...

    def delete(self, ids: Sequence[int]) -> None:
        """Delete points; ids that are not there are passed over."""
        ...

    def search(self, query: Query) -> Candidates:
        """Return the best points by each vector among those that pass the filter."""
        ...

    def retrieve(self, ids: Sequence[int]) -> dict[int, Mapping[str, Any]]:
        """Return the whole payloads of those of the ids that are there."""
        ...

    def paths(self) -> list[str]:
        """Return the distinct paths of all points, sorted."""
        ...

    def ids(self) -> Iterator[int]:
        """Iterate over the ids of all points."""
        ...

    def count(self) -> int:
        """Return the number of points."""
        ...

    def flushing(self) -> Iterator[None]:
        """Write everything to disk, so that it survives a loss of power too; between two steps it can be searched."""
        ...

    def close(self) -> None:
        """Flush and let go of the files."""
        ...
