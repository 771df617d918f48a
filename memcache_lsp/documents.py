"""Read a file that the scan found and make a document of it, or say why it is none.

Owns opening, decoding and the checks that need a file's content (binary, minified, generated). Nothing but a regular
file is ever read, no symbolic link is followed on the way from the root, and no failure to read is an exception.
Must not import the store or what chunks.
"""

from __future__ import annotations

import codecs
import hashlib
import os
import re
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

from memcache_lsp.config import DEFAULT_MAX_FILE_SIZE_BYTES
from memcache_lsp.languages import LANGUAGES, language_of
from memcache_lsp.redact import redact
from memcache_lsp.scan.folders import unreadable
from memcache_lsp.scan.walk import too_large
from memcache_lsp.values import Document, Found, Skipped

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

BINARY = "binary: its content is not text"
MINIFIED = "minified: most of it lies in very long lines"
GENERATED = "generated: it says so at its beginning"
CHANGED = "unreadable: it was written while it was read"

_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)
_READ = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | _NO_FOLLOW
_FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_CLOEXEC", 0) | _NO_FOLLOW
_OPENS_BENEATH = os.open in os.supports_dir_fd
_BOMS = (  # utf-32 goes first, for its mark begins like that of utf-16
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (codecs.BOM_UTF8, "utf-8-sig"),
)
_CONTROLS = bytes([*range(8), *range(0x0E, 0x1B), *range(0x1C, 0x20), 0x7F])
_MAX_CONTROLS = 0.01  # of all characters; random bytes have a tenth
_LONG_LINE = 1000
_LONG_LINE_IN_PROSE = 20_000  # a paragraph in one line is no sign of a program's work
_MINIFIED_FROM = 4096
_HEAD = 4096
_MOST_BYTES = 64 * 1024 * 1024  # of a file that was indexed, whatever limit was set
_COMMENT = r"^[ \t]*(?://|/\*|\*|#|--|;|%|<!--|\(\*|\"\"\"|'|rem\b|dnl\b|\.\.)[^\r\n]*?"
_GENERATED = re.compile(
    _COMMENT + r"(?:@generated\b|<auto-?generated|\bgenerated\b[^\r\n]*\bdo not (?:edit|modify|change)\b"
    r"|\bdo not (?:edit|modify|change)\b[^\r\n]*\bgenerated\b)",
    re.IGNORECASE | re.MULTILINE,
)


@dataclass(frozen=True, slots=True)
class Loaded:
    """What came of reading a file.

    `hash` is of its raw bytes; it is empty where these could not be read as they stand, so that the next look reads again.
    """

    document: Document | Skipped
    hash: str
    redactions: int = 0


def read_document(root: Path, found: Found, *, max_bytes: int = DEFAULT_MAX_FILE_SIZE_BYTES) -> Loaded:
    """Read a file below `root` that the scan found."""
    try:
        data = _read_beneath(root, found.path, max_bytes)
    except OSError as error:
        return Loaded(Skipped(found.path, unreadable(error)), "")
    except ValueError as error:  # our own sentences, and names the system refuses
        return Loaded(Skipped(found.path, str(error)), "")
    content_hash = hashlib.blake2b(data, digest_size=16).hexdigest()
    text = decode(data)
    if text is None:
        return Loaded(Skipped(found.path, BINARY), content_hash)
    document, redactions = _checked(found.path, text)
    return Loaded(document, content_hash, redactions)


def make_document(path: str, text: str) -> Document | Skipped:
    """Make a document of text that is not from the disk (an editor's buffer), by the same checks."""
    return _checked(path, text)[0]


def text_now(root: Path, path: str) -> str | None:
    """Return a file's present text with its secrets made unreadable, None where it is gone or no text any more."""
    text = raw_text_now(root, path)
    return None if text is None else shown_text(path, text)


def raw_text_now(root: Path, path: str) -> str | None:
    """Return a file's present text as it stands, which may not be shown."""
    try:
        return decode(_read_beneath(root, path, _MOST_BYTES))
    except (OSError, ValueError):
        return None


