"""The threads of questions that were asked, latest last, in memory. Must not import the engine or a session."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count

from memcache_lsp.errors import UserError
from memcache_lsp.protocol import spec

_MOST = 200  # the latest are kept
_TITLE = 80


class Threads:
    """What was asked, by thread."""

    def __init__(self) -> None:
        self._threads: OrderedDict[str, spec.Thread] = OrderedDict()
        self._numbers = count(1)

    def new_turn(self, thread_id: str | None) -> tuple[str, str]:
        """Return the names of a thread, a new one where none is given, and of its next turn."""
        thread_id = thread_id or f"t{next(self._numbers)}"
        return thread_id, f"{thread_id}.{next(self._numbers)}"

    def remember(self, question: str, result: spec.AskResult) -> None:
        """Add an answer to its thread."""
        turn = spec.Turn(
            turn_id=result.turn_id,
            question=question,
            answer=result.answer or "",
            citations=result.citations or (),
            finish_reason=result.finish_reason,
        )
        before = self._threads.pop(result.thread_id, None)
        self._threads[result.thread_id] = spec.Thread(
            thread_id=result.thread_id,
            title=(before.title if before else question)[:_TITLE],
            updated=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            turns=(*((before.turns if before else None) or ()), turn),
        )
        while len(self._threads) > _MOST:
            self._threads.popitem(last=False)

    def list(self) -> Sequence[spec.Thread]:
        """Return all threads without their turns, latest first."""
        return [replace(thread, turns=None) for thread in reversed(self._threads.values())]

    def get(self, thread_id: str) -> spec.Thread:
        """Return a thread; UserError where there is none of that name."""
        thread = self._threads.get(thread_id)
        if thread is None:
            raise UserError(f"There is no thread {thread_id[:50]}: list the threads to see what there is.")
        return thread

    def delete(self, thread_id: str) -> spec.Thread:
        """Forget a thread; return what it was."""
        thread = self.get(thread_id)
        del self._threads[thread_id]
        return thread
