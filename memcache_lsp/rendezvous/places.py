"""Where the daemon is found: its socket, the two locks beside it, its log.

Must not import anything beyond the standard library but paths and errors.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from memcache_lsp import __version__
from memcache_lsp.errors import UserError
from memcache_lsp.paths import runtime_dir, state_dir

PROTOCOL_VERSION = 1  # of the handshake and of what the socket carries; another one is another socket
POLL_S = 0.02

_PACKAGE = os.path.dirname(os.path.dirname(__file__))  # noqa: PTH120 - pathlib takes three times as long here
_ADDRESS_BYTES = 100  # sun_path has 104 bytes on macOS and BSD, 108 on Linux


def own_version() -> str:
    """Return the version of this installation and when its code was last written, in seconds since the epoch."""
    newest = max(file.stat().st_mtime for folder in _folders(_PACKAGE) for file in folder if file.name.endswith(".py"))
    return f"{__version__}+{newest:.0f}"


def is_installed() -> bool:
    """Tell whether this program is still there; what it has not loaded yet would be missing otherwise."""
    return os.path.exists(__file__)  # noqa: PTH110 - as above


def _folders(folder: str) -> Iterator[list[os.DirEntry[str]]]:
    entries = list(os.scandir(folder))
    yield entries
    for entry in entries:
        if entry.is_dir() and entry.name != "__pycache__":
            yield from _folders(entry.path)


def supported() -> bool:
    """Tell whether this platform has what fronts and daemon need; without it there is `serve --no-daemon`."""
    return hasattr(socket, "AF_UNIX") and sys.platform != "win32"


def socket_path() -> Path:
    """Return where the daemon listens. The path may be too long for an address: use `connect` and `Listener`."""
    return runtime_dir() / f"{PROTOCOL_VERSION}.sock"


def log_path() -> Path:
    """Return the file that the daemon's output goes to."""
    return state_dir() / "daemon.log"


def holder() -> int | None:
    """Return the process that holds the daemon's lock; None where nobody does."""
    path = runtime_dir() / f"{PROTOCOL_VERSION}.lock"
    probe = _try_lock(path, shared=True)  # shared, so that two who ask do not take each other for a daemon
    if probe is not None:
        os.close(probe)
        return None
    try:
        return int(json.loads(path.read_text())["pid"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def named(pid: int | None) -> str:
    """Return how a sentence names the process."""
    return f" (process {pid})" if pid else ""


def identity(path: Path) -> tuple[int, int]:
    """Return what tells this file from another one of its name."""
    status = path.stat()
    return status.st_dev, status.st_ino


@contextlib.contextmanager
def short(path: Path) -> Iterator[str]:
    """Give a socket's path in a form that fits into an address, by a link to its folder where it is too long."""
    if len(os.fsencode(path)) <= _ADDRESS_BYTES:
        yield str(path)
        return
    import tempfile  # noqa: PLC0415 - seldom needed

    with tempfile.TemporaryDirectory(prefix="mc-", dir="/tmp") as folder:
        link = Path(folder) / "d"
        link.symlink_to(path.parent)
        yield str(link / path.name)


@contextlib.contextmanager
def starting() -> Iterator[bool]:
    """Take the lock of who starts a daemon if it is free, and say whether it was."""
    lock = _try_lock(runtime_dir() / f"{PROTOCOL_VERSION}.start")
    try:
        yield lock is not None
    finally:
        if lock is not None:
            os.close(lock)


def _try_lock(path: Path, *, shared: bool = False) -> int | None:
    import fcntl  # noqa: PLC0415 - not on every platform

    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        status = os.fstat(lock)
        if identity(path) == (status.st_dev, status.st_ino):  # else the file was replaced meanwhile
            return lock
    except (BlockingIOError, FileNotFoundError):
        pass
    except OSError as error:
        os.close(lock)
        raise UserError(
            f"The file {path} cannot be locked ({error.strerror}): set MEMCACHE_HOME to a local disk."
        ) from None
    os.close(lock)
    return None


def wait_for_lock(patience_s: float) -> int:
    """Return the daemon's lock, held until it is closed; raise UserError where another daemon keeps it."""
    deadline = time.monotonic() + patience_s
    while (lock := _try_lock(runtime_dir() / f"{PROTOCOL_VERSION}.lock")) is None:
        if time.monotonic() > deadline:
            raise UserError(f"Another memcache-lsp daemon{named(holder())} runs: end it with `memcache-lsp stop`.")
        time.sleep(POLL_S)
    return lock
