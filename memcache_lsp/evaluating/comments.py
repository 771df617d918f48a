"""Doc comments of definitions: where they stand, what they say, and a document without some of them.

A doc comment is a comment that leads a definition, or the string literal that opens one in languages that have those.
Read by lines, for the outline tells only where definitions are. Must not import the store, the scan or the engine.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from typing import Final

from memcache_lsp.chunking import chunker
from memcache_lsp.chunking.lines import Lines, split_lines
from memcache_lsp.chunking.outline import Item
from memcache_lsp.languages import LANGUAGES
from memcache_lsp.values import Document

_KINDS: Final = frozenset(
    "function method class struct enum interface trait type module constant variable field macro".split()
)
_MAX_ROWS: Final = 60  # of a signature, or of a doc comment: more is a licence or a chapter

# What opens a block and what closes it, where the opening may follow Elixir's `@doc`.
_BLOCKS: Final = {
    "/*": "*/", "{-": "-}", "(*": "*)", "<!--": "-->", "<#": "#>", "--[[": "]]", "#=": "=#", '"""': '"""', "'''": "'''",
}  # fmt: skip
_OPENING: Final = re.compile(
    r"[ \t]*(?:@(?:module|type)?doc[ \t]+(?:~[sS])?)?"
    r"(?:(/\*)[*!]*|(\{-)-*[ \t]*\|?|(\(\*)\**|(<!--)|(<\#)|(--\[\[)|(\#=)|(\"\"\")|('''))"
)
_BLOCK_LEAD: Final = re.compile(r"[ \t]*\*+(?!/)")  # of a line inside `/* … */`
_LINE_MARKS: Final = r"[-!:'/*]*(?:[ \t]*[|^](?=[ \t]))?"  # behind the sign of a comment: `///`, `#'`, `-- |`
_DOCSTRING: Final = re.compile(r"[ \t]*[rRuU]?(\"\"\"|'''|\"|')")
_LISPS: Final = frozenset(("elisp", "clojure"))

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class DocComment:
    """What a doc comment says, without its marks, and where; `start_line` and `end_line` are its definition's."""

    name: str
    start_line: int
    end_line: int
    text: str
    spans: tuple[Span, ...]  # of what it says, in characters, one a line


def doc_comments(document: Document) -> list[DocComment]:
    """Find the doc comments of a document's definitions, in order; none in prose and in data."""
    language = LANGUAGES.get(document.language)
    if language is None or language.is_document or language.grammar is None:
        return []
    lines = split_lines(document.text)
    found = []
    for item in chunker.outline(document).items:
        if item.kind not in _KINDS:
            continue
        spans = tuple(_inside(lines, item, document.language) or _before(lines, item, language.line_comments))
        text = "\n".join(document.text[start:end] for start, end in spans).strip()
        if text:
            found.append(DocComment(item.name, item.first + 1, item.last + 1, text, spans))
    return found


def without(document: Document, is_meant: Callable[[DocComment], bool]) -> Document:
    """Return the document with blanks in place of what the doc comments say that are meant; offsets stay."""
    text = document.text
    for comment in doc_comments(document):
        if is_meant(comment):
            for start, end in comment.spans:
                text = text[:start] + " " * (end - start) + text[end:]
    return replace(document, text=text)


def _before(lines: Lines, item: Item, line_comments: tuple[str, ...]) -> Generator[Span, None, None]:
    """Read the comments on the rows that lead a definition; decorators and attributes among them are passed over."""
    signs = "|".join(re.escape(sign) for sign in sorted(line_comments, key=len, reverse=True))
    comment = re.compile(rf"[ \t]*(?:{signs})+(?!\[){_LINE_MARKS}") if signs else None
    row = max(item.first, item.name_line - _MAX_ROWS)
    while row < item.name_line:
        line = lines.line(row)
        opening = _OPENING.match(line)
        if opening:
            close = _BLOCKS[next(filter(None, opening.groups()))]
            row = yield from _block(lines, row, opening.end(), close=close, last=item.name_line - 1)
        elif comment and (mark := comment.match(line)):
            yield _trimmed(lines, row, mark.end(), len(line))
        row += 1


def _block(lines: Lines, row: int, column: int, *, close: str, last: int) -> Generator[Span, None, int]:
    """Read a block from a place to its end; return the row of that."""
    while row <= last:
        line = lines.line(row)
        lead = _BLOCK_LEAD.match(line) if close == "*/" and not column else None
        column = lead.end() if lead else column
        end = _find_close(line, close, column)
        yield _trimmed(lines, row, column, len(line) if end < 0 else end)
        if end >= 0:
            return row
        row, column = row + 1, 0
    return last


def _find_close(line: str, close: str, column: int) -> int:
    end = line.find(close, column)
    while len(close) == 1 and end > 0 and line[end - 1] == "\\":
        end = line.find(close, end + 1)
    return end


def _trimmed(lines: Lines, row: int, start: int, end: int) -> Span:
    """Return the span in the text of a piece of a row, without the blanks around it."""
    piece = lines.line(row)[start:end]
    begin = lines.starts[row] + start + len(piece) - len(piece.lstrip())
    return begin, max(begin, lines.starts[row] + start + len(piece.rstrip()))


def _inside(lines: Lines, item: Item, language: str) -> list[Span]:
    """Read the string that opens a definition."""
    if language == "python" and item.kind in {"function", "method", "class"}:
        row = _body(lines, item)
    elif language in _LISPS:
        row = next((r for r in range(item.name_line + 1, min(item.name_line + 3, item.last + 1))
                    if lines.line(r).lstrip().startswith('"')), None)  # fmt: skip
    else:
        return []
    opening = _DOCSTRING.match(lines.line(row)) if row is not None else None
    if row is None or opening is None:
        return []
    several = language in _LISPS or len(opening[1]) == 3
    last = min(item.last, row + _MAX_ROWS) if several else row
    return list(_block(lines, row, opening.end(), close=opening[1], last=last))


def _body(lines: Lines, item: Item) -> int | None:
    """Return the first row of a Python definition's body; None where it stands on the row of the signature."""
    depth = 0
    for row in range(item.name_line, min(item.last, item.name_line + _MAX_ROWS)):
        code = lines.line(row).partition("#")[0].rstrip()
        depth += sum(code.count(c) for c in "([{") - sum(code.count(c) for c in ")]}")
        if depth <= 0 and code.endswith(":"):
            return next((r for r in range(row + 1, item.last + 1) if not lines.is_blank(r)), None)
    return None
