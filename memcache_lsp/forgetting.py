"""Forget what was indexed of what belongs to no cache any more: its index, and the threads that tell of it.

The engine and commands do it alike. It asks nothing of the disk that the cache lay on, which may hang or be gone. Must not
import a keeper or a session.

**Invariant:** what is to be forgotten stays listed until it is gone, and what is added again before is not forgotten. Who adds
it while its index is being deleted waits for that index alone and makes another: the registry is locked by nobody meanwhile.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import partial

from memcache_lsp.caches import Ground, Registered, Registry
from memcache_lsp.config import UserSettings
from memcache_lsp.engine import drop_index, on_this_machine
from memcache_lsp.status import indexed_files
from memcache_lsp.threads.disk import Threads
from memcache_lsp.threads.records import Turn


def forget(ground: Ground, *, registry: Registry, user: UserSettings, threads: Threads, is_open: bool = False) -> None:
    """Forget a ground, if it is still to be forgotten; MemcacheError or OSError where that cannot be now.

    `is_open` says that its folder is open as a project, whose threads stay.
    """

    def agreed() -> bool:
        return ground in registry.read().leaving

    def done() -> None:
        if agreed() and not is_open:
            _forget_threads(threads, ground, registry.read())
        registry.forgotten(ground)

    drop_index(ground.root, on_this_machine(user), ground.part, is_real=True, agreed=agreed, done=done)


def _forget_threads(threads: Threads, ground: Ground, registered: Registered) -> None:
    """Forget the threads of a folder, or those that tell of its files which belong to no cache any more."""
    root = str(ground.root)
    if not ground.part:
        if all(other.root != ground.root for other in registered.grounds):
            threads.forget(root)
        return
    threads.forget(root, partial(_tells_of_gone, ground, registered, indexed_files(ground.root, is_real=True)))


def _tells_of_gone(ground: Ground, registered: Registered, held: Collection[str], turn: Turn) -> bool:
    """Tell whether an answer draws on a file that is in no cache any more, nor in the index of the project there.

    What the project's index holds may have been asked of the project, unless the question named the cache.
    """
    files = {place.path for place in turn.places.values() if place.root == str(ground.root)}
    gone = {path for path in files if registered.ground_at(ground.root / path) is None}
    asked = ground.part in ((turn.asked.get("scope") or {}).get("caches") or ())
    return bool(gone if asked else gone.difference(held))
