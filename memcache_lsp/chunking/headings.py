"""Outline documents by their headings: Markdown, reStructuredText, Org, HTML and LaTeX.

Owns what a heading is in each; scans lines directly, for sections need nothing else of the grammar, and prose is the
text that grammars read least well. Must never import tree-sitter.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from html import unescape
from types import MappingProxyType
from typing import Final

from memcache_lsp.chunking.lines import Lines
from memcache_lsp.chunking.outline import Item, Outline
from memcache_lsp.values import Heading

_MAX_TITLE: Final = 200
_MAX_LINE: Final = 400  # no heading is longer, and patterns that backtrack never see more


def outline_of(lines: Lines, headings: tuple[Heading, ...], cuts: Iterable[int]) -> Outline:
    """Outline a text whose headings are known; it is cut best before the lines of `cuts`, counted from 0."""
    breaks = {line: level + 1 for line, level in _paragraphs(lines, bytearray(lines.count)).items()}
    breaks |= {line: 0 for line in cuts if 0 < line < lines.count}
    return Outline(_sections(headings, lines.count), breaks)


def outline(lines: Lines, language: str) -> Outline | None:
    """Outline a document by its headings; None for a language without."""
    scan = _SCANNERS.get(language)
    if scan is None:
        return None
    inside = bytearray(lines.count)  # 1 for lines that must stay with the line before: in a fence, a directive
    headings = tuple(scan(lines, inside))
    return Outline(_sections(headings, lines.count), _paragraphs(lines, inside))


def _sections(headings: Iterable[Heading], count: int) -> tuple[Item, ...]:
    """Let each section run to the next heading of its level or above."""
    items: list[Item] = []
    open_headings: list[Heading] = []

    def close(until: int, level: int) -> None:
        while open_headings and open_headings[-1].level >= level:
            heading = open_headings.pop()
            items.append(
                Item(heading.first, until, heading.first, until - 1, heading.title, "section", heading.line),
            )

    for heading in headings:
        close(heading.first, heading.level)
        open_headings.append(heading)
    close(count, 0)
    return tuple(sorted(items, key=lambda item: (item.start, -item.end)))


def _paragraphs(lines: Lines, inside: bytearray) -> dict[int, int]:
    """Break between paragraphs, rather before one that is not indented, and never inside a fence."""
    breaks: dict[int, int] = {}
    for line in range(1, lines.count):
        if inside[line] or lines.is_blank(line):
            continue
        if lines.is_blank(line - 1):
            breaks[line] = 1 if _line(lines, line)[0] in " \t" else 0
    return breaks


def _line(lines: Lines, number: int) -> str:
    start = lines.starts[number]
    return lines.text[start : min(lines.ends[number], start + _MAX_LINE)]


def _title(text: str) -> str:
    return " ".join(text.split())[:_MAX_TITLE]


_FENCE: Final = re.compile(r" {0,3}(?:> ?)*(`{3,}|~{3,})(.*)")
_ATX: Final = re.compile(r" {0,3}(#{1,6})(?:[ \t]+(.*?))?(?:[ \t]+#+)?[ \t]*$")
_SETEXT: Final = re.compile(r" {0,3}(=+|-+)[ \t]*$")
_NO_PARAGRAPH: Final = re.compile(r"[ \t]*(?:[-*+>|#]|\d+[.)])(?:[ \t]|$)|    |\t|[ ]{0,3}<|[ \t]*\|")
_MARKDOWN_LINK: Final = re.compile(r"!?\[([^\[\]]*)\](?:\([^()]*\)|\[[^\[\]]*\])")
_MARKDOWN_TAIL: Final = re.compile(r"\s*\{[#.:][^{}]*\}$|<[^<>]*>")


def _markdown(  # noqa: C901 - one scanner, one state each for fence and comment
    lines: Lines, inside: bytearray
) -> Iterator[Heading]:
    """Scan ATX and setext headings outside fences, HTML comments and front matter."""
    start = _front_matter(lines)
    fence = ""
    in_comment = False
    for number in range(start, lines.count):
        line = _line(lines, number)
        if fence:
            inside[number] = 1
            closing = _FENCE.match(line)
            if closing and closing[1].startswith(fence) and not closing[2].strip():
                fence = ""
        elif in_comment:
            inside[number] = 1
            in_comment = "-->" not in line
        elif (opening := _FENCE.match(line)) and not (opening[1][0] == "`" and "`" in opening[2]):
            fence = opening[1]
        elif line.lstrip().startswith("<!--") and "-->" not in line:
            in_comment = True
        elif atx := _ATX.match(line):
            if title := _markdown_title(atx[2] or ""):
                yield Heading(len(atx[1]), title, number, number)
        elif number > start and (under := _SETEXT.match(line)):
            before = _line(lines, number - 1)
            is_text = not lines.is_blank(number - 1) and not inside[number - 1] and not _NO_PARAGRAPH.match(before)
            if is_text and not _FENCE.match(before) and not _SETEXT.match(before):
                inside[number] = 1
                yield Heading(1 if under[1][0] == "=" else 2, _markdown_title(before), number - 1, number - 1)


def _markdown_title(text: str) -> str:
    text = _MARKDOWN_TAIL.sub("", _MARKDOWN_LINK.sub(r"\1", text))
    return _title(text.replace("`", "").replace("**", ""))


def _front_matter(lines: Lines) -> int:
    """Give the line after a YAML or TOML front matter, whose `---` would be read as a heading's underline."""
    mark = _line(lines, 0).rstrip()
    if mark in {"---", "+++"}:
        for number in range(1, lines.count):
            if _line(lines, number).rstrip() == mark:
                return number + 1
    return 0


