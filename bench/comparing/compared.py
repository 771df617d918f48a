"""Own the arithmetic: means, quantiles, the paired difference with its interval. Pure; must not import the systems."""

from __future__ import annotations

import random
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from serving import figures

from comparing.rows import Row

RESAMPLES = 10_000
FEW = 10  # repositories, below which the questions inside of each are drawn and not the repositories
_LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class Difference:
    """How far one system's mean NDCG lies above another's on the same questions."""

    mean: float
    low: float
    high: float
    unit: str  # what was drawn: repository or question
    better: int  # units in which the first is ahead
    worse: int
    units: int


def mean_ndcg(rows: Sequence[Row]) -> float:
    """Return the mean over the repositories."""
    return statistics.mean(row.ndcg10 for row in rows)


def by_kind(rows: Sequence[Row]) -> dict[str, list[float]]:
    """Return the scores of all questions by their kind."""
    kinds: dict[str, list[float]] = {}
    for row in rows:
        for kind, value in zip(row.kinds, row.scores, strict=True):
            kinds.setdefault(kind, []).append(value)
    return dict(sorted(kinds.items()))


def total(values: Sequence[float | None]) -> float | None:
    """Return the sum, None where a value is missing."""
    there = [value for value in values if value is not None]
    return sum(there) if there and len(there) == len(values) else None


def largest(values: Sequence[float | None]) -> float | None:
    """Return the largest value, None where there is none."""
    return max((value for value in values if value is not None), default=None)


def quantile(values: Sequence[float], share: float) -> float | None:
    """Return the least value that so large a share of the values does not exceed."""
    return figures.quantile(values, share) if values else None


def difference(ours: Sequence[Row], theirs: Sequence[Row]) -> Difference:
    """Return the paired difference with a bootstrap interval, over repositories or, of few, the questions of each.

    Both are asked the same: the rows are paired by repository, and only what both have counts. The resamples are the same
    for the same rows.
    """
    other = {row.repo: row for row in theirs}
    pairs = [(row, other[row.repo]) for row in ours if row.repo in other]
    gains = [[a - b for a, b in zip(row.scores, peer.scores, strict=True)] for row, peer in pairs]
    means = [statistics.mean(gain) for gain in gains]
    chance = random.Random(0)

    def of_repositories() -> float:
        return statistics.fmean(chance.choices(means, k=len(means)))

    def of_questions() -> float:
        return statistics.fmean(statistics.fmean(chance.choices(gain, k=len(gain))) for gain in gains)

    few = len(pairs) < FEW
    low, high = interval(of_questions if few else of_repositories)
    units = [value for gain in gains for value in gain] if few else means
    return Difference(
        mean=statistics.mean(means),
        low=low,
        high=high,
        unit="question" if few else "repository",
        better=sum(value > 0 for value in units),
        worse=sum(value < 0 for value in units),
        units=len(units),
    )


def interval(draw: Callable[[], float]) -> tuple[float, float]:
    """Return the bounds between which 95 % of the resampled means lie."""
    drawn = sorted(draw() for _ in range(RESAMPLES))
    rest = round((1 - _LEVEL) / 2 * RESAMPLES)
    return drawn[rest], drawn[-rest - 1]
