"""Lines as editors count them: they end at CRLF, LF or CR and at nothing else. Imports nothing of this package."""

from __future__ import annotations

import re

SNIPPET_LINES = 12

_LINE_END = re.compile(r"\r\n|\n|\r")


def offsets_of(text: str, first: int, last: int) -> tuple[int, int]:
    """Return where some lines (1-based, inclusive) begin and end, the last one's end of line not counted."""
    starts, ends = [0], []
    for found in _LINE_END.finditer(text):
        ends.append(found.start())
        if len(ends) >= last:
            break
        starts.append(found.end())
    ends.append(len(text))
    return starts[min(first, len(starts)) - 1], ends[min(last, len(ends)) - 1]


def lines_of(text: str) -> list[str]:
    """Split a text into its lines, without line ends; no last empty line."""
    lines = _LINE_END.split(text)
    return lines[:-1] if len(lines) > 1 and not lines[-1] else lines


def snippet(text: str) -> str:
    """Return the first lines of a hit's text, which are shown of it."""
    return "\n".join(lines_of(text)[:SNIPPET_LINES])
