"""Own hits and answers as the editors get them: the specification's values, with locations.

Must not import the engine, a store or a model.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from memcache_lsp.events import Citation, Delta, Result, Sources, Stage, Unsupported
from memcache_lsp.lines import snippet
from memcache_lsp.protocol import parts, spec
from memcache_lsp.values import Spot

if TYPE_CHECKING:
    from collections.abc import Callable

    from memcache_lsp.values import Hit


def whole_lines(uri: str, start_line: int, end_line: int, spot: Spot | None = None) -> parts.Location:
    """Return the location of lines, counted from 1 and inclusive; it is the same in every position encoding."""
    start = parts.Position(line=start_line - 1, character=0)
    lines = parts.Range(start=start, end=parts.Position(line=end_line, character=0))
    if spot is None:
        return parts.Location(uri=uri, range=lines)
    uri = f"{uri}#page={spot.page}" if spot.page else uri
    return parts.Location(uri=uri, range=lines, page=spot.page or None, cell=spot.cell or None, extracted=True)


def last_line(lines: parts.Range) -> int:
    """Return the last line that a range is about, counted from 0: not one of which it has nothing."""
    return max(lines.start.line, lines.end.line if lines.end.character else lines.end.line - 1)


def hit_to_spec(
    hit: Hit,
    *,
    uri: str,
    origin: parts.Origin = "index",
    cache: str | None = None,
    signals: dict[str, float] | None = None,
) -> parts.Hit:
    """Give a hit as the editors get it; `uri` is that of its file."""
    return parts.Hit(
        location=whole_lines(uri, hit.span.start_line, hit.span.end_line, hit.spot),
        path=hit.path,
        symbol=hit.symbol,
        kind=hit.kind,
        language=hit.language,
        score=hit.score,
        snippet=snippet(hit.text),
        origin=origin,
        cache=cache,
        breadcrumb=hit.breadcrumb,
        signals=signals,
    )


def event_to_partial(
    event: Sources | Stage | Delta | Citation | Unsupported,
    *,
    uri_of: Callable[[str], str],
    origin_of: Callable[[Hit], parts.Origin] = lambda _: "index",
    cache_of: Callable[[Hit], str | None] = lambda _: None,
) -> spec.AskPartial:
    """Give an event of an answer as a partial result; `uri_of` turns a hit's path into its file's URI."""
    match event:
        case Sources():
            hits = (
                hit_to_spec(hit, uri=uri_of(hit.path), origin=origin_of(hit), cache=cache_of(hit))
                for hit in event.items
            )
            return spec.AskSources(items=tuple(hits), first=event.first)
        case Stage():
            return spec.AskStage(stage=event.stage, percent=event.percent)
        case Delta():
            return spec.AskDelta(seq=event.seq, text=event.text)
        case Citation():
            cited = citation_to_spec(event, uri_of=uri_of)
            return spec.AskCitation(n=cited.n, location=cited.location, status=cited.status, at=cited.at)
        case Unsupported():
            return spec.AskUnsupported(start=event.start, end=event.end)


def citation_to_spec(citation: Citation, *, uri_of: Callable[[str], str]) -> parts.Cited:
    """Give a citation as the editors get it."""
    location = whole_lines(uri_of(citation.path), citation.start_line, citation.end_line, citation.spot)
    return parts.Cited(n=citation.n, location=location, status=citation.status, at=citation.at)


def result_to_spec(result: Result, *, streamed: bool, uri_of: Callable[[str], str]) -> spec.AskResult:
    """Give the end of an answer as the result of `ask`; a client that had the text streamed does not get it again."""
    return spec.AskResult(
        thread_id=result.thread_id,
        turn_id=result.turn_id,
        finish_reason=result.finish_reason,
        evidence=parts.Evidence(read=result.evidence_read, found=result.evidence_found),
        usage=parts.Usage(
            prompt_tokens=result.usage.prompt_tokens,
            reused_tokens=result.usage.reused_tokens,
            answer_tokens=result.usage.answer_tokens,
        ),
        timings=parts.Timings(
            first_text_seconds=round(result.timings.first_text_s, 3), total_seconds=round(result.timings.total_s, 3)
        ),
        answer=None if streamed else result.answer,
        citations=None if streamed else tuple(citation_to_spec(c, uri_of=uri_of) for c in result.citations),
        unsupported=None if streamed else tuple(parts.Stretch(start=u.start, end=u.end) for u in result.unsupported),
        message=result.message,
        cached=result.cached,
    )
