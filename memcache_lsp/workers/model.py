"""Own the model's process on the owner's event loop: whose turn it is, when it starts, stops, is killed and unloaded.

All of it runs on one event loop. Must never import llama_cpp or `generation`: that is the child's.
"""

from __future__ import annotations

import asyncio
import mmap
import os
import warnings
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

from memcache_lsp.answering import ANSWER_TOKENS
from memcache_lsp.conversation import ALONE, Earlier
from memcache_lsp.errors import ModelError, UserError
from memcache_lsp.models import Answering
from memcache_lsp.programs import command_for
from memcache_lsp.workers.child import Child, Ended, log_path
from memcache_lsp.workers.messages import Ask, Load, ModelFacts, Replay, Rest
from memcache_lsp.workers.shared import can_share, shared_bytes

if TYPE_CHECKING:
    from memcache_lsp.conversation import Told
    from memcache_lsp.events import Delta, Event
    from memcache_lsp.evidence import Evidence
    from memcache_lsp.values import Hit

IDLE_S = 300.0
GRACE_S = 0.4  # from the flag to the kill, so that the model is at rest within half a second in any case
SILENCE_S = 300.0  # a working child says something with every 64 tokens that it reads and every one that it writes

_REAPED_S = 1.0
_MODULE = "memcache_lsp.workers.model_child"
_CLOSED = "The model was stopped because the server ends: ask again when it is back."


