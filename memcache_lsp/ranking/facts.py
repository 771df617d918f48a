"""What is kept of a file for ranking, beside its path: the names it defines, the words it uses, the mean of its vectors.

Made where the file is prepared, kept as bytes in the manifest, read back for the few candidates of a question. Owns the
layout of those bytes, which `preparing.POINT_VERSION` versions. Must not import the store, the manifest or the chunker.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memcache_lsp.memo import Memo
from memcache_lsp.ranking.vectors import packed
from memcache_lsp.tokens import words_of
from memcache_lsp.values import Chunk, Definition

LEAST_NAME = 4  # characters; shorter names are defined everywhere
_MAX_NAMES, _MAX_USED = 4_000, 6_000  # of one file; more is data
_LEVELS = 100.0  # levels are kept as whole hundredths
_TYPES = frozenset({"class", "struct", "enum", "interface", "trait", "type", "module"})
_HEAD = struct.Struct("<IIII")  # names, words used, chunks, dimension


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a file. Arrays of one length describe the same name; hashes are `name_hash`'s."""

    names: NDArray[np.uint32]
    chunks: NDArray[np.uint16]  # the chunk that holds the name's definition, counted from 0
    levels: NDArray[np.uint8]  # how much a definition is what a name asks for: a type or top level 100, a member 60
    used: NDArray[np.uint32]  # identifiers that occur, sorted
    lines: NDArray[np.uint32]  # where each chunk begins
    mean: NDArray[np.int8]  # of the chunks' vectors, scaled so that its largest entry is 127

    def encoded(self) -> bytes:
        """Return the bytes that `decoded` reads."""
        head = _HEAD.pack(len(self.names), len(self.used), len(self.lines), len(self.mean))
        parts = (self.names, self.chunks, self.levels, self.used, self.lines, self.mean)
        return head + b"".join(part.tobytes() for part in parts)


def decoded(data: bytes) -> Facts:
    """Read facts; without bytes, those of a file of which nothing is known."""
    names, used, chunks, dimension = _HEAD.unpack_from(data) if data else (0, 0, 0, 0)
    at = _HEAD.size

    def part(kind: type[np.generic], count: int) -> Any:
        nonlocal at
        found = np.frombuffer(data, dtype=kind, count=count, offset=at) if count else np.zeros(0, dtype=kind)
        at += found.nbytes
        return found

    return Facts(
        names=part(np.uint32, names),
        chunks=part(np.uint16, names),
        levels=part(np.uint8, names),
        used=part(np.uint32, used),
        lines=part(np.uint32, chunks),
        mean=part(np.int8, dimension),
    )


def names_in(data: bytes) -> bytes:
    """Return the hashes of the names that some facts define, as their bytes."""
    return data[_HEAD.size : _HEAD.size + 4 * _HEAD.unpack_from(data)[0]] if data else b""


@lru_cache(maxsize=100_000)
def name_hash(name: str) -> int:
    """Return the 32 bits by which a name is known, whatever its case."""
    return zlib.crc32(name.lower().encode("utf-8", "surrogatepass"))


def make_facts(found: Iterable[bytes], chunks: Sequence[Chunk], vectors: Sequence[NDArray[np.float32]]) -> Facts:
    """Return the facts of a document from the pieces of its text, its chunks and their vectors."""
    best: dict[int, tuple[int, int]] = {}
    for place, chunk in enumerate(chunks):
        for definition in chunk.definitions:
            level = round(_LEVELS * _level(definition, chunk))
            key = name_hash(definition.name)
            if level > best.get(key, (0, 0))[0] and (key in best or len(best) < _MAX_NAMES):
                best[key] = (level, min(place, 0xFFFF))
    return Facts(
        names=np.fromiter(best, dtype=np.uint32, count=len(best)),
        chunks=np.array([place for _, place in best.values()], dtype=np.uint16),
        levels=np.array([level for level, _ in best.values()], dtype=np.uint8),
        used=_used(found, best.keys()),
        lines=np.array([chunk.span.start_line for chunk in chunks], dtype=np.uint32),
        mean=_mean(vectors),
    )


def _level(definition: Definition, chunk: Chunk) -> float:
    if definition.kind == "section":
        return 0.3
    if definition.kind in {"variable", "field"}:
        return 0.5  # often a use of what is meant: `send = require("send")`
    return 1.0 if not chunk.breadcrumb or definition.kind in _TYPES else 0.6


def _hashes(piece: bytes) -> tuple[int, ...]:
    return tuple(name_hash(word) for word in words_of(piece) if len(word) >= LEAST_NAME)


_USED = Memo(_hashes, most=200_000)


def _used(found: Iterable[bytes], defined: Iterable[int]) -> NDArray[np.uint32]:
    """Return the hashes of identifiers that are used and not defined here."""
    hashes = set(chain.from_iterable(map(_USED.__getitem__, set(found)))).difference(defined)
    used = np.fromiter(hashes, dtype=np.uint32, count=len(hashes))
    used.sort()
    return used[:_MAX_USED]


def _mean(vectors: Sequence[NDArray[np.float32]]) -> NDArray[np.int8]:
    if not len(vectors):
        return np.zeros(0, dtype=np.int8)
    return packed(np.mean(np.asarray(vectors, dtype=np.float32), axis=0))
