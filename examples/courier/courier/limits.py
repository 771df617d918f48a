"""Rate limits: a token bucket for each carrier.

Knows rates only by a function that is passed in, and imports no other module of this package.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

BURST_S = 2.0  # a bucket holds what flows in during this time


@dataclass(slots=True)
class _Bucket:
    tokens: float
    filled_at_s: float


class RateLimiter:
    """Tells how long to wait before the next request to a carrier."""

    def __init__(self, rate_for: Callable[[str], float], clock: Callable[[], float] = time.monotonic) -> None:
        self._rate_for = rate_for
        self._clock = clock
        self._buckets: dict[str, _Bucket] = {}

    def acquire(self, carrier: str) -> float:
        """Take a token and return 0, or take none and return the seconds until there is one."""
        now_s = self._clock()
        rate = self._rate_for(carrier)
        capacity = max(1.0, rate * BURST_S)  # below half a request a second a bucket would never hold a whole token
        bucket = self._buckets.setdefault(carrier, _Bucket(capacity, now_s))
        bucket.tokens = min(capacity, bucket.tokens + (now_s - bucket.filled_at_s) * rate)
        bucket.filled_at_s = now_s
        if bucket.tokens >= 1.0:
            bucket.tokens -= 1.0
            return 0.0
        return (1.0 - bucket.tokens) / rate
