r"""Own the lines of a text and the way between offsets and an editor's positions.

Pure. A line ends at `\r\n`, `\n` or `\r` and at nothing else (no form feed, no U+2028), as the language server
protocol has it. Offsets count characters of the text; a position's column counts units of its encoding.
Must not import anything of this package.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from enum import StrEnum

_LINE_END = re.compile(r"\r\n|\n|\r")


class Encoding(StrEnum):
    """What a column counts: bytes of UTF-8, units of UTF-16, or characters."""

    UTF8 = "utf-8"
    UTF16 = "utf-16"
    UTF32 = "utf-32"

    def units(self, text: str) -> int:
        """Measure a text."""
        if self is Encoding.UTF32 or text.isascii():
            return len(text)
        if self is Encoding.UTF16:
            return len(text) + sum(char > "\uffff" for char in text)
        return len(text.encode(errors="surrogatepass"))

    def characters(self, line: str, column: int) -> int:
        """Count the whole characters within the first `column` units of a line."""
        if self is Encoding.UTF32 or line[:column].isascii():
            return min(column, len(line))
        left = column
        for count, char in enumerate(line):
            left -= self.units(char)
            if left < 0:
                return count
        return len(line)


def count_line_ends(text: str) -> int:
    r"""Count them fast, a `\r\n` as two: to be asked before there is a `Text`."""
    return text.count("\n") + text.count("\r")


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place in a text: 0-based line, and the units before it in that line."""

    line: int
    column: int


class Text:
    """A text with its lines; a change makes a new one."""

    __slots__ = ("_starts", "text")

    def __init__(self, text: str, starts: list[int] | None = None) -> None:
        self.text = text
        self._starts = [0, *(end.end() for end in _LINE_END.finditer(text))] if starts is None else starts

    @property
    def line_count(self) -> int:
        """Count the lines; a text that ends in a line's end has an empty last one."""
        return len(self._starts)

    def line(self, number: int) -> str:
        """Return a 0-based line without its end."""
        start = self._starts[number]
        end = self._starts[number + 1] if number + 1 < len(self._starts) else len(self.text)
        line = self.text[start:end]
        return line[:-2] if line.endswith("\r\n") else line.rstrip("\r\n")

    def offset(self, position: Position, encoding: Encoding) -> int:
        """Return the offset of a position; beyond a line's or the text's end it is that end."""
        if position.line >= len(self._starts):
            return len(self.text)
        line = self.line(max(0, position.line))
        return self._starts[max(0, position.line)] + encoding.characters(line, max(0, position.column))

    def position(self, offset: int, encoding: Encoding) -> Position:
        """Return the position of an offset; within or after a line's end it is the end of that line."""
        offset = min(max(0, offset), len(self.text))
        number = bisect_right(self._starts, offset) - 1
        line = self.line(number)
        return Position(number, encoding.units(line[: offset - self._starts[number]]))

    def replaced(self, start: int, end: int, new: str) -> Text:
        """Return the text with `text[start:end]` replaced; only the lines at the change are looked for again."""
        text = self.text[:start] + new + self.text[end:]
        shift = len(new) - (end - start)
        before = self._starts[: bisect_left(self._starts, max(1, start))]
        after = self._starts[bisect_right(self._starts, end) :]
        # A line's end at the seam may have been joined from, or parted into, \r and \n: look at one character more.
        first, last = max(0, start - 1), start + len(new)
        seam = text[first : last + 1]
        middle = [at for found in _LINE_END.finditer(seam) if max(1, start) <= (at := first + found.end()) <= last]
        return Text(text, before + middle + [at + shift for at in after])
