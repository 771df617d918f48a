"""Own what the parts report: figures, their limits, the table. Must not import the other parts."""

from __future__ import annotations

import math
from collections.abc import Sequence
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


HEAD = "| part | figure | measured | limit | |\n|---|---|---|---|---|"


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