_RST_LINE: Final = re.compile(r"([!-/:-@\[-`{-~])\1*[ \t]*$")
_RST_ROLE: Final = re.compile(r":[\w:+.-]+:`([^`<]*?)(?:\s*<[^`>]*>)?`|`([^`<]*?)(?:\s*<[^`>]*>)?`__?|[`*]{1,2}")


def _rst(lines: Lines, inside: bytearray) -> Iterator[Heading]:
    """Scan titles by their under- and overlines; a style's level is the order in which it first appears."""
    styles: list[tuple[str, bool]] = []
    number = 0
    while number < lines.count:
        found = _rst_title(lines, number)
        if found is None:
            number += 1
            continue
        mark, has_overline, title_line = found
        style = (mark, has_overline)
        if style not in styles:
            styles.append(style)
        for line in range(number + 1, title_line + 2):
            inside[line] = 1
        title = _RST_ROLE.sub(lambda match: match[1] or match[2] or "", _line(lines, title_line))
        yield Heading(styles.index(style) + 1, _title(title), number, title_line)
        number = title_line + 2


def _rst_title(lines: Lines, number: int) -> tuple[str, bool, int] | None:
    """Tell whether a title begins on a line: its mark, whether it has an overline, the line of its text."""
    if number + 1 >= lines.count or lines.is_blank(number):
        return None
    if number > 0 and not lines.is_blank(number - 1) and not _line(lines, number - 1).startswith(".. "):
        return None
    line, under = _line(lines, number), _line(lines, number + 1).rstrip()
    if _RST_LINE.match(line) and number + 2 < lines.count:
        last = _line(lines, number + 2).rstrip()
        is_title = len(line.rstrip()) >= 3 and last == line.rstrip() and under and not _RST_LINE.match(under)
        return (line[0], True, number + 1) if is_title else None
    if line[0] in " \t" or not _RST_LINE.match(under) or _RST_LINE.match(line):
        return None
    is_long_enough = len(under) >= len(line.rstrip()) or len(under) >= 4
    return (under[0], False, number) if is_long_enough and not line.startswith("..") else None


_ORG_HEADING: Final = re.compile(r"(\*+)[ \t]+(.*)$")
_ORG_TAGS: Final = re.compile(r"[ \t]+:[\w@#%:]+:[ \t]*$")
_ORG_STATE: Final = re.compile(
    r"(?:(?:TODO|DONE|NEXT|WAITING|HOLD|CANCELLED|CANCELED|STARTED|SOMEDAY)\s+)?(?:\[#\w\]\s+)?"
)
_ORG_BLOCK: Final = re.compile(r"[ \t]*#\+(begin|end)_(\w+)", re.IGNORECASE)
_ORG_LINK: Final = re.compile(r"\[\[[^\[\]]*\]\[([^\[\]]*)\]\]")


def _org(lines: Lines, inside: bytearray) -> Iterator[Heading]:
    """Scan headlines outside source blocks; a line of stars always ends a block that was never closed."""
    block = ""
    for number in range(lines.count):
        line = _line(lines, number)
        if mark := _ORG_BLOCK.match(line):
            inside[number] = 1 if block else 0
            if mark[1].lower() == "begin":
                block = block or mark[2].lower()
            elif mark[2].lower() == block:
                block = ""
        elif block:
            inside[number] = 1
        elif heading := _ORG_HEADING.match(line):
            text = _ORG_LINK.sub(r"\1", _ORG_TAGS.sub("", heading[2]))
            if title := _title(text[_ORG_STATE.match(text).end() :]):  # type: ignore[union-attr]
                yield Heading(len(heading[1]), title, number, number)


_ASCIIDOC_HEADING: Final = re.compile(r"(={1,6}|#{1,6})[ \t]+(\S.*?)(?:[ \t]+\1)?[ \t]*$")
_ASCIIDOC_FENCE: Final = re.compile(r"(-{4,}|\.{4,}|={4,}|\*{4,}|_{4,}|\+{4,}|/{4,}|\|===+|```)")
_ASCIIDOC_LITERAL: Final = frozenset("-./+`")


def _asciidoc(lines: Lines, inside: bytearray) -> Iterator[Heading]:
    """Scan titles outside of literal blocks and comments; the document's own title is above all others."""
    fence = ""
    for number in range(lines.count):
        line = _line(lines, number)
        mark = _ASCIIDOC_FENCE.fullmatch(line.rstrip())
        if fence:
            inside[number] = 1
            fence = "" if mark and mark[1] == fence else fence
        elif mark or (line.startswith("```")):
            opens = mark[1] if mark else "```"
            fence = opens if opens[0] in _ASCIIDOC_LITERAL else ""
        elif heading := _ASCIIDOC_HEADING.match(line):
            title = heading[2].replace("`", "").replace("*", "")
            yield Heading(len(heading[1]), _title(title), number, number)


