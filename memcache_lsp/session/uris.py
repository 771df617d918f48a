"""Own the way between the editor's URIs and paths of this machine.

Pure: looks at no file. Names that are not UTF-8 go through as bytes. Must not import anything of this package.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import quote_from_bytes, unquote_to_bytes, urlsplit

_DRIVE = re.compile(r"/[A-Za-z]:(?=/|$)")
_SAFE = "/:@!$&'()*+,;=~-._"


def to_path(uri: str) -> Path | None:
    """Return the path that a `file:` URI names, None where it names none on this machine."""
    try:
        parts = urlsplit(uri)
        raw = unquote_to_bytes(parts.path)
        host = parts.hostname or ""
    except ValueError:  # a malformed host, or half a character
        return None
    if parts.scheme != "file" or host not in {"", "localhost"} or b"\0" in raw or not raw.startswith(b"/"):
        return None
    name = os.fsdecode(raw)
    if os.name == "nt" and _DRIVE.match(name):
        name = name[1:]
    return Path(os.path.normpath(name))


def from_path(path: Path) -> str:
    """Return the `file:` URI of an absolute path."""
    raw = os.fsencode(path.as_posix())
    return "file://" + ("" if raw.startswith(b"/") else "/") + quote_from_bytes(raw, safe=_SAFE)
