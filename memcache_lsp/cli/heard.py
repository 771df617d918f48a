"""What the daemon says of hits and answers, read. Must not import the engine.

Paths are those below `root`, or whole where they lie outside of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from memcache_lsp.cli import work
from memcache_lsp.cli.connection import Message
from memcache_lsp.events import NO_EVIDENCE, Citation, Delta, Event, Result, Sources, Stage, Timings, Unsupported, Usage
from memcache_lsp.lines import offsets_of
from memcache_lsp.session.uris import to_path
from memcache_lsp.values import Hit, Span, Spot


def events(heard: Iterator[tuple[str, Any]], root: Path) -> Iterator[Event]:
    """Yield what comes for a question, read as `Connection.stream` gives it; last its result."""
    said: list[str] = []
    cited: list[Citation] = []
    doubtful: list[Unsupported] = []
    for kind, value in heard:
        if kind == "result":
            result = _result(value.get("asked", value), "".join(said), tuple(cited))
            yield replace(result, unsupported=tuple(doubtful))
            return
        match value["type"]:
            case "sources":
                yield Sources(tuple(hit_of(root, item) for item in value["items"]), value["first"])
            case "stage":
                yield Stage(value["stage"], value["percent"])
            case "delta":
                said.append(value["text"])
                yield Delta(value["seq"], value["text"])
            case "citation":
                cited.append(_citation(root, value))
                yield cited[-1]
            case "unsupported":
                doubtful.append(Unsupported(value["start"], value["end"]))
                yield doubtful[-1]


def hit_of(root: Path, hit: Message) -> Hit:
    """Return a hit; its text is the first lines."""
    path, first, last = _place(root, hit["location"])
    return Hit(
        path=path,
        span=Span(0, len(hit["snippet"]), first, last),
        text=hit["snippet"],
        kind=hit["kind"],
        symbol=hit["symbol"],
        language=hit["language"],
        breadcrumb=tuple(hit.get("breadcrumb", ())),
        score=hit["score"],
        signals=hit.get("signals", {}),
        spot=_spot(hit["location"]),
    )


def whole(root: Path, hit: Hit) -> Hit:
    """Return a hit with its whole text as it may be shown; empty where its file is gone."""
    from memcache_lsp.texts import text_now  # noqa: PLC0415 - seldom needed

    text = text_now(*work.place_of(root, hit.path)) or ""
    first, last = hit.span.start_line, hit.span.end_line
    start, end = offsets_of(text, first, last)
    return replace(hit, text=text[start:end], span=Span(start, end, first, last))


def _place(root: Path, location: Message) -> tuple[str, int, int]:
    """Return path, first and last line of a location, which is of whole lines."""
    path = to_path(location["uri"]) or root
    lines = location["range"]
    below = path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)
    return below, lines["start"]["line"] + 1, lines["end"]["line"]


def _citation(root: Path, cited: Message) -> Citation:
    path, first, last = _place(root, cited["location"])
    return Citation(cited["n"], path, first, last, cited["status"], _spot(cited["location"]), cited.get("at"))


def _spot(location: Message) -> Spot | None:
    return Spot(location.get("page", 0), location.get("cell", 0)) if location.get("extracted") else None


def _result(value: Message, answer: str, citations: tuple[Citation, ...]) -> Result:
    usage, timings = value["usage"], value["timings"]
    return Result(
        answer=answer or (NO_EVIDENCE if value["finishReason"] == "no_answer" else ""),
        citations=citations,
        finish_reason=value["finishReason"],
        evidence_read=value["evidence"]["read"],
        evidence_found=value["evidence"]["found"],
        usage=Usage(usage["promptTokens"], usage["reusedTokens"], usage["answerTokens"]),
        timings=Timings(timings["firstTextSeconds"], timings["totalSeconds"]),
        message=value.get("message"),
        thread_id=value["threadId"],
        turn_id=value["turnId"],
        cached=value["cached"],
    )