class ModelWorker:
    """A model in a process of its own, started when it is needed and ended after `idle_s` without use.

    One question at a time, the others wait in order. To be made and used on one event loop, and closed.
    """

    def __init__(
        self,
        *,
        command: Sequence[str] | None = None,
        idle_s: float = IDLE_S,
        grace_s: float = GRACE_S,
        silence_s: float = SILENCE_S,
        log: Path | None = None,
    ) -> None:
        self._command = list(command or command_for(_MODULE))
        self._idle_s = idle_s
        self._grace_s = grace_s
        self._silence_s = silence_s
        self._log = log
        self._turn = asyncio.Lock()  # the queue of requests; held until the child is at rest again
        self._wanted: Load | None = None
        self._loads: dict[Answering, Load] = {}  # how each model was loaded last
        self._link: _Link | None = None
        self._leaving: set[_Link] = set()  # killed, not yet reaped
        self._settling: asyncio.Task[None] | None = None
        self._idle_timer: asyncio.TimerHandle | None = None
        self._waiting = 0
        self._closed = False

    def __del__(self) -> None:
        if self._link is not None and self._link.ended is None:
            warnings.warn("a ModelWorker was not closed", ResourceWarning, stacklevel=2, source=self)
            self._link.kill()

    @property
    def pid(self) -> int | None:
        """The process id of the child, None while there is none."""
        return self._link.pid if self._link and self._link.ended is None else None

    @property
    def facts(self) -> ModelFacts | None:
        """What is loaded at present; None when nothing is."""
        return self._link.facts if self._link and self._link.ended is None else None

    @property
    def requests(self) -> int:
        """How many requests wait or are worked at."""
        return self._waiting

    async def load(
        self,
        path: Answering,
        *,
        context_tokens: int | None = None,
        threads: int | None = None,
        gpu_layers: int | None = None,
    ) -> ModelFacts:
        """Load a model where it is not loaded yet, and remember it for answers; ModelError where it cannot be."""
        path = _absolute(path) if isinstance(path, Path) else path
        wanted = Load(path, context_tokens, threads, gpu_layers)
        await self._begin()
        try:
            link = await self._ready(wanted)
            self._wanted = self._loads[path] = wanted
            assert link.facts is not None
            return link.facts
        finally:
            self._end()

    async def answer(
        self,
        question: str,
        hits: Sequence[Hit],
        *,
        found: int,
        max_tokens: int = ANSWER_TOKENS,
        excerpts: Sequence[Evidence] | None = None,
        earlier: Earlier = ALONE,
        model: Answering | None = None,
    ) -> AsyncIterator[Event]:
        """Stream the events of `answering.answer`, by a model that was loaded: the one that is named, or the last.

        Somebody else may have had another loaded meanwhile, which then gives way again.

        Leaving early, by `aclose` or by a cancelled task, stops the model at once and does not wait for it: the next
        request does. Raises UserError where the model's process ends midway; the next request starts another one.
        """
        read = None if excerpts is None else tuple(excerpts)
        messages = self._streamed(Ask(question, tuple(hits), found, max_tokens, read, earlier), model)
        async with aclosing(messages):
            async for message in messages:
                yield cast("Event", message)

    async def replay(self, told: Told, *, model: Answering | None = None) -> str:
        """Compute an answer again as its record tells, from an empty context, by a model as `answer` has it."""
        assert told.computed is not None
        messages = self._streamed(Replay(told.prompt, told.computed, told.max_tokens), model)
        async with aclosing(messages):
            return "".join([cast("Delta", message).text async for message in messages])

    async def _streamed(self, request: Ask | Replay, model: Answering | None) -> AsyncGenerator[object]:
        await self._begin()
        try:
            named = _absolute(model) if isinstance(model, Path) else model
            wanted = self._wanted if named is None else self._loads.get(named)
            if wanted is None:
                raise ModelError("No model is loaded: name one in the settings, or get one with `memcache-lsp models`.")
            link = await self._ready(wanted)
            self._wanted = wanted
            link.send(request)
            while (message := await self._next(link)) is not None:
                yield message
        finally:
            self._end()

    async def unload(self) -> bool:
        """End the child as soon as it is its turn, and free the memory; tell whether anything was loaded."""
        await self._begin()
        try:
            loaded = self.pid is not None
            self._unload()
            return loaded
        finally:
            self._end()

    async def settled(self) -> None:
        """Wait until what was left early has stopped, so that nothing computes for it any more."""
        while self._settling is not None and not self._settling.done():
            await asyncio.wait([self._settling])

    async def close(self) -> None:
        """End the child, whatever it does, and wait until it is reaped; what runs or waits ends with an error."""
        self._closed = True
        self._unload()
        with suppress(TimeoutError):  # the kernel may hold a process for as long as it reads a lost disk
            async with asyncio.timeout(_REAPED_S):
                for link in list(self._leaving):
                    await link.gone.wait()
        await self.settled()

    async def _begin(self) -> None:
        """Wait for the turn."""
        self._waiting += 1
        try:
            await self._turn.acquire()
        except BaseException:
            self._waiting -= 1
            raise
        if self._idle_timer is not None:
            self._idle_timer.cancel()
            self._idle_timer = None

    def _end(self) -> None:
        """Give the turn to the next, at once or when the child is at rest; never waits, so that a cancel is quick."""
        link = self._link
        if link is None or link.at_rest.is_set():
            self._pass_on()
            return
        link.stop()
        self._settling = asyncio.get_running_loop().create_task(self._settle(link), name="settle the model")

    async def _settle(self, link: _Link) -> None:
        try:
            async with asyncio.timeout(self._grace_s):
                await link.at_rest.wait()
        except TimeoutError:
            self._drop(link)
        finally:
            self._pass_on()

    def _pass_on(self) -> None:
        self._waiting -= 1
        self._turn.release()
        if not self._closed and self._waiting == 0 and self._link is not None:
            self._idle_timer = asyncio.get_running_loop().call_later(self._idle_s, self._unload)

    def _unload(self) -> None:
        """End the child; it keeps nothing that would have to be saved."""
        if self._idle_timer is not None:
            self._idle_timer.cancel()
            self._idle_timer = None
        if self._link is not None:
            self._drop(self._link)

    def _drop(self, link: _Link) -> None:
        if self._link is link:
            self._link = None
        if link.ended is None:
            self._leaving.add(link)
            link.on_gone = self._leaving.discard
            link.kill()

    async def _ready(self, wanted: Load) -> _Link:
        """Return a child at rest that has loaded what is wanted."""
        if self._closed:
            raise UserError(_CLOSED)
        link = self._link
        if link is None or link.ended is not None:
            link = self._link = _Link(self._command, self._log or log_path())
        link.go_on()
        if link.loaded != wanted or link.facts is None:  # the child gives up a server that failed
            link.loaded = None
            link.send(wanted)
            while await self._next(link) is not None:
                pass
            link.loaded = wanted
        return link

    async def _next(self, link: _Link) -> object | None:
        """Wait for the next of a request's messages; None after the last."""
        try:
            async with asyncio.timeout(self._silence_s):
                message = await link.receive()
        except TimeoutError:
            self._drop(link)
            raise UserError("The model's process does not answer any more and was ended: ask again.") from None
        if isinstance(message, Ended):
            if self._closed:
                raise UserError(_CLOSED)
            raise UserError(_died(message))
        if not isinstance(message, Rest):
            return message
        if message.error is not None:
            raise message.error
        return None


