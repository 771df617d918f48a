"""Read DOCX: paragraphs, lists, tables and headings in their order, by the styles of the document. Standard library only."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, Protocol
from xml.parsers import expat

from memcache_lsp.reading.archive import Archive
from memcache_lsp.reading.result import Pages, Reading, UnreadableError

_BODY: Final = "word/document.xml"
_NOTES: Final = ("word/footnotes.xml", "word/endnotes.xml")
_STYLES: Final = "word/styles.xml"
_HEADING: Final = re.compile(r"heading\s*([1-9])", re.IGNORECASE)
_DEEPEST: Final = 1000
_TWICE: Final = frozenset(("Fallback", "moveFrom"))  # elements that say what another one says too
_OLE: Final = b"\xd0\xcf\x11\xe0"  # what Word makes of a document with a password


def read(data: bytes, spent: Callable[[], bool]) -> Reading:
    """Read a document."""
    if data.startswith(_OLE):
        raise UnreadableError("encrypted: it opens with a password only")
    archive = Archive(data)
    if _BODY not in archive.names:
        raise UnreadableError("broken: there is no document in it")
    styles = _Styles()
    if _STYLES in archive.names:
        _parse(archive, _STYLES, styles)
    body = _Body(styles.levels)
    for name in (_BODY, *(note for note in _NOTES if note in archive.names)):
        if not _parse(archive, name, body, lambda: spent() or body.out.full):
            body.out.problems += [] if body.out.full else ["only its beginning was read"]
            break
    if not body.out.lines:
        raise UnreadableError("empty: there is no text in it")
    return body.out.reading()


class _Handler(Protocol):
    """What is told of the elements of a member."""

    def begun(self, tag: str, attributes: dict[str, str]) -> None: ...

    def said(self, text: str) -> None: ...

    def ended(self, tag: str) -> None: ...


def _parse(archive: Archive, name: str, handler: _Handler, enough: Callable[[], bool] = lambda: False) -> bool:
    """Go through a member; tell whether it was read to its end. Entities are not expanded."""
    depth = 0

    def begun(tag: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > _DEEPEST:
            raise UnreadableError("broken: it is nested too deeply to be read")
        handler.begun(_local(tag), attributes)

    def ended(tag: str) -> None:
        nonlocal depth
        depth -= 1
        handler.ended(_local(tag))

    parser: Any = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = begun
    parser.EndElementHandler = ended
    parser.CharacterDataHandler = handler.said
    parser.StartDoctypeDeclHandler = _refuse
    try:
        for piece in archive.pieces(name):
            parser.Parse(piece, False)
            if enough():
                return False
        parser.Parse(b"", True)
    except expat.ExpatError as error:
        raise UnreadableError("broken: what it holds is no XML") from error
    return True


def _refuse(*_: object) -> None:
    raise UnreadableError("broken: its XML declares entities, which no document has")


def _local(tag: str) -> str:
    return tag.rpartition(":")[2]


class _Styles:
    """Which styles are headings, by their names and levels in the outline."""

    def __init__(self) -> None:
        self.levels: dict[str, int] = {}
        self._style = ""

    def begun(self, tag: str, attributes: dict[str, str]) -> None:
        value = attributes.get("w:val", "")
        if tag == "style":
            self._style = attributes.get("w:styleId", "")
        elif tag == "name" and (found := _HEADING.match(value)):
            self.levels[self._style] = int(found[1])
        elif tag == "name" and value.lower() == "title":
            self.levels[self._style] = 1
        elif tag == "outlineLvl" and value.isdigit() and int(value) < 9:
            self.levels.setdefault(self._style, int(value) + 1)

    def said(self, text: str) -> None:
        """Take no text: a style has none."""

    def ended(self, tag: str) -> None:
        """Take no ends: a style holds no style."""


@dataclass(slots=True)
class _Paragraph:
    """A paragraph that is open; a text box is anchored in one, and holds others."""

    text: list[str] = field(default_factory=list)
    level: int = 0
    is_item: bool = False


class _Body:
    """The text as it comes: what a paragraph or a cell holds within itself is written before its end."""

    def __init__(self, levels: dict[str, int]) -> None:
        self.out = Pages()
        self._levels = levels
        self._open: list[_Paragraph] = []
        self._rows: list[list[str]] = []  # of the tables that are open, one within the other
        self._takes = False
        self._skipped = 0  # elements around, of which nothing is read

    def begun(self, tag: str, attributes: dict[str, str]) -> None:
        if self._skipped or tag in _TWICE:
            self._skipped += tag in _TWICE
        elif tag == "p":
            self._open.append(_Paragraph())
        elif tag == "tbl":
            self.out.blank()
        elif tag == "tr":
            self._rows.append([])
        elif self._open:
            self._within(self._open[-1], tag, attributes.get("w:val", ""))

    def _within(self, paragraph: _Paragraph, tag: str, value: str) -> None:
        if tag == "pStyle":
            found = _HEADING.match(value)
            paragraph.level = self._levels.get(value, int(found[1]) if found else 0)
        elif tag == "outlineLvl" and value.isdigit() and int(value) < 9:
            paragraph.level = int(value) + 1
        elif tag == "numPr":
            paragraph.is_item = True
        elif tag in {"t", "delText"}:
            self._takes = tag == "t"
        elif tag == "tab":
            paragraph.text.append("\t")
        elif tag in {"br", "cr"}:
            paragraph.text.append("\n")

    def said(self, text: str) -> None:
        if self._takes and self._open:
            self._open[-1].text.append(text)

    def ended(self, tag: str) -> None:
        if self._skipped:
            self._skipped -= tag in _TWICE
        elif tag == "t":
            self._takes = False
        elif tag == "p" and self._open:
            self._paragraph(self._open.pop())
        elif tag == "tr" and self._rows:
            self._row(" | ".join(cell for cell in self._rows.pop() if cell))
        elif tag == "tbl":
            self.out.blank()

    def _row(self, text: str) -> None:
        if self._rows:  # of a table within a cell
            self._rows[-1].append(text)
        else:
            self.out.write(text)

    def _paragraph(self, paragraph: _Paragraph) -> None:
        text = "".join(paragraph.text).strip()
        if self._rows:
            self._rows[-1].append(" ".join(text.split()))
        elif paragraph.level:
            self.out.heading(paragraph.level, text)
        elif text:
            if not paragraph.is_item:
                self.out.blank()
            self.out.write(text)
            if not paragraph.is_item:
                self.out.blank()
