"""From a question to hits: the query's vectors, the store's candidates, their order, their text.

Must not import a store's implementation, the manifest.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from memcache_lsp.embedding import Embedder
from memcache_lsp.overlay import Layer
from memcache_lsp.ranking import Cards, FileTable, Question, Ranked, Row, Scored, completed, rank, score, tops_of
from memcache_lsp.ranking.confidence import MOST_TERMS, Signs, confidence, signs_of
from memcache_lsp.scan import select
from memcache_lsp.scopes import Scope
from memcache_lsp.store import FILE_KIND, Candidates, Filter, Query, Store
from memcache_lsp.tokens import query_vector
from memcache_lsp.values import Hit, Span, Spot

_SCALED = "static-code-256"  # the embedder whose cosines the confidence was fitted to
_COMPLETED_POINTS = 500  # chunks at most, of the best files; those of larger ones are taken as they were found


class Searcher:
    """Search one store. `paths` lists what is indexed, for globs; `table` holds its files.

    A reader of somebody else's store has no manifest: with `learns`, what it finds is looked up there, and its files
    are ranked by what the store and their paths tell, without their symbols and references.
    """

    def __init__(
        self,
        store: Store,
        embedder: Embedder,
        *,
        paths: Callable[[], Sequence[str]],
        table: FileTable,
        learns: bool = False,
    ) -> None:
        self._store = store
        self._embedder = embedder
        self._paths = paths
        self._table = table
        self._learns = learns

    def search(
        self,
        question: str,
        *,
        scope: Scope,
        limit: int,
        per_file: int | None = None,
        layer: Layer | None = None,
        cards: Cards | None = None,
    ) -> list[Hit]:
        """Return at most `limit` hits, best first.

        Without `per_file` each file's best place comes first (of a document the best few) and its other places follow after all files; with it
        the hits are in the order of their scores, at most `per_file` of one file. `layer` is what lies above the
        index: open buffers; `cards` what a refinement knows of the question.
        """
        asked = Question.of(question)
        query = self._query(asked, scope, extra=layer.hidden if layer else frozenset())
        scored = self.scored(asked, query, layer, cards)
        scored = self._completed(asked, scored, query, limit, is_whole=per_file is not None)
        ranked = rank(asked, scored, limit=limit, wanted=query.filter, per_file=per_file is not None)
        if per_file is not None:
            ranked = _at_most(per_file, sorted(ranked, key=lambda r: -r.score))
        best = ranked[:limit]
        indexed = [r.id for r in best if r.id >= 0]
        payloads = self._store.retrieve(indexed) if indexed else {}
        payloads |= layer.payloads() if layer else {}
        tops = tops_of(scored.tops, rarest=self._table.rarest())
        return [_to_hit(payloads[r.id], r, tops) for r in best if r.id in payloads]

    def scored(self, asked: Question, query: Query, layer: Layer | None = None, cards: Cards | None = None) -> Scored:
        """Return the candidate files of a question with their signals."""
        found = self._store.search(query)
        if self._learns:
            self._learn(found)
        if layer:
            found = layer.over(found, query)
        above = layer.above if layer else None
        return score(asked, found, self._table, meaning=query.dense, wanted=query.filter, above=above, cards=cards)

    def _completed(self, asked: Question, scored: Scored, query: Query, limit: int, *, is_whole: bool) -> Scored:
        """Score the chunks of the best files by every vector: which of those that tie are on a list is chance, and some are on none.

        Those that cannot be shown first are left out, unless more of a file `is_whole` to be shown.
        """
        rows = [row for at in scored.best_first()[:limit] if (row := scored.rows[at]).points[0] > 0]
        if is_whole or len(scored.rows) < limit:
            wanted = {row: list(range(len(row.points) - 1)) for row in rows}
        else:
            wanted = scored.unsure(asked, rows)
        ids: list[int] = []
        for row, places in wanted.items():
            if len(ids) + len(places) < _COMPLETED_POINTS:
                ids += [row.points[place] for place in places]
        if not ids:
            return scored
        these = replace(query.filter, ids=tuple(ids))
        found = self._store.search(replace(query, filter=these, limit=len(ids), vectors=("dense", "text")))
        return completed(scored, found, self._table)

    def _learn(self, found: Candidates) -> None:
        """Make rows of points that were found and belong to no known file."""
        known = self._table.owners()
        every = (found.text, found.dense, found.file, found.name)
        unknown = {each.id for one in every for each in one if each.id not in known}
        if unknown:
            self._table.put(_learned(self._table.rows(), self._store.retrieve(sorted(unknown))))

    def confidence(self, question: str, hits: Sequence[Hit], *, layer: Layer | None = None) -> float:
        """Return how likely it is that what is indexed answers a question that found these hits."""
        asked = Question.of(question)
        return confidence(asked, self.signs(asked, hits, layer)) if hits else 0.0

    def signs(self, asked: Question, hits: Sequence[Hit], layer: Layer | None = None) -> Signs:
        """Return what the confidence goes by."""
        nearest = self._nearest(asked, layer) if self._embedder.id.startswith(_SCALED) else None
        unknown = [term for term in asked.terms[:MOST_TERMS] if not self._knows(term)]
        return signs_of(asked, hits, nearest=nearest, unknown=unknown)

    def _nearest(self, asked: Question, layer: Layer | None) -> float:
        query = Query(self._embedder.embed_query(asked.subject), query_vector(()), limit=1, vectors=("dense",))
        found = self._store.search(query)
        found = layer.over(found, query) if layer else found
        return found.dense[0].score if found.dense else 0.0

    def _knows(self, term: str) -> bool:
        found = self._store.search(Query(None, query_vector((term,)), limit=1, vectors=("file", "name")))
        return bool(found.file or found.name)

    def query(self, asked: Question, scope: Scope | None = None) -> Query:
        """Return what the store is asked for a question."""
        return self._query(asked, scope or Scope(), extra=frozenset())

    def _query(self, asked: Question, scope: Scope, *, extra: frozenset[str]) -> Query:
        dense = self._embedder.embed_query(asked.subject)
        return Query(dense=dense, words=query_vector(asked.terms), filter=self._filter(scope, extra))

    def _filter(self, scope: Scope, extra: frozenset[str]) -> Filter:
        """Return the filter of a scope; `extra` are paths that may not be indexed yet."""
        matching = None
        if scope.globs:
            matching = tuple(select({*self._paths(), *extra}, scope.globs))
        return Filter(paths=matching, languages=scope.languages or None, kinds=scope.kinds or None)


def _learned(known: Mapping[str, Row], payloads: Mapping[int, Mapping[str, Any]]) -> Iterable[Row]:
    """Return rows with points that were retrieved, behind those that are known of the same files."""
    by_path: dict[str, tuple[str, list[int]]] = {}
    for point, payload in payloads.items():
        if "path" in payload:
            _, points = by_path.setdefault(payload["path"], (payload["language"], []))
            points += [] if payload["kind"] == FILE_KIND else [point]
    files = {p["path"]: point for point, p in payloads.items() if p.get("kind") == FILE_KIND}
    for path, (language, points) in by_path.items():
        before = known[path].points if path in known else array("q", [0])
        own = files.get(path, before[-1])
        yield Row(path, language, 0, array("q", [*before[:-1], *points, own]))


def _at_most(per_file: int, ranked: Sequence[Ranked]) -> list[Ranked]:
    seen: dict[str, int] = {}
    kept = []
    for r in ranked:
        seen[r.path] = seen.get(r.path, 0) + 1
        if seen[r.path] <= per_file:
            kept.append(r)
    return kept


def _to_hit(payload: Mapping[str, Any], ranked: Ranked, tops: Mapping[str, float]) -> Hit:
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
        signals=ranked.signals,
        tops=tops,
        spot=Spot(**payload["spot"]) if "spot" in payload else None,
    )
