"""What is known of a project's index without opening it: read from its manifest, also while another process writes."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

from memcache_lsp import locking, paths
from memcache_lsp.errors import MemcacheError
from memcache_lsp.manifest import Manifest, ManifestMissing
from memcache_lsp.preparing import FAILED, INDEXED, SKIPPED
from memcache_lsp.reports import Skipped


@dataclass(frozen=True, slots=True)
class Status:
    """The state of an index."""

    root: str
    folder: str
    indexed: int  # files
    chunks: int
    embedder: str
    store: str  # "edge", or the server's URL and collection
    unfinished: bool  # a process is writing, or was ended while it wrote
    holder: str | None  # who holds the index now
    size_bytes: int
    failed: tuple[Skipped, ...]
    skipped: tuple[Skipped, ...]
    notes: tuple[Skipped, ...]  # indexed, but not as it should be
    cards: tuple[int, int]  # files that the background refinement has reached, of how many


def read_status(root: Path, part: str = "", *, is_real: bool = False) -> Status | None:
    """Return what the manifest says, without the lock; None for a project that was never indexed.

    Where the root `is_real` already, its disk is not asked.
    """
    folder = paths.index_dir(root, part, is_real=is_real)
    try:
        manifest = Manifest(folder / "manifest.sqlite", read_only=True)
    except ManifestMissing:
        return None
    try:
        identity = manifest.identity() or {}
        skipped = [*manifest.unscanned(), *manifest.reasons(SKIPPED)]
        return Status(
            root=str(root),
            folder=str(folder),
            indexed=len(manifest.paths(INDEXED)),
            chunks=manifest.count_chunks(),
            embedder=identity.get("embedder", "none"),
            store=identity.get("store", "none"),
            unfinished=not manifest.is_clean(),
            holder=locking.holder(folder),
            size_bytes=_size_bytes(folder),
            failed=tuple(manifest.reasons(FAILED)),
            skipped=tuple(sorted(skipped, key=lambda s: s.path)),
            notes=tuple(manifest.reasons(INDEXED)),
            cards=manifest.count_cards(),
        )
    finally:
        manifest.close()


def indexed_files(root: Path, part: str = "", *, is_real: bool = False) -> frozenset[str]:
    """Return the files that an index holds, none where there is no index that can be read; `is_real` as above."""
    with contextlib.suppress(MemcacheError):
        manifest = Manifest(paths.index_dir(root, part, is_real=is_real) / "manifest.sqlite", read_only=True)
        with contextlib.closing(manifest):
            return frozenset(manifest.paths(INDEXED))
    return frozenset()


def _size_bytes(folder: Path) -> int:
    total = 0
    for parent, _, names in os.walk(folder):  # where a folder is deleted meanwhile, it says nothing
        for name in names:
            with contextlib.suppress(OSError):
                total += (Path(parent) / name).stat().st_blocks * 512
    return total
