"""The database of threads: one SQLite file in the user's data folder, shared by whatever processes there are.

Owns its schema, its limits and what happens when it cannot be read. Used from any thread, one call at a time. Must not
import a session or the engine.

**Invariant:** no text is written that is not redacted, and what is deleted is overwritten.
"""

from __future__ import annotations

import contextlib
import hashlib
import secrets
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import filelock

from memcache_lsp import paths
from memcache_lsp.errors import UserError
from memcache_lsp.events import Citation, Delta
from memcache_lsp.redact import redact
from memcache_lsp.threads.records import Cited, Place, Thread, Turn, packed, unpacked

FORMAT_VERSION = 1  # a new number starts afresh beside the old one
MOST_THREADS = 1000
MOST_BYTES = 64 * 2**20
OLDEST_S = 180 * 86400.0
_TITLE = 80
_WAIT_S = 5  # for another process that writes
_HASH_BYTES = 2**20

_SCHEMA = """
create table if not exists threads (id text primary key, title text not null, updated_at real not null) without rowid;
create table if not exists roots (thread text not null, root text not null, primary key (thread, root)) without rowid;
create table if not exists turns (
  thread text not null, number integer not null, key text not null, data blob not null, primary key (thread, number)
) without rowid;
create index if not exists turns_key on turns (key);
create table if not exists cited (
  thread text not null, number integer not null, root text not null, path text not null, n integer not null,
  start_line integer not null, end_line integer not null, text text not null, stale integer not null
);
create index if not exists cited_place on cited (root, path);
create index if not exists cited_turn on cited (thread, number);
create table if not exists models (
  path text primary key, size_bytes integer not null, mtime_ns integer not null, sha256 text not null
) without rowid;
"""
_TABLES = ("turns", "cited", "roots")  # that name their thread


@dataclass(frozen=True, slots=True)
class Kept:
    """Where an answer was put."""

    thread_id: str
    number: int

    @property
    def turn_id(self) -> str:
        """Name the turn."""
        return f"{self.thread_id}.{self.number}" if self.thread_id else ""


