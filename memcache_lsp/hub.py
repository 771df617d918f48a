"""The engine behind all sessions: roots that are shared, buffers that are not, one model, threads of questions.

It is the `Backend` of every session. Converts between the specification's types and the engine's, and decides what an
answer draws on. Must not import the session's code beyond its `backend`, `settings` and `uris`.
"""

from __future__ import annotations

import asyncio
import logging
import os
import resource
from collections import defaultdict
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator, Sequence
from contextlib import aclosing, closing, contextmanager
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import TypeVar

from memcache_lsp import __version__, answering, models
from memcache_lsp.answering import EVIDENCE_HITS, EVIDENCE_PER_FILE, FOUND_HITS, Event, Result, Sources, Stage
from memcache_lsp.config import UserSettings
from memcache_lsp.engine import Setup
from memcache_lsp.errors import ModelError, UserError
from memcache_lsp.generator import StopFlag
from memcache_lsp.keeper import Keeper
from memcache_lsp.lines import lines_of
from memcache_lsp.overlay import Overlay
from memcache_lsp.protocol import parts, spec, wire
from memcache_lsp.redact import redact
from memcache_lsp.session.backend import IndexProgress, SessionInfo
from memcache_lsp.session.settings import SessionSettings
from memcache_lsp.session.uris import from_path, to_path
from memcache_lsp.threads import Threads
from memcache_lsp.values import Hit, Report, Scope, Span
from memcache_lsp.workers.model import ModelWorker
from memcache_lsp.workers.refine import Refiner

_log = logging.getLogger(__name__)

_CHOSEN_SCORE = 1.0  # of lines that the user selected; infinity is no JSON
_AT_ONCE = 2  # searches of one session in one root, or looks at the status: what others ask comes in between
_STATUS = Path()  # in place of a root
_MANY_HITS = 50  # that take the loop too long to be put into words
_FAILED_SHOWN = 100

T = TypeVar("T")

Listener = Callable[[spec.DidChangeStatusParams | IndexProgress], None]


