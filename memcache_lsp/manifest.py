"""The manifest: one SQLite file that says what is indexed, the truth that the store is held against.

Owns the database's schema and its transactions; must not import the store, the scan or the chunker.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from memcache_lsp.errors import MemcacheError, UserError
from memcache_lsp.reports import Skipped

_SCHEMA = """
create table if not exists meta (key text primary key, value text not null) without rowid;
create table if not exists files (
  path text primary key,
  size_bytes integer not null,
  mtime_ns integer not null,
  ctime_ns integer not null,
  checked_ns integer not null,
  hash text not null,
  language text not null,
  status text not null,
  reason text not null,
  point_ids blob not null
) without rowid;
create table if not exists facts (path text primary key, data blob not null) without rowid;
create table if not exists cards (path text primary key, data blob not null) without rowid;
create table if not exists unscanned (path text primary key, reason text not null) without rowid;
"""


_DIRTY, _IDENTITY, _SIGNED, _CARDS, _WHOLE = "dirty", "identity", "signed", "cards", "whole"  # keys of meta


class ManifestMissing(MemcacheError):
    """There is no manifest yet."""


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
    ctime_ns: int
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
                self._db = _open_to_read(path)
                return
            self._db = sqlite3.connect(path, timeout=5, check_same_thread=False)
            self._db.execute("pragma journal_mode = wal")
            self._db.execute("pragma synchronous = normal")
            self._db.executescript(_SCHEMA)
            if self._db.execute("pragma quick_check(1)").fetchone() != ("ok",):
                raise sqlite3.DatabaseError("quick_check failed")

    def close(self) -> None:
        self._db.close()

    def identity(self) -> dict[str, str] | None:
        """Return what the index was made from; None for a new one."""
        with _translated():
            value = json.loads(self._get(_IDENTITY) or "null")
            if value is not None and not isinstance(value, dict):
                raise ValueError("identity")
        return value

    def set_identity(self, identity: dict[str, str]) -> None:
        self._set(_IDENTITY, json.dumps(identity))

    def is_clean(self) -> bool:
        """Tell whether the last writer left the store in step with the rows; False for a new index."""
        with _translated():
            return self._get(_DIRTY) == "0"

    def mark(self, *, clean: bool) -> None:
        """Remember whether the store is in step with the rows."""
        self._set(_DIRTY, "0" if clean else "1")

    def take_whole(self) -> bool:
        """Take it that everything was looked at; tell whether that is so for the first time."""
        with _translated():
            if self._get(_WHOLE):
                return False
        self._set(_WHOLE, "1")
        return True

    def sign(self, name: str) -> str | None:
        """Leave the name of whoever may write from now on; return who could before."""
        with _translated():
            before = self._get(_SIGNED)
        self._set(_SIGNED, name)
        return before

    def _get(self, key: str) -> str | None:
        row = self._db.execute("select value from meta where key = ?", (key,)).fetchone()
        return None if row is None else str(row[0])

    def _set(self, key: str, value: str) -> None:
        with _translated(), self._db:
            self._db.execute("insert or replace into meta values (?, ?)", (key, value))

    def records(self, within: Sequence[str] | None = None) -> dict[str, FileRecord]:
        """Return every file's record by path; with `within`, of those paths and what lies below them."""
        with _translated():
            return {row[0]: _to_record(row) for row in self._rows("files", within)}

    def _rows(self, table: str, within: Sequence[str] | None) -> Iterable[tuple[Any, ...]]:
        select = f"select * from {table}"  # noqa: S608 - one of our own two
        if within is None:
            return self._db.execute(f"{select} order by path")
        query = f"{select} where path = ? or (path > ? and path < ?)"
        return [row for path in within for row in self._db.execute(query, _range(path))]

    def paths(self, status: str) -> list[str]:
        """Return the paths of the files of one status."""
        with _translated():
            return [str(row[0]) for row in self._db.execute("select path from files where status = ?", (status,))]

    def reasons(self, status: str) -> list[Skipped]:
        """Return the files of one status of which something is told."""
        query = "select path, reason from files where status = ? and reason != '' order by path"
        with _translated():
            return [Skipped(*row) for row in self._db.execute(query, (status,))]

    def record(self, path: str) -> FileRecord | None:
        """Return the record of a file, None where it was not looked at."""
        with _translated():
            row = self._db.execute("select * from files where path = ?", (path,)).fetchone()
            return _to_record(row) if row else None

    def hash_of(self, path: str) -> str:
        """Return the content hash of a file as it is indexed; empty for one that is not."""
        with _translated():
            row = self._db.execute("select hash from files where path = ?", (path,)).fetchone()
        return str(row[0]) if row else ""

    def count_points(self) -> int:
        """Return how many points the rows name."""
        with _translated():
            return int(self._db.execute("select coalesce(sum(length(point_ids)) / 8, 0) from files").fetchone()[0])

    def count_chunks(self) -> int:
        """Return how many of them are chunks: each file that has some has a point of its own beside them."""
        with _translated():
            with_points = self._db.execute("select count(*) from files where length(point_ids) > 0").fetchone()[0]
        return self.count_points() - int(with_points)

    def facts(self) -> Iterator[tuple[str, str, int, bytes, bytes]]:
        """Iterate over path, language, size, point ids (64 bits each) and facts of each file that has points."""
        with _translated():
            yield from self._db.execute(
                "select f.path, f.language, f.size_bytes, f.point_ids, coalesce(x.data, x'') from files f "
                "left join facts x on x.path = f.path where length(f.point_ids) > 0 order by f.path"
            )

    def commit(
        self, records: Sequence[FileRecord], removed: Iterable[str] = (), facts: Mapping[str, bytes] | None = None
    ) -> None:
        """Write records, forget removed paths, and replace the facts of some files, all or nothing."""
        gone = [(path,) for path in removed]
        with _translated(), self._db:
            self._db.executemany("delete from files where path = ?", gone)
            self._db.executemany("delete from facts where path = ?", gone)
            self._db.executemany("delete from cards where path = ?", [*gone, *((path,) for path in facts or ())])
            self._db.executemany("insert or replace into facts values (?, ?)", (facts or {}).items())
            self._db.executemany(
                "insert or replace into files values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", [_to_row(r) for r in records]
            )

    def cards(self, maker: str) -> dict[str, bytes]:
        """Return the cards by path; those that another than `maker` made are forgotten."""
        with _translated(), self._db:
            if self._get(_CARDS) != maker:
                self._db.execute("delete from cards")
                self._db.execute("insert or replace into meta values (?, ?)", (_CARDS, maker))
            return dict(self._db.execute("select path, data from cards"))

    def count_cards(self) -> tuple[int, int]:
        """Return how many files have a card, and how many could; a database may be older than cards."""
        with _translated():
            known = self._db.execute("select 1 from sqlite_master where name = 'cards'").fetchone()
            done = self._db.execute("select count(*) from cards").fetchone()[0] if known else 0
            total = self._db.execute("select count(*) from files where length(point_ids) > 0").fetchone()[0]
        return int(done), int(total)

    def put_cards(self, cards: Mapping[str, bytes]) -> None:
        """Write the cards of some files."""
        with _translated(), self._db:
            self._db.executemany("insert or replace into cards values (?, ?)", cards.items())

    def replace_unscanned(self, skipped: Sequence[Skipped], within: Sequence[str] | None = None) -> None:
        """Write what the scan did not offer, in place of what the last one did not; `within` as in `records`."""
        with _translated(), self._db:
            if within is None:
                self._db.execute("delete from unscanned")
            else:
                query = "delete from unscanned where path = ? or (path > ? and path < ?)"
                self._db.executemany(query, map(_range, within))
            self._db.executemany(
                "insert or replace into unscanned values (?, ?)", [(s.path, s.reason) for s in skipped]
            )

    def unscanned(self, within: Sequence[str] | None = None) -> list[Skipped]:
        with _translated():
            return sorted((Skipped(*row) for row in self._rows("unscanned", within)), key=lambda each: each.path)

    def clear(self) -> None:
        """Forget every file."""
        with _translated(), self._db:
            self._db.execute("delete from files")
            self._db.execute("delete from facts")
            self._db.execute("delete from cards")
            self._db.execute("delete from unscanned")
            self._db.execute("delete from meta where key = ?", (_WHOLE,))


