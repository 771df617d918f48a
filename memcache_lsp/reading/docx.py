"""Read DOCX: paragraphs, lists, tables and headings in their order, by the styles of the document. Standard library only."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final, Protocol
from xml.parsers import expat

from memcache_lsp.reading.archive import Archive
from memcache_lsp.reading.result import Pages, Reading, UnreadableError

_BODY: Final = "word/document.xml"
_NOTES: Final = ("word/footnotes.xml", "word/endnotes.xml")
_STYLES: Final = "word/styles.xml"
_HEADING: Final = re.compile(r"heading\s*([1-9])", re.IGNORECASE)
_DEEPEST: Final = 1000
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


class _Body:
    """The text as it comes."""

    def __init__(self, levels: dict[str, int]) -> None:
        self.out = Pages()
        self._levels = levels
        self._text: list[str] = []
        self._level = self._tables = 0
        self._takes = False
        self._item = False
        self._row: list[str] = []

    def begun(self, tag: str, attributes: dict[str, str]) -> None:
        value = attributes.get("w:val", "")
        if tag == "p":
            self._text, self._level, self._item = [], 0, False
        elif tag == "pStyle":
            found = _HEADING.match(value)
            self._level = self._levels.get(value, int(found[1]) if found else 0)
        elif tag == "outlineLvl" and value.isdigit() and int(value) < 9:
            self._level = int(value) + 1
        elif tag == "numPr":
            self._item = True
        elif tag in {"t", "delText"}:
            self._takes = tag == "t"
        elif tag == "tab":
            self._text.append("\t")
        elif tag in {"br", "cr"}:
            self._text.append("\n")
        elif tag == "tbl":
            self.out.blank()
            self._tables += 1
        elif tag == "tr":
            self._row = []

    def said(self, text: str) -> None:
        if self._takes:
            self._text.append(text)

    def ended(self, tag: str) -> None:
        if tag == "t":
            self._takes = False
        elif tag == "p":
            self._paragraph("".join(self._text).strip())
            self._text = []
        elif tag == "tr":
            self.out.write(" | ".join(cell for cell in self._row if cell))
        elif tag == "tbl":
            self._tables -= 1
            self.out.blank()

    def _paragraph(self, text: str) -> None:
        if self._tables:
            self._row.append(" ".join(text.split()))
        elif self._level:
            self.out.heading(self._level, text)
        elif text:
            if not self._item:
                self.out.blank()
            self.out.write(text)
            if not self._item:
                self.out.blank()
