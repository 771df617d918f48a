"""One root of the daemon: its index is opened when somebody asks, kept in step, and closed when nobody does.

Owns the project, its index worker and two threads, so that a root that stalls delays no other. Everything public runs
on the event loop. Must not import editor types.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TypeVar

from memcache_lsp.engine import Project, Setup, open_project, recipe_of
from memcache_lsp.errors import MemcacheError, Stopped
from memcache_lsp.indexing import Progress, Report
from memcache_lsp.overlay import Overlay
from memcache_lsp.protocol.parts import IndexState
from memcache_lsp.status import Status, read_status
from memcache_lsp.values import Hit, Scope
from memcache_lsp.workers.index import IndexWorker

_log = logging.getLogger(__name__)

IDLE_S = 60.0  # without a request, until the store is closed
LOOK_AGAIN_S = 10.0  # how old a look at the files may be when somebody asks
STATUS_S = 1.0  # how old what the manifest said may be while it is being written

T = TypeVar("T")


class Keeper:
    """Keep one root. `changed` is called on the loop whenever state or progress did."""

    def __init__(
        self,
        root: Path,
        *,
        setup: Callable[[Path], Setup],
        changed: Callable[[Keeper], None],
        idle_s: float = IDLE_S,
    ) -> None:
        self.root = root
        self.state: IndexState = "unindexed"
        self.message: str | None = None
        self.progress = Progress(0, 0)
        self.report: Report | None = None  # of the last update that came to its end
        self.users: set[int] = set()
        self._setup = setup
        self._changed = changed
        self._idle_s = idle_s
        self._loop = asyncio.get_running_loop()
        self._searching = ThreadPoolExecutor(1, thread_name_prefix="search")
        self._indexing = ThreadPoolExecutor(1, thread_name_prefix="index")
        self._opening = asyncio.Lock()
        self._project: Project | None = None
        self._worker: IndexWorker | None = None
        self._stop = threading.Event()
        self._wanted = asyncio.Event()
        self._paused = False
        self._busy_updating = False
        self._busy = 0
        self._used_at = self._looked_at = time.monotonic()
        self._closed = False
        self._known: asyncio.Future[Status | None] | None = None  # what the manifest said, None once it says another
        self._known_at = 0.0
        self._refreshing: asyncio.Future[Status | None] | None = None
        self._task = asyncio.create_task(self._run(), name=f"keep {root.name}")

    # Asking

    async def search(
        self, question: str, *, scope: Scope, limit: int, per_file: int | None = None, overlay: Overlay | None = None
    ) -> list[Hit]:
        """Return the best hits of what is indexed so far."""
        async with _Use(self):
            project = await self._opened()
            self._look_again()
            return await self._in(
                self._searching,
                lambda: project.search(question, scope=scope, limit=limit, per_file=per_file, overlay=overlay),
            )

    async def knows_any(self, question: str) -> bool:
        """Tell whether any content word of the question is in the index."""
        async with _Use(self):
            project = await self._opened()
            return await self._in(self._searching, lambda: project.knows_any(question))

    async def status(self) -> Status | None:
        """Return what the manifest says; while it is being written, what it said a moment ago.

        To read it takes as long as the manifest is large, which would make indexing and answers wait for who looks on.
        """
        known = self._known
        if known is not None and known.done() and known.exception() is not None:
            known = None
        ours = self._project is not None and self.state != "indexing"  # nobody else writes, and neither do we
        if known is None or not (ours or self.state == "indexing"):
            known = self._known = self._read_soon()
        elif not ours and known.done() and time.monotonic() - self._known_at > STATUS_S:
            self._refresh()
        return await asyncio.shield(known)

    def _read_soon(self) -> asyncio.Future[Status | None]:
        self._known_at = time.monotonic()
        return asyncio.ensure_future(self._in(self._searching, self._read_status))

    def _read_status(self) -> Status | None:
        with suppress(MemcacheError):
            return read_status(self.root)
        return None

    def _refresh(self) -> None:
        """Read the manifest anew while the earlier answer serves."""
        if self._refreshing is not None and not self._refreshing.done():
            return
        before = self._known
        self._refreshing = self._read_soon()

        def take(read: asyncio.Future[Status | None]) -> None:
            if self._known is before and not read.cancelled() and read.exception() is None:
                self._known = read

        self._refreshing.add_done_callback(take)

    @property
    def quiescent(self) -> bool:
        """Tell whether nothing is being indexed."""
        return self.state != "indexing" and not self._wanted.is_set() and not self._busy_updating

    @property
    def asleep(self) -> bool:
        """Tell whether nobody uses it and nothing is open, so that it can be forgotten."""
        return not self.users and self._project is None and not self._busy

    @property
    def worker(self) -> IndexWorker | None:
        """Return the index worker, if the root has one now."""
        return self._worker

    # Steering

    def start(self) -> None:
        """Bring the index in step, soon."""
        self._used_at = time.monotonic()
        if not self._paused:
            self._wanted.set()

    def pause(self) -> None:
        """Stop indexing until `resume`; searches go on."""
        self._paused = True
        self._stop.set()
        self._wanted.clear()
        self._set("paused")

    def resume(self) -> None:
        """Go on after `pause`."""
        self._paused = False
        self.start()

    def cancel(self) -> None:
        """Stop the indexing that is going on."""
        self._stop.set()
        self._wanted.clear()
        if self.state == "indexing":
            self._set("cancelled")

    async def rebuild(self) -> None:
        """Forget the index and make it again."""
        self.cancel()
        await self._shut(rebuild=True)
        self.resume()

    async def close(self) -> None:
        """End everything."""
        self._closed = True
        self._stop.set()
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task
        await self._shut()
        self._searching.shutdown(wait=False)
        self._indexing.shutdown(wait=False)

    # Inside

    async def _in(self, executor: ThreadPoolExecutor, work: Callable[[], T]) -> T:
        return await self._loop.run_in_executor(executor, work)

    async def _opened(self) -> Project:
        async with self._opening:
            if self._closed:
                raise Stopped("The engine is ending: ask again when it is back.")
            if self._project is None:
                self._project = await self._in(self._searching, self._open)
                self.message = " ".join(self._project.notices) or None
                self._wanted.set() if not self._paused else None
        return self._project

    def _open(self, *, rebuild: bool = False) -> Project:
        return open_project(self._setup(self.root), purpose="memcache-lsp, the engine of your editors", rebuild=rebuild)

    async def _shut(self, *, rebuild: bool = False) -> None:
        """Let go of the index; with `rebuild`, hold it again, emptied."""
        async with self._opening:
            project, self._project = self._project, None
            self._known = None
            worker, self._worker = self._worker, None
            if worker is not None:
                await self._in(self._searching, worker.close)
            if project is not None:
                await self._in(self._searching, project.close)
            if rebuild:
                self._project = await self._in(self._searching, lambda: self._open(rebuild=True))

    def _look_again(self) -> None:
        if time.monotonic() - self._looked_at > LOOK_AGAIN_S and not self._paused:
            self._wanted.set()

    def _set(self, state: IndexState, message: str | None = None) -> None:
        self.state = state
        self.message = message
        self._known = None
        self._changed(self)

    async def _run(self) -> None:
        """Index whenever it is wanted; close the store when nobody has asked for long."""
        while True:
            try:
                async with asyncio.timeout(self._patience_s()):
                    await self._wanted.wait()
            except TimeoutError:
                if self._project is not None and not self._busy and time.monotonic() - self._used_at >= self._idle_s:
                    await self._shut()
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
        self._looked_at = time.monotonic()
        self._busy_updating = True  # also while another process is waited for
        try:
            await self._bring()
        finally:
            self._busy_updating = False

    async def _bring(self) -> None:
        try:
            project = await self._opened()
            self._wanted.clear()  # opening wants an update, which this is
            self.progress = Progress(0, 0)
            self._set("indexing", self.message)
            async with _Use(self):
                await self._in(self._indexing, lambda: self._bring_in_step(project))
        except Stopped:
            self._set("paused" if self._paused else "cancelled")
        except MemcacheError as error:
            _log.warning("indexing root failed: %s", type(error).__name__)
            self._set("failed", str(error))
        except Exception:  # noqa: BLE001 - the boundary of a root: a bug in one disturbs no other
            _log.exception("indexing a root failed")
            self._set("failed", "Indexing failed; the log of the engine tells more.")
        else:
            self._set("ready", self.message)

    def _bring_in_step(self, project: Project) -> None:
        """Update the index, in the index thread; the heavy part is done by the worker's process."""
        if self._worker is None:
            self._worker = IndexWorker(recipe_of(self._setup(self.root)))
        self.report = project.update(
            on_progress=self._on_progress,
            cancelled=self._stop.is_set,
            prepare=partial(self._worker.prepare, cancelled=self._stop.is_set),
        )

    def _on_progress(self, progress: Progress) -> None:
        def tell() -> None:
            self.progress = progress
            self._changed(self)

        with suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(tell)


class _Use:
    """Count a piece of work at a root, so that its store is not closed under it."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper

    async def __aenter__(self) -> None:
        self._keeper._busy += 1  # noqa: SLF001 - a part of it

    async def __aexit__(self, *_: object) -> None:
        self._keeper._busy -= 1  # noqa: SLF001 - a part of it
        self._keeper._used_at = time.monotonic()  # noqa: SLF001 - a part of it
