"""The index of one root, open while somebody works with it: opened once for all who ask, and never closed under anybody.

Owns the project, the two threads that work with it, and the count of who does. Everything public runs on the event loop.
Must not import what decides when to open, update or close: a watcher, workers, a keeper.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from typing import TypeVar

from memcache_lsp.engine import Project
from memcache_lsp.errors import MemcacheError, Stopped, UserError

T = TypeVar("T")


class Opened:
    """Open one index when it is asked for. `make` opens it in a thread, emptied where it is given True.

    `came` hears of each project that was opened, and whether it is as it was closed; `goes` is awaited before one is
    closed, by when it is nobody's any more.
    """

    def __init__(
        self,
        make: Callable[[bool], Project],
        *,
        came: Callable[[Project, bool], None],
        goes: Callable[[], Awaitable[None]],
        idle_s: float,
    ) -> None:
        self.project: Project | None = None
        self.is_ending = False  # for good: it is not opened any more
        self._make = make
        self._came = came
        self._goes = goes
        self._idle_s = idle_s
        self._loop = asyncio.get_running_loop()
        self._searching = ThreadPoolExecutor(1, thread_name_prefix="search")
        self._indexing = ThreadPoolExecutor(1, thread_name_prefix="index")
        self._turn = asyncio.Lock()  # to open or close
        self._opener: asyncio.Task[None] | None = None
        self._begun: set[asyncio.Task[object]] = set()
        self._closed_id = ""  # of the project that was closed last
        self._busy = 0
        self._used_at = time.monotonic()

    async def searching(self, work: Callable[[], T]) -> T:
        """Do what somebody waits for, in its thread."""
        return await self._loop.run_in_executor(self._searching, work)

    async def indexing(self, work: Callable[[], T]) -> T:
        """Do what takes long, in its thread."""
        return await self._loop.run_in_executor(self._indexing, work)

    @asynccontextmanager
    async def use(self) -> AsyncIterator[None]:
        """Count a piece of work, so that the index is not closed under it."""
        self._busy += 1
        try:
            yield
        except MemcacheError:
            raise
        except Exception as error:
            if self.is_ending:
                raise UserError("The index was closed meanwhile: ask again.") from error
            raise
        finally:
            self._busy -= 1
            self.used()

    async def calm(self, calm_s: float, *, at_most_s: float, unless: asyncio.Event) -> None:
        """Wait until nobody has used it for a moment, or that takes long, or something else is to be done."""
        deadline = time.monotonic() + at_most_s
        while not unless.is_set() and not self.is_ending:
            now = time.monotonic()
            left_s = calm_s if self._busy else self._used_at + calm_s - now
            if left_s <= 0 or now >= deadline:
                return
            with suppress(TimeoutError):
                async with asyncio.timeout(min(left_s, deadline - now)):  # `wait_for` can lose a cancellation
                    await unless.wait()

    def used(self) -> None:
        """Take it that somebody has use for it now."""
        self._used_at = time.monotonic()

    @property
    def is_idle(self) -> bool:
        """Tell whether it is open and nobody has used it for long."""
        return self.project is not None and not self._busy and time.monotonic() - self._used_at >= self._idle_s

    @property
    def is_asleep(self) -> bool:
        """Tell whether it is closed and nobody is about to open it."""
        return self.project is None and not self._busy and not self._turn.locked()

    @property
    def patience_s(self) -> float:
        """Return how long to wait until it is looked whether it is idle: from its last use on."""
        if self.project is None or self._busy:
            return self._idle_s
        return max(0.01, self._used_at + self._idle_s - time.monotonic())

    async def get(self) -> Project:
        """Return the project, opened if need be; all who ask meanwhile get what comes of one attempt."""
        while self.project is None:  # it may have been shut again when it is our turn
            if self._opener is None or self._opener.done():
                self._opener = self._begin(self._open())
            await asyncio.shield(self._opener)
        return self.project

    async def shut(self, *, rebuild: bool = False) -> None:
        """Let go of the index; with `rebuild`, hold it again, emptied.

        It goes on where who awaits it is cancelled, for half of it would leave the index locked.
        """
        await asyncio.shield(self._begin(self._shut(rebuild=rebuild)))

    def close(self) -> None:
        """End the threads, once it is shut; what they are at is not waited for."""
        self._searching.shutdown(wait=False)
        self._indexing.shutdown(wait=False)

    def _begin(self, work: Coroutine[object, object, T]) -> asyncio.Task[T]:
        task = self._loop.create_task(work)
        self._begun.add(task)
        task.add_done_callback(self._begun.discard)
        task.add_done_callback(lambda task: task.cancelled() or task.exception())  # nobody may be left to hear of it
        return task

    async def _open(self) -> None:
        async with self._turn:
            if self.is_ending:
                raise Stopped("The engine is ending: ask again when it is back.")
            if self.project is None:
                project = self.project = await self.searching(lambda: self._make(False))
                self._came(project, project.id_before == self._closed_id)

    async def _shut(self, *, rebuild: bool) -> None:
        async with self._turn:
            project, self.project = self.project, None
            await self._goes()
            if project is not None:
                await self.searching(project.close)
                self._closed_id = project.id
            if rebuild:
                self.project = await self.searching(lambda: self._make(True))
