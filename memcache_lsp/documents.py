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
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from memcache_lsp.config import SizeLimits
from memcache_lsp.languages import LANGUAGES, is_container, language_of
from memcache_lsp.reading.encoding import decoded, decoded_as
from memcache_lsp.reading.formats import missing, read_in_place
from memcache_lsp.reading.result import Reading, UnreadableError
from memcache_lsp.reading.table import HEAD_BYTES
from memcache_lsp.redact import redact
from memcache_lsp.reports import Skipped
from memcache_lsp.scan.folders import unreadable
from memcache_lsp.scan.walk import too_large
from memcache_lsp.values import Document, Found, Heading

BINARY = "binary: its content is not text"
MINIFIED = "minified: most of it lies in very long lines"
GENERATED = "generated: it says so at its beginning"
_NO_FAULT = ("empty:", "scanned:")  # reasons of files that are what they should be
CHANGED = "unreadable: it was written while it was read"
EMPTY = "empty: there is nothing in it"

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
_COMMENT = r"^[ \t]*(?://|/\*|\*|#|--|;|%|<!--|\(\*|\"\"\"|'|rem\b|dnl\b|\.\.)[^\r\n]*?"
_GENERATED = re.compile(
    _COMMENT + r"(?:@generated\b|<auto-?generated|\bgenerated\b[^\r\n]*\bdo not (?:edit|modify|change)\b"
    r"|\bdo not (?:edit|modify|change)\b[^\r\n]*\bgenerated\b)",
    re.IGNORECASE | re.MULTILINE,
)


Extract = Callable[[str, bytes, str], Reading]  # a container's path, bytes and their hash; raises UnreadableError


@dataclass(frozen=True, slots=True)
class Loaded:
    """What came of reading a file.

    `hash` is of its raw bytes; it is empty where these could not be read as they stand, so that the next look reads again.
    """

    document: Document | Skipped | None  # None: its hash is the one that was known
    hash: str
    redactions: int = 0
    failed: bool = False  # it is of a kind that is indexed, and could not be
    problems: tuple[str, ...] = ()  # what of it was not read


def read_document(
    root: Path, found: Found, *, limits: SizeLimits | None = None, known_hash: str = "", extract: Extract | None = None
) -> Loaded:
    """Read a file below `root` that the scan found; `extract` reads those that are no text."""
    if is_container(found.path) and (reason := missing(found.path)):
        return Loaded(Skipped(found.path, reason), "")
    try:
        data = read_beneath(root, found.path, (limits or SizeLimits()).of(found.path))
    except OSError as error:
        return Loaded(Skipped(found.path, unreadable(error)), "")
    except ValueError as error:  # our own sentences, and names the system refuses
        return Loaded(Skipped(found.path, str(error)), "")
    content = hash_of(data)
    if content == known_hash:
        return Loaded(None, content)
    if is_container(found.path):
        return _loaded_container(found.path, data, content, extract)
    text = decoded_text(found.path, data)
    if text is None:
        return Loaded(Skipped(found.path, BINARY), content)
    document, redactions = _checked(found.path, text)
    return Loaded(document, content, redactions)


def _shown(headings: tuple[Heading, ...] | None, language: str) -> tuple[Heading, ...] | None:
    """Return headings as they may be shown: a subject or a title may hold a secret, as text does."""
    if headings is None:
        return None
    return tuple(replace(heading, title=redact(heading.title, language).text) for heading in headings)


def _loaded_container(path: str, data: bytes, content: str, extract: Extract | None) -> Loaded:
    if not data:
        return Loaded(Skipped(path, EMPTY), content)
    if extract is None:
        return Loaded(Skipped(path, BINARY), content)
    try:
        reading = extract(path, data, content)
    except UnreadableError as error:
        return Loaded(Skipped(path, str(error)), content, failed=not str(error).startswith(_NO_FAULT))
    language = language_of(path)
    redacted = redact(reading.text, language)
    document = Document(path, redacted.text, language, _shown(reading.headings, language), reading.spots)
    return Loaded(document, content, redacted.count, problems=reading.problems)


def hash_of(data: bytes) -> str:
    """Return by what the content of a file is known."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def make_document(path: str, text: str) -> Document | Skipped:
    """Make a document of text that is not from the disk (an editor's buffer), by the same checks."""
    if is_container(path):
        return Skipped(path, BINARY)  # what an editor shows of it is not what is read out of it
    return _checked(path, text)[0]


def shown_text(path: str, text: str) -> str:
    """Return a text as it is indexed and may be shown, whatever the checks of the index say of it."""
    return shown_reading(path, Reading(text)).text


def shown_reading(path: str, reading: Reading) -> Reading:
    """Return the same of what was read of a file, with where its lines lie."""
    language = _language(path, reading.text)
    if not is_container(path):
        reading = read_in_place(language, reading.text) or reading
    return replace(reading, text=redact(reading.text, language).text, headings=_shown(reading.headings, language))


def decoded_text(path: str, data: bytes) -> str | None:
    """Decode what is indexed of a file that is no container, or return None where it is no text."""
    head = data[:HEAD_BYTES] if language_of(path) == "csv" else data
    return decode(head, whole=len(head) == len(data))


def decode(data: bytes, *, whole: bool = True) -> str | None:
    """Decode a file's bytes with its line ends as they are, or return None where they are no text.

    Of what is not `whole` the last character may be cut; it is left out.
    """
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            text = _decoded(data, encoding, whole=whole)
            return None if text is None or _is_binary(text.encode("utf-8")) else text
    if _is_binary(data):
        return None
    return decoded(data, whole=whole)


def _decoded(data: bytes, encoding: str, *, whole: bool) -> str | None:
    try:
        return decoded_as(encoding, data, whole=whole)
    except UnicodeDecodeError:
        return None


def _is_binary(data: bytes) -> bool:
    return b"\0" in data or len(data) - len(data.translate(None, _CONTROLS)) > _MAX_CONTROLS * len(data)


def _language(path: str, text: str) -> str:
    return language_of(path, text[:_HEAD].split("\n", 1)[0].rstrip("\r"))


def _checked(path: str, text: str) -> tuple[Document | Skipped, int]:
    language = _language(path, text)
    known = LANGUAGES.get(language)
    is_prose = known is None or known.is_document
    reading = read_in_place(language, text) if is_prose else None
    if reading is None and _is_minified(text, _LONG_LINE_IN_PROSE if is_prose else _LONG_LINE):
        return Skipped(path, MINIFIED), 0
    if not is_prose and _GENERATED.search(text[:_HEAD]):
        return Skipped(path, GENERATED), 0
    reading = reading or Reading(text)
    redacted = redact(reading.text, language)
    headings = _shown(reading.headings, language)
    return Document(path, redacted.text, language, headings, reading.spots), redacted.count


def _is_minified(text: str, long_line: int) -> bool:
    """Tell whether more than half of the text lies in long lines."""
    if len(text) < _MINIFIED_FROM:
        return False
    lines = text.replace("\r", "\n").split("\n")
    long = sum(length for length in map(len, lines) if length > long_line)
    return 2 * long > len(text)


def read_beneath(root: Path, path: str, max_bytes: int) -> bytes:
    """Return a file's bytes; OSError or ValueError where it is no regular file of that size at most below the root."""
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