def _open_to_read(path: Path) -> sqlite3.Connection:
    """Open a database that another process may be writing; it may have no tables yet, or lie where nothing can be written."""
    if not path.exists():
        raise ManifestMissing("This project is not indexed.")
    options = "mode=ro" if os.access(path.parent, os.W_OK) else "mode=ro&immutable=1"
    db = sqlite3.connect(f"{path.as_uri()}?{options}", uri=True, timeout=5)
    if db.execute("select count(*) from sqlite_master where name = 'unscanned'").fetchone() == (0,):
        db.close()
        raise ManifestMissing("This project is not indexed.")
    return db


def _range(path: str) -> tuple[str, str, str]:
    """Return a path and the ends between which all that lies below it is sorted."""
    return path, f"{path}/", f"{path}0"  # 0 follows the slash


def _to_record(row: tuple[Any, ...]) -> FileRecord:
    ids = array("q")
    ids.frombytes(row[-1])
    return FileRecord(*[*row[:-1], tuple(ids)])


def _to_row(record: FileRecord) -> tuple[object, ...]:
    return (
        record.path,
        record.size_bytes,
        record.mtime_ns,
        record.ctime_ns,
        record.checked_ns,
        record.hash,
        record.language,
        record.status,
        record.reason,
        array("q", record.point_ids).tobytes(),
    )


# What is wrong around the database and not in it: throwing the file away would mend nothing.
_AROUND = {
    sqlite3.SQLITE_BUSY: "another program has it open; close that, then try again",
    sqlite3.SQLITE_LOCKED: "another program has it open; close that, then try again",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened; check the folder's permissions",
    sqlite3.SQLITE_PERM: "it may not be opened; check the folder's permissions",
    sqlite3.SQLITE_READONLY: "it may not be written; check the folder's permissions",
    sqlite3.SQLITE_NOMEM: "there is not enough memory; close other programs",
    sqlite3.SQLITE_FULL: "the disk is full; free some space, then run the command again",
    sqlite3.SQLITE_IOERR: "the disk is full or failing; free some space, then run the command again",
}


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        around = _AROUND.get((error.sqlite_errorcode or 0) & 0xFF if hasattr(error, "sqlite_errorcode") else 0)
        if around is not None:
            raise UserError(f"The index cannot be used: {around}.") from error
        if isinstance(error, sqlite3.ProgrammingError):
            raise  # a bug of ours
        raise ManifestBroken(f"manifest: {error}") from error
    except (ValueError, TypeError) as error:
        raise ManifestBroken(f"manifest: {error}") from error
