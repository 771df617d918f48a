"""The texts of files as they are now and as they may be shown: what hits and citations are held against.

What has to be read out of a file is kept in the cache of vectors by the file's content, so that it is read out once and
the process that answers loads no library that reads PDF; veiled as in `recall`, so that without the file, and without an
index that knows its hash, nothing of it can be read. Must not import the engine or a store.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import numpy as np

from memcache_lsp import paths
from memcache_lsp.documents import decoded_text, hash_of, read_beneath, shown_reading
from memcache_lsp.languages import is_container, language_of
from memcache_lsp.reading import READER_VERSION
from memcache_lsp.reading.formats import missing
from memcache_lsp.reading.owner import Reader
from memcache_lsp.reading.result import Reading, UnreadableError, reading_of
from memcache_lsp.values import Spot, spot_at
from memcache_lsp.vectors import VectorCache

_log = logging.getLogger(__name__)

_MOST_BYTES: Final = 64 * 1024 * 1024  # of a file that was indexed, whatever limit was set
_RECENT_CHARACTERS: Final = 8_000_000
_CLOCK_GRAIN_NS: Final = 2_000_000_000
_MAKER: Final = f"readings {READER_VERSION}"


class Extractor:
    """Read texts out of files, each content once. For one thread at a time."""

    def __init__(self, cache: VectorCache, reader: Reader, *, cancelled: Callable[[], bool] = lambda: False) -> None:
        self._cache = cache
        self._reader = reader
        self._cancelled = cancelled

    def __call__(self, path: str, data: bytes, content: str) -> Reading:
        """Return what a container holds; UnreadableError says why nothing."""
        kind = language_of(path)
        key = hashlib.blake2b(f"{kind}\0{content}".encode(), digest_size=16, person=b"reading").digest()
        kept = self._cache.get_bytes(_MAKER, [key]).get(key)
        if kept is not None:
            try:
                return reading_of(json.loads(zlib.decompress(_veiled(kept, content))))
            except (ValueError, KeyError, TypeError, zlib.error):
                _log.warning("what is kept of a document cannot be read; it is read again")
        reading = self._reader.read(path, data, self._cancelled)
        told = json.dumps(reading.plain(), separators=(",", ":")).encode()
        self._cache.put_bytes(_MAKER, [(key, _veiled(zlib.compress(told, 1), content))])
        return reading


def _veiled(data: bytes, content: str) -> bytes:
    veil = hashlib.shake_128(b"reading" + content.encode()).digest(len(data))
    return np.bitwise_xor(np.frombuffer(data, np.uint8), np.frombuffer(veil, np.uint8)).tobytes()


def text_now(root: Path, path: str) -> str | None:
    """Return a file's present text with its secrets made unreadable, None where it is gone or no text any more."""
    shown = shown_now(root, path)
    return None if shown is None else shown.text


def shown_now(root: Path, path: str) -> Reading | None:
    """Return a file's present text as it may be shown with its headings, None as for `text_now`."""
    reading = reading_now(root, path)
    return None if reading is None else shown_reading(path, reading)


def reading_now(root: Path, path: str) -> Reading | None:
    """Return a file's present text as it stands or was read out of it, which may not be shown; None as for `text_now`."""
    if is_container(path):
        return _RECENT.reading(root, path)
    try:
        text = decoded_text(path, read_beneath(root, path, _MOST_BYTES))
    except (OSError, ValueError):
        return None
    return None if text is None else Reading(text)


class _Recent:
    """The latest readings of large files: an answer holds its citations against them again and again.

    Each file is read by one thread at a time, and those who want another do not wait for it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()  # of what follows, and held for no reading
        self._known: dict[tuple[Path, str], tuple[tuple[int, ...], Reading | None]] = {}
        self._turns: dict[tuple[Path, str], tuple[threading.Lock, int]] = {}  # of the files that are read, by how many

    def reading(self, root: Path, path: str) -> Reading | None:
        with self._turn((root, path)):
            try:
                status = (root / path).lstat()
            except (OSError, ValueError):
                return None
            stamp = (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
            with self._lock:
                known = self._known.pop((root, path), None)
            settled = time.time_ns() - max(status.st_mtime_ns, status.st_ctime_ns) > _CLOCK_GRAIN_NS
            if known is None or known[0] != stamp or not settled:
                known = stamp, _read_out(root, path)
            with self._lock:
                self._known[root, path] = known
                while len(self._known) > 1 and self._size() > _RECENT_CHARACTERS:
                    del self._known[next(iter(self._known))]
            return known[1]

    @contextlib.contextmanager
    def _turn(self, file: tuple[Path, str]) -> Iterator[None]:
        with self._lock:
            turn, count = self._turns.get(file, (threading.Lock(), 0))
            self._turns[file] = turn, count + 1
        try:
            with turn:
                yield
        finally:
            with self._lock:
                turn, count = self._turns.pop(file)
                if count > 1:
                    self._turns[file] = turn, count - 1

    def _size(self) -> int:
        return sum(len(reading.text) for _, reading in self._known.values() if reading)


_RECENT: Final = _Recent()  # one for the process: those who ask have nothing else in common


def _read_out(root: Path, path: str) -> Reading | None:
    if missing(path):
        return None
    reader = Reader()
    try:
        data = read_beneath(root, path, _MOST_BYTES)
        with VectorCache(paths.cache_dir() / "vectors.sqlite") as cache:
            return Extractor(cache, reader)(path, data, hash_of(data))
    except (OSError, ValueError, UnreadableError):
        return None
    finally:
        reader.close()


class ShownTexts:
    """Present texts as they may be shown, for one question: what is read again and has not changed costs nothing."""

    def __init__(self, raw: Callable[[str], Reading | None]) -> None:
        self._raw = raw
        self._known: dict[str, tuple[str, Reading]] = {}

    def __call__(self, path: str) -> str | None:
        reading = self._raw(path)
        if reading is None:
            return None
        known = self._known.get(path)
        if known is None or known[0] != reading.text:
            known = self._known[path] = reading.text, shown_reading(path, reading)
        return known[1].text

    def spot(self, path: str, line: int) -> Spot | None:
        """Return where a line of a text that was read here lies; None where it is a line of the file."""
        known = self._known.get(path)
        return spot_at(known[1].spots, line) if known else None