_INFO_UNDERLINES: Final = "*=-."


def _info(lines: Lines, inside: bytearray) -> Iterator[Heading]:
    """Scan titles by the marks under them, which tell the level; the lines that only lead to other nodes are none."""
    for number in range(1, lines.count):
        under, title = _line(lines, number).rstrip(), _line(lines, number - 1).rstrip()
        if len(under) < 3 or under[0] not in _INFO_UNDERLINES or under.strip(under[0]):
            continue
        if title[:1].strip() and abs(len(title) - len(under)) <= 2:
            inside[number] = 1
            yield Heading(_INFO_UNDERLINES.index(under[0]) + 1, _title(title), number - 1, number - 1)


_LATEX_LEVELS: Final = ("part", "chapter", "section", "subsection", "subsubsection", "paragraph", "subparagraph")
_LATEX_HEADING: Final = re.compile(rf"\s*\\({'|'.join(_LATEX_LEVELS)})\*?(?:\[[^\]]*\])?\{{(.*)")
_LATEX_COMMAND: Final = re.compile(r"\\[A-Za-z]+\*?|[{}$~]")
_LATEX_VERBATIM: Final = re.compile(r"\s*\\(begin|end)\{(verbatim|lstlisting|minted|Verbatim|comment)\*?\}")


def _latex(lines: Lines, inside: bytearray) -> Iterator[Heading]:
    """Scan sectioning commands outside verbatim text."""
    verbatim = False
    for number in range(lines.count):
        line = _line(lines, number)
        if mark := _LATEX_VERBATIM.match(line):
            inside[number] = verbatim
            verbatim = mark[1] == "begin"
        elif verbatim:
            inside[number] = 1
        elif heading := _LATEX_HEADING.match(line):
            text = _braced(heading[2]).replace("\\_", "_").replace("\\&", "&")
            yield Heading(_LATEX_LEVELS.index(heading[1]) + 1, _title(_LATEX_COMMAND.sub("", text)), number, number)


def _braced(text: str) -> str:
    """Give what stands before the brace that closes the one before the text."""
    depth = 1
    for index, character in enumerate(text):
        depth += {"{": 1, "}": -1}.get(character, 0)
        if depth == 0:
            return text[:index]
    return text


_HTML_SKIPPED: Final = re.compile(
    r"<!--.*?(?:-->|\Z)|<(script|style|template|textarea|pre)\b[^>]{0,2000}>.*?(?:</\1\s*>|\Z)",
    re.DOTALL | re.IGNORECASE,
)
_HTML_HEADING: Final = re.compile(r"<h([1-6])\b[^>]{0,2000}>(.{0,2000}?)</h\1\s*>", re.DOTALL | re.IGNORECASE)
_HTML_TAG: Final = re.compile(r"<[^<>]*>")


def _html(lines: Lines, inside: bytearray) -> Iterator[Heading]:
    """Scan h1 to h6 outside comments, scripts, styles and preformatted text; the first heading of a line counts."""
    text = lines.text
    skipped = [match.span() for match in _HTML_SKIPPED.finditer(text)]
    number, at = 0, 0
    for match in _HTML_HEADING.finditer(text):
        while at < len(skipped) and skipped[at][1] <= match.start():
            at += 1
        if at < len(skipped) and skipped[at][0] <= match.start():
            continue
        before = number
        while number + 1 < lines.count and lines.starts[number + 1] <= match.start():
            number += 1
        title = _title(unescape(_HTML_TAG.sub(" ", match[2])))
        if title and (number > before or number == 0):
            yield Heading(int(match[1]), title, number, number)
        last = number
        while last + 1 < lines.count and lines.starts[last + 1] < match.end():
            last += 1
            inside[last] = 1


_SCANNERS: Final[Mapping[str, Callable[[Lines, bytearray], Iterator[Heading]]]] = MappingProxyType(
    {
        "markdown": _markdown,
        "notebook": _markdown,
        "rst": _rst,
        "org": _org,
        "latex": _latex,
        "html": _html,
        "asciidoc": _asciidoc,
        "info": _info,
    }
)


_SCRIPT: Final = re.compile(r"<script\b[^>]{0,2000}>(.*?)(?:</script\s*>|\Z)", re.DOTALL | re.IGNORECASE)
_NOT_LINE_END: Final = re.compile(r"[^\r\n]+")


def script_tags_only(text: str) -> str:
    """Blank out everything but the content of `<script>`, so that lines and offsets stay as they are."""

    def blank(part: str) -> str:
        return _NOT_LINE_END.sub(lambda match: " " * len(match[0]), part)

    parts, at = [], 0
    for match in _SCRIPT.finditer(text):
        parts += [blank(text[at : match.start(1)]), match[1]]
        at = match.end(1)
    return "".join((*parts, blank(text[at:])))
