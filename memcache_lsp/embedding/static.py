"""The default embedder: a table of token vectors, summed and normalised. Owns the files of memcache_lsp/data.

The one module that imports tokenizers. Never imports torch or anything that downloads.
"""

from __future__ import annotations

import json
import re
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from memcache_lsp.embedding import DEFAULT
from memcache_lsp.errors import ModelError
from memcache_lsp.memo import Memo
from memcache_lsp.tokens import apart

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray
    from tokenizers import Tokenizer

DATA = Path(__file__).resolve().parents[1] / "data" / DEFAULT

_METHOD = 3  # raised whenever the code below changes a vector
_MAX_CHARS = 16_384  # more than any chunk has; a longer text is judged by its beginning
_MAX_CACHED_WORDS = 100_000  # some 20 MB

_MAX_CACHED_CHARS = 40  # of a word; longer ones do not come again

# Where the tokenizer cuts whatever stands around; a test holds the sum of the pieces to the whole. It drops control
# characters, and each mark is a token by itself. Inside of a word it cuts camelCase and lowers letters itself.
_CONTROL = bytes(code for code in (*range(0x20), 0x7F) if code not in b"\t\n\r")
_MARKS = np.array([code for code in range(0x21, 0x7F) if not chr(code).isalnum()])
_APART = apart()
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


class StaticEmbedder:
    """Embed by the table in `folder`, which holds `table.npy`, `tokenizer.json` and `model.json` of bench/training.

    The table stays int8 and memory-mapped, so processes share it. Most of the work is tokenizing, and most words come
    again: with a cache of words it takes half the time that the tokenizer needs for whole texts.
    """

    def __init__(self, folder: Path = DATA) -> None:
        try:
            facts = json.loads((folder / "model.json").read_text("utf-8"))
            table = np.load(folder / "table.npy", mmap_mode="r", allow_pickle=False)
            self._rows: NDArray[np.int8] = np.asarray(table["row"])  # mapped, without the slow indexing of np.memmap
            self._scales: NDArray[np.float32] = np.array(table["scale"])  # copied: small, and read at random
            digest = facts["table_sha256"][:12] + facts["tokenizer_sha256"][:12]
            self.id = f"{facts['name']}:{_METHOD}:{digest}"
        except (OSError, ValueError, KeyError, IndexError) as error:
            raise _unreadable(folder, error) from error
        self._folder = folder
        self.dimension: int = self._rows.shape[1]
        self._words = Memo(self._tokenize, most=_MAX_CACHED_WORDS, longest=_MAX_CACHED_CHARS)

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return the normalised sum of each text's token rows."""
        counts = np.zeros((len(texts), len(_MARKS)), dtype=np.float32)
        vectors = np.zeros((len(texts), self.dimension), dtype=np.float32)
        for at, text in enumerate(texts):
            data = text[:_MAX_CHARS].encode("utf-8", "replace").translate(None, _CONTROL)
            counts[at] = np.bincount(np.frombuffer(data, np.uint8), minlength=0x100)[_MARKS]
            vectors[at] = self._sum(self._tokens_of(data.translate(_APART).split()))
        vectors += np.einsum("ni,ij->nj", counts, self._of_marks)
        lengths = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))
        vectors /= np.where(lengths > 0, lengths, 1)[:, None]
        return vectors

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """Return the vector of a question: the same as that of a text."""
        row: NDArray[np.float32] = self.embed([text])[0]
        return row

    @cached_property
    def _tokenizer(self) -> Tokenizer:
        from tokenizers import Tokenizer  # noqa: PLC0415 - 40 ms that a run with nothing to embed does not need

        try:
            return Tokenizer.from_file(str(self._folder / "tokenizer.json"))
        except Exception as error:  # tokenizers raises Exception itself
            raise _unreadable(self._folder, error) from error

    @cached_property
    def _of_marks(self) -> NDArray[np.float32]:
        """Return the vector of each mark."""
        return np.array([self._sum(self._tokenize(bytes([mark]))) for mark in _MARKS.tolist()], dtype=np.float32)

    def _sum(self, tokens: Sequence[int]) -> NDArray[np.float32]:
        """Return the sum of the rows of some tokens."""
        index = np.fromiter(tokens, dtype=np.intp, count=len(tokens))
        # einsum and not @: BLAS would wake threads of its own for a product as small as this one
        total: NDArray[np.float32] = np.einsum("i,ij->j", self._scales[index], self._rows[index].astype(np.float32))
        return total

    def _tokens_of(self, words: Iterable[bytes]) -> list[int]:
        """Return the rows of the known tokens of some words."""
        return list(chain.from_iterable(map(self._words.__getitem__, words)))

    def _tokenize(self, word: bytes) -> tuple[int, ...]:
        """Return the tokenizer's ids without 0, the unknown token."""
        text = word.decode("utf-8", "replace")
        parts = _CAMEL.split(text)
        if len(parts) > 1:  # as the tokenizer cuts it; parts come again in other words
            return tuple(self._tokens_of(part.encode() for part in parts))
        return tuple(i for i in self._tokenizer.encode(text, add_special_tokens=False).ids if i)


def _unreadable(folder: Path, error: Exception) -> ModelError:
    return ModelError(f"The embedding table in {folder} cannot be read ({error}); reinstall memcache-lsp.")
