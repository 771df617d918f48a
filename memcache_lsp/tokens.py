"""Words as the lexical index knows them: identifiers split and whole, stemmed, hashed to the terms of sparse vectors.

Pure but for a stemmer that is made once; must not import the store, the scan or any heavy library.
BM25 is Robertson and Zaragoza, "The Probabilistic Relevance Framework" (2009); the weight of a term in a document is
computed here, its inverse document frequency by the store.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import chain
from typing import Any

from memcache_lsp.memo import Memo

TOKENIZER_VERSION = "2"

_WORD = re.compile(r"[^\W_][\w$]*|_+[^\W_][\w$]*")
_PART = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+")
_PART_BEYOND_ASCII = re.compile(r"[^\W\d_]+|\d+")
_TERM_MAX_CHARS = 64  # longer words are data (hashes, base64), which nobody asks for

# Words of a question that tell nothing about what it asks for, and are in most prose.
STOP_WORDS = frozenset(
    "a about an and are as at be been but by can could did do does for from get had has have how i if in into is it "
    "its me my not of on or our should so that the their them then there these they this to use used using was we "
    "were what when where which who whom whose why will with would you your s t re ve ll d m".split()
)


@dataclass(frozen=True, slots=True)
class Sparse:
    """A sparse vector: `indices` (distinct, 32 bits) and their `values`."""

    indices: tuple[int, ...]
    values: tuple[float, ...]

    def __reduce__(self) -> tuple[type[Sparse], tuple[object, ...]]:
        """Pickle in half of the time that a dataclass takes by itself: there are thousands."""
        return Sparse, (self.indices, self.values)


@cache
def _stemmer() -> Any:
    import Stemmer  # noqa: PLC0415 - the command line's help does not need it

    return Stemmer.Stemmer("english")


@lru_cache(maxsize=200_000)
def stem(word: str) -> str:
    """Return the Snowball stem of a lower-case word."""
    return str(_stemmer().stemWord(word)) if len(word) > 3 and word.isascii() else word


@lru_cache(maxsize=200_000)
def parts_of(word: str) -> tuple[str, ...]:
    """Split an identifier at case changes, digits and underscores: `HTTPServer2_loop` → http, server, 2, loop."""
    pattern = _PART if word.isascii() else _PART_BEYOND_ASCII
    return tuple(part.lower() for part in pattern.findall(word))


@lru_cache(maxsize=200_000)
def _terms_of_word(word: str) -> tuple[str, ...]:
    if len(word) > _TERM_MAX_CHARS:
        return ()
    parts = parts_of(word)
    stems = tuple(stem(part) for part in parts if len(part) > 1 or len(parts) == 1)
    whole = word.strip("_").lower()
    return stems if len(parts) <= 1 else (*stems, whole)


def words(text: str) -> list[str]:
    """Return the words and identifiers of a text as they are written, in order."""
    return _WORD.findall(text)


def terms(text: str) -> list[str]:
    """Return the index terms of a text: each identifier's parts stemmed, and the identifier whole."""
    return [term for word in words(text) for term in _terms_of_word(word)]


def content_terms(text: str) -> list[str]:
    """Return the distinct terms of a question that carry meaning; all its terms where none does."""
    kept = [t for w in words(text) if w.lower() not in STOP_WORDS for t in _terms_of_word(w)]
    return list(dict.fromkeys(kept or terms(text)))


@lru_cache(maxsize=400_000)
def _term_id(term: str) -> int:
    return zlib.crc32(term.encode("utf-8", "surrogatepass"))


def apart(also: bytes = b"") -> bytes:
    """Return the table that `translate` takes to leave of UTF-8 what may be in words: letters, digits, `also`, all beyond ASCII."""
    return bytes(c if c >= 0x80 or c in also or chr(c).isalnum() else ord(" ") for c in range(0x100))


_APART = apart(also=b"$_")


def pieces(text: str) -> list[bytes]:
    """Cut a text where no word goes on: the words of the pieces are those of the text, found in a tenth of the time."""
    return text.encode("utf-8", "surrogatepass").translate(_APART).split()


def words_of(piece: bytes) -> list[str]:
    """Return the words of a piece."""
    return words(piece.decode("utf-8", "surrogatepass"))


_IDS = Memo(lambda piece: tuple(_term_id(t) for w in words_of(piece) for t in _terms_of_word(w)), most=200_000)


def term_ids(found: Iterable[bytes]) -> list[int]:
    """Return the ids of the terms of some pieces, in order."""
    return list(chain.from_iterable(map(_IDS.__getitem__, found)))


def document_vector(counts: Mapping[int, float], *, k1: float, b: float, average_length: float) -> Sparse:
    """Return BM25's term-frequency weights of a document by its terms' ids, without the inverse document frequency."""
    norm = k1 * (1 - b + b * sum(counts.values()) / average_length)
    most = k1 + 1
    return Sparse(tuple(counts), tuple([count * most / (count + norm) for count in counts.values()]))


def query_vector(query_terms: Iterable[str]) -> Sparse:
    """Return a query's sparse vector: weight 1 for each distinct term."""
    indices = tuple(dict.fromkeys(_term_id(term) for term in query_terms))
    return Sparse(indices, (1.0,) * len(indices))
