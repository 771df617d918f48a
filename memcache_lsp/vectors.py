"""The cache of vectors, shared by all projects and processes of a user. Owns one SQLite file.

Keyed by embedder and text, so a rename, a branch switch or a second worktree embeds nothing again. What else is kept by
content lies in the same file, under makers of its own, within the same limit. It is a cache: what is wrong with it is
logged and costs time, never an answer. Never imports an embedder's library or the store.
"""

from __future__ import annotations

import hashlib
import logging
import sqlite3
import threading
import time
import zlib
from contextlib import suppress
from typing import TYPE_CHECKING, Self

import numpy as np
from filelock import FileLock, Timeout

from memcache_lsp.config import DEFAULT_CACHE_LIMIT_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path
    from types import TracebackType

    from numpy.typing import NDArray

    from memcache_lsp.embedding import Embedder

log = logging.getLogger(__name__)

_FORMAT = 2  # PRAGMA user_version; another one's file is made anew
_BUSY_TIMEOUT_S = 10.0
_KEYS_PER_QUERY = 500  # under SQLite's oldest limit of 999 variables
_PRUNE_TO = 0.8  # of the limit, so that pruning is rare
_DAY_S = 86_400

# What SQLite raises; its message may quote bytes of a corrupt file, which Python then fails to decode.
_FAILURES = (sqlite3.Error, UnicodeDecodeError)
# Troubles of the place, which throwing the file away would not mend; every other one is taken for a corrupt file.
_ENVIRONMENT = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_READONLY,
}

_SCHEMA = """
    BEGIN IMMEDIATE;
    CREATE TABLE IF NOT EXISTS embedder (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
    CREATE TABLE IF NOT EXISTS vector (
        id INTEGER PRIMARY KEY, embedder INTEGER NOT NULL, text BLOB NOT NULL, day INTEGER NOT NULL, row BLOB NOT NULL
    );
    CREATE UNIQUE INDEX IF NOT EXISTS vector_key ON vector (embedder, text);
    CREATE INDEX IF NOT EXISTS vector_day ON vector (day);
    PRAGMA user_version = {format};
    COMMIT;
"""


def today() -> int:
    """Return the day by which use is remembered, counted from the epoch."""
    return int(time.time()) // _DAY_S