class ShownTexts:
    """Present texts as they may be shown, for one question: what is read again and has not changed costs nothing."""

    def __init__(self, raw: Callable[[str], str | None]) -> None:
        self._raw = raw
        self._known: dict[str, tuple[str, str]] = {}

    def __call__(self, path: str) -> str | None:
        raw = self._raw(path)
        if raw is None:
            return None
        known = self._known.get(path)
        if known is None or known[0] != raw:
            known = self._known[path] = raw, shown_text(path, raw)
        return known[1]


def shown_text(path: str, text: str) -> str:
    """Return a text as it may be shown, whatever the checks of the index say of it."""
    return redact(text, language_of(path, text[:_HEAD].split("\n", 1)[0].rstrip("\r"))).text


def decode(data: bytes) -> str | None:
    """Decode a file's bytes with its line ends as they are, or return None where they are no text."""
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            text = _decoded(data, encoding)
            return None if text is None or _is_binary(text.encode("utf-8")) else text
    if _is_binary(data):
        return None
    for encoding in ("utf-8", "cp1252"):
        text = _decoded(data, encoding)
        if text is not None:
            return text
    return data.decode("latin-1")


def _decoded(data: bytes, encoding: str) -> str | None:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        return None


def _is_binary(data: bytes) -> bool:
    return b"\0" in data or len(data) - len(data.translate(None, _CONTROLS)) > _MAX_CONTROLS * len(data)


def _checked(path: str, text: str) -> tuple[Document | Skipped, int]:
    head = text[:_HEAD]
    language = language_of(path, head.split("\n", 1)[0].rstrip("\r"))
    known = LANGUAGES.get(language)
    is_prose = known is None or known.is_document
    if _is_minified(text, _LONG_LINE_IN_PROSE if is_prose else _LONG_LINE):
        return Skipped(path, MINIFIED), 0
    if not is_prose and _GENERATED.search(head):
        return Skipped(path, GENERATED), 0
    redacted = redact(text, language)
    return Document(path, redacted.text, language), redacted.count


def _is_minified(text: str, long_line: int) -> bool:
    """Tell whether more than half of the text lies in long lines."""
    if len(text) < _MINIFIED_FROM:
        return False
    lines = text.replace("\r", "\n").split("\n")
    long = sum(length for length in map(len, lines) if length > long_line)
    return 2 * long > len(text)


def _read_beneath(root: Path, path: str, max_bytes: int) -> bytes:
    handle = _open_beneath(root, path)
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            raise ValueError("special file: it is not read")
        if status.st_size > max_bytes:
            raise ValueError(too_large(status.st_size, max_bytes))
        data = b""
        while len(data) <= max_bytes and (part := os.read(handle, max_bytes + 1 - len(data))):
            data += part
        changed = _stamp(os.fstat(handle)) != _stamp(status)
    finally:
        os.close(handle)
    if len(data) > max_bytes:  # it grew since
        raise ValueError(too_large(len(data), max_bytes))
    if changed:
        raise ValueError(CHANGED)
    return data


def _stamp(status: os.stat_result) -> tuple[int, int]:
    return status.st_mtime_ns, status.st_size


def _open_beneath(root: Path, path: str) -> int:
    """Open a file folder by folder, so that no link swapped in since the scan leads out of the root."""
    *above, name = path.split("/")
    if "\0" in path or any(part in {"", ".", ".."} for part in (*above, name)):
        raise ValueError("outside: not a path below the root")
    if not _OPENS_BENEATH:
        return os.open(root.joinpath(*above, name), _READ)
    folder = os.open(root, _FOLDER & ~_NO_FOLLOW)
    try:
        for part in above:
            below = os.open(part, _FOLDER, dir_fd=folder)
            os.close(folder)
            folder = below
        return os.open(name, _READ, dir_fd=folder)
    finally:
        os.close(folder)
