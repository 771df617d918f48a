"""The same contract over qdrant-client: a Qdrant server or cluster by URL, or its local mode. The only importer of qdrant_client.

For an index that a team shares or that outgrows a machine, and for platforms without the embedded engine's wheel.
"""

from __future__ import annotations

import contextlib
import json
import pickle
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from memcache_lsp.errors import UserError
from memcache_lsp.store.contract import (
    DENSE,
    INDEXED_FIELDS,
    SPARSE,
    Candidate,
    Candidates,
    Filter,
    Point,
    Query,
    StoreBroken,
)
from memcache_lsp.tokens import Sparse

if TYPE_CHECKING:
    from pathlib import Path

    from qdrant_client import QdrantClient

_BATCH_POINTS = 256  # a request over a network costs more than it blocks
_SCROLL_POINTS = 2_000
_NOTE_ID = 0
_LOOPBACK = ("http://127.0.0.1", "http://localhost", "http://[::1]")


def connect(*, url: str | None = None, api_key: str | None = None, folder: Path | None = None) -> QdrantClient:
    """Return a client of the server at `url`, or of the local mode in `folder`, or in memory where both are None."""
    try:
        import qdrant_client  # noqa: PLC0415 - 1.2 s and 88 MB, only where it was asked for
    except ImportError as error:
        raise UserError(
            "A Qdrant server needs the qdrant extra: pip install 'memcache-lsp[qdrant]', or unset qdrant_url."
        ) from error
    with _translated():
        if url is None:
            return qdrant_client.QdrantClient(path=str(folder)) if folder else qdrant_client.QdrantClient(":memory:")
        if api_key and not url.startswith(("https://", *_LOOPBACK)):
            raise UserError("QDRANT_API_KEY would go over the network in the clear: use a qdrant_url with https.")
        return qdrant_client.QdrantClient(url=url, api_key=api_key, timeout=30, check_compatibility=False)


class ClientStore:
    """A collection of a Qdrant that somebody else runs.

    A note in the collection says which index writes it and by which embedder, so that nobody deletes another one's
    points by mistake.
    """

    def __init__(
        self,
        client: QdrantClient,
        *,
        collection: str,
        dimension: Callable[[], int],
        owner: str = "",
        embedder: str = "",
        local: bool = False,
        read_only: bool = False,
    ) -> None:
        """Open the collection, or make it unless it is `read_only`; a local client has no payload indexes.

        `dimension` is asked only where the collection has to be made. Raises UserError for a collection that another
        index writes, or, to a reader, one that another embedder made.
        """
        from qdrant_client import models  # noqa: PLC0415

        self._models = models
        self._client = client
        self._collection = collection
        with _translated():
            note = self._note() if client.collection_exists(collection) else None
            if read_only:
                self._check_reader(note, embedder)
                return
            self._check_writer(note, owner)
            if note and note["embedder"] != embedder:
                client.delete_collection(collection)
                note = None
            if note is None:
                self._create(dimension())
                if not local:
                    for name in INDEXED_FIELDS:
                        client.create_payload_index(collection, name, field_schema=models.PayloadSchemaType.KEYWORD)
                self._write_note({"owner": owner, "embedder": embedder})

    def _note(self) -> dict[str, str]:
        records = self._client.retrieve(self._collection, [_NOTE_ID], with_payload=True)
        payload = (records[0].payload or {}) if records else {}
        return {name: str(payload.get(name, "?")) for name in ("owner", "embedder")}

    def _write_note(self, note: dict[str, str]) -> None:
        point = self._models.PointStruct(id=_NOTE_ID, vector={}, payload=note)
        self._client.upsert(self._collection, [point], wait=True)

    def _check_reader(self, note: dict[str, str] | None, embedder: str) -> None:
        if note is None:
            raise UserError(f"There is no collection {self._collection}: correct qdrant_collection.")
        if note["embedder"] != embedder:
            raise UserError(
                f"The collection {self._collection} was made by the embedder {note['embedder']}: name that one as embedder."
            )

    def _check_writer(self, note: dict[str, str] | None, owner: str) -> None:
        if note and note["owner"] != owner:
            raise UserError(
                f"The collection {self._collection} is written by another index ({note['owner']}): set qdrant_read_only "
                "to search it, or name another qdrant_collection."
            )

    def drop(self) -> None:
        """Delete the collection."""
        with _translated():
            self._client.delete_collection(self._collection)

    def _create(self, dimension: int) -> None:
        m = self._models
        self._client.create_collection(
            self._collection,
            vectors_config={DENSE: m.VectorParams(size=dimension, distance=m.Distance.DOT)},
            sparse_vectors_config={name: m.SparseVectorParams(modifier=m.Modifier.IDF) for name in SPARSE},
        )

    def make_ready(self) -> None:
        """Do nothing: the server is."""

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
        asked = query.asked()
        requests = [
            self._models.QueryRequest(
                query=self._to_sparse(vector) if isinstance(vector, Sparse) else vector.tolist(),
                using=name,
                filter=self._to_filter(wanted),
                limit=query.limit,
                with_payload=False,
            )
            for name, (vector, wanted) in asked.items()
        ]
        with _translated():
            answers = self._client.query_batch_points(self._collection, requests) if requests else []
        found = {
            name: tuple(Candidate(int(p.id), p.score) for p in answer.points)
            for name, answer in zip(asked, answers, strict=True)
        }
        return Candidates(**found, limit=query.limit)

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
            found.update((record.payload or {}).get("path", "") for record in records if record.id != _NOTE_ID)
            if offset is None:
                return sorted(found)

    def ids(self) -> Iterator[int]:
        offset = None
        while True:
            with _translated():
                records, offset = self._client.scroll(
                    self._collection, limit=_SCROLL_POINTS, offset=offset, with_payload=False, with_vectors=False
                )
            yield from (int(record.id) for record in records if record.id != _NOTE_ID)
            if offset is None:
                return

    def count(self) -> int:
        with _translated():
            return self._client.count(self._collection, exact=True).count - 1  # the note

    def flushing(self) -> Iterator[None]:
        """Do nothing: a write was acknowledged when it was durable."""
        return iter(())

    def close(self) -> None:
        with _translated():
            self._client.close()

    def _to_sparse(self, sparse: Sparse) -> Any:
        return self._models.SparseVector(indices=list(sparse.indices), values=list(sparse.values))

    def _to_point(self, point: Point) -> Any:
        vector = {name: self._to_sparse(sparse) for name, sparse in point.sparse.items()}
        if point.dense is not None:
            vector[DENSE] = point.dense.tolist()
        return self._models.PointStruct(id=point.id, vector=vector, payload=dict(point.payload))

    def _to_filter(self, wanted: Filter) -> Any:
        m = self._models
        must: list[Any] = [
            m.FieldCondition(key=name, match=m.MatchAny(any=values)) for name, values in wanted.conditions().items()
        ]
        if wanted.ids is not None:
            must.append(m.HasIdCondition(has_id=list(wanted.ids)))
        return m.Filter(must=must) if must else None


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    """Turn what a server or the way to it fails with into one sentence; broken files of the local mode into StoreBroken."""
    from qdrant_client.http.exceptions import ApiException  # noqa: PLC0415

    try:
        yield
    except (json.JSONDecodeError, sqlite3.DatabaseError, pickle.UnpicklingError) as error:
        raise StoreBroken(f"store: {error}") from error
    except (ApiException, OSError, ValueError) as error:  # ValueError: the url is none
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise UserError(
            f"The Qdrant server did not do what was asked ({reason}): check qdrant_url and QDRANT_API_KEY, then try again."
        ) from error
