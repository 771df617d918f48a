"""One project's index, opened: its lock, manifest, store and embedder, and what can be asked of them.

Owns the decision what an index was made from and when it has to be made again. Must not import editor types, the
command line or a generator.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import filelock

from memcache_lsp import indexing, paths
from memcache_lsp.chunking import CHUNKER_VERSION
from memcache_lsp.config import ProjectSettings, UserSettings, file_size_limit, qdrant_api_key
from memcache_lsp.embedding import Embedder
from memcache_lsp.errors import LockedError, UserError
from memcache_lsp.indexing import Indexer, Progress, Report, repair
from memcache_lsp.manifest import Manifest, ManifestBroken
from memcache_lsp.preparing import FAILED, INDEXED, POINT_VERSION, SKIPPED, Preparer, Recipe
from memcache_lsp.redact import REDACTOR_VERSION
from memcache_lsp.scan import Scanner
from memcache_lsp.searching import Searcher
from memcache_lsp.store import Place, Store, StoreBroken
from memcache_lsp.tokens import TOKENIZER_VERSION
from memcache_lsp.values import Hit, Scope, Skipped

_log = logging.getLogger(__name__)

LOCK_WAIT_S = 5.0
_IDENTITY, _DIRTY = "identity", "dirty"


@dataclass(frozen=True, slots=True)
class Setup:
    """What a project is opened with."""

    root: Path
    user: UserSettings
    project: ProjectSettings
    embedder: Embedder


@dataclass(frozen=True, slots=True)
class Status:
    """What is known of a project's index without opening its store."""

    root: str
    folder: str
    indexed: int  # files
    chunks: int
    embedder: str
    unfinished: bool  # a process is writing, or was killed while it wrote
    holder: str | None  # who holds the index now
    size_bytes: int
    failed: tuple[Skipped, ...]
    skipped: tuple[Skipped, ...]


class Project:
    """An index that this process owns until `close`. Searches may come from any thread, also during `update`."""

    def __init__(self, setup: Setup, *, folder: Path, lock: filelock.BaseFileLock) -> None:
        """Use `open_project`."""
        self.root = setup.root
        self.notices: list[str] = []  # one sentence each on what opening had to do
        self._setup = setup
        self._folder = folder
        self._place = place_of(setup.user, folder)
        self._file_lock = lock
        self._preparer = Preparer(recipe_of(setup), embedder=setup.embedder)
        self._lock = threading.RLock()
        self._manifest, self._store = self._open()
        self._searcher = Searcher(self._store, setup.embedder, paths=self._indexed_paths)

    # Opening

    def _open(self) -> tuple[Manifest, Store]:
        try:
            return self._open_parts()
        except (ManifestBroken, StoreBroken) as error:
            _log.warning("index of %s is broken: %s", self.root, error)
            self.notices.append(f"The index could not be read ({error.what}); it is being made again from the project.")
            self._wipe()
            return self._open_parts()

    def _open_parts(self) -> tuple[Manifest, Store]:
        manifest = Manifest(self._folder / "manifest.sqlite")
        with contextlib.ExitStack() as undo:
            undo.callback(manifest.close)
            self._check_identity(manifest)
            store = self._place.open(dimension=self._setup.embedder.dimension)
            undo.callback(store.close)
            if manifest.get_meta(_DIRTY) != "0" and not self._place.read_only:
                orphans, broken = repair(manifest, store)
                _log.info("repaired after a crash: %d orphaned points, %d files to read again", orphans, broken)
            undo.pop_all()
        return manifest, store

    def _check_identity(self, manifest: Manifest) -> None:
        """Forget an index that was made by another chunker, embedder or redactor, and say so."""
        wanted = identity(self._setup.embedder, self._place)
        recorded = manifest.get_meta(_IDENTITY)
        if recorded not in (None, json.dumps(wanted)):
            names = _changed(json.loads(recorded or "{}"), wanted)
            self.notices.append(f"The {names} changed since this project was indexed; the index is being made again.")
            manifest.set_meta(_DIRTY, "1")
            manifest.clear()
            self._place.drop()
        manifest.set_meta(_IDENTITY, json.dumps(wanted))

    def _wipe(self) -> None:
        for name in ("manifest.sqlite", "manifest.sqlite-wal", "manifest.sqlite-shm"):
            (self._folder / name).unlink(missing_ok=True)
        if not self._place.url:
            self._place.drop()

    # Work

    def update(
        self,
        *,
        on_progress: Callable[[Progress], None] = lambda _: None,
        cancelled: Callable[[], bool] = lambda: False,
        question: str | None = None,
    ) -> Report:
        """Bring the index in step with the project; with a question, files whose path speaks of it come first."""
        if self._place.read_only:
            return Report()
        scanner = Scanner(self.root, self._setup.user, self._setup.project)
        scanned = scanner.scan(cancelled=cancelled)
        indexer = Indexer(
            manifest=self._manifest,
            store=self._store,
            lock=self._lock,
            prepare=self._preparer.prepare,
            before_write=self._mark_dirty,
        )
        report = indexer.update(
            scanned.found,
            scanned.skipped,
            on_progress=on_progress,
            cancelled=cancelled,
            first=indexing.order_for(question) if question else None,
        )
        with self._lock:
            self._mark_clean()
        return report

    def search(self, question: str, *, scope: Scope, limit: int, per_file: int | None = None) -> list[Hit]:
        """Return the best hits of what is indexed so far."""
        with self._lock:
            return self._searcher.search(question, scope=scope, limit=limit, per_file=per_file)

    def knows_any(self, question: str) -> bool:
        """Tell whether any content word of the question is in the index."""
        with self._lock:
            return self._searcher.knows_any(question)

    def close(self) -> None:
        """Write everything to disk and let go of the index."""
        try:
            with self._lock:
                self._mark_clean()
                self._store.close()
                self._manifest.close()
                self._preparer.close()
        finally:
            (self._folder / "holder.json").unlink(missing_ok=True)
            self._file_lock.release()

    def _indexed_paths(self) -> list[str]:
        if self._place.read_only:
            return self._store.paths()
        return [r.path for r in self._manifest.records().values() if r.status == INDEXED]

    def _mark_dirty(self) -> None:
        if self._manifest.get_meta(_DIRTY) != "1":
            self._manifest.set_meta(_DIRTY, "1")

    def _mark_clean(self) -> None:
        if self._manifest.get_meta(_DIRTY) == "1":
            self._store.flush()
            self._manifest.set_meta(_DIRTY, "0")