class VectorCache:
    """Remember the rows of embedders in the file at `path`, which several processes may share.

    A row is float16 with a checksum; `day` is the last day on which it was used, written once a day at most. Beyond
    `limit_bytes` (0: the program's own choice) the rows of the longest unused days go. Threads take turns, `close` among them: SQLite's connection
    does not survive being closed while it works.
    """

    def __init__(self, path: Path, *, limit_bytes: int = 0, clock: Callable[[], int] = today) -> None:
        self._path = path
        self._limit_bytes = limit_bytes or DEFAULT_CACHE_LIMIT_BYTES
        self._clock = clock
        self._db: sqlite3.Connection | None = None
        self._embedders: dict[str, int] = {}
        self._lock = threading.RLock()
        self._open()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file, once whoever uses it is done."""
        with self._lock:
            if self._db is not None:
                with suppress(sqlite3.Error):
                    self._db.close()
                self._db = None

    def get(self, embedder: str, keys: Sequence[bytes], dimension: int) -> dict[bytes, NDArray[np.float16]]:
        """Return the rows that are known among `keys`, and remember that they were used."""
        known = self.get_bytes(embedder, keys).items()
        return {key: np.frombuffer(data, dtype="<f2") for key, data in known if len(data) == 2 * dimension}

    def put(self, embedder: str, rows: Iterable[tuple[bytes, NDArray[np.float16]]]) -> None:
        """Remember rows by key, in one transaction."""
        self.put_bytes(embedder, ((key, row.astype("<f2", copy=False).tobytes()) for key, row in rows))

    def get_bytes(self, maker: str, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        """Return what is known of a maker's among `keys`, as it was put, and remember that it was used."""
        found: dict[bytes, bytes] = {}
        stale: list[bytes] = []
        with _Shielded(self) as db:
            if db is None:
                return found
            number, day = self._number(db, maker), self._clock()
            for start in range(0, len(keys), _KEYS_PER_QUERY):
                part = keys[start : start + _KEYS_PER_QUERY]
                marks = ",".join("?" * len(part))
                query = f"SELECT text, day, row FROM vector WHERE embedder = ? AND text IN ({marks})"  # noqa: S608 - marks only
                for key, used, blob in db.execute(query, (number, *part)):
                    if (data := _unpack(blob, _salt(maker, key))) is not None:
                        found[key] = data
                        if used != day:
                            stale.append(key)
            if stale:
                with db:
                    update = "UPDATE vector SET day = ? WHERE embedder = ? AND text = ?"
                    db.executemany(update, ((day, number, key) for key in stale))
        return found

    def put_bytes(self, maker: str, items: Iterable[tuple[bytes, bytes]]) -> None:
        """Remember a maker's bytes by key, in one transaction."""
        with _Shielded(self) as db:
            if db is None:
                return
            number, day = self._number(db, maker), self._clock()
            with db:
                insert = "INSERT OR REPLACE INTO vector (embedder, text, day, row) VALUES (?, ?, ?, ?)"
                db.executemany(insert, ((number, key, day, _pack(data, _salt(maker, key))) for key, data in items))
            if self._size_bytes(db) > self._limit_bytes:
                self._prune(db)

    def size_bytes(self) -> int:
        """Tell how much of the file is in use."""
        with _Shielded(self) as db:
            return 0 if db is None else self._size_bytes(db)
        return 0

    def _number(self, db: sqlite3.Connection, embedder: str) -> int:
        """Return the short key of an embedder, given when it is first seen."""
        if embedder not in self._embedders:
            with db:
                db.execute("INSERT OR IGNORE INTO embedder (name) VALUES (?)", (embedder,))
            row = db.execute("SELECT id FROM embedder WHERE name = ?", (embedder,)).fetchone()
            self._embedders[embedder] = int(row[0])
        return self._embedders[embedder]

    @staticmethod
    def _size_bytes(db: sqlite3.Connection) -> int:
        pages, free, page_bytes = (
            db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
        )
        return int((pages - free) * page_bytes)

    def _prune(self, db: sqlite3.Connection) -> None:
        """Forget the rows of the longest unused days until the limit holds, as a rule in one step."""
        forgotten = 0
        while (used := self._size_bytes(db)) > self._limit_bytes:
            count = int(db.execute("SELECT COUNT(*) FROM vector").fetchone()[0])
            if count == 0:
                break
            surplus = max(1, count - int(count * _PRUNE_TO * self._limit_bytes / used))
            with db:
                db.execute("DELETE FROM vector WHERE id IN (SELECT id FROM vector ORDER BY day LIMIT ?)", (surplus,))
            forgotten += surplus
        db.executescript("PRAGMA incremental_vacuum")  # `execute` takes one step, and so frees one page
        log.info("vector cache: forgot %d rows", forgotten)

    def _open(self) -> None:
        """Open the file or make it; under a lock, so that no two processes throw each other's new file away."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with FileLock(f"{self._path}.lock", timeout=_BUSY_TIMEOUT_S):
                try:
                    self._connect()
                except _FAILURES as error:
                    if _is_environment(error):
                        raise
                    self._throw_away(error)
                    self._connect()
        except (OSError, *_FAILURES, Timeout) as error:
            log.warning("vector cache %s is switched off: %s", self._path, error)
            self.close()

    def _connect(self) -> None:
        self._embedders.clear()
        self._db = db = sqlite3.connect(self._path, timeout=_BUSY_TIMEOUT_S, check_same_thread=False)
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version not in {0, _FORMAT}:
            raise sqlite3.DatabaseError(f"format {version}")
        if version == 0:
            db.execute("PRAGMA auto_vacuum = INCREMENTAL")  # before WAL, which writes the first page
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        if version == 0:
            db.executescript(_SCHEMA.format(format=_FORMAT))
        db.execute("SELECT embedder, text, day, row FROM vector LIMIT 1").fetchall()

    def _throw_away(self, error: Exception) -> None:
        """Remove a file that cannot be read; the caller holds the lock."""
        log.warning("vector cache %s cannot be read (%s); it is made anew", self._path, error)
        self.close()
        for suffix in ("-wal", "-shm", ""):
            self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)

    def _fail(self, error: Exception) -> None:
        """Switch off after a failure that will last; make the file anew where it is corrupt."""
        if _is_environment(error):
            log.warning("vector cache %s is switched off: %s", self._path, error)
            self.close()
            return
        try:
            with FileLock(f"{self._path}.lock", timeout=_BUSY_TIMEOUT_S):
                self._throw_away(error)
        except (OSError, Timeout) as lasting:
            log.warning("vector cache %s is switched off: %s", self._path, lasting)
            self.close()
            return
        self._open()


def _is_environment(error: Exception) -> bool:
    misused = isinstance(error, sqlite3.ProgrammingError | sqlite3.InterfaceError)  # our fault, not the file's
    return misused or getattr(error, "sqlite_errorcode", 0) & 0xFF in _ENVIRONMENT


class _Shielded:
    """Give one thread the connection of a cache, or None where it is switched off; act on what SQLite raises."""

    def __init__(self, cache: VectorCache) -> None:
        self._cache = cache

    def __enter__(self) -> sqlite3.Connection | None:
        self._cache._lock.acquire()  # noqa: SLF001 - a part of the cache
        return self._cache._db  # noqa: SLF001 - a part of the cache

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        try:
            if isinstance(error, _FAILURES):
                self._cache._fail(error)  # noqa: SLF001 - a part of the cache
                return True
            return False
        finally:
            self._cache._lock.release()  # noqa: SLF001 - a part of the cache


def text_key(text: str) -> bytes:
    """Return the key of a text."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def embed_cached(embedder: Embedder, cache: VectorCache, texts: Sequence[str]) -> NDArray[np.float32]:
    """Return what `embedder.embed(texts)` returns, rounded through float16 whether it was cached or not."""
    keys = [text_key(text) for text in texts]
    dimension = embedder.dimension
    known = cache.get(embedder.id, list(dict.fromkeys(keys)), dimension)
    missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
    if missing:
        fresh = dict(zip(missing, embedder.embed(list(missing.values())).astype(np.float16), strict=True))
        cache.put(embedder.id, fresh.items())
        known |= fresh
    rows = np.empty((len(texts), dimension), dtype=np.float32)
    for i, key in enumerate(keys):
        rows[i] = known[key]
    return rows


def _salt(maker: str, key: bytes) -> int:
    """Return what binds a checksum to whose row it is."""
    return zlib.crc32(key, zlib.crc32(maker.encode("utf-8", "surrogatepass")))


def _pack(data: bytes, salt: int) -> bytes:
    return data + zlib.crc32(data, salt).to_bytes(4, "little")


def _unpack(blob: object, salt: int) -> bytes | None:
    """Return what was packed, or None where the blob is not that."""
    if not isinstance(blob, bytes) or len(blob) < 4:
        return None
    data = blob[:-4]
    return data if zlib.crc32(data, salt).to_bytes(4, "little") == blob[-4:] else None
