"""The embedded store: Qdrant's engine in this process, by qdrant-edge-py. The only importer of qdrant_edge."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import qdrant_edge as qe

from memcache_lsp.errors import UserError
from memcache_lsp.store.contract import (
    BATCH_POINTS,
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

_SCROLL_POINTS = 10_000
_LEAST_FREE_BYTES = 64_000_000  # what a batch and the engine's next pre-allocated file may take
_LEAST_FREE_TO_READ_BYTES = 4_000_000  # opening flushes a page or two
_MANY_POINTS = 2_000  # below, a filter that reads every payload takes less than 10 ms
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_candidate = partial(tuple.__new__, Candidate)  # a third of what the named tuple takes to make itself; they are many
_NO_HNSW_KB = 2**40  # exact search is 8.5 ms at 100,000 points; building a graph takes minutes


class EdgeStore:
    """A shard in a folder that this process owns."""

    def __init__(self, folder: Path, *, dimension: Callable[[], int]) -> None:
        """Open the shard in `folder`; raise StoreBroken if what is there cannot be read.

        Where there is none it is made, and `dimension` asked, when it is first needed: to make it takes 20 ms of an idle
        disk and holds every thread, and by then the files are being read in other processes. What cannot be made is
        tried again. For one thread at a time.
        """
        self._folder = folder
        self._dimension = dimension
        self._deleted = False
        self._points_count = 0
        self._indexes: set[str] = set()  # by field
        self._opened: qe.EdgeShard | None = None
        self._require_room(_LEAST_FREE_TO_READ_BYTES if folder.exists() else _LEAST_FREE_BYTES)
        with _translated():
            if (folder / "edge_config.json").exists():
                if not any((folder / "wal").glob("open-*")):  # the engine would make another and ignore what is written
                    raise StoreBroken("store: the write-ahead log is gone")
                with _quiet():
                    self._opened = qe.EdgeShard.load(str(folder))
                info = self._opened.info()
                self._points_count = info.points_count
                self._indexes = set(info.payload_schema)

    @property
    def _shard(self) -> qe.EdgeShard:
        if self._opened is None:
            config = _config(self._dimension())
            self._require_room(_LEAST_FREE_BYTES)
            shutil.rmtree(self._folder, ignore_errors=True)  # what a kill left of one that was being made
            self._folder.mkdir(parents=True)
            self._opened = qe.EdgeShard.create(str(self._folder), config)
        return self._opened

    def make_ready(self) -> None:
        with _translated():
            _ = self._shard

    def _make_indexes(self) -> None:
        """Make the indexes of the fields that filters use, which takes the engine 30 ms for no points at all."""
        for name in self._missing_indexes():
            self._make_index(name)

    def _missing_indexes(self) -> list[str]:
        return [name for name in INDEXED_FIELDS if name not in self._indexes]

    def _make_index(self, name: str) -> None:
        with _translated():
            self._shard.update(qe.UpdateOperation.create_field_index(name, qe.PayloadSchemaType.Keyword))
        self._indexes.add(name)

    def _require_room(self, least_bytes: int) -> None:
        """Refuse to write to a disk that is nearly full: the engine maps its files, and a page without room is a SIGBUS."""
        folder = self._folder if self._folder.exists() else self._folder.parent
        if shutil.disk_usage(folder).free < least_bytes:
            raise UserError(
                f"The disk that holds the index ({folder}) is nearly full: free {_LEAST_FREE_BYTES // 1_000_000} MB, "
                "then run the command again."
            )

    def upsert(self, points: Sequence[Point]) -> None:
        self._require_room(_LEAST_FREE_BYTES)
        for begin in range(0, len(points), BATCH_POINTS):
            batch = [_to_point(point) for point in points[begin : begin + BATCH_POINTS]]
            with _translated():
                self._shard.update(qe.UpdateOperation.upsert_points(batch))
                self._points_count += len(batch)
                if self._points_count >= _MANY_POINTS:
                    self._make_indexes()

    def delete(self, ids: Sequence[int]) -> None:
        with _translated():
            if ids and self._opened is not None:
                self._deleted = True
                self._shard.update(qe.UpdateOperation.delete_points(list(ids)))

    def search(self, query: Query) -> Candidates:
        asked = query.asked()
        requests = [
            qe.QueryRequest(
                limit=query.limit,
                query=qe.Query.Nearest(_to_sparse(v) if isinstance(v, Sparse) else v, using=name),  # type: ignore[arg-type]
                filter=_to_filter(wanted),
                with_payload=False,  # reading it takes ten times as long as the search
            )
            for name, (v, wanted) in asked.items()
        ]
        with _translated():
            answers = self._shard.query_batch(qe.QueryBatchRequest(requests)) if requests else []
        found = {
            name: tuple(map(_candidate, [(p.id, p.score) for p in points]))
            for name, points in zip(asked, answers, strict=True)
        }
        return Candidates(**found, limit=query.limit)

    def retrieve(self, ids: Sequence[int]) -> dict[int, Mapping[str, Any]]:
        with _translated():
            records = self._shard.retrieve(list(ids), with_payload=True, with_vector=False)
        return {int(record.id): record.payload or {} for record in records}

    def paths(self) -> list[str]:
        with _translated():
            self._make_indexes()
            request = qe.FacetRequest("path", limit=self._shard.info().points_count + 1, exact=True)
            return sorted(str(hit.value) for hit in self._shard.facet(request).hits)

    def ids(self) -> Iterator[int]:
        offset = None
        while self._opened is not None:
            request = qe.ScrollRequest(offset=offset, limit=_SCROLL_POINTS, with_payload=False, with_vector=False)
            with _translated():
                records, offset = self._shard.scroll(request)
            yield from (int(record.id) for record in records)
            if offset is None:
                return

    def count(self) -> int:
        with _translated():
            return 0 if self._opened is None else self._shard.count(qe.CountRequest(exact=True))

    def flushing(self) -> Iterator[None]:
        if self._opened is None:
            return
        for name in self._missing_indexes():
            self._make_index(name)
            yield
        with _translated():
            self._shard.flush()

    def close(self) -> None:
        with _translated():
            if self._deleted:
                # Deleted points count in the inverse document frequency until their segment is written anew, which
                # the engine does where they are many. It takes a second for ten thousand, so only when nobody waits.
                self._shard.optimize()
            if self._opened is not None:
                self._shard.close()


def _config(dimension: int) -> qe.EdgeConfig:
    # Float16 loses nothing: vectors were rounded to it by the vector cache.
    dense = qe.EdgeVectorParams(size=dimension, distance=qe.Distance.Dot, datatype=qe.VectorStorageDatatype.Float16)
    return qe.EdgeConfig(
        vectors={DENSE: dense},
        sparse_vectors={name: qe.EdgeSparseVectorParams(modifier=qe.Modifier.Idf) for name in SPARSE},
        optimizers=qe.EdgeOptimizersConfig(indexing_threshold=_NO_HNSW_KB),
    )


def _to_sparse(sparse: Sparse) -> qe.SparseVector:
    return qe.SparseVector(indices=sparse.indices, values=sparse.values)  # type: ignore[arg-type]  # any sequence will do


def _to_point(point: Point) -> qe.Point:
    vectors: dict[str, Any] = {name: _to_sparse(sparse) for name, sparse in point.sparse.items()}
    if point.dense is not None:
        vectors[DENSE] = point.dense.tolist()  # faster than to have the engine read an array
    return qe.Point(point.id, vectors, dict(point.payload))


def _to_filter(wanted: Filter) -> qe.Filter | None:
    must: list[Any] = [
        qe.FieldCondition(name, match=qe.MatchAny(any=values)) for name, values in wanted.conditions().items()
    ]
    if wanted.ids is not None:
        must.append(qe.HasIdCondition(set(wanted.ids)))
    return qe.Filter(must=must) if must else None


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep stderr closed for a moment: of files that are broken the engine would print a panic with its stack."""
    sys.stderr.flush()
    kept = os.dup(2)
    nothing = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nothing, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nothing)


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    """Turn the engine's untyped failures into ours: bare Exceptions, and panics, which are BaseExceptions of pyo3."""
    try:
        yield
    except BaseException as error:
        panic = type(error).__module__.startswith("pyo3")
        if not panic and type(error) is not Exception:
            raise
        message = str(error)
        if any(f"os error {code})" in message for code in _NO_ROOM):
            raise UserError(
                "The disk that holds the index is full: free some space, then run the command again."
            ) from error
        raise StoreBroken(f"store: {message.splitlines()[0] if message else 'panic'}") from error
