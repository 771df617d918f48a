"""Own the Markdown that stands for a result where a client knows none of our types.

Pure. Must not import the engine.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import PurePath
from typing import Any

from memcache_lsp.anchoring import REMARKS
from memcache_lsp.protocol.parts import Cache, Hit, Location
from memcache_lsp.protocol.spec import (
    AskResult,
    AskSources,
    CachesResult,
    ExplainResult,
    IndexResult,
    Model,
    ModelsResult,
    SearchResult,
    StatusResult,
    ThreadsResult,
)
from memcache_lsp.session.uris import to_path


def to_markdown(result: Any, *, sources: AskSources | None = None, title: str = "") -> str:
    """Return a result as text; `sources` are those of an answer, `title` its heading."""
    match result:
        case AskResult():
            return _answer(result, sources or AskSources(items=()), title)
        case SearchResult():
            return _hits(result)
        case ExplainResult():
            return f"{result.reason}\n" + _signals(result.signals)
        case StatusResult():
            return _status(result)
        case IndexResult():
            return "\n".join(f"- {_name(root.uri)}: {root.state}" for root in result.roots) + "\n"
        case ThreadsResult():
            return _threads(result)
        case CachesResult():
            said = f"{result.message}\n" if result.message else ""
            return said + ("".join(map(_cache, result.caches)) or "There are no caches yet.\n")
        case ModelsResult():
            return "".join(map(_model, result.models))
    raise TypeError(type(result).__name__)


def _threads(result: ThreadsResult) -> str:
    parts = [_answer(result.asked, AskSources(items=()), "")] if result.asked and result.asked.answer else []
    for thread in result.threads:
        stale = ", stale" if thread.stale else ""
        parts.append(f"- {thread.title} ({thread.thread_id}{stale})\n")
        for turn in thread.turns or ():
            places = _lines(f"- [{each.n}] {_link(each.location)} {each.status}\n" for each in turn.citations)
            parts.append(f"## {' '.join(turn.question.split())}\n\n{turn.answer.strip()}\n\n{places}")
    return "\n".join(parts) or "There are no threads yet.\n"


def _answer(result: AskResult, sources: AskSources, title: str) -> str:
    parts = [f"# {' '.join(title.split())}\n"] if title else []
    parts.append((result.answer or "").strip() + "\n")
    cited = result.citations or ()
    if cited:
        parts.append("## Cited\n")
        parts.append(
            _lines(f"- [{each.n}] {_link(each.location)} {REMARKS[each.status]}".rstrip() + "\n" for each in cited)
        )
    if result.unsupported:
        parts.append("## Not borne out by what is cited\n")
        said = ((result.answer or "")[each.start : each.end] for each in result.unsupported)
        parts.append("".join(f"- {' '.join(each.split())}\n" for each in said))
    others = [(n, hit) for n, hit in enumerate(sources.items, sources.first) if n not in {each.n for each in cited}]
    if others:
        parts.append("## Also found\n")
        parts.append("".join(f"- [{n}] {_link(hit.location)} {_what(hit)}".rstrip() + "\n" for n, hit in others))
    return "\n".join(parts)


def _lines(lines: Iterable[str]) -> str:
    """Join lines, each once: several marks of an answer may stand for the same place."""
    return "".join(dict.fromkeys(lines))


def _hits(result: SearchResult) -> str:
    notes = "".join(f"{note}\n\n" for note in result.notes or ())
    if not result.hits:
        return f"{notes}Nothing was found.\n"
    return notes + "\n".join(
        f"{n}. {_link(hit.location)} {_what(hit)}".rstrip() + f"\n\n{_fenced(hit)}{_signals(hit.signals)}"
        for n, hit in enumerate(result.hits, 1)
    )


def _signals(signals: Mapping[str, float] | None) -> str:
    """List what each signal brought, the most first."""
    told = sorted((signals or {}).items(), key=lambda each: -each[1])
    return "".join(f"- {name}: {value:+.3f}\n" for name, value in told)


def _status(result: StatusResult) -> str:
    lines = [f"memcache-lsp {result.version}, {result.health}" + (f": {result.message}" if result.message else "")]
    for root in result.roots:
        failed = f", {root.files.failed} failed" if root.files.failed else ""
        lines.append(f"- {_name(root.uri)}: {root.state}, {root.files.done} of {root.files.total} files{failed}")
        if cards := root.refinement:
            said = f". {cards.message}" if cards.message else ""
            lines.append(f"  - refined by {cards.model}: {cards.done} of {cards.total} files{said}")
    lines += [_cache(cache).rstrip("\n") for cache in result.caches]
    model = result.model
    lines.append(f"- model: {model.name}, {model.state}" if model else "- no model: answers are quotations")
    lines += [f"  - {sentence}" for sentence in (model.chosen if model else ())]
    if result.last_read:
        lines.append(f"- the latest answer read {result.last_read.read} of {result.last_read.found} places")
    lines.append(f"- {len(result.sessions)} sessions, {result.memory_bytes // 2**20} MB")
    lines += [f"- {sentence}" for sentence in result.outside]
    return "\n".join(lines) + "\n"


def _cache(cache: Cache) -> str:
    failed = f", {cache.files.failed} failed" if cache.files.failed else ""
    since = [f"  - {_name(p.uri)} is offline since {p.offline_since}\n" for p in cache.places if p.offline_since]
    kind = "reading folder" if cache.reading else "cache"
    return f"- {kind} {cache.name}: {cache.state}, {cache.files.done} files{failed}\n" + "".join(since)


def _model(model: Model) -> str:
    place = "in use" if model.used else "here" if model.fetched else "not fetched"
    note = f": {model.note}" if model.note else ""
    return f"- {model.name}, {model.size_bytes // 1_000_000} MB, {place}{note}\n"


def _link(location: Location) -> str:
    if location.extracted:
        part = f", page {location.page}" if location.page else f", cell {location.cell}" if location.cell else ""
        return f"[{_name(location.uri)}{part}]({location.uri})"
    start, end = location.range.start, location.range.end
    last = max(start.line, end.line if end.character else end.line - 1)
    lines = f"{start.line + 1}" if last == start.line else f"{start.line + 1}-{last + 1}"
    return f"[{_name(location.uri)}:{lines}]({location.uri}#L{start.line + 1})"


def _name(uri: str) -> str:
    path = to_path(uri)
    return PurePath(path).name if path else uri


def _what(hit: Hit) -> str:
    return f"{hit.kind} `{hit.symbol}`" if hit.symbol else ""


def _fenced(hit: Hit) -> str:
    """Fence a snippet with more backticks than it holds in a row."""
    longest = max((len(run) for run in _runs(hit.snippet)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{hit.language}\n{hit.snippet}\n{fence}\n"


def _runs(text: str) -> list[str]:
    return "".join(char if char == "`" else " " for char in text).split()
