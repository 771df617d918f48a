"""Answer in this process within a thread: what it goes on with, an answer that was kept, and what is kept of a new one.

Must not be imported by a command that can do with the daemon: it loads the model's library.
"""

from __future__ import annotations

import argparse
import contextlib
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from memcache_lsp.answering import refused
from memcache_lsp.caches import Registry
from memcache_lsp.cli import generating, work
from memcache_lsp.errors import UserError
from memcache_lsp.events import Event, Result, Sources
from memcache_lsp.intents import About, Plan, about_lines
from memcache_lsp.lines import lines_of
from memcache_lsp.redact import redact
from memcache_lsp.texts import ShownTexts, reading_now, text_now
from memcache_lsp.threads.asked import NOTHING, Before, again, before, key_of, placed, summed_up
from memcache_lsp.threads.disk import Threads
from memcache_lsp.threads.keeping import Occasion, keep, kept, on_disk
from memcache_lsp.values import Hit
from memcache_lsp.verifying import drawn


def before_of(options: argparse.Namespace, root: Path, threads: Threads) -> Before:
    """Return what the question goes on with."""
    if options.thread is None:
        return NOTHING
    return before(threads.get(threads.latest([str(root)]) if options.thread == "last" else options.thread))


def about_of(root: Path, asked: work.Asked) -> About | None:
    """Return what a question is about, as the file is now; UserError where it or its lines are not there."""
    if not asked.path:
        return None
    text = text_now(*work.place_of(root, asked.path))
    if text is None:
        raise UserError(f"There is no text in {asked.path}: name a file of the project.")
    first, last = asked.lines or (1, len(lines_of(text)))
    return about_lines(asked.path, text, first, last)


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
        hits = placed(looked.hits, partial(work.place_of, self.root), where)
        roots = self._roots(where)
        events: list[Event] = []

        def key(sha256: str) -> str:
            told = asked["intent"], asked["question"], looked.plan.question
            tokens = self.options.max_tokens
            return key_of(told, excerpts, where, model_sha256=sha256, max_tokens=tokens, earlier=earlier)

        if looked.refusal is not None:
            events += refused(hits, found=len(hits), why=looked.refusal, first=earlier.next_number)
            yield from events[:-1]
            yield self._keep(Occasion(self.thread, where, None, roots, key), asked, events)
            return
        path = generating.model_path(self.options)
        read = ShownTexts(lambda path: reading_now(*where[path]))
        evidence, excerpts = drawn(hits, read, limit=looked.plan.limit, parted=looked.plan.parted, spot=read.spot)
        began = time.perf_counter()
        events.append(Sources(evidence, earlier.next_number))
        yield events[0]
        whole = summed_up(asked, excerpts, where)
        occasion = Occasion(self.thread, where, path if evidence else None, roots, key, whole)
        found = None
        with contextlib.suppress(UserError):  # the model can answer
            found = kept(self.threads, occasion, on_disk)
        if found is not None:
            at, turn = found
            yield from again(turn, at.thread_id, at.turn_id, total_s=time.perf_counter() - began)[1:]
            return
        drawn_on = generating.Found(looked.plan, evidence, excerpts, len(hits), earlier, read)
        with contextlib.closing(generating.answer(drawn_on, self.options, path)) as answer:
            for event in answer:
                events.append(event)
                if not isinstance(event, Result):
                    yield event
        yield self._keep(occasion, asked, events)

    def _roots(self, where: Mapping[str, tuple[Path, str]]) -> tuple[Path, ...]:
        """Return the roots with each of which the answer is forgotten: the project's, and those of caches that it draws on."""
        registered = Registry().read()
        grounds = (registered.ground_at(root / path) for root, path in where.values() if root != self.root)
        return tuple(dict.fromkeys((self.root, *(ground.root for ground in grounds if ground is not None))))

    def _keep(self, occasion: Occasion, asked: Mapping[str, Any], events: Sequence[Event]) -> Result:
        result = events[-1]
        assert isinstance(result, Result)
        try:
            at = keep(self.threads, occasion, asked, events, on_disk)
        except (UserError, OSError) as error:
            work.notice(f"This answer is not kept: {error}")
            return result
        if notice := self.threads.take_notice():
            work.notice(notice)
        return replace(result, thread_id=at.thread_id, turn_id=at.turn_id)
