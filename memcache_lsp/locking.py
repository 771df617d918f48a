"""Who owns an index: one process at a time, by a lock on a file, with a note for others who find it taken.

Imports no other part but errors.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import filelock

from memcache_lsp.errors import LockedError, UserError

LOCK_WAIT_S = 5.0
_LOCK, _HOLDER = "lock", "holder.json"


@contextlib.contextmanager
def held(folder: Path, *, what: str, purpose: str, wait_s: float = LOCK_WAIT_S) -> Iterator[None]:
    """Hold the lock of an index folder, made if there is none; raise LockedError if another one holds it for longer.

    `what` names the index in sentences, `purpose` is what others are told of the holder.
    """
    try:
        lock = _acquired(folder, purpose, time.monotonic() + wait_s)
    except filelock.Timeout:
        who = _entry(folder) or "another process"
        raise LockedError(
            f"The index of {what} is in use by {who}: wait until it is done, or stop it, then try again."
        ) from None
    except OSError as error:
        raise UserError(
            f"The cache folder {folder} cannot be used ({error.strerror}): check its space and permissions."
        ) from error
    ours = _identity(folder)
    try:
        yield
    finally:
        if ours is not None and _identity(folder) == ours:  # else it was removed, and the note is the next owner's
            (folder / _HOLDER).unlink(missing_ok=True)
        lock.release()


def _acquired(folder: Path, purpose: str, deadline: float) -> filelock.BaseFileLock:
    while True:
        lock = filelock.FileLock(folder / _LOCK)
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            lock.acquire(timeout=max(0.0, deadline - time.monotonic()), poll_interval=0.05)
            entry = {"pid": os.getpid(), "purpose": purpose, "since": time.strftime("%H:%M:%S")}
            (folder / _HOLDER).write_text(json.dumps(entry))
        except (FileNotFoundError, FileExistsError):  # its holder has deleted the folder meanwhile: it is made again
            lock.release()
            if time.monotonic() > deadline or folder.is_file():
                raise
        except OSError:
            lock.release()
            raise
        else:
            return lock


def _identity(folder: Path) -> tuple[int, int] | None:
    """Tell which file the lock is; while one is held, no other has its number."""
    with contextlib.suppress(OSError):
        status = (folder / _LOCK).stat()
        return status.st_dev, status.st_ino
    return None


def holder(folder: Path) -> str | None:
    """Return who holds an index now, as words for a sentence; None where nobody does."""
    if not (folder / _LOCK).exists():
        return None
    lock = filelock.FileLock(folder / _LOCK)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        return _entry(folder) or "another process"
    except OSError:
        return None  # a folder that cannot be written has no holder
    lock.release()
    return None


def empty(folder: Path) -> None:
    """Delete what lies in a held index folder, all but its lock."""
    import shutil  # noqa: PLC0415 - seldom used

    for path in folder.iterdir():
        if path.name in {_LOCK, _HOLDER}:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def remove(folder: Path) -> None:
    """Delete a held and emptied index folder; who waits for its lock sees that it is gone and makes another."""
    (folder / _LOCK).unlink(missing_ok=True)
    (folder / _HOLDER).unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # somebody has made another one in it
        folder.rmdir()


def _entry(folder: Path) -> str | None:
    try:
        entry = json.loads((folder / _HOLDER).read_text())
        return f"process {entry['pid']} ({entry['purpose']}, since {entry['since']})"
    except (OSError, ValueError, KeyError, TypeError):
        return None
