"""The manifest: one SQLite file that says what is indexed, the truth that the store is held against.

Owns the database's schema and its transactions; must not import the store, the scan or the chunker.
"""

from __future__ import annotations

import contextlib
import sqlite3
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from memcache_lsp.errors import MemcacheError, UserError
from memcache_lsp.values import Skipped

_SCHEMA = """
create table if not exists meta (key text primary key, value text not null) without rowid;
create table if not exists files (
  path text primary key,
  size_bytes integer not null,
  mtime_ns integer not null,
  checked_ns integer not null,
  hash text not null,
  language text not null,
  status text not null,
  reason text not null,
  point_ids blob not null
) without rowid;
create table if not exists unscanned (path text primary key, reason text not null) without rowid;
"""


class ManifestBroken(MemcacheError):
    """The manifest cannot be read; the index has to be made again from the project."""

    def __init__(self, what: str) -> None:
        super().__init__(f"The index cannot be read ({what}); make it again with `memcache-lsp index --rebuild`.")
        self.what = what


@dataclass(frozen=True, slots=True)
class FileRecord:
    """A file that was looked at, and what became of it."""

    path: str
    size_bytes: int
    mtime_ns: int
    checked_ns: int  # wall clock when it was read: a change within the clock's grain is not trusted to show
    hash: str  # of the file's bytes; empty where they could not be read
    language: str
    status: str  # of preparing: INDEXED, SKIPPED or FAILED
    reason: str  # why it is not indexed, or what was wrong with it; a sentence or ""
    point_ids: tuple[int, ...]


class Manifest:
    """The database of one index. Used by one thread at a time; readers elsewhere open their own."""

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        """Open the database, or make it; raise ManifestBroken if it is not one."""
        with _translated():
            if read_only:
                self._db = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=5)
                self._db.execute("select count(*) from files")
                return
            self._db = sqlite3.connect(path, timeout=5, check_same_thread=False)
            self._db.execute("pragma journal_mode = wal")
            self._db.execute("pragma synchronous = normal")
            self._db.executescript(_SCHEMA)
            if self._db.execute("pragma quick_check(1)").fetchone() != ("ok",):
                raise sqlite3.DatabaseError("quick_check failed")

    def close(self) -> None:
        self._db.close()

    def get_meta(self, key: str) -> str | None:
        with _translated():
            row = self._db.execute("select value from meta where key = ?", (key,)).fetchone()
        return None if row is None else str(row[0])

    def set_meta(self, key: str, value: str) -> None:
        with _translated(), self._db:
            self._db.execute("insert or replace into meta values (?, ?)", (key, value))

    def records(self) -> dict[str, FileRecord]:
        """Return every file's record by path."""
        with _translated():
            rows = self._db.execute("select * from files order by path").fetchall()
        return {row[0]: _to_record(row) for row in rows}

    def get(self, path: str) -> FileRecord | None:
        with _translated():
            row = self._db.execute("select * from files where path = ?", (path,)).fetchone()
        return None if row is None else _to_record(row)

    def commit(self, records: Sequence[FileRecord], removed: Iterable[str] = ()) -> None:
        """Write records and forget removed paths, all or nothing."""
        with _translated(), self._db:
            self._db.executemany("delete from files where path = ?", [(path,) for path in removed])
            self._db.executemany(
                "insert or replace into files values (?, ?, ?, ?, ?, ?, ?, ?, ?)", [_to_row(r) for r in records]
            )

    def replace_unscanned(self, skipped: Sequence[Skipped]) -> None:
        """Write what the scan did not offer, in place of what the last one did not."""
        with _translated(), self._db:
            self._db.execute("delete from unscanned")
            self._db.executemany(
                "insert or replace into unscanned values (?, ?)", [(s.path, s.reason) for s in skipped]
            )

    def unscanned(self) -> list[Skipped]:
        with _translated():
            return [Skipped(*row) for row in self._db.execute("select path, reason from unscanned order by path")]

    def clear(self) -> None:
        """Forget every file."""
        with _translated(), self._db:
            self._db.execute("delete from files")
            self._db.execute("delete from unscanned")


def _to_record(row: tuple[str, int, int, int, str, str, str, str, bytes]) -> FileRecord:
    ids = array("q")
    ids.frombytes(row[8])
    return FileRecord(*row[:8], point_ids=tuple(ids))


def _to_row(record: FileRecord) -> tuple[object, ...]:
    return (
        record.path,
        record.size_bytes,
        record.mtime_ns,
        record.checked_ns,
        record.hash,
        record.language,
        record.status,
        record.reason,
        array("q", record.point_ids).tobytes(),
    )


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:
        if "full" in str(error) or "disk I/O" in str(error):
            raise UserError(
                "The disk that holds the index is full: free some space, then run the command again."
            ) from error
        raise ManifestBroken(f"manifest: {error}") from error
    except sqlite3.DatabaseError as error:
        raise ManifestBroken(f"manifest: {error}") from error
