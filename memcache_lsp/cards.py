"""The cards of one index: what is told of a file in a few words, for a model that is too slow to read it whole.

Owns a card's text, which is made from the store's payloads and so costs no reading, and its vector, kept in the manifest
beside the file's row, where a changed file loses it, and in memory by the file's row of the table. Must not import an
embedder or a store's implementation.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from memcache_lsp import ranking
from memcache_lsp.errors import Stopped
from memcache_lsp.manifest import Manifest
from memcache_lsp.ranking import FileTable, Row
from memcache_lsp.ranking.vectors import packed
from memcache_lsp.store import FILE_KIND, Store
from memcache_lsp.tokens import parts_of, words

CARD_VERSION = "1"  # changes with what a card is made of
_MAX_NAMES = 40
_COMMENT_CHARS = 300
_CHUNKS = 60  # of a file that are looked at
_COMMENT = re.compile(
    r"^\s*(?:#+(?!!|include|define|if|pragma|endif)|//+!?|/\*+|\*+/?|--+|;+|%+|<!--+|\{-+|\"\"\"|''')\s?(.*)$"
)
_QUOTES = ('"""', "'''")
_LEGAL = re.compile(r"copyright|licen[cs]e|spdx|eslint|coding[:=]|noqa|pylint", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Draft:
    """A file whose card has no vector yet."""

    row: Row
    text: str


class Cards:
    """Keep the cards of one index. Every method takes `lock`, which is the index's, for a moment."""

    def __init__(self, manifest: Manifest, store: Store, table: FileTable, lock: threading.RLock) -> None:
        self._manifest = manifest
        self._store = store
        self._table = table
        self._lock = lock
        self._model = ""  # that made the vectors in memory
        self._vectors: WeakKeyDictionary[Row, NDArray[np.int8]] = WeakKeyDictionary()
        self._closed = False

    def close(self) -> None:
        """Touch manifest and store no more."""
        with self._lock:
            self._closed = True
            self._vectors.clear()

    def open(self, model: str) -> None:
        """Take the cards that this model made into memory; those of another are forgotten."""
        with self._lock:
            self._check()
            if self._model == model:
                return
            rows = self._table.rows()
            made = self._manifest.cards(f"{CARD_VERSION} {model}")
            known = {rows[path]: np.frombuffer(data, dtype=np.int8) for path, data in made.items() if path in rows}
            self._vectors = WeakKeyDictionary(known)
            self._model = model

    def missing(self) -> list[Row]:
        """Return the files without a card."""
        with self._lock:
            self._check()
            return [row for row in self._table.rows().values() if row not in self._vectors]

    def counts(self) -> tuple[int, int]:
        """Return how many files have a card, and how many there are."""
        with self._lock:
            self._check()
            return len(self._vectors), len(self._table.rows())

    def drafts(self, rows: Sequence[Row]) -> list[Draft]:
        """Return what is to be embedded of those files that are still as they were."""
        with self._lock:
            self._check()
            present = [row for row in rows if self._is_present(row)]
            wanted = [point for row in present for point in row.points[:_CHUNKS]]
            payloads = self._store.retrieve(wanted) if wanted else {}
        return [Draft(row, card_text(row.path, [payloads[p] for p in row.points if p in payloads])) for row in present]

    def put(self, drafts: Sequence[Draft], vectors: NDArray[np.float32]) -> None:
        """Keep the vectors of files that have not changed meanwhile."""
        with self._lock:
            self._check()
            made = {
                draft.row: packed(vector)
                for draft, vector in zip(drafts, vectors, strict=True)
                if self._is_present(draft.row)
            }
            self._manifest.put_cards({row.path: vector.tobytes() for row, vector in made.items()})
            self._vectors.update(made)

    def asked(self, question: NDArray[np.float32] | None) -> ranking.Cards | None:
        """Return what ranking takes for a question's vector by the same model; call it with the lock held."""
        return None if question is None or not self._vectors else ranking.Cards(question, self._vectors)

    def _is_present(self, row: Row) -> bool:
        return self._table.rows().get(row.path) is row

    def _check(self) -> None:
        if self._closed:
            raise Stopped("The index was closed.")


def card_text(path: str, payloads: Sequence[Mapping[str, Any]]) -> str:
    """Return what is told of a file: its path and the names it defines, in words, and its first comment."""
    chunks = [payload for payload in payloads if payload["kind"] != FILE_KIND]
    told = (
        name for payload in chunks for name in (*payload["breadcrumb"], payload["symbol"].rpartition(".")[2]) if name
    )
    names = dict.fromkeys(told)  # without what encloses each: a small model reads some 200 words
    said = [_in_words(str(PurePosixPath(path).with_suffix("")))]
    said.append(_comment_of([payload["text"] for payload in chunks[:3]]))
    said.append(", ".join(_in_words(name) for name in list(names)[:_MAX_NAMES]))
    return "\n".join(filter(None, said))


def _in_words(name: str) -> str:
    return " ".join(part for word in words(name) for part in parts_of(word))


def _comment_of(texts: Sequence[str]) -> str:
    """Return the first comment that says something of the file, as one line; of prose its beginning."""
    block: list[str] = []
    quoted = ""
    for line in "\n".join(texts).splitlines()[:200]:
        bare = line.strip()
        if quoted:
            block.append(bare.replace(quoted, ""))
            quoted = "" if quoted in bare else quoted
            continue
        found = _COMMENT.match(line)
        if found:
            block.append(found[1].replace('"""', "").replace("*/", ""))
            quote = next((quote for quote in _QUOTES if bare.startswith(quote)), "")
            quoted = quote if bare.count(quote) == 1 else ""
        elif block:
            if told := _told(block):
                return told
            block = []
    return _told(block)


def _told(block: Sequence[str]) -> str:
    text = " ".join(" ".join(block).split())
    if len(text) < 20 or _LEGAL.search(text):
        return ""
    return text[:_COMMENT_CHARS]
