"""One project's index, opened: its lock, manifest, store and embedder, and what can be asked of them.

Owns the decision what an index was made from and when it has to be made again. Must not import editor types, the
command line or a generator.
"""

from __future__ import annotations

import contextlib
import logging
import platform
import re
import shutil
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from memcache_lsp import explaining, indexing, locking, paths
from memcache_lsp.caches import Cache, Ground
from memcache_lsp.cards import Cards
from memcache_lsp.config import ProjectSettings, UserSettings, qdrant_api_key, size_limits
from memcache_lsp.embedding import Embedder, Serialized
from memcache_lsp.errors import MemcacheError, Stopped
from memcache_lsp.indexing import Indexer, repair
from memcache_lsp.manifest import Manifest, ManifestBroken
from memcache_lsp.overlay import Layer, Overlay
from memcache_lsp.preparing import INDEXED, Job, Prepared, Preparer, Recipe, made_by
from memcache_lsp.ranking import FileTable
from memcache_lsp.reports import Progress, Report
from memcache_lsp.scan import Scanner, outermost, with_folders
from memcache_lsp.scopes import Scope
from memcache_lsp.searching import Searcher
from memcache_lsp.store import Place, Store, StoreBroken
from memcache_lsp.store.opening import LOCAL_FOLDERS
from memcache_lsp.values import Hit

_log = logging.getLogger(__name__)

_SPECIAL = re.compile(r"[*?\[\]\\!# ]")  # in a pattern of gitignore
MAX_FILES = 200_000  # of a root that the user did not name; more is a home folder or a disk
_GOES_FIRST_S = 1.0  # that settling waits for searches at each of its steps
_SETTLED = object()


@dataclass(frozen=True, slots=True)
class Setup:
    """What a project is opened with."""

    root: Path
    user: UserSettings
    project: ProjectSettings
    embedder: Embedder
    part: str = ""  # the cache whose single files these are; their index is not the root's
    only: frozenset[str] = frozenset()  # the names of these files, where there is a part


