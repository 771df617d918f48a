"""Own bytes that a worker and its owner both see, for what is said more often than a message is worth.

Imports nothing of this package.
"""

from __future__ import annotations

import mmap
import os
import struct
import sys
import tempfile

_PLACE = struct.Struct("=i")
_NOWHERE = -1


def can_share() -> bool:
    """Tell whether a file descriptor can be handed down to a child."""
    return sys.platform != "win32"


def shared_bytes(count: int) -> int:
    """Return the descriptor of a file that two processes can map, without a name and of so many bytes, all 0."""
    if hasattr(os, "memfd_create"):
        fd = os.memfd_create("shared")
    else:
        with tempfile.TemporaryFile() as file:
            fd = os.dup(file.fileno())
    os.write(fd, bytes(count))  # no hole, for to fill one on a full disk would end the process that does
    return fd


class Place:
    """At which place of a batch a worker is, written by the one and read by the other."""

    def __init__(self, fd: int) -> None:
        self._bytes = mmap.mmap(fd, _PLACE.size)

    @classmethod
    def made(cls) -> tuple[Place, int]:
        """Return a new one, and the descriptor for the other side."""
        fd = shared_bytes(_PLACE.size)
        return cls(fd), fd

    def put(self, place: int) -> None:
        """Say at which place it is, from 0."""
        _PLACE.pack_into(self._bytes, 0, place)

    def clear(self) -> None:
        """Say that it is at none."""
        self.put(_NOWHERE)

    def get(self) -> int | None:
        """Return the place that was said last."""
        (place,) = _PLACE.unpack_from(self._bytes)
        return None if place == _NOWHERE else int(place)
