"""Cut a stream into pieces to be passed on as they are, whole frames where that is possible.

Unlike `session.framing`, which judges frames for who reads them, nothing is dropped or repaired here: the pieces joined
are the stream. Pure; imports the standard library only.

**Invariant:** the same bytes give the same frames, however they are split; the pieces joined are the bytes.
**Invariant:** no more is held than one frame of `limit_bytes` or one header; what is larger passes in parts.
"""

from __future__ import annotations

import json
import re
from enum import Enum
from typing import Any

_HEADER_BYTES = 8 * 1024
_LENGTH_DIGITS = 13
_CHARSET = re.compile(rb"content-type:[^\r\n]*;\s*charset\s*=\s*\"?([^\s;\"]*)", re.IGNORECASE)
_NAME = b"!#$%&'*+.^_`|~-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


class Kind(Enum):
    """What a piece is of its stream."""

    FRAME = "a whole frame"
    FIRST = "the header of a frame that is too large to be held"
    MORE = "a part of its content"
    LAST = "its last part"
    RAW = "bytes of a stream of which nobody can tell any more where frames begin"


class Piece:
    """Bytes to be passed on, and what they are."""

    __slots__ = ("_body_at", "data", "kind")

    def __init__(self, kind: Kind, data: bytes, body_at: int = 0) -> None:
        self.kind = kind
        self.data = data
        self._body_at = body_at

    def message(self) -> dict[str, Any] | None:
        """Return the message in a whole frame; None where there is none that we understand."""
        if self.kind is not Kind.FRAME:
            return None
        charset = _CHARSET.search(self.data, 0, self._body_at)
        if charset and charset[1].lower() not in {b"utf-8", b"utf8"}:
            return None  # the session skips it, too
        try:
            message = json.loads(self.data[self._body_at :].decode())
        except (ValueError, RecursionError):
            return None
        return message if isinstance(message, dict) else None


def frame(message: dict[str, Any]) -> bytes:
    """Return a message as it is sent."""
    body = json.dumps(message, separators=(",", ":")).encode()
    return b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


class Splitter:
    """Cut one direction of a connection."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit = limit_bytes
        self._buffer = bytearray()
        self._seen = 0  # of the buffer: whole header lines
        self._length: int | None = None
        self._body_at: int | None = None  # in the buffer, once the header is complete
        self._passing = 0  # bytes still to come of a frame that is too large
        self.raw = False

    @property
    def within(self) -> bool:
        """Tell whether a frame was begun to be passed on and is not complete."""
        return self._passing > 0

    def feed(self, data: bytes) -> list[Piece]:
        """Take the next bytes and give the pieces that they complete."""
        self._buffer += data
        pieces: list[Piece] = []
        while piece := self._next():
            pieces.append(piece)
        return pieces

    def rest(self) -> bytes:
        """Give what is held at the end of the stream."""
        return self._take(len(self._buffer))

    def _next(self) -> Piece | None:
        if self.raw:
            return Piece(Kind.RAW, self.rest()) if self._buffer else None
        if self._passing:
            return self._part()
        if self._body_at is None and not self._read_header():
            return self._next() if self.raw else None
        assert self._body_at is not None
        assert self._length is not None
        body_at, end = self._body_at, self._body_at + self._length
        if self._length > self._limit:
            self._passing = self._length
            self._reset()
            return Piece(Kind.FIRST, self._take(body_at))
        if len(self._buffer) < end:
            return None
        self._reset()
        return Piece(Kind.FRAME, self._take(end), body_at)

    def _part(self) -> Piece | None:
        data = self._take(min(self._passing, len(self._buffer)))
        self._passing -= len(data)
        if not data:
            return None
        return Piece(Kind.MORE if self._passing else Kind.LAST, data)

    def _read_header(self) -> bool:
        """Go through whole lines; True at the end of a header, False where more is needed or all is lost."""
        while (end := self._buffer.find(b"\n", self._seen, _HEADER_BYTES)) >= 0:
            line = bytes(self._buffer[self._seen : end]).removesuffix(b"\r")
            self._seen = end + 1
            if line:
                self.raw = not self._read_line(line)
            elif self._length is not None:
                self._body_at = self._seen
                return True
            else:  # a blank line between frames does no harm; after other headers the length is missing
                self.raw = bool(bytes(self._buffer[: self._seen]).strip())
            if self.raw:
                return False
        self.raw = len(self._buffer) >= _HEADER_BYTES
        return False

    def _read_line(self, line: bytes) -> bool:
        name, colon, value = line.partition(b":")
        name, value = name.rstrip(b" \t"), value.strip(b" \t")
        if not colon or not name or name.translate(None, _NAME):
            return False
        if name.lower() != b"content-length":
            return True
        if not value.isdigit() or len(value) > _LENGTH_DIGITS or self._length not in {None, int(value)}:
            return False
        self._length = int(value)
        return True

    def _reset(self) -> None:
        self._seen, self._length, self._body_at = 0, None, None

    def _take(self, count: int) -> bytes:
        with memoryview(self._buffer) as view:
            data = bytes(view[:count])
        del self._buffer[:count]
        return data
