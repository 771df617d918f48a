"""Read a saved page: its readable part, each word on the line where it is in the file, so that an editor opens it there.

Where a page lies in a few very long lines its text gets lines of its own. What is a template, or holds next to no text,
is left to be indexed as the code that it is. Standard library only.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from memcache_lsp.reading.markup import Block, blocks
from memcache_lsp.reading.result import Pages, Reading
from memcache_lsp.values import Heading

_HEAD: Final = 4000
_WHOLE: Final = re.compile(r"<!doctype\s+html|<html\b", re.IGNORECASE)
_TEMPLATE: Final = re.compile(
    r"\{\{|\{%|<%|<\?php|<\?=|\$\{|\{#|@(?:if|foreach|section|extends)\b|\sv-(?:if|for|bind)\b|\*ng|\sth:"
)
_BODY: Final = re.compile(r"<body\b[^>]{0,2000}", re.IGNORECASE)  # a manual may well speak of templates behind it
_LEAST_CHARACTERS: Final = 400
_LONG_LINE: Final = 3000  # the chunker's hard limit: what is longer is no line of a text
_MAX_TITLE: Final = 200


def read(text: str) -> Reading | None:
    """Read a page; None for one that is to be indexed as it stands."""
    body = _BODY.search(text)
    if not _WHOLE.search(text[:_HEAD]) or _TEMPLATE.search(text, 0, body.end() if body else _HEAD):
        return None
    found = blocks(text)
    if sum(block.size for block in found) < _LEAST_CHARACTERS:
        return None
    longest = max(map(len, text.splitlines()), default=0)
    return _flowing(found) if longest > _LONG_LINE else _in_place(found, text)


def _in_place(found: Sequence[Block], text: str) -> Reading:
    lines = [""] * (text.count("\n") + text.count("\r") - text.count("\r\n") + 1)
    headings: list[Heading] = []
    for block in found:
        if block.level and block.text:
            first = next(line for line, part in block.parts if part.strip())
            if not headings or headings[-1].line < first:
                headings.append(Heading(block.level, block.text[:_MAX_TITLE], first, first))
        for line, part in block.parts:
            if not part.strip() and not block.literal:
                lines[line] += " " if lines[line] and not lines[line].endswith(" ") else ""
            elif lines[line] and not lines[line].endswith(" ") and part is block.parts[0][1]:
                lines[line] += "  " + part
            else:
                lines[line] += part
    kept = (line.rstrip() if line.startswith("  ") else line.strip() for line in lines)
    return Reading("\n".join(kept), tuple(headings))


def _flowing(found: Sequence[Block]) -> Reading:
    out = Pages()
    write(out, found)
    return out.reading()


def write(out: Pages, found: Sequence[Block], *, below: int = 0) -> None:
    """Write blocks as paragraphs; headings go below a level."""
    for block in found:
        if block.level:
            out.heading(below + block.level, block.text)
        elif block.literal:
            out.blank()
            out.write(_literal(block))
            out.blank()
        elif block.text:
            if not block.item:
                out.blank()
            out.write(block.text)


def _literal(block: Block) -> str:
    lines: dict[int, str] = {}
    for line, part in block.parts:
        lines[line] = lines.get(line, "") + part
    first, last = min(lines), max(lines)
    return "\n".join(lines.get(line, "") for line in range(first, last + 1)).strip("\n")
