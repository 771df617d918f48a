"""Own the index of very many points: the files of a corpus prepared once, and written again and again as other files.

Each copy has other paths, other ids and vectors that are moved a little, so that words, lengths and neighbourhoods are
those of real code. Everything from the preparing on is the program's own: batches, order of writes, store, manifest.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from hashlib import blake2b
from itertools import islice
from pathlib import Path

import numpy as np

from memcache_lsp import engine, paths
from memcache_lsp.config import load_project_settings, load_user_settings
from memcache_lsp.embedding import open_embedder
from memcache_lsp.engine import Setup
from memcache_lsp.indexing import Indexer
from memcache_lsp.manifest import Manifest
from memcache_lsp.preparing import INDEXED, Job, Prepared, Preparer
from memcache_lsp.scan import Scanner
from memcache_lsp.store import Point

_NOISE = 0.05  # of a vector's length, that it is moved by: as much as an edit of a line or two
_AT_ONCE = 64


def setup_of(root: Path) -> Setup:
    """Return what a root is opened with, by the settings of this home."""
    user, project = load_user_settings()[0], load_project_settings(root)[0]
    return Setup(root=root, user=user, project=project, embedder=open_embedder(user.embedder or None))


def prepared(corpus: Path) -> list[Prepared]:
    """Return what the program makes of all files of a corpus that it would index."""
    setup = setup_of(corpus)
    scanned = Scanner(corpus, setup.user, setup.project).scan(lambda: False)
    preparer = Preparer(engine.recipe_of(setup), embedder=setup.embedder)
    files = iter(scanned.found)
    ready: list[Prepared] = []
    while batch := [Job(file) for file in islice(files, _AT_ONCE)]:
        ready += [each for each in preparer.prepare(batch) if each.status == INDEXED]
    preparer.close()
    return ready


def copy_of(original: Prepared, number: int) -> Prepared:
    """Return a prepared file as another one of the same code; the same number gives the same copy."""
    path = f"part{number:03}/{original.found.path}"
    rng = np.random.default_rng([number, original.points[0].id])
    points = tuple(_moved(point, path, number, rng) for point in original.points)
    return replace(original, found=replace(original.found, path=path), points=points)


def _moved(point: Point, path: str, number: int, rng: np.random.Generator) -> Point:
    digest = blake2b(point.id.to_bytes(8) + number.to_bytes(4), digest_size=8).digest()
    dense = point.dense
    if dense is not None and dense.any():
        noise = rng.standard_normal(len(dense), dtype=np.float32)
        dense = dense + noise * np.float32(_NOISE / np.sqrt(len(dense)))
        dense = (dense / np.sqrt(np.einsum("i,i", dense, dense))).astype(np.float16).astype(np.float32)
    return Point(int.from_bytes(digest) >> 1, {**point.payload, "path": path}, dense, point.sparse)


def grow(root: Path, originals: Sequence[Prepared], chunks: int) -> tuple[int, float]:
    """Bring the index of a root to so many chunks; return how many were written, and in how many seconds."""
    setup = setup_of(root)
    folder = paths.index_dir(root)
    folder.mkdir(parents=True, exist_ok=True)
    place = engine.place_of(setup.user, root, folder)
    manifest = Manifest(folder / "manifest.sqlite")
    manifest.set_identity(engine.identity(setup.embedder, place))
    store = place.open(dimension=lambda: setup.embedder.dimension, embedder=setup.embedder.id)
    recorded = set(manifest.paths(INDEXED))
    wanted = list(_until(chunks - manifest.count_chunks(), originals, recorded))
    by_path = {f"part{number:03}/{each.found.path}": (each, number) for each, number in wanted}
    manifest.mark(clean=False)
    indexer = Indexer(
        manifest=manifest,
        store=store,
        lock=threading.RLock(),
        prepare=lambda jobs: [copy_of(*by_path[job.found.path]) for job in jobs],
    )
    began = time.perf_counter()
    found = [replace(each.found, path=path) for path, (each, _) in by_path.items()]
    report = indexer.update(
        found, [], on_progress=lambda _: None, cancelled=lambda: False, within=sorted({f.path for f in found})
    )
    for _ in store.flushing():
        pass
    manifest.mark(clean=True)
    took_s = time.perf_counter() - began
    store.close()
    manifest.close()
    return report.chunks, took_s


def _until(chunks: int, originals: Sequence[Prepared], recorded: set[str]) -> Iterator[tuple[Prepared, int]]:
    """Yield the copies that are not there yet, until they have so many chunks together."""
    number = 0
    while chunks > 0:
        for each in originals:
            if chunks <= 0:
                return
            if each.points and f"part{number:03}/{each.found.path}" not in recorded:
                chunks -= len(each.points) - 1
                yield each, number
        number += 1
