"""A session with the daemon: the protocol of the editors over its socket, one request at a time.

What messages mean is known to who asks. Loads nothing but what a socket needs, for every command waits for this.
"""

from __future__ import annotations

import contextlib
import select
import socket
import time
from collections import deque
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

from memcache_lsp import rendezvous
from memcache_lsp.errors import UserError
from memcache_lsp.relay.frames import Splitter, frame
from memcache_lsp.session.uris import from_path

TOKEN = "ask"  # noqa: S105 - of progress
_MEET_S = 0.5
_ANSWER_S = 120.0  # without a word from the daemon
_CHUNK_BYTES = 64 * 1024
_FRAME_BYTES = 64 * 1024 * 1024

Message = dict[str, Any]

QUIET: Message = {"indexOnStart": False}  # the command says when


def find(root: Path | None = None) -> Connection | None:
    """Return a session with the daemon, where one runs."""
    peer = rendezvous.connect(_MEET_S, role="cli") if rendezvous.supported() else None
    return Connection(peer, root, QUIET) if peer else None


class Connection:
    """A session: requests in order, notifications, and an empty answer to whatever the server asks."""

    def __init__(self, peer: socket.socket, root: Path | None, settings: dict[str, Any]) -> None:
        peer.setblocking(False)
        self._peer = peer
        self._frames = Splitter(_FRAME_BYTES)
        self._arrived: deque[Message] = deque()
        self._ids = count(1)
        self._at_rest = False  # told since it was waited for last
        uri = from_path(root) if root else None
        params: Message = {
            "processId": None,
            "clientInfo": {"name": "memcache-lsp"},
            "rootUri": uri,
            "workspaceFolders": [{"uri": uri, "name": root.name}] if root else [],
            "capabilities": {"general": {"positionEncodings": ["utf-32"]}, "experimental": {"memcache": {}}},
            "initializationOptions": {"memcache": settings},
        }
        with contextlib.ExitStack() as unless_begun:
            unless_begun.callback(self.close)
            self.ask("initialize", params)
            self._send({"method": "initialized", "params": {}})
            unless_begun.pop_all()

    def ask(self, method: str, params: Message) -> Any:
        """Return the result of a request; UserError with the server's sentence."""
        return next(value for kind, value in self.stream(method, params) if kind == "result")

    def stream(self, method: str, params: Message) -> Iterator[tuple[str, Any]]:
        """Yield what comes for a request: ("partial", value) on the token, then ("result", value)."""
        number = next(self._ids)
        self._send({"id": number, "method": method, "params": params})
        while True:
            message = self._next(_ANSWER_S)
            if message is None:
                raise UserError("The memcache-lsp daemon does not answer: end it with `memcache-lsp stop`, try again.")
            if message.get("method") == "$/progress" and message["params"]["token"] == TOKEN:
                yield "partial", message["params"]["value"]
            if message.get("id") == number and "method" not in message:
                if "error" in message:
                    raise UserError(str(message["error"].get("message")))
                yield "result", message.get("result")
                return

    def wait_for_rest(self, timeout_s: float) -> None:
        """Wait until the server says that nothing is being indexed, unless it has since this last returned, or so long.

        It says so where something else was true before; so ask for the status now and then.
        """
        deadline = time.monotonic() + timeout_s
        while not self._at_rest and (left := deadline - time.monotonic()) > 0:
            self._next(left)
        self._at_rest = False

    def close(self) -> None:
        """Let go of the socket, which ends the session and what it asked for."""
        self._peer.close()

    def _next(self, timeout_s: float) -> Message | None:
        """Return the next message, None if none came; requests of the server are answered with nothing."""
        deadline = time.monotonic() + timeout_s
        while not self._arrived:
            if not select.select([self._peer], [], [], max(0.0, deadline - time.monotonic()))[0]:
                return None
            try:
                data = self._peer.recv(_CHUNK_BYTES)
            except OSError:
                data = b""
            if not data:
                raise UserError("The memcache-lsp daemon ended meanwhile: run the command again.")
            self._arrived += filter(None, (piece.message() for piece in self._frames.feed(data)))
        message = self._arrived.popleft()
        if message.get("method") == "memcache/didChangeStatus":
            self._at_rest = message["params"]["quiescent"]
        if "id" in message and "method" in message:
            self._send({"id": message["id"], "result": None})
        return message

    def _send(self, message: Message) -> None:
        self._peer.settimeout(_ANSWER_S)
        try:
            self._peer.sendall(frame({"jsonrpc": "2.0", **message}))
        except OSError:
            raise UserError("The memcache-lsp daemon ended meanwhile: run the command again.") from None
        finally:
            self._peer.setblocking(False)
