"""Whether what an answer cites still stands there.

Pure: present texts are passed in. Must not import a database.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from memcache_lsp.anchoring import Status, anchored
from memcache_lsp.lines import lines_of
from memcache_lsp.threads.records import Cited, Place

TextAt = Callable[[Place], str | None]  # the present text of a file, secrets made unreadable; None where there is none


@dataclass(frozen=True, slots=True)
class Standing:
    """A citation as it is now."""

    cited: Cited
    status: Status


def standing(cited: Sequence[Cited], text_at: TextAt) -> tuple[Standing, ...]:
    """Hold citations against the present texts; each file is read once."""
    texts: dict[Place, list[str]] = {}
    for each in cited:
        if each.place not in texts:
            texts[each.place] = lines_of(text_at(each.place) or "")
    return tuple(_standing(each, texts[each.place]) for each in cited)


def _standing(cited: Cited, now: Sequence[str]) -> Standing:
    """Tell where the lines are; those that are nowhere keep their place."""
    start, end = cited.start_line, cited.end_line
    at = anchored(now, lines_of(cited.text), first=start, start=start, end=end) if now else None
    if at is None:
        return Standing(cited, "stale")
    there = replace(cited, start_line=at.start_line, end_line=at.end_line)
    return Standing(there, "stale" if cited.stale else at.status)


def changed(standings: Sequence[Standing]) -> tuple[Standing, ...]:
    """Return those that are not as they were."""
    return tuple(each for each in standings if each.status != "fresh")


def is_stale(standings: Sequence[Standing]) -> bool:
    """Tell whether an answer cites what is not there any more."""
    return any(each.status == "stale" for each in standings)
