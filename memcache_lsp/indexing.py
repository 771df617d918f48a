"""Bring the index in step with the project: what changed is read, chunked, embedded and stored; the rest is left alone.

What is heavy about a file is done by `preparing`, here or in another process. Owns the order of writes that makes a crash harmless: new points, then the manifest's rows, then the deletion of old
points. Whatever a crash leaves is either in the manifest or an orphan that `repair` deletes.
Must not import a store's implementation or the scan.
"""

from __future__ import annotations

import threading
import time
from array import array
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import islice

from memcache_lsp.errors import Stopped
from memcache_lsp.manifest import FileRecord, Manifest
from memcache_lsp.preparing import FAILED, INDEXED, Job, Prepared
from memcache_lsp.ranking import FileTable, Row
from memcache_lsp.ranking.words import classes_of, content_words
from memcache_lsp.reports import Progress, Report, Skipped
from memcache_lsp.store import Point, Store
from memcache_lsp.values import Found

_FIRST_BATCH_BYTES, _BATCH_BYTES = 12_000, 200_000
_BATCH_FILES = 64
_SHARES = 4  # of what is left, of which a batch takes one at most
_SENT_S = 0.005  # by when the first batches are on their way
_NEW_TOLD = 20  # of the files that are added, by their paths
_CLOCK_GRAIN_NS = 2_000_000_000  # the coarsest file time in use (FAT)


@dataclass(frozen=True, slots=True)
class Plan:
    """What has to be done to bring the index in step."""

    check: tuple[Found, ...]  # to be read: new, or changed by size or time, or too young to tell
    removed: tuple[str, ...]
    unchanged: int


@dataclass(slots=True)
class _Tally:
    added: int = 0
    changed: int = 0
    unchanged: int = 0
    chunks: int = 0
    new: list[str] = field(default_factory=list)

    def add(self, prepared: Prepared, *, was_indexed: bool) -> None:
        is_indexed = prepared.status == INDEXED
        self.unchanged += prepared.unchanged
        is_new = is_indexed and not was_indexed and not prepared.unchanged
        self.added += is_new
        if is_new and len(self.new) < _NEW_TOLD:
            self.new.append(prepared.found.path)
        self.changed += was_indexed and not prepared.unchanged


def batches(files: Sequence[Found], asked: Callable[[], str | None] = lambda: None) -> Iterator[list[Found]]:
    """Cut files into batches: small ones first, so that something is found soon, then of a few hundred chunks.

    Towards the end they shrink with what is left, so that several processes end together.

    Before each batch it is looked what is `asked`: after a new question the files whose path speaks of it come next.
    """
    rest = list(reversed(files))  # taken from the end
    question, full_bytes = None, _FIRST_BATCH_BYTES
    left_bytes = sum(file.size_bytes for file in files)
    while rest:
        latest = asked()
        if latest and latest != question:
            question, full_bytes = latest, _FIRST_BATCH_BYTES
            rest.sort(key=relevance_to(question))
        batch: list[Found] = []
        size_bytes = 0
        share_bytes = max(_FIRST_BATCH_BYTES, left_bytes // _SHARES)
        while rest and size_bytes < min(full_bytes, share_bytes) and len(batch) < _BATCH_FILES:
            batch.append(rest.pop())
            size_bytes += batch[-1].size_bytes
        left_bytes -= size_bytes
        full_bytes = min(2 * full_bytes, _BATCH_BYTES)
        yield batch


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
        and record.ctime_ns == found.ctime_ns
        and record.hash != ""  # what could not be read may be readable now
        and record.checked_ns - max(record.mtime_ns, record.ctime_ns) > _CLOCK_GRAIN_NS
    )


def relevance_to(question: str) -> Callable[[Found], int]:
    """Return how many words of the question a file's path has, those of its own name counted twice."""
    roots = {root for word in content_words(question) for root in classes_of(word) if len(root) > 2}

    def relevance(found: Found) -> int:
        path = found.path.lower()
        name = path.rpartition("/")[2]
        return sum((root in path) + (root in name) for root in roots)

    return relevance


