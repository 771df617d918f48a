"""Bring the index in step with the project: what changed is read, chunked, embedded and stored; the rest is left alone.

Owns the order of writes that makes a crash harmless: new points, then the manifest's rows, then the deletion of old
points. Whatever a crash leaves is either in the manifest or an orphan that `repair` deletes.
Must not import a store's implementation, the scan's or the embedder's libraries: they are passed in.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from memcache_lsp.documents import Loaded
from memcache_lsp.errors import MemcacheError, Stopped
from memcache_lsp.manifest import FAILED, INDEXED, SKIPPED, FileRecord, Manifest
from memcache_lsp.store import Point, Store
from memcache_lsp.tokens import count_terms, document_vector, words
from memcache_lsp.values import Chunk, Document, Found, Skipped

_log = logging.getLogger(__name__)

POINT_VERSION = "1"  # changes with what a point is made of
_BATCH_CHUNKS = 256
_BATCH_S = 0.25  # a slow project still shows its first hits early
_CLOCK_GRAIN_NS = 2_000_000_000  # the coarsest file time in use (FAT)

# BM25's parameters; the average lengths are those of the benchmark's repositories, and constants so that one
# file's points do not depend on another's.
_TEXT_BM25 = {"k1": 1.2, "b": 0.75, "average_length": 180.0}
_NAME_BM25 = {"k1": 1.2, "b": 0.5, "average_length": 24.0}


@dataclass(frozen=True, slots=True)
class Plan:
    """What has to be done to bring the index in step."""

    check: tuple[Found, ...]  # to be read: new, or changed by size or time, or too young to tell
    removed: tuple[str, ...]
    unchanged: int


@dataclass(frozen=True, slots=True)
class Report:
    """What an update did, in files."""

    added: int = 0
    changed: int = 0
    removed: int = 0
    unchanged: int = 0
    chunks: int = 0  # written
    failed: tuple[Skipped, ...] = ()


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an update is: files read of files to read."""

    done: int
    total: int


@dataclass(slots=True)
class _Prepared:
    record: FileRecord
    document: Document | None = None  # None where the index keeps or loses what it has of the file
    chunks: tuple[Chunk, ...] = ()
    old_ids: tuple[int, ...] = ()


@dataclass(slots=True)
class _Tally:
    added: int = 0
    changed: int = 0
    unchanged: int = 0
    chunks: int = 0


def plan(recorded: Mapping[str, FileRecord], found: Sequence[Found]) -> Plan:
    """Tell from sizes and times alone which files have to be read."""
    check = [f for f in found if not _surely_unchanged(recorded.get(f.path), f)]
    there = {f.path for f in found}
    removed = tuple(path for path in recorded if path not in there)
    return Plan(check=tuple(check), removed=removed, unchanged=len(found) - len(check))


def _surely_unchanged(record: FileRecord | None, found: Found) -> bool:
    return (
        record is not None
        and record.size_bytes == found.size_bytes
        and record.mtime_ns == found.mtime_ns
        and record.checked_ns - record.mtime_ns > _CLOCK_GRAIN_NS
    )


def point_id(path: str, chunk: Chunk) -> int:
    """Return the id of a chunk's point: 63 bits of everything that its point is made of."""
    key = f"{path}\0{chunk.span}\0{chunk.kind}\0{chunk.symbol}\0{chunk.breadcrumb}\0{chunk.text}"
    digest = blake2b(key.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest) >> 1


def embedded_text(chunk: Chunk) -> str:
    """Return what is embedded of a chunk: no path, so that a renamed file finds its vectors in the cache."""
    return "\n".join((" ".join(chunk.breadcrumb), chunk.text)) if chunk.breadcrumb else chunk.text


def make_point(document: Document, chunk: Chunk, dense: NDArray[np.float32]) -> Point:
    """Return the point of a chunk."""
    text = count_terms(chunk.text)
    for name in chunk.breadcrumb:
        text.update(count_terms(name))
    names = list(dict.fromkeys(d.name for d in chunk.definitions))
    name_counts: Counter[str] = Counter()
    for source in (document.path, chunk.symbol, *chunk.breadcrumb, *names[:40]):
        name_counts.update(count_terms(source))
    payload = {
        "path": document.path,
        "language": document.language,
        "kind": chunk.kind,
        "symbol": chunk.symbol,
        "names": [name.lower() for name in names],
        "breadcrumb": list(chunk.breadcrumb),
        "start": chunk.span.start,
        "end": chunk.span.end,
        "start_line": chunk.span.start_line,
        "end_line": chunk.span.end_line,
        "text": chunk.text,
    }
    return Point(
        id=point_id(document.path, chunk),
        dense=dense,
        text=document_vector(text, **_TEXT_BM25),
        name=document_vector(name_counts, **_NAME_BM25),
        payload=payload,
    )


def order_for(question: str) -> Callable[[Found], bool]:
    """Return a sort key that puts files whose path shares a word with the question first."""
    wanted = {word.lower() for word in words(question) if len(word) > 2}

    def key(found: Found) -> bool:
        path = found.path.lower()
        return not any(word in path for word in wanted)

    return key


