"""One root of the daemon: its index is opened when somebody asks, kept in step, and closed when nobody does.

Owns the project, its watcher, its index worker and two threads, so that a root that stalls delays no other. Everything
public runs on the event loop. Must not import editor types.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Coroutine, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TypeVar

from memcache_lsp import machine
from memcache_lsp.arriving import Arriving
from memcache_lsp.caches import Away, Ground
from memcache_lsp.engine import MAX_FILES, Project, Setup, drop_index, open_project, recipe_of
from memcache_lsp.errors import MemcacheError, Stopped, UserError
from memcache_lsp.glance import Glance
from memcache_lsp.overlay import Overlay
from memcache_lsp.pasted import shortened
from memcache_lsp.paths import check_root
from memcache_lsp.protocol.parts import IndexState
from memcache_lsp.refining import Refining
from memcache_lsp.scan import changes_rules
from memcache_lsp.status import Status
from memcache_lsp.values import Hit, Progress, Report, Scope
from memcache_lsp.watching import Watcher
from memcache_lsp.workers.crew import Crew
from memcache_lsp.workers.index import IndexWorker
from memcache_lsp.workers.refine import Refiner
from memcache_lsp.workers.spares import Spares

_log = logging.getLogger(__name__)

IDLE_S = 60.0  # without a request, until the store is closed
LOOK_AGAIN_S = 10.0  # how old a look at the files may be when somebody asks
STATUS_S = 1.0  # how old what the manifest said may be while it is being written
LOOK_AGAIN_WATCHED_S = 300.0  # the same where changes are told: network drives and bind mounts tell none
_SMALL = 16  # files that are indexed at normal priority, for they are done before anybody notices
_MUCH = 300  # files that are left, for which a second process is worth its start where somebody waits
_REST = 2.0  # how much longer than an update nothing that is only a hint begins another
_LONGEST_REST_S = 10.0

T = TypeVar("T")


class Keeper:
    """Keep one root. `changed` is called on the loop whenever state or progress did, `touched` when files may have.

    With `part` it keeps some files of the root. `check` is called in a thread before the files are looked at, and
    raises where that makes no sense now.
    """

    def __init__(
        self,
        ground: Ground,
        *,
        setup: Callable[[Path], Setup],
        changed: Callable[[Keeper], None],
        idle_s: float = IDLE_S,
        refiner: Refiner | None = None,
        spares: Spares | None = None,
        touched: Callable[[Path, frozenset[str] | None], None] = lambda _root, _paths: None,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        self.ground = ground
        self.root = root = ground.root
        self.reading = False  # the files that are written there are waited for, and new ones are news
        self.is_away = False  # it failed last because its disk is not there
        self._news: list[str] = []
        self.state: IndexState = "unindexed"
        self.message: str | None = None
        self.progress = Progress(0, 0)
        self.report: Report | None = None  # of the last look at everything that came to its end
        self.users: set[int] = set()
        self.changes = 0  # of the files, as far as they are heard of, and of the index
        self.named = False  # by the user, so however large it is, it is meant
        self._setup = setup
        self._changed = changed
        self._touched = touched
        self._check = check
        self._arriving = Arriving(root, told=self.hint)
        self._idle_s = idle_s
        self._spares = spares
        self._loop = asyncio.get_running_loop()
        self._searching = ThreadPoolExecutor(1, thread_name_prefix="search")
        self._indexing = ThreadPoolExecutor(1, thread_name_prefix="index")
        self._glance = Glance(root, ground.part)
        self.refining = Refining(refiner or Refiner(), run=partial(self._in, self._indexing), use=lambda: _Use(self))
        self._opening = asyncio.Lock()
        self._opener: asyncio.Task[None] | None = None
        self._begun: set[asyncio.Task[object]] = set()
        self._project: Project | None = None
        self._worker: Crew | None = None
        self._watcher: Watcher | None = None
        self._everything = True  # is to be looked at by the next update, or only these:
        self._hints: set[str] = set()
        self._left = ""  # the id of the project that was closed last
        self._holds: set[str] = set()
        self._hurry_once = False  # somebody waits for the update that is wanted, or going on
        self._small = False  # the update that is going on is
        self._question: str | None = None  # the latest, whose files are indexed first
        self._asked = False  # for an update, by somebody
        self._rest_until = 0.0
        self._stop = threading.Event()
        self._wanted = asyncio.Event()
        self._permitted = (
            False  # to index by itself: the user's cancel and pause take it, and nothing but him gives it back
        )
        self._paused = False
        self._busy_updating = False
        self._busy = 0
        self._used_at = self._looked_at = time.monotonic()
        self._closed = False
        self._task = asyncio.create_task(self._run(), name=f"keep {root.name}")

    # Asking

    async def search(
        self, question: str, *, scope: Scope, limit: int, per_file: int | None = None, overlay: Overlay | None = None
    ) -> list[Hit]:
        """Return the best hits of what is indexed so far."""
        question = shortened(question)
        async with _Use(self):
            self._question = question
            refined = await self.refining.question(question)
            project = await self._opened()
            self._look_again()
            if self.report is None:  # who asks this early waits for the index as well
                self._hurry_once = True
            return await self._in(
                self._searching,
                lambda: project.search(
                    question, scope=scope, limit=limit, per_file=per_file, overlay=overlay, refined=refined
                ),
            )

    async def confidence(self, question: str, hits: Sequence[Hit], overlay: Overlay | None = None) -> float:
        """Return how likely it is that the root answers a question that found these hits."""
        async with _Use(self):
            project = await self._opened()
            return await self._in(self._searching, lambda: project.confidence(question, hits, overlay))

    async def why(self, path: str, *, is_open: bool) -> tuple[bool, str]:
        """Tell whether a file is in the index, and why or why not."""
        async with _Use(self):
            project = await self._opened()
            return await self._in(self._searching, lambda: project.why(path, is_open=is_open))

    async def status(self) -> Status | None:
        """Return what the manifest says; while it is being written, what it said a moment ago."""
        if self._project is None:  # another process may write
            return await self._glance.status(age_s=0, wait=True)
        age_s = STATUS_S if self.state == "indexing" else float("inf")
        return await self._glance.status(age_s=age_s, wait=False)

    @property
    def quiescent(self) -> bool:
        """Tell whether nothing is being indexed."""
        return self.state != "indexing" and not self._wanted.is_set() and not self._busy_updating

    @property
    def is_watched(self) -> bool:
        """Tell whether changes of the files are heard of."""
        return self._watcher is not None and self._watcher.active

    @property
    def wanted(self) -> bool:
        """Tell whether an update is about to begin."""
        return self._wanted.is_set()

    @property
    def in_step(self) -> bool:
        """Tell whether the index is, and is kept, as the files are."""
        return self._permitted and self.quiescent and self.state == "ready"

    @property
    def asleep(self) -> bool:
        """Tell whether nobody uses it and nothing is open or about to be, so that it can be forgotten."""
        if self.users or self._busy or self._busy_updating or self._opening.locked():
            return False
        return self._project is None

    @property
    def worker(self) -> Crew | None:
        """Return the index workers, if the root has any now."""
        return self._worker

    def take_news(self) -> tuple[str, ...]:
        """Return once each document that a reading root has taken in, but for those of its first index."""
        news, self._news = self._news, []
        return tuple(news)

    # Steering

    def start(self, *, hurry: bool = False) -> None:
        """Bring the index in step, soon; with `hurry` at normal priority until it is."""
        self._used_at = time.monotonic()
        self._everything = self._asked = True
        self._permitted = not self._paused
        self._hurry_once = self._hurry_once or hurry
        self._want()

    def attend(self) -> None:
        """Bring the index in step unless the watch says that it is; for a session that begins."""
        self._used_at = time.monotonic()
        self._permitted = not self._paused
        if self._everything or self._hints:
            self._asked = True
            self._want()

    def hint(self, paths: Iterable[str] | None) -> None:
        """Take it that something may have changed at or below these paths (relative, POSIX), or anywhere.

        Whoever has stopped or not begun the indexing is not overruled by a hint; it counts once the indexing goes on.
        """
        hints = None if paths is None else set(paths)
        if hints is not None and self.ground.part and self._project is not None:
            hints = {path for path in hints if path in self._project.setup.only or changes_rules(path)}
            if not hints:  # some other file of the folder
                return
        self.changes += 1
        self._touched(self.root, None if hints is None else frozenset(hints))
        if hints is None or not self._permitted or any(map(changes_rules, hints)):
            self._everything = True
        else:
            self._hints |= hints
        if self._permitted:
            self._loop.call_later(max(0.0, self._rest_until - time.monotonic()), self._want)

    def hold(self, why: str) -> None:
        """Leave the cores to something else until `release`; what is in the worker's hands is finished."""
        self._holds.add(why)
        self.refining.hold(why)
        if self._worker is not None:
            self._worker.pause(why)

    def release(self, why: str) -> None:
        """Take a hold back."""
        self._holds.discard(why)
        self.refining.release(why)
        if self._worker is not None:
            self._worker.resume(why)

    def pause(self) -> None:
        """Stop indexing until `resume`; searches go on."""
        self._paused, self._permitted = True, False
        self._stop.set()
        self._wanted.clear()
        self.refining.stop()
        self._set("paused")

    def resume(self, *, hurry: bool = False) -> None:
        """Go on after `pause`; `hurry` as in `start`."""
        self._paused = False
        self.start(hurry=hurry)

    def cancel(self) -> None:
        """Stop the indexing that is going on until `start`; where nobody uses the root, it is not watched any more."""
        was_at_rest = self.quiescent
        self._stop.set()
        self._wanted.clear()
        if self.users:
            self.refining.stop()
        else:
            self._permitted = False
            self._unwatch()
        if not was_at_rest and not self._paused:
            self._everything, self._permitted = True, False
            self._set("cancelled")

    async def rebuild(self) -> None:
        """Forget the index and make it again."""
        self.cancel()
        await self._to_the_end(self._shut(rebuild=True))
        self.resume(hurry=True)

    async def drop(self) -> None:
        """Forget everything that is kept of the root; the next request makes it again, where indexing is permitted."""
        permitted = self._permitted
        self.cancel()
        self._permitted = False  # a change that comes meanwhile is no reason to begin
        await self._to_the_end(self._shut())
        user = await self._in(self._searching, lambda: self._setup(self.root).user)
        await self._in(self._searching, lambda: drop_index(self.root, user, self.ground.part))
        self.report = None
        self._everything, self._permitted = True, permitted
        self._set("unindexed")

    async def close(self) -> None:
        """End everything."""
        self._closed = True
        self._stop.set()
        self._unwatch()
        self._arriving.close()
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task
        await self._shut()
        await self.refining.ended()
        self._glance.close()
        self._searching.shutdown(wait=False)
        self._indexing.shutdown(wait=False)

    # Inside

    async def _in(self, executor: ThreadPoolExecutor, work: Callable[[], T]) -> T:
        return await self._loop.run_in_executor(executor, work)

    async def _to_the_end(self, work: Coroutine[object, object, T]) -> T:
        """Await work that goes on where who awaits it is cancelled: half of it would leave the index locked."""
        return await asyncio.shield(self._begin(work))

    def _begin(self, work: Coroutine[object, object, T]) -> asyncio.Task[T]:
        task = self._loop.create_task(work)
        self._begun.add(task)
        task.add_done_callback(self._begun.discard)
        task.add_done_callback(lambda task: task.cancelled() or task.exception())  # nobody may be left to hear of it
        return task

    async def _opened(self) -> Project:
        """Return the project, opened if need be; all who ask meanwhile get what comes of one attempt."""
        while self._project is None:  # it may have been shut again when it is our turn
            if self._opener is None or self._opener.done():
                self._opener = self._begin(self._open_once())
            await asyncio.shield(self._opener)
        return self._project

    async def _open_once(self) -> None:
        async with self._opening:
            if self._closed:
                raise Stopped("The engine is ending: ask again when it is back.")
            if self._project is None:
                project = self._project = await self._in(self._searching, self._open)
                self.message = " ".join(project.notices) or None
                self._everything = self._everything or bool(project.notices) or project.id_before != self._left
                if self._everything:
                    self._want()
                elif self.state == "ready" and self._permitted:
                    self.refining.begin(project)

    def _has_new_settings(self) -> bool:
        return self._project is not None and self._setup(self.root) != self._project.setup

    def _open(self, *, rebuild: bool = False) -> Project:
        self._check()
        check_root(self.root, explicit=self.named)  # so that nothing is kept of what is none
        return open_project(self._setup(self.root), purpose="the memcache-lsp daemon", rebuild=rebuild)

    async def _shut(self, *, rebuild: bool = False) -> None:
        """Let go of the index; with `rebuild`, hold it again, emptied."""
        async with self._opening:
            self.refining.stop()
            project, self._project = self._project, None
            self._glance.forget()
            worker, self._worker = self._worker, None
            if worker is not None:
                await self._in(self._searching, worker.close)
            if project is not None:
                await self._in(self._searching, project.close)
                self._left = project.id
            if rebuild:
                self._everything = True
                self._project = await self._in(self._searching, lambda: self._open(rebuild=True))

    def _look_again(self) -> None:
        if time.monotonic() - self._looked_at > (LOOK_AGAIN_WATCHED_S if self.is_watched else LOOK_AGAIN_S):
            self._everything = True
            self._want()

    def _want(self) -> None:
        if self._permitted and not self._closed:
            self._wanted.set()

    def _watch(self) -> None:
        if self._watcher is None and self.users:
            self._watcher = Watcher(self.root, changed=self._changed_on_disk)

    def _changed_on_disk(self, paths: frozenset[str] | None) -> None:
        if self.reading:
            self._arriving.changed(paths)
        else:
            self.hint(paths)

    def _unwatch(self) -> None:
        watcher, self._watcher = self._watcher, None
        self._everything = True  # whatever happens from now on
        if watcher is not None:
            watcher.close()

    def _set(self, state: IndexState, message: str | None = None) -> None:
        self.state = state
        self.message = message
        self._glance.forget()
        self._changed(self)

    async def _run(self) -> None:
        """Index whenever it is wanted; close the store when nobody has asked for long."""
        while True:
            try:
                async with asyncio.timeout(self._patience_s()):
                    await self._wanted.wait()
            except TimeoutError:
                if self._project is not None and not self._busy and time.monotonic() - self._used_at >= self._idle_s:
                    await self._to_the_end(self._shut())
                    await self._in(self._searching, machine.give_back)
                    self._changed(self)  # whoever keeps it may forget it now
                continue
            self._wanted.clear()
            self._stop.clear()
            await self._update()

    def _patience_s(self) -> float:
        """Return how long to wait until it is looked whether the store is idle: from its last use on."""
        if self._project is None or self._busy:
            return self._idle_s
        return max(0.01, self._used_at + self._idle_s - time.monotonic())

    async def _update(self) -> None:
        began = time.monotonic()
        asked, self._asked = self._asked, False
        self.refining.stop()
        self._busy_updating = True  # also while another process is waited for
        try:
            state, message = await self._bring()
        finally:
            self._busy_updating = False
            self.changes += 1
            self._hurry_once = self._wanted.is_set() and self._hurry_once
            now = time.monotonic()
            self._rest_until = now if asked else now + min(_LONGEST_REST_S, _REST * (now - began))
        if (state, message) != (self.state, self.message):
            self._set(state, message)  # only now, for whoever is told may ask whether it is at rest
        else:
            self._changed(self)
        if self.in_step and self._project is not None:
            self.refining.begin(self._project)

    async def _bring(self) -> tuple[IndexState, str | None]:
        """Bring the index in step; return the state it ends in, and what is to be said of it."""
        try:
            if self._everything and await self._in(self._searching, self._has_new_settings):
                await self._to_the_end(self._shut())
            project = await self._opened()
            self._wanted.clear()  # opening wants an update, which this is
            only = self._take_hints()
            self.progress = Progress(0, 0)
            if only is None:
                self._watch()
                self._set("indexing", self.message)
            worker = self._worker_for(project)
            async with _Use(self):
                report = await self._in(self._indexing, lambda: self._bring_in_step(project, worker, only))
        except Stopped:
            self._everything = True
            return self._halted(), None
        except MemcacheError as error:
            _log.warning("indexing root failed: %s", type(error).__name__)
            return self._fail(str(error), away=isinstance(error, Away))
        except Exception:  # noqa: BLE001 - the boundary of a root: a bug in one disturbs no other
            _log.exception("indexing a root failed")
            return self._fail("Indexing failed; the log of the engine tells more.")
        self.is_away = False
        if self.reading and report.new and (only is not None or report.unchanged):  # else it is the first look
            self._news += report.new
        if only is None:
            self.report = report
        return ("ready" if self._permitted else self._halted()), self.message  # who said stop may have been too late

    def _halted(self) -> IndexState:
        return "paused" if self._paused else "cancelled"

    def _take_hints(self) -> frozenset[str] | None:
        """Return the paths to be looked at, None for everything; those that come from now on are the next update's."""
        only = None if self._everything else frozenset(self._hints)
        if only is None:
            self._looked_at = time.monotonic()
        self._everything = False
        self._hints = set()
        return only

    def _fail(self, message: str, *, away: bool = False) -> tuple[IndexState, str]:
        self._everything = True
        self.is_away = away
        if not away and self._watcher is not None and self._watcher.active and not self._watcher.sees_root:
            self._watcher.seek()
        else:  # every change would make it fail again
            self._unwatch()
        return "failed", message

    def _worker_for(self, project: Project) -> Crew:
        if self._worker is None:
            recipe = recipe_of(project.setup)
            self._worker = Crew(
                lambda: IndexWorker(recipe, hurried=self._is_hurried, spares=self._spares),
                wanted=lambda: self._hurry_once and self.progress.total - self.progress.done >= _MUCH,
            )
            for why in self._holds:
                self._worker.pause(why)
        return self._worker

    def _bring_in_step(self, project: Project, worker: Crew, only: frozenset[str] | None) -> Report:
        """Update the index, in the index thread; the heavy part is done by the worker's process."""
        watcher = self._watcher
        entered: set[str] = set()

        def enter(folder: str) -> None:
            entered.add(folder)
            if watcher is not None:
                watcher.watch(folder)

        self._check()
        try:
            report = project.update(
                on_progress=self._on_progress,
                cancelled=self._stop.is_set,
                asked=lambda: self._question,
                prepare=partial(worker.prepare, cancelled=self._stop.is_set),
                hands=worker.hands,
                only=only,
                entered=enter,
                max_files=None if self.named else MAX_FILES,
            )
        finally:
            worker.rest()
        if watcher is not None:
            watcher.keep(entered, within=only)
        return report

    def _is_hurried(self) -> bool:
        return self._hurry_once or self._small

    def _on_progress(self, progress: Progress) -> None:
        self._small = progress.total <= _SMALL

        def tell() -> None:
            self.progress = progress
            if progress.total and self.state == "ready":  # what was hinted at has come to something
                self._set("indexing", self.message)
            else:
                self._changed(self)

        with suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(tell)


class _Use:
    """Count a piece of work at a root, so that its store is not closed under it."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper

    async def __aenter__(self) -> None:
        self._keeper._busy += 1  # noqa: SLF001 - a part of it

    async def __aexit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        self._keeper._busy -= 1  # noqa: SLF001 - a part of it
        if self._keeper._closed and isinstance(error, Exception) and not isinstance(error, MemcacheError):  # noqa: SLF001
            raise UserError("The index was closed meanwhile: ask again.") from error
        self._keeper._used_at = time.monotonic()  # noqa: SLF001 - a part of it
