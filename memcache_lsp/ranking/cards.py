"""What the background refinement brings to the order: the cosine of the question and each file's card.

Pure. Vectors are made elsewhere (`refining`), by a model that may still be loading: a file without a card, and a question
without a vector, are neither better nor worse for it. Must not import the store, the manifest or an embedder.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from memcache_lsp.ranking.table import Row
from memcache_lsp.ranking.vectors import Values, cosines, normalised

_ENOUGH = 0.5  # of the candidates have to have a card, or it says more of what was reached than of what is meant


@dataclass(frozen=True, slots=True)
class Cards:
    """The vector of a question, and those of the files' cards by the same model, of any length."""

    question: NDArray[np.float32]
    of: Mapping[Row, NDArray[np.int8]]


def card_values(rows: Sequence[Row], cards: Cards | None) -> Values:
    """Return of some files how near each card is to the question, the nearest 1; one without a card is taken for average."""
    out = np.zeros(len(rows))
    if cards is None:
        return out
    known = [at for at, row in enumerate(rows) if row in cards.of]
    if not known or len(known) < _ENOUGH * len(rows):
        return out
    near = np.maximum(cosines([cards.of[rows[at]] for at in known], cards.question), 0.0)
    out[:] = near.mean()
    out[known] = near
    return normalised(out)
