"""Open what lies packed in a file, and never more of it than is asked for: zip archives and gzip streams.

Sizes that an archive tells of itself are not believed. Standard library only.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Iterator
from typing import Final

from memcache_lsp.reading.result import UnreadableError

MOST_BYTES: Final = 64 * 1024 * 1024  # unpacked, of one file in all
_PIECE: Final = 256 * 1024
_MOST_MEMBERS: Final = 20_000
_BOMB: Final = "too large inside: it unpacks to more than {:,} bytes"
_ENCRYPTED: Final = 0x1


class Archive:
    """A zip archive that gives no more than a number of bytes in all."""

    def __init__(self, data: bytes, *, limit_bytes: int = MOST_BYTES) -> None:
        """Open it; UnreadableError where it is none."""
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(data))
        except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError) as error:
            raise UnreadableError("broken: it is no archive that can be opened") from error
        if len(self._zip.infolist()) > _MOST_MEMBERS:
            raise UnreadableError(f"too large inside: it holds more than {_MOST_MEMBERS:,} files")
        self._limit = self._left = limit_bytes
        self.names = frozenset(self._zip.namelist())

    def pieces(self, name: str) -> Iterator[bytes]:
        """Yield a member piece by piece; UnreadableError where it is not there, or is not what it should be."""
        try:
            info = self._zip.getinfo(name)
            if info.flag_bits & _ENCRYPTED:
                raise UnreadableError("encrypted: it opens with a password only")
            with self._zip.open(info) as member:
                while piece := member.read(_PIECE):
                    self._left -= len(piece)
                    if self._left < 0:
                        raise UnreadableError(_BOMB.format(self._limit))
                    yield piece
        except KeyError:
            raise UnreadableError(f"broken: {name} is not in it") from None
        except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, OSError, NotImplementedError) as error:
            raise UnreadableError("broken: it cannot be unpacked") from error

    def read(self, name: str, *, limit_bytes: int) -> bytes:
        """Return a member, its first bytes where there are more."""
        data = bytearray()
        for piece in self.pieces(name):
            data += piece
            if len(data) >= limit_bytes:
                break
        return bytes(data[:limit_bytes])


def unzipped(data: bytes, *, limit_bytes: int) -> bytes:
    """Return what a gzip stream holds; UnreadableError where it is broken or more."""
    out = bytearray()
    rest = data
    try:
        while rest and len(out) <= limit_bytes:
            stream = zlib.decompressobj(wbits=31)
            out += stream.decompress(rest, limit_bytes + 1 - len(out))
            if not stream.eof:
                break
            rest = stream.unused_data.lstrip(b"\0")
    except zlib.error as error:
        raise UnreadableError("broken: it cannot be unpacked") from error
    if len(out) > limit_bytes:
        raise UnreadableError(_BOMB.format(limit_bytes))
    if not stream.eof:
        raise UnreadableError("broken: it ends in the middle")
    return bytes(out)
