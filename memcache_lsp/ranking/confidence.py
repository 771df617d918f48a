"""How likely it is that a project answers a question at all, by cheap signs of the search.

Pure: signs in, a probability out. `python bench/refusal.py --cut` measures the weights, and fits others with `--fit`. Must not
import the store.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from memcache_lsp.ranking.question import ERROR, IDENTIFIER, PATH, TRACE, Question
from memcache_lsp.tokens import terms
from memcache_lsp.values import Hit

LEAST = 0.25  # a question whose probability is less is refused
LOOKED_AT = 12  # hits
MOST_TERMS = 24  # of a question that are asked for, one by one

_MANY = 8  # terms
_AS_WRITTEN = frozenset({IDENTIFIER, PATH, ERROR, TRACE})
_DEFINED = ("symbol", "mentioned", "named")  # signals of a hit that is asked for by its name


@dataclass(frozen=True, slots=True)
class Signs:
    """What tells whether the project is about it, each 0 to 1."""

    nearest: float | None  # cosine of the question and the nearest chunk; None where its scale is not known
    share: float  # of the question's terms, in the hit that has the most of them
    many: float  # how many of them are there, of eight: in a long question a smaller share tells as much
    unknown: float  # share of its terms that are nowhere in the index
    defined: bool  # a name or file that it mentions is there
    in_path: bool  # words of it are in the path of a hit


# Fitted for our own table of vectors, whose cosines have a scale of their own, and without any vectors, to questions and
# as much to the same cut to two to four words: a short one has few terms that could be there. The greater of the two
# counts, since a wrong no costs more than an answer from too little.
_WITH_MEANING = (-6.3, 11.3, 2.7, 5.3, -5.5, 4.5, 1.2)
_WITHOUT_MEANING = (-3.4, 0.0, 4.1, 7.1, -6.1, 4.9, 2.1)


def confidence(question: Question, signs: Signs) -> float:
    """Return the probability; what is asked for as it is written is there, or it is not."""
    if question.kind in _AS_WRITTEN:
        return 0.0 if signs.unknown >= 1 and not signs.defined else 1.0
    by_words = _logistic(_WITHOUT_MEANING, signs)
    return by_words if signs.nearest is None else max(by_words, _logistic(_WITH_MEANING, signs))


def _logistic(weights: Sequence[float], signs: Signs) -> float:
    first, *others = weights
    return 1 / (1 + math.exp(-first - sum(w * v for w, v in zip(others, values(signs), strict=True))))


def values(signs: Signs) -> tuple[float, ...]:
    """Return the signs as the weights take them."""
    return signs.nearest or 0.0, signs.share, signs.many, signs.unknown, float(signs.defined), float(signs.in_path)


def signs_of(question: Question, hits: Sequence[Hit], *, nearest: float | None, unknown: Sequence[str]) -> Signs:
    """Read the signs off the best hits; `unknown` are the terms that the index does not know."""
    asked = question.terms[:MOST_TERMS]
    best = hits[:LOOKED_AT]
    held = [set(terms(" ".join((hit.text, hit.path, *hit.breadcrumb, hit.symbol)))) for hit in best]
    somewhere = set[str]().union(*held)
    most = max((sum(term in each for term in asked) for each in held), default=0)
    return Signs(
        nearest=nearest,
        share=most / max(1, len(asked)),
        many=min(most, _MANY) / _MANY,
        unknown=sum(term not in somewhere for term in unknown) / max(1, len(asked)),
        defined=any(hit.signals.get(name, 0) > 0 for hit in best for name in _DEFINED),
        in_path=any(hit.signals.get("path", 0) > 0 for hit in best),
    )
