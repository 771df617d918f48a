"""Open whatever answers: a GGUF file in this process, a llamafile that is started, a server by its URL.

Must not be imported where nothing is loaded: it is the door to all three.
"""

from __future__ import annotations

from pathlib import Path

from memcache_lsp.generator import Generator
from memcache_lsp.models import Answering, Endpoint


def open_model(
    wanted: Answering, *, context_tokens: int | None = None, threads: int | None = None, gpu_layers: int | None = None
) -> Generator:
    """Load or meet a model; ModelError, in one sentence, where that cannot be. Numbers that are None are chosen."""
    if isinstance(wanted, Path):
        from memcache_lsp import generation, vouching  # noqa: PLC0415 - each branch loads what it needs and no more

        vouching.check(wanted)
        return generation.load(wanted, context_tokens=context_tokens, threads=threads, gpu_layers=gpu_layers)
    if isinstance(wanted, Endpoint):
        from memcache_lsp.endpoint import EndpointGenerator  # noqa: PLC0415

        return EndpointGenerator(wanted)
    from memcache_lsp import llamafile  # noqa: PLC0415

    return llamafile.start(wanted, context_tokens=context_tokens, threads=threads)
