"""The one warm process of a user: takes sessions in, keeps the engine, leaves when nobody needs it.

Run by `python -m memcache_lsp.daemon`, which `rendezvous.ensure_daemon` does on demand; `serve_stdio` is the same
without a daemon, for one editor. Must not import the command line.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Sequence
from itertools import count
from pathlib import Path

from memcache_lsp import config, machine
from memcache_lsp.embedding import Embedder, Serialized, open_embedder
from memcache_lsp.engine import Setup
from memcache_lsp.errors import MemcacheError, Stopped
from memcache_lsp.hub import Hub
from memcache_lsp.rendezvous import LOG_BYTES, Listener, log_path
from memcache_lsp.session.session import prepare, serve
from memcache_lsp.session.stdio import Stdio
from memcache_lsp.session.watchdog import Watchdog

_log = logging.getLogger(__name__)

IDLE_S = 600.0  # without a session, until the daemon leaves
_LOOK_S = 5.0  # how often it looks whether it is still found, and still needed
_TIDY_S = 0.5  # after a session, until its memory is given back
_PARTING_S = 0.6  # for everything to end in, within the second that is promised to who runs `memcache-lsp stop`
_SWITCH_S = (
    0.0005  # for a thread to get the interpreter: a look at an index takes it dozens of times beside a busy loop
)


class Setups:
    """Open roots as the user's settings of the moment say; roots with the same embedder share it."""

    def __init__(self) -> None:
        self._embedders: dict[str, Embedder] = {}

    def __call__(self, root: Path) -> Setup:
        """Return what a root is opened with."""
        user, _ = config.load_user_settings()
        project, _ = config.load_project_settings(root)
        if user.embedder not in self._embedders:
            self._embedders[user.embedder] = Serialized(open_embedder(user.embedder or None))
        return Setup(root=root, user=user, project=project, embedder=self._embedders[user.embedder])


def make_hub(mode: str) -> Hub:
    """Return the engine of a daemon, or of one editor."""
    return Hub(user=lambda: config.load_user_settings()[0], setup=Setups(), mode=mode)


async def run_daemon(listener: Listener, *, idle_s: float = IDLE_S) -> None:
    """Serve whoever connects until told to stop, or until nobody has been there for `idle_s`."""
    daemon = _Daemon(listener, idle_s=idle_s)
    with contextlib.suppress(NotImplementedError):  # loops of Windows take no signal handlers
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, daemon.leave)
    sys.setswitchinterval(_SWITCH_S)
    prepare()
    gc.collect()
    gc.freeze()  # what is loaded by now stays, and need not be looked through again
    watchdog = Watchdog()
    watchdog.start()
    try:
        await daemon.run()
    finally:
        watchdog.close()


class _Daemon:
    def __init__(self, listener: Listener, *, idle_s: float) -> None:
        self._listener = listener
        self._idle_s = idle_s
        self._hub = make_hub("daemon")
        self._numbers = count(1)
        self._sessions: set[asyncio.Task[None]] = set()
        self._leaving = asyncio.Event()
        self._closing = contextlib.ExitStack()
        self._alone_since = time.monotonic()
        self._tidying: asyncio.TimerHandle | None = None

    def leave(self) -> None:
        """End soon."""
        self._leaving.set()

    async def run(self) -> None:
        tasks = [asyncio.create_task(self._accept()), asyncio.create_task(self._look())]
        try:
            await self._leaving.wait()
        finally:
            self._listener.leave()
            if self._tidying is not None:
                self._tidying.cancel()
            for task in (*tasks, *self._sessions):
                task.cancel()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_PARTING_S):
                    await asyncio.gather(*tasks, *self._sessions, return_exceptions=True)
                    await self._hub.close()
            self._listener.close()
            self._closing.close()

    async def _accept(self) -> None:
        while True:
            peer, hello = await self._listener.accept()
            if hello.role == "stop":
                _log.info("told to stop")
                self.leave()
                self._closing.callback(peer.close)  # only with this process, which is what the asker waits for
                return
            task = asyncio.create_task(self._serve(peer), name="session")
            self._sessions.add(task)
            task.add_done_callback(self._left)

    def _left(self, task: asyncio.Task[None]) -> None:
        self._sessions.discard(task)
        self._alone_since = time.monotonic()
        if self._tidying is None:
            self._tidying = asyncio.get_running_loop().call_later(_TIDY_S, self._tidy)

    def _tidy(self) -> None:
        """Give back what sessions had: their buffers lie in cycles, which may wait long for the collector."""
        self._tidying = None
        asyncio.get_running_loop().run_in_executor(None, machine.give_back)

    async def _serve(self, peer: socket.socket) -> None:
        number = next(self._numbers)
        began = time.monotonic()
        reader, writer = await asyncio.open_unix_connection(sock=peer)
        _log.info("session %d begins", number)
        try:
            await serve(reader, writer, self._hub, session_id=number)
        except Exception:  # noqa: BLE001 - the boundary of a session: a bug in one disturbs no other
            _log.exception("session %d failed", number)
        finally:
            writer.close()
            _log.info("session %d ends after %.1f s", number, time.monotonic() - began)

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(min(_LOOK_S, self._idle_s))
            alone = not self._sessions and time.monotonic() - self._alone_since >= self._idle_s
            if alone or self._listener.displaced():
                _log.info("leaving: %s", "nobody is here" if alone else "displaced")
                self.leave()


