"""Own an editor as the benches need one: requests through a real front, and when each message came."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from serving.home import SERVE, Home

PATIENCE_S = 200.0
CANCELLED = -32800


def encode(message: dict[str, Any]) -> bytes:
    """Return a message as it is sent."""
    body = json.dumps({"jsonrpc": "2.0", **message}).encode()
    return b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


class Refused(Exception):
    """The server answered with an error."""

    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(error.get("message"))
        self.code = error.get("code")


class Reply:
    """A request under way: when it was sent, and once it is answered when that was and with what."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.sent = self.came = time.perf_counter()
        self._future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    def settle(self, message: dict[str, Any] | None) -> None:
        """Take the answer, None where none will come any more."""
        self.came = time.perf_counter()
        if self._future.done():
            return
        if message is None:
            self._future.set_exception(ConnectionError("the front ended"))
            self._future.exception()  # whoever does not wait for it need not hear of it
        elif "error" in message:
            self._future.set_exception(Refused(message["error"]))
            self._future.exception()
        else:
            self._future.set_result(message.get("result"))

    @property
    def took_ms(self) -> float:
        """Return the round trip."""
        return 1000 * (self.came - self.sent)

    @property
    def done(self) -> bool:
        """Tell whether it is answered."""
        return self._future.done()

    async def result(self) -> Any:
        """Wait for the answer; Refused where it is an error."""
        async with asyncio.timeout(PATIENCE_S):
            return await asyncio.shield(self._future)


class Asked:
    """A question under way: its request and the partial results with the time of each."""

    def __init__(self, editor: Editor, question: str) -> None:
        self.token = editor.new_token()
        self.events: list[tuple[float, dict[str, Any]]] = []
        self._changed = asyncio.Event()
        editor.streams[self.token] = self._take
        self.reply = editor.begin("memcache/ask", {"question": question, "partialResultToken": self.token})
        self.reply._future.add_done_callback(lambda _: self._changed.set())  # noqa: SLF001 - the same module

    def _take(self, value: dict[str, Any]) -> None:
        self.events.append((time.perf_counter(), value))
        self._changed.set()

    async def reaches(self, *kinds: str) -> dict[str, Any] | None:
        """Wait until the last partial result is of a kind, or a stage's name; None where it ends without."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                if (last := self.last) is not None and kind_of(last) in kinds:
                    return last
                if self.reply.done:
                    return None
                self._changed.clear()
                await self._changed.wait()

    @property
    def last(self) -> dict[str, Any] | None:
        """Return the latest partial result."""
        return self.events[-1][1] if self.events else None

    def came_ms(self, kind: str) -> float:
        """Return how long after the question the first of a kind came, infinite where none did."""
        at = next((at for at, value in self.events if kind_of(value) == kind), float("inf"))
        return 1000 * (at - self.reply.sent)


def kind_of(value: dict[str, Any]) -> str:
    """Return the type of a partial result, of a stage its name."""
    return str(value.get("stage") or value["type"])


class Editor:
    """One front and what is said through it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.streams: dict[str, Callable[[dict[str, Any]], None]] = {}
        self.hears: dict[str, Callable[[dict[str, Any]], None]] = {}  # notifications, by method
        self._numbers = itertools.count(1)
        self._replies: dict[int, Reply] = {}
        self._reading = asyncio.create_task(self._read())

    @classmethod
    async def open(
        cls,
        home: Home,
        *roots: Path,
        command: Sequence[str] = SERVE,
        answer_tokens: int = 256,
        quotations: bool = False,
    ) -> Editor:
        """Start a front and a session."""
        pipe = asyncio.subprocess.PIPE
        editor = cls(await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, env=home.environment))
        folders = [{"uri": root.as_uri(), "name": root.name} for root in roots]
        params = {
            "processId": os.getpid(),
            "clientInfo": {"name": "bench"},
            "rootUri": folders[0]["uri"] if folders else None,
            "workspaceFolders": folders,
            "capabilities": {"experimental": {"memcache": {}}},
            "initializationOptions": {"memcache": {"answerTokens": answer_tokens, "useModel": not quotations}},
        }
        await editor.call("initialize", params)
        editor.tell("initialized", {})
        return editor

    def new_token(self) -> str:
        """Return a token for partial results."""
        return f"p{next(self._numbers)}"

    def begin(self, method: str, params: Any) -> Reply:
        """Send a request without waiting for its answer."""
        reply = Reply(next(self._numbers))
        self._replies[reply.number] = reply
        self._send({"id": reply.number, "method": method, "params": params})
        return reply

    async def call(self, method: str, params: Any) -> Any:
        """Return the result of a request."""
        return await self.begin(method, params).result()

    def tell(self, method: str, params: Any) -> None:
        """Send a notification."""
        self._send({"method": method, "params": params})

    def cancel(self, reply: Reply) -> None:
        """Take a request back."""
        self.tell("$/cancelRequest", {"id": reply.number})

    async def status(self) -> dict[str, Any]:
        """Return what the server is at."""
        status: dict[str, Any] = await self.call("memcache/status", {})
        return status

    async def settled(self) -> dict[str, Any]:
        """Wait until nothing is being indexed."""
        while True:
            status = await self.status()
            if status["quiescent"]:
                return status
            await asyncio.sleep(0.1)

    async def leave(self) -> None:
        """End the session as editors do."""
        await self.call("shutdown", None)
        self.tell("exit", None)
        await self._ended()

    async def hang_up(self) -> float:
        """Close the front's input; return the seconds until it has ended."""
        assert self.process.stdin
        began = time.perf_counter()
        self.process.stdin.close()
        await self._ended()
        return time.perf_counter() - began

    async def _ended(self) -> None:
        async with asyncio.timeout(PATIENCE_S):
            await self.process.wait()
        self._reading.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)

    def _send(self, message: dict[str, Any]) -> None:
        assert self.process.stdin
        self.process.stdin.write(encode(message))

    async def _read(self) -> None:
        assert self.process.stdout
        try:
            with suppress(asyncio.IncompleteReadError):
                while True:
                    header = await self.process.stdout.readuntil(b"\r\n\r\n")
                    length = int(header.partition(b":")[2].split()[0])
                    self._take(json.loads(await self.process.stdout.readexactly(length)))
        finally:
            for reply in self._replies.values():
                reply.settle(None)

    def _take(self, message: dict[str, Any]) -> None:
        if "method" not in message:
            reply = self._replies.pop(message["id"], None)
            if reply is not None:
                reply.settle(message)
        elif "id" in message:
            self._send({"id": message["id"], "result": None})
        elif message["method"] == "$/progress" and (take := self.streams.get(str(message["params"]["token"]))):
            take(message["params"]["value"])
        elif hear := self.hears.get(message["method"]):
            hear(message["params"])
