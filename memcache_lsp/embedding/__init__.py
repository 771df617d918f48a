"""What turns text into vectors: the protocol, and the choice among its implementations.

Never imports the store, the scan or the chunker. The implementations load numpy and heavier libraries, so they are
imported when one is opened.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

DEFAULT = "static-code-256"  # the table that comes with the package


class Embedder(Protocol):
    """Turn texts into vectors.

    Contract: rows are float32 and of unit length, a zero row only for a text without any known token; the same text
    gives the same row whatever stands beside it in the batch; any `str` is accepted (empty, huge, with NUL or lone
    surrogates); `id` changes with whatever changes the vectors. For one thread at a time.
    """

    @property
    def id(self) -> str:
        """Name what the vectors depend on."""
        ...

    @property
    def dimension(self) -> int:
        """Tell the length of a vector."""
        ...

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return a row for each text of the index, shape (len(texts), dimension)."""
        ...

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """Return the vector of a question, shape (dimension,)."""
        ...


class Serialized:
    """An embedder for several threads: one of them at a time."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._lock = threading.Lock()
        self.id = embedder.id

    @property
    def dimension(self) -> int:
        with self._lock:
            return self._embedder.dimension

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        with self._lock:
            return self._embedder.embed(texts)

    def embed_query(self, text: str) -> NDArray[np.float32]:
        with self._lock:
            return self._embedder.embed_query(text)


def open_embedder(name: str | None = None) -> Embedder:
    """Open the named embedder, the package's own table by default; raises ModelError where that cannot be done.

    Any other name is a sentence-transformers model: a curated one that was pulled, a folder written in full or from
    `~`, or a name of the hub.
    """
    if name is None or name == DEFAULT:
        from memcache_lsp.embedding.static import StaticEmbedder  # noqa: PLC0415 - loads numpy and tokenizers

        return StaticEmbedder()
    from memcache_lsp.embedding.transformer import SentenceTransformerEmbedder  # noqa: PLC0415 - the same

    return SentenceTransformerEmbedder(name)
