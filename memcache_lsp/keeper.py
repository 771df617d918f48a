"""One root of the daemon: what is asked of it, and when its index is brought in step and closed.

Owns what the root is at (its state, its users, what is to be looked at) and the task that decides. `opened` holds the
index and its threads, `updating` the crew and the watch: each root has its own, so that one that stalls delays no other.
Everything public runs on the event loop. Must not import editor types.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from memcache_lsp import machine
from memcache_lsp.arriving import Arriving
from memcache_lsp.caches import Away, Ground
from memcache_lsp.engine import MAX_FILES, Project, Setup, drop_index, open_project
from memcache_lsp.errors import MemcacheError, Stopped
from memcache_lsp.glance import Glance
from memcache_lsp.opened import Opened
from memcache_lsp.overlay import Overlay
from memcache_lsp.pasted import shortened
from memcache_lsp.paths import check_root
from memcache_lsp.protocol.parts import IndexState
from memcache_lsp.refining import Refining
from memcache_lsp.reports import Progress, Report
from memcache_lsp.scan import changes_rules, is_beside_page
from memcache_lsp.scopes import Scope
from memcache_lsp.status import Status
from memcache_lsp.updating import Updating
from memcache_lsp.values import Hit
from memcache_lsp.workers.crew import Crew
from memcache_lsp.workers.refine import Refiner
from memcache_lsp.workers.spares import Spares

_log = logging.getLogger(__name__)

IDLE_S = 60.0  # without a request, until the store is closed
LOOK_AGAIN_S = 10.0  # how old a look at the files may be when somebody asks
STATUS_S = 1.0  # how old what the manifest said may be while it is being written
LOOK_AGAIN_WATCHED_S = 300.0  # the same where changes are told: network drives and bind mounts tell none
CALM_S = 0.3  # without a use, until what an update left in memory is written, which may hold one up
_CALM_MOST_S = 3.0
_REST = 2.0  # how much longer than an update nothing that is only a hint begins another
_LONGEST_REST_S = 10.0


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
        self._loop = asyncio.get_running_loop()
        self._index = Opened(self._open, came=self._came, goes=self._let_go, idle_s=idle_s)
        self._updating = Updating(
            root, changed=self._changed_on_disk, progressed=self._progressed_in_thread, spares=spares
        )
        self._glance = Glance(root, ground.part)
        self.refining = Refining(refiner or Refiner(), run=self._index.indexing, use=self._index.use)
        self._everything = True  # is to be looked at by the next update, or only these:
        self._hints: set[str] = set()
        self._asked = False  # for an update, by somebody
        self._rest_until = 0.0
        self._wanted = asyncio.Event()
        self._permitted = (
            False  # to index by itself: the user's cancel and pause take it, and nothing but him gives it back
        )
        self._paused = False
        self._busy_updating = False
        self._looked_at = time.monotonic()
        self._task = asyncio.create_task(self._run(), name=f"keep {root.name}")

    # Asking

    async def search(
        self, question: str, *, scope: Scope, limit: int, per_file: int | None = None, overlay: Overlay | None = None
    ) -> list[Hit]:
        """Return the best hits of what is indexed so far."""
        question = shortened(question)
        async with self._index.use():
            self._updating.question = question
            refined = await self.refining.question(question)
            project = await self._index.get()
            self._look_again()
            if self.report is None:  # who asks this early waits for the index as well
                self._updating.hurry = True
            return await self._index.searching(
                lambda: project.search(
                    question, scope=scope, limit=limit, per_file=per_file, overlay=overlay, refined=refined
                ),
            )

    async def confidence(self, question: str, hits: Sequence[Hit], overlay: Overlay | None = None) -> float:
        """Return how likely it is that the root answers a question that found these hits."""
        async with self._index.use():
            project = await self._index.get()
            return await self._index.searching(lambda: project.confidence(question, hits, overlay))

    async def why(self, path: str, *, is_open: bool) -> tuple[bool, str]:
        """Tell whether a file is in the index, and why or why not."""
        async with self._index.use():
            project = await self._index.get()
            return await self._index.searching(lambda: project.why(path, is_open=is_open))

    async def status(self) -> Status | None:
        """Return what the manifest says; while it is being written, what it said a moment ago."""
        if self._index.project is None:  # another process may write
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
        return self._updating.is_watched

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
        return not self.users and not self._busy_updating and self._index.is_asleep

    @property
    def worker(self) -> Crew | None:
        """Return the index workers, if the root has any now."""
        return self._updating.crew

    def take_news(self) -> tuple[str, ...]:
        """Return once each document that a reading root has taken in, but for those of its first index."""
        news, self._news = self._news, []
        return tuple(news)

    # Steering

    def start(self, *, hurry: bool = False) -> None:
        """Bring the index in step, soon; with `hurry` at normal priority until it is."""
        self._index.used()
        self._everything = self._asked = True
        self._permitted = not self._paused
        self._updating.hurry = self._updating.hurry or hurry
        self._want()

    def attend(self) -> None:
        """Bring the index in step unless the watch says that it is; for a session that begins."""
        self._index.used()
        self._permitted = not self._paused
        if self._everything or self._hints:
            self._asked = True
            if self.quiescent:
                self.progress = Progress(0, 0)  # of what comes, not of what was
            self._want()

    def hint(self, paths: Iterable[str] | None) -> None:
        """Take it that something may have changed at or below these paths (relative, POSIX), or anywhere.

        Whoever has stopped or not begun the indexing is not overruled by a hint; it counts once the indexing goes on.
        """
        hints = None if paths is None else set(paths)
        if hints is not None and self.ground.part and self._index.project is not None:
            hints = {path for path in hints if path in self._index.project.setup.only or changes_rules(path)}
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
        self.refining.hold(why)
        self._updating.hold(why)

    def release(self, why: str) -> None:
        """Take a hold back."""
        self.refining.release(why)
        self._updating.release(why)

    def pause(self) -> None:
        """Stop indexing until `resume`; searches go on."""
        self._paused, self._permitted = True, False
        self._updating.stop.set()
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
        self._updating.stop.set()
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
        await self._index.shut(rebuild=True)
        self.resume(hurry=True)

    async def drop(self) -> None:
        """Forget everything that is kept of the root; the next request makes it again, where indexing is permitted."""
        permitted = self._permitted
        self.cancel()
        self._permitted = False  # a change that comes meanwhile is no reason to begin
        await self._index.shut()
        user = await self._index.searching(lambda: self._setup(self.root).user)
        await self._index.searching(lambda: drop_index(self.root, user, self.ground.part))
        self.report = None
        self._everything, self._permitted = True, permitted
        self._set("unindexed")

    async def close(self) -> None:
        """End everything."""
        self._index.is_ending = True
        self._updating.stop.set()
        self._unwatch()
        self._arriving.close()
        self._task.cancel()
        try:
            await asyncio.wait([self._task])  # unlike the task itself, it tells whose the cancellation is
        finally:  # also where the closer is cancelled, for the lock would be held on
            await self._index.shut()
            await self.refining.ended()
            self._glance.close()
            self._index.close()
        if not self._task.cancelled():
            self._task.result()

    # Inside

    def _came(self, project: Project, is_as_left: bool) -> None:  # noqa: FBT001 - as Opened calls it
        self.message = " ".join(project.notices) or None
        self._everything = self._everything or bool(project.notices) or not is_as_left
        if self._everything:
            self._want()
        elif self.state == "ready" and self._permitted:
            self.refining.begin(project)

    async def _let_go(self) -> None:
        """Have nothing done with the index any more, which is about to be closed."""
        self.refining.stop()
        self._glance.forget()
        crew, self._updating.crew = self._updating.crew, None
        if crew is not None:
            await self._index.searching(crew.close)

    def _has_new_settings(self) -> bool:
        return self._index.project is not None and self._setup(self.root) != self._index.project.setup

    def _open(self, rebuild: bool) -> Project:  # noqa: FBT001 - as Opened calls it
        self._check()
        check_root(self.root, explicit=self.named)  # so that nothing is kept of what is none
        return open_project(self._setup(self.root), purpose="the memcache-lsp daemon", rebuild=rebuild)

    def _look_again(self) -> None:
        if time.monotonic() - self._looked_at > (LOOK_AGAIN_WATCHED_S if self.is_watched else LOOK_AGAIN_S):
            self._everything = True
            self._want()

    def _want(self) -> None:
        if self._permitted and not self._index.is_ending:
            self._wanted.set()

    def _watch(self) -> None:
        if self.users:
            self._updating.watch()

    def _changed_on_disk(self, paths: frozenset[str] | None) -> None:
        if self.reading:
            self._arriving.changed(paths)
        else:
            self.hint(paths)

    def _unwatch(self) -> None:
        self._everything = True  # whatever happens from now on
        self._updating.unwatch()

    def _set(self, state: IndexState, message: str | None = None) -> None:
        self.state = state
        self.message = message
        self._glance.forget()
        self._changed(self)

    async def _run(self) -> None:
        """Index whenever it is wanted; close the store when nobody has asked for long."""
        while True:
            try:
                async with asyncio.timeout(self._index.patience_s):
                    await self._wanted.wait()
            except TimeoutError:
                if self._index.is_idle:
                    await self._index.shut()
                    await self._index.searching(machine.give_back)
                    self._changed(self)  # whoever keeps it may forget it now
                continue
            self._wanted.clear()
            self._updating.stop.clear()
            await self._update()
            await self._come_to_rest()

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
            self._updating.hurry = self._wanted.is_set() and self._updating.hurry
            now = time.monotonic()
            self._rest_until = now if asked else now + min(_LONGEST_REST_S, _REST * (now - began))
        if (state, message) != (self.state, self.message):
            self._set(state, message)  # only now, for whoever is told may ask whether it is at rest
        else:
            self._changed(self)

    async def _come_to_rest(self) -> None:
        """Do what whoever waited for the update need not wait for, once nobody asks, unless the next is wanted by then."""
        await self._index.calm(CALM_S, at_most_s=_CALM_MOST_S, unless=self._wanted)
        if self._wanted.is_set():
            return
        if self._index.project is not None:
            await self._settle(self._index.project)
        if self.in_step and self._index.project is not None:
            self.refining.begin(self._index.project)

    async def _settle(self, project: Project) -> None:
        try:
            await self._index.indexing(project.settle)
        except Exception as error:  # noqa: BLE001 - the boundary of a root, as in `_bring`
            self._set(*self._fail_by(error))
        self._glance.forget()  # it may have seen what was not settled yet

    async def _bring(self) -> tuple[IndexState, str | None]:
        """Bring the index in step; return the state it ends in, and what is to be said of it."""
        try:
            if self._everything and await self._index.searching(self._has_new_settings):
                await self._index.shut()
            project = await self._index.get()
            self._wanted.clear()  # opening wants an update, which this is
            only = self._take_hints()
            self.progress = Progress(0, 0)
            if only is None:
                self._watch()
                self._set("indexing", self.message)
            crew = self._updating.crew_for(project)
            async with self._index.use():
                report = await self._index.indexing(lambda: self._bring_in_step(project, crew, only))
        except Stopped:
            self._everything = True
            return self._halted(), None
        except Exception as error:  # noqa: BLE001 - the boundary of a root: a bug in one disturbs no other
            return self._fail_by(error)
        self.is_away = False
        if self.reading and report.new and not report.is_first:  # what was there before is no news
            self._news += [path for path in report.new if not is_beside_page(path)]
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

    def _fail_by(self, error: Exception) -> tuple[IndexState, str]:
        if isinstance(error, MemcacheError):
            _log.warning("indexing root failed: %s", type(error).__name__)
            return self._fail(str(error), away=isinstance(error, Away))
        _log.error("indexing a root failed", exc_info=error)
        return self._fail("Indexing failed; the log of the engine tells more.")

    def _fail(self, message: str, *, away: bool = False) -> tuple[IndexState, str]:
        self._everything = True
        self.is_away = away
        if away or not self._updating.seek():  # every change would make it fail again
            self._unwatch()
        return "failed", message

    def _bring_in_step(self, project: Project, crew: Crew, only: frozenset[str] | None) -> Report:
        self._check()
        return self._updating.bring(project, crew, only, max_files=None if self.named else MAX_FILES)

    def _progressed_in_thread(self, progress: Progress) -> None:
        def tell() -> None:
            self.progress = progress
            if progress.total and self.state == "ready":  # what was hinted at has come to something
                self._set("indexing", self.message)
            else:
                self._changed(self)

        with suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(tell)
