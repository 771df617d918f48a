"""Hits of several indexes, scored as if they had been found in one.

Pure. Must not import the store.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from memcache_lsp.values import Hit

_BY_WORDS = frozenset({"text", "file", "names", "cluster"})  # signals that BM25 makes


def tops_of(tops: Mapping[str, float], *, rarest: float) -> dict[str, float]:
    """Return the best values of an index in units that others have too.

    BM25 weighs words by how rare they are among what is indexed, so among little all weigh little. `rarest` is the most that
    one can weigh there.
    """
    return {name: top / rarest if name in _BY_WORDS else top for name, top in tops.items()}


def comparable(answers: Sequence[Sequence[Hit]]) -> list[Sequence[Hit]]:
    """Return what several indexes answered to one question with scores that can be compared.

    Each scores by shares of what is best in itself, however poor that is; here they become shares of the best of all.
    """
    best: dict[str, float] = {}
    for hits in answers:
        for name, top in _tops(hits).items():
            best[name] = max(top, best.get(name, 0.0))
    joined = []
    for hits in answers:
        shares = {name: top / best[name] for name, top in _tops(hits).items() if top < best[name]}
        joined.append([_scored(hit, shares) for hit in hits] if shares else hits)
    return joined


def _tops(hits: Sequence[Hit]) -> Mapping[str, float]:
    return hits[0].tops if hits else {}  # all of an answer have the same


def _scored(hit: Hit, shares: Mapping[str, float]) -> Hit:
    signals = {name: round(value * shares.get(name, 1.0), 4) for name, value in hit.signals.items()}
    lost = sum(value - signals[name] for name, value in hit.signals.items())
    return replace(hit, score=round(hit.score - lost, 4), signals=signals)