class Project:
    """An index that this process owns until `close`. Searches may come from any thread, also during `update`."""

    def __init__(self, setup: Setup, *, folder: Path) -> None:
        """Use `open_project`, which holds the folder's lock."""
        self.root = setup.root
        self.setup = setup
        self.notices: list[str] = []  # one sentence each on what opening had to do
        self.id = uuid.uuid4().hex  # of this opening of the index
        self.id_before: str | None = None  # of the one before, which was another process's where we do not know it
        self._folder = folder
        self._place = place_of(setup.user, setup.root, folder)
        self._embedder = Serialized(setup.embedder)  # a search may come while an update embeds
        self._preparer = Preparer(recipe_of(setup), embedder=self._embedder)
        self._lock = threading.RLock()
        self._updating = threading.Lock()
        self._asking = 0  # searches that go on, or wait
        self._asked = threading.Condition()
        self._gate = self._scanner()  # of whoever holds `_updating`
        self._held = contextlib.ExitStack()
        self._closed = False
        self._is_whole = False  # no update broke off between a write here and its counterpart there
        self._manifest, self._store = self._open()
        self._table = FileTable(lambda: indexing.rows_of(self._manifest))
        self.cards = Cards(self._manifest, self._store, self._table, self._lock)
        self._searcher = Searcher(
            self._store,
            self._embedder,
            paths=self._indexed_paths,
            table=self._table,
            learns=self._place.read_only,
        )

    def on_close(self, held: contextlib.ExitStack) -> None:
        """Let go of what is held for the project when it is closed."""
        self._held = held

    # Opening

    def _open(self) -> tuple[Manifest, Store]:
        try:
            return self._open_parts()
        except (ManifestBroken, StoreBroken) as error:
            _log.warning("index of %s is broken: %s", self.root, error)
            self.notices.append(f"The index could not be read ({error.what}); it is being made again from the files.")
            locking.empty(self._folder)
            return self._open_parts()

    def _open_parts(self) -> tuple[Manifest, Store]:
        manifest = Manifest(self._folder / "manifest.sqlite")
        with contextlib.ExitStack() as undo:
            undo.callback(manifest.close)
            self._check_identity(manifest)
            store = self._place.open(dimension=lambda: self._embedder.dimension, embedder=self._embedder.id)
            undo.callback(store.close)
            if not self._place.read_only and (not manifest.is_clean() or store.count() != manifest.count_points()):
                orphans, broken = repair(manifest, store)
                _log.info("repaired: %d orphaned points, %d files to read again", orphans, broken)
            self.id_before = manifest.sign(self.id)
            undo.pop_all()
        return manifest, store

    def _check_identity(self, manifest: Manifest) -> None:
        """Forget an index that was made by another chunker, embedder or redactor, and say so."""
        wanted = identity(self._embedder, self._place)
        recorded = manifest.identity()
        if recorded == wanted:
            return
        if recorded is not None:
            names = " and the ".join(name for name in wanted if recorded.get(name) != wanted[name])
            self.notices.append(f"The {names} changed since the index was made; it is being made again.")
            manifest.mark(clean=False)
            manifest.clear()
            for name in LOCAL_FOLDERS:
                shutil.rmtree(self._folder / name, ignore_errors=True)
        manifest.set_identity(wanted)

    # Work

    def update(
        self,
        *,
        on_progress: Callable[[Progress], None] = lambda _: None,
        cancelled: Callable[[], bool] = lambda: False,
        asked: Callable[[], str | None] = lambda: None,
        prepare: Callable[[Sequence[Job]], Sequence[Prepared]] | None = None,
        hands: Callable[[], int] = lambda: 0,
        only: Iterable[str] | None = None,
        entered: Callable[[str], None] = lambda _: None,
        max_files: int | None = MAX_FILES,
    ) -> Report:
        """Bring the index in step with the project; files whose path speaks of what is `asked` come first.

        `prepare` does the heavy part in place of this process, for as many batches at a time as it has `hands`. With `only`, nothing but these paths and what lies below
        them is looked at; none of them may be one that `scan.changes_rules`. `entered` is told of each folder just
        before it is listed. UserError where there are more than `max_files`.
        """
        if self._place.read_only:
            return Report()
        within = None if only is None else outermost(with_folders(self.root, only))
        with self._updating:
            if self._closed:
                raise Stopped("The index was closed; what is indexed so far is kept.")
            if within is None:
                scanned = self._gate.scan(cancelled, max_files=max_files, entered=entered)
            else:
                scanned = self._gate.look(within, cancelled, max_files=max_files, entered=entered)
            indexer = Indexer(
                manifest=self._manifest,
                store=self._store,
                lock=self._lock,
                prepare=prepare or partial(self._preparer.prepare, cancelled=cancelled),
                before_write=self._mark_dirty,
                table=self._table,
            )
            self._is_whole = False
            try:
                report = indexer.update(
                    scanned.found,
                    scanned.skipped,
                    on_progress=on_progress,
                    cancelled=cancelled,
                    asked=asked,
                    hands=hands,
                    within=within,
                )
            except Stopped:  # between two batches, so all is in step; after any other failure the mark stays
                self._is_whole = True
                raise
            self._is_whole = True
            if within is None:
                with self._lock:
                    report = report._replace(is_first=self._manifest.take_whole())
        return report

    def settle(self) -> None:
        """Write what updates left in memory, so that the next opening need not compare store and manifest.

        Whoever waits for an update need not wait for it: what a killed process had told is in the store's log. Whoever
        searches goes first at each step. Raises StoreBroken and UserError, after which the next opening compares.
        """
        with self._updating:
            steps = self._settling()
            while True:
                with self._asked:
                    self._asked.wait_for(lambda: not self._asking, timeout=_GOES_FIRST_S)
                with self._lock:
                    if self._closed or next(steps, _SETTLED) is _SETTLED:
                        return

    def search(
        self,
        question: str,
        *,
        scope: Scope,
        limit: int,
        per_file: int | None = None,
        overlay: Overlay | None = None,
        refined: NDArray[np.float32] | None = None,
    ) -> list[Hit]:
        """Return the best hits of what is indexed so far, and of the open buffers that lie above it.

        `refined` is the question's vector by the model that made the cards, where there is one.
        """
        layer = self._layer(overlay) if overlay else None
        with self._first(), self._lock:
            cards = self.cards.asked(refined)
            return self._searcher.search(
                question, scope=scope, limit=limit, per_file=per_file, layer=layer, cards=cards
            )

    @contextlib.contextmanager
    def _first(self) -> Iterator[None]:
        """Have what nobody waits for wait: a lock alone is taken again by who has just released it."""
        with self._asked:
            self._asking += 1
        try:
            yield
        finally:
            with self._asked:
                self._asking -= 1
                self._asked.notify_all()

    def _layer(self, overlay: Overlay) -> Layer:
        def indexed_hash(path: str) -> str:
            with self._lock:
                return self._manifest.hash_of(path)

        limits = size_limits(self.setup.project, self.setup.user)

        def may_enter(path: str, text: str) -> bool:
            if len(text) > limits.text_bytes:  # as its file would be when it is saved
                return False
            return self._scanner().should_index(path, must_exist=False) is None  # asked of buffers that changed only

        return overlay.read(self._embedder, indexed_hash=indexed_hash, may_enter=may_enter)

    def confidence(self, question: str, hits: Sequence[Hit], overlay: Overlay | None = None) -> float:
        """Return how likely it is that what is indexed, or open, answers a question that found these hits."""
        layer = self._layer(overlay) if overlay else None
        with self._lock:
            return self._searcher.confidence(question, hits, layer=layer)

    def why(self, path: str, *, is_open: bool = False) -> tuple[bool, str]:
        """Tell whether a file is in the index, and why or why not; `is_open` says that an editor's text lies above it."""
        if self._place.read_only:
            with self._lock:
                return explaining.why_elsewhere(indexed=path in self._store.paths())
        refusal = self._scanner().should_index(path, must_exist=not is_open)
        with self._lock:
            return explaining.why(self._manifest.record(path), refusal, is_open=is_open)

    def close(self) -> None:
        """Wait for an update that is going on, settle, then let go of the index."""
        with self._held, self._updating, self._lock, contextlib.ExitStack() as parts:
            for part in (self._manifest, self._store, self._preparer, self.cards):  # the last one first
                parts.callback(part.close)
            if not self._closed:
                self._closed = True
                with contextlib.suppress(MemcacheError):  # the next opening mends what did not settle
                    for _ in self._settling():
                        pass

    def _scanner(self) -> Scanner:
        return gate_of(self.setup)

    def _indexed_paths(self) -> list[str]:
        if self._place.read_only:
            return self._store.paths()
        return self._manifest.paths(INDEXED)

    def _mark_dirty(self) -> None:
        if self._manifest.is_clean():
            self._manifest.mark(clean=False)

    def _settling(self) -> Iterator[None]:
        if self._is_whole and not self._manifest.is_clean():
            self._is_whole = False  # until it is; whatever is raised is raised once
            yield from self._store.flushing()
            yield
            if self._store.count() != self._manifest.count_points():
                raise StoreBroken("store: it did not keep what was written")
            self._manifest.mark(clean=True)
            self._is_whole = True


