"""The daemon's side of the rendezvous: hold the lock, own the socket, greet who connects.

Must not import anything beyond the standard library but its neighbours; asyncio is loaded by who accepts only.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
from typing import TYPE_CHECKING, Self

from memcache_lsp.rendezvous.handshake import LINE_BYTES, Hello, encode, is_own, read_hello
from memcache_lsp.rendezvous.places import identity, is_installed, own_version, short, socket_path, wait_for_lock

if TYPE_CHECKING:
    import asyncio

PATIENCE_S = 8.0  # one whose socket file is gone notices that within 5 s, one that was told to leave needs less
READY_VARIABLE = "MEMCACHE_READY_FD"

_GREETING_S = 5.0


class Listener:
    """Be the daemon that is found: hold its lock, own its socket, greet who connects.

    Raise UserError where another daemon keeps the lock for `patience_s`. Made before anything that takes long, so that
    who starts the daemon is told early; connections wait until `accept` is called in a running asyncio loop.
    """

    def __init__(self, *, version: str | None = None, patience_s: float = PATIENCE_S) -> None:
        self._version = version or own_version()
        self._locked, self._listening = contextlib.ExitStack(), contextlib.ExitStack()
        self._tasks: set[asyncio.Task[None]] = set()
        self._greeted: asyncio.Queue[tuple[socket.socket, Hello]] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        try:
            lock = wait_for_lock(patience_s)
            self._locked.callback(os.close, lock)
            os.truncate(lock, 0)
            os.pwrite(lock, json.dumps({"pid": os.getpid(), "version": self._version}).encode(), 0)
            self._bind()
        except BaseException:
            self.close()
            raise
        _say_ready()

    async def accept(self) -> tuple[socket.socket, Hello]:
        """Return the next client whose handshake is done; one with the role "stop" waits for the daemon to end.

        The socket does not block; who takes it closes it.
        """
        import asyncio  # noqa: PLC0415 - the fronts have no use for it

        if self._greeted is None:
            self._greeted, self._loop = asyncio.Queue(), asyncio.get_running_loop()
            self._loop.add_reader(self._socket, self._on_connection)
        return await self._greeted.get()

    def displaced(self) -> bool:
        """Tell whether nobody finds this daemon any more, its socket or its program being gone or another's."""
        try:
            return identity(self._path) != self._file or not is_installed()
        except OSError:
            return True

    def leave(self) -> None:
        """Be found no more while what is under way ends; the lock is kept, so a successor waits for `close`."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.remove_reader(self._socket)
            for task in self._tasks:
                task.cancel()
            while self._greeted and not self._greeted.empty():
                self._greeted.get_nowait()[0].close()
        self._loop = None
        self._listening.close()

    def close(self) -> None:
        """Leave, if that was not done, and give the lock back."""
        self.leave()
        self._locked.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _bind(self) -> None:
        self._path = socket_path()
        fresh = self._path.with_suffix(".new")
        fresh.unlink(missing_ok=True)
        self._socket = socket.socket(socket.AF_UNIX)
        self._listening.callback(self._socket.close)
        with short(fresh) as address:
            self._socket.bind(address)
        fresh.chmod(0o600)
        self._socket.listen(128)
        self._socket.setblocking(False)
        self._file = identity(fresh)
        self._listening.callback(self._remove)
        fresh.replace(self._path)  # only now, so that nobody finds a socket that does not listen yet

    def _remove(self) -> None:
        if not self.displaced():
            self._path.unlink(missing_ok=True)

    def _on_connection(self) -> None:
        assert self._loop is not None
        try:
            peer, _ = self._socket.accept()
        except (BlockingIOError, ConnectionError):
            return
        except OSError:  # out of file descriptors: leave it in the queue for a while, do not spin
            self._loop.remove_reader(self._socket)
            self._loop.call_later(0.2, self._listen_again)
            return
        peer.setblocking(False)
        task = self._loop.create_task(self._greet(peer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(lambda task: peer.close() if task.cancelled() else None)  # it may not have begun

    def _listen_again(self) -> None:
        if self._loop is not None:
            self._loop.add_reader(self._socket, self._on_connection)

    async def _greet(self, peer: socket.socket) -> None:
        import asyncio  # noqa: PLC0415 - as above

        assert self._greeted is not None
        assert self._loop is not None
        with contextlib.ExitStack() as unless_taken:
            unless_taken.callback(peer.close)
            if not is_own(peer):
                return
            line = b""
            try:
                async with asyncio.timeout(_GREETING_S):
                    while not line.endswith(b"\n") and len(line) < LINE_BYTES:
                        data = await self._loop.sock_recv(peer, LINE_BYTES)  # nothing follows before our answer
                        if not data:
                            return
                        line += data
                    hello = read_hello(line)
                    if hello is None:
                        return
                    await self._loop.sock_sendall(
                        peer, encode({"version": self._version, "pid": os.getpid(), "ok": True})
                    )
            except (TimeoutError, OSError):
                return
            unless_taken.pop_all()
            self._greeted.put_nowait((peer, hello))


def _say_ready() -> None:
    told = os.environ.pop(READY_VARIABLE, "")
    if told:
        with contextlib.suppress(OSError, ValueError):  # who started us may be gone
            os.write(int(told), b"!")
            os.close(int(told))