def identity(embedder: Embedder, place: Place) -> dict[str, str]:
    """Return what the contents of an index depend on, besides the project."""
    return {
        "chunker": CHUNKER_VERSION,
        "tokenizer": TOKENIZER_VERSION,
        "points": POINT_VERSION,
        "redactor": str(REDACTOR_VERSION),
        "embedder": f"{embedder.id}/{embedder.dimension}",
        "store": place.label,
    }


def _changed(old: dict[str, str], new: dict[str, str]) -> str:
    return " and the ".join(name for name in new if old.get(name) != new[name])


def recipe_of(setup: Setup) -> Recipe:
    """Return what prepares the files of a project."""
    return Recipe(
        root=setup.root,
        max_file_size_bytes=file_size_limit(setup.project, setup.user),
        embedder=setup.user.embedder,
        vectors=paths.cache_dir() / "vectors.sqlite",
        vectors_limit_bytes=setup.user.cache_limit_bytes,
    )


def place_of(user: UserSettings, folder: Path) -> Place:
    """Return where the points of the index in `folder` lie."""
    if not user.qdrant_url:
        return Place(folder=folder)
    return Place(
        folder=folder,
        url=user.qdrant_url,
        api_key=qdrant_api_key(),
        collection=user.qdrant_collection or f"memcache-{folder.name}",
        read_only=user.qdrant_read_only,
    )


def open_project(setup: Setup, *, purpose: str, wait_s: float = LOCK_WAIT_S) -> Project:
    """Open a project's index, made if there is none; `purpose` is what others are told who find it locked.

    Raises LockedError if another process holds it for longer than `wait_s`.
    """
    folder = paths.index_dir(setup.root)
    lock = _locked(folder, setup.root, wait_s)
    try:
        started = time.strftime("%H:%M:%S")
        entry = {"pid": os.getpid(), "purpose": purpose, "since": started}
        (folder / "holder.json").write_text(json.dumps(entry))
        (folder / "root").write_text(str(setup.root))
        return Project(setup, folder=folder, lock=lock)
    except BaseException:
        lock.release()
        raise


def _locked(folder: Path, root: Path, wait_s: float) -> filelock.BaseFileLock:
    """Take an index's lock."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = filelock.FileLock(folder / "lock")
        lock.acquire(timeout=wait_s, poll_interval=0.05)
    except filelock.Timeout:
        who = holder(folder) or "another process"
        raise LockedError(
            f"The index of {root} is in use by {who}: wait until it is done, or stop it, then try again."
        ) from None
    except OSError as error:
        raise UserError(f"The cache folder {folder} cannot be used ({error.strerror}): make it writable.") from error
    return lock


def drop_index(root: Path, user: UserSettings) -> bool:
    """Forget everything that is kept of a project; tell whether there was anything."""
    folder = paths.index_dir(root)
    there = (folder / "manifest.sqlite").exists()
    with _locked(folder, root, LOCK_WAIT_S):
        place_of(user, folder).drop()
        shutil.rmtree(folder)
    return there


def holder(folder: Path) -> str | None:
    """Return who holds an index, as words for a sentence."""
    try:
        entry = json.loads((folder / "holder.json").read_text())
        return f"process {entry['pid']} ({entry['purpose']}, since {entry['since']})"
    except (OSError, ValueError, KeyError):
        return None


def is_locked(folder: Path) -> bool:
    """Tell whether a living process holds an index."""
    lock = filelock.FileLock(folder / "lock")
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        return True
    lock.release()
    return False


def read_status(root: Path) -> Status | None:
    """Return what the manifest says, without the lock; None for a project that was never indexed."""
    folder = paths.index_dir(root)
    if not (folder / "manifest.sqlite").exists():
        return None
    manifest = Manifest(folder / "manifest.sqlite", read_only=True)
    try:
        records = list(manifest.records().values())
        unscanned = manifest.unscanned()
        recorded = json.loads(manifest.get_meta(_IDENTITY) or "{}")
        dirty = manifest.get_meta(_DIRTY) == "1"
    finally:
        manifest.close()
    failed = [Skipped(r.path, r.reason) for r in records if r.status == FAILED]
    skipped = [*unscanned, *(Skipped(r.path, r.reason) for r in records if r.status == SKIPPED)]
    return Status(
        root=str(root),
        folder=str(folder),
        indexed=sum(r.status == INDEXED for r in records),
        chunks=sum(len(r.point_ids) for r in records),
        embedder=recorded.get("embedder", "none"),
        unfinished=dirty,
        holder=holder(folder) if is_locked(folder) else None,
        size_bytes=sum(p.stat().st_blocks * 512 for p in folder.rglob("*") if p.is_file()),
        failed=tuple(failed),
        skipped=tuple(sorted(skipped, key=lambda s: s.path)),
    )
