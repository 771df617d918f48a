r"""The lines of a text: where they begin and end, and how much they weigh.

Owns the rule that a line ends at `\r\n`, `\n` or `\r` and nowhere else, so that positions agree with editors.
Must never import tree-sitter or read a file.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

_LINE_END: Final = re.compile(r"\r\n|\n|\r")


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
    starts, ends = [0], []
    for match in _LINE_END.finditer(text):
        ends.append(match.start())
        starts.append(match.end())
    ends.append(len(text))
    solid = (sum(map(len, text[start:end].split())) for start, end in zip(starts, ends, strict=True))
    return Lines(text, tuple(starts), tuple(ends), (0, *accumulate(solid)))
