"""What was worked out once for a word, so that it is looked up as fast as a dictionary can.

Must not import anything of the package.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

_T = TypeVar("_T")


class Memo(dict[bytes, _T]):
    """Remember what `make` returns for a word; beyond `most` words it begins anew.

    `map(memo.__getitem__, words)` asks for many without a step of Python each. Words of more than `longest` bytes are
    not kept: they do not come again.
    """

    def __init__(self, make: Callable[[bytes], _T], *, most: int, longest: int = 64) -> None:
        super().__init__()
        self._make = make
        self._most = most
        self._longest = longest

    def __missing__(self, word: bytes) -> _T:
        """Make and remember what belongs to a word."""
        made = self._make(word)
        if len(word) <= self._longest:
            if len(self) >= self._most:
                self.clear()
            self[word] = made
        return made
