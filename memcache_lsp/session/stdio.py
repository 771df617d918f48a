"""Own the standard streams as the connection of `serve --no-daemon`.

From here on the protocol alone has them: file descriptor 1 becomes stderr and 0 becomes empty, so that no library and
no child process writes or reads in between. Two threads carry the bytes to and from a pair of sockets, which works for
pipes, files and terminals on every platform alike. Must not import the rest of this package.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sys
import threading
from collections.abc import Callable

_PIECE_BYTES = 64 * 1024


class Stdio:
    """The streams of this process; `reader` and `writer` are there after `open`."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def __init__(self) -> None:
        sys.stdout.flush()
        self._in = os.dup(0)
        self._out = os.dup(1)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)
        os.dup2(2, 1)
        self._near, self._far = socket.socketpair()
        self._sender = threading.Thread(target=self._send, name="stdout", daemon=True)

    async def open(self) -> None:
        """Begin to carry."""
        self.reader, self.writer = await asyncio.open_connection(sock=self._near)
        threading.Thread(target=self._receive, name="stdin", daemon=True).start()
        self._sender.start()

    def close(self) -> None:
        """Wait until everything that was written is out; to be called after the writer is closed."""
        self._sender.join(timeout=5.0)  # whoever does not read cannot keep us
        os.close(self._out)

    def _receive(self) -> None:
        with contextlib.suppress(OSError):
            _carry(lambda: os.read(self._in, _PIECE_BYTES), self._far.sendall)
            self._far.shutdown(socket.SHUT_WR)

    def _send(self) -> None:
        with contextlib.suppress(OSError):
            _carry(lambda: self._far.recv(_PIECE_BYTES), self._write_all)

    def _write_all(self, data: bytes) -> None:
        while data:
            data = data[os.write(self._out, data) :]


def _carry(read: Callable[[], bytes], write: Callable[[bytes], object]) -> None:
    while data := read():
        write(data)