def _died(ended: Ended) -> str:
    """Say in a sentence that the model's process has gone, and what to do."""
    if ended.is_likely_no_memory:
        return (
            f"The model's process ended unexpectedly ({ended.how}), most likely for lack of memory: close other programs and"
            " ask again, name a smaller model, or set a smaller context_tokens in config.toml."
        )
    return f"The model's process ended unexpectedly ({ended.how}): ask again."


class _Link:
    """One child as the event loop sees it: what it said, whether it is busy, and the byte that stops it."""

    def __init__(self, command: Sequence[str], log: Path) -> None:
        self.loaded: Load | None = None
        self.facts: ModelFacts | None = None
        self.ended: Ended | None = None
        self.gone = asyncio.Event()
        self.at_rest = asyncio.Event()  # it computes nothing: no request was sent since its last Rest
        self.at_rest.set()
        self.on_gone: Callable[[_Link], None] = lambda _link: None
        self._inbox: asyncio.Queue[object] = asyncio.Queue()
        self._flag: mmap.mmap | None = None
        loop = asyncio.get_running_loop()
        deliver = partial(_post, loop, self._arrived)
        if not can_share():  # the kill has to do
            self._child = Child(command, deliver=deliver, log=log)
            return
        fd = shared_bytes(2)
        self._flag = mmap.mmap(fd, 2)
        self._child = Child([*command, str(fd)], deliver=deliver, log=log, hand_down=(fd,))

    @property
    def pid(self) -> int | None:
        return self._child.pid

    def send(self, request: object) -> None:
        self.at_rest.clear()
        self._child.send(request)

    async def receive(self) -> object:
        return await self._inbox.get()

    def stop(self) -> None:
        """Ask the child to stop, in the middle of whatever it computes."""
        if self._flag is not None:
            self._flag[0] = 1

    def go_on(self) -> None:
        """Take back the wish to stop and forget what nobody listened to; only while the child is at rest."""
        if self._flag is not None:
            self._flag[0] = 0
        while not self._inbox.empty():
            self._inbox.get_nowait()

    def kill(self) -> None:
        self._child.kill()

    def _arrived(self, message: object) -> None:
        if isinstance(message, Rest):
            self.facts = message.facts
            self.at_rest.set()
        elif isinstance(message, Ended):
            self.ended = message
            self.at_rest.set()
            self.gone.set()
            if self._flag is not None:
                self._flag.close()
                self._flag = None
            self.on_gone(self)
        self._inbox.put_nowait(message)


def _post(loop: asyncio.AbstractEventLoop, receive: Callable[[object], None], message: object) -> None:
    """Hand a message from the child's thread to the loop, if that still runs."""
    with suppress(RuntimeError):
        loop.call_soon_threadsafe(receive, message)


def _absolute(path: Path) -> Path:
    return Path(os.path.abspath(path))  # noqa: PTH100 - resolve() would ask the disk