class Threads:
    """The threads of one user."""

    def __init__(self, folder: Path | None = None, *, clock: Callable[[], float] = time.time) -> None:
        self._folder = folder
        self._clock = clock
        self._lock = threading.RLock()
        self._db: sqlite3.Connection | None = None
        self._notice: str | None = None

    def take_notice(self) -> str | None:
        """Return once what the user should know: that threads were lost."""
        notice, self._notice = self._notice, None
        return notice

    def close(self) -> None:
        """Close the database; the next call opens it again."""
        with self._lock:
            if self._db is not None:
                self._db.close()
                self._db = None

    # Reading

    def get(self, thread_id: str) -> Thread:
        """Return a thread with its turns; UserError where there is none of that name."""
        with self._reading() as db:
            row = db.execute(_ONE, (_storable(thread_id),)).fetchone()
            if row is None:
                raise _no_thread(thread_id)
            return Thread(thread_id, row[0], row[1], self._roots(db, thread_id), tuple(_turns(db, thread_id)))

    def listed(self, roots: Sequence[str] | None = None) -> list[Thread]:
        """Return the threads that know one of the roots, or all, without their turns, latest first."""
        with self._reading() as db:
            rows = db.execute("select id, title, updated_at from threads order by updated_at desc, id").fetchall()
            threads = [Thread(name, title, at, self._roots(db, name)) for name, title, at in rows]
        return [thread for thread in threads if roots is None or not set(roots).isdisjoint(thread.roots)]

    def latest(self, roots: Sequence[str]) -> str:
        """Return the name of the thread that was asked in last; UserError where there is none."""
        threads = self.listed(roots)
        if not threads:
            raise UserError("There is no thread yet: ask a question without --thread first.")
        return threads[0].id

    def cited(self, thread_ids: Sequence[str]) -> dict[str, list[tuple[int, Cited]]]:
        """Return what the answers of some threads cite that were not asked again, with their turns' numbers."""
        found: dict[str, list[tuple[int, Cited]]] = {thread_id: [] for thread_id in thread_ids}
        with self._reading() as db:
            for thread_id, rows in found.items():
                rows += [_cited(row) for row in db.execute(f"{_CITED} where thread = ? order by rowid", (thread_id,))]
        return found

    def citing(self, root: str, path: str | None = None) -> dict[tuple[str, int], list[Cited]]:
        """Return what answers cite that cite a file, or one in a folder: all that they cite, by thread and turn."""
        below = "where root = ?1 and (path = ?2 or substr(path, 1, length(?2) + 1) = ?2 || '/')"
        which = "where root = ?1" if path is None else below
        values = tuple(_storable(each) for each in (root, path) if each is not None)
        found: dict[tuple[str, int], list[Cited]] = {}
        with self._reading() as db:
            turns = db.execute(f"select distinct thread, number from cited {which}", values).fetchall()  # noqa: S608
            for thread, number in turns:
                rows = db.execute(f"{_CITED} where thread = ? and number = ? order by rowid", (thread, number))
                found[thread, number] = [_cited(row)[1] for row in rows]
        return found

    def find(self, key: str) -> tuple[Kept, Turn] | None:
        """Return the latest answer that was kept under a key."""
        with self._reading() as db:
            row = db.execute(
                "select thread, number, data from turns join threads on threads.id = turns.thread"
                " where key = ? order by updated_at desc limit 1",
                (key,),
            ).fetchone()
        turn = None if row is None else _turn(row[2:])
        return None if turn is None else (Kept(row[0], row[1]), turn)

    def alone_in(self, thread_id: str) -> list[tuple[str, Turn]]:
        """Return the answers of a thread that were kept under a key, and in no other thread, with their keys."""
        with self._reading() as db:
            rows = db.execute(
                "select key, data from turns as own where thread = ? and key != '' and not exists"
                " (select 1 from turns where key = own.key and thread != own.thread)",
                (_storable(thread_id),),
            ).fetchall()
        return [(str(key), turn) for key, data in rows if (turn := _turn((data,))) is not None]

    # Writing

    def remember(self, turn: Turn, *, thread_id: str | None, roots: Sequence[str], key: str = "") -> Kept:
        """Add an answer to its thread, or to a new one; the turn's own number does not count."""
        turn = _redacted(turn)
        with self._writing() as db:
            name = thread_id or f"t{secrets.token_hex(5)}"
            title = _storable(" ".join(turn.question.split())[:_TITLE])
            db.execute("insert or ignore into threads values (?, ?, ?)", (name, title, turn.asked_at))
            db.execute("update threads set updated_at = ? where id = ?", (self._clock(), name))
            row = db.execute("select coalesce(max(number), 0) + 1 from turns where thread = ?", (name,)).fetchone()
            turn = replace(turn, number=row[0])
            db.execute("insert into turns values (?, ?, ?, ?)", (name, turn.number, key, packed(turn)))
            db.executemany("insert or ignore into roots values (?, ?)", [(name, _storable(root)) for root in roots])
            if turn.replaces is not None:  # nobody is told any more of what was asked again
                db.execute("delete from cited where thread = ? and number = ?", (name, turn.replaces))
            db.executemany(
                "insert into cited values (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    (
                        name,
                        turn.number,
                        _storable(c.place.root),
                        _storable(c.place.path),
                        c.n,
                        c.start_line,
                        c.end_line,
                        _storable(c.text),
                        c.stale,
                    )
                    for c in dict.fromkeys(replace(each, at=None, spot=None) for each in turn.cited)
                ],
            )
            self._prune(db, keep=name)
        return Kept(name, turn.number)

    def give_again(self, kept: Kept, turn: Turn, *, thread_id: str | None, roots: Sequence[str], key: str) -> Kept:
        """Put an answer that was kept into the thread it was asked in; a new one is its own, where it is alone there."""
        with self._writing() as db:
            count = db.execute("select count(*) from turns where thread = ?", (kept.thread_id,)).fetchone()[0]
            if thread_id is None and count == 1:
                db.execute("update threads set updated_at = ? where id = ?", (self._clock(), kept.thread_id))
                return kept
        return self.remember(turn, thread_id=thread_id, roots=roots, key=key)

    def delete(self, thread_id: str) -> Thread:
        """Forget a thread; return what it was, without its turns."""
        with self._writing() as db:
            row = db.execute(_ONE, (_storable(thread_id),)).fetchone()
            if row is None:
                raise _no_thread(thread_id)
            thread = Thread(thread_id, row[0], row[1], self._roots(db, thread_id))
            _forget(db, [thread_id])
        self._empty_log()
        return thread

    def forget(self, root: str, is_gone: Callable[[Turn], bool] | None = None) -> int:
        """Forget the threads that know a root; with `is_gone` those that have such a turn. Return how many."""
        if not self._path.exists():
            return 0
        with self._writing() as db:
            names = [name for (name,) in db.execute("select thread from roots where root = ?", (_storable(root),))]
            if is_gone is not None:
                names = [name for name in names if any(map(is_gone, _turns(db, name)))]
            _forget(db, names)
        self._empty_log()
        return len(names)

    # Models

    def known_sha256(self, model: Path) -> str | None:
        """Return the hash of a model's file, where it was made of the file as it is."""
        try:
            status = model.stat()
        except OSError:
            return None
        values = (str(model), status.st_size, status.st_mtime_ns)
        with self._reading() as db:
            row = db.execute(
                "select sha256 from models where path = ? and size_bytes = ? and mtime_ns = ?", values
            ).fetchone()
        return None if row is None else str(row[0])

    def sha256(self, model: Path) -> str:
        """Return the hash of a model's file; it takes a second or two, once."""
        known = self.known_sha256(model)
        if known is not None:
            return known
        status, digest = model.stat(), hashlib.sha256()
        with model.open("rb") as file:
            while block := file.read(_HASH_BYTES):
                digest.update(block)
        with self._writing() as db:
            values = (str(model), status.st_size, status.st_mtime_ns, digest.hexdigest())
            db.execute("insert or replace into models values (?, ?, ?, ?)", values)
        return digest.hexdigest()

    # Inside

    @property
    def _path(self) -> Path:
        folder = self._folder or paths.data_dir() / "threads"
        return folder / f"threads-{FORMAT_VERSION}.sqlite"

    @contextlib.contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        """Give the database; where it turns out to be broken, the next call begins with an empty one."""
        with self._lock:
            try:
                if self._db is None:
                    self._db = self._open()
                yield self._db
            except sqlite3.OperationalError as error:
                raise UserError(f"The threads in {self._path} cannot be used ({error}): try again.") from error
            except sqlite3.DatabaseError as error:
                if type(error) is not sqlite3.DatabaseError:  # a mistake in this module, and not in the file
                    raise
                self.close()
                self._set_aside(broken=True)
                raise UserError(self._notice or "The threads could not be read: ask again.") from error

    @contextlib.contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._reading() as db:
            db.execute("begin immediate")
            try:
                yield db
            except BaseException:
                db.rollback()
                raise
            db.commit()

    def _open(self) -> sqlite3.Connection:
        folder = self._path.parent
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            why = error.strerror or str(error)
            raise UserError(f"The folder {folder} cannot be made ({why}): check its place and permissions.") from error
        try:
            return _opened(self._path)
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError:
            self._set_aside(broken=False)
            return _opened(self._path)

    def _set_aside(self, *, broken: bool) -> None:
        """Rename a database that cannot be read, unless another process has done so meanwhile."""
        with filelock.FileLock(self._path.with_suffix(".lock")):
            if not broken:
                with contextlib.suppress(sqlite3.DatabaseError):
                    _opened(self._path).close()
                    return
            aside = self._path.with_suffix(".broken")
            for ending in ("-wal", "-shm"):
                Path(f"{self._path}{ending}").unlink(missing_ok=True)
            with contextlib.suppress(FileNotFoundError):
                self._path.replace(aside)
        self._notice = f"The earlier threads cannot be read and were set aside as {aside}; new ones are kept."

    def _roots(self, db: sqlite3.Connection, thread_id: str) -> tuple[str, ...]:
        rows = db.execute("select root from roots where thread = ? order by root", (thread_id,))
        return tuple(root for (root,) in rows)

    def _prune(self, db: sqlite3.Connection, *, keep: str) -> None:
        """Forget what is too old or too much, oldest first, but never the thread that is being asked in."""
        rows = db.execute(
            "select id, updated_at, (select coalesce(sum(length(data)), 0) from turns where thread = id)"
            " from threads order by updated_at desc"
        ).fetchall()
        size, gone = 0, []
        for place, (name, updated_at, size_bytes) in enumerate(rows):
            size += size_bytes
            old = updated_at < self._clock() - OLDEST_S
            if name != keep and (old or place >= MOST_THREADS or size > MOST_BYTES):
                gone.append(name)
        _forget(db, gone)

    def _empty_log(self) -> None:
        """Leave nothing of what was deleted in the write-ahead log."""
        with self._reading() as db:
            db.execute("pragma wal_checkpoint(truncate)")


