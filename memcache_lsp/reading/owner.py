"""Own the reader's process: bytes in, text or a reason out, within so much time and memory, whatever the file does.

Must never read a file's insides itself.
"""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from memcache_lsp.errors import Stopped
from memcache_lsp.programs import command_for, environment
from memcache_lsp.reading.child import HEAD, PAGE
from memcache_lsp.reading.result import SCANNED, Reading, UnreadableError, reading_of
from memcache_lsp.stall import Watch

DEADLINE_S: Final = 9.0  # of one file
DATA_BYTES: Final = 96 * 1024 * 1024  # that a reader may take beside the file itself
_MODULE: Final = "memcache_lsp.reading.child"
_POLL_S: Final = 0.1
_LEAST_S: Final = 1.0  # that is worth another look at a file
_CPU: Final = getattr(signal, "SIGXCPU", 0)  # the kernel's word for the end of the processor time
_PIECE: Final = 1 << 20
_WORN_FILES: Final = 500  # then a new process takes over: what a library lost stays lost no longer
_WORN_BYTES: Final = 8 * 1024 * 1024  # the same after a file of this size


class Reader:
    """Read files one at a time in a process that is started with the first one and again whenever it ended."""

    def __init__(self, *, deadline_s: float = DEADLINE_S, command: Sequence[str] | None = None) -> None:
        self._deadline_s = deadline_s
        self._command = command or command_for(_MODULE, str(int(deadline_s)), str(DATA_BYTES))
        self._turn = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: socket.socket | None = None
        self._files = 0
        self._cancelled: Callable[[], bool] = lambda: False  # whoever waits for the file
        self._page: int | None = None  # that is being read, counted from 0

    def __del__(self) -> None:
        if self._process is not None:
            warnings.warn("a Reader was not closed", ResourceWarning, stacklevel=2, source=self)
            self.close()

    @property
    def pid(self) -> int | None:
        """The process id of the reader, None while there is none."""
        return self._process.pid if self._process else None

    def read(self, path: str, data: bytes, cancelled: Callable[[], bool] = lambda: False) -> Reading:
        """Read the text out of a file's bytes; UnreadableError says why there is none, Stopped that it was `cancelled`."""
        with self._turn:
            self._cancelled = cancelled
            try:
                answer = self._answer(path, data)
            except BaseException:
                self.close()
                raise
            self._files += 1
            if answer.get("worn") or self._files >= _WORN_FILES or len(data) >= _WORN_BYTES:
                self.close()
        if "why" in answer:
            raise UnreadableError(str(answer["why"]))
        try:
            return reading_of(answer["reading"])
        except (KeyError, TypeError, ValueError):
            self.close()
            raise UnreadableError("broken: what was read out of it is no text") from None

    def close(self) -> None:
        """End the process."""
        process, channel = self._process, self._channel
        self._process = self._channel = None
        self._files = 0
        if channel is not None:
            channel.close()
        if process is not None:
            process.kill()
            process.wait()

    def _answer(self, path: str, data: bytes) -> dict[str, Any]:
        """Ask for a text; where a page ends the process, once more without it, and then for what is before the next."""
        ends = time.monotonic() + self._deadline_s
        without: dict[int, str] = {}
        until: int | None = None
        left_s = self._deadline_s
        first: UnreadableError | None = None
        while True:
            try:
                answer = self._exchange(path, data, left_s, {"without": without, "until": until})
                tells_less = first is not None and not answer.get("why", SCANNED).startswith(SCANNED)
                return {"why": str(first)} if tells_less else answer
            except UnreadableError as error:
                first = first or error
                left_s = ends - time.monotonic()
                if self._page is None or until is not None or left_s < _LEAST_S:
                    raise first from None
                self.close()
                if without:
                    until = self._page
                else:
                    without = {self._page: str(error).partition(":")[0]}

    def _exchange(self, path: str, data: bytes, deadline_s: float, course: dict[str, Any]) -> dict[str, Any]:
        self._page = None
        process, channel = self._started()
        watch = Watch(deadline_s)
        watch.restart(process.pid, deadline_s)
        told = json.dumps({"path": path, "cpu_s": deadline_s, **course}).encode()
        try:
            self._send(HEAD.pack(len(told), len(data)) + told, watch)
            for start in range(0, len(data), _PIECE):
                self._send(data[start : start + _PIECE], watch)
            size, kind = HEAD.unpack(self._receive(HEAD.size, watch))
            while kind == PAGE:
                self._page = size - 1 if size else None
                size, kind = HEAD.unpack(self._receive(HEAD.size, watch))
            answer = json.loads(self._receive(size, watch))
        except (OSError, EOFError, ValueError) as error:
            raise UnreadableError(self._how(error)) from None
        if not isinstance(answer, dict):
            raise UnreadableError("broken: it could not be read")
        channel.settimeout(_POLL_S)
        return answer

    def _how(self, error: Exception) -> str:
        """Say how a file ended its reader."""
        if isinstance(error, TimeoutError):
            return f"too slow: reading it took longer than {self._deadline_s:g} s"
        try:
            code = self._process.wait(1) if self._process else 0
        except subprocess.TimeoutExpired:
            code = 0
        if code == -_CPU and self._page is not None:
            return f"too slow: its page {self._page + 1} takes longer than a page may"
        if code == -_CPU:
            return f"too slow: reading it took longer than {self._deadline_s:g} s"
        if code == -signal.SIGABRT:  # what PDFium does where it gets no memory
            return "too large inside: it takes too much memory to be read"
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        return f"broken: reading it ended the reading process ({how})"

    def _started(self) -> tuple[subprocess.Popen[bytes], socket.socket]:
        if self._process is not None and self._channel is not None and self._process.poll() is None:
            return self._process, self._channel
        self.close()
        ours, theirs = socket.socketpair()
        with theirs:
            ours.settimeout(_POLL_S)
            self._channel = ours
            self._process = subprocess.Popen(
                self._command,
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=environment(),
                cwd=Path(sys.executable).anchor,  # no folder is kept from being unmounted
                start_new_session=True,  # Ctrl-C is for the owner
            )
        return self._process, ours

    def _send(self, data: bytes, watch: Watch) -> None:
        assert self._channel is not None
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[self._channel.send(rest) :]
            except TimeoutError:
                self._check(watch)

    def _receive(self, size: int, watch: Watch) -> bytes:
        assert self._channel is not None
        data = bytearray()
        while len(data) < size:
            try:
                piece = self._channel.recv(min(_PIECE, size - len(data)))
            except TimeoutError:
                self._check(watch)
                continue
            if not piece:
                raise EOFError
            data += piece
        return bytes(data)

    def _check(self, watch: Watch) -> None:
        if self._cancelled():
            raise Stopped("The reading was stopped.")
        if watch.stalled(self.pid):
            raise TimeoutError
