"""Open buffers above an index: their present text is searched in place of what is indexed of their files.

One overlay belongs to one session and one root; nothing of it is ever written to the index. Must not import the store's
implementations or the engine.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Any

import numpy as np

from memcache_lsp.documents import make_document
from memcache_lsp.embedding import Embedder
from memcache_lsp.preparing import embedded_text, make_point
from memcache_lsp.store import Candidate, Candidates, Filter, Point, Query
from memcache_lsp.tokens import Sparse
from memcache_lsp.values import Chunk, Document


@dataclass(slots=True)
class _Buffer:
    text: str
    before: tuple[Point, ...] = ()  # of an earlier text; most of its chunks are those of the present one
    points: tuple[Point, ...] | None = None  # None until a search needs them
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
            old = self._buffers.get(path)
            self._buffers[path] = _Buffer(text, (old.points or old.before) if old else ())

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
        for path, buffer in list(self._buffers.items()):
            if buffer.points is None:
                buffer.same = _hash(buffer.text) == indexed_hash(path)
                unseen = buffer.same or not may_enter(path, buffer.text)
                buffer.points = () if unseen else _points(path, buffer, embedder)
            if not buffer.same:
                hidden.add(path)
                points += buffer.points
        return Layer(frozenset(hidden), tuple(replace(point, id=-n) for n, point in enumerate(points, start=1)))


@dataclass(frozen=True, slots=True)
class Layer:
    """What lies above the index for one search; its points have negative ids."""

    hidden: frozenset[str]
    points: tuple[Point, ...]

    def over(self, found: Candidates, query: Query) -> Candidates:
        """Return the candidates with those of buffers in place of those of their files.

        The store's inverse document frequencies are not known here, so that a buffer's words count by their share of
        the best that the question could find, on the scale of the store's best.
        """
        mine = [point for point in self.points if _passes(point.payload, query.filter)]
        text = self._merged(found.text, [(p, _share(p.text, query.text)) for p in mine])
        name = self._merged(found.name, [(p, _share(p.name, query.name)) for p in mine])
        dense = self._kept(found.dense)
        if query.dense is not None:
            near = [Candidate(p.id, float(np.dot(p.dense, query.dense)), p.payload) for p in mine]
            dense = _best_first([*dense, *near])
        return Candidates(dense=dense, text=text, name=name)

    def payloads(self) -> dict[int, Mapping[str, Any]]:
        """Return the payloads of the buffers' points by id."""
        return {point.id: point.payload for point in self.points}

    def _kept(self, found: Sequence[Candidate]) -> tuple[Candidate, ...]:
        return tuple(c for c in found if c.payload["path"] not in self.hidden)

    def _merged(self, found: Sequence[Candidate], shares: Sequence[tuple[Point, float]]) -> tuple[Candidate, ...]:
        scale = max((c.score for c in found), default=1.0)
        best = max((share for _, share in shares), default=0.0) or 1.0
        mine = [Candidate(p.id, scale * share / max(best, 0.5), p.payload) for p, share in shares if share > 0]
        return _best_first([*self._kept(found), *mine])


def _best_first(candidates: Sequence[Candidate]) -> tuple[Candidate, ...]:
    return tuple(sorted(candidates, key=lambda c: -c.score))


def _share(document: Sparse, query: Sparse) -> float:
    weights = dict(zip(document.indices, document.values, strict=True))
    matched = sum(weights.get(index, 0.0) for index in query.indices)
    return matched / (2.2 * len(query.indices)) if query.indices else 0.0  # 2.2 is BM25's limit for k1 = 1.2


def _passes(payload: Mapping[str, Any], wanted: Filter) -> bool:
    return all(payload[name] in values for name, values in wanted.conditions().items())


def _points(path: str, buffer: _Buffer, embedder: Embedder) -> tuple[Point, ...]:
    """Return the points of a buffer; of a chunk that was there before, only the place is news."""
    document = make_document(path, buffer.text)
    if not isinstance(document, Document):
        return ()
    from memcache_lsp.chunking import chunker  # noqa: PLC0415 - a session without changes does not need it

    known = {_key_of_payload(point.payload): point for point in buffer.before}
    chunks = chunker.chunk(document).chunks
    new = [chunk for chunk in chunks if _key_of_chunk(document, chunk) not in known]
    vectors = iter(embedder.embed([embedded_text(chunk) for chunk in new]) if new else ())
    return tuple(
        _moved(point, chunk)
        if (point := known.get(_key_of_chunk(document, chunk)))
        else make_point(document, chunk, next(vectors))
        for chunk in chunks
    )


def _key_of_chunk(document: Document, chunk: Chunk) -> tuple[object, ...]:
    """Return all that a point of the chunk is made of, but the place in the file."""
    names = tuple(dict.fromkeys(d.name for d in chunk.definitions))
    lowered = tuple(name.lower() for name in names)
    return (document.language, chunk.kind, chunk.symbol, lowered, tuple(chunk.breadcrumb), chunk.text)


def _key_of_payload(payload: Mapping[str, Any]) -> tuple[object, ...]:
    made_of = (payload["language"], payload["kind"], payload["symbol"])
    return (*made_of, tuple(payload["names"]), tuple(payload["breadcrumb"]), payload["text"])


def _moved(point: Point, chunk: Chunk) -> Point:
    span = chunk.span
    place = {"start": span.start, "end": span.end, "start_line": span.start_line, "end_line": span.end_line}
    return replace(point, payload={**point.payload, **place})


def _hash(text: str) -> str:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
