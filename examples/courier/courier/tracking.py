"""Tracking: the numbers that recipients type, and the history of each parcel.

Owns the table `events`, to which rows are only ever added.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass

PREFIX = "CR"
WEIGHTS = (8, 6, 4, 2, 3, 5, 9, 7)  # those of the postal union's S10 standard

FINAL = frozenset({"delivered", "returned"})
FOLLOWS = {
    "": frozenset({"in transit", "held"}),
    "held": frozenset({"in transit", "returned"}),
    "in transit": frozenset({"in transit", "out for delivery", "held", "returned"}),
    "out for delivery": frozenset({"in transit", "delivered", "returned"}),
}


class TrackingError(ValueError):
    """A number that is none, or a status that cannot follow the one before it."""


@dataclass(frozen=True, slots=True)
class Event:
    """One line of a parcel's history."""

    status: str
    place: str
    at_s: float


def check_digit(serial: int) -> int:
    """Compute the digit that catches a mistyped number: weights, modulo 11, with 10 and 11 made 0 and 5."""
    digits = map(int, f"{serial:08d}")
    remainder = 11 - sum(digit * weight for digit, weight in zip(digits, WEIGHTS, strict=True)) % 11
    return {10: 0, 11: 5}.get(remainder, remainder)


def tracking_number(serial: int) -> str:
    """Make a tracking number such as CR000047113 from a parcel's serial number."""
    if not 0 <= serial <= 99_999_999:
        raise TrackingError(f"a serial number has up to eight digits: {serial}")
    return f"{PREFIX}{serial:08d}{check_digit(serial)}"


def normalize(typed: str) -> str:
    """Bring a number as a person typed it into its one form; blanks, dots and case do not matter."""
    number = "".join(typed.upper().replace(".", "").split())
    digits = number.removeprefix(PREFIX)
    well_formed = number.startswith(PREFIX) and len(digits) == 9 and digits.isascii() and digits.isdigit()
    if not well_formed or tracking_number(int(digits[:8])) != number:
        raise TrackingError(f"{typed!r} is no tracking number; please compare it with the label")
    return number


class Tracker:
    """The history of every parcel."""

    def __init__(self, connection: sqlite3.Connection, clock: Callable[[], float] = time.time) -> None:
        self._connection = connection
        self._clock = clock

    def record(self, number: str, status: str, *, place: str = "") -> None:
        """Add an event; one that cannot follow the last status is an error, one that repeats a final status is not."""
        before = self.status(number)
        if status == before and status in FINAL:
            return  # carriers send their last report again until they see our answer
        if status not in FOLLOWS.get(before, frozenset()):
            raise TrackingError(f"{number}: {status!r} cannot follow {before or 'nothing'!r}")
        self._connection.execute(
            "INSERT INTO events (number, status, place, at_s) VALUES (?, ?, ?, ?)",
            (number, status, place, self._clock()),
        )

    def status(self, number: str) -> str:
        """Return the last status of a parcel, or an empty text if nothing is known of it."""
        row = self._connection.execute(
            "SELECT status FROM events WHERE number = ? ORDER BY id DESC LIMIT 1", (number,)
        ).fetchone()
        return str(row[0]) if row else ""

    def history(self, number: str) -> list[Event]:
        """List what happened to a parcel, the latest first."""
        rows = self._connection.execute(
            "SELECT status, place, at_s FROM events WHERE number = ? ORDER BY id DESC", (number,)
        )
        return [Event(*row) for row in rows]
