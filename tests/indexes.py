"""Help for tests of the index: open one, look into it, compare it with a fresh one, kill a process that writes it."""

import contextlib
import os
import signal
from functools import cache
from pathlib import Path

from memcache_lsp.config import ProjectSettings, UserSettings
from memcache_lsp.embedding import open_embedder
from memcache_lsp.engine import Project, Setup, open_project
from memcache_lsp.manifest import Manifest
from memcache_lsp.store.edge import EdgeStore

HERE = Path(__file__).parent


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
    """Return all that an index says: points with payload, and files with status. Not the times of files."""
    store, manifest = project._store, project._manifest
    ids = sorted(store.ids())
    payloads = store.retrieve(ids)
    points = {i: dict(payloads[i]) for i in ids}
    files = {
        path: (r.size_bytes, r.hash, r.language, r.status, r.reason, sorted(r.point_ids))
        for path, r in manifest.records().items()
    }
    return points, files


def fresh_dump(root, home):
    """Return the dump of an index made from nothing, in a home of its own."""
    before = os.environ["MEMCACHE_HOME"]
    os.environ["MEMCACHE_HOME"] = str(home)
    try:
        with opened(root) as project:
            project.update()
            return dump(project)
    finally:
        os.environ["MEMCACHE_HOME"] = before


def update_and_die(root, home, step):
    """Update in this process, which kills itself before the write of that number (0 is the first)."""
    os.environ["MEMCACHE_HOME"] = str(home)
    left = step

    def deadly(method):
        def call(*args, **kwargs):
            nonlocal left
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            left -= 1
            return method(*args, **kwargs)

        return call

    for owner, name in ((EdgeStore, "upsert"), (EdgeStore, "delete"), (EdgeStore, "flush"), (Manifest, "commit")):
        setattr(owner, name, deadly(getattr(owner, name)))
    with opened(root) as project:
        project.update()
