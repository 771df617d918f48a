"""The dispatcher: claims one parcel after the other and hands it to its carrier.

Joins queue, retry policy, rate limits and tracking; holds no rule of its own about any of them.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from typing import Literal, Protocol

from courier.limits import RateLimiter
from courier.queue import Job, ParcelQueue
from courier.retry import GiveUp, RetryPolicy
from courier.settings import Settings
from courier.tracking import Tracker

log = logging.getLogger(__name__)

IDLE_S = 1.5  # the pause when nothing is due
Outcome = Literal["idle", "limited", "handed over", "put back", "buried"]


class Unreachable(Exception):
    """The carrier gave no answer or a temporary error: worth another attempt."""


class Refused(Exception):
    """The carrier will never take this parcel: another attempt would be pointless."""


class Carrier(Protocol):
    """Whoever takes parcels from the depot."""

    def hand_over(self, number: str, address: str) -> None:
        """Give a parcel to the carrier; handing over the same number twice must do no harm."""


class Dispatcher:
    """One loop in one thread; a depot runs one of it."""

    def __init__(
        self,
        settings: Settings,
        *,
        queue: ParcelQueue,
        tracker: Tracker,
        carriers: Mapping[str, Carrier],
        limiter: RateLimiter | None = None,
    ) -> None:
        self._queue = queue
        self._tracker = tracker
        self._carriers = carriers
        self._policy = RetryPolicy.from_settings(settings)
        self._limiter = limiter or RateLimiter(settings.rate_for)

    def run(self, stop: threading.Event) -> None:
        """Dispatch until `stop` is set; the parcel in hand is finished first."""
        while not stop.is_set():
            if self.step() == "idle":
                stop.wait(IDLE_S)

    def step(self) -> Outcome:
        """Handle the next parcel that is due, and tell what became of it."""
        job = self._queue.claim()
        if job is None:
            return "idle"
        carrier = self._carriers.get(job.carrier)
        if carrier is None:
            return self._failed(job, f"no carrier is called {job.carrier!r}", permanent=True)
        wait_s = self._limiter.acquire(job.carrier)
        if wait_s > 0:
            self._queue.postpone(job, wait_s, failed=False)
            return "limited"
        try:
            carrier.hand_over(job.number, job.address)
        except Refused as error:
            return self._failed(job, str(error), permanent=True)
        except Unreachable as error:
            return self._failed(job, str(error), permanent=False)
        # A crash before the commit repeats the hand-over, which does no harm; by then the carrier's own reports
        # may be ahead of ours, and must not be followed by an older status.
        with self._queue.together():
            self._queue.done(job)
            if self._tracker.status(job.number) in {"", "held"}:
                self._tracker.record(job.number, "in transit", place="depot")
        log.info("handed over %s to %s", job.number, job.carrier)
        return "handed over"

    def _failed(self, job: Job, error: str, *, permanent: bool) -> Outcome:
        failures = job.failures + 1
        decision = self._policy.after_failure(failures, permanent=permanent)
        if isinstance(decision, GiveUp):
            with self._queue.together():
                self._queue.bury(job, reason=decision.reason, last_error=error)
                if not self._tracker.status(job.number):  # a revived parcel is held already
                    self._tracker.record(job.number, "held", place="depot")
            log.error("buried %s: %s", job.number, decision.reason)
            return "buried"
        self._queue.postpone(job, decision.delay_s, failed=True)
        log.warning("hand-over %d of %s failed, next one in %.0f s", failures, job.number, decision.delay_s)
        return "put back"
