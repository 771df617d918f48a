"""What the engine asks of a store, and nothing of how one does it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from memcache_lsp.errors import MemcacheError
from memcache_lsp.tokens import Sparse

DENSE, TEXT, NAME = "dense", "text", "name"  # the vectors of a point
INDEXED_FIELDS = ("path", "language", "kind")  # payload fields that filters use
LIGHT_FIELDS = ("path", "language", "kind", "symbol", "names", "start_line", "end_line")  # of candidates
BATCH_POINTS = 64  # a call holds the GIL: 64 points keep an event loop's p99 lateness under 2 ms


class StoreBroken(MemcacheError):
    """The store's files cannot be read; the index has to be made again from the project."""

    def __init__(self, what: str) -> None:
        super().__init__(f"The index cannot be read ({what}); make it again with `memcache-lsp index --rebuild`.")
        self.what = what


@dataclass(frozen=True, slots=True)
class Point:
    """A chunk as it is stored."""

    id: int  # 63 bits, made from path, span and text
    dense: NDArray[np.float32]  # (dimension,), unit length or zero
    text: Sparse
    name: Sparse
    payload: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Filter:
    """What must hold for a point before it is scored; None means anything."""

    paths: tuple[str, ...] | None = None
    languages: tuple[str, ...] | None = None
    kinds: tuple[str, ...] | None = None
    ids: tuple[int, ...] | None = None

    def conditions(self) -> dict[str, list[str]]:
        """Return the allowed values by payload field, without the ids."""
        pairs = zip(INDEXED_FIELDS, (self.paths, self.languages, self.kinds), strict=True)
        return {name: list(values) for name, values in pairs if values is not None}


@dataclass(frozen=True, slots=True)
class Query:
    """A question to the store; `limit` holds for each vector by itself."""

    dense: NDArray[np.float32] | None
    text: Sparse
    name: Sparse
    filter: Filter = field(default_factory=Filter)
    limit: int = 150

    def vectors(self) -> dict[str, NDArray[np.float32] | Sparse]:
        """Return the vectors that ask for something, by name."""
        given: dict[str, NDArray[np.float32] | Sparse] = {} if self.dense is None else {DENSE: self.dense}
        return given | {name: v for name, v in ((TEXT, self.text), (NAME, self.name)) if v.indices}


@dataclass(frozen=True, slots=True)
class Candidate:
    """A point that one vector of the query found; the payload lacks the text."""

    id: int
    score: float  # inner product: cosine for dense, BM25 for sparse vectors
    payload: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Candidates:
    """The best points by each vector of a query, best first."""

    dense: tuple[Candidate, ...] = ()
    text: tuple[Candidate, ...] = ()
    name: tuple[Candidate, ...] = ()


class Store(Protocol):
    """Hold points by id. A call that returned survives the death of the process.

    Calls come from one thread at a time. Methods raise StoreBroken where the files cannot be read.
    """

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

    def flush(self) -> None:
        """Write everything to disk, so that it survives a loss of power too."""
        ...

    def close(self) -> None:
        """Flush and let go of the files."""
        ...
