"""The program of the refinement's process: hold one embedder, give vectors for texts, at the lowest priority.

    python -m memcache_lsp.workers.refine_child [MODULE:FUNCTION]     FUNCTION: instead of `embedding.open_embedder`

Reads no project. Started by `refine.Refiner` only.
"""

from __future__ import annotations

import importlib
import os
import sys
from typing import TYPE_CHECKING, Any

from memcache_lsp.errors import MemcacheError, UserError
from memcache_lsp.workers import inside
from memcache_lsp.workers.messages import Embed, Embedded

if TYPE_CHECKING:
    from memcache_lsp.embedding import Embedder
    from memcache_lsp.vectors import VectorCache
    from memcache_lsp.workers.channel import Channel

OPEN = "memcache_lsp.embedding:open_embedder"


class _Program:
    """The embedder of this process, opened with the first request and loaded with the first text."""

    def __init__(self, channel: Channel, opener: str) -> None:
        self._channel = channel
        self._opener = opener
        self._embedder: Embedder | None = None
        self._cache: VectorCache | None = None

    def serve(self) -> None:
        """Do what is asked until this process is ended."""
        requests = inside.inbox(self._channel)
        while True:
            request = requests.get()
            if isinstance(request, Embed):
                self._channel.send(self._do(request))

    def _do(self, request: Embed) -> Embedded:
        try:
            return self._embedded(request)
        except MemcacheError as error:
            return Embedded(request.number, error=error)
        except Exception as error:  # noqa: BLE001 - the process boundary: the owner is told, the traceback is logged
            inside.log_failure(error)
            return Embedded(request.number, error=UserError(f"The refinement failed ({type(error).__name__})."))

    def _embedded(self, request: Embed) -> Embedded:
        embedder = self._embedder
        if embedder is None:
            module, _, name = self._opener.partition(":")
            embedder = getattr(importlib.import_module(module), name)(request.embedder)
            self._embedder = embedder
        vectors: Any = None
        if request.is_question:
            vectors = embedder.embed_query(request.texts[0])[None, :]
        elif request.texts:
            from memcache_lsp.vectors import embed_cached  # noqa: PLC0415 - loads numpy

            vectors = embed_cached(embedder, self._vectors(), request.texts)
        return Embedded(request.number, embedder.id, vectors)

    def _vectors(self) -> VectorCache:
        if self._cache is None:
            from memcache_lsp import config, paths  # noqa: PLC0415
            from memcache_lsp.vectors import VectorCache  # noqa: PLC0415

            limit_bytes = config.load_user_settings()[0].cache_limit_bytes
            self._cache = VectorCache(paths.cache_dir() / "vectors.sqlite", limit_bytes=limit_bytes)
        return self._cache


def main(arguments: list[str]) -> None:
    """Run the worker."""
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 2) // 2)))  # torch would take every core
    channel = inside.begin()
    inside.stand_back()
    _Program(channel, arguments[0] if arguments else OPEN).serve()


if __name__ == "__main__":
    main(sys.argv[1:])
