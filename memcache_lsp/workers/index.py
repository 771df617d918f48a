"""Own the index worker's process as the thread that updates an index sees it: a call that always comes back.

Whatever a file does to the child, the call returns: a file that ends it or takes too long is found, reported as failed
and costs no other one. Must never open the store or chunk or embed anything itself.
"""

from __future__ import annotations

import logging
import threading
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from memcache_lsp.errors import Stopped, UserError
from memcache_lsp.preparing import Job, Prepared, Recipe
from memcache_lsp.programs import command_for
from memcache_lsp.stall import Watch
from memcache_lsp.workers.child import Ended, log_path
from memcache_lsp.workers.messages import At, Batch, Begin, Done, Failed, Leaving, Ready
from memcache_lsp.workers.pace import present_pace, rest_s
from memcache_lsp.workers.spares import Link, Spares

_log = logging.getLogger(__name__)

DEADLINE_S = 30.0
IDLE_S = 60.0

_MODULE = "memcache_lsp.workers.index_child"
_START_S = 120.0  # torch alone can take half a minute from a cold disk
_STARTS = 3  # that fail in a row, and then it is said
_QUICK_START_S = 3.0  # a child that takes longer (torch does) is not started anew just to be of normal priority
_EMBEDDING = 3  # deadlines that all of a batch's texts together may take
_POLL_S = 0.05  # how late a cancel or a deadline may be noticed
_REAPED_S = 1.0
_STOPPED = "Stopped; what is indexed so far is kept."


@dataclass(frozen=True, slots=True)
class _Failure:
    """An attempt that came to nothing: why, and at which of its files if that is known."""

    why: str
    place: int | None


def backoff_s(failures: int) -> float:
    """Return how long to wait before a child is started after so many ended in a row."""
    return min(2.0, 0.05 * 2.0 ** (failures - 1)) if failures else 0.0


