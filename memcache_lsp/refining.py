"""The background refinement of one root: a card a file, made while nobody waits, for the ranking to look at.

Decides when a batch may be made: not while something is held against it, shortly after a question, or faster than power
and the load of others allow. Runs on the event loop. Must not import the store, a session or an embedder.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any, TypeVar

from memcache_lsp.engine import Project
from memcache_lsp.errors import MemcacheError, ModelError, Stopped
from memcache_lsp.workers.pace import present_pace, rest_s
from memcache_lsp.workers.refine import Refiner

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_log = logging.getLogger(__name__)

BATCH = 8  # cards, about half a second of a small model; a question waits for no longer batch, and so has no vector
QUIET_S = 2.0  # after a question, until the next batch
_TRIES = 3  # of a process that ends
_AGAIN_S = 5.0
_WRONG_S = 300.0  # until it is looked again whether a model can be loaded

T = TypeVar("T")
Run = Callable[[Callable[[], T]], Awaitable[T]]


class Refining:
    """Refine one root. `run` does work in a thread, `use` keeps the project open meanwhile, `changed` hears of news."""

    def __init__(
        self,
        refiner: Refiner,
        *,
        run: Callable[[Callable[[], object]], Awaitable[object]],
        use: Callable[[], AbstractAsyncContextManager[None]],
        changed: Callable[[], None] = lambda: None,
        share: Callable[[], float] = present_pace,
        quiet_s: float = QUIET_S,
    ) -> None:
        self.model = ""  # its name, empty where there is to be no refinement
        self.done = self.total = 0
        self._wrong: str | None = None
        self._wrong_at = float("-inf")
        self._refiner = refiner
        self._run = run
        self._use = use
        self._changed = changed
        self._share = share
        self._quiet_s = quiet_s
        self._holds: set[str] = set()
        self._free = asyncio.Event()
        self._free.set()
        self._asked_at = float("-inf")
        self._task: asyncio.Task[None] | None = None
        self._waking: asyncio.Task[object] | None = None
        self._stopped: set[asyncio.Task[Any]] = set()

    @property
    def message(self) -> str | None:
        """Tell in a sentence why it does not go on, None where it does or is done."""
        if self._wrong is not None or not self.model:
            return self._wrong
        if self._holds:
            return "It waits until an answer is written."
        is_going = self._task is not None and not self._task.done()
        return None if is_going or self.done == self.total else "It goes on when the index is in step."

    def begin(self, project: Project) -> None:
        """Make the cards that are missing, from now on; the index is in step."""
        self.stop()
        user = project.setup.user
        if user.refine != self.model:
            self.model = user.refine
            self.done = self.total = 0
            self._wrong, self._wrong_at = None, float("-inf")
        if self.model and user.qdrant_read_only:
            self._wrong = "The index is somebody else's, so it is not refined here."
        elif self.model and time.monotonic() - self._wrong_at >= _WRONG_S:
            self._wrong = None
            self._task = asyncio.create_task(self._go(project), name="refine")

    def stop(self) -> None:
        """Go on no further; a batch that the child is at serves the next time, from the cache of vectors."""
        for task in (self._task, self._waking):
            if task is not None and not task.done():
                task.cancel()
                self._stopped.add(task)
                task.add_done_callback(self._stopped.discard)
        self._task = self._waking = None

    async def ended(self) -> None:
        """Stop, and wait until nothing is done any more."""
        self.stop()
        await asyncio.gather(*self._stopped, return_exceptions=True)

    def hold(self, why: str) -> None:
        """Begin no further batch until `release`."""
        self._holds.add(why)
        self._free.clear()

    def release(self, why: str) -> None:
        """Take a hold back."""
        self._holds.discard(why)
        if not self._holds:
            self._free.set()

    async def question(self, text: str) -> NDArray[np.float32] | None:
        """Return the vector of a question where it can be had at once, and there are cards to hold it against."""
        self._asked_at = time.monotonic()
        if not self.model or not self.done or self._holds:
            return None
        if not self._refiner.is_ready(self.model):
            self._wake()
        return await self._refiner.ask(self.model, text)

    def _wake(self) -> None:
        """Have the model loaded for the questions that follow."""
        if self._wrong is None and not self._refiner.busy and (self._waking is None or self._waking.done()):
            self._waking = asyncio.create_task(self._refiner.embed(self.model, ["a question"]), name="wake")
            self._waking.add_done_callback(lambda task: task.cancelled() or task.exception())  # the next one will see

    async def _go(self, project: Project) -> None:
        failures = 0
        while True:
            try:
                async with self._use():  # throughout: to load a model can take longer than an idle index is kept open
                    await self._make_all(project)
            except Stopped:  # the index was closed
                return
            except MemcacheError as error:
                failures += 1
                self._fail(str(error))
                if failures == _TRIES or isinstance(error, ModelError):
                    return
                await asyncio.sleep(_AGAIN_S)
            except Exception:  # noqa: BLE001 - the boundary of a background task: searches go on without it
                _log.exception("refining failed")
                self._fail("The refinement failed; the log of the engine tells more.")
                return
            else:
                return

    async def _make_all(self, project: Project) -> None:
        cards = project.cards
        await self._free.wait()
        model = await self._refiner.identify(self.model)
        await self._in_thread(lambda: cards.open(model))
        missing = await self._in_thread(cards.missing)
        await self._count(project)
        for at in range(0, len(missing), BATCH):
            await self._turn()
            began = time.monotonic()
            rows = missing[at : at + BATCH]
            drafts = await self._in_thread(lambda rows=rows: cards.drafts(rows))  # type: ignore[misc]
            if drafts:
                vectors = await self._refiner.embed(self.model, [draft.text for draft in drafts])
                await self._in_thread(lambda d=drafts, v=vectors: cards.put(d, v))  # type: ignore[misc]
            await self._count(project)
            await asyncio.sleep(rest_s(time.monotonic() - began, self._share()))

    async def _turn(self) -> None:
        """Wait until nobody else wants the machine."""
        while True:
            await self._free.wait()
            left = self._asked_at + self._quiet_s - time.monotonic()
            if left <= 0 and self._free.is_set():
                return
            await asyncio.sleep(max(0.0, left))

    async def _count(self, project: Project) -> None:
        self.done, self.total = await self._in_thread(project.cards.counts)
        self._wrong = None
        self._changed()

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await self._run(work)  # type: ignore[return-value]

    def _fail(self, message: str) -> None:
        self._wrong, self._wrong_at = message, time.monotonic()
        self._changed()
