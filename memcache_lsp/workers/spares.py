"""Own the index workers' processes that have nothing to do: whoever needs one takes it before starting another.

To start a process takes longer than to index a small project. A process serves one root at a time, and one that failed
never comes here. Must never open the store or chunk or embed anything itself.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Sequence
from pathlib import Path

from memcache_lsp.workers.child import Child, Ended
from memcache_lsp.workers.messages import Batch, Leaving
from memcache_lsp.workers.shared import Place, can_share

_REAPED_S = 1.0
MOST = 2  # as many as one root can use; the others end


class Link:
    """One process and what it said."""

    def __init__(self, command: Sequence[str], log: Path, *, background: bool) -> None:
        self.command = tuple(command)
        self.ended = False
        self.background = background  # it has been told to stand back
        self.start_s = 0.0
        self._inbox: queue.SimpleQueue[object] = queue.SimpleQueue()
        self._place: Place | None = None
        if not can_share():  # it sends messages
            self.child = Child(command, deliver=self._arrived, log=log)
            return
        self._place, fd = Place.made()
        self.child = Child([*command, str(fd)], deliver=self._arrived, log=log, hand_down=(fd,))

    def begin(self, batch: Batch) -> None:
        """Send a batch."""
        if self._place is not None:
            self._place.clear()
        self.child.send(batch)

    def place(self) -> int | None:
        """Return the place of the batch that the process is at, None before the first, or where it sends messages."""
        return self._place.get() if self._place else None

    def receive(self, timeout_s: float) -> object | None:
        """Wait for the process's next message; None when there was none in time."""
        try:
            return self._inbox.get(timeout=timeout_s)
        except queue.Empty:
            return None

    def _arrived(self, message: object) -> None:
        if isinstance(message, Ended | Leaving):
            self.ended = True
        self._inbox.put(message)


class Spares:
    """The processes of one daemon that wait for work. They leave by themselves after a while, as all index workers do."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # of all below
        self._links: list[Link] = []
        self._closed = False

    @property
    def pids(self) -> list[int]:
        """The process ids of those that are there."""
        with self._lock:
            return [link.child.pid for link in self._links if link.child.pid is not None and not link.ended]

    @property
    def has_quick(self) -> bool:
        """Tell whether there is one of normal priority."""
        with self._lock:
            return any(not link.ended and not link.background for link in self._links)

    def take(self, command: Sequence[str], *, background: bool) -> Link | None:
        """Return a process of a command, None where there is none; unless `background`, none of low priority."""
        with self._lock:
            self._links = [link for link in self._links if not link.ended]
            for link in self._links:
                if link.command == tuple(command) and (background or not link.background):
                    self._links.remove(link)
                    return link
        return None

    def give(self, link: Link) -> None:
        """Keep a process that has nothing to do, or end it where there are enough."""
        with self._lock:
            kept = not self._closed and len(self._links) < MOST
            if kept:
                self._links.append(link)
        if not kept:
            link.child.kill()

    def close(self) -> None:
        """End all."""
        with self._lock:
            self._closed = True
            links, self._links = self._links, []
        for link in links:
            link.child.kill()
        for link in links:
            link.child.join(_REAPED_S)