class IndexWorker:
    """Prepare the files of one project in a process of their own, which is started again whenever it ends.

    `prepare` may be called from any thread, one batch at a time; `pause`, `resume` and `close` from any other one.
    `share` is asked after each batch which share of the time to sleep. While `hurried` says that somebody waits there
    is no sleep, and the priority is normal; else it is the lowest. Since no user may raise a priority again, a process
    of low priority gives way to a new one then, unless it takes long to start. `rest` lends the process to `spares`.
    """

    def __init__(
        self,
        recipe: Recipe,
        *,
        command: Sequence[str] | None = None,
        deadline_s: float = DEADLINE_S,
        idle_s: float = IDLE_S,
        share: Callable[[], float] = present_pace,
        hurried: Callable[[], bool] = lambda: False,
        log: Path | None = None,
        spares: Spares | None = None,
    ) -> None:
        self._recipe = recipe
        self._command = [*(command or command_for(_MODULE)), str(idle_s)]
        self._deadline_s = deadline_s
        self._share = share
        self._hurried = hurried
        self._log = log
        self._spares = spares
        self._turn = threading.Lock()
        self._changed = threading.Condition()  # of the two below
        self._pauses: set[str] = set()
        self._closed = False
        self._link: Link | None = None
        self._failures = 0  # ends in a row without a batch done in between
        self._rested_at = 0.0
        self.starts = 0

    def __del__(self) -> None:
        if self._link is not None and not self._link.ended:
            warnings.warn("an IndexWorker was not closed", ResourceWarning, stacklevel=2, source=self)
            self._link.child.kill()

    @property
    def pid(self) -> int | None:
        """The process id of the child, None while there is none."""
        link = self._link
        return link.child.pid if link and not link.ended else None

    @property
    def paused(self) -> bool:
        """Tell whether anybody wants it to pause."""
        return bool(self._pauses)

    def pause(self, why: str = "user") -> None:
        """Begin no further batch until each `why` has been resumed; the present one is finished."""
        with self._changed:
            self._pauses.add(why)

    def resume(self, why: str = "user") -> None:
        """Take a pause back."""
        with self._changed:
            self._pauses.discard(why)
            self._changed.notify_all()

    def rest(self) -> None:
        """Give the process away, now that there is nothing to do; where it is at work, it is kept."""
        if self._spares is None or not self._turn.acquire(blocking=False):
            return
        try:
            link, self._link = self._link, None
            if link is not None and not link.ended and not self._closed:
                self._spares.give(link)
            elif link is not None:
                link.child.kill()
        finally:
            self._turn.release()

    def close(self) -> None:
        """End the child, whatever it does, and wait until it is reaped; a `prepare` in progress raises Stopped."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        link = self._link
        if link is not None:
            link.child.kill()
            link.child.join(_REAPED_S)

    def prepare(self, batch: Sequence[Job], *, cancelled: Callable[[], bool] = lambda: False) -> list[Prepared]:
        """Do as `preparing.Preparer.prepare` does, for any files; Stopped when cancelled or closed meanwhile.

        A file is failed only if it fails alone as well, for it may be somebody else who ended the child.
        """
        with self._turn:
            try:
                return self._prepare(batch, cancelled)
            except BaseException:
                if self._link is not None:  # it may be at work still
                    self._drop(self._link)
                raise

    def _prepare(self, batch: Sequence[Job], cancelled: Callable[[], bool]) -> list[Prepared]:
        results: dict[int, Prepared] = {}
        todo, suspects = list(range(len(batch))), list[int]()
        while todo:
            outcome = self._attempt([batch[place] for place in todo], cancelled)
            if not isinstance(outcome, _Failure):
                results.update(zip(todo, outcome, strict=True))
                break
            if outcome.place is not None:
                suspects.append(todo.pop(outcome.place))
            else:
                suspects, todo = suspects + todo, []
        for place in suspects:
            alone = self._attempt([batch[place]], cancelled)
            results[place] = _failed(batch[place], alone.why) if isinstance(alone, _Failure) else alone[0]
        return [results[place] for place in range(len(batch))]

    def _attempt(self, jobs: Sequence[Job], cancelled: Callable[[], bool]) -> list[Prepared] | _Failure:
        """Have the child prepare files; return what came of them or why nothing did."""
        self._wait(cancelled)
        began = time.monotonic()
        outcome = None
        while outcome is None:  # the child may leave, having been idle, at the very moment
            outcome = self._exchange(self._ready(cancelled), jobs, cancelled)
        if isinstance(outcome, _Failure):
            _log.warning("a batch of %d files failed, at place %s", len(jobs), outcome.place)
        else:
            self._failures = 0
        now = time.monotonic()
        self._rested_at = now if self._hurried() else now + rest_s(now - began, self._share())
        return outcome

    def _exchange(
        self, link: Link, jobs: Sequence[Job], cancelled: Callable[[], bool]
    ) -> list[Prepared] | _Failure | None:
        """Send a batch and wait for what comes of it; None where the child had just left."""
        link.background = link.background or not self._hurried()
        link.begin(Batch(tuple(jobs), background=link.background))
        watch = Watch(self._deadline_s)
        watch.restart(link.child.pid, self._deadline_s)
        place = at = None
        while True:
            message = link.receive(_POLL_S)
            now = message.place if isinstance(message, At) else link.place()
            if now is not None and now != at:
                at, place = now, now if now < len(jobs) else None
                embedding_s = self._deadline_s * min(len(jobs), _EMBEDDING)
                watch.restart(link.child.pid, self._deadline_s if place is not None else embedding_s)
            if isinstance(message, Done):
                return _checked(message.prepared, jobs)
            if isinstance(message, Failed):
                if message.error is not None:
                    raise message.error
                return _Failure(message.why, place)
            if isinstance(message, Leaving):
                self._drop(link)
                return None
            if isinstance(message, Ended):
                self._check(cancelled)
                self._failures += 1
                return _Failure(f"reading it ended the indexing process ({message.how})", place)
            if self._is_too_slow(link):
                self._drop(link)
                return None
            if watch.stalled(link.child.pid):
                self._drop(link)
                return _Failure(f"it took longer than {watch.deadline_s:g} s", place)
            self._check(cancelled)

    def _ready(self, cancelled: Callable[[], bool]) -> Link:
        """Return a child that takes batches, started if need be."""
        link = self._link
        if link is not None and not link.ended:
            if not self._is_too_slow(link):
                return link
            self._drop(link)
        for _ in range(_STARTS):
            self._sleep(backoff_s(self._failures), cancelled)
            link = self._link = self._spare() or self._new()
            began = time.monotonic()
            link.child.send(Begin(self._recipe, background=link.background))
            if self._started(link, cancelled):
                link.start_s = max(link.start_s, time.monotonic() - began)
                return link
            self._failures += 1
        raise UserError(f"The indexing process does not start: see {self._log or log_path()}.")

    def _spare(self) -> Link | None:
        background = not self._hurried()
        link = self._spares.take(self._command, background=background) if self._spares else None
        if link is not None:
            link.background = link.background or background
        return link

    def _new(self) -> Link:
        self.starts += 1
        return Link(self._command, self._log or log_path(), background=not self._hurried())

    def _started(self, link: Link, cancelled: Callable[[], bool]) -> bool:
        watch = Watch(_START_S)
        while not watch.stalled(link.child.pid):
            message = link.receive(_POLL_S)
            if isinstance(message, Ready):
                return True
            if isinstance(message, Ended | Leaving):
                self._check(cancelled)
                return False
            if isinstance(message, Failed):
                raise message.error or UserError(f"The indexing process does not start ({message.why}).")
            self._check(cancelled)
        self._drop(link)
        return False

    def _is_too_slow(self, link: Link) -> bool:
        return link.background and link.start_s < _QUICK_START_S and self._hurried()

    def _drop(self, link: Link) -> None:
        self._link = None
        link.child.kill()

    def _wait(self, cancelled: Callable[[], bool]) -> None:
        """Wait while paused, and for the rest that the pace demands."""
        with self._changed:
            while self._pauses and not self._closed and not cancelled():
                self._changed.wait(_POLL_S)
        self._sleep(self._rested_at - time.monotonic(), cancelled, unless=self._hurried)

    def _sleep(
        self, seconds: float, cancelled: Callable[[], bool], *, unless: Callable[[], bool] = lambda: False
    ) -> None:
        """Sleep, and raise Stopped as soon as there is nothing to wait for."""
        until = time.monotonic() + seconds
        self._check(cancelled)
        with self._changed:
            while (left := until - time.monotonic()) > 0 and not unless():
                self._changed.wait(min(left, _POLL_S))
                self._check(cancelled)

    def _check(self, cancelled: Callable[[], bool]) -> None:
        if self._closed or cancelled():
            raise Stopped(_STOPPED)


def _checked(prepared: object, jobs: Sequence[Job]) -> list[Prepared] | _Failure:
    """Return what the child made of the jobs if it is that."""
    if (
        isinstance(prepared, list)
        and len(prepared) == len(jobs)
        and all(isinstance(p, Prepared) and p.found == job.found for p, job in zip(prepared, jobs, strict=True))
    ):
        return prepared
    return _Failure("the indexing process gave no usable result", None)


def _failed(job: Job, why: str) -> Prepared:
    return Prepared(job.found, time.time_ns(), reason=f"it could not be indexed: {why}")
