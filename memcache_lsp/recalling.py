"""The threads as the engine's event loop has them: before a question, after an answer, and what of it went stale.

Reading and writing go to a thread of their own. Must not import the hub or what a connection is made of.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from memcache_lsp.documents import shown_text
from memcache_lsp.errors import UserError
from memcache_lsp.events import Event
from memcache_lsp.languages import is_container
from memcache_lsp.protocol import parts, spec, wire
from memcache_lsp.session.uris import from_path
from memcache_lsp.threads.asked import NOTHING, Before, before
from memcache_lsp.threads.disk import Kept, Threads
from memcache_lsp.threads.fresh import Standing, TextAt, is_stale, standing
from memcache_lsp.threads.keeping import Occasion, delete, keep, kept, on_disk
from memcache_lsp.threads.records import Place, Record, Thread, Turn, digest, present
from memcache_lsp.values import Spot

_log = logging.getLogger(__name__)

_PASSAGE_CHARACTERS = 4000  # that are told of what an earlier answer cites

T = TypeVar("T")


def texts(buffers: Mapping[Path, str]) -> TextAt:
    """Return what reads a file as an editor has it, else as it is on disk, without its secrets."""
    buffers = dict(buffers)  # it is read in another thread

    def text_at(place: Place) -> str | None:
        text = buffers.get(Path(place.root) / place.path)
        return on_disk(place) if text is None else shown_text(place.path, text)

    return text_at


class Recalling:
    """The threads, for one event loop."""

    def __init__(self, threads: Threads | None = None) -> None:
        self._threads = threads or Threads()
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="threads")

    @property
    def threads(self) -> Threads:
        """Return the database, which any thread may use."""
        return self._threads

    async def run(self, work: Callable[[Threads], T]) -> T:
        """Do something with the threads."""
        return await asyncio.get_running_loop().run_in_executor(self._executor, lambda: work(self._threads))

    async def before(self, thread_id: str | None) -> Before:
        """Return what a question goes on with, nothing after one that was not kept; UserError where there is no such thread."""
        if not thread_id:
            return NOTHING
        return before(await self.run(lambda threads: threads.get(thread_id)))

    async def kept(self, occasion: Occasion, text_at: TextAt) -> tuple[Kept, Turn] | None:
        """Return an answer that was kept and still stands, and where it is gone on from."""
        try:
            return await self.run(lambda threads: kept(threads, occasion, text_at))
        except UserError as error:  # the model can answer
            _log.warning("no kept answers: %s", error)
            return None

    async def keep(
        self, occasion: Occasion, asked: Mapping[str, Any], events: Sequence[Event], text_at: TextAt
    ) -> tuple[Kept, str | None]:
        """Put an answer into its thread; where that cannot be, return a name of nothing and the sentence that says so."""
        try:
            return await self.run(
                lambda threads: (keep(threads, occasion, asked, events, text_at), threads.take_notice())
            )
        except (UserError, OSError) as error:
            _log.warning("an answer is not kept: %s", error)
            return Kept("", 0), f"This answer is not kept: {error}"

    async def listed(self, roots: Sequence[Path] | None, text_at: TextAt) -> list[spec.Thread]:
        """Return threads without their turns, latest first."""

        def look(threads: Threads) -> list[spec.Thread]:
            found = threads.listed(None if roots is None else [str(root) for root in roots])
            cited = threads.cited([thread.id for thread in found])
            everything = standing([each for rows in cited.values() for _, each in rows], text_at)
            stale = iter(everything)
            flags = {name: is_stale([next(stale) for _ in rows]) for name, rows in cited.items()}
            return [_thread(thread, None, stale=flags[thread.id]) for thread in found]

        return await self.run(look)

    async def shown(self, thread_id: str, text_at: TextAt) -> spec.Thread:
        """Return a thread with its turns, their citations as they are now."""

        def look(threads: Threads) -> spec.Thread:
            thread = threads.get(thread_id)
            standings = {turn.number: standing(turn.cited, text_at) for turn in thread.turns}
            turns = tuple(_turn(thread.id, turn, standings[turn.number]) for turn in thread.turns)
            stale = any(is_stale(standings[turn.number]) for turn in present(thread.turns))
            return _thread(thread, turns, stale=stale)

        return await self.run(look)

    async def deleted(self, thread_id: str) -> spec.Thread:
        """Forget a thread; return what it was."""
        return _thread(await self.run(lambda threads: delete(threads, thread_id)), None, stale=False)

    async def turn(self, thread_id: str, turn_id: str | None) -> tuple[Thread, Turn]:
        """Return a thread and a turn of it, the last one where none is named; UserError where there is none."""
        thread = await self.run(lambda threads: threads.get(thread_id))
        return thread, chosen(thread, turn_id)

    async def close(self) -> None:
        """Close the database."""
        with suppress(RuntimeError):
            await self.run(Threads.close)
        self._executor.shutdown(wait=False)


def chosen(thread: Thread, turn_id: str | None) -> Turn:
    """Return a turn of a thread, the last one where none is named; UserError where there is none."""
    turns = [turn for turn in thread.turns if turn_id is None or Kept(thread.id, turn.number).turn_id == turn_id]
    if not turns:
        raise UserError(f"The thread {thread.id} has no such turn: get the thread to see what there is.")
    return turns[-1]


def cited_to_spec(standing: Standing) -> parts.Cited:
    """Give a citation as it is now as the editors get it."""
    cited = standing.cited
    uri = from_path(Path(cited.place.root) / cited.place.path)
    spot = cited.spot or (Spot() if is_container(cited.place.path) else None)
    location = wire.whole_lines(uri, cited.start_line, cited.end_line, spot)
    passage = cited.text[:_PASSAGE_CHARACTERS] if spot is not None and cited.text else None
    return parts.Cited(n=cited.n, location=location, status=standing.status, passage=passage, at=cited.at)


def _thread(thread: Thread, turns: tuple[spec.Turn, ...] | None, *, stale: bool) -> spec.Thread:
    updated = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(thread.updated_at))
    return spec.Thread(thread_id=thread.id, title=thread.title, updated=updated, turns=turns, stale=stale)


def _turn(thread_id: str, turn: Turn, standings: Sequence[Standing]) -> spec.Turn:
    return spec.Turn(
        turn_id=Kept(thread_id, turn.number).turn_id,
        question=turn.question,
        answer=turn.result.answer,
        citations=tuple(map(cited_to_spec, standings)),
        finish_reason=turn.result.finish_reason,
        stale=is_stale(standings),
        predecessor=None if turn.replaces is None else Kept(thread_id, turn.replaces).turn_id,
        record=None if turn.record is None else _record(turn.record),
    )


def _record(record: Record) -> spec.AnswerRecord:
    told, computed = record.told, record.told.computed
    prompt = digest(*(f"{message.role}\0{message.text}" for message in told.prompt))
    return spec.AnswerRecord(
        model=Path(record.model).stem,
        model_sha256=record.sha256,
        prompt_sha256=prompt,
        evidence_sha256=record.evidence,
        sampling=record.sampling,
        seed=record.seed,
        max_tokens=told.max_tokens,
        library=computed.library if computed else "",
        context_tokens=computed.context_tokens if computed else 0,
        threads=computed.threads if computed else 0,
        batches=" ".join(f"{each.count}x{each.size}" for each in computed.prompt) if computed else "",
    )
