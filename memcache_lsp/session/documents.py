"""Own the texts that are open in one editor.

Keeps no more than `LIMIT_CHARACTERS` in all, where a line counts as `_LINE_CHARACTERS` at least, since its start is kept
too: what is opened beyond that is not kept, and said so. Must not import the engine; knows nothing of the protocol but positions.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from memcache_lsp.session.positions import Encoding, Position, Text, count_line_ends
from memcache_lsp.session.uris import to_path

LIMIT_CHARACTERS = 16 * 1024 * 1024
_LINE_CHARACTERS = 16


@dataclass(frozen=True, slots=True)
class Change:
    """A new text for the stretch between two positions, or for everything where there are none."""

    text: str
    start: Position | None = None
    end: Position | None = None


@dataclass(frozen=True, slots=True)
class Buffer:
    """An open document: the editor's own name for it, its path if it is a file, and its text."""

    uri: str
    path: Path | None
    content: Text


class Documents:
    """The open documents of one editor, by URI."""

    def __init__(self, encoding: Encoding, *, limit_characters: int = LIMIT_CHARACTERS) -> None:
        self._encoding = encoding
        self._limit = limit_characters
        self._used = 0
        self._open: dict[str, Buffer] = {}
        self._by_path: dict[Path, Buffer] = {}

    def get(self, uri: str) -> Buffer | None:
        """Return what is open under this URI."""
        return self._open.get(uri)

    def at(self, path: Path) -> Buffer | None:
        """Return what is open of this file."""
        return self._by_path.get(path)

    def open(self, uri: str, text: str) -> Buffer | None:
        """Take a document's text; None where there is no room for it."""
        if not self._has_room(uri, _weight(len(text), count_line_ends(text))):
            self.close(uri)  # what it was before it is not any more
            return None
        return self._put(uri, Text(text))

    def change(self, uri: str, changes: Iterable[Change]) -> Buffer | None:
        """Apply changes in their order; None where the document is not open, or has no room any more."""
        buffer = self._open.get(uri)
        if buffer is None:
            return None
        content = buffer.content
        for change in changes:
            lines = content.line_count + count_line_ends(change.text)
            if not self._has_room(uri, _weight(len(content.text) + len(change.text), lines)):
                self.close(uri)
                return None
            content = self._changed(content, change)
        return self._put(uri, content)

    def close(self, uri: str) -> Buffer | None:
        """Forget a document and return it as it was last."""
        buffer = self._open.pop(uri, None)
        if buffer is not None:
            self._used -= _weight_of(buffer.content)
            if buffer.path is not None and self._by_path.get(buffer.path) is buffer:
                del self._by_path[buffer.path]
        return buffer

    def _changed(self, content: Text, change: Change) -> Text:
        if change.start is None or change.end is None:
            return Text(change.text)
        start = content.offset(change.start, self._encoding)
        end = content.offset(change.end, self._encoding)
        return content.replaced(min(start, end), max(start, end), change.text)

    def _has_room(self, uri: str, weight: int) -> bool:
        present = self._open.get(uri)
        freed = 0 if present is None else _weight_of(present.content)
        return self._used - freed + weight <= self._limit

    def _put(self, uri: str, content: Text) -> Buffer:
        self.close(uri)
        buffer = Buffer(uri, to_path(uri), content)
        self._open[uri] = buffer
        self._used += _weight_of(content)
        if buffer.path is not None:
            self._by_path[buffer.path] = buffer
        return buffer


def _weight(characters: int, lines: int) -> int:
    return max(characters, lines * _LINE_CHARACTERS)


def _weight_of(content: Text) -> int:
    return _weight(len(content.text), content.line_count - 1)
