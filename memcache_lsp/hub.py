"""The engine behind all sessions: roots that are shared, buffers that are not, one model, threads of questions.

It is the `Backend` of every session: knows who is there, keeps the roots, answers, steers. What sessions are told without
asking is `telling`'s. Must not import the session's code beyond its `backend`, `settings` and `uris`.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import replace
from functools import partial
from itertools import count
from pathlib import Path

from memcache_lsp import __version__, explaining, finding, forgetting, holding, shelf
from memcache_lsp.caches import Ground, Registry
from memcache_lsp.config import UserSettings
from memcache_lsp.editor import Editor
from memcache_lsp.embedding import DEFAULT
from memcache_lsp.engine import Setup
from memcache_lsp.errors import UserError
from memcache_lsp.fetches import Fetches
from memcache_lsp.flags import Flags
from memcache_lsp.holding import Holding
from memcache_lsp.keeper import Keeper
from memcache_lsp.protocol import parts, spec
from memcache_lsp.protocol.codec import parse
from memcache_lsp.recalling import Recalling, texts
from memcache_lsp.replying import Replying
from memcache_lsp.reporting import (
    memory_bytes,
    model_row,
    model_status,
    outside,
    root_state,
    root_status,
    scope_status,
    worker_statuses,
)
from memcache_lsp.scopes import WORKSPACE
from memcache_lsp.session.backend import SessionInfo
from memcache_lsp.session.settings import SessionSettings
from memcache_lsp.session.uris import to_path
from memcache_lsp.telling import Listener, Telling
from memcache_lsp.threads.asked import Before, before
from memcache_lsp.threads.disk import Threads
from memcache_lsp.workers.model import ModelWorker
from memcache_lsp.workers.refine import Refiner
from memcache_lsp.workers.spares import Spares

_log = logging.getLogger(__name__)

_MANY_PATHS = 100  # that change at once: all of the root is looked at instead
_STATUS = Path()  # in place of a root, as the name of a queue
_MODELS = Path("models")  # likewise
_CACHES = Path("caches")  # likewise


class Hub:
    """One warm engine for any number of sessions; made and used on one event loop."""

    def __init__(
        self,
        *,
        user: Callable[[], UserSettings],
        setup: Callable[[Path], Setup],
        mode: str,
        model: ModelWorker | None = None,
        refiner: Refiner | None = None,
        idle_s: float = 60.0,
    ) -> None:
        self._user = user
        self._setup = setup
        self._mode = mode
        self._model = model or ModelWorker()
        self._refiner = refiner or Refiner()
        self._idle_s = idle_s
        self._spares = Spares()
        self._holding = Holding(setup=setup, make=self._make, forget=self._forget)
        self._sessions: dict[int, Editor] = {}
        self._telling = Telling(self._sessions, keepers_of=self._keepers_of, names=self._holding.names)
        self._recalling = Recalling()
        self._replying = Replying(user, self._model, self._recalling, self._indexing_waits)
        self._flags = Flags(self._recalling, self._telling.of_thread)
        self._tasks: set[asyncio.Task[None]] = set()  # that close what fell asleep
        self._changes: set[asyncio.Task[str | None]] = set()  # of the caches
        self._numbers = count(1)
        self._fetches = Fetches()
        self._looks: set[asyncio.Task[Path]] = set()  # for where open documents lie
        self._looking_after: asyncio.Task[None] | None = None  # once there is a session
        self._answers: set[str] = set()  # that are being written, and that indexing waits for

    # Sessions

    @property
    def sessions(self) -> int:
        """Return how many sessions there are."""
        return len(self._sessions)

    async def open_session(self, session: SessionInfo) -> None:
        """Take a session in; its roots begin to be indexed."""
        self._sessions[session.id] = Editor(session, self._holding.placed)
        await self.set_roots(session.id, session.roots)

    async def close_session(self, session_id: int) -> None:
        """Forget a session; a root that nobody uses any more is closed after it has been idle."""
        self._telling.forget(session_id)
        self._flags.forget(session_id)
        if self._sessions.pop(session_id, None) is not None:
            self._holding.release(session_id, keep=None)
            await self._holding.forget_sleeping()

    async def set_roots(self, session_id: int, roots: Sequence[Path]) -> None:
        """Take the session's present roots."""
        session = self._sessions[session_id]
        known = session.roots
        await session.take_roots(roots)
        if self._sessions.get(session_id) is not session:
            return  # it was closed meanwhile
        for root in session.roots:
            keeper = self._holding.keep(Ground(root))
            if session_id not in keeper.users:
                keeper.users.add(session_id)
                self._flags.look(session, root, None)
            if session.info.settings.index_on_start and root not in known:  # where it was stopped, it stays so
                keeper.attend()
        self._holding.release(session_id, keep=session.roots)
        await self._holding.forget_sleeping()
        if self._looking_after is None:
            self._looking_after = asyncio.create_task(self._look_after(), name="look after caches")

    async def _look_after(self) -> None:
        """Look every now and then after reading folders, disks that come back, and what a command did to the caches."""
        while True:
            try:
                await self._holding.look_after(tuple(self._sessions))
                await self._holding.leave(self._open_roots)
            except Exception:  # noqa: BLE001 - the boundary of the look: a bug in one disturbs nothing else
                _log.exception("looking after the caches failed")
            await asyncio.sleep(holding.LOOK_S)

    @property
    def _open_roots(self) -> frozenset[Path]:
        """Return the roots that are open in some session."""
        return frozenset(root for session in self._sessions.values() for root in session.roots)

    def _make(self, ground: Ground, setup: Callable[[Path], Setup], check: Callable[[], None]) -> Keeper:
        keeper = Keeper(
            ground,
            setup=setup,
            changed=self._told,
            idle_s=self._idle_s,
            refiner=self._refiner,
            spares=self._spares,
            touched=self._touched,
            check=check,
        )
        for why in self._answers:
            keeper.hold(why)
        return keeper

    def settings_changed(self, session_id: int, settings: SessionSettings) -> None:
        """Take the session's present settings."""
        session = self._sessions[session_id]
        begins = settings.index_on_start and not session.info.settings.index_on_start
        session.info = replace(session.info, settings=settings)
        for root in session.roots if begins else ():
            self._keeper(root).attend()

    def buffer_changed(self, session_id: int, path: Path, text: str | None) -> None:
        """Take the present text of an open file, None once it is closed."""
        session = self._sessions[session_id]
        if session.take_buffer(path, text):
            look = asyncio.get_running_loop().create_task(session.learn(path))
            self._looks.add(look)
            look.add_done_callback(self._looks.discard)
        for root, below in session.within(session.real(path)):
            self._flags.look(session, root, below)

    def files_changed(self, session_id: int, paths: Sequence[Path] | None) -> None:
        """Take a hint that files changed on disk, any of them where no paths are given."""
        session = self._sessions[session_id]
        hints: dict[Path, set[str]] = {}
        for path in paths or ():
            for root, below in session.within(session.real(path)):
                hints.setdefault(root, set()).add(below)
        for root in session.roots if paths is None else hints:
            places = hints.get(root)
            self._keeper(root).hint(None if places is None or "." in places else places)

    def subscribe(self, session_id: int, listener: Listener) -> None:
        """Tell the listener of health and progress until the session is closed."""
        self._telling.subscribe(session_id, listener)

    def _told(self, keeper: Keeper) -> None:
        self._telling.of_keeper(keeper)
        if keeper.asleep:
            task = asyncio.create_task(self._holding.forget_sleeping())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _touched(self, root: Path, paths: frozenset[str] | None) -> None:
        """Have the answers looked at that cite files which may have changed."""
        for session_id in {user for keeper in self._holding if keeper.root == root for user in keeper.users}:
            for path in (None,) if paths is None or len(paths) > _MANY_PATHS else paths:
                self._flags.look(self._sessions[session_id], root, path)

    def _keepers_of(self, session: Editor, scope: parts.Scope | None = None) -> list[Keeper]:
        wanted = {session.root_of(uri) for uri in scope.roots} if scope and scope.roots else set(session.roots)
        if None in wanted:
            raise UserError("The scope names a root that is no workspace folder of this session: leave it out.")
        return [self._keeper(root) for root in session.roots if root in wanted]

    def _keeper(self, root: Path) -> Keeper:
        return self._holding.keepers[Ground(root)]

    async def _asked(
        self, session: Editor, scope: parts.Scope | None, *, catch_up: bool = True
    ) -> tuple[list[Keeper], tuple[str, ...]]:
        """Return the keepers that a scope names, and a sentence for each cache that is away."""
        names = scope.caches if scope else ()
        own = self._keepers_of(session, scope) if not names or WORKSPACE in names or (scope and scope.roots) else []
        others = [name for name in names if name != WORKSPACE]
        cached, notes = await self._holding.asked(session.info.id, others, catch_up=catch_up)
        return [*own, *(keeper for keeper in cached if keeper not in own)], notes

    # Searching

    async def search(self, session_id: int, params: spec.SearchParams) -> spec.SearchResult:
        """Find hits in all of the session's roots, best first."""
        session = self._sessions[session_id]
        keepers, notes = await self._asked(session, params.scope)
        cache_of = self._holding.cache_of(session)
        return await finding.search(session, keepers, params, cache_of=cache_of, notes=notes)

    async def similar(self, session_id: int, params: spec.SimilarParams) -> spec.SearchResult:
        """Find what a stretch of a document resembles."""
        session = self._sessions[session_id]
        keepers, notes = await self._asked(session, params.scope)
        cache_of = self._holding.cache_of(session)
        return await finding.similar(session, keepers, params, cache_of=cache_of, notes=notes)

    async def explain(self, session_id: int, params: spec.ExplainParams) -> spec.ExplainResult:
        """Tell why a document is or is not indexed, or what ranked a hit."""
        session = self._sessions[session_id]
        if params.hit is not None and params.query is not None:
            scope = parts.Scope(caches=(WORKSPACE, params.hit.cache)) if params.hit.cache else None
            keepers, _ = await self._asked(session, scope)
            return await finding.explain_hit(session, keepers, params.hit, params.query)
        try:
            root, path = await session.placed(params.text_document.uri if params.text_document else "")
        except UserError as error:
            return spec.ExplainResult(indexed=False, reason=str(error))
        told = await self._why(session, root, path)
        cached = None if told[0] else session.in_cache(root / path)  # what a project leaves out may be in a cache
        if cached is not None and cached[0] != root:
            name = self._holding.cache_of(session)(cached[0])
            told = explaining.why_in_both(told, name or "", await self._why(session, *cached))
        return spec.ExplainResult(indexed=told[0], reason=told[1])

    async def _why(self, session: Editor, root: Path, path: str) -> tuple[bool, str]:
        work = self._holding.at(session, root, path).why(path, is_open=root / path in session.buffers)
        return await session.in_turn(root, work)

    # Asking

    async def ask(
        self, session_id: int, params: spec.AskParams
    ) -> AsyncGenerator[spec.AskPartial | spec.AskResult, None]:
        """Answer: partial results, then the result. Closing the generator stops the model."""
        thread = await self._recalling.before(params.thread_id)
        async with aclosing(self._replies(session_id, params, thread)) as events:
            async for event in events:
                yield event

    async def ask_again(
        self, session_id: int, params: spec.ThreadsParams
    ) -> AsyncGenerator[spec.AskPartial | spec.AskResult, None]:
        """Ask the question of a turn once more, of the files as they are now; the answer is a turn of its own."""
        thread, turn = await self._recalling.turn(params.thread_id or "", params.turn_id)
        asked = parse(spec.AskParams, {"question": turn.question, **turn.asked})
        async with aclosing(self._replies(session_id, asked, before(thread, again=turn.number))) as events:
            async for event in events:
                yield event

    async def _replies(
        self, session_id: int, params: spec.AskParams, thread: Before
    ) -> AsyncGenerator[spec.AskPartial | spec.AskResult, None]:
        session = self._sessions[session_id]
        keepers, notes = await self._asked(session, params.scope)
        cache_of = self._holding.cache_of(session)
        async with aclosing(
            self._replying.ask(session, keepers, params, thread, cache_of=cache_of, notes=notes)
        ) as events:
            async for event in events:
                yield event

    @contextmanager
    def _indexing_waits(self) -> Iterator[None]:
        """Keep indexing off the cores while the model reads and writes."""
        why = f"question {next(self._numbers)}"
        self._answers.add(why)
        for keeper in self._holding:
            keeper.hold(why)
        try:
            yield
        finally:
            self._answers.discard(why)
            for keeper in self._holding:
                keeper.release(why)

    # Threads

    async def threads(self, session_id: int, params: spec.ThreadsParams) -> spec.ThreadsResult:
        """List, get, delete or replay threads; `ask_again` answers anew."""
        session = self._sessions[session_id]
        name = params.thread_id or ""
        text_at = texts(session.buffers)
        match params.action:
            case "list":
                roots = None if params.all_roots else session.roots
                return spec.ThreadsResult(threads=tuple(await self._recalling.listed(roots, text_at)))
            case "delete":
                return spec.ThreadsResult(threads=(await self._recalling.deleted(name),))
            case "replay":
                replayed = await self._replying.replay(name, params.turn_id)
                return spec.ThreadsResult(threads=(await self._recalling.shown(name, text_at),), replayed=replayed)
            case _:
                return spec.ThreadsResult(threads=(await self._recalling.shown(name, text_at),))

    # Models

    async def models(
        self, session_id: int, params: spec.ModelsParams, on_progress: Callable[[int, int], None]
    ) -> spec.ModelsResult:
        """List, fetch, choose, unload or remove models."""
        session, name = self._sessions[session_id], params.name or ""
        unloaded = None
        match params.action:
            case "pull":
                await self._fetches.fetch(name, on_progress)
            case "use":
                await asyncio.to_thread(shelf.use, name, self._user(), paths=False)
            case "unload":
                unloaded = await self._model.unload()
            case "remove":
                await asyncio.to_thread(shelf.remove, name)
                await self._model.unload()  # it may be what is in memory
        listed = await session.in_turn(_MODELS, asyncio.to_thread(shelf.listed, self._user()))
        return spec.ModelsResult(models=tuple(map(model_row, listed)), unloaded=unloaded)

    # Caches

    async def caches(self, session_id: int, params: spec.CachesParams) -> spec.CachesResult:
        """List, add or remove caches."""
        session, message = self._sessions[session_id], None
        if params.action != "list":
            change = asyncio.create_task(self._holding.change(session, params, self._open_roots))
            self._changes.add(change)  # half of it would leave an index locked, so it goes on where it is cancelled
            change.add_done_callback(self._changes.discard)
            change.add_done_callback(lambda change: change.cancelled() or change.exception())
            message = await asyncio.shield(change)
        caches = await session.in_turn(_CACHES, self._holding.listed())
        return spec.CachesResult(caches=caches, message=message or self._holding.problem)

    def _forget(self, ground: Ground, registry: Registry, is_open: bool) -> None:  # noqa: FBT001 - as Holding calls it
        """Forget in a thread what is kept of a ground of the caches; its disk is not asked, which may hang."""
        forgetting.forget(
            ground, registry=registry, user=self._user(), threads=self._recalling.threads, is_open=is_open
        )

    # Steering and status

    async def index(self, session_id: int, params: spec.IndexParams) -> spec.IndexResult:
        """Steer the indexing of one root, or of each of the session's."""
        session = self._sessions[session_id]
        keepers = await self._steered(session, params)
        for keeper in keepers:
            keeper.named |= params.root is not None
            match params.action:
                case "start" | "resume":
                    keeper.resume(hurry=True)
                case "pause":
                    keeper.pause()
                case "cancel":
                    keeper.cancel()
                case "rebuild":
                    await keeper.rebuild()
                case "drop":
                    await keeper.drop()
                    await self._recalling.run(partial(_forget, root=keeper.root))
        return spec.IndexResult(roots=tuple(root_state(session, keeper) for keeper in keepers))

    async def _steered(self, session: Editor, params: spec.IndexParams) -> list[Keeper]:
        if params.cache is not None:
            keepers, notes = await self._holding.asked(session.info.id, [params.cache], catch_up=False)
            if not keepers and notes:
                raise UserError(notes[0])
            return keepers
        if params.root is not None and session.root_of(params.root) is None:  # of a cache, whose bar was cancelled
            used = [k for k in self._holding if session.info.id in k.users and k.root == to_path(params.root)]
            if used:
                return used
        return self._keepers_of(session, parts.Scope(roots=(params.root,)) if params.root else None)

    async def status(self, session_id: int, params: spec.StatusParams) -> spec.StatusResult:
        """Tell what the engine is at; one that asks without pause waits for itself and not for others."""
        session = self._sessions[session_id]
        return await session.in_turn(_STATUS, self._status(session, params.scope))

    async def _status(self, session: Editor, scope: parts.Scope | None) -> spec.StatusResult:
        keepers = self._keepers_of(session)
        asked = None if scope is None else (await self._asked(session, scope, catch_up=False))[0]
        health = self._telling.health(session)
        user = self._user()
        return spec.StatusResult(
            version=__version__,
            quiescent=health.quiescent,
            health=health.health,
            mode="daemon" if self._mode == "daemon" else "in_process",
            pid=os.getpid(),
            roots=tuple([await root_status(session, keeper) for keeper in keepers]),
            embedder=user.embedder or DEFAULT,
            sessions=tuple(
                parts.SessionStatus(
                    id=s.info.id,
                    client=s.info.client,
                    roots=tuple(s.uri_of(root) for root in s.roots),
                    own=s is session,
                )
                for s in self._sessions.values()
            ),
            caches=await self._holding.listed(),
            workers=tuple(worker_statuses(self._holding, self._spares, self._model, self._refiner)),
            queue=parts.QueueStatus(
                questions=max(0, self._model.requests - 1),  # the first of them is being answered
                files=sum(k.progress.total - k.progress.done for k in self._holding),
            ),
            memory_bytes=memory_bytes(os.getpid()) or 0,
            outside=outside(user),
            message=" ".join(filter(None, (health.message, self._holding.problem))) or None,
            model=model_status(user, self._model),
            last_read=_evidence(session.last_read or self._replying.last_read),
            scope=None if asked is None else scope_status(asked),
        )

    async def close(self) -> None:
        """End everything: indexes, workers, model."""
        if self._looking_after is not None:
            self._looking_after.cancel()
            await asyncio.gather(self._looking_after, return_exceptions=True)
        await asyncio.gather(*self._tasks, self._telling.close())
        await asyncio.gather(*self._changes, return_exceptions=True)
        await asyncio.gather(self._holding.close(), self._model.close(), self._refiner.close(), self._fetches.close())
        self._spares.close()
        await self._flags.close()
        await self._recalling.close()


def _evidence(read: tuple[int, int] | None) -> parts.Evidence | None:
    return parts.Evidence(read=read[0], found=read[1]) if read else None


def _forget(threads: Threads, *, root: Path) -> None:
    threads.forget(str(root))
