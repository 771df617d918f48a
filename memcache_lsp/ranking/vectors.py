"""Vectors in few bytes, how near they are to a question's, and scores by the best of them. Imports numpy only."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]


def packed(vector: NDArray[np.float32]) -> NDArray[np.int8]:
    """Return a vector scaled so that its largest entry is 127; only its direction is asked for."""
    most = float(np.abs(vector).max(initial=0.0)) or 1.0
    scaled: NDArray[np.int8] = np.round(vector * (127 / most)).astype(np.int8)
    return scaled


def cosines(vectors: Sequence[NDArray[np.int8]], question: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the cosine of each packed vector, at least one of them, with a question's of unit length; 0 for zero."""
    stacked = np.concatenate(vectors).reshape(len(vectors), -1).astype(np.float32)  # np.stack takes twice as long
    lengths = np.sqrt(np.einsum("ij,ij->i", stacked, stacked))
    near: NDArray[np.float32] = np.einsum("ij,j->i", stacked, question) / np.where(lengths > 0, lengths, 1)
    return near


def normalised(values: Values) -> Values:
    """Return values by the largest of them; nothing is below 0."""
    most = values.max(initial=0.0)
    positive: Values = np.maximum(values, 0.0)
    return positive / most if most > 0 else positive
