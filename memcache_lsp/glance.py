"""What a root's manifest says, for whoever asks for the status, however often.

To read it takes as long as it is large, so it has a thread of its own, and many who ask share one look. Runs on the event
loop. Must not import the engine.
"""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from memcache_lsp.errors import MemcacheError
from memcache_lsp.status import Status, read_status


class Glance:
    """The last look at one root's manifest, and the next."""

    def __init__(self, root: Path, part: str = "") -> None:
        self._root = root
        self._part = part
        self._looking = ThreadPoolExecutor(1, thread_name_prefix="look")
        self._known: Status | None = None
        self._known_at: float | None = None  # None where it was never read, or forgotten
        self._look: asyncio.Task[None] | None = None
        self._changes = 0  # how often what was known became wrong

    async def status(self, *, age_s: float, wait: bool) -> Status | None:
        """Return what the manifest says, if it was read at most `age_s` seconds ago or is read now.

        Without `wait` what it said before serves while it is read, where that was not forgotten.
        """
        while self._known_at is None or time.monotonic() - self._known_at > age_s:
            if self._look is None or self._look.done():
                self._look = asyncio.create_task(self._read())
                self._look.add_done_callback(lambda look: look.cancelled() or look.exception())  # it may go unheard
            if not wait and self._known_at is not None:
                break
            await asyncio.shield(self._look)
            if self._known_at is not None:  # else what was read had been forgotten by then
                break
        return self._known

    def forget(self) -> None:
        """Take it that the manifest says something else now."""
        self._changes += 1
        self._known_at = None

    def close(self) -> None:
        """Look no more."""
        self._looking.shutdown(wait=False)

    async def _read(self) -> None:
        changes = self._changes
        known = await asyncio.get_running_loop().run_in_executor(self._looking, self._read_status)
        if changes == self._changes:
            self._known, self._known_at = known, time.monotonic()

    def _read_status(self) -> Status | None:
        with suppress(MemcacheError):
            return read_status(self._root, self._part, is_real=True)
        return None