def _turns(db: sqlite3.Connection, thread_id: str) -> list[Turn]:
    rows = db.execute("select data from turns where thread = ? order by number", (thread_id,)).fetchall()
    return list(filter(None, map(_turn, rows)))


_ONE = "select title, updated_at from threads where id = ?"
_CITED = "select number, n, root, path, start_line, end_line, text, stale from cited"


def _cited(row: Sequence[object]) -> tuple[int, Cited]:
    number, n, root, path, start, end, text, stale = row
    return int(str(number)), Cited(
        int(str(n)), Place(str(root), str(path)), int(str(start)), int(str(end)), str(text), stale=bool(stale)
    )


def _turn(row: Sequence[bytes]) -> Turn | None:
    """Read a turn, None where it is not as it was written."""
    try:
        return unpacked(row[0])
    except (ValueError, KeyError, TypeError):
        return None


def _opened(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=_WAIT_S, check_same_thread=False, isolation_level=None)
    try:
        path.chmod(0o600)
        db.execute("pragma journal_mode = wal")
        db.execute("pragma synchronous = normal")
        db.execute("pragma secure_delete = on")
        db.executescript(_SCHEMA)
        sound = db.execute("pragma quick_check(1)").fetchone() == ("ok",)
    except BaseException:
        db.close()
        raise
    if not sound:
        db.close()
        raise sqlite3.DatabaseError("quick_check failed")
    return db


