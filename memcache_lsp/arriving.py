"""Hold back the files that arrive in a reading folder until they are whole: while they grow, they are no news.

Owns what counts as still being written. Runs on the event loop; looks at files in a thread. Must not import any other
part.
"""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from pathlib import Path

STILL_S = 0.7  # that a file has to be as it was

Stamp = tuple[int, int] | None  # size and time; None for what is no file, or gone


def settled(before: Mapping[str, Stamp | str], now: Mapping[str, Stamp]) -> frozenset[str]:
    """Return the paths that are as they were at the look before; what is no file any more is told at once."""
    return frozenset(path for path, stamp in now.items() if stamp is None or before.get(path) == stamp)


class Arriving:
    """The files of one folder that may still be written to; `told` gets the paths that are not, or None for all."""

    def __init__(
        self, root: Path, *, told: Callable[[AbstractSet[str] | None], None], still_s: float = STILL_S
    ) -> None:
        self._root = root
        self._told = told
        self._still_s = still_s
        self._waiting: dict[str, Stamp | str] = {}  # as they were at the last look; "" before the first
        self._task: asyncio.Task[None] | None = None

    def changed(self, paths: AbstractSet[str] | None) -> None:
        """Take it that something happened to these paths, or to any."""
        if paths is None:
            self._told(None)
            return
        self._waiting.update({path: self._waiting.get(path, "") for path in paths})
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._watch())

    def close(self) -> None:
        """Wait for nothing any more."""
        if self._task is not None:
            self._task.cancel()

    async def _watch(self) -> None:
        while self._waiting:
            now = await asyncio.to_thread(_stamps, self._root, tuple(self._waiting))
            ready = settled(self._waiting, now)
            self._waiting.update(now)
            for path in ready:
                del self._waiting[path]
            if ready:
                self._told(ready)
            if self._waiting:
                await asyncio.sleep(self._still_s)


def _stamps(root: Path, paths: tuple[str, ...]) -> dict[str, Stamp]:
    return {path: _stamp(root / path) for path in paths}


def _stamp(path: Path) -> Stamp:
    try:
        status = os.lstat(path)
    except OSError:
        return None
    return (status.st_size, status.st_mtime_ns) if stat.S_ISREG(status.st_mode) else None