@dataclass(slots=True)
class _Session:
    info: SessionInfo
    roots: tuple[Path, ...] = ()
    buffers: dict[Path, str] = field(default_factory=dict)
    overlays: dict[Path, Overlay] = field(default_factory=dict)  # by root
    turns: defaultdict[Path, asyncio.Semaphore] = field(
        default_factory=lambda: defaultdict(lambda: asyncio.Semaphore(_AT_ONCE))
    )


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
        self._keepers: dict[Path, Keeper] = {}
        self._sessions: dict[int, _Session] = {}
        self._listeners: dict[int, Listener] = {}
        self._threads = Threads()
        self._numbers = count(1)
        self._answers: set[str] = set()  # that are being written, and that indexing waits for
        self._background: set[asyncio.Task[None]] = set()

    # Sessions

    @property
    def sessions(self) -> int:
        """Return how many sessions there are."""
        return len(self._sessions)

    async def open_session(self, session: SessionInfo) -> None:
        """Take a session in; its roots begin to be indexed."""
        self._sessions[session.id] = _Session(session)
        await self.set_roots(session.id, session.roots)

    async def close_session(self, session_id: int) -> None:
        """Forget a session; a root that nobody uses any more is closed after it has been idle."""
        self._listeners.pop(session_id, None)
        if self._sessions.pop(session_id, None) is not None:
            self._release(session_id, keep=())

    async def set_roots(self, session_id: int, roots: Sequence[Path]) -> None:
        """Take the session's present roots."""
        session = self._sessions[session_id]
        session.roots = tuple(dict.fromkeys(real for root in roots if (real := _real(root))))
        session.overlays = {root: Overlay() for root in session.roots}
        for path, text in session.buffers.items():
            self._overlay(session, path, text)
        for root in session.roots:
            keeper = self._keepers.get(root)
            if keeper is None:
                keeper = Keeper(root, setup=self._setup, changed=self._told, idle_s=self._idle_s, refiner=self._refiner)
                for why in self._answers:
                    keeper.hold(why)
                self._keepers[root] = keeper
            keeper.users.add(session_id)
            if session.info.settings.index_on_start:
                keeper.attend()
        self._release(session_id, keep=session.roots)
        for root, keeper in list(self._keepers.items()):
            if keeper.asleep and self._keepers.get(root) is keeper:  # another session may have forgotten it meanwhile
                del self._keepers[root]
                await keeper.close()

    def _release(self, session_id: int, *, keep: Sequence[Path]) -> None:
        for root, keeper in list(self._keepers.items()):
            if root in keep or session_id not in keeper.users:
                continue
            keeper.users.discard(session_id)
            if not keeper.users:  # it stays, so that an editor that is started again finds it open
                keeper.cancel()

    def settings_changed(self, session_id: int, settings: SessionSettings) -> None:
        """Take the session's present settings."""
        session = self._sessions[session_id]
        session.info = replace(session.info, settings=settings)

    def buffer_changed(self, session_id: int, path: Path, text: str | None) -> None:
        """Take the present text of an open file, None once it is closed."""
        session = self._sessions[session_id]
        real = Path(os.path.realpath(path.parent)) / path.name
        if text is None:
            session.buffers.pop(real, None)
        else:
            session.buffers[real] = text
        self._overlay(session, real, text)

    def _overlay(self, session: _Session, path: Path, text: str | None) -> None:
        for root, overlay in session.overlays.items():
            if path.is_relative_to(root):
                overlay.put(path.relative_to(root).as_posix(), text)

    def files_changed(self, session_id: int, paths: Sequence[Path]) -> None:
        """Take a hint that files changed on disk."""
        real = [Path(os.path.realpath(path.parent)) / path.name for path in paths]
        for root in self._sessions[session_id].roots:
            below = [path.relative_to(root).as_posix() for path in real if path.is_relative_to(root)]
            if below:
                self._keepers[root].hint(None if "." in below else below)

    def subscribe(self, session_id: int, listener: Listener) -> None:
        """Tell the listener of health and progress until the session is closed."""
        self._listeners[session_id] = listener  # before the session is opened, so that it hears of the beginning

    def _told(self, keeper: Keeper) -> None:
        finished = keeper.state != "indexing"
        progress = IndexProgress(keeper.root, keeper.progress.done, keeper.progress.total, finished)
        for session_id in keeper.users:
            session, listener = self._sessions.get(session_id), self._listeners.get(session_id)
            if session is None or listener is None:
                continue
            listener(progress)
            if finished:
                listener(self._health(session))

    def _health(self, session: _Session) -> spec.DidChangeStatusParams:
        keepers = self._keepers_of(session)
        messages = [keeper.message for keeper in keepers if keeper.message]
        return spec.DidChangeStatusParams(
            health=self._level(keepers),
            quiescent=all(keeper.quiescent for keeper in keepers),
            message=" ".join(messages) or None,
        )

    def _level(self, keepers: Sequence[Keeper]) -> parts.Health:
        if any(keeper.state == "failed" for keeper in keepers):
            return "error"
        return "warning" if any(keeper.message for keeper in keepers) else "ok"

    def _keepers_of(self, session: _Session, scope: parts.Scope | None = None) -> list[Keeper]:
        wanted = [to_path(uri) for uri in scope.roots] if scope and scope.roots else None
        roots = [root for root in session.roots if wanted is None or root in map(_real, wanted)]
        if wanted is not None and len(roots) < len(wanted):
            raise UserError("The scope names a root that is no workspace folder of this session: leave it out.")
        return [self._keepers[root] for root in roots]

    # Searching

    async def search(self, session_id: int, params: spec.SearchParams) -> spec.SearchResult:
        """Find hits in all of the session's roots, best first."""
        session = self._sessions[session_id]
        keepers = self._keepers_of(session, params.scope)
        found = await self._found(session, keepers, params.query, params.scope, limit=params.limit)
        hits = sorted(found, key=lambda each: -each[1].score)[: params.limit]
        complete = all(keeper.quiescent and keeper.state == "ready" for keeper in keepers)

        def told() -> spec.SearchResult:
            shown = (
                wire.hit_to_spec(h, uri=from_path(root / h.path), origin=_origin(session, root, h)) for root, h in hits
            )
            return spec.SearchResult(hits=tuple(shown), complete=complete)

        return told() if len(hits) <= _MANY_HITS else await asyncio.to_thread(told)

    async def _found(
        self,
        session: _Session,
        keepers: Sequence[Keeper],
        question: str,
        scope: parts.Scope | None,
        *,
        limit: int,
        per_file: int | None = None,
    ) -> list[tuple[Path, Hit]]:
        wanted = _scope(scope)
        answers = await asyncio.gather(
            *(
                _in_turn(
                    session,
                    keeper,
                    keeper.search(
                        question,
                        scope=wanted,
                        limit=limit,
                        per_file=per_file,
                        overlay=session.overlays.get(keeper.root),
                    ),
                )
                for keeper in keepers
            ),
            return_exceptions=True,
        )
        failures = [answer for answer in answers if isinstance(answer, BaseException)]
        if failures and len(failures) == len(keepers):
            raise failures[0]
        return [
            (keeper.root, hit)
            for keeper, hits in zip(keepers, answers, strict=True)
            if not isinstance(hits, BaseException)
            for hit in hits
        ]

    # Asking

    async def ask(
        self, session_id: int, params: spec.AskParams
    ) -> AsyncGenerator[spec.AskPartial | spec.AskResult, None]:
        """Answer: partial results, then the result. Closing the generator stops the model."""
        session = self._sessions[session_id]
        hits, places = await self._evidence(session, params)
        uri_of = lambda path: from_path(places[path])  # noqa: E731
        thread_id, turn_id = self._threads.new_turn(params.thread_id)
        async with aclosing(self._answer(params.question, hits, session.info.settings)) as events:
            async for event in events:
                if isinstance(event, Result):
                    result = wire.result_to_spec(
                        event, thread_id=thread_id, turn_id=turn_id, streamed=False, uri_of=uri_of
                    )
                    self._threads.remember(params.question, result)
                    yield result
                else:
                    yield wire.event_to_partial(event, uri_of=uri_of)

    async def _evidence(self, session: _Session, params: spec.AskParams) -> tuple[list[Hit], dict[str, Path]]:
        """Return what the answer may draw on, and where each of its paths lies."""
        keepers = self._keepers_of(session, params.scope)
        chosen = _selected(session, params)
        known = await asyncio.gather(
            *(_in_turn(session, k, k.knows_any(params.question)) for k in keepers), return_exceptions=True
        )
        knowing = [k for k, knows in zip(keepers, known, strict=True) if knows is True]
        found = await self._found(
            session, knowing, params.question, params.scope, limit=FOUND_HITS, per_file=EVIDENCE_PER_FILE
        )
        found = chosen + sorted(found, key=lambda each: -each[1].score)
        several = len({root for root, _ in found}) > 1
        hits, places = [], {}
        for root, hit in found:
            path = f"{root.name}/{hit.path}" if several else hit.path
            places[path] = root / hit.path
            hits.append(replace(hit, path=path))
        return hits, places

    async def _answer(
        self, question: str, hits: Sequence[Hit], settings: SessionSettings
    ) -> AsyncGenerator[Event, None]:
        evidence = tuple(hits[:EVIDENCE_HITS])
        yield Sources(evidence)
        message = None
        if hits and settings.use_model:
            path, message = self._model_path(), models.NO_MODEL
            if path is not None:
                yield Stage("waiting" if self._model.requests else "loading", 0)
                message = await self._loaded(path)
        if message is None and hits and settings.use_model:
            events = self._model.answer(question, evidence, found=len(hits), max_tokens=settings.answer_tokens)
            with self._indexing_waits():
                async with aclosing(events):  # type: ignore[type-var]
                    async for event in events:
                        if not isinstance(event, Sources):
                            yield event
            return
        run = answering.answer(question, evidence, found=len(hits), generator=None, stop=StopFlag())
        for event in await asyncio.to_thread(lambda: list(run)):
            if not isinstance(event, Sources):
                yield replace(event, message=message) if isinstance(event, Result) else event

    async def _loaded(self, path: Path) -> str | None:
        """Load the model; where it cannot be and nobody named it, return the sentence that says so."""
        user = self._user()
        try:
            await self._model.load(path, context_tokens=user.context_tokens or None, threads=user.threads or None)
        except ModelError as error:
            if user.model:
                raise
            return f"{error} The answer is quotations."
        return None

    @contextmanager
    def _indexing_waits(self) -> Iterator[None]:
        """Keep indexing off the cores while the model reads and writes."""
        why = f"question {next(self._numbers)}"
        self._answers.add(why)
        for keeper in self._keepers.values():
            keeper.hold(why)
        try:
            yield
        finally:
            self._answers.discard(why)
            for keeper in self._keepers.values():
                keeper.release(why)

    def _model_path(self) -> Path | None:
        return models.locate(self._user().model or None)

    # Threads

    async def threads(self, session_id: int, params: spec.ThreadsParams) -> spec.ThreadsResult:
        """List, get, delete threads, or ask again; they last as long as the engine does."""
        name = params.thread_id or ""
        match params.action:
            case "list":
                return spec.ThreadsResult(threads=tuple(self._threads.list()))
            case "get":
                return spec.ThreadsResult(threads=(self._threads.get(name),))
            case "delete":
                return spec.ThreadsResult(threads=(self._threads.delete(name),))
            case "askAgain":
                return await self._ask_again(session_id, self._threads.get(name), params.turn_id)

    async def _ask_again(self, session_id: int, thread: spec.Thread, turn_id: str | None) -> spec.ThreadsResult:
        turns = thread.turns or ()
        turn = next((t for t in turns if t.turn_id == turn_id), turns[-1])
        asked = None
        again = spec.AskParams(question=turn.question, thread_id=thread.thread_id)
        async with aclosing(self.ask(session_id, again)) as events:
            async for event in events:
                asked = event if isinstance(event, spec.AskResult) else asked
        return spec.ThreadsResult(threads=(self._threads.get(thread.thread_id),), asked=asked)

    # Steering and status

    async def index(self, session_id: int, params: spec.IndexParams) -> spec.IndexResult:
        """Steer the indexing of one root, or of each of the session's."""
        session = self._sessions[session_id]
        scope = parts.Scope(roots=(params.root,)) if params.root else None
        keepers = self._keepers_of(session, scope)
        for keeper in keepers:
            keeper.named |= params.root is not None
            match params.action:
                case "start":
                    keeper.resume(hurry=True)
                case "pause":
                    keeper.pause()
                case "resume":
                    keeper.resume(hurry=True)
                case "cancel":
                    keeper.cancel()
                case "rebuild":
                    await keeper.rebuild()
                case "drop":
                    await keeper.drop()
        return spec.IndexResult(roots=tuple(_root_state(keeper) for keeper in keepers))

    async def status(self, session_id: int) -> spec.StatusResult:
        """Tell what the engine is at; one that asks without pause waits for itself and not for others."""
        session = self._sessions[session_id]
        async with session.turns[_STATUS]:
            return await self._status(session)

    async def _status(self, session: _Session) -> spec.StatusResult:
        keepers = self._keepers_of(session)
        health = self._health(session)
        user = self._user()
        return spec.StatusResult(
            version=__version__,
            quiescent=health.quiescent,
            health=health.health,
            mode="daemon" if self._mode == "daemon" else "in_process",
            pid=os.getpid(),
            roots=tuple([await _root_status(keeper) for keeper in keepers]),
            embedder=user.embedder or "static-minilm-256",
            sessions=tuple(
                parts.SessionStatus(
                    id=s.info.id, client=s.info.client, roots=tuple(from_path(root) for root in s.roots)
                )
                for s in self._sessions.values()
            ),
            workers=tuple(self._workers()),
            queue=parts.QueueStatus(
                questions=self._model.requests,
                files=sum(k.progress.total - k.progress.done for k in self._keepers.values()),
            ),
            memory_bytes=memory_bytes(os.getpid()) or 0,
            outside=_outside(user),
            message=health.message,
            model=self._model_status(user),
        )

    def _model_status(self, user: UserSettings) -> parts.ModelStatus | None:
        try:
            path = models.locate(user.model or None)
        except ModelError:
            return parts.ModelStatus(name=user.model, state="missing")
        facts = self._model.facts
        if facts is not None:
            state = "answering" if self._model.requests else "ready"
            return parts.ModelStatus(name=facts.name, state=state, context_tokens=facts.context_tokens)  # type: ignore[arg-type]
        return parts.ModelStatus(name=path.stem, state="unloaded") if path else None

    def _workers(self) -> Iterator[parts.WorkerStatus]:
        for keeper in self._keepers.values():
            worker = keeper.worker
            if worker is not None:
                busy = "busy" if keeper.state == "indexing" else "idle"
                yield _worker("index", worker.pid, "paused" if worker.paused else busy)
        yield _worker("model", self._model.pid, "busy" if self._model.requests else "idle")
        if self._refiner.pid is not None:
            yield _worker("refine", self._refiner.pid, "busy" if self._refiner.busy else "idle")

    async def close(self) -> None:
        """End everything: indexes, workers, model."""
        keepers = list(self._keepers.values())
        self._keepers.clear()
        await asyncio.gather(*(keeper.close() for keeper in keepers), self._model.close(), self._refiner.close())


