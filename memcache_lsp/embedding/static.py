"""The default embedder: a table of token vectors, summed and normalised. Owns the files of memcache_lsp/data.

The one module that imports tokenizers. Never imports torch or anything that downloads.
"""

from __future__ import annotations

import json
import re
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from memcache_lsp.embedding import DEFAULT
from memcache_lsp.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from tokenizers import Tokenizer

DATA = Path(__file__).resolve().parents[1] / "data" / DEFAULT

_METHOD = 2  # raised whenever the code below changes a vector
_MAX_CHARS = 16_384  # more than any chunk has; a longer text is judged by its beginning
_MAX_CACHED_WORDS = 100_000  # some 20 MB

_MAX_CACHED_CHARS = 40  # of a word; longer ones do not come again

# Where the tokenizer cuts whatever stands around; a test holds the sum of the pieces to the whole. Inside of a word it
# cuts camelCase and lowers letters itself.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_WORD = re.compile(r"[a-zA-Z0-9\x80-\U0010ffff]+|[!-/:-@\[-`{-~]")


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
        self._words: dict[str, tuple[int, ...]] = {}

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return the normalised sum of each text's token rows."""
        vectors = np.zeros((len(texts), self.dimension), dtype=np.float32)
        for vector, text in zip(vectors, texts, strict=True):
            tokens = self._tokens(text)
            if tokens:
                index = np.array(tokens)
                # einsum and not @: BLAS would wake threads of its own for a product as small as this one
                np.einsum("i,ij->j", self._scales[index], self._rows[index].astype(np.float32), out=vector)
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

    def _tokens(self, text: str) -> list[int]:
        """Return the rows of a text's known tokens."""
        text = text[:_MAX_CHARS]
        text = text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")
        return self._tokens_of(_WORD.findall(_CONTROL.sub("", text)))

    def _tokens_of(self, words: Sequence[str]) -> list[int]:
        known = self._words
        tokens: list[int] = []
        for word in words:
            ids = known.get(word)
            tokens += self._tokenize(word) if ids is None else ids
        return tokens

    def _tokenize(self, word: str) -> tuple[int, ...]:
        """Return the tokenizer's ids without 0, the unknown token, and remember them."""
        parts = _CAMEL.split(word)
        if len(parts) > 1:  # as the tokenizer cuts it; parts come again in other words
            ids = tuple(self._tokens_of(parts))
        else:
            ids = tuple(i for i in self._tokenizer.encode(word, add_special_tokens=False).ids if i)
        if len(word) <= _MAX_CACHED_CHARS:
            if len(self._words) >= _MAX_CACHED_WORDS:
                self._words.clear()
            self._words[word] = ids
        return ids


def _unreadable(folder: Path, error: Exception) -> ModelError:
    return ModelError(f"The embedding table in {folder} cannot be read ({error}); reinstall memcache-lsp.")
