"""Own a worker process as its owner sees it: start, messages both ways, kill, and that no zombie is left.

Knows nothing of models or files. Must import nothing but the standard library, the paths and the channel.
"""

from __future__ import annotations

import logging
import os
import queue
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from memcache_lsp import paths
from memcache_lsp.programs import environment
from memcache_lsp.workers.channel import Channel

_log = logging.getLogger(__name__)

LOG_BYTES = 1 << 20  # a longer log is put aside when the next worker starts

_REAP_S = 0.2  # how long a process that closed its pipe may take to end by itself
_NEVER_STARTED = 127
_NO_MEMORY = {-9, -6}  # SIGKILL and SIGABRT, which not every system has names for
_LAST = object()  # nothing more will be sent


@dataclass(frozen=True, slots=True)
class Ended:
    """The process has ended and is reaped; `code` is negative for a signal, as in `subprocess`."""

    code: int
    killed: bool = False  # by its owner

    @property
    def how(self) -> str:
        """Tell people how it ended."""
        return f"signal {-self.code}" if self.code < 0 else f"exit code {self.code}"

    @property
    def is_likely_no_memory(self) -> bool:
        """Tell whether it ended as what finds no memory does: killed by the kernel, or by an abort of C++."""
        return not self.killed and self.code in _NO_MEMORY


def log_path() -> Path:
    """Return the file that takes what workers print, with room in it."""
    path = paths.state_dir() / "workers.log"
    with suppress(OSError):
        if path.stat().st_size > LOG_BYTES:
            path.replace(path.with_suffix(".log.1"))
    return path


class Child:
    """A worker process. One thread starts it, reads what it says and reaps it; `deliver` is called in that thread.

    It starts and ends with the process, because Linux kills a child when the *thread* that made it ends
    (`inside._end_with_owner`). The last delivery is `Ended`, once, also where the process could not be started.
    The descriptors in `hand_down` are the child's from now on: closed here once it has them.
    """

    def __init__(
        self, command: Sequence[str], *, deliver: Callable[[object], None], log: Path, hand_down: Sequence[int] = ()
    ) -> None:
        self._deliver = deliver
        self._lock = threading.Lock()  # of the process id: nobody signals it while it is reaped
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: Channel | None = None
        self._outbox: queue.SimpleQueue[object] = queue.SimpleQueue()
        self._killed = False
        self._thread = threading.Thread(
            target=self._run, args=(list(command), log, tuple(hand_down)), name="worker", daemon=True
        )
        self._thread.start()

    @property
    def pid(self) -> int | None:
        """The process id; None until it is started, and where it could not be."""
        return self._process.pid if self._process else None

    def send(self, message: object) -> None:
        """Send a message, in order, without waiting; a process that has gone takes it silently: see `Ended`."""
        self._outbox.put(message)

    def kill(self) -> None:
        """End the process now; may be called at any time and from any thread."""
        with self._lock:
            self._killed = True
            if self._process is not None and self._process.returncode is None:
                self._process.kill()

    def join(self, timeout_s: float | None = None) -> bool:
        """Wait until the process is reaped; tell whether it is."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self, command: list[str], log: Path, hand_down: tuple[int, ...]) -> None:
        process = None
        try:
            process = self._start(command, log, hand_down)
        except OSError as error:
            _log.error("a worker does not start: %s", error)
        finally:
            for fd in hand_down:
                os.close(fd)
        if process is None:
            self._deliver(Ended(_NEVER_STARTED))
            return
        assert self._channel is not None
        sender = threading.Thread(target=self._send, args=(self._channel,), name="worker's sender", daemon=True)
        sender.start()
        with suppress(EOFError, OSError):
            while True:
                self._deliver(self._channel.receive())
        code = self._reap(process)
        self._outbox.put(_LAST)
        sender.join()
        self._channel.close()
        _log.info("worker %d ended with %d", process.pid, code)
        self._deliver(Ended(code, self._killed))

    def _send(self, channel: Channel) -> None:
        """Empty the outbox in a thread of its own: a process that is stopped does not read, and the pipe is full."""
        with suppress(OSError):  # it has gone, which the other thread tells
            while (message := self._outbox.get()) is not _LAST:
                channel.send(message)

    def _start(self, command: list[str], log: Path, hand_down: tuple[int, ...]) -> subprocess.Popen[bytes]:
        with log.open("ab") as stderr, self._lock:
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                pass_fds=hand_down,
                env=environment(),
                start_new_session=True,  # what the terminal sends is for the owner
            )
            self._process = process
            self._channel = Channel(cast("BinaryIO", process.stdout), cast("BinaryIO", process.stdin))
            if self._killed:
                process.kill()
        _log.info("worker %d started: %s", process.pid, command[-1])
        return process

    def _reap(self, process: subprocess.Popen[bytes]) -> int:
        deadline = time.monotonic() + _REAP_S
        pause_s = 0.001
        while True:
            with self._lock:
                code = process.poll()
            if code is not None:
                break
            if time.monotonic() > deadline:
                self.kill()  # it closed its pipe, or wrote what is no message
            time.sleep(pause_s)
            pause_s = min(pause_s * 2, 0.05)
        return code
