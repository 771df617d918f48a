"""Own the process of the refinement's model on the owner's event loop: texts go in, vectors come out, nobody waits long.

One process serves all roots, since a model with its library takes 400 MB and more. Must never import an embedder: that
is the child's.
"""

from __future__ import annotations

import asyncio
import time
import warnings
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from memcache_lsp.errors import Stopped, UserError
from memcache_lsp.programs import command_for
from memcache_lsp.workers.child import Child, Ended, log_path
from memcache_lsp.workers.messages import Embed, Embedded

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

IDLE_S = 300.0  # without a card or a question, until the memory is given back
BUDGET_S = 0.03  # that a search may wait for the vector of its question
SILENCE_S = 900.0  # for a batch, or to load the model, on a machine where others take the processor

_REMEMBERED = 128  # vectors of questions, so that one that came too late serves the next time
_REAPED_S = 1.0
_MODULE = "memcache_lsp.workers.refine_child"


class Refiner:
    """A sentence-transformers model in a process of low priority, started when there are cards to be made.

    One batch at a time, the others wait in order; a question is asked only of a model that is loaded and has nothing
    to do. To be made and used on one event loop, and closed.
    """

    def __init__(
        self,
        *,
        command: Sequence[str] | None = None,
        idle_s: float = IDLE_S,
        silence_s: float = SILENCE_S,
        log: Path | None = None,
    ) -> None:
        self._command = list(command or command_for(_MODULE))
        self._idle_s = idle_s
        self._silence_s = silence_s
        self._log = log
        self._turn = asyncio.Lock()
        self._link: _Link | None = None
        self._asked: OrderedDict[tuple[str, str], NDArray[np.float32]] = OrderedDict()
        self._awaited: dict[tuple[str, str], asyncio.Future[Embedded]] = {}
        self._took_s = 0.0  # the last question
        self._idle_timer: asyncio.TimerHandle | None = None
        self._closed = False

    def __del__(self) -> None:
        if self._link is not None and not self._link.gone.is_set():
            warnings.warn("a Refiner was not closed", ResourceWarning, stacklevel=2, source=self)
            self._link.child.kill()

    @property
    def pid(self) -> int | None:
        """The process id of the child, None while there is none."""
        return self._link.child.pid if self._link and not self._link.gone.is_set() else None

    @property
    def busy(self) -> bool:
        """Tell whether the child computes or loads."""
        return self._link is not None and bool(self._link.pending)

    def is_ready(self, name: str) -> bool:
        """Tell whether the model of that name is loaded."""
        return self.pid is not None and self._link is not None and self._link.name == name and self._link.is_loaded

    async def identify(self, name: str) -> str:
        """Return the id of the embedder of that name, without loading its model; MemcacheError where it cannot be."""
        answer = await self._embed(name, ())
        return answer.embedder

    async def embed(self, name: str, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return the vectors of texts, which the cache of vectors remembers; MemcacheError where there are none."""
        answer = await self._embed(name, tuple(texts))
        assert answer.vectors is not None
        return answer.vectors

    async def ask(self, name: str, question: str, *, budget_s: float = BUDGET_S) -> NDArray[np.float32] | None:
        """Return the vector of a question if it is there within the budget, else None; never raises.

        A model that took longer for the last question is asked all the same and not waited for.
        """
        key = (name, question)
        link = self._link
        if key in self._asked or link is None or not self.is_ready(name):
            return self._asked.get(key)
        answer = self._awaited.get(key)  # where several roots are searched, each asks
        if answer is None:
            if link.pending:
                return None
            answer = self._awaited[key] = link.ask(Embed(link.next_number(), name, (question,), is_question=True))
            answer.add_done_callback(partial(self._remember, key, time.monotonic()))
            self._rest()
        if self._took_s <= budget_s:
            await asyncio.wait([answer], timeout=budget_s)
        return self._asked.get(key)  # the callback was called before this

    async def close(self) -> None:
        """End the child and wait until it is reaped."""
        self._closed = True
        link = self._link
        self._unload()
        if link is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(_REAPED_S):
                    await link.gone.wait()

    async def _embed(self, name: str, texts: tuple[str, ...]) -> Embedded:
        async with self._turn:
            if self._closed:
                raise Stopped("The engine is ending.")
            link = self._link
            if link is None or link.gone.is_set() or link.name != name:
                self._unload()
                link = self._link = _Link(name, self._command, self._log or log_path())
            try:
                async with asyncio.timeout(self._silence_s):
                    answer = await link.ask(Embed(link.next_number(), name, texts))
            except TimeoutError:
                self._unload()
                raise UserError("The refinement's process does not answer any more and was ended.") from None
            finally:
                self._rest()
            if answer.error is not None:
                self._unload()  # what could not be loaded may be installed meanwhile
                raise answer.error
            link.is_loaded = link.is_loaded or answer.vectors is not None
            return answer

    def _remember(self, key: tuple[str, str], began: float, answer: asyncio.Future[Embedded]) -> None:
        self._took_s = time.monotonic() - began
        self._awaited.pop(key, None)
        if answer.cancelled() or answer.exception() is not None:
            return
        vectors = answer.result().vectors
        if vectors is not None and len(vectors):
            self._asked[key] = vectors[0]
            while len(self._asked) > _REMEMBERED:
                self._asked.popitem(last=False)

    def _rest(self) -> None:
        """Begin to be idle anew."""
        if self._idle_timer is not None:
            self._idle_timer.cancel()
        self._idle_timer = None if self._closed else asyncio.get_running_loop().call_later(self._idle_s, self._leave)

    def _leave(self) -> None:
        if self.busy:
            self._rest()
        else:
            self._unload()

    def _unload(self) -> None:
        """End the child; it keeps nothing that would have to be saved."""
        if self._idle_timer is not None:
            self._idle_timer.cancel()
            self._idle_timer = None
        link, self._link = self._link, None
        if link is not None:
            link.child.kill()


class _Link:
    """One child, and what it has not answered yet."""

    def __init__(self, name: str, command: Sequence[str], log: Path) -> None:
        self.name = name  # of its embedder
        self.is_loaded = False
        self.gone = asyncio.Event()
        self.pending: dict[int, asyncio.Future[Embedded]] = {}
        self._count = 0
        self._loop = asyncio.get_running_loop()
        self.child = Child(command, deliver=self._deliver, log=log)

    def next_number(self) -> int:
        self._count += 1
        return self._count

    def ask(self, request: Embed) -> asyncio.Future[Embedded]:
        """Send a request; what comes of it counts as pending until the child has answered, whoever still listens."""
        future: asyncio.Future[Embedded] = self._loop.create_future()
        if self.gone.is_set():
            future.set_exception(UserError("The refinement's process has ended."))
            return future
        self.pending[request.number] = future
        self.child.send(request)
        return future

    def _deliver(self, message: object) -> None:
        with suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self._arrived, message)

    def _arrived(self, message: object) -> None:
        if isinstance(message, Ended):
            self.gone.set()
            pending, self.pending = self.pending, {}
            for future in pending.values():
                if not future.done():
                    future.set_exception(UserError(f"The refinement's process ended ({message.how})."))
                    future.exception()  # nobody may be left to hear of it
        elif isinstance(message, Embedded):
            answered = self.pending.pop(message.number, None)
            if answered is not None and not answered.done():
                answered.set_result(message)
