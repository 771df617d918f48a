"""What a session finds in its roots: hits, places that resemble a stretch, and why.

Converts between the specification's types and the engine's. Must not import the hub or what a connection is made of.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from memcache_lsp import explaining
from memcache_lsp.editor import CacheOf, Editor
from memcache_lsp.errors import UserError
from memcache_lsp.keeper import Keeper
from memcache_lsp.languages import LANGUAGES
from memcache_lsp.lines import lines_of
from memcache_lsp.protocol import parts, spec, wire
from memcache_lsp.ranking import comparable
from memcache_lsp.ranking.order import PLACES_OF_DOCUMENT
from memcache_lsp.redact import redact
from memcache_lsp.scopes import Scope
from memcache_lsp.session.backend import MANY_HITS
from memcache_lsp.values import Hit

_MOST_HITS = 1000
_STRETCH_CHARACTERS = 4000  # of what others are to resemble; longer chunks do not exist

Placed = tuple[Path, Hit]  # a hit and the root it lies in


async def search(
    editor: Editor,
    keepers: Sequence[Keeper],
    params: spec.SearchParams,
    *,
    cache_of: CacheOf = lambda _root: None,
    notes: tuple[str, ...] = (),
) -> spec.SearchResult:
    """Find hits in some roots, best first; `cache_of` names the cache that a root is of, `notes` say what was not asked."""
    complete = all(keeper.in_step for keeper in keepers)  # before: what ends meanwhile is not among the hits
    found = await found_in(editor, keepers, params.query, params.scope, limit=params.limit)
    hits = places_first(found)[: params.limit]

    def told() -> spec.SearchResult:
        shown = (
            wire.hit_to_spec(
                hit,
                uri=editor.uri_of(root / hit.path),
                origin=origin_of(editor, root / hit.path, cache_of(root)),
                cache=cache_of(root),
                signals=dict(hit.signals) if params.explain else None,
            )
            for root, hit in hits
        )
        return spec.SearchResult(hits=tuple(shown), complete=complete, notes=notes or None)

    return told() if len(hits) <= MANY_HITS else await asyncio.to_thread(told)


async def similar(
    editor: Editor,
    keepers: Sequence[Keeper],
    params: spec.SimilarParams,
    *,
    cache_of: CacheOf = lambda _root: None,
    notes: tuple[str, ...] = (),
) -> spec.SearchResult:
    """Find what a stretch of a document resembles, by its own words and meaning, without the stretch itself."""
    root, path = await editor.placed(params.text_document.uri)
    first, last = params.range.start.line, wire.last_line(params.range)
    stretch = _lines(await editor.text_of(root, path), first, last)[:_STRETCH_CHARACTERS]
    if not stretch.strip():
        raise UserError("There is no text in this range: select some lines first.")
    asked = spec.SearchParams(query=stretch, limit=_MOST_HITS, scope=params.scope)
    found = await search(editor, keepers, asked, cache_of=cache_of, notes=notes)
    own = wire.whole_lines(editor.uri_of(root / path), first + 1, last + 1)
    others = tuple(hit for hit in found.hits if not _overlap(hit.location, own))
    return replace(found, hits=others[: params.limit])


async def explain_hit(editor: Editor, keepers: Sequence[Keeper], wanted: parts.Hit, query: str) -> spec.ExplainResult:
    """Find a hit again by its query, in all roots as the search did, and tell what ranked it."""
    hits = places_first(await found_in(editor, keepers, query, None, limit=_MOST_HITS))
    for rank, (root, hit) in enumerate(hits, start=1):
        if (
            wire.whole_lines(editor.uri_of(root / hit.path), hit.span.start_line, hit.span.end_line, hit.spot)
            == wanted.location
        ):
            indexed = editor.origin_of(root / hit.path) == "index"
            reason = explaining.placed(rank, len(hits), hit.signals)
            return spec.ExplainResult(indexed=indexed, reason=reason, signals=dict(hit.signals))
    return spec.ExplainResult(indexed=False, reason=explaining.placed(None, len(hits), {}))


async def found_in(
    editor: Editor,
    keepers: Sequence[Keeper],
    question: str,
    scope: parts.Scope | None,
    *,
    limit: int,
    per_file: int | None = None,
) -> list[Placed]:
    """Return the hits of each root behind those of another; one that fails is left out if another does not."""
    wanted = scope_of(scope)
    searches = (
        keeper.search(question, scope=wanted, limit=limit, per_file=per_file, overlay=editor.overlay_of(keeper.root))
        for keeper in keepers
    )
    turns = (editor.in_turn(keeper.root, each) for keeper, each in zip(keepers, searches, strict=True))
    answers = await asyncio.gather(*turns, return_exceptions=True)
    failures = [answer for answer in answers if isinstance(answer, BaseException)]
    if failures and len(failures) == len(keepers):
        raise failures[0]
    return each_once(
        (keeper.root, hits)
        for keeper, hits in zip(keepers, answers, strict=True)
        if not isinstance(hits, BaseException)
    )


def each_once(answers: Iterable[tuple[Path, Sequence[Hit]]]) -> list[Placed]:
    """Return the hits of several roots, with scores that can be compared; of a file that lies in two only the first one's."""
    found: list[Placed] = []
    owners: dict[Path, int] = {}
    given = list(answers)
    joined = comparable([hits for _, hits in given])
    for number, ((root, _), hits) in enumerate(zip(given, joined, strict=True)):
        found += [(root, hit) for hit in hits if owners.setdefault(root / hit.path, number) == number]
    return found


def places_first(found: Sequence[Placed]) -> list[Placed]:
    """Return the hits of several roots as the search orders those of one: a place of each file first, then the others."""
    seen: Counter[tuple[Path, str]] = Counter()
    firsts: list[Placed] = []
    others: list[Placed] = []
    for root, hit in found:
        language = LANGUAGES.get(hit.language)
        most = PLACES_OF_DOCUMENT if language is None or language.is_document else 1
        (firsts if seen[root, hit.path] < most else others).append((root, hit))
        seen[root, hit.path] += 1
    by_score = lambda each: -each[1].score  # noqa: E731
    return sorted(firsts, key=by_score) + sorted(others, key=by_score)


def scope_of(scope: parts.Scope | None) -> Scope:
    """Return a scope as the engine has it."""
    if scope is None:
        return Scope()
    return Scope(globs=scope.globs, languages=scope.languages, kinds=scope.kinds)


def origin_of(editor: Editor, path: Path, cache: str | None) -> parts.Origin:
    """Tell where a hit was found."""
    origin = editor.origin_of(path)
    return "cache" if cache is not None and origin == "index" else origin


def _overlap(one: parts.Location, other: parts.Location) -> bool:
    """Tell whether two places, both of whole lines, share a line."""
    if one.uri != other.uri:
        return False
    return one.range.start.line < other.range.end.line and other.range.start.line < one.range.end.line


def _lines(text: str, first: int, last: int) -> str:
    """Return some lines, counted from 0 and inclusive, as they may be shown."""
    return "\n".join(lines_of(redact(text).text)[first : last + 1])
