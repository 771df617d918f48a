"""From a question to hits: the query's vectors, the store's candidates, their order, their text.

Must not import a store's implementation, the manifest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from memcache_lsp.embedding import Embedder
from memcache_lsp.overlay import Layer
from memcache_lsp.ranking import Ranked, rank
from memcache_lsp.scan import select
from memcache_lsp.store import Candidates, Filter, Query, Store
from memcache_lsp.tokens import content_terms, query_vector
from memcache_lsp.values import Hit, Scope, Span

_CANDIDATES = 150  # by each vector; recall at 100 is 1.0 on the benchmark


class Searcher:
    """Search one store. `paths` lists what is indexed, for globs."""

    def __init__(self, store: Store, embedder: Embedder, *, paths: Callable[[], Sequence[str]]) -> None:
        self._store = store
        self._embedder = embedder
        self._paths = paths

    def search(
        self, question: str, *, scope: Scope, limit: int, per_file: int | None = None, layer: Layer | None = None
    ) -> list[Hit]:
        """Return at most `limit` hits, best first.

        Without `per_file` each file's best place comes first and its other places follow after all files; with it
        the hits are in the order of their scores, at most `per_file` of one file. `layer` is what lies above the
        index: open buffers.
        """
        query = self._query(question, scope, extra=layer.hidden if layer else frozenset())
        found = self._completed(query, self._store.search(query))
        ranked = rank(question, layer.over(found, query) if layer else found)
        if per_file is not None:
            ranked = _at_most(per_file, sorted(ranked, key=lambda r: -r.score))
        best = ranked[:limit]
        indexed = [r.id for r in best if r.id >= 0]
        payloads = self._store.retrieve(indexed) if indexed else {}
        payloads |= layer.payloads() if layer else {}
        return [_to_hit(payloads[r.id], r) for r in best if r.id in payloads]

    def _completed(self, query: Query, found: Candidates) -> Candidates:
        """Return the candidates with every vector's score for each, not only that of the one that found it.

        Many points tie at the end of a list, and which of them are in it is chance; with all scores known it hardly
        matters.
        """
        ids = {candidate.id for each in (found.dense, found.text, found.name) for candidate in each}
        if not ids:
            return found
        return self._store.search(replace(query, filter=Filter(ids=tuple(sorted(ids))), limit=len(ids)))

    def knows_any(self, question: str) -> bool:
        """Tell whether any content word of the question is in the index."""
        vector = query_vector(content_terms(question))
        found = self._store.search(Query(dense=None, text=vector, name=vector, limit=1))
        return bool(found.text or found.name)

    def _query(self, question: str, scope: Scope, *, extra: frozenset[str]) -> Query:
        vector = query_vector(content_terms(question))
        dense = self._embedder.embed_query(question)
        return Query(dense=dense, text=vector, name=vector, filter=self._filter(scope, extra), limit=_CANDIDATES)

    def _filter(self, scope: Scope, extra: frozenset[str]) -> Filter:
        """Return the filter of a scope; `extra` are paths that may not be indexed yet."""
        matching = None
        if scope.globs:
            matching = tuple(select({*self._paths(), *extra}, scope.globs))
        return Filter(paths=matching, languages=scope.languages or None, kinds=scope.kinds or None)


def _at_most(per_file: int, ranked: Sequence[Ranked]) -> list[Ranked]:
    seen: dict[str, int] = {}
    kept = []
    for r in ranked:
        seen[r.path] = seen.get(r.path, 0) + 1
        if seen[r.path] <= per_file:
            kept.append(r)
    return kept


def _to_hit(payload: Mapping[str, Any], ranked: Ranked) -> Hit:
    span = Span(payload["start"], payload["end"], payload["start_line"], payload["end_line"])
    return Hit(
        path=payload["path"],
        span=span,
        text=payload["text"],
        kind=payload["kind"],
        symbol=payload["symbol"],
        language=payload["language"],
        breadcrumb=tuple(payload["breadcrumb"]),
        score=round(ranked.score, 4),
        signals={name: round(value, 4) for name, value in ranked.signals.items() if value},
    )
