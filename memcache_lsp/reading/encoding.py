"""Decode text whose encoding nothing tells. The only module that imports charset_normalizer."""

from __future__ import annotations

import codecs
from typing import Final

_LOOKED_AT: Final = 64 * 1024  # bytes by which an encoding is told
_USUAL: Final = "cp1252"
_HIGH: Final = bytes(range(0x80, 0x100))
_LEAST: Final = 12
_SHARE: Final = 0.15  # of all bytes: another script


def decoded(data: bytes, told: str | None = None, *, whole: bool = True) -> str:
    """Decode as told, else as UTF-8, else by what the bytes look like; unless they are `whole`, the last may be cut."""
    for name in (told, "utf-8"):
        if name:
            try:
                return decoded_as(name, data, whole=whole)
            except (UnicodeError, LookupError, ValueError):
                continue
    name = guessed(data, whole=whole)
    try:
        return decoded_as(name, data, whole=whole)
    except (UnicodeError, LookupError):
        return data.decode("latin-1")


def decoded_as(encoding: str, data: bytes, *, whole: bool = True) -> str:
    """Decode; a character that was cut at the end of what is not `whole` is left out."""
    return data.decode(encoding) if whole else codecs.getincrementaldecoder(encoding)().decode(data)


def guessed(data: bytes, *, whole: bool = True) -> str:
    """Return the encoding that text which is no UTF-8 is most likely in."""
    sample = data[:_LOOKED_AT]
    if not whole or len(data) > len(sample):  # half a character would speak against the right encoding
        sample = sample[: sample.rfind(b"\n") + 1] or sample
    high = len(sample) - len(sample.translate(None, _HIGH))
    if high < _LEAST or high < _SHARE * len(sample):  # the accents of a western language, or too few to tell by
        return _USUAL
    from charset_normalizer import from_bytes  # noqa: PLC0415 - most runs meet no such file

    best = from_bytes(sample, cp_exclusion=["utf_7"]).best()
    return best.encoding if best is not None else _USUAL
