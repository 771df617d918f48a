# ruff: noqa: D103, INP001
"""Retries, from the arithmetic to a parcel that ends as a dead letter. No test waits: the clock is a number."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from courier.dispatcher import Dispatcher, Refused, Unreachable
from courier.limits import RateLimiter
from courier.queue import LEASE_S, ParcelQueue, open_database
from courier.retry import GiveUp, RetryPolicy, TryAgain
from courier.settings import Settings, SettingsError
from courier.tracking import Tracker, TrackingError, normalize, tracking_number
from courier.webhooks import TOLERANCE_S, NotGenuine, receive, sign

NUMBER = tracking_number(4711)
POLICY = RetryPolicy.from_settings(Settings())


@dataclass
class Depot:
    """A dispatcher with a carrier that fails as it is told, and a clock that is set by hand."""

    database: sqlite3.Connection
    rate_per_s: float = 100.0
    now_s: float = 1_000_000.0
    error: Exception | None = None
    taken: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Join the parts."""
        self.queue = ParcelQueue(self.database, self.clock)
        self.tracker = Tracker(self.database, self.clock)
        self.dispatcher = Dispatcher(
            Settings(),
            queue=self.queue,
            tracker=self.tracker,
            carriers={"swift": self},
            limiter=RateLimiter(lambda _: self.rate_per_s, self.clock),
        )

    def clock(self) -> float:
        """Tell the time."""
        return self.now_s

    def hand_over(self, number: str, address: str) -> None:
        """Take a parcel, or fail."""
        assert address
        if self.error is not None:
            raise self.error
        self.taken.append(number)


@pytest.fixture
def depot() -> Iterator[Depot]:
    database = open_database(":memory:")
    yield Depot(database)
    database.close()


@pytest.mark.parametrize(("failures", "delay_s"), [(1, 120), (2, 360), (3, 1080), (4, 2700), (10_000, 2700)])
def test_waits_grow_up_to_the_ceiling(failures: int, delay_s: float) -> None:
    assert POLICY.backoff_s(failures) == delay_s


def test_the_policy_gives_up_after_the_last_attempt_or_a_refusal() -> None:
    assert POLICY.after_failure(4) == TryAgain(2700)
    assert POLICY.after_failure(5) == GiveUp("failed 5 times")
    assert POLICY.after_failure(1, permanent=True) == GiveUp("refused by the carrier")


def test_an_unreachable_carrier_makes_a_dead_letter_that_can_be_revived(depot: Depot) -> None:
    depot.queue.put(NUMBER, carrier="swift", address="3 Mill Lane")
    depot.error = Unreachable("no answer")
    started_s = depot.now_s
    for delay_s in (120, 360, 1080, 2700):
        assert depot.dispatcher.step() == "put back"
        depot.now_s += delay_s - 1
        assert depot.dispatcher.step() == "idle"
        depot.now_s += 1
    assert depot.dispatcher.step() == "buried"
    assert depot.now_s - started_s == 71 * 60
    assert [letter.last_error for letter in depot.queue.dead_letters()] == ["no answer"]
    assert depot.tracker.status(NUMBER) == "held"

    depot.error = None
    assert depot.queue.revive(NUMBER)
    assert depot.dispatcher.step() == "handed over"
    assert depot.taken == [NUMBER]
    assert [event.status for event in depot.tracker.history(NUMBER)] == ["in transit", "held"]


def test_a_refused_parcel_is_buried_at_once_even_when_revived(depot: Depot) -> None:
    depot.queue.put(NUMBER, carrier="swift", address="nowhere")
    depot.error = Refused("unknown street")
    assert depot.dispatcher.step() == "buried"
    assert depot.queue.revive(NUMBER)
    assert depot.dispatcher.step() == "buried"
    assert not depot.queue.revive(tracking_number(1))


def test_a_repeated_hand_over_does_not_set_a_parcel_back(depot: Depot) -> None:
    depot.queue.put(NUMBER, carrier="swift", address="3 Mill Lane")
    for status in ("in transit", "out for delivery", "delivered"):
        depot.tracker.record(NUMBER, status)  # the carrier's reports, while this depot was down
    assert depot.dispatcher.step() == "handed over"
    assert depot.tracker.status(NUMBER) == "delivered"


def test_a_rate_limit_is_no_failure(depot: Depot) -> None:
    depot.rate_per_s = 0.5
    for serial in (1, 2):
        depot.queue.put(tracking_number(serial), carrier="swift", address="3 Mill Lane")
    assert [depot.dispatcher.step() for _ in range(3)] == ["handed over", "limited", "idle"]
    depot.now_s += 2
    job = depot.queue.claim()
    assert job is not None
    assert job.failures == 0


def test_a_claim_ends_with_its_lease(depot: Depot) -> None:
    depot.queue.put(NUMBER, carrier="swift", address="3 Mill Lane")
    assert not depot.queue.put(NUMBER, carrier="swift", address="reported twice")
    claimed = depot.queue.claim()
    assert depot.queue.claim() is None
    depot.now_s += LEASE_S
    assert depot.queue.claim() == claimed


def test_only_a_fresh_signature_by_a_known_key_is_genuine(depot: Depot) -> None:
    body = b'{"number": "%s", "status": "in transit"}' % NUMBER.encode()
    sent_at_s = int(depot.now_s)
    header = sign(b"new", body, sent_at_s)
    keys = [b"newer", b"new"]
    assert receive(header, body, keys=keys, tracker=depot.tracker, now_s=sent_at_s + TOLERANCE_S) == NUMBER
    for wrong in (header[:-2] + "zz", "", sign(b"other", body, sent_at_s), sign(b"new", b"{}", sent_at_s)):
        with pytest.raises(NotGenuine):
            receive(wrong, body, keys=keys, tracker=depot.tracker, now_s=sent_at_s)
    with pytest.raises(NotGenuine, match="too old"):
        receive(header, body, keys=keys, tracker=depot.tracker, now_s=sent_at_s + TOLERANCE_S + 1)


def test_numbers_and_settings_are_checked() -> None:
    assert normalize(f" {NUMBER[:5].lower()} {NUMBER[5:]}") == NUMBER
    with pytest.raises(TrackingError):
        normalize(NUMBER[:-1] + str((int(NUMBER[-1]) + 1) % 10))
    settings = Settings.from_environment({"COURIER_RATE_LIMITS": "northpost=2, swift=7.5"})
    assert [settings.rate_for(name) for name in ("northpost", "swift", "other")] == [2, 7.5, 4]
    with pytest.raises(SettingsError, match="COURIER_MAX_ATTEMPTS"):
        Settings.from_environment({"COURIER_MAX_ATTEMPTS": "-1"})
