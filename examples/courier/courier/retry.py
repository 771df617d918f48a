"""Retry policy: decides whether a failed hand-over is tried again, and when.

Plain arithmetic: it reads no clock, touches no database, and imports only the settings.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from courier.settings import Settings


@dataclass(frozen=True, slots=True)
class TryAgain:
    """The parcel goes back into the queue and is due after this delay."""

    delay_s: float


@dataclass(frozen=True, slots=True)
class GiveUp:
    """The parcel becomes a dead letter."""

    reason: str


Decision = TryAgain | GiveUp


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """Exponential backoff with a ceiling and a limited number of attempts."""

    max_attempts: int
    first_delay_s: float
    factor: float
    longest_delay_s: float

    @classmethod
    def from_settings(cls, settings: Settings) -> RetryPolicy:
        """Take the policy that the depot has set."""
        return cls(
            max_attempts=settings.max_attempts,
            first_delay_s=settings.first_delay_s,
            factor=settings.delay_factor,
            longest_delay_s=settings.longest_delay_s,
        )

    def backoff_s(self, failures: int) -> float:
        """Return the pause after the given number of failures, in seconds.

        The exponent is bounded before it is used: a float overflows long before a counter does.
        """
        if failures < 1:
            raise ValueError(f"there is no pause after {failures} failures")
        exponent = min(failures - 1, 64)
        return min(self.first_delay_s * self.factor**exponent, self.longest_delay_s)

    def after_failure(self, failures: int, *, permanent: bool = False) -> Decision:
        """Decide what becomes of a parcel that has now failed `failures` times."""
        if permanent:
            return GiveUp("refused by the carrier")
        if failures >= self.max_attempts:
            return GiveUp(f"failed {failures} times")
        return TryAgain(self.backoff_s(failures))
