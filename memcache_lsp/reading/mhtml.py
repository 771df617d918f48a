"""Read a page that a browser saved as one file (MHTML): the page itself, without its pictures, styles and frames.

Standard library only.
"""

from __future__ import annotations

import email.policy
import re
from collections.abc import Callable, Sequence
from email.errors import MessageError
from email.message import EmailMessage
from email.parser import BytesParser
from typing import Final

from memcache_lsp.reading import page
from memcache_lsp.reading.encoding import decoded
from memcache_lsp.reading.markup import blocks
from memcache_lsp.reading.result import Pages, Reading, UnreadableError

_HEADER: Final = re.compile(rb"\s{0,100}(?:[\x21-\x39\x3b-\x7e]{1,100}:[^\r\n]*(?:\r?\n[ \t][^\r\n]*)*\r?\n)+")
_HEAD: Final = 200_000
_MOST: Final = 4 * 1024 * 1024  # bytes; the page goes first, and its pictures behind it
_MOST_PARTS: Final = 200
_PAGES: Final = frozenset(("text/html", "application/xhtml+xml"))


def read(data: bytes, spent: Callable[[], bool]) -> Reading:
    """Read a page."""
    del spent  # what is read is little
    if not _HEADER.match(data[:_HEAD]):
        raise UnreadableError("broken: it is no saved page")
    try:
        saved = BytesParser(EmailMessage, policy=email.policy.default).parsebytes(data[:_MOST])
        return _read(saved, is_cut=len(data) > _MOST)
    except (MessageError, ValueError, LookupError, RecursionError, AttributeError):
        raise UnreadableError("broken: the page in it cannot be read") from None


def _read(saved: EmailMessage, *, is_cut: bool) -> Reading:
    parts = [part for _, part in zip(range(_MOST_PARTS), saved.walk(), strict=False)]
    part = _page(saved, parts)
    if part is None:
        raise UnreadableError("broken: there is no page in it")
    content = part.get_payload(decode=True)
    found = blocks(decoded(content if isinstance(content, bytes) else b"", part.get_content_charset()))
    out = Pages()
    if is_cut and part is parts[-1]:
        out.problems.append(f"only its first {_MOST:,} bytes were read")
    if not any(block.level for block in found):
        out.heading(1, str(saved.get("Subject") or ""))
    page.write(out, found)
    if not out.lines:
        raise UnreadableError("empty: there is no text in it")
    return out.reading()


def _page(saved: EmailMessage, parts: Sequence[EmailMessage]) -> EmailMessage | None:
    """Return the part that is the page: the one that is named as the first, else the first of its kind."""
    pages = [part for part in parts if part.get_content_type() in _PAGES]
    start = saved.get_param("start")
    named = [part for part in pages if start and part.get("Content-ID") == start]
    return next(iter(named or pages), None)
