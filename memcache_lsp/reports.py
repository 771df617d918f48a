"""What indexing tells of itself: how far it is, what it did, what it left out and why.

Named tuples, for every command loads this, and dataclasses would take 20 ms of its start. Imports nothing of this package.
"""

from __future__ import annotations

from typing import NamedTuple


class Skipped(NamedTuple):
    """A file or folder that is not indexed, and why."""

    path: str
    reason: str


class Report(NamedTuple):
    """What an update of an index did, in files."""

    added: int = 0
    changed: int = 0
    removed: int = 0
    unchanged: int = 0
    chunks: int = 0  # written
    failed: tuple[Skipped, ...] = ()
    new: tuple[str, ...] = ()  # paths of the first of those added
    is_first: bool = False  # that looked at everything and came to its end


class Progress(NamedTuple):
    """How far an update is: files read of files to read."""

    done: int
    total: int
