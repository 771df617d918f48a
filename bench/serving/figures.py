"""Own what the parts report: figures, their limits, the table. Must not import the other parts."""

from __future__ import annotations

import math
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table; without a limit it only tells."""

    name: str
    value: float
    unit: str = "ms"
    limit: float | None = None
    at_least: bool = False  # the limit is the least that is allowed, not the value from which on it is over

    @property
    def over(self) -> bool:
        """Tell whether the limit is broken; what could not be measured (not a number) breaks it."""
        if self.limit is None:
            return False
        return not (self.value >= self.limit if self.at_least else self.value < self.limit)

    def line(self, part: str) -> str:
        """Return it as a row of the table."""
        sign = "≥" if self.at_least else "<"
        limit = "" if self.limit is None else f"{sign} {self.limit:g}"
        verdict = "" if self.limit is None else "**over**" if self.over else "ok"
        return f"| {part} | {self.name} | {number(self.value)} {self.unit} | {limit} | {verdict} |"


_HEAD = "| part | figure | measured | limit | |\n|---|---|---|---|---|"


def measure_parts(names: Iterable[str], measure: Callable[[str], Iterable[Figure]]) -> int:
    """Measure parts and print their figures as they come; return the exit code, 1 where a limit is broken.

    On two processors, as the limits say.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the daemon in the home is ended then as well
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])
    print(_HEAD, flush=True)
    over = False
    for name in names:
        began = time.monotonic()
        for figure in measure(name):
            print(figure.line(name), flush=True)
            over = over or figure.over
        print(f"{name}: measured in {time.monotonic() - began:.0f} s", file=sys.stderr)
    return 1 if over else 0


def number(value: float) -> str:
    """Return a number as a table shows it."""
    whole = math.isfinite(value) and (abs(value) >= 100 or value == int(value))
    return f"{value:.0f}" if whole else f"{value:.2f}"


def quantile(values: Sequence[float], share: float) -> float:
    """Return the least value that so large a share of the values does not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else math.nan


def spread(
    name: str, values: Sequence[float], *, limits: dict[str, float], shown: Sequence[str], unit: str = "ms"
) -> list[Figure]:
    """Return a figure for each of p50, p95, p99, max that is shown."""
    shares = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "max": 1.0}
    return [Figure(f"{name}, {each}", quantile(values, shares[each]), unit, limits.get(each)) for each in shown]