class Indexer:
    """Write to one index. `lock` is held for short stretches only, so that searches come in between."""

    def __init__(
        self,
        *,
        manifest: Manifest,
        store: Store,
        lock: threading.RLock,
        prepare: Callable[[Sequence[Job]], Sequence[Prepared]],
        before_write: Callable[[], None] = lambda: None,
        table: FileTable | None = None,
    ) -> None:
        """`table` is kept in step with what is written."""
        self._manifest = manifest
        self._store = store
        self._lock = lock
        self._prepare = prepare
        self._before_write = before_write
        self._table = table or FileTable(lambda: ())

    def update(
        self,
        found: Sequence[Found],
        unscanned: Sequence[Skipped],
        *,
        on_progress: Callable[[Progress], None],
        cancelled: Callable[[], bool],
        asked: Callable[[], str | None] = lambda: None,
        hands: Callable[[], int] = lambda: 0,
        within: Sequence[str] | None = None,
    ) -> Report:
        """Bring the index in step with the files found; what is `asked` meanwhile tells which come first.

        While a batch is written as many others are prepared as there are `hands`, in threads of their own. With `within`, the files found are all that lie at or below those paths, and no other ones are touched.
        Raises Stopped when cancelled; what was written until then stays and counts the next time.
        """
        with self._lock:
            recorded = self._manifest.records(within)
            if list(unscanned) != self._manifest.unscanned(within):
                self._manifest.replace_unscanned(unscanned, within)
        todo = plan(recorded, found)
        tally = _Tally(unchanged=todo.unchanged)
        if todo.removed:
            self._remove([recorded[path] for path in todo.removed])
        done = 0
        on_progress(Progress(0, len(todo.check)))
        jobs = (
            [Job(file, recorded[file.path].hash if file.path in recorded else "") for file in batch]
            for batch in batches(todo.check, asked)
        )
        with closing(self._prepared(jobs, hands)) as prepared:
            while True:
                if cancelled():
                    raise Stopped("Stopped; what is indexed so far is kept.")
                batch = next(prepared, None)
                if batch is None:
                    break
                self._write(batch, recorded, tally)
                done += len(batch)
                on_progress(Progress(done, len(todo.check)))
        with self._lock:
            failed = self._manifest.reasons(FAILED)
        return Report(
            added=tally.added,
            changed=tally.changed,
            removed=len(todo.removed),
            unchanged=tally.unchanged,
            chunks=tally.chunks,
            failed=tuple(failed),
            new=tuple(tally.new),
        )

    def _prepared(
        self, jobs: Iterator[Sequence[Job]], hands: Callable[[], int]
    ) -> Generator[Sequence[Prepared], None, None]:
        """Yield what comes of each batch, in order; a batch is made up only when there is a hand for it."""
        if not hands():
            yield from map(self._prepare, jobs)
            return
        begun: deque[Future[Sequence[Prepared]]] = deque()

        def begin() -> None:
            wanted = hands()
            ahead = wanted > 1  # one more, which the first hand that is free takes while a batch is written
            free = max(0, wanted + ahead - len(begun))
            begun.extend(threads.submit(self._prepare, batch) for batch in islice(jobs, free))

        with ThreadPoolExecutor(thread_name_prefix="prepare") as threads:
            try:
                begin()
                if begun:
                    threads.submit(self._make_store_ready)
                while begun:
                    done = begun.popleft().result()
                    begin()
                    yield done
            finally:
                threads.shutdown(wait=False, cancel_futures=True)

    def _make_store_ready(self) -> None:
        time.sleep(_SENT_S)  # it can hold up the threads that send the first batches
        with self._lock:
            self._store.make_ready()  # what fails here fails again at the first write, where somebody hears of it

    def _write(self, batch: Sequence[Prepared], recorded: Mapping[str, FileRecord], tally: _Tally) -> None:
        """Write a batch so that a crash between any two steps leaves only what `repair` mends."""
        records: list[FileRecord] = []
        new: list[Point] = []
        stale: list[int] = []
        for prepared in batch:
            old = recorded.get(prepared.found.path)
            record = _record(prepared, old)
            records.append(record)
            old_ids = set(old.point_ids) if old else set()
            new += [point for point in prepared.points if point.id not in old_ids]
            stale += old_ids.difference(record.point_ids)
            tally.add(prepared, was_indexed=old is not None and old.status == INDEXED)
        with self._lock:
            self._before_write()
            self._store.upsert(new)
            changed = [prepared for prepared in batch if not prepared.unchanged]
            self._manifest.commit(records, facts={p.found.path: p.facts for p in changed})
            gone = [prepared.found.path for prepared in changed if not prepared.points]
            self._table.put([_row(prepared) for prepared in changed if prepared.points], gone)
            self._store.delete(stale)
        tally.chunks += sum(point.dense is not None for point in new)

    def _remove(self, records: Sequence[FileRecord]) -> None:
        with self._lock:
            self._before_write()
            removed = [record.path for record in records]
            self._manifest.commit([], removed=removed)
            self._table.put([], removed)
            self._store.delete([i for record in records for i in record.point_ids])


def _record(prepared: Prepared, old: FileRecord | None) -> FileRecord:
    """Return the row of a file: its old one with new times where its content is the old one."""
    found = prepared.found
    if prepared.unchanged and old is not None:
        return replace(
            old,
            size_bytes=found.size_bytes,
            mtime_ns=found.mtime_ns,
            ctime_ns=found.ctime_ns,
            checked_ns=prepared.checked_ns,
        )
    return FileRecord(
        path=found.path,
        size_bytes=found.size_bytes,
        mtime_ns=found.mtime_ns,
        ctime_ns=found.ctime_ns,
        checked_ns=prepared.checked_ns,
        hash=prepared.hash,
        language=prepared.language,
        status=prepared.status,
        reason=prepared.reason,
        point_ids=tuple(point.id for point in prepared.points),
    )


def _row(prepared: Prepared) -> Row:
    ids = array("q", [point.id for point in prepared.points])
    return Row(prepared.found.path, prepared.language, prepared.found.size_bytes, ids, prepared.facts)


def rows_of(manifest: Manifest) -> Iterator[Row]:
    """Return what the manifest knows of each file for the table."""
    for path, language, size_bytes, points, facts in manifest.facts():
        ids = array("q")
        ids.frombytes(points)
        yield Row(path, language, size_bytes, ids, facts)


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
