r"""The lines of a text: where they begin and end, and how much they weigh.

Owns the rule that a line ends at `\r\n`, `\n` or `\r` and nowhere else, so that positions agree with editors.
Must never import tree-sitter or read a file.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

_LF: Final = ord("\n")
_CR: Final = ord("\r")
_SPACES: Final = 0x3000  # the last character that is white space
_IS_SOLID: Final = np.array([not chr(code).isspace() for code in range(_SPACES + 1)] + [True])


@dataclass(frozen=True, slots=True)
class Lines:
    """A text by lines, counted from 0.

    Line i is `text[starts[i]:ends[i]]` without its line end; `weights[i]` is the number of characters that are not
    white space in the lines before i, so that the weight of lines a to b is a difference.
    """

    text: str
    starts: tuple[int, ...]
    ends: tuple[int, ...]
    weights: tuple[int, ...]

    @property
    def count(self) -> int:
        """Count the lines; a line end at the very end of the text opens one more, empty line."""
        return len(self.starts)

    def line(self, index: int) -> str:
        """Give a line without its line end."""
        return self.text[self.starts[index] : self.ends[index]]

    def size(self, first: int, last: int) -> int:
        """Count the characters from the start of one line to the end of another."""
        return self.ends[last] - self.starts[first]

    def weight(self, first: int, last: int) -> int:
        """Count the characters in lines first to last that are not white space."""
        return self.weights[last + 1] - self.weights[first]

    def is_blank(self, index: int) -> bool:
        """Tell whether a line holds white space only."""
        return self.weights[index + 1] == self.weights[index]

    def trim(self, first: int, last: int) -> tuple[int, int] | None:
        """Drop blank lines at both ends; None where nothing is left."""
        while first <= last and self.is_blank(first):
            first += 1
        while first <= last and self.is_blank(last):
            last -= 1
        return (first, last) if first <= last else None


def split_lines(text: str) -> Lines:
    """Find the lines of a text."""
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
    is_lf, is_cr = codes == _LF, codes == _CR
    is_lf[1:] &= ~is_cr[:-1]  # the second half of an end belongs to the first
    breaks = np.flatnonzero(is_lf | is_cr)
    is_pair = is_cr[breaks] & (codes[np.minimum(breaks + 1, len(codes) - 1)] == _LF)
    starts = np.concatenate(([0], breaks + 1 + is_pair))
    solid = np.concatenate(([0], np.cumsum(_IS_SOLID[np.minimum(codes, _SPACES + 1)])))
    weights = np.append(solid[starts], solid[-1])
    return Lines(text, tuple(starts.tolist()), (*breaks.tolist(), len(text)), tuple(weights.tolist()))
