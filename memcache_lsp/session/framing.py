"""Own the frames of the protocol: bytes in, bodies out, however the bytes are split; and bodies into bytes.

Pure: no stream, no JSON. Must not import anything of this package.

**Invariant:** the same bytes give the same frames, however they are split.
**Invariant:** no more than one frame of `MAX_FRAME_BYTES` is ever held.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_FRAME_BYTES = 64 * 1024 * 1024
MAX_HEADER_BYTES = 8 * 1024
MAX_SKIPPED_BYTES = 2**40  # whoever announces more did not mean it

_LENGTH = re.compile(rb"[0-9]{1,20}")
_CHARSET = re.compile(rb";\s*charset\s*=\s*\"?([^\s;\"]*)", re.IGNORECASE)
_HEADER = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+)[ \t]*:[ \t]*(.*?)[ \t]*")


@dataclass(frozen=True, slots=True)
class Body:
    """The content of a frame."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Skipped:
    """A frame whose content is not given, and why; the next one is in its place."""

    why: str


@dataclass(frozen=True, slots=True)
class Lost:
    """Nobody can tell where the next frame begins: nothing comes after this."""

    why: str


Frame = Body | Skipped | Lost


class Framer:
    """Cut a stream of bytes into frames."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._seen = 0  # of the buffer, while headers are read: there is no line's end before
        self._header_bytes = 0
        self._headers: dict[bytes, bytes] = {}
        self._need: int | None = None  # bytes of the body, None while headers are read
        self._skip = ""  # why the body at hand is thrown away
        self._lost = False

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Take the next bytes and give the frames that are complete with them."""
        if self._lost:
            return
        self._buffer += data
        while True:
            frame = self._header() if self._need is None else self._body()
            if frame is None:
                return
            if not isinstance(frame, _More):
                yield frame
            if isinstance(frame, Lost):
                self._lost = True
                self._buffer.clear()
                return

    def _body(self) -> Frame | _More | None:
        assert self._need is not None
        if self._skip:
            thrown = min(self._need, len(self._buffer))
            del self._buffer[:thrown]
            self._need -= thrown
            return self._ended(Skipped(self._skip)) if self._need == 0 else None
        if len(self._buffer) < self._need:
            return None
        with memoryview(self._buffer) as view:
            data = bytes(view[: self._need])
        del self._buffer[: self._need]
        return self._ended(Body(data))

    def _ended(self, frame: Frame) -> Frame:
        self._need, self._skip, self._headers, self._header_bytes = None, "", {}, 0
        return frame

    def _header(self) -> Frame | _More | None:
        end = self._buffer.find(b"\n", self._seen)
        line_bytes = (len(self._buffer) if end < 0 else end + 1) if end < MAX_HEADER_BYTES else MAX_HEADER_BYTES + 1
        if self._header_bytes + line_bytes > MAX_HEADER_BYTES:
            return Lost(f"the headers of a frame exceed {MAX_HEADER_BYTES} bytes")
        if end < 0:
            self._seen = len(self._buffer)
            return None
        line = bytes(self._buffer[:end]).removesuffix(b"\r")
        del self._buffer[: end + 1]
        self._seen = 0
        if not line:
            return self._headers_end() if self._headers else _MORE  # blank lines between frames do no harm
        self._header_bytes += end + 1
        return self._take(line)

    def _take(self, line: bytes) -> Lost | _More:
        parsed = _HEADER.fullmatch(line)
        if parsed is None:
            return Lost("a line among the headers is no header")
        name, value = parsed[1].lower(), parsed[2]
        if name == b"content-length" and self._headers.get(name, value) != value:
            return Lost("two Content-Length headers differ")
        self._headers[name] = value
        return _MORE

    def _headers_end(self) -> Lost | _More:
        length = self._headers.get(b"content-length")
        if length is None:
            return Lost("a frame has no Content-Length header")
        if not _LENGTH.fullmatch(length) or int(length) > MAX_SKIPPED_BYTES:
            return Lost("a Content-Length header is no length")
        self._need = int(length)
        charset = _CHARSET.search(self._headers.get(b"content-type", b""))
        if self._need > MAX_FRAME_BYTES:
            self._skip = f"The message is larger than {MAX_FRAME_BYTES} bytes and was skipped."
        elif charset and charset[1].lower() not in {b"utf-8", b"utf8"}:
            self._skip = "The message is not in UTF-8 by its Content-Type header and was skipped."
        return _MORE


class _More:
    """Say that a step was made and the next one may be."""


_MORE = _More()


def encode_frame(body: bytes) -> bytes:
    """Put the header before a body."""
    return b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