async def _in_turn(session: _Session, keeper: Keeper, work: Coroutine[object, object, T]) -> T:
    """Do what takes the keeper's thread when few other pieces of work of the session are in its queue."""
    with closing(work):  # where it is cancelled before it has begun
        async with session.turns[keeper.root]:
            return await work


def _outside(user: UserSettings) -> tuple[str, ...]:
    return (f"The index lies on the Qdrant server {user.qdrant_url}.",) if user.qdrant_url else ()


def _real(path: Path | None) -> Path | None:
    return None if path is None else Path(os.path.realpath(path))


def _scope(scope: parts.Scope | None) -> Scope:
    if scope is None:
        return Scope()
    if scope.caches:
        raise UserError("There are no caches yet: leave them out of the scope.")
    return Scope(globs=scope.globs, languages=scope.languages, kinds=scope.kinds)


def _origin(session: _Session, root: Path, hit: Hit) -> parts.Origin:
    overlay = session.overlays.get(root)
    text = overlay.text_of(hit.path) if overlay else None
    return "buffer" if text is not None and text[hit.span.start : hit.span.end] == hit.text else "index"


def _selected(session: _Session, params: spec.AskParams) -> list[tuple[Path, Hit]]:
    """Return the selected lines of an open buffer as the first piece of evidence."""
    path = to_path(params.text_document.uri) if params.text_document else None
    text = session.buffers.get(_real(path) or Path()) if path else None
    root = next((r for r in session.roots if path and (_real(path) or path).is_relative_to(r)), None)
    if params.selection is None or text is None or path is None or root is None:
        return []
    first, last = params.selection.start.line, params.selection.end.line
    chosen = "\n".join(lines_of(redact(text).text)[first : last + 1])
    if not chosen.strip():
        return []
    span = Span(0, len(chosen), first + 1, first + 1 + chosen.count("\n"))
    relative = (_real(path) or path).relative_to(root).as_posix()
    return [(root, Hit(relative, span, chosen, "block", "", "text", (), _CHOSEN_SCORE))]


