"""What the workers and their owners say to each other: frozen values, pickled by the channel.

Imports no heavy library; a child must not load what it does not use.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from memcache_lsp.errors import MemcacheError
from memcache_lsp.models import Answering

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from memcache_lsp.evidence import Evidence
    from memcache_lsp.preparing import Job, Prepared, Recipe
    from memcache_lsp.values import Hit


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What is known of a loaded model."""

    path: Answering
    name: str
    context_tokens: int
    prompt_speed: float | None  # tokens a second read last, None before any measure
    notes: tuple[str, ...] = ()  # what was chosen for this machine, and why


@dataclass(frozen=True, slots=True)
class Load:
    """To the model: be this one; the one before is forgotten."""

    path: Answering
    context_tokens: int | None
    threads: int | None
    gpu_layers: int | None = None


@dataclass(frozen=True, slots=True)
class Ask:
    """To the model: answer this; the arguments of `answering.answer`."""

    question: str
    hits: tuple[Hit, ...]
    found: int
    max_tokens: int
    excerpts: tuple[Evidence, ...] | None


@dataclass(frozen=True, slots=True)
class Rest:
    """From the model, last for each request, once nothing computes any more."""

    error: MemcacheError | None = None
    facts: ModelFacts | None = None  # None where no model is loaded


@dataclass(frozen=True, slots=True)
class Begin:
    """To the index worker, once: prepare files of the project in this way."""

    recipe: Recipe
    background: bool = True  # from now on, and never again otherwise: no user may raise a priority


@dataclass(frozen=True, slots=True)
class Batch:
    """To the index worker: prepare these files."""

    jobs: tuple[Job, ...]
    background: bool = True  # likewise


@dataclass(frozen=True, slots=True)
class Ready:
    """From the index worker, once: it can take batches."""


@dataclass(frozen=True, slots=True)
class At:
    """From the index worker: it begins the job at this place of the batch; after the last one comes the embedding."""

    place: int


@dataclass(frozen=True, slots=True)
class Done:
    """From the index worker: what came of a batch, in order."""

    prepared: list[Prepared]


@dataclass(frozen=True, slots=True)
class Failed:
    """From the index worker: the batch, or its start, failed as a whole."""

    why: str
    error: MemcacheError | None = None  # one that is no file's fault


@dataclass(frozen=True, slots=True)
class Embed:
    """To the refiner: embed these; without any texts, only tell what the embedder is. All requests name the same one."""

    number: int
    embedder: str  # a name for `open_embedder`
    texts: tuple[str, ...]
    is_question: bool = False  # then it is one text, whose vector is not kept


@dataclass(frozen=True, slots=True)
class Embedded:
    """From the refiner: what came of the request of that number."""

    number: int
    embedder: str = ""  # its id
    vectors: NDArray[np.float32] | None = None  # a row a text
    error: MemcacheError | None = None


@dataclass(frozen=True, slots=True)
class Leaving:
    """From the index worker, its last word: there was nothing to do for long."""
