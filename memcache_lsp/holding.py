"""The named caches as the engine has them: which are asked, what is away, what is forgotten, and the reading folders.

Owns the keepers, those of projects too, since a folder that is both has one index. Runs on the event loop; looks at
disks in threads of its own, for one that does not answer must not hold up anything else. Must not import the hub or what
a connection is made of.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from memcache_lsp import inventory
from memcache_lsp.caches import Away, Cache, Ground, Registry, seen
from memcache_lsp.disks import Disks
from memcache_lsp.editor import CacheOf, Editor
from memcache_lsp.engine import Setup, of_cache
from memcache_lsp.errors import MemcacheError, UserError
from memcache_lsp.inventory import Known
from memcache_lsp.keeper import Keeper
from memcache_lsp.protocol import parts, spec
from memcache_lsp.session.uris import to_path

_log = logging.getLogger(__name__)

LOOK_S = 2.0  # how often it is looked whether what is away is back, and whether a command changed the registry
_CATCHES_UP_S = 2.0  # that a search waits at most for a cache which is brought in step
_LITTLE = 100  # files; more are not waited for
_POLL_S = 0.01
_CLOSES_S = 3.0  # for an index; longer where a thread of it waits for a disk that does not answer

Forget = Callable[[Ground, Registry, bool], None]
Make = Callable[[Ground, Callable[[Path], Setup], Callable[[], None]], Keeper]


class Holding:
    """All keepers, and the caches that some of them are of."""

    def __init__(
        self,
        *,
        setup: Callable[[Path], Setup],
        make: Make,
        forget: Forget,
        registry: Registry | None = None,
    ) -> None:
        """`make` makes a keeper; `forget` forgets in a thread what is kept of a ground, whose folder is open or not."""
        self.keepers: dict[Ground, Keeper] = {}
        self._setup = setup
        self._make = make
        self._registry = registry or Registry()
        self._disks = Disks()
        self._resting = inventory.Resting()
        self._forget = forget
        self._leaving = asyncio.Lock()
        self._closing: dict[Ground, asyncio.Task[None]] = {}  # of what is to be forgotten
        self._deleting: dict[Ground, threading.Event] = {}  # set once the index is gone, or stays after all

    # Keepers

    def __iter__(self) -> Iterator[Keeper]:
        return iter(list(self.keepers.values()))

    def of_root(self, root: Path) -> Keeper | None:
        """Return the keeper of a whole folder, if there is one."""
        return self.keepers.get(Ground(root))

    def keep(self, ground: Ground) -> Keeper:
        """Return the keeper of a ground, made if there is none."""
        keeper = self.keepers.get(ground)
        if keeper is None:
            keeper = self.keepers[ground] = self._make(ground, self._setup_of(ground), lambda: self._check(ground))
        return keeper

    def use(self, session_id: int, ground: Ground) -> Keeper:
        """Have a session use a ground from now on, until it is released."""
        keeper = self.keep(ground)
        if session_id not in keeper.users:
            keeper.users.add(session_id)
            keeper.named = keeper.named or ground in self._registry.read().grounds  # by the user, when he added it
            keeper.attend()
        return keeper

    def release(self, session_id: int, *, keep: Collection[Path] | None) -> None:
        """Have a session use no other roots than these, caches apart; with None nothing at all."""
        caches = self._registry.read().grounds if keep is not None else {}
        for ground, keeper in list(self.keepers.items()):
            kept = keep is not None and (ground in caches or ground.root in keep)
            if session_id in keeper.users and not kept:
                keeper.users.discard(session_id)
                if not keeper.users:  # it stays, so that an editor that is started again finds it open
                    keeper.cancel()

    async def forget_sleeping(self) -> None:
        """Close the keepers that nobody uses and that have nothing open."""
        for ground, keeper in list(self.keepers.items()):
            if keeper.asleep and self.keepers.get(ground) is keeper:  # somebody may have forgotten it meanwhile
                del self.keepers[ground]
                await keeper.close()

    async def close(self) -> None:
        """Close all keepers; one that was being closed already, and that a disk holds up, is not waited for long."""
        keepers, closing = list(self.keepers.values()), list(self._closing.values())
        self.keepers.clear()
        self._closing.clear()
        await asyncio.gather(*(keeper.close() for keeper in keepers))
        if closing:
            _, hanging = await asyncio.wait(closing, timeout=_CLOSES_S)
            for task in hanging:
                task.cancel()
            for problem in await asyncio.gather(*closing, return_exceptions=True):
                if isinstance(problem, Exception):
                    _log.warning("a removed cache was not closed well: %s", type(problem).__name__)
        self._disks.close()

    def _setup_of(self, ground: Ground) -> Callable[[Path], Setup]:
        def setup(root: Path) -> Setup:
            registered = self._registry.read()
            cache = registered.grounds.get(ground)
            if cache is None and ground.part:  # else all of the folder would be taken for what was named
                raise UserError(registered.problem or f"What was named in {root} lies in no cache any more.")
            made = self._setup(root)
            return made if cache is None else of_cache(made, ground, cache)

        return setup

    def _check(self, ground: Ground) -> None:
        """Wait until what was kept of a ground is deleted, where it was added again meanwhile.

        Raise Away where a cache's disk is not there; what seems to be an empty folder would be taken for deleted files.
        """
        if (gone := self._deleting.get(ground)) is not None:
            gone.wait()
        cache = self._registry.read().grounds.get(ground)
        folders = {place.folder: place for place in (cache.places_of(ground) if cache else ())}
        for place in folders.values():
            if (found := seen(place)).away_since is not None:
                raise Away(inventory.away(cache.name if cache else "", found))

    # Caches

    def cache_of(self, session: Editor) -> CacheOf:
        """Return what names the cache of a root that is none of the session's."""
        names = self.names()
        return lambda root: None if root in session.folders else names.get(root)

    def at(self, session: Editor, root: Path, path: str) -> Keeper:
        """Return the keeper of a file that lies in a root of a session, or in a cache, which it then uses."""
        if root in session.folders:
            return self.keepers[Ground(root)]
        ground = self._registry.read().ground_at(root / path)
        if ground is None:  # it was removed a moment ago
            raise UserError(f"{root / path} lies in no cache any more: open its folder to have it indexed.")
        return self.use(session.info.id, ground)

    def names(self) -> dict[Path, str]:
        """Return to which cache each root belongs."""
        return {ground.root: cache.name for ground, cache in reversed(self._registry.read().grounds.items())}

    async def asked(
        self, session_id: int, names: Iterable[str], *, catch_up: bool = True
    ) -> tuple[list[Keeper], tuple[str, ...]]:
        """Return the keepers of some caches, used by the session from now on, and a sentence for each place that is away.

        With `catch_up` they are in step, where that takes no long.
        """
        keepers: dict[Ground, Keeper] = {}
        notes = []
        for name in dict.fromkeys(names):
            cache = await self._looked(self._registry.read().named(name))
            missing = {place.folder: place for place in cache.places if place.away_since is not None}
            notes += [inventory.away(name, place) for place in missing.values()]
            present = self._registry.read().grounds  # it may have been removed while its disk was looked at
            for ground in cache.grounds:
                if ground.root not in missing and ground in present:
                    keepers[ground] = self.use(session_id, ground)
        if catch_up:
            await asyncio.gather(*map(_caught_up, keepers.values()))
        return list(keepers.values()), tuple(notes)

    def placed(self, path: Path) -> tuple[Path, str] | None:
        """Return the root of the cache that a file lies in, and its path there."""
        ground = self._registry.read().ground_at(path)
        return None if ground is None else (ground.root, path.relative_to(ground.root).as_posix())

    async def change(self, session: Editor, params: spec.CachesParams, roots: Collection[Path]) -> str | None:
        """Add to caches, and begin to index, or remove and forget; return what is to be said.

        `roots` are open projects, whose indexes stay.
        """
        name, given = params.name or "", [_path(uri) for uri in params.uris]
        if params.action == "remove":
            await asyncio.to_thread(self._registry.remove, name, given)
            message = await self.leave(roots)
            for ground, cache in self._registry.read().grounds.items():
                if ground.part == cache.name == name:  # the index of the files that stay was forgotten too
                    self.use(session.info.id, ground)
            return message
        cache = await asyncio.to_thread(self._registry.add, name, given, reading=params.reading)
        for ground in cache.grounds:
            self.use(session.info.id, ground).start(hurry=True)
        await self.look_after(())
        return None if self._leaving.locked() else await self.leave(roots)  # who is at it, may be so for long

    async def leave(self, roots: Collection[Path]) -> str | None:
        """Forget what belongs to no cache any more; return the sentence for what cannot be forgotten now."""
        problem = None
        async with self._leaving:  # who comes second finds nothing left to do
            for ground in self._registry.read().leaving:
                if ground not in self._registry.read().leaving:  # it was added again meanwhile, and is indexed
                    continue
                try:
                    await self._drop(ground, is_open=ground.root in roots)
                except (MemcacheError, OSError) as error:
                    _log.warning("a removed cache cannot be forgotten yet: %s", type(error).__name__)
                    problem = f"{error} What is indexed of {ground.root} is deleted when that is possible."
        return problem

    async def _drop(self, ground: Ground, *, is_open: bool) -> None:
        """Forget a ground; the index of a folder that is open as a project stays."""
        if is_open and not ground.part:
            if ground in self.keepers:
                self.keepers[ground].reading = False
            await asyncio.to_thread(self._registry.forgotten, ground)
            return
        keeper = self.keepers.pop(ground, None)
        if keeper is not None:  # whoever still asks it is told so; nobody can have it opened again
            keeper.users.clear()
            self._closing[ground] = asyncio.create_task(_closed(keeper, self._closing.get(ground)))
        if ground in self._closing:
            await asyncio.wait([self._closing[ground]], timeout=0 if keeper is None else _CLOSES_S)
            if not self._closing[ground].done():
                raise UserError(f"The disk of {ground.root} does not answer.")
            self._closing.pop(ground).result()
        gone = self._deleting[ground] = threading.Event()
        try:
            await asyncio.to_thread(self._forget, ground, self._registry, is_open)
        finally:
            del self._deleting[ground]
            gone.set()

    @property
    def problem(self) -> str | None:
        """Return the sentence for a list of caches that cannot be read."""
        return self._registry.read().problem or None

    async def listed(self) -> tuple[parts.Cache, ...]:
        """Return what is told of all caches."""
        return tuple([await self._row(cache) for cache in self._registry.read().caches])

    async def _row(self, cache: Cache) -> parts.Cache:
        known = {}
        for ground in cache.grounds:
            keeper = self.keepers.get(ground)
            if keeper is None:
                known[ground] = await asyncio.to_thread(self._resting, ground)
                continue
            status = await keeper.status()
            state: parts.CacheState = keeper.state if keeper.quiescent else "indexing"
            if state == "unindexed" and status is not None:
                state = "ready"  # it was, when somebody last used it
            known[ground] = Known(state, status, keeper.progress, keeper.message, keeper.report)
        return inventory.row(await self._looked(cache), known)

    # Disks and folders

    async def _looked(self, cache: Cache) -> Cache:
        """Return a cache with its places as they are now; what changed is noted."""
        places = await asyncio.gather(*(self._disks.look(place) for place in cache.places))
        if tuple(places) != cache.places:
            try:
                await asyncio.to_thread(self._registry.note, places)
            except (UserError, OSError) as error:  # it is known again the next time
                _log.warning("it is not noted what is offline: %s", type(error).__name__)
        return replace(cache, places=tuple(places))

    async def look_after(self, sessions: Iterable[int]) -> None:
        """Have sessions use the reading folders, and what was away and is back brought in step."""
        registered = self._registry.read()
        readers = tuple(sessions)
        for ground, cache in registered.grounds.items():
            if cache.reading and ground not in self.keepers and readers:
                self.keep(ground)
            keeper = self.keepers.get(ground)
            if keeper is None:
                continue
            keeper.reading = cache.reading
            for session_id in readers if cache.reading else ():
                self.use(session_id, ground)
            if keeper.is_away and keeper.users:
                looked = await self._looked(replace(cache, places=cache.places_of(ground)))
                if all(place.away_since is None for place in looked.places):
                    keeper.start()


async def _closed(keeper: Keeper, before: asyncio.Task[None] | None) -> None:
    """Close a keeper, after one that was there before it and still hangs."""
    if before is not None:
        await asyncio.wait([before])
    await keeper.close()


async def _caught_up(keeper: Keeper) -> None:
    """Wait until what changed while nobody used a cache is indexed, if that is little."""
    deadline = time.monotonic() + _CATCHES_UP_S
    while True:
        if keeper.quiescent or keeper.progress.total > _LITTLE or time.monotonic() > deadline:
            return
        await asyncio.sleep(_POLL_S)


def _path(uri: str) -> Path:
    path = to_path(uri)
    if path is None:
        raise UserError(f"{uri[:200]} is no folder or file of this machine: name one that is.")
    return path
