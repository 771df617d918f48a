"""The queue: parcels that wait for their carrier, durable in SQLite, and the dead letters.

Owns the tables `queue` and `dead_letters`. Knows nothing of carriers, and does not decide about retries.
"""

from __future__ import annotations

import sqlite3
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

SCHEMA = Path(__file__).resolve().parent.parent / "sql" / "schema.sql"
LEASE_S = 90.0  # twice the longest time that a carrier has ever taken to answer


@dataclass(frozen=True, slots=True)
class Job:
    """A parcel that this process has claimed, and the number of hand-overs that failed before."""

    number: str
    carrier: str
    address: str
    failures: int


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A parcel that is not tried again until someone revives it."""

    number: str
    carrier: str
    reason: str
    last_error: str
    buried_at_s: float


def open_database(path: str) -> sqlite3.Connection:
    """Open the depot's database and create the tables that it lacks."""
    connection = sqlite3.connect(path, isolation_level=None, timeout=5.0)
    connection.executescript(SCHEMA.read_text(encoding="utf-8"))
    return connection


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Run a block as one write; the lock is taken first, so that nothing read in it can be out of date."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


class ParcelQueue:
    """Parcels in the order in which they are due."""

    def __init__(self, connection: sqlite3.Connection, clock: Callable[[], float] = time.time) -> None:
        self._connection = connection
        self._clock = clock

    def together(self) -> AbstractContextManager[None]:
        """Make what is done with this database in a block happen wholly or not at all."""
        return transaction(self._connection)

    def put(self, number: str, *, carrier: str, address: str) -> bool:
        """Add a parcel that is due at once; the belt may report one twice, and the second report is ignored."""
        cursor = self._connection.execute(
            "INSERT OR IGNORE INTO queue (number, carrier, address, due_at_s) VALUES (?, ?, ?, ?)",
            (number, carrier, address, self._clock()),
        )
        return cursor.rowcount == 1

    def claim(self) -> Job | None:
        """Take the parcel that has been due the longest, or nothing.

        A claim is a lease: if this process dies, the parcel is due again when the lease ends, and its count of
        failures stays as it was.
        """
        now_s = self._clock()
        with transaction(self._connection):
            row = self._connection.execute(
                "SELECT number, carrier, address, failures FROM queue WHERE due_at_s <= ? ORDER BY due_at_s LIMIT 1",
                (now_s,),
            ).fetchone()
            if row is None:
                return None
            self._connection.execute("UPDATE queue SET due_at_s = ? WHERE number = ?", (now_s + LEASE_S, row[0]))
        return Job(*row)

    def done(self, job: Job) -> None:
        """Forget a parcel that its carrier has taken."""
        self._connection.execute("DELETE FROM queue WHERE number = ?", (job.number,))

    def postpone(self, job: Job, delay_s: float, *, failed: bool) -> None:
        """Put a claimed parcel back; only a hand-over that failed counts as a failure."""
        self._connection.execute(
            "UPDATE queue SET due_at_s = ?, failures = failures + ? WHERE number = ?",
            (self._clock() + delay_s, int(failed), job.number),
        )

    def bury(self, job: Job, *, reason: str, last_error: str) -> None:
        """Move a parcel from the queue to the dead letters; call it inside `together`, so that it is never in both."""
        self._connection.execute("DELETE FROM queue WHERE number = ?", (job.number,))
        self._connection.execute(
            "INSERT OR REPLACE INTO dead_letters (number, carrier, address, reason, last_error, buried_at_s)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (job.number, job.carrier, job.address, reason, last_error, self._clock()),
        )

    def revive(self, number: str) -> bool:
        """Give a dead letter a fresh set of attempts; tell whether there was one."""
        with transaction(self._connection):
            row = self._connection.execute(
                "DELETE FROM dead_letters WHERE number = ? RETURNING number, carrier, address", (number,)
            ).fetchone()
            if row is None:
                return False
            self._connection.execute(
                "INSERT INTO queue (number, carrier, address, due_at_s) VALUES (?, ?, ?, ?)", (*row, self._clock())
            )
        return True

    def dead_letters(self) -> list[DeadLetter]:
        """List the dead letters, the newest first."""
        rows = self._connection.execute(
            "SELECT number, carrier, reason, last_error, buried_at_s FROM dead_letters ORDER BY buried_at_s DESC"
        )
        return [DeadLetter(*row) for row in rows]
