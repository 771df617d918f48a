"""What is done with the threads around an answer, in the engine and in a command: one that was kept, keeping, replaying.

Plain work on an open database. Must not import a session or the engine.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from memcache_lsp.conversation import Told
from memcache_lsp.errors import UserError
from memcache_lsp.events import Event, Result
from memcache_lsp.models import Answering, place_of
from memcache_lsp.texts import text_now
from memcache_lsp.threads import summaries
from memcache_lsp.threads.asked import Before, Where, record_of, turn_of
from memcache_lsp.threads.disk import Kept, Threads
from memcache_lsp.threads.fresh import TextAt, changed, standing
from memcache_lsp.threads.records import Place, Thread, Turn


@dataclass(frozen=True, slots=True)
class Occasion:
    """A question whose answer may have been kept, or is to be; `key` names the answer by the hash of the model's file."""

    before: Before
    where: Where
    model: Answering | None
    roots: Sequence[Path]
    key: Callable[[str], str]
    summed_up: tuple[Path, str] | None = None  # the file that the question asks to sum up as a whole

    @property
    def root_names(self) -> list[str]:
        """Return the roots as they are kept."""
        return [str(root) for root in self.roots]


def on_disk(place: Place) -> str | None:
    """Return a file as it is on disk, without its secrets."""
    return text_now(Path(place.root), place.path)


def kept(threads: Threads, occasion: Occasion, text_at: TextAt) -> tuple[Kept, Turn] | None:
    """Return an answer that was kept and whose citations all still stand, and where it is gone on from."""
    if not isinstance(occasion.model, Path) or occasion.before.replaces is not None:
        return None
    sha256 = threads.known_sha256(occasion.model)
    if sha256 is None:
        return None
    key = occasion.key(sha256)
    found = threads.find(key)
    turn = found[1] if found is not None else _summary(occasion, key)
    if turn is None or changed(standing(turn.cited, text_at)):
        return None
    thread_id, roots = occasion.before.thread_id, occasion.root_names
    if found is None:  # its thread was deleted
        return threads.remember(turn, thread_id=thread_id, roots=roots, key=key), turn
    return threads.give_again(*found, thread_id=thread_id, roots=roots, key=key), turn


def _summary(occasion: Occasion, key: str) -> Turn | None:
    if occasion.summed_up is None or occasion.before.thread_id is not None:
        return None
    return summaries.read(*occasion.summed_up, key)


def keep(
    threads: Threads, occasion: Occasion, asked: Mapping[str, Any], events: Sequence[Event], text_at: TextAt
) -> Kept:
    """Put an answer into its thread; UserError or OSError where that cannot be."""
    result, model = events[-1], occasion.model
    assert isinstance(result, Result)
    sha256 = threads.sha256(model) if result.told is not None and isinstance(model, Path) else ""
    turn = turn_of(
        asked,
        events,
        before=occasion.before,
        where=occasion.where,
        text_at=text_at,
        record=record_of(place_of(model), sha256, result) if model else None,
        at=time.time(),
    )
    whole = result.finish_reason in {"stop", "length"} and not any(each.stale for each in turn.cited)
    key = occasion.key(sha256) if sha256 and whole else ""
    at = threads.remember(turn, thread_id=occasion.before.thread_id, roots=occasion.root_names, key=key)
    if key and occasion.summed_up is not None and (found := threads.find(key)):
        summaries.write(*occasion.summed_up, key, found[1])  # as it was kept, without secrets
    return at


def delete(threads: Threads, thread_id: str) -> Thread:
    """Forget a thread, and the summaries of files that were written in it and are in no other; return what it was."""
    for key, turn in threads.alone_in(thread_id):
        if turn.asked.get("intent") == "summarize":
            for place in set(turn.places.values()):
                summaries.forget(Path(place.root), place.path, key)
    return threads.delete(thread_id)


def replayable(threads: Threads, turn: Turn) -> tuple[Path, Told]:
    """Return the model's file and what it was told; UserError where the answer cannot be computed again."""
    record = turn.record
    if record is None or record.told.computed is None:
        raise UserError("No model wrote this answer, so there is nothing to replay: name another turn.")
    path = Path(record.model)
    try:
        same = path.is_file() and threads.sha256(path) == record.sha256
    except OSError:
        same = False
    if not same:
        raise UserError(f"The model {path.stem} that wrote this answer is not in its place any more: fetch it again.")
    return path, record.told
