"""The open buffers of an editor, as far as a new daemon has to be told of them.

Pure. Changes are remembered as they came and now and then applied, so that what is held follows the size of the texts
and not the length of the editing. A buffer beyond the limit, or with a change that cannot be applied, is forgotten until
the editor opens it again: a new daemon then reads the file. Must not import anything beyond the standard library but
`session.positions`, and that one only when changes are applied.
"""

from __future__ import annotations

from typing import Any

LIMIT_CHARACTERS = 16 * 1024 * 1024  # of all buffers of an editor
_CHANGES = 128  # of one buffer, until they are applied
_OVERHEAD_CHARACTERS = 256
_LINE_ENDS = 1_000_000  # of one text, beyond which the daemon does not keep it either


class Buffers:
    """What the editor has open."""

    def __init__(self, limit_characters: int = LIMIT_CHARACTERS) -> None:
        self._limit = limit_characters
        self._used = 0
        self._open: dict[str, _Buffer] = {}

    def opened(self, params: Any) -> None:
        """Take the parameters of a didOpen."""
        document = _dictionary(_dictionary(params).get("textDocument"))
        uri, text = document.get("uri"), document.get("text")
        if isinstance(uri, str) and isinstance(text, str):
            self._forget(uri)
            if _line_ends(text) <= _LINE_ENDS:
                self._keep(uri, _Buffer(document))

    def changed(self, params: Any, encoding: str) -> None:
        """Take the parameters of a didChange."""
        document = _dictionary(_dictionary(params).get("textDocument"))
        uri = document.get("uri")
        if not isinstance(uri, str):
            return
        buffer = self._forget(uri)
        if buffer is not None and buffer.change(document.get("version"), params.get("contentChanges"), encoding):
            self._keep(uri, buffer)

    def closed(self, params: Any) -> None:
        """Take the parameters of a didClose."""
        uri = _dictionary(_dictionary(params).get("textDocument")).get("uri")
        if isinstance(uri, str):
            self._forget(uri)

    def reopening(self, encoding: str) -> list[dict[str, Any]]:
        """Return the parameters of the didOpen of each buffer as it is now."""
        opened = []
        for uri in list(self._open):
            buffer = self._forget(uri)
            if buffer is not None and buffer.apply(encoding):
                self._keep(uri, buffer)
                opened.append({"textDocument": buffer.document})
        return opened

    def _keep(self, uri: str, buffer: _Buffer) -> None:
        size = buffer.size + len(uri) + _OVERHEAD_CHARACTERS
        if self._used + size <= self._limit:
            self._open[uri] = buffer
            self._used += size

    def _forget(self, uri: str) -> _Buffer | None:
        buffer = self._open.pop(uri, None)
        if buffer is not None:
            self._used -= buffer.size + len(uri) + _OVERHEAD_CHARACTERS
        return buffer


class _Buffer:
    __slots__ = ("_changes", "document", "size")

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document
        self.size = len(document["text"])
        self._changes: list[dict[str, Any]] = []

    def change(self, version: Any, changes: Any, encoding: str) -> bool:
        """Remember changes; False where they are none."""
        if not isinstance(changes, list):
            return True  # the daemon refuses such a message as a whole, and so do we
        for change in changes:
            if not isinstance(change, dict) or not isinstance(change.get("text"), str):
                return False
            if change.get("range") is None:
                self.document = {**self.document, "text": change["text"]}
                self.size = len(change["text"])
                self._changes = []
            else:
                self._changes.append(change)
                self.size += len(change["text"]) + _OVERHEAD_CHARACTERS
        if isinstance(version, int):
            self.document = {**self.document, "version": version}
        return len(self._changes) < _CHANGES or self.apply(encoding)

    def apply(self, encoding: str) -> bool:
        """Make the remembered changes part of the text; False where one cannot be."""
        if not self._changes:
            return True
        texts = (self.document["text"], *(change["text"] for change in self._changes))
        if sum(map(_line_ends, texts)) > _LINE_ENDS:
            return False
        from memcache_lsp.session.positions import Encoding, Position, Text  # noqa: PLC0415 - 12 ms, seldom needed

        units = Encoding(encoding)
        text = Text(self.document["text"])
        try:
            for change in self._changes:
                start, end = (
                    text.offset(Position(int(place["line"]), int(place["character"])), units)
                    for place in (change["range"]["start"], change["range"]["end"])
                )
                text = text.replaced(min(start, end), max(start, end), change["text"])
        except (KeyError, TypeError, ValueError, OverflowError):
            return False
        self.document = {**self.document, "text": text.text}
        self._changes = []
        self.size = len(text.text)
        return True


def _line_ends(text: str) -> int:
    return text.count("\n") + text.count("\r")


def _dictionary(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
