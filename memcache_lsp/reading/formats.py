"""Which module reads which file. Loads a reader when a file of its kind comes; must not be imported for text that is plain."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from typing import Final

from memcache_lsp.languages import is_packed, language_of
from memcache_lsp.reading.result import Reading, UnreadableError
from memcache_lsp.values import Spot

_CONTAINERS: Final = frozenset(("pdf", "docx", "epub", "notebook", "mail", "mhtml"))
_IN_PLACE: Final = {"html": "page", "man": "roff", "csv": "table"}
_NEEDS: Final = {"pdf": "pypdfium2"}
_MOST_PACKED: Final = 32 * 1024 * 1024  # of a manual


def missing(path: str) -> str:
    """Say why no file of this name can be read by this installation, or return an empty string."""
    needed = _NEEDS.get(language_of(path))
    if needed is None or importlib.util.find_spec(needed) is not None:
        return ""
    return (
        f"not readable here: to have .{path.rpartition('.')[2].lower()} read, run pip install 'memcache-lsp[documents]'"
    )


def read_container(path: str, data: bytes, spent: Callable[[], bool]) -> Reading:
    """Read the text out of a file whose name `languages.is_container` knows; UnreadableError where there is none."""
    language = language_of(path)
    if is_packed(path):
        from memcache_lsp.reading.archive import unzipped  # noqa: PLC0415

        data = unzipped(data, limit_bytes=_MOST_PACKED)
        if language not in _CONTAINERS:
            return _in_own_lines(language, data)
    if language not in _CONTAINERS:
        raise UnreadableError(f"unknown: nothing reads {language}")
    reader = importlib.import_module(f"memcache_lsp.reading.{language}")
    reading: Reading = reader.read(data, spent)
    return reading


def read_in_place(language: str, text: str) -> Reading | None:
    """Return what of a text is to be indexed, line by line; None for all of it as it stands."""
    name = _IN_PLACE.get(language)
    if name is None:
        return None
    reading: Reading | None = importlib.import_module(f"memcache_lsp.reading.{name}").read(text)
    return reading


def _in_own_lines(language: str, data: bytes) -> Reading:
    """Read a manual that was unpacked: nobody sees its lines in the file."""
    from memcache_lsp.reading.encoding import decoded  # noqa: PLC0415

    text = decoded(data)
    found = read_in_place(language, text) or Reading(text)
    return Reading(found.text, found.headings, ((1, Spot()),), found.problems)