def _storable(text: str) -> str:
    """Return a text that SQLite takes: half of a character pair, which JSON may bring, is none."""
    return text.encode("utf-8", "replace").decode()


def _forget(db: sqlite3.Connection, names: Sequence[str]) -> None:
    for table in _TABLES:
        db.executemany(f"delete from {table} where thread = ?", [(name,) for name in names])  # noqa: S608
    db.executemany("delete from threads where id = ?", [(name,) for name in names])


def _redacted(turn: Turn) -> Turn:
    """Make secrets unreadable that were typed, or that the model made up; evidence has none."""
    question = redact(turn.question).text
    answer = redact(turn.result.answer).text
    if answer != turn.result.answer:
        others = tuple(each for each in turn.said if not isinstance(each, Delta))
        turn = replace(turn, said=(Delta(0, answer), *others), result=replace(turn.result, answer=answer))
        turn = _without_offsets(turn)
    if turn.record is not None:
        told = replace(turn.record.told, said=redact(turn.record.told.said).text)
        turn = replace(turn, record=replace(turn.record, told=told))
    return replace(turn, question=question)


def _without_offsets(turn: Turn) -> Turn:
    """Forget where the marks of an answer stand, whose text is another now."""
    said = tuple(replace(each, at=None) if isinstance(each, Citation) else each for each in turn.said)
    citations = tuple(dict.fromkeys(replace(each, at=None) for each in turn.result.citations))
    cited = tuple(dict.fromkeys(replace(each, at=None) for each in turn.cited))
    return replace(turn, said=said, cited=cited, result=replace(turn.result, citations=citations))


def _no_thread(thread_id: str) -> UserError:
    return UserError(f"There is no thread {thread_id[:50]}: list the threads to see what there is.")
