"""Own the JSON that `--json` prints of hits and of an answer's events: paths and lines, where editors get locations."""

from __future__ import annotations

from typing import Any

from memcache_lsp.events import Citation, Delta, Event, Result, Sources, Stage, Unsupported
from memcache_lsp.lines import snippet
from memcache_lsp.values import Hit, Spot


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
            "snippet": snippet(hit.text),
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
    return (
        {
            "n": citation.n,
            "path": citation.path,
            "startLine": citation.start_line,
            "endLine": citation.end_line,
            "status": citation.status,
        }
        | ({} if citation.at is None else {"at": citation.at})
        | spot_to_json(citation.spot)
    )
