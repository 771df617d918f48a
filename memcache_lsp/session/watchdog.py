"""Own the watch over the event loop: what holds it for too long is logged with its stack.

The loop tells when it wakes and when it goes to sleep; a thread looks at it in between, since a loop that is held
cannot look at itself. While the loop sleeps, so does the thread. Logs files, lines and functions, never values.
Must not import the rest of this package.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
import time
import traceback
from collections.abc import Callable
from types import FrameType
from typing import Any

HELD_S = 0.05
_LOOKS = 3  # looks within that time
_AWAKE_S = 1.0  # the thread goes on looking for so long after the loop did something
_DEPTH = 12

log = logging.getLogger(__name__)


class Watchdog:
    """Watch the running loop from `start` to `close`; `longest_s` is the longest time that it was held."""

    def __init__(self, *, held_s: float = HELD_S, logger: logging.Logger = log) -> None:
        self.longest_s = 0.0
        self._held_s = held_s
        self._log = logger
        self._turn = 0  # how often the loop woke up
        self._since: float | None = None  # when it did, None while it sleeps
        self._wake = threading.Event()
        self._dormant = False
        self._closed = False
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)
        self._loop_thread = 0
        self._selector: Any = None
        self._select: Callable[[float | None], Any]

    def start(self) -> None:
        """Begin; to be called on the loop."""
        loop: Any = asyncio.get_running_loop()
        self._loop_thread = threading.get_ident()
        self._selector = loop._selector  # noqa: SLF001 - the one place where a loop goes to sleep
        self._select = self._selector.select
        self._selector.select = self._sleep
        self._since = time.perf_counter()
        self._thread.start()

    def close(self) -> None:
        """End, and wait for the thread to be gone."""
        del self._selector.select  # the class's own is there again
        self._closed = True
        self._wake.set()
        self._thread.join()

    def _sleep(self, timeout: float | None = None) -> Any:
        """Stand for the selector's own `select`."""
        if self._since is not None:
            held_s = time.perf_counter() - self._since
            self._since = None
            if held_s > self._held_s:
                self.longest_s = max(self.longest_s, held_s)
                self._log.warning("the event loop was held for %.0f ms", held_s * 1000)
        events = self._select(timeout)
        self._turn += 1
        self._since = time.perf_counter()
        if self._dormant:
            self._dormant = False
            self._wake.set()
        return events

    def _watch(self) -> None:
        reported = turn = -1
        changed = time.perf_counter()
        while not self._closed:
            now, since = time.perf_counter(), self._since
            if self._turn != turn:
                turn, changed = self._turn, now
            elif since is not None and now - since > self._held_s and turn != reported:
                reported = turn
                self._log.warning("the event loop is held at:\n%s", self._stack())
            if since is None and now - changed > _AWAKE_S:
                self._wake.clear()
                self._dormant = True
                if self._turn == turn:  # else it woke up in between and saw no one dormant
                    self._wake.wait()
            else:
                self._wake.wait(self._held_s / _LOOKS)
            self._wake.clear()  # else every further wait would be over at once

    def _stack(self) -> str:
        frame: FrameType | None = sys._current_frames().get(self._loop_thread)  # noqa: SLF001 - the only way to see it
        summary = traceback.StackSummary.extract(traceback.walk_stack(frame), limit=_DEPTH, lookup_lines=False)
        return "\n".join(f"  {each.filename}:{each.lineno} {each.name}" for each in summary)
