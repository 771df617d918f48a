"""What an answer is worth, and how sure a mean of it is. Pure numbers; must not import anything of this package."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

K: Final = 10
_RESAMPLES: Final = 2000
_SEED: Final = 20240229  # any; fixed, so that the same answers have the same interval
_INTERVAL: Final = (2.5, 97.5)  # percentiles
_LEAST: Final = 5  # values; the means of fewer, drawn again, tell nothing


@dataclass(frozen=True, slots=True)
class Mean:
    """A mean with its 95 % interval by bootstrap; NaN bounds where there are too few values."""

    value: float
    low: float
    high: float


def ndcg(ranks: Collection[int], wanted: int) -> float:
    """Return NDCG@10 with binary gain; `ranks` count from 0, one for each of the `wanted` targets that was found."""
    ideal = sum(1 / math.log2(i + 2) for i in range(min(K, wanted)))
    return sum(1 / math.log2(rank + 2) for rank in set(ranks) if rank < K) / ideal if ideal else 0.0


def mean(values: Sequence[float]) -> Mean:
    """Return the mean of values that are not none, and what it would be for other questions of the same kind."""
    array = np.asarray(values, dtype=np.float64)
    value = float(array.mean())
    if len(array) < _LEAST:
        return Mean(value, math.nan, math.nan)
    picks = np.random.default_rng(_SEED).integers(len(array), size=(_RESAMPLES, len(array)))
    low, high = np.percentile(array[picks].mean(axis=1), _INTERVAL)
    return Mean(value, float(low), float(high))
