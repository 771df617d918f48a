"""Own the fetches of models that go on behind an event loop: each in a thread, told of on the loop, ended with its asker.

Must not import a session or the engine.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress

from memcache_lsp import fetching, models
from memcache_lsp.errors import UserError

_TELL_S = 0.1


class Fetches:
    """The fetches of one engine; made and used on one event loop."""

    def __init__(self) -> None:
        self._running: dict[asyncio.Future[object], threading.Event] = {}

    async def fetch(self, name: str, on_progress: Callable[[int, int], None]) -> None:
        """Fetch a curated model; a cancel stops it within a moment, and what has come is kept."""
        model = models.curated(name)
        if model is None:  # a request might be made by what is no user: it names no address
            known = ", ".join(each.name for each in models.CURATED)
            raise UserError(f"From here one of {known} can be fetched: run memcache-lsp models pull for any other.")
        stop, state = threading.Event(), [0, model.size_bytes]

        def tell(done: int, total: int) -> None:
            state[:] = done, total

        work = asyncio.to_thread(fetching.fetch, model, on_progress=tell, cancelled=stop.is_set)
        task: asyncio.Future[object] = asyncio.ensure_future(work)
        self._running[task] = stop
        task.add_done_callback(self._running.pop)
        try:
            while not task.done():
                await asyncio.wait({task}, timeout=_TELL_S)
                on_progress(*state)
            task.result()
        finally:
            stop.set()

    async def close(self) -> None:
        """Stop what goes on and wait for it."""
        for stop in self._running.values():
            stop.set()
        with suppress(TimeoutError):
            async with asyncio.timeout(1.0):
                await asyncio.gather(*self._running, return_exceptions=True)
