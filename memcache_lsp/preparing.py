"""All that is heavy about a file: read, hash, chunk, embed, and make the points that the store takes.

Owns what a point is made of. Needs no store and no manifest, so that it can run in a process of its own; jobs and what
comes of them can be pickled. Must not import the engine or a store's implementation.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from hashlib import blake2b
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memcache_lsp.chunking import CHUNKER_VERSION
from memcache_lsp.config import SizeLimits
from memcache_lsp.documents import read_document
from memcache_lsp.embedding import Embedder, open_embedder
from memcache_lsp.errors import MemcacheError, Stopped
from memcache_lsp.ranking.facts import make_facts
from memcache_lsp.reading import READER_VERSION
from memcache_lsp.reading.owner import Reader
from memcache_lsp.reading.result import Reading
from memcache_lsp.recall import Made, Recall
from memcache_lsp.redact import REDACTOR_VERSION
from memcache_lsp.reports import Skipped
from memcache_lsp.store import FILE_KIND, Point
from memcache_lsp.texts import Extractor
from memcache_lsp.tokens import TOKENIZER_VERSION, Sparse, document_vector, pieces, term_ids
from memcache_lsp.values import Chunk, Document, Found, spot_at
from memcache_lsp.vectors import VectorCache, embed_cached

_log = logging.getLogger(__name__)

POINT_VERSION = "3"  # changes with what a point is made of
INDEXED, SKIPPED, FAILED = "indexed", "skipped", "failed"

# BM25's parameters; the average lengths are those of the benchmark's repositories, and constants so that one
# file's points do not depend on another's.
_TEXT_BM25 = {"k1": 1.2, "b": 0.75, "average_length": 180.0}
_FILE_BM25 = {"k1": 1.2, "b": 0.75, "average_length": 2000.0}
_PATH_WEIGHT = 0.25  # of a word of the path beside one of the text: enough to be found by
_NAME_BM25 = {"k1": 1.2, "b": 0.5, "average_length": 80.0}


@dataclass(frozen=True, slots=True)
class Job:
    """A file to be read; nothing is made of it if its content still has the known hash."""

    found: Found
    known_hash: str = ""


@dataclass(frozen=True, slots=True)
class Prepared:
    """What came of a job. With `unchanged`, only the file's times are news."""

    found: Found
    checked_ns: int  # wall clock when it was read
    hash: str = ""  # empty where the file could not be read
    language: str = ""
    status: str = FAILED
    reason: str = ""
    points: tuple[Point, ...] = ()  # one a chunk, and last that of the file
    facts: bytes = b""  # what ranking keeps of it
    unchanged: bool = False


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a preparer is made from; can be sent to another process."""

    root: Path
    limits: SizeLimits
    embedder: str  # a name for `open_embedder`, empty for the default
    vectors: Path  # the file of the vector cache
    vectors_limit_bytes: int


@lru_cache(maxsize=1)
def _embedder(name: str) -> Embedder:
    """Open the embedder of a process: what it learnt for one project serves the next."""
    return open_embedder(name or None)


class Preparer:
    """Prepare the files of one project. For one thread at a time."""

    def __init__(
        self,
        recipe: Recipe,
        *,
        embedder: Embedder | None = None,
        clock_ns: Callable[[], int] = time.time_ns,
        amend: Callable[[Document], Document] | None = None,
    ) -> None:
        """Prepare what `recipe` says; `amend` changes each document before it is chunked, but for its offsets."""
        self._recipe = recipe
        self._embedder = embedder or _embedder(recipe.embedder)
        self._clock_ns = clock_ns
        self._amend = amend
        self._vectors: VectorCache | None = None  # opened when something has changed
        self._reader: Reader | None = None  # started when a file needs it
        self._cancelled: Callable[[], bool] = lambda: False
        self._recall: Recall | None = None  # the same; what is amended is not what the file's content makes

    def prepare(self, batch: Sequence[Job], *, cancelled: Callable[[], bool] = lambda: False) -> list[Prepared]:
        """Prepare files, in order; one that fails costs only itself and says why. Stopped where it is `cancelled`."""
        self._cancelled = cancelled
        drafts = [self._draft(job) for job in batch]
        texts = [text for draft in drafts for text in draft.texts()]
        vectors = iter(embed_cached(self._embedder, self._opened(), texts) if texts else ())
        prepared = [draft.finish(vectors) for draft in drafts]
        if self._recall is not None:
            self._recall.keep(each for pair in zip(drafts, prepared, strict=True) for each in _to_keep(*pair))
        return prepared

    def close(self) -> None:
        """Let go of the vector cache and the reader."""
        if self._reader is not None:
            self._reader.close()
            self._reader = None
        if self._vectors is not None:
            self._vectors.close()
            self._vectors = self._recall = None

    def _opened(self) -> VectorCache:
        if self._vectors is None:
            self._vectors = VectorCache(self._recipe.vectors, limit_bytes=self._recipe.vectors_limit_bytes)
            self._recall = None if self._amend else Recall(self._vectors, made_by(self._embedder))
        return self._vectors

    def _draft(self, job: Job) -> _Draft:
        checked_ns = self._clock_ns()
        if self._cancelled():
            raise Stopped("The indexing was stopped; what is indexed so far is kept.")
        try:
            return self._read(job, checked_ns)
        except MemcacheError:
            raise
        except Exception as error:  # noqa: BLE001 - the file boundary: any failure is this file's alone
            _log.warning("preparing a file failed", exc_info=True)
            return _Draft(failed(job, checked_ns, f"{type(error).__name__}: {error}"))

    def _read(self, job: Job, checked_ns: int) -> _Draft:
        loaded = read_document(
            self._recipe.root,
            job.found,
            limits=self._recipe.limits,
            known_hash=job.known_hash,
            extract=self._extract,
        )
        if loaded.document is None:
            return _Draft(Prepared(job.found, checked_ns, hash=loaded.hash, unchanged=True))
        if isinstance(loaded.document, Skipped):
            reason, status = loaded.document.reason, FAILED if loaded.failed else SKIPPED
            return _Draft(Prepared(job.found, checked_ns, hash=loaded.hash, status=status, reason=reason))
        document = self._amend(loaded.document) if self._amend else loaded.document
        prepared = Prepared(job.found, checked_ns, hash=loaded.hash, language=document.language, status=INDEXED)
        self._opened()
        made = self._recall.find(document, loaded.hash) if self._recall and loaded.hash else None
        if made is not None:
            return _Draft(replace(prepared, reason="; ".join(loaded.problems)), document, made=made)
        from memcache_lsp.chunking import chunker  # noqa: PLC0415 - a run that finds nothing new does not need it

        chunked = chunker.chunk(document)
        problems = (*loaded.problems, *chunked.problems)
        return _Draft(replace(prepared, reason="; ".join(problems)), document, chunked.chunks)

    def _extract(self, path: str, data: bytes, content: str) -> Reading:
        self._reader = self._reader or Reader()
        return Extractor(self._opened(), self._reader, cancelled=self._cancelled)(path, data, content)


def failed(job: Job, checked_ns: int, why: str) -> Prepared:
    """Return what comes of a job that failed."""
    return Prepared(job.found, checked_ns, reason=f"it could not be indexed ({why})")


@dataclass(frozen=True, slots=True)
class _Draft:
    """A file of which all is known but its vectors."""

    prepared: Prepared
    document: Document | None = None
    chunks: tuple[Chunk, ...] = ()
    made: Made | None = None  # instead of chunks, where it was known

    def texts(self) -> list[str]:
        if self.made is None:
            return [embedded_text(chunk) for chunk in self.chunks]
        return [_embedded(point.payload["breadcrumb"], point.payload["text"]) for point in self.made.points[:-1]]

    def finish(self, vectors: Iterator[NDArray[np.float32]]) -> Prepared:
        if self.document is None:
            return self.prepared
        if self.made is None:
            points, facts = made_of(self.document, self.chunks, [next(vectors) for _ in self.chunks])
            return replace(self.prepared, points=points, facts=facts)
        *chunks, own = self.made.points
        points = (*(replace(point, dense=next(vectors)) for point in chunks), own)
        return replace(self.prepared, points=points, facts=self.made.facts)


def _to_keep(draft: _Draft, prepared: Prepared) -> Iterator[tuple[Document, str, Made]]:
    """Return what is worth remembering: what is new, and what no deadline or other trouble of the moment had a part in."""
    if draft.document is not None and draft.made is None and prepared.points and not prepared.reason:
        yield draft.document, prepared.hash, Made(prepared.points, prepared.facts)


def made_by(embedder: Embedder) -> dict[str, str]:
    """Return what the points of a file depend on, besides the file."""
    return {
        "reader": READER_VERSION,
        "chunker": CHUNKER_VERSION,
        "tokenizer": TOKENIZER_VERSION,
        "points": POINT_VERSION,
        "redactor": str(REDACTOR_VERSION),
        "embedder": embedder.id,
    }


def point_id(payload: Mapping[str, Any], text: str) -> int:
    """Return the id of a point: 63 bits of everything that is stored of its chunk, of which `text` is the most."""
    rest = [(name, value) for name, value in payload.items() if name != "text"]
    told = f"{len(text)} {rest!r} {text}"
    return int.from_bytes(blake2b(told.encode("utf-8", "surrogatepass"), digest_size=8).digest()) >> 1


def embedded_text(chunk: Chunk) -> str:
    """Return what is embedded of a chunk: no path, so that a renamed file finds its vectors in the cache."""
    return _embedded(chunk.breadcrumb, chunk.text)


def _embedded(breadcrumb: Sequence[str], text: str) -> str:
    return "\n".join((" ".join(breadcrumb), text)) if breadcrumb else text


def made_of(
    document: Document, chunks: Sequence[Chunk], vectors: Sequence[NDArray[np.float32]]
) -> tuple[tuple[Point, ...], bytes]:
    """Return the points of a document's chunks, then its own, and the facts that ranking keeps of it."""
    if not chunks:
        return (), b""
    written = [pieces(chunk.text) for chunk in chunks]
    ids = [term_ids([*own, *_above(chunk)]) for chunk, own in zip(chunks, written, strict=True)]
    points = [_chunk_point(document, *each) for each in zip(chunks, ids, vectors, strict=True)]
    facts = make_facts(chain.from_iterable(written), chunks, vectors).encoded()
    return (*points, _file_point(document, chunks, ids)), facts