def _root_state(keeper: Keeper) -> parts.RootState:
    return parts.RootState(uri=from_path(keeper.root), state=keeper.state)


async def _root_status(keeper: Keeper) -> parts.RootStatus:
    known = await keeper.status()
    total = keeper.progress.total if keeper.state == "indexing" else 0
    done = keeper.progress.done if keeper.state == "indexing" else 0
    indexed = known.indexed if known else 0
    failed = known.failed if known else ()
    return parts.RootStatus(
        uri=from_path(keeper.root),
        state=keeper.state,
        files=parts.FileCounts(
            done=max(indexed, done),
            total=max(indexed, total),
            failed=len(failed),
            skipped=len(known.skipped) if known else 0,
        ),
        chunks=known.chunks if known else 0,
        failed=tuple(parts.FileProblem(path=f.path, reason=f.reason) for f in failed[:_FAILED_SHOWN]),
        message=keeper.message,
        size_bytes=known.size_bytes if known else None,
        report=_report(keeper.report) if keeper.report else None,
        refinement=_refinement(keeper),
    )


def _refinement(keeper: Keeper) -> parts.Refinement | None:
    refining = keeper.refining
    if refining is None or not refining.model:
        return None
    return parts.Refinement(model=refining.model, done=refining.done, total=refining.total, message=refining.message)


def _report(report: Report) -> parts.IndexReport:
    return parts.IndexReport(
        added=report.added,
        changed=report.changed,
        removed=report.removed,
        unchanged=report.unchanged,
        chunks=report.chunks,
    )


def _worker(name: str, pid: int | None, state: str) -> parts.WorkerStatus:
    memory = memory_bytes(pid) if pid else None
    return parts.WorkerStatus(name=name, state=state if pid else "stopped", pid=pid, memory_bytes=memory)  # type: ignore[arg-type]


def memory_bytes(pid: int) -> int | None:
    """Return the resident memory of a process, None where the system does not tell."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, ValueError, IndexError):
        return None
    return pages * resource.getpagesize()
