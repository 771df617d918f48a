"""The same contract over qdrant-client: a Qdrant server or cluster by URL, or its local mode. The only importer of qdrant_client.

For an index that a team shares or that outgrows a machine, and for platforms without the embedded engine's wheel.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from memcache_lsp.errors import UserError
from memcache_lsp.store.contract import (
    DENSE,
    INDEXED_FIELDS,
    NAME,
    TEXT,
    Candidate,
    Candidates,
    Filter,
    Point,
    Query,
)
from memcache_lsp.tokens import Sparse

if TYPE_CHECKING:
    from pathlib import Path

    from qdrant_client import QdrantClient

_BATCH_POINTS = 256  # a request over a network costs more than it blocks
_SCROLL_POINTS = 2_000
_LIGHT_FIELDS = ["path", "language", "kind", "symbol", "names", "start_line", "end_line"]


def connect(*, url: str | None = None, api_key: str | None = None, folder: Path | None = None) -> QdrantClient:
    """Return a client of the server at `url`, or of the local mode in `folder`, or in memory where both are None."""
    try:
        import qdrant_client  # noqa: PLC0415 - 1.2 s and 88 MB, only where it was asked for
    except ImportError as error:
        raise UserError(
            "A Qdrant server needs the qdrant extra: pip install 'memcache-lsp[qdrant]', or unset qdrant_url."
        ) from error
    if url is not None:
        return qdrant_client.QdrantClient(url=url, api_key=api_key, timeout=30, check_compatibility=False)
    return qdrant_client.QdrantClient(path=str(folder)) if folder else qdrant_client.QdrantClient(":memory:")


def delete_collection(client: QdrantClient, collection: str) -> None:
    """Delete a collection, if it is there."""
    with _translated(), contextlib.closing(client):
        client.delete_collection(collection)


class ClientStore:
    """A collection of a Qdrant that somebody else runs."""

    def __init__(
        self, client: QdrantClient, *, collection: str, dimension: int, local: bool, read_only: bool = False
    ) -> None:
        """Open the collection, or make it unless it is `read_only`; a local client has no payload indexes."""
        from qdrant_client import models  # noqa: PLC0415

        self._models = models
        self._client = client
        self._collection = collection
        with _translated():
            exists = client.collection_exists(collection)
            if read_only:
                if not exists or self._dimension() != dimension:
                    raise UserError(
                        f"The collection {collection} is not there or was made by another embedder: "
                        "correct qdrant_collection and embedder, or unset qdrant_read_only to make it."
                    )
                return
            if not exists:
                self._create(dimension)
            elif self._dimension() != dimension:
                client.delete_collection(collection)
                self._create(dimension)
            if not local:
                for name in INDEXED_FIELDS:
                    client.create_payload_index(collection, name, field_schema=models.PayloadSchemaType.KEYWORD)

    def _create(self, dimension: int) -> None:
        m = self._models
        self._client.create_collection(
            self._collection,
            vectors_config={DENSE: m.VectorParams(size=dimension, distance=m.Distance.DOT)},
            sparse_vectors_config={name: m.SparseVectorParams(modifier=m.Modifier.IDF) for name in (TEXT, NAME)},
        )

    def _dimension(self) -> int:
        vectors = self._client.get_collection(self._collection).config.params.vectors
        return vectors[DENSE].size if isinstance(vectors, dict) and DENSE in vectors else 0

    def upsert(self, points: Sequence[Point]) -> None:
        for begin in range(0, len(points), _BATCH_POINTS):
            batch = [self._to_point(point) for point in points[begin : begin + _BATCH_POINTS]]
            with _translated():
                self._client.upsert(self._collection, batch, wait=True)

    def delete(self, ids: Sequence[int]) -> None:
        with _translated():
            if ids:
                self._client.delete(self._collection, points_selector=self._models.PointIdsList(points=list(ids)))

    def search(self, query: Query) -> Candidates:
        vectors: dict[str, Any] = {
            DENSE: query.dense.tolist() if query.dense is not None else None,
            TEXT: self._to_sparse(query.text),
            NAME: self._to_sparse(query.name),
        }
        asked = [n for n, v in vectors.items() if v is not None and (n == DENSE or v.indices)]
        requests = [
            self._models.QueryRequest(
                query=vectors[name],
                using=name,
                filter=self._to_filter(query.filter),
                limit=query.limit,
                with_payload=_LIGHT_FIELDS,
            )
            for name in asked
        ]
        with _translated():
            answers = self._client.query_batch_points(self._collection, requests) if requests else []
        found = {
            name: tuple(Candidate(int(p.id), p.score, p.payload or {}) for p in answer.points)
            for name, answer in zip(asked, answers, strict=True)
        }
        return Candidates(**found)

    def retrieve(self, ids: Sequence[int]) -> dict[int, Mapping[str, Any]]:
        with _translated():
            records = self._client.retrieve(self._collection, list(ids), with_payload=True)
        return {int(record.id): record.payload or {} for record in records}

    def paths(self) -> list[str]:
        found: set[str] = set()
        offset = None
        while True:
            with _translated():
                records, offset = self._client.scroll(
                    self._collection, limit=_SCROLL_POINTS, offset=offset, with_payload=["path"], with_vectors=False
                )
            found.update((record.payload or {}).get("path", "") for record in records)
            if offset is None:
                return sorted(found)

    def ids(self) -> Iterator[int]:
        offset = None
        while True:
            with _translated():
                records, offset = self._client.scroll(
                    self._collection, limit=_SCROLL_POINTS, offset=offset, with_payload=False, with_vectors=False
                )
            yield from (int(record.id) for record in records)
            if offset is None:
                return

    def count(self) -> int:
        with _translated():
            return self._client.count(self._collection, exact=True).count

    def flush(self) -> None:
        """Do nothing: a write was acknowledged when it was durable."""

    def close(self) -> None:
        with _translated():
            self._client.close()

    def _to_sparse(self, sparse: Sparse) -> Any:
        return self._models.SparseVector(indices=list(sparse.indices), values=list(sparse.values))

    def _to_point(self, point: Point) -> Any:
        vector = {DENSE: point.dense.tolist(), TEXT: self._to_sparse(point.text), NAME: self._to_sparse(point.name)}
        return self._models.PointStruct(id=point.id, vector=vector, payload=dict(point.payload))

    def _to_filter(self, wanted: Filter) -> Any:
        m = self._models
        must = [
            m.FieldCondition(key=name, match=m.MatchAny(any=values)) for name, values in wanted.conditions().items()
        ]
        return m.Filter(must=must) if must else None


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    """Turn what a server or the way to it fails with into one sentence."""
    from qdrant_client.http.exceptions import ApiException  # noqa: PLC0415

    try:
        yield
    except (ApiException, OSError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise UserError(
            f"The Qdrant server did not do what was asked ({reason}): check qdrant_url and QDRANT_API_KEY, then try again."
        ) from error
