"""Own the JSON that leaves this program: hits and answers as the command line prints them and as the editors get them.

The two differ in places only: the command line has paths and lines, the editors have locations. Must not import the
engine, a store or a model.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from memcache_lsp.answering import Citation, Delta, Event, Result, Sources, Stage, Unsupported
from memcache_lsp.lines import lines_of
from memcache_lsp.protocol import parts, spec
from memcache_lsp.values import Spot

if TYPE_CHECKING:
    from collections.abc import Callable

    from memcache_lsp.values import Hit

SNIPPET_LINES = 12


def snippet(hit: Hit) -> str:
    """Return the first lines of a hit's text."""
    return "\n".join(lines_of(hit.text)[:SNIPPET_LINES])


# For the command line


def hit_to_json(hit: Hit, *, explain: bool = False) -> dict[str, Any]:
    """Give a hit as `search --json` prints it; with `explain`, with what each signal brought to its score."""
    return (
        {
            "path": hit.path,
            "startLine": hit.span.start_line,
            "endLine": hit.span.end_line,
            "score": hit.score,
            "symbol": hit.symbol,
            "kind": hit.kind,
            "language": hit.language,
            "breadcrumb": list(hit.breadcrumb),
            "snippet": snippet(hit),
        }
        | spot_to_json(hit.spot)
        | ({"signals": dict(hit.signals)} if explain else {})
    )


def event_to_json(event: Event) -> dict[str, Any]:
    """Give an event as `ask --json` prints it."""
    match event:
        case Sources():
            items = [hit_to_json(hit) for hit in event.items]
            return {"type": event.type, "items": items, "first": event.first}
        case Stage():
            return {"type": event.type, "stage": event.stage, "percent": event.percent}
        case Delta():
            return {"type": event.type, "seq": event.seq, "text": event.text}
        case Citation():
            return {"type": event.type, **_citation_to_json(event)}
        case Unsupported():
            return {"type": event.type, "start": event.start, "end": event.end}
        case Result():
            return {
                "type": event.type,
                "answer": event.answer,
                "citations": [_citation_to_json(citation) for citation in event.citations],
                "unsupported": [{"start": each.start, "end": each.end} for each in event.unsupported],
                "finishReason": event.finish_reason,
                "evidence": {"read": event.evidence_read, "found": event.evidence_found},
                "usage": {
                    "promptTokens": event.usage.prompt_tokens,
                    "reusedTokens": event.usage.reused_tokens,
                    "answerTokens": event.usage.answer_tokens,
                },
                "timings": {
                    "firstTextSeconds": round(event.timings.first_text_s, 3),
                    "totalSeconds": round(event.timings.total_s, 3),
                },
                "cached": event.cached,
            } | {
                name: value
                for name, value in (
                    ("message", event.message),
                    ("threadId", event.thread_id),
                    ("turnId", event.turn_id),
                )
                if value
            }


def spot_to_json(spot: Spot | None) -> dict[str, Any]:
    """Give what a place has besides lines: its page or cell, and that the lines are those of a text read out of the file."""
    if spot is None:
        return {}
    numbers = {name: number for name, number in (("page", spot.page), ("cell", spot.cell)) if number}
    return numbers | {"extracted": True}


def _citation_to_json(citation: Citation) -> dict[str, Any]:
    return {
        "n": citation.n,
        "path": citation.path,
        "startLine": citation.start_line,
        "endLine": citation.end_line,
        "status": citation.status,
    } | spot_to_json(citation.spot)


# For the editors


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
    hit: Hit, *, uri: str, origin: parts.Origin = "index", signals: dict[str, float] | None = None
) -> parts.Hit:
    """Give a hit as the editors get it; `uri` is that of its file."""
    return parts.Hit(
        location=whole_lines(uri, hit.span.start_line, hit.span.end_line, hit.spot),
        path=hit.path,
        symbol=hit.symbol,
        kind=hit.kind,
        language=hit.language,
        score=hit.score,
        snippet=snippet(hit),
        origin=origin,
        breadcrumb=hit.breadcrumb,
        signals=signals,
    )


def event_to_partial(
    event: Sources | Stage | Delta | Citation | Unsupported,
    *,
    uri_of: Callable[[str], str],
    origin_of: Callable[[Hit], parts.Origin] = lambda _: "index",
) -> spec.AskPartial:
    """Give an event of an answer as a partial result; `uri_of` turns a hit's path into its file's URI."""
    match event:
        case Sources():
            hits = (hit_to_spec(hit, uri=uri_of(hit.path), origin=origin_of(hit)) for hit in event.items)
            return spec.AskSources(items=tuple(hits), first=event.first)
        case Stage():
            return spec.AskStage(stage=event.stage, percent=event.percent)
        case Delta():
            return spec.AskDelta(seq=event.seq, text=event.text)
        case Citation():
            cited = citation_to_spec(event, uri_of=uri_of)
            return spec.AskCitation(n=cited.n, location=cited.location, status=cited.status)
        case Unsupported():
            return spec.AskUnsupported(start=event.start, end=event.end)


def citation_to_spec(citation: Citation, *, uri_of: Callable[[str], str]) -> parts.Cited:
    """Give a citation as the editors get it."""
    location = whole_lines(uri_of(citation.path), citation.start_line, citation.end_line, citation.spot)
    return parts.Cited(n=citation.n, location=location, status=citation.status)


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
