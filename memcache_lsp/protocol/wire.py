"""The JSON that leaves this program: hits and answers as the command line and the editors get them.

Owns names and shapes only. Must not import the engine, a store or a model.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from memcache_lsp.answering import Citation, Delta, Event, Result, Sources, Stage

if TYPE_CHECKING:
    from memcache_lsp.values import Hit

SNIPPET_LINES = 12


def snippet(hit: Hit) -> str:
    """Return the first lines of a hit's text."""
    return "\n".join(hit.text.splitlines()[:SNIPPET_LINES])


def hit_to_json(hit: Hit) -> dict[str, Any]:
    """Give a hit as `search --json` prints it."""
    return {
        "path": hit.path,
        "startLine": hit.span.start_line,
        "endLine": hit.span.end_line,
        "score": hit.score,
        "symbol": hit.symbol,
        "kind": hit.kind,
        "language": hit.language,
        "snippet": snippet(hit),
    }


def event_to_json(event: Event) -> dict[str, Any]:
    """Give an event as `ask --json` prints it."""
    match event:
        case Sources():
            return {"type": event.type, "items": [hit_to_json(hit) for hit in event.items]}
        case Stage():
            return {"type": event.type, "stage": event.stage, "percent": event.percent}
        case Delta():
            return {"type": event.type, "seq": event.seq, "text": event.text}
        case Citation():
            return {"type": event.type, **_citation_to_json(event)}
        case Result():
            return {
                "type": event.type,
                "answer": event.answer,
                "citations": [_citation_to_json(citation) for citation in event.citations],
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
            }


def _citation_to_json(citation: Citation) -> dict[str, Any]:
    return {
        "n": citation.n,
        "path": citation.path,
        "startLine": citation.start_line,
        "endLine": citation.end_line,
        "status": citation.status,
    }