class Indexer:
    """Write to one index. `lock` is held for short stretches only, so that searches come in between."""

    def __init__(
        self,
        *,
        manifest: Manifest,
        store: Store,
        lock: threading.RLock,
        read: Callable[[Found], Loaded],
        chunk: Callable[[Document], tuple[tuple[Chunk, ...], tuple[str, ...]]],
        embed: Callable[[Sequence[str]], NDArray[np.float32]],
        before_write: Callable[[], None] = lambda: None,
        clock_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._manifest = manifest
        self._store = store
        self._lock = lock
        self._read = read
        self._chunk = chunk
        self._embed = embed
        self._before_write = before_write
        self._clock_ns = clock_ns

    def update(
        self,
        found: Sequence[Found],
        unscanned: Sequence[Skipped],
        *,
        on_progress: Callable[[Progress], None],
        cancelled: Callable[[], bool],
        first: Callable[[Found], bool] | None = None,
    ) -> Report:
        """Bring the index in step with the files found; `first` is the sort key of the reading.

        Raises Stopped when cancelled; what was written until then stays and counts the next time.
        """
        with self._lock:
            recorded = self._manifest.records()
            if unscanned != self._manifest.unscanned():
                self._manifest.replace_unscanned(unscanned)
        todo = plan(recorded, found)
        tally = _Tally(unchanged=todo.unchanged)
        if todo.removed:
            self._remove([recorded[path] for path in todo.removed])
        queue = sorted(todo.check, key=first) if first else todo.check
        batch: list[_Prepared] = []
        written = time.monotonic()
        on_progress(Progress(0, len(queue)))
        for done, file in enumerate(queue, start=1):
            if cancelled():
                self._write(batch, tally)
                raise Stopped("Stopped; what is indexed so far is kept.")
            batch.append(self._prepare(file, recorded.get(file.path), tally))
            full = sum(len(prepared.chunks) for prepared in batch) >= _BATCH_CHUNKS
            if full or time.monotonic() - written > _BATCH_S:
                self._write(batch, tally)
                batch, written = [], time.monotonic()
                on_progress(Progress(done, len(queue)))
        self._write(batch, tally)
        on_progress(Progress(len(queue), len(queue)))
        with self._lock:
            failed = [Skipped(r.path, r.reason) for r in self._manifest.records().values() if r.status == FAILED]
        return Report(
            added=tally.added,
            changed=tally.changed,
            removed=len(todo.removed),
            unchanged=tally.unchanged,
            chunks=tally.chunks,
            failed=tuple(failed),
        )

    def _prepare(self, file: Found, old: FileRecord | None, tally: _Tally) -> _Prepared:
        """Read and chunk a file; one that fails costs only itself and is named."""
        row = _record(file, self._clock_ns())
        old_ids = old.point_ids if old else ()
        was_indexed = old is not None and old.status == INDEXED
        try:
            loaded = self._read(file)
            if old and loaded.hash and loaded.hash == old.hash:
                tally.unchanged += 1
                touched = replace(old, size_bytes=row.size_bytes, mtime_ns=row.mtime_ns, checked_ns=row.checked_ns)
                return _Prepared(touched, old_ids=old_ids)
            if isinstance(loaded.document, Skipped):
                tally.changed += was_indexed
                row = replace(row, hash=loaded.hash, status=SKIPPED, reason=loaded.document.reason)
                return _Prepared(row, old_ids=old_ids)
            chunks, problems = self._chunk(loaded.document)
        except MemcacheError:
            raise
        except Exception as error:  # noqa: BLE001 - the file boundary: any failure is this file's alone
            _log.warning("indexing %r failed", file.path, exc_info=True)
            reason = f"it could not be indexed ({type(error).__name__}: {error})"
            return _Prepared(replace(row, reason=reason), old_ids=old_ids)
        tally.added += not was_indexed
        tally.changed += was_indexed
        row = replace(
            row, hash=loaded.hash, language=loaded.document.language, status=INDEXED, reason="; ".join(problems)
        )
        return _Prepared(row, document=loaded.document, chunks=chunks, old_ids=old_ids)

    def _write(self, batch: Sequence[_Prepared], tally: _Tally) -> None:
        """Write a batch so that a crash between any two steps leaves only what `repair` mends."""
        texts = [embedded_text(chunk) for prepared in batch for chunk in prepared.chunks]
        vectors = iter(self._embed(texts) if texts else ())
        records: list[FileRecord] = []
        new: list[Point] = []
        stale: list[int] = []
        for prepared in batch:
            record, old_ids = prepared.record, set(prepared.old_ids)
            if prepared.document is not None:
                points = [make_point(prepared.document, chunk, next(vectors)) for chunk in prepared.chunks]
                record = replace(record, point_ids=tuple(point.id for point in points))
                new += [point for point in points if point.id not in old_ids]
            records.append(record)
            stale += old_ids.difference(record.point_ids)
        if not records:
            return
        with self._lock:
            self._before_write()
            self._store.upsert(new)
            self._manifest.commit(records)
            self._store.delete(stale)
        tally.chunks += len(new)

    def _remove(self, records: Sequence[FileRecord]) -> None:
        with self._lock:
            self._before_write()
            self._manifest.commit([], removed=[record.path for record in records])
            self._store.delete([i for record in records for i in record.point_ids])


def _record(file: Found, checked_ns: int) -> FileRecord:
    """Return the row of a file of which nothing is known but its stat."""
    return FileRecord(
        path=file.path,
        size_bytes=file.size_bytes,
        mtime_ns=file.mtime_ns,
        checked_ns=checked_ns,
        hash="",
        language="",
        status=FAILED,
        reason="",
        point_ids=(),
    )


def repair(manifest: Manifest, store: Store) -> tuple[int, int]:
    """Make store and manifest agree after a crash; return how many points and how many files were dropped.

    Points that no row names are deleted; a file whose row names a point that is not there is forgotten, and so read
    again by the next update.
    """
    records = manifest.records()
    stored = set(store.ids())
    named = {i for record in records.values() for i in record.point_ids}
    broken = [record for record in records.values() if not stored.issuperset(record.point_ids)]
    manifest.commit([], removed=[record.path for record in broken])
    orphans = stored - named | {i for record in broken for i in record.point_ids if i in stored}
    store.delete(sorted(orphans))
    return len(orphans), len(broken)
