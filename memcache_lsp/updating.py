"""How one root is brought in step: in a thread, by a crew of processes, below a watch of the folders that were entered.

Owns the crew, the watch and the flag that stops an update. `bring` runs in a thread, all else on the event loop. Must
not import what decides when an update begins, or a session.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

from memcache_lsp.engine import Project, recipe_of
from memcache_lsp.reports import Progress, Report
from memcache_lsp.watching import Watcher
from memcache_lsp.workers.crew import Crew
from memcache_lsp.workers.index import IndexWorker
from memcache_lsp.workers.spares import Spares

_SMALL = 16  # files that are indexed at normal priority, for they are done before anybody notices
_MUCH = 32  # files that are left, for which a second process is worth its start where somebody waits
_SOME = 4  # files that are left, for which one that waits is taken


class Updating:
    """Update one root. `changed` hears what the watch sees, `progressed` of progress, in the thread of the update."""

    def __init__(
        self,
        root: Path,
        *,
        changed: Callable[[frozenset[str] | None], None],
        progressed: Callable[[Progress], None],
        spares: Spares | None = None,
    ) -> None:
        self.stop = threading.Event()  # the update that is going on
        self.hurry = False  # somebody waits for the update that is wanted, or going on
        self.question: str | None = None  # the latest, whose files are indexed first
        self.crew: Crew | None = None  # once there was something to index
        self._root = root
        self._changed = changed
        self._progressed = progressed
        self._spares = spares
        self._watcher: Watcher | None = None
        self._holds: set[str] = set()
        self._left = 0  # files of the update that is going on
        self._small = False  # the update that is going on is

    # The watch

    @property
    def is_watched(self) -> bool:
        """Tell whether changes of the files are heard of."""
        return self._watcher is not None and self._watcher.active

    def watch(self) -> None:
        """Hear of changes from now on."""
        if self._watcher is None:
            self._watcher = Watcher(self._root, changed=self._changed)

    def unwatch(self) -> None:
        """Hear of changes no more."""
        watcher, self._watcher = self._watcher, None
        if watcher is not None:
            watcher.close()

    def seek(self) -> bool:
        """Hear of nothing but the root's return, where it is gone and that can be heard; tell whether it is so."""
        watcher = self._watcher
        if watcher is None or not watcher.active or watcher.sees_root:
            return False
        watcher.seek()
        return True

    # The crew

    def hold(self, why: str) -> None:
        """Leave the cores to something else until `release`; what is in a worker's hands is finished."""
        self._holds.add(why)
        if self.crew is not None:
            self.crew.pause(why)

    def release(self, why: str) -> None:
        """Take a hold back."""
        self._holds.discard(why)
        if self.crew is not None:
            self.crew.resume(why)

    def crew_for(self, project: Project) -> Crew:
        """Return the crew, made for a project if there is none."""
        if self.crew is None:
            recipe = recipe_of(project.setup)
            self.crew = Crew(
                lambda: IndexWorker(recipe, hurried=self._is_hurried, spares=self._spares),
                wanted=self._wants_a_second,
            )
            for why in self._holds:
                self.crew.pause(why)
        return self.crew

    def _wants_a_second(self) -> bool:
        """Tell whether a second process is worth its start: for much, or where it need not be started."""
        waits = self._spares is not None and self._spares.has_quick
        return self.hurry and self._left >= (_SOME if waits else _MUCH)

    def _is_hurried(self) -> bool:
        return self.hurry or self._small

    # The update

    def bring(self, project: Project, crew: Crew, only: frozenset[str] | None, *, max_files: int | None) -> Report:
        """Update the index, in a thread; the heavy part is done by the crew's processes."""
        watcher = self._watcher
        entered: set[str] = set()

        def enter(folder: str) -> None:
            entered.add(folder)
            if watcher is not None:
                watcher.watch(folder)

        try:
            report = project.update(
                on_progress=self._count,
                cancelled=self.stop.is_set,
                asked=lambda: self.question,
                prepare=partial(crew.prepare, cancelled=self.stop.is_set),
                hands=crew.hands,
                only=only,
                entered=enter,
                max_files=max_files,
            )
        finally:
            crew.rest()
        if watcher is not None:
            watcher.keep(entered, within=only)
        return report

    def _count(self, progress: Progress) -> None:
        self._small = progress.total <= _SMALL
        self._left = progress.total - progress.done
        self._progressed(progress)
