"""Own the states of prompts that were read before, so that an earlier thread goes on without being read again.

A state is named by its tokens alone: whatever begins with the same tokens can go on from it. Knows no model: the bytes
are given. Must not import llama_cpp.

**Invariant:** what is kept never takes more than the limit; what was used longest ago goes first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile

from memcache_lsp.generator import Batches

LIMIT_BYTES = 256 * 2**20  # some ten threads of 1,500 tokens of a model of 0.5B, and two or three of one of 7B
LEAST_TOKENS = 128  # fewer are read again as fast as they are fetched


@dataclass(frozen=True, slots=True, eq=False)
class Prefix:
    """Tokens, the batches in which they were computed, and the state of the context after them."""

    tokens: tuple[int, ...]
    batches: tuple[Batches, ...]
    state: bytes


class Prefixes:
    """The states that are kept, the one used last at the end."""

    def __init__(self, limit_bytes: int = LIMIT_BYTES) -> None:
        self._limit_bytes = limit_bytes
        self._kept: list[Prefix] = []

    @property
    def size_bytes(self) -> int:
        """Return the memory that the states take."""
        return sum(len(prefix.state) for prefix in self._kept)

    def __len__(self) -> int:
        return len(self._kept)

    def takes(self, size_bytes: int) -> bool:
        """Tell whether a state of this size can be kept at all."""
        return size_bytes <= self._limit_bytes

    def keep(self, prefix: Prefix) -> None:
        """Keep a state, in place of those that it goes on from."""
        self._kept = [kept for kept in self._kept if shared(kept.tokens, prefix.tokens) < len(kept.tokens)]
        self._kept.append(prefix)
        while self.size_bytes > self._limit_bytes:
            self._kept.pop(0)

    def best(self, tokens: Sequence[int], *, least: int) -> Prefix | None:
        """Take out the state that shares the most tokens, if they are at least so many."""
        ranked = [(shared(kept.tokens, tokens), at) for at, kept in enumerate(self._kept)]
        count, at = max(ranked, default=(0, 0))
        return self._kept.pop(at) if ranked and count >= least else None

    def most_shared(self, tokens: Sequence[int]) -> int:
        """Return how many of the tokens the best state knows."""
        return max((shared(kept.tokens, tokens) for kept in self._kept), default=0)

    def clear(self) -> None:
        """Forget all."""
        self._kept.clear()


def shared(one: Sequence[int], other: Sequence[int]) -> int:
    """Count the tokens that two prompts have in common from their start."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def joined(batches: Sequence[Batches]) -> tuple[Batches, ...]:
    """Write batches of one size and kind in a row as one."""
    rows: list[Batches] = []
    for each in batches:
        if rows and (rows[-1].size, rows[-1].threads) == (each.size, each.threads):
            rows[-1] = Batches(each.size, rows[-1].count + each.count, each.threads)
        else:
            rows.append(each)
    return tuple(rows)


def singly(batches: Sequence[Batches]) -> list[Batches]:
    """Write every batch by itself."""
    return [Batches(each.size, 1, each.threads) for each in batches for _ in range(each.count)]