def of_cache(setup: Setup, ground: Ground, cache: Cache) -> Setup:
    """Return what a part of a cache is opened with: what one reads is nobody else's, so it goes to no server."""
    only = cache.files_in(ground.root) if ground.part else frozenset()
    return replace(setup, user=on_this_machine(setup.user), part=ground.part, only=only)


def on_this_machine(user: UserSettings) -> UserSettings:
    """Return the settings with the index in a folder, whatever server there is for projects."""
    return replace(user, qdrant_url="", qdrant_read_only=False)


def identity(embedder: Embedder, place: Place) -> dict[str, str]:
    """Return what the contents of an index depend on, besides the project."""
    return {**made_by(embedder), "store": place.label}


def gate_of(setup: Setup) -> Scanner:
    """Return the gate of a root, which leaves out our own folders where they lie below it."""
    root, project = setup.root, setup.project
    own = (paths.cache_dir(), paths.data_dir(), paths.state_dir())
    below = [folder.relative_to(root).as_posix() for folder in own if root in folder.parents]
    exclude = tuple("/" + _SPECIAL.sub(r"\\\g<0>", folder) + "/" for folder in below)
    only = setup.only if setup.part else None
    return Scanner(root, setup.user, replace(project, exclude=(*project.exclude, *exclude)), only=only)


def recipe_of(setup: Setup) -> Recipe:
    """Return what prepares the files of a project."""
    return Recipe(
        root=setup.root,
        limits=size_limits(setup.project, setup.user),
        embedder=setup.user.embedder,
        vectors=paths.cache_dir() / "vectors.sqlite",
        vectors_limit_bytes=setup.user.cache_limit_bytes,
    )


def place_of(user: UserSettings, root: Path, folder: Path) -> Place:
    """Return where the points of the index in `folder` lie."""
    if not user.qdrant_url:
        return Place(folder=folder)
    name = user.qdrant_collection.replace("{project}", root.name)
    return Place(
        folder=folder,
        url=user.qdrant_url,
        api_key=qdrant_api_key(),
        collection=name or f"memcache-{folder.name}",
        owner=f"{platform.node()}:{root}",
        read_only=user.qdrant_read_only,
    )


def open_project(
    setup: Setup,
    *,
    purpose: str,
    wait_s: float = locking.LOCK_WAIT_S,
    rebuild: bool = False,
    folder: Path | None = None,
) -> Project:
    """Open a project's index, made if there is none; `purpose` is what others are told who find it locked.

    With `rebuild` what is there is forgotten first. `folder` is where it lies if it is not the root's own. Raises
    LockedError if another process holds it for longer than `wait_s`.
    """
    folder = folder or paths.index_dir(setup.root, setup.part)
    with contextlib.ExitStack() as stack:
        stack.enter_context(locking.held(folder, what=str(setup.root), purpose=purpose, wait_s=wait_s))
        if rebuild:
            locking.empty(folder)
        project = Project(setup, folder=folder)
        project.on_close(stack.pop_all())
    return project


def drop_index(
    root: Path,
    user: UserSettings,
    part: str = "",
    *,
    is_real: bool = False,
    agreed: Callable[[], bool] = lambda: True,
    done: Callable[[], None] = lambda: None,
) -> bool:
    """Forget everything that is kept of a project, or of a part; tell whether there was anything.

    Where the root `is_real` already, its disk is not asked. `agreed` may say that nothing is to be forgotten after all, and is
    asked while the index is held, if there is one; `done` is called when all is gone.
    """
    folder = paths.index_dir(root, part, is_real=is_real)
    with contextlib.ExitStack() as stack:
        is_there = folder.exists()
        if is_there:
            stack.enter_context(locking.held(folder, what=str(root), purpose="memcache-lsp index --drop"))
        if not agreed():
            return False
        there = is_there and (folder / "manifest.sqlite").exists()
        if is_there:
            place_of(user, root, folder).drop(embedder="")
            locking.empty(folder)
            locking.remove(folder)
        done()
    return there
