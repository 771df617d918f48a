"""Open buffers above an index: their present text is searched in place of what is indexed of their files.

One overlay belongs to one session and one root; nothing of it is ever written to the index. Must not import the store's
implementations or the engine.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memcache_lsp.documents import make_document
from memcache_lsp.embedding import Embedder
from memcache_lsp.preparing import embedded_text, made_of
from memcache_lsp.ranking import Above, Row
from memcache_lsp.store import Candidate, Candidates, Point, Query
from memcache_lsp.tokens import Sparse
from memcache_lsp.values import Document


@dataclass(slots=True)
class _Buffer:
    text: str
    points: tuple[Point, ...] | None = None  # None until a search needs them
    facts: bytes = b""
    vectors: dict[str, NDArray[np.float32]] = field(default_factory=dict)  # of its chunks, or those of an earlier text
    same: bool = False  # as on disk, so that the index knows it


class Overlay:
    """The buffers of one session below one root. For one thread at a time but for `put`, which is one assignment."""

    def __init__(self) -> None:
        self._buffers: dict[str, _Buffer] = {}

    def put(self, path: str, text: str | None) -> None:
        """Take the present text of a buffer, None once it is closed."""
        if text is None:
            self._buffers.pop(path, None)
        else:
            before = self._buffers.get(path)
            self._buffers[path] = _Buffer(text, vectors=before.vectors if before else {})

    def __bool__(self) -> bool:
        return bool(self._buffers)

    def text_of(self, path: str) -> str | None:
        """Return the text of an open buffer."""
        buffer = self._buffers.get(path)
        return buffer.text if buffer else None

    def read(
        self, embedder: Embedder, *, indexed_hash: Callable[[str], str], may_enter: Callable[[str, str], bool]
    ) -> Layer:
        """Return what a search lays over the index; `may_enter`, asked with path and text, is the gate of the scan."""
        hidden: set[str] = set()
        points: list[Point] = []
        rows: list[Row] = []
        for path, buffer in list(self._buffers.items()):
            if buffer.points is None:
                buffer.same = _hash(buffer.text) == indexed_hash(path)
                buffer.points = ()
                if not buffer.same and may_enter(path, buffer.text):
                    _make(path, buffer, embedder)
            if not buffer.same:
                hidden.add(path)
                mine = [replace(point, id=-n) for n, point in enumerate(buffer.points, start=len(points) + 1)]
                points += mine
                if mine:
                    rows.append(_row(path, mine, len(buffer.text), buffer.facts))
        return Layer(frozenset(hidden), tuple(points), tuple(rows))


@dataclass(frozen=True, slots=True)
class Layer:
    """What lies above the index for one search; its points have negative ids."""

    hidden: frozenset[str]
    points: tuple[Point, ...]
    rows: tuple[Row, ...] = ()

    @property
    def above(self) -> Above:
        return Above(self.hidden, self.rows)

    def over(self, found: Candidates, query: Query) -> Candidates:
        """Return the candidates with those of buffers among those of the index, whose hidden ones the ranking drops.

        The store's inverse document frequencies are not known here, so that a buffer's words count by their share of
        the best that the question could find, on the scale of the store's best.
        """
        merged: dict[str, tuple[Candidate, ...]] = {}
        for name, (vector, wanted) in query.asked().items():
            conditions = wanted.conditions()
            mine = [p for p in self.points if all(p.payload[key] in values for key, values in conditions.items())]
            known = getattr(found, name)
            if isinstance(vector, Sparse):
                shares = [(p.id, _share(p.sparse[name], vector)) for p in mine if name in p.sparse]
                merged[name] = _merged(known, shares)
            else:
                near = [Candidate(p.id, float(np.dot(p.dense, vector))) for p in mine if p.dense is not None]
                merged[name] = _best_first([*known, *near])
        return Candidates(**merged, limit=found.limit)

    def payloads(self) -> dict[int, Mapping[str, Any]]:
        """Return the payloads of the buffers' points by id."""
        return {point.id: point.payload for point in self.points}


def _merged(found: Sequence[Candidate], shares: Sequence[tuple[int, float]]) -> tuple[Candidate, ...]:
    scale = max((each.score for each in found), default=1.0)
    best = max((share for _, share in shares), default=0.0) or 1.0
    mine = [Candidate(point, scale * share / max(best, 0.5)) for point, share in shares if share > 0]
    return _best_first([*found, *mine])


def _best_first(candidates: Sequence[Candidate]) -> tuple[Candidate, ...]:
    return tuple(sorted(candidates, key=lambda c: -c.score))


def _share(document: Sparse, query: Sparse) -> float:
    weights = dict(zip(document.indices, document.values, strict=True))
    matched = sum(weights.get(index, 0.0) for index in query.indices)
    return matched / (2.2 * len(query.indices)) if query.indices else 0.0  # 2.2 is BM25's limit for k1 = 1.2


def _make(path: str, buffer: _Buffer, embedder: Embedder) -> None:
    """Make the points and facts of a buffer; chunks that were there before a change are not embedded again."""
    document = make_document(path, buffer.text)
    if not isinstance(document, Document):
        return
    from memcache_lsp.chunking import chunker  # noqa: PLC0415 - a session without changes does not need it

    chunks = chunker.chunk(document).chunks
    texts = [embedded_text(chunk) for chunk in chunks]
    new = [text for text in dict.fromkeys(texts) if text not in buffer.vectors]
    known = buffer.vectors | (dict(zip(new, embedder.embed(new), strict=True)) if new else {})
    buffer.vectors = {text: known[text] for text in texts}
    buffer.points, buffer.facts = made_of(document, chunks, [known[text] for text in texts])


def _row(path: str, points: Sequence[Point], size_bytes: int, facts: bytes) -> Row:
    return Row(path, points[0].payload["language"], size_bytes, array("q", [point.id for point in points]), facts)


def _hash(text: str) -> str:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
