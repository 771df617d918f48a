"""Help for tests of the index: open one, look into it, compare it with a fresh one, interrupt what writes it."""

import contextlib
import os
import shutil
import signal
from functools import cache
from pathlib import Path
from unittest import mock

from memcache_lsp import indexing
from memcache_lsp.config import ProjectSettings, UserSettings
from memcache_lsp.embedding import open_embedder
from memcache_lsp.engine import Project, Setup, open_project
from memcache_lsp.manifest import Manifest
from memcache_lsp.preparing import Preparer
from memcache_lsp.store.edge import EdgeStore

HERE = Path(__file__).parent

# Everything by which an index changes on disk.
WRITES = (
    *((EdgeStore, name) for name in ("upsert", "delete", "flushing")),
    *((Manifest, name) for name in ("commit", "mark", "clear", "replace_unscanned", "set_identity")),
)

# Twice that of Linux's file times at its slowest: the engine's own is that of FAT, two seconds, for which no test can
# wait, and within which every file is read again.
GRAIN_NS = 20_000_000


@cache
def embedder():
    """Return the default embedder, loaded once."""
    return open_embedder()


def setup(root, *, with_embedder=None, **settings):
    """Return what a project is opened with."""
    return Setup(
        root=Path(root).resolve(),
        user=UserSettings(**settings),
        project=ProjectSettings(),
        embedder=with_embedder or embedder(),
    )


@contextlib.contextmanager
def opened(root, **options):
    """Open a project's index for a while."""
    project: Project = open_project(setup(root, **options), purpose="a test")
    with contextlib.closing(project):
        yield project


def dump(project):
    """Return all that an index says: points with payload, and files with status and facts. Not the times of files."""
    store, manifest = project._store, project._manifest
    ids = sorted(store.ids())
    payloads = store.retrieve(ids)
    points = {i: dict(payloads[i]) for i in ids}
    facts = {path: data for path, *_, data in manifest.facts()}
    files = {
        path: (r.size_bytes, r.hash, r.language, r.status, r.reason, sorted(r.point_ids), facts.get(path))
        for path, r in manifest.records().items()
    }
    return points, files


def fresh_dump(root, home, **options):
    """Return the dump of an index made from nothing, in a home of its own."""
    with mock.patch.dict(os.environ, MEMCACHE_HOME=str(home)), opened(root, **options) as project:
        project.update()
        return dump(project)


class Renamed:
    """The default embedder under another name: what depends on it has to be made again."""

    def __init__(self, name):
        self.id = f"{embedder().id} {name}"

    def __getattr__(self, name):
        return getattr(embedder(), name)


def short_grain():
    """Let a file count as old after a moment."""
    return mock.patch.object(indexing, "_CLOCK_GRAIN_NS", GRAIN_NS)


@contextlib.contextmanager
def interrupted(step, interrupt):
    """Call `interrupt` before the write of that number (0 is the first); deleting a folder is two, of a half each."""
    left = step

    def write():
        nonlocal left
        if left == 0:
            interrupt()
        left -= 1

    def counted(method):
        def call(*args, **kwargs):
            write()
            return method(*args, **kwargs)

        return call

    rmtree = shutil.rmtree

    def by_halves(folder, **options):
        write()
        files = sorted(path for path in Path(folder).rglob("*") if path.is_file())
        for path in files[: len(files) // 2]:
            path.unlink()
        write()
        rmtree(folder, **options)

    with contextlib.ExitStack() as stack:
        for owner, name in WRITES:
            stack.enter_context(mock.patch.object(owner, name, counted(getattr(owner, name))))
        stack.enter_context(mock.patch.object(shutil, "rmtree", by_halves))
        yield


def update_and_die(root, home, embedder_name, step):
    """Update in this process, which kills itself before the write of that number."""
    os.environ["MEMCACHE_HOME"] = str(home)
    die = lambda: os.kill(os.getpid(), signal.SIGKILL)  # noqa: E731
    with short_grain(), interrupted(step, die), opened(root, with_embedder=Renamed(embedder_name)) as project:
        project.update()


class WorkerHere(Preparer):
    """An index worker without a process."""

    pid = None
    paused = False

    def __init__(self, recipe, *, hurried, spares):
        super().__init__(recipe, embedder=embedder())

    def prepare(self, batch, *, cancelled):
        return super().prepare(batch)

    def pause(self, why):
        pass

    def rest(self):
        pass
