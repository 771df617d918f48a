"""Read mail: a letter, or a box of them (mbox); each with its subject as heading, who wrote it, and its text.

Attachments are named and not read. Standard library only.
"""

from __future__ import annotations

import email.policy
import re
from collections.abc import Callable, Iterator
from email.errors import MessageError
from email.message import EmailMessage
from email.parser import BytesParser
from typing import Final

from memcache_lsp.reading import page
from memcache_lsp.reading.encoding import decoded
from memcache_lsp.reading.markup import blocks
from memcache_lsp.reading.result import Pages, Reading, UnreadableError

_FROM: Final = re.compile(rb"(?:\A|\n)From \S+.*\d{4}\r?\n(?=[\x21-\x39\x3b-\x7e]+:|>From )")
_HEADER: Final = re.compile(rb"(?:\AFrom .*\r?\n)?(?:[\x21-\x39\x3b-\x7e]+:.*(?:\r?\n[ \t].*)*\r?\n)+")
_TOLD: Final = ("From", "To", "Date")
_MOST_LETTER: Final = 2 * 1024 * 1024  # bytes; what is longer carries pictures
_MOST_PARTS: Final = 200


def read(data: bytes, spent: Callable[[], bool]) -> Reading:
    """Read a letter or a box."""
    if not _HEADER.match(data[:200_000].lstrip(b"\r\n")):
        raise UnreadableError("broken: it is no mail")
    out = Pages()
    cut = 0
    for number, letter in enumerate(_letters(data), start=1):
        if spent() or out.full:
            out.problems.append(f"only its first {number - 1} letters were read")
            break
        cut += len(letter) > _MOST_LETTER
        _letter(out, letter[:_MOST_LETTER])
    if cut:
        out.problems.append(f"{cut} letters were read to {_MOST_LETTER:,} bytes each")
    return out.reading()


def _letters(data: bytes) -> Iterator[bytes]:
    starts = [found.start() for found in _FROM.finditer(data)]
    if not starts or starts[0] != 0:
        starts = [0]
    for start, end in zip(starts, [*starts[1:], len(data)], strict=True):
        letter = data[start:end].lstrip(b"\r\n")
        yield letter.partition(b"\n")[2] if letter.startswith(b"From ") else letter


def _letter(out: Pages, data: bytes) -> None:
    try:
        letter = BytesParser(EmailMessage, policy=email.policy.default).parsebytes(data)
        told = {name: _header(letter, name) for name in ("Subject", *_TOLD)}
    except (MessageError, ValueError, LookupError, RecursionError, AttributeError):
        out.problems.append("a letter in it cannot be read")
        return
    out.heading(1, told["Subject"] or "(no subject)")
    for name in _TOLD:
        if told[name]:
            out.write(f"{name}: {told[name]}")
    out.blank()
    try:
        _body(out, letter)
    except (MessageError, ValueError, LookupError, RecursionError, AttributeError):
        out.problems.append("a letter in it cannot be read to its end")
    out.blank()


def _header(letter: EmailMessage, name: str) -> str:
    """Return a header; one that the library cannot take apart, which some are, as it stands."""
    try:
        value = letter.get(name)
    except (MessageError, ValueError, LookupError, AttributeError, TypeError):
        value = dict(letter.raw_items()).get(name)
    return " ".join(str(value or "").split())[:500]


def _body(out: Pages, letter: EmailMessage) -> None:
    parts = [part for _, part in zip(range(_MOST_PARTS), letter.walk(), strict=False) if not part.is_multipart()]
    plain = [part for part in parts if part.get_content_type() == "text/plain" and not part.is_attachment()]
    pages = [part for part in parts if part.get_content_type() == "text/html" and not part.is_attachment()]
    for part in plain or pages:
        text = decoded(_bytes(part), part.get_content_charset())
        if plain:
            out.write(text.strip("\r\n"))
        else:
            page.write(out, blocks(text), below=1)
        out.blank()
    for part in parts:
        if part.is_attachment() and (name := part.get_filename()):
            out.write(f"Attachment: {name[:200]}")


def _bytes(part: EmailMessage) -> bytes:
    data = part.get_payload(decode=True)
    return data if isinstance(data, bytes) else b""
