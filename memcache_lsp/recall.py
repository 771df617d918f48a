"""What was made of a file, kept by the file's content: a branch switch and back, or a second worktree, cuts nothing again.

Owns the bytes that the cache of vectors keeps of a file. They hold no text and no vectors: the text is at hand when they
are read, and the vectors lie beside them by the text of each chunk. Names and places are veiled by a key of the content,
so a project that is dropped leaves nothing that can be read without its files. Must not import the chunker or a store's
implementation.
"""

from __future__ import annotations

import hashlib
import json
import logging
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from memcache_lsp.store import Point
from memcache_lsp.tokens import Sparse
from memcache_lsp.values import Document
from memcache_lsp.vectors import VectorCache

_log = logging.getLogger(__name__)

_FORMAT = 1  # changes with the layout below
_HEAD = struct.Struct("<II")  # bytes of the points' places, entries of all sparse vectors
_OF_DOCUMENT = ("path", "language", "text")  # what a payload has of the document


@dataclass(frozen=True, slots=True)
class Made:
    """The points of a file, those of its chunks and last its own, and the facts that ranking keeps of it."""

    points: tuple[Point, ...]
    facts: bytes


class Recall:
    """Remember what was made of files by one recipe: `recipe` is all that it depends on besides the files."""

    def __init__(self, cache: VectorCache, recipe: Mapping[str, str]) -> None:
        self._cache = cache
        self._maker = f"files {_FORMAT} {json.dumps(recipe, sort_keys=True)}"

    def find(self, document: Document, content: str) -> Made | None:
        """Return what was made of a document whose file has the hash `content`; the points are without dense vectors."""
        key = _key(document, content)
        veiled = self._cache.get_bytes(self._maker, [key]).get(key)
        if veiled is None:
            return None
        try:
            return _read(_veiled(veiled, document, content), document)
        except (ValueError, LookupError, TypeError, struct.error):  # a layout that nobody gave a number
            _log.warning("what is kept of a file cannot be read; it is made again", exc_info=True)
            return None

    def keep(self, made: Iterable[tuple[Document, str, Made]]) -> None:
        """Remember what was made of documents, each with its file's hash."""
        rows = [(_key(doc, content), _veiled(_written(each), doc, content)) for doc, content, each in made]
        if rows:
            self._cache.put_bytes(self._maker, rows)


def _key(document: Document, content: str) -> bytes:
    return hashlib.blake2b(_told(document, content), digest_size=16, person=b"key").digest()


def _told(document: Document, content: str) -> bytes:
    return f"{content}\0{document.language}\0{document.path}".encode("utf-8", "surrogatepass")


def _veiled(data: bytes, document: Document, content: str) -> bytes:
    """Hide bytes from whoever does not have the file; the same again shows them."""
    veil = hashlib.shake_128(b"veil" + _told(document, content)).digest(len(data))
    return np.bitwise_xor(np.frombuffer(data, np.uint8), np.frombuffer(veil, np.uint8)).tobytes()


def _written(made: Made) -> bytes:
    places: list[Any] = []
    indices: list[int] = []
    values: list[float] = []
    for point in made.points:
        payload = {name: value for name, value in point.payload.items() if name not in _OF_DOCUMENT}
        places.append((point.id, payload, {name: len(sparse.indices) for name, sparse in point.sparse.items()}))
        for sparse in point.sparse.values():
            indices += sparse.indices
            values += sparse.values
    told = json.dumps(places, separators=(",", ":")).encode()
    numbers = np.array(indices, "<u4").tobytes() + np.array(values, "<f4").tobytes()
    return _HEAD.pack(len(told), len(indices)) + told + numbers + made.facts


def _read(data: bytes, document: Document) -> Made:
    length, entries = _HEAD.unpack_from(data)
    at = _HEAD.size + length
    indices = np.frombuffer(data, "<u4", entries, at).tolist()
    values = np.frombuffer(data, "<f4", entries, at + 4 * entries).tolist()
    points: list[Point] = []
    begin = 0
    for number, payload, counts in json.loads(data[_HEAD.size : at]):
        sparse: dict[str, Sparse] = {}
        for name, count in counts.items():
            end = begin + count
            sparse[name] = Sparse(tuple(indices[begin:end]), tuple(values[begin:end]))
            begin = end
        whole = {"path": document.path, "language": document.language, **payload}
        if "start" in payload:
            whole["text"] = document.text[payload["start"] : payload["end"]]
        points.append(Point(number, whole, sparse=sparse))
    return Made(tuple(points), data[at + 8 * entries :])
