"""Own which lines of an excerpt a model reads where there is no room for all: those that say most of what is asked.

Pure; what an excerpt costs is passed in. Must not import a model, the store or the scan.

**Invariant:** what is kept are lines that follow each other, at their own numbers, and costs no more than the room.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from memcache_lsp.evidence import Evidence
from memcache_lsp.lines import lines_of
from memcache_lsp.tokens import content_terms, terms

_AGAIN = 0.15  # of a word's weight, for each further line that has it
_AGAIN_LINES = 3
_LEAST_WORDS = 2  # that are asked for: one is anywhere by chance
_SAME = 1e-9
_HEAD = 1.15  # the beginning is what the name and the comment are at: elsewhere there has to be more

Weights = Mapping[str, float]  # of the words that are asked for, by how few lines have them


def weights_of(question: str, excerpts: Sequence[Evidence]) -> Weights:
    """Return what each word of the question is worth: the inverse of its frequency among the lines."""
    wanted = frozenset(content_terms(question))
    lines = [wanted.intersection(terms(line)) for excerpt in excerpts for line in lines_of(excerpt.text)]
    spread = Counter(word for line in lines for word in line)
    return {word: math.log(1 + len(lines) / (lines_with + 0.5)) for word, lines_with in spread.items()}


def cut(excerpt: Evidence, room: int, cost: Callable[[Evidence], int], weights: Weights) -> Evidence | None:
    """Keep the excerpt where it fits, else the lines of it that say most and fit; None where not even one with words does.

    Where its beginning is not among them, its first line stands before them as context.
    """
    if cost(excerpt) <= room:
        return excerpt
    excerpt = replace(excerpt, context="")
    whole = cost(excerpt)
    if whole <= room:
        return excerpt
    lines = lines_of(excerpt.text)
    per_token = max(1.0, len(excerpt.text)) / max(1, whole)
    first = _best_start(lines, int(room * per_token), weights)
    if first:
        head = next(line for line in lines if line.strip()).rstrip()
        kept = _filled(replace(excerpt, context=head), lines, first, room, cost)
        if kept is not None:
            return kept
    return _filled(excerpt, lines, 0, room, cost)


def _best_start(lines: Sequence[str], characters: int, weights: Weights) -> int:
    """Return the line from which on so many characters say most; the middle one of those that are equally good."""
    said = [weights.keys() & set(terms(line)) for line in lines]
    head = len(next((line for line in lines if line.strip()), "")) + len("\n…\n")
    best, starts = _HEAD * next(_worths(lines, said, characters, weights), 0.0), [0]
    for at, worth in enumerate(_worths(lines, said, characters - head, weights)):
        if worth > best + _SAME:
            best, starts = worth, [at]
        elif starts[0] and worth > best - _SAME:
            starts.append(at)
    return starts[len(starts) // 2]


def _worths(lines: Sequence[str], said: Sequence[set[str]], characters: int, weights: Weights) -> Iterator[float]:
    """Give for each line what the lines from it on are worth, as many as have room; nothing for one word alone."""
    found: Counter[str] = Counter()
    end = 0
    for at, line in enumerate(lines):
        while end < len(lines) and (end <= at or len(lines[end]) < characters):
            characters -= len(lines[end]) + 1
            found.update(said[end])
            end += 1
        counts = [(word, times) for word, times in found.items() if times]
        worth = sum(weights[word] * (1 + _AGAIN * min(_AGAIN_LINES, times - 1)) for word, times in counts)
        yield worth if len(counts) >= _LEAST_WORDS else 0.0
        found.subtract(said[at])
        characters += len(line) + 1


def _filled(
    excerpt: Evidence, lines: Sequence[str], at: int, room: int, cost: Callable[[Evidence], int]
) -> Evidence | None:
    """Keep as many lines from one on as fit."""
    low, high = at, len(lines)
    while low < high:
        middle = (low + high + 1) // 2
        if cost(_between(excerpt, lines, at, middle)) <= room:
            low = middle
        else:
            high = middle - 1
    kept = _between(excerpt, lines, at, low)
    return kept if kept.text.strip() and cost(kept) <= room else None


def _between(excerpt: Evidence, lines: Sequence[str], at: int, end: int) -> Evidence:
    while end > at and not lines[end - 1].strip():
        end -= 1
    start = excerpt.start_line + at
    return replace(excerpt, text="\n".join(lines[at:end]), start_line=start, end_line=start + max(0, end - at - 1))
