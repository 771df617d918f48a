"""Cut a document into chunks: the pieces that are embedded, searched and cited.

`chunk` never raises for any text. Must never read a file; only `syntax` inside may import tree-sitter.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from operator import sub
from typing import Final

from memcache_lsp.chunking import headings, syntax
from memcache_lsp.chunking.headings import script_tags_only
from memcache_lsp.chunking.lines import Lines, split_lines
from memcache_lsp.chunking.outline import KINDS, Outline
from memcache_lsp.chunking.split import HARD_LIMIT, split
from memcache_lsp.languages import LANGUAGES
from memcache_lsp.values import Chunk, Document

__all__ = ["HARD_LIMIT", "KINDS", "Chunked", "chunk", "outline"]

# A `.h` may be C or C++, which its name does not tell.
_CPP: Final = re.compile(
    r"^[ \t]*(?:template[ \t]*<|namespace\b[^;={}]{0,200}\{|class[ \t]+\w+[^;{}()]{0,200}\{|(?:public|private):)",
    re.MULTILINE,
)


@dataclass(frozen=True, slots=True)
class Chunked:
    """The chunks of a document, and what kept it from being read by its syntax."""

    chunks: tuple[Chunk, ...]
    problems: tuple[str, ...] = ()


def chunk(document: Document, *, deadline_s: float = 5.0) -> Chunked:
    """Cut a document into chunks, by its syntax where that is possible, else by blank lines and lines.

    The spans are sorted and do not overlap; every line that is not blank is in one; no chunk is blank or longer than
    `HARD_LIMIT` characters.
    """
    lines = split_lines(document.text)
    outline, problems = _outline(document, lines, deadline_s=deadline_s)
    return Chunked(split(lines, outline), problems)


def outline(document: Document, *, deadline_s: float = 5.0) -> Outline:
    """Return the definitions of a document, as it is cut by them; an empty outline where it is cut by lines."""
    return _outline(document, split_lines(document.text), deadline_s=deadline_s)[0]


def _outline(document: Document, lines: Lines, *, deadline_s: float) -> tuple[Outline, tuple[str, ...]]:
    cuts = [line - 1 for line, _ in document.spots or ()]
    if document.headings is not None:
        return headings.outline_of(lines, document.headings, cuts), ()
    language = LANGUAGES.get(document.language)
    if language is None:
        return Outline(), ()
    by_headings = headings.outline(lines, document.language)
    if by_headings is not None and cuts:
        breaks = {line: level + 1 for line, level in by_headings.breaks.items()}
        by_headings = Outline(by_headings.items, breaks | dict.fromkeys(cuts, 0))
    if language.grammar is None:
        return by_headings or Outline(), ()
    grammar = "cpp" if language.key == "c" and _CPP.search(document.text) else language.grammar
    if reason := _unfit(lines, grammar):
        return by_headings or Outline(), () if by_headings else (reason,)
    text = script_tags_only(document.text) if language.in_script_tags else document.text
    by_syntax = syntax.outline(text, grammar, deadline_s=deadline_s)
    if by_syntax is None:
        return by_headings or Outline(), (f"not parsed within {deadline_s:g} s, so it was split by lines",)
    if by_headings is not None:
        return Outline(by_headings.items, by_syntax.breaks), ()
    return by_syntax, ()


def _unfit(lines: Lines, grammar: str) -> str:
    """Tell why a text must not be parsed: data, minified code, an attack; empty if it may be."""
    if len(lines.text) > syntax.MAX_CHARACTERS:
        return f"more than {syntax.MAX_CHARACTERS:,} characters, so it was split by lines"
    if max(map(sub, lines.ends, lines.starts)) > syntax.MAX_LINE_CHARACTERS:
        return f"a line of more than {syntax.MAX_LINE_CHARACTERS:,} characters, so it was split by lines"
    if syntax.is_hazardous(lines.text, grammar):
        return "nested deeper than its grammar can read, so it was split by lines"
    return ""
