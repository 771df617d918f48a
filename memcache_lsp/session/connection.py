"""Own the rules of JSON-RPC on one connection: every request is answered exactly once, whoever answers it.

Reads, cuts and parses what comes, keeps what is in flight, cancels, and bounds what waits to be sent. Knows no method
but those of the lifecycle. Must not import pygls or anything of the engine.

**Invariant:** a request leaves `_flying` when it is answered, and is answered when it leaves it.
**Invariant:** what a client can make us hold is bounded: one frame, `MAX_FLYING` requests, `HARD_BYTES` unread. Messages that
may get lost (percentages, log lines) are dropped while more than `SOFT_BYTES` wait; a client that leaves more than
`HARD_BYTES` unread loses its session, since an answer must not be dropped.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
import traceback
from collections.abc import Coroutine
from dataclasses import dataclass, field
from enum import Enum
from functools import partial
from typing import Any, Protocol

from memcache_lsp.errors import MemcacheError, UserError
from memcache_lsp.session import messages
from memcache_lsp.session.framing import Body, Framer, Lost, encode_frame
from memcache_lsp.session.messages import Id, Malformed, Notification, Request, Response

MAX_FLYING = 1000
MAX_ASKED = 64
SOFT_BYTES = 1024 * 1024
HARD_BYTES = 16 * 1024 * 1024
_PIECE_BYTES = 64 * 1024
_CLOSE_S = 1.0

log = logging.getLogger(__name__)


class ClientError(UserError):
    """The client answered a request of ours with an error, or not at all."""


class Phase(Enum):
    """Where a connection is in its life."""

    NEW = "new"
    STARTING = "starting"
    READY = "ready"
    STOPPED = "stopped"


class Endpoint(Protocol):
    """What a connection serves.

    Tasks begin in the order in which their messages came, so a handler that never waits is through before the next one
    begins: that is how a request sees the buffers as they were when it was sent. Results are JSON.
    """

    def serves(self, method: str) -> bool: ...
    def hears(self, method: str) -> bool: ...
    async def request(self, method: str, params: Any) -> Any: ...
    async def notified(self, method: str, params: Any) -> None: ...
    def answered(self, method: str, outcome: str, seconds: float) -> None: ...
    async def close(self) -> None: ...


@dataclass(slots=True)
class _Flying:
    """A request that is not answered yet."""

    request: Request
    number: int
    task: asyncio.Task[Any]
    started: float = field(default_factory=time.perf_counter)


class Connection:
    """One client's connection, from its first byte to its last."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, name: str) -> None:
        self._reader = reader
        self._writer = writer
        self._name = name
        self._phase = Phase.NEW
        self._over = False
        self._broken = False  # nothing can be sent any more
        self._flying: dict[str | float, _Flying] = {}
        self._numbers = itertools.count(1)
        self._tasks: set[asyncio.Task[Any]] = set()
        self._asked: dict[int, asyncio.Future[Any]] = {}
        self._endpoint: Endpoint

    async def run(self, endpoint: Endpoint) -> int:
        """Serve until the client leaves; return the exit code that the protocol asks for."""
        self._endpoint = endpoint
        framer = Framer()
        try:
            while not self._over and (data := await self._reader.read(_PIECE_BYTES)):
                await self._take(framer, data)
        except OSError as error:
            log.info("%s: the connection broke: %s", self._name, type(error).__name__)
        finally:
            await self._close()
        return 0 if self._phase is Phase.STOPPED else 1

    def notify(self, method: str, params: Any, *, droppable: bool = False) -> None:
        """Send a notification; one that is droppable only to a client that reads."""
        if droppable and self._unread_bytes() > SOFT_BYTES:
            return
        self._send(messages.dump({"jsonrpc": "2.0", "method": method, "params": params}))

    async def ask(self, method: str, params: Any) -> Any:
        """Send a request to the client and return what it answers; raise `ClientError` where it refuses."""
        if len(self._asked) >= MAX_ASKED or self._broken:
            raise ClientError("The editor does not answer.")
        number = next(self._numbers)
        future = self._asked[number] = asyncio.get_running_loop().create_future()
        self._send(messages.dump({"jsonrpc": "2.0", "id": number, "method": method, "params": params}))
        try:
            return await future
        finally:
            self._asked.pop(number, None)

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run something beside the requests; it ends with the connection at the latest."""
        task = asyncio.get_running_loop().create_task(work)
        self._keep(task)
        task.add_done_callback(self._spawned)
        return task

    async def _take(self, framer: Framer, data: bytes) -> None:
        """Take what came, one message a turn of the loop: its task is not more than one of a turn, whoever floods."""
        for frame in framer.feed(data):
            match frame:
                case Body():
                    self._message(messages.parse(frame.data))
                case Lost():
                    self._send(messages.encode_error(None, messages.PARSE_ERROR, f"The session ends, for {frame.why}."))
                    log.warning("%s: the boundary of frames is lost: %s", self._name, frame.why)
                    self._over = True
                case _:
                    self._send(messages.encode_error(None, messages.INVALID_REQUEST, frame.why))
            if self._over:
                return
            await asyncio.sleep(0)

    def _message(self, message: messages.Message) -> None:
        match message:
            case Request():
                self._request(message)
            case Notification():
                self._notification(message)
            case Response():
                self._response(message)
            case Malformed():
                self._send(messages.encode_error(message.id, message.code, message.why))

    def _request(self, request: Request) -> None:
        refusal = self._refusal(request)
        if refusal is not None:
            self._send(messages.encode_error(request.id, *refusal))
            return
        if request.method == "initialize":
            self._phase = Phase.STARTING
        elif request.method == "shutdown":
            self._phase = Phase.STOPPED
            self._cancel_all()
        task = asyncio.get_running_loop().create_task(self._endpoint.request(request.method, request.params))
        self._keep(task)
        flying = _Flying(request, next(self._numbers), task)
        self._flying[_key(request.id)] = flying
        task.add_done_callback(partial(self._done, flying))

    def _refusal(self, request: Request) -> tuple[int, str] | None:
        if _key(request.id) in self._flying:
            return messages.INVALID_REQUEST, "A request with this id is not answered yet."
        if self._phase is Phase.STOPPED:
            return messages.INVALID_REQUEST, "The session was shut down."
        if request.method == "initialize":
            again = self._phase is not Phase.NEW
            return (messages.INVALID_REQUEST, "The session is initialized already.") if again else None
        if self._phase is not Phase.READY:
            return messages.SERVER_NOT_INITIALIZED, "The session is not initialized yet."
        if not self._endpoint.serves(request.method):
            return messages.METHOD_NOT_FOUND, f"There is no method {request.method[:100]!r}."
        if len(self._flying) >= MAX_FLYING:
            return messages.REQUEST_FAILED, f"More than {MAX_FLYING} requests are not answered yet; wait for some."
        return None

    def _done(self, flying: _Flying, task: asyncio.Task[Any]) -> None:
        """Answer a request whose handler has ended, unless it was answered before."""
        error = None if task.cancelled() else task.exception()
        if self._flying.get(_key(flying.request.id)) is not flying:
            return
        if task.cancelled():
            self._fail(flying, messages.REQUEST_CANCELLED, "The request was cancelled.")
        elif error is None:
            self._succeed(flying, task.result())
        elif isinstance(error, MemcacheError):
            self._fail(flying, error.rpc_code, str(error))
        else:
            _log_bug(f"{self._name}: request {flying.number} {flying.request.method}", error)
            self._fail(
                flying, messages.INTERNAL_ERROR, f"Something went wrong inside; the log tells under {flying.number}."
            )

    def _succeed(self, flying: _Flying, result: Any) -> None:
        try:
            body = messages.encode_result(flying.request.id, result)
        except (TypeError, ValueError, RecursionError) as error:
            _log_bug(f"{self._name}: result of {flying.number} {flying.request.method}", error)
            self._fail(flying, messages.INTERNAL_ERROR, f"The result is no JSON; the log tells under {flying.number}.")
            return
        if flying.request.method == "initialize":
            self._phase = Phase.READY
        self._answer(flying, body, "done")

    def _fail(self, flying: _Flying, code: int, why: str) -> None:
        if flying.request.method == "initialize":
            self._phase = Phase.NEW
        self._answer(flying, messages.encode_error(flying.request.id, code, why), f"failed with {code}")

    def _answer(self, flying: _Flying, body: bytes, outcome: str) -> None:
        del self._flying[_key(flying.request.id)]
        self._send(body)
        seconds = time.perf_counter() - flying.started
        log.info(
            "%s: request %d %s %s in %.1f ms", self._name, flying.number, flying.request.method, outcome, seconds * 1000
        )
        self._endpoint.answered(flying.request.method, outcome, seconds)

    def _notification(self, message: Notification) -> None:
        if message.method == "exit":
            self._over = True
        elif message.method == "$/cancelRequest":
            key = message.params.get("id") if isinstance(message.params, dict) else None
            flying = self._flying.get(_key(key)) if messages.is_id(key) else None
            if flying is not None and flying.request.method not in {"initialize", "shutdown"}:
                self._cancel(flying)
        elif self._phase is Phase.READY and self._endpoint.hears(message.method):
            self.spawn(self._endpoint.notified(message.method, message.params))

    def _cancel(self, flying: _Flying) -> None:
        self._fail(flying, messages.REQUEST_CANCELLED, "The request was cancelled.")
        flying.task.cancel()

    def _cancel_all(self) -> None:
        for flying in list(self._flying.values()):
            self._cancel(flying)

    def _response(self, response: Response) -> None:
        known = isinstance(response.id, int) and not isinstance(response.id, bool)
        future = self._asked.pop(response.id, None) if known else None
        if future is None or future.done():
            return
        if response.error is None:
            future.set_result(response.result)
        else:
            future.set_exception(ClientError("The editor refused."))

    def _spawned(self, task: asyncio.Task[Any]) -> None:
        error = None if task.cancelled() else task.exception()
        if isinstance(error, UserError):  # nobody waits for it; its sentence may quote what was sent
            log.info("%s: a notification or work beside the requests ended with %s", self._name, type(error).__name__)
        elif error is not None:
            _log_bug(f"{self._name}: work beside the requests", error)

    def _keep(self, task: asyncio.Task[Any]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _unread_bytes(self) -> int:
        return self._writer.transport.get_write_buffer_size()

    def _send(self, body: bytes) -> None:
        if self._broken or self._writer.transport.is_closing():
            return
        self._writer.write(encode_frame(body))
        if self._unread_bytes() > HARD_BYTES:
            log.warning("%s: ended, for the client leaves more than %d bytes unread", self._name, HARD_BYTES)
            self._over = self._broken = True
            self._writer.transport.abort()

    async def _close(self) -> None:
        """Answer what is in flight, end all work, and leave what was written to the client."""
        self._cancel_all()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for future in self._asked.values():
            future.cancel()
        try:
            await self._endpoint.close()
        finally:
            self._broken = True
            await self._hang_up()

    async def _hang_up(self) -> None:
        self._writer.close()
        try:
            async with asyncio.timeout(_CLOSE_S):
                await self._writer.wait_closed()
        except (OSError, TimeoutError):
            self._writer.transport.abort()


def _key(key: Id) -> str | float:
    """Tell ids apart: JSON has one kind of numbers, and "1" is not 1."""
    return f"s{key}" if isinstance(key, str) else key


def _log_bug(what: str, error: BaseException) -> None:
    """Log where it happened; messages of foreign errors may hold the user's text and stay out."""
    stack = "".join(
        f"  {each.filename}:{each.lineno} {each.name}\n" for each in traceback.extract_tb(error.__traceback__)
    )
    log.error("%s: %s at\n%s", what, type(error).__name__, stack)
