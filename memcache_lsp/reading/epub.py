"""Read EPUB: the chapters in the order of the book, their headings, without pictures and styles. Standard library only."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable
from html import unescape
from typing import Final
from urllib.parse import unquote

from memcache_lsp.reading import page
from memcache_lsp.reading.archive import Archive
from memcache_lsp.reading.markup import blocks
from memcache_lsp.reading.result import Pages, Reading, UnreadableError

_CONTAINER: Final = "META-INF/container.xml"
_LIST_BYTES: Final = 4 * 1024 * 1024
_CHAPTER_BYTES: Final = 4 * 1024 * 1024
_MOST_CHAPTERS: Final = 5000
_TAG: Final = re.compile(r"<(?:\w+:)?(rootfile|item|itemref)\b([^<>]{0,4000})>")
_ATTRIBUTE: Final = re.compile(r"([\w:-]{1,40})\s{0,10}=\s{0,10}(?:\"([^\"<>]{0,2000})\"|'([^'<>]{0,2000})')")
_PAGES: Final = ("html", "htm", "xhtml", "xml")


def read(data: bytes, spent: Callable[[], bool]) -> Reading:
    """Read a book."""
    archive = Archive(data)
    if "META-INF/rights.xml" in archive.names:
        raise UnreadableError("encrypted: it is protected against reading")
    out = Pages()
    chapters = _chapters(archive)
    missing = cut = 0
    for number, name in enumerate(chapters):
        if spent() or out.full:
            out.problems.append(f"only its first {number} of {len(chapters)} chapters were read")
            break
        if name not in archive.names:
            missing += 1
            continue
        data = archive.read(name, limit_bytes=_CHAPTER_BYTES)
        cut += len(data) == _CHAPTER_BYTES
        text = data.decode("utf-8", "replace")
        out.blank()
        page.write(out, blocks(text))
        out.blank()
    if missing:
        out.problems.append(f"{missing} of its {len(chapters)} chapters are not in it")
    if cut:
        out.problems.append(f"{cut} of its {len(chapters)} chapters were read to {_CHAPTER_BYTES:,} bytes each")
    if not out.lines:
        raise UnreadableError("empty: there is no text in it")
    return out.reading()


def _chapters(archive: Archive) -> list[str]:
    """Return the files of the book in the order in which they are read."""
    book = _attributes(archive, _CONTAINER, "rootfile")
    if not book or "full-path" not in book[0]:
        raise UnreadableError("broken: it does not say what is in it")
    path = book[0]["full-path"]
    items = {each.get("id", ""): each for each in _attributes(archive, path, "item")}
    order = [items[ref["idref"]] for ref in _attributes(archive, path, "itemref") if ref.get("idref") in items]
    files = [each.get("href", "") for each in order if each.get("properties") != "nav"]
    base = posixpath.dirname(path)
    names = (posixpath.normpath(posixpath.join(base, unquote(name.partition("#")[0]))) for name in files)
    wanted = [name for name in names if name.rpartition(".")[2].lower() in _PAGES]
    return list(dict.fromkeys(wanted))[:_MOST_CHAPTERS]


def _attributes(archive: Archive, name: str, tag: str) -> list[dict[str, str]]:
    """Return the attributes of each such tag of a list, which are all that is asked of it."""
    text = archive.read(name, limit_bytes=_LIST_BYTES).decode("utf-8", "replace")
    return [
        {each[1]: unescape(each[2] or each[3] or "") for each in _ATTRIBUTE.finditer(found[2])}
        for found in _TAG.finditer(text)
        if found[1] == tag
    ]
