"""From a thread to what its next question needs, and from an answer to what is kept of it.

Plain functions over records. Must not import a database, a session or the engine.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from memcache_lsp import prompt
from memcache_lsp.conversation import ALONE, Earlier, after
from memcache_lsp.events import Citation, Delta, Event, Result, Sources, Timings, Unsupported
from memcache_lsp.evidence import Evidence
from memcache_lsp.lines import lines_of
from memcache_lsp.threads.followup import Asked, for_search
from memcache_lsp.threads.fresh import TextAt
from memcache_lsp.threads.records import Cited, Place, Record, Thread, Turn, digest, present
from memcache_lsp.values import Hit

Where = Mapping[str, tuple[Path, str]]  # of a path: its root, and the path below it

_SHOWN_AS = "2"  # counts what is done to a model's words before they are shown, and kept


@dataclass(frozen=True, slots=True)
class Before:
    """What a question goes on with."""

    thread_id: str | None = None
    earlier: Earlier = ALONE
    asked: tuple[Asked, ...] = ()
    places: tuple[tuple[str, Place], ...] = ()
    replaces: int | None = None

    def for_search(self, question: str) -> str:
        """Return what is to be searched for."""
        return for_search(question, self.asked)

    @property
    def where(self) -> dict[str, tuple[Path, str]]:
        """Return where the paths of the thread lie."""
        return {path: (Path(place.root), place.path) for path, place in self.places}


NOTHING = Before()


def before(thread: Thread, *, again: int | None = None) -> Before:
    """Return what the next question of a thread goes on with, or that of a turn which is asked again."""
    turns = [turn for turn in present(thread.turns) if again is None or turn.number < again]
    told = next((turn.record.told for turn in reversed(turns) if turn.record is not None), None)
    next_number = max((turn.first + len(turn.sources) for turn in thread.turns), default=1)
    return Before(
        thread.id,
        after(told, next_number),
        tuple(Asked(turn.question, _symbols(turn)) for turn in turns),
        tuple({path: place for turn in turns for path, place in turn.places.items()}.items()),
        again,
    )


def _symbols(turn: Turn) -> tuple[str, ...]:
    """Return the names of what an answer cites, of its best source where it cites nothing."""
    places = [citation.n - turn.first for citation in turn.result.citations] or [0]
    hits = [turn.sources[place] for place in places if 0 <= place < len(turn.sources)]
    return tuple(dict.fromkeys(hit.symbol for hit in hits if hit.symbol and hit.kind != "section"))


def key_of(
    asked: Sequence[str],
    excerpts: Sequence[Evidence],
    where: Where,
    *,
    model_sha256: str,
    max_tokens: int,
    earlier: Earlier,
) -> str:
    """Name an answer by all that it is made of; `asked` are the intent, the question and what the model is asked."""
    evidence = [f"{where[e.path][0]}\0{e.n}\0{e.start_line}\0{hash_of(e)}" for e in excerpts]
    told = [f"{message.role}\0{message.text}" for message in earlier.messages]
    return digest(
        prompt.fingerprint(), _SHOWN_AS, model_sha256, str(max_tokens), "\0".join(asked), *evidence, "", *told
    )


def summed_up(asked: Mapping[str, Any], excerpts: Sequence[Evidence], where: Where) -> tuple[Path, str] | None:
    """Return the file, by root and path, that a request asks to sum up as a whole; None where it asks something else."""
    files = {where[excerpt.path] for excerpt in excerpts}
    whole = asked["intent"] == "summarize" and asked.get("selection") is None and len(files) == 1
    return files.pop() if whole else None


def hash_of(excerpt: Evidence) -> str:
    """Return the hash of an excerpt's text, with its place and what encloses it."""
    return digest(excerpt.path, excerpt.text, excerpt.context)


def record_of(model: str, sha256: str, result: Result) -> Record | None:
    """Return what an answer was made of, None where no model was asked; only the hash of a file is known."""
    if result.told is None:
        return None
    return Record(model, sha256, tuple(map(hash_of, result.told.read)), result.told)


def turn_of(
    asked: Mapping[str, Any],
    events: Sequence[Event],
    *,
    before: Before,
    where: Where,
    text_at: TextAt,
    record: Record | None,
    at: float,
) -> Turn:
    """Make a turn of the parameters of a request and the events of its answer, of which the last is the result."""
    result = events[-1]
    assert isinstance(result, Result)
    shown = next((event for event in events if isinstance(event, Sources)), Sources(()))
    places = {path: Place(str(root), below) for path, (root, below) in where.items()}
    read = {each.path for each in (record.told.read if record else ())}
    used = {hit.path for hit in shown.items} | read | {citation.path for citation in result.citations}
    return Turn(
        number=0,
        question=asked["question"],
        asked_at=at,
        first=shown.first,
        sources=tuple(replace(hit, signals={}) for hit in shown.items),
        said=tuple(event for event in events if isinstance(event, Delta | Citation | Unsupported)),
        result=replace(result, told=None),
        cited=_cited(result, places, text_at),
        places={path: place for path, place in places.items() if path in used},
        record=record,
        replaces=before.replaces,
        asked=asked,
    )


def _cited(result: Result, places: Mapping[str, Place], text_at: TextAt) -> tuple[Cited, ...]:
    """Return the cited lines with their text; the citations were held against it a moment ago."""
    found = []
    for citation in dict.fromkeys(result.citations):
        place = places[citation.path]
        lines = lines_of(text_at(place) or "")[citation.start_line - 1 : citation.end_line]
        stale = citation.status == "stale"
        text, first, last = "\n".join(lines), citation.start_line, citation.end_line
        found.append(Cited(citation.n, place, first, last, text, stale=stale, spot=citation.spot, at=citation.at))
    return tuple(found)


def again(turn: Turn, thread_id: str, turn_id: str, *, total_s: float) -> tuple[Event, ...]:
    """Return the events of an answer that was kept, as they were, in the time that it took now."""
    sources = Sources(turn.sources, turn.first)
    timings = Timings(total_s, total_s)
    result = replace(turn.result, timings=timings, thread_id=thread_id, turn_id=turn_id, cached=True)
    return (sources, *turn.said, result)


def placed(
    hits: Sequence[Hit], place_of: Callable[[str], tuple[Path, str]], where: dict[str, tuple[Path, str]]
) -> list[Hit]:
    """Return hits under paths that mean nothing else in the thread; `where` learns them.

    `place_of` gives the root of a hit's path, and the path below it.
    """
    found = []
    for hit in hits:
        path, place = hit.path, place_of(hit.path)
        while where.setdefault(path, place) != place:
            path = f"{place[0].name}/{path}"
        found.append(replace(hit, path=path))
    return found
