"""Answer in this process within a thread: what it goes on with, an answer that was kept, and what is kept of a new one.

Must not be imported by a command that can do with the daemon: it loads the model's library.
"""

from __future__ import annotations

import argparse
import contextlib
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from memcache_lsp.answering import Event, Result, Sources, refused
from memcache_lsp.cli import generating, work
from memcache_lsp.documents import ShownTexts, raw_text_now, text_now
from memcache_lsp.errors import UserError
from memcache_lsp.intents import Plan
from memcache_lsp.models import Answering, place_of
from memcache_lsp.redact import redact
from memcache_lsp.threads.asked import NOTHING, Before, again, before, key_of, placed, record_of, turn_of
from memcache_lsp.threads.disk import Threads
from memcache_lsp.threads.fresh import changed, standing
from memcache_lsp.threads.records import Place
from memcache_lsp.values import Hit
from memcache_lsp.verifying import drawn


def text_at(place: Place) -> str | None:
    """Return a file as it is on disk, without its secrets."""
    return text_now(Path(place.root), place.path)


def before_of(options: argparse.Namespace, root: Path, threads: Threads) -> Before:
    """Return what the question goes on with."""
    if options.thread is None:
        return NOTHING
    return before(threads.get(threads.latest([str(root)]) if options.thread == "last" else options.thread))


@dataclass(frozen=True, slots=True)
class Looked:
    """What was found for a question; with a refusal the hits are its nearest misses."""

    plan: Plan
    hits: Sequence[Hit]
    refusal: str | None = None


@dataclass(frozen=True, slots=True)
class Talk:
    """One question in this process."""

    options: argparse.Namespace
    root: Path
    threads: Threads
    thread: Before

    def ask(self, asked: Mapping[str, Any], look: Callable[[str], Looked]) -> Generator[Event, None, None]:
        """Answer from what is found, the sources first; closing the generator leaves the model at rest."""
        asked = {**asked, "question": redact(asked["question"]).text}
        looked = look(asked["question"])
        where, earlier = self.thread.where, self.thread.earlier
        hits = placed(looked.hits, self.root, where)
        events: list[Event] = []

        def key(sha256: str) -> str:
            question = f"{asked['intent']}\0{asked['question']}\0{looked.plan.question}"
            tokens = self.options.max_tokens
            return key_of(question, excerpts, where, model_sha256=sha256, max_tokens=tokens, earlier=earlier)

        if looked.refusal is not None:
            events += refused(hits, found=len(hits), why=looked.refusal, first=earlier.next_number)
            yield from events[:-1]
            yield self._remember(asked, events, where, None, lambda _: "")
            return
        path = generating.model_path(self.options)
        read = ShownTexts(lambda path: raw_text_now(*where[path]))
        evidence, excerpts = drawn(hits, read, limit=looked.plan.limit, parted=looked.plan.parted)
        began = time.perf_counter()
        events.append(Sources(evidence, earlier.next_number))
        yield events[0]
        asks_again = self.thread.replaces is not None
        kept = self._kept(path, key) if isinstance(path, Path) and evidence and not asks_again else None
        if kept is not None:
            yield from (replace_time(event, began) for event in kept)
            return
        found = generating.Found(looked.plan, evidence, excerpts, len(hits), earlier, read)
        with contextlib.closing(generating.answer(found, self.options, path)) as answer:
            for event in answer:
                events.append(event)
                if not isinstance(event, Result):
                    yield event
        yield self._remember(asked, events, where, path, key)

    def _kept(self, path: Path, key: Callable[[str], str]) -> Sequence[Event] | None:
        """Return the events after the sources of an answer that was kept and still stands."""
        with contextlib.suppress(UserError):  # the model can answer
            sha256 = self.threads.known_sha256(path)
            found = self.threads.find(key(sha256)) if sha256 else None
            if found and not changed(standing(found[1].cited, text_at)):
                thread_id, turn = self.thread.thread_id, found[1]
                roots = [str(self.root)]
                at = self.threads.give_again(*found, thread_id=thread_id, roots=roots, key=key(sha256 or ""))
                return again(turn, at.thread_id, at.turn_id, total_s=0.0)[1:]
        return None

    def _remember(
        self,
        asked: Mapping[str, Any],
        events: Sequence[Event],
        where: dict[str, tuple[Path, str]],
        path: Answering | None,
        key: Callable[[str], str],
    ) -> Result:
        result = events[-1]
        assert isinstance(result, Result)
        try:
            sha256 = self.threads.sha256(path) if result.told is not None and isinstance(path, Path) else ""
            turn = turn_of(
                asked,
                events,
                before=self.thread,
                where=where,
                text_at=text_at,
                record=record_of(place_of(path), sha256, result) if path else None,
                at=time.time(),
            )
            may_return = sha256 and result.finish_reason in {"stop", "length"} and not any(c.stale for c in turn.cited)
            kept = self.threads.remember(
                turn, thread_id=self.thread.thread_id, roots=[str(self.root)], key=key(sha256) if may_return else ""
            )
        except (UserError, OSError) as error:
            work.notice(f"This answer is not kept: {error}")
            return result
        if notice := self.threads.take_notice():
            work.notice(notice)
        return replace(result, thread_id=kept.thread_id, turn_id=kept.turn_id)


def replace_time(event: Event, began: float) -> Event:
    """Give a kept answer's end the time that it took now."""
    if not isinstance(event, Result):
        return event
    took = time.perf_counter() - began
    return replace(event, timings=replace(event.timings, first_text_s=took, total_s=took))
