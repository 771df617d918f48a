"""What is kept of a text that somebody pasted as a question: a log is long, and what it ends with matters.

Pure. Must not import anything beyond the standard library.
"""

from __future__ import annotations

import re

MAX_CHARACTERS = 8000  # a page and a half of a log; a search of so many words takes some 30 ms
_HEAD_CHARACTERS = 2000  # what the user wrote above it, and where the log begins
_LOOKED_AT = 64 * 1024  # of either end, that long words are looked for in: it is done on the event loop
_WORD_CHARACTERS = 200  # longer than any name: what patterns and stemmers make of a word grows with its square
_GAP = "\n…\n"

_LONG_WORD = re.compile(rf"(\S{{{_WORD_CHARACTERS}}})\S+")
_LONG_BLANK = re.compile(rf"(\s{{{_WORD_CHARACTERS}}})\s+")


def shortened(text: str) -> str:
    """Return a question with its beginning and its end kept, at whole lines where there are such, and long words cut."""
    if len(text) > 2 * _LOOKED_AT:
        text = f"{text[:_LOOKED_AT]}{_GAP}{text[-_LOOKED_AT:]}"
    if len(text) > _WORD_CHARACTERS:
        text = _LONG_BLANK.sub(r"\1", _LONG_WORD.sub(r"\1", text))
    if len(text) <= MAX_CHARACTERS:
        return text
    head = text[:_HEAD_CHARACTERS]
    tail = text[len(head) + len(_GAP) - MAX_CHARACTERS :]
    return f"{_to_line_end(head)}{_GAP}{_from_line_begin(tail)}"


def _to_line_end(text: str) -> str:
    before, end, _ = text.rpartition("\n")
    return before if end else text


def _from_line_begin(text: str) -> str:
    _, begin, after = text.partition("\n")
    return after if begin and after.strip() else text
