"""Own the index workers of one root: one, and a second while somebody waits for much and there is a core for it.

To who updates the index it is one worker that takes as many batches at a time as it has processes. Must never open the
store or chunk or embed anything itself.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from memcache_lsp import machine

if TYPE_CHECKING:
    from collections.abc import Iterator

    from memcache_lsp.preparing import Job, Prepared
    from memcache_lsp.workers.index import IndexWorker

MOST = 2  # what one process writes keeps no more of them busy


class Crew:
    """Up to `MOST` index workers behind the calls of one; `make` makes one, `wanted` says that a second is worth its start.

    `prepare` may be called from any number of threads; who finds all `hands` at work waits for the first that is free.
    """

    def __init__(self, make: Callable[[], IndexWorker], *, wanted: Callable[[], bool]) -> None:
        self._make = make
        self._wanted = wanted
        self._most = min(MOST, machine.cores())
        self._lock = threading.Condition()  # of all below
        self._workers = [make()]
        self._busy: set[IndexWorker] = set()
        self._pauses: set[str] = set()
        self._closed = False

    @property
    def pid(self) -> int | None:
        """The process id of the first worker, None while there is none."""
        return self._workers[0].pid

    @property
    def paused(self) -> bool:
        """Tell whether anybody wants them to pause."""
        return bool(self._pauses)

    def pause(self, why: str = "user") -> None:
        """Begin no further batch until each `why` has been resumed."""
        with self._lock:
            self._pauses.add(why)
            for worker in self._workers:
                worker.pause(why)

    def resume(self, why: str = "user") -> None:
        """Take a pause back."""
        with self._lock:
            self._pauses.discard(why)
            for worker in self._workers:
                worker.resume(why)

    def hands(self) -> int:
        """Return how many batches are worth preparing at a time."""
        return self._most if len(self._workers) > 1 or self._wanted() else 1

    def prepare(self, batch: Sequence[Job], *, cancelled: Callable[[], bool] = lambda: False) -> list[Prepared]:
        """Do as `IndexWorker.prepare` does, by one that is free."""
        with self._free() as worker:
            return worker.prepare(batch, cancelled=cancelled)

    def rest(self) -> None:
        """Give the processes away, now that nothing is wanted of them."""
        with self._lock:
            resting, self._workers = self._workers, self._workers[:1]
        for worker in resting:
            worker.rest()
        for worker in resting[1:]:
            worker.close()

    def close(self) -> None:
        """End all; a `prepare` in progress raises Stopped."""
        with self._lock:
            self._closed = True
            workers = list(self._workers)
            self._lock.notify_all()
        for worker in workers:
            worker.close()

    @contextmanager
    def _free(self) -> Iterator[IndexWorker]:
        with self._lock:
            while not (free := self._idle()) and not self._closed:
                self._lock.wait()
            worker = (free or self._workers)[0]  # a closed one says so itself
            self._busy.add(worker)
        try:
            yield worker
        finally:
            with self._lock:
                self._busy.discard(worker)
                self._lock.notify()

    def _idle(self) -> list[IndexWorker]:
        """Return the workers that have nothing to do; one is made where there is none, and a hand for it."""
        idle = [worker for worker in self._workers if worker not in self._busy]
        if not idle and len(self._workers) < self.hands():
            worker = self._make()
            for why in self._pauses:
                worker.pause(why)
            self._workers.append(worker)
            idle = [worker]
        return idle
