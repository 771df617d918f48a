"""From a session's question to its answer: drawn, taken from those that were kept or written, verified, kept.

Must not import the hub or what a connection is made of.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractContextManager, aclosing
from dataclasses import replace
from functools import partial

from memcache_lsp import answering, models
from memcache_lsp.config import UserSettings
from memcache_lsp.conversation import Earlier
from memcache_lsp.drawing import Drawn
from memcache_lsp.editor import CacheOf, Editor
from memcache_lsp.errors import ModelError
from memcache_lsp.events import Citation, Event, Result, Sources, Stage
from memcache_lsp.finding import origin_of
from memcache_lsp.generator import StopFlag
from memcache_lsp.keeper import Keeper
from memcache_lsp.pasted import shortened
from memcache_lsp.protocol import parts, spec, wire
from memcache_lsp.protocol.codec import to_json
from memcache_lsp.recalling import Recalling, texts
from memcache_lsp.recent import Recent
from memcache_lsp.redact import redact
from memcache_lsp.session.settings import SessionSettings
from memcache_lsp.threads.asked import Before, again, key_of, summed_up
from memcache_lsp.threads.disk import Kept
from memcache_lsp.threads.keeping import Occasion, replayable
from memcache_lsp.threads.records import Turn
from memcache_lsp.values import Hit
from memcache_lsp.verifying import Verifier
from memcache_lsp.workers.model import ModelWorker

NOT_YET_S = 5.0  # how long a no waits for what is being indexed
_LOOK_AGAIN_S = 0.25


class Replying:
    """What answers the questions of all sessions."""

    def __init__(
        self,
        user: Callable[[], UserSettings],
        model: ModelWorker,
        recalling: Recalling,
        undisturbed: Callable[[], AbstractContextManager[None]],
    ) -> None:
        """Take what is shared with others; `undisturbed` keeps indexing off the cores for a while."""
        self._user = user
        self._model = model
        self._recalling = recalling
        self._undisturbed = undisturbed
        self._recent = Recent()
        self.last_read: tuple[int, int] | None = None  # by the latest answer of any session: hits, of how many

    async def ask(
        self,
        session: Editor,
        keepers: Sequence[Keeper],
        params: spec.AskParams,
        thread: Before,
        *,
        cache_of: CacheOf = lambda _root: None,
        notes: tuple[str, ...] = (),
    ) -> AsyncGenerator[spec.AskPartial | spec.AskResult, None]:
        """Answer in a thread: partial results, then the result, which says `notes` too. Closing the generator stops the model."""
        began = time.perf_counter()
        params = replace(params, question=redact(shortened(params.question)).text)  # also for the model and the thread
        settings = session.info.settings
        drawn = self._recent.known(session, keepers, params, thread)
        kept = (
            None
            if drawn is None
            else await self._kept(session, self._occasion(session, params, drawn, thread, cache_of))
        )
        if drawn is None or kept is None:
            drawn = await self._drawn(session, keepers, params, thread)
            occasion = self._occasion(session, params, drawn, thread, cache_of)
            kept = await self._kept(session, occasion)
        told = partial(_to_spec, session=session, drawn=drawn, cache_of=cache_of, notes=notes)
        if kept is not None:
            where, turn = kept
            for event in again(turn, where.thread_id, where.turn_id, total_s=time.perf_counter() - began):
                yield told(event)
            return
        events: list[Event] = []
        async with aclosing(self._verified(drawn, thread.earlier, settings, occasion.model)) as answer:
            async for event in answer:
                events.append(event)
                if not isinstance(event, Result):
                    yield told(event)
        result = events[-1]
        assert isinstance(result, Result)
        session.last_read = self.last_read = result.evidence_read, result.evidence_found
        if settings.keep_threads:
            asked = to_json(replace(params, thread_id=None, partial_result_token=None, work_done_token=None))
            put, problem = await self._recalling.keep(occasion, asked, events, texts(session.buffers))
            message = " ".join(filter(None, (result.message, problem))) or None
            result = replace(result, message=message, thread_id=put.thread_id, turn_id=put.turn_id)
        yield told(result)

    async def _drawn(self, session: Editor, keepers: Sequence[Keeper], params: spec.AskParams, thread: Before) -> Drawn:
        """Find what an answer may draw on; where that is too little, what is being indexed has some time to change it."""
        deadline = time.monotonic() + NOT_YET_S
        while True:
            complete = all(keeper.quiescent for keeper in keepers)
            drawn = await self._recent.draw(session, keepers, params, thread)
            if drawn.refusal is None or complete or time.monotonic() > deadline:
                return drawn
            await asyncio.sleep(_LOOK_AGAIN_S)

    def _occasion(
        self, session: Editor, params: spec.AskParams, drawn: Drawn, thread: Before, cache_of: CacheOf
    ) -> Occasion:
        """Return what an answer is kept by, with what is to write it: None where nothing is or none is asked."""
        settings = session.info.settings
        wanted = settings.use_model and bool(drawn.hits) and drawn.refusal is None
        model = models.chosen(self._user()) if wanted else None

        def key(model_sha256: str) -> str:
            return key_of(
                (params.intent, params.question, drawn.question),
                drawn.excerpts,
                drawn.where,
                model_sha256=model_sha256,
                max_tokens=settings.answer_tokens,
                earlier=thread.earlier,
            )

        cached = (root for root, _ in drawn.where.values() if cache_of(root))
        roots = tuple(dict.fromkeys((*session.roots, *cached)))  # with each of which it is forgotten
        asked = {"intent": params.intent, "selection": params.selection}
        return Occasion(thread, drawn.where, model, roots, key, summed_up(asked, drawn.excerpts, drawn.where))

    async def _kept(self, session: Editor, occasion: Occasion) -> tuple[Kept, Turn] | None:
        """Return an answer that was kept and still stands, and where it is gone on from."""
        if not session.info.settings.keep_threads:
            return None
        return await self._recalling.kept(occasion, texts(session.buffers))

    async def _verified(
        self, drawn: Drawn, earlier: Earlier, settings: SessionSettings, model: models.Answering | None
    ) -> AsyncGenerator[Event, None]:
        """Answer; each citation is held against its file when it is sent, and once more in the end."""
        verifier = Verifier(
            drawn.excerpts, drawn.read, drawn.read.spot, earlier=earlier.read, first=earlier.next_number
        )
        async with aclosing(self._answer(drawn, earlier, settings, model)) as events:
            async for event in events:
                if isinstance(event, Citation | Result):
                    for each in await asyncio.to_thread(verifier.events, event):
                        yield each
                else:
                    yield event

    async def _answer(
        self, drawn: Drawn, earlier: Earlier, settings: SessionSettings, model: models.Answering | None
    ) -> AsyncGenerator[Event, None]:
        evidence = drawn.hits
        if drawn.refusal is not None:
            for event in answering.refused(evidence, found=drawn.found, why=drawn.refusal, first=earlier.next_number):
                yield event
            return
        yield Sources(evidence, earlier.next_number)
        message = models.NO_MODEL if evidence and settings.use_model and model is None else None
        if model is not None:
            yield Stage("waiting" if self._model.requests else "loading", 0)
            message = await self._loaded(model)
        if model is not None and message is None:
            events = self._model.answer(
                drawn.question,
                evidence,
                found=drawn.found,
                max_tokens=settings.answer_tokens,
                excerpts=drawn.excerpts,
                earlier=earlier,
                model=model,
            )
            with self._undisturbed():
                async with aclosing(events):  # type: ignore[type-var]
                    async for event in events:
                        if not isinstance(event, Sources):
                            yield event
            return
        run = answering.answer(
            drawn.quoted, evidence, found=drawn.found, generator=None, stop=StopFlag(), earlier=earlier
        )
        for event in await asyncio.to_thread(lambda: list(run)):
            if not isinstance(event, Sources):
                yield replace(event, message=message) if isinstance(event, Result) else event

    async def _loaded(self, path: models.Answering) -> str | None:
        """Load the model; where it cannot be and nobody named it, return the sentence that says so."""
        user = self._user()
        try:
            await self._loaded_as(path, user)
        except ModelError as error:
            if user.model or user.endpoint or models.used():
                raise
            return f"{error} The answer is quotations."
        return None

    async def _loaded_as(self, path: models.Answering, user: UserSettings) -> None:
        """Load the model as the settings say."""
        await self._model.load(
            path,
            context_tokens=user.context_tokens or None,
            threads=user.threads or None,
            gpu_layers=None if user.gpu_layers < 0 else user.gpu_layers,
        )

    async def replay(self, thread_id: str, turn_id: str | None) -> spec.Replayed:
        """Compute an answer once more from its record, with the model and the settings of then."""
        _, turn = await self._recalling.turn(thread_id, turn_id)
        path, told = await self._recalling.run(lambda threads: replayable(threads, turn))
        user = self._user()
        await self._loaded_as(path, user)
        with self._undisturbed():
            said = await self._model.replay(told, model=path)
        return spec.Replayed(answer=said, identical=redact(said).text == told.said)


def _to_spec(
    event: Event, *, session: Editor, drawn: Drawn, cache_of: CacheOf, notes: tuple[str, ...]
) -> spec.AskPartial | spec.AskResult:
    def uri_of(path: str) -> str:
        return session.uri_of(drawn.places[path])

    def cached(hit: Hit) -> str | None:
        return cache_of(drawn.where[hit.path][0])

    def origin(hit: Hit) -> parts.Origin:
        return origin_of(session, drawn.places[hit.path], cached(hit))

    if isinstance(event, Result):
        result = wire.result_to_spec(event, streamed=False, uri_of=uri_of)
        return replace(result, message=" ".join(filter(None, (result.message, *notes))) or None)
    return wire.event_to_partial(event, uri_of=uri_of, origin_of=origin, cache_of=cached)