async def serve_stdio() -> int:
    """Serve the editor at the standard streams, with an engine of its own; return the exit code."""
    prepare()
    hub = make_hub("in_process")
    streams, watchdog = Stdio(), Watchdog()
    await streams.open()
    watchdog.start()
    serving = asyncio.ensure_future(serve(streams.reader, streams.writer, hub))
    with contextlib.suppress(NotImplementedError):  # loops of Windows take no signal handlers
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, serving.cancel)
    try:
        return await serving
    except asyncio.CancelledError:
        raise Stopped("Stopped; what is indexed so far is kept.") from None
    finally:
        watchdog.close()
        await hub.close()
        streams.writer.close()
        await asyncio.to_thread(streams.close)


class RollingLog(logging.Handler):
    """Write into the file that the descriptors are open on, which begins anew once it is large; one before it is kept.

    The descriptors themselves are turned to the new file, for what libraries print goes there too.
    """

    def __init__(self, path: Path, *, descriptors: Sequence[int] = (1, 2), limit_bytes: int = LOG_BYTES) -> None:
        super().__init__()
        self._path = path
        self._descriptors = descriptors
        self._limit_bytes = limit_bytes

    def emit(self, record: logging.LogRecord) -> None:
        try:
            os.write(self._descriptors[-1], f"{self.format(record)}\n".encode(errors="replace"))
            self._roll()
        except OSError:  # a full disk is no reason to end
            self.handleError(record)

    def _roll(self) -> None:
        now = os.fstat(self._descriptors[-1])
        if now.st_size <= self._limit_bytes or not self._path.exists() or not os.path.samestat(now, self._path.stat()):
            return
        self._path.replace(self._path.with_suffix(".log.1"))
        new = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        for descriptor in self._descriptors:
            os.dup2(new, descriptor)
        os.close(new)


def log_to_stderr(handler: logging.Handler | None = None) -> None:
    """Log ids and durations; stderr is the daemon's log file, or the editor's."""
    logging.basicConfig(
        level=logging.INFO,
        handlers=[handler or logging.StreamHandler(sys.stderr)],
        format="%(asctime)s %(process)d %(levelname)s %(name)s: %(message)s",
    )


async def _run_and_leave(listener: Listener) -> None:
    """Serve, then leave at once: whatever thread is in the midst of a file or a write is not waited for.

    An index that is left so is repaired when it is opened next, as after a kill.
    """
    await run_daemon(listener)
    logging.shutdown()
    os._exit(0)


def main() -> int:
    """Be the daemon; one sentence in the log where there is one already."""
    log_to_stderr(RollingLog(log_path()))
    try:
        with Listener() as listener:
            asyncio.run(_run_and_leave(listener))
    except MemcacheError as error:
        _log.warning("%s", error)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