def _above(chunk: Chunk) -> list[bytes]:
    """Return the names of what a chunk lies in, in pieces."""
    return pieces(" ".join(chunk.breadcrumb)) if chunk.breadcrumb else []


def _chunk_point(document: Document, chunk: Chunk, ids: Sequence[int], dense: NDArray[np.float32]) -> Point:
    payload: dict[str, Any] = {
        "path": document.path,
        "language": document.language,
        "kind": chunk.kind,
        "symbol": chunk.symbol,
        "breadcrumb": list(chunk.breadcrumb),
        "start": chunk.span.start,
        "end": chunk.span.end,
        "start_line": chunk.span.start_line,
        "end_line": chunk.span.end_line,
        "text": chunk.text,
    }
    if (spot := spot_at(document.spots, chunk.span.start_line)) is not None:
        payload["spot"] = {name: number for name, number in (("page", spot.page), ("cell", spot.cell)) if number}
    sparse = {"text": document_vector(Counter(ids), **_TEXT_BM25)}
    return Point(id=point_id(payload, chunk.text), payload=payload, dense=dense, sparse=sparse)


def _file_point(document: Document, chunks: Sequence[Chunk], ids: Sequence[Sequence[int]]) -> Point:
    weighed: dict[int, float] = dict(Counter(chain.from_iterable(ids)))
    for term in term_ids(pieces(document.path)):
        weighed[term] = weighed.get(term, 0.0) + _PATH_WEIGHT
    names = Counter(term_ids(pieces(" ".join(d.name for chunk in chunks for d in chunk.definitions))))
    payload: dict[str, Any] = {"path": document.path, "language": document.language, "kind": FILE_KIND}
    sparse: dict[str, Sparse] = {"file": document_vector(weighed, **_FILE_BM25)}
    if names:
        sparse["name"] = document_vector(names, **_NAME_BM25)
    return Point(id=point_id(payload, document.text), payload=payload, sparse=sparse)
