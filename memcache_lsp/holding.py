"""The named caches as the engine has them: which are asked, what is away, what is forgotten, and the reading folders.

Owns the keepers, those of projects too, since a folder that is both has one index. Runs on the event loop; looks at
disks in threads of its own, for one that does not answer must not hold up anything else. Must not import the hub or what
a connection is made of.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from memcache_lsp import inventory
from memcache_lsp.caches import Away, Cache, Ground, Place, Registry, seen
from memcache_lsp.editor import CacheOf, Editor
from memcache_lsp.engine import Setup, drop_index, of_cache, on_this_machine
from memcache_lsp.errors import MemcacheError, UserError
from memcache_lsp.inventory import Known
from memcache_lsp.keeper import Keeper
from memcache_lsp.protocol import parts, spec
from memcache_lsp.session.uris import to_path

_log = logging.getLogger(__name__)

LOOK_S = 2.0  # how often it is looked whether what is away is back, and whether a command changed the registry
_ANSWERS_S = 2.0  # for a disk to tell whether a folder is there
_THREADS = 16

Make = Callable[[Ground, Callable[[Path], Setup], Callable[[], None]], Keeper]


class Holding:
    """All keepers, and the caches that some of them are of."""

    def __init__(
        self,
        *,
        setup: Callable[[Path], Setup],
        make: Make,
        forgotten: Callable[[Path], Awaitable[None]],
        registry: Registry | None = None,
    ) -> None:
        """`make` makes a keeper; `forgotten` forgets what else is kept of a root."""
        self.keepers: dict[Ground, Keeper] = {}
        self._setup = setup
        self._make = make
        self._registry = registry or Registry()
        self._looks: dict[Path, Future[Place]] = {}
        self._looking = ThreadPoolExecutor(_THREADS, thread_name_prefix="places")
        self._forgotten = forgotten
        self._leaving = asyncio.Lock()

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
        """Close all keepers."""
        keepers = list(self.keepers.values())
        self.keepers.clear()
        await asyncio.gather(*(keeper.close() for keeper in keepers))
        self._looking.shutdown(wait=False)

    def _setup_of(self, ground: Ground) -> Callable[[Path], Setup]:
        def setup(root: Path) -> Setup:
            made, cache = self._setup(root), self._registry.read().grounds.get(ground)
            return made if cache is None else of_cache(made, ground, cache)

        return setup

    def _check(self, ground: Ground) -> None:
        """Raise Away where a cache's disk is not there; what seems to be an empty folder would be taken for deleted files."""
        cache = self._registry.read().grounds.get(ground)
        for place in cache.places_of(ground) if cache else ():
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

    async def asked(self, session_id: int, names: Iterable[str]) -> tuple[list[Keeper], tuple[str, ...]]:
        """Return the keepers of some caches, used by the session from now on, and a sentence for each place that is away."""
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
        return await self.leave(roots)

    async def leave(self, roots: Collection[Path]) -> str | None:
        """Forget what belongs to no cache any more; return the sentence for what cannot be forgotten now."""
        problem = None
        async with self._leaving:  # who comes second finds nothing left to do
            for ground in self._registry.read().leaving:
                try:
                    if ground.part or ground.root not in roots:
                        await self._drop(ground, roots)
                    elif ground in self.keepers:
                        self.keepers[ground].reading = False
                    await asyncio.to_thread(self._registry.left, ground)
                except (MemcacheError, OSError) as error:
                    _log.warning("a removed cache cannot be forgotten yet: %s", type(error).__name__)
                    problem = f"{error} What is indexed of {ground.root} is deleted when that is possible."
        return problem

    async def _drop(self, ground: Ground, roots: Collection[Path]) -> None:
        keeper = self.keepers.pop(ground, None)
        if keeper is not None:  # whoever still asks it is told so; nobody can have it opened again
            keeper.users.clear()
            await keeper.close()
        user = (await asyncio.to_thread(self._setup, ground.root)).user
        await asyncio.to_thread(drop_index, ground.root, on_this_machine(user), ground.part)
        if not ground.part and ground.root not in roots and ground.root not in self.names():
            await self._forgotten(ground.root)

    async def listed(self) -> tuple[parts.Cache, ...]:
        """Return what is told of all caches."""
        return tuple([await self._row(cache) for cache in self._registry.read().caches])

    async def _row(self, cache: Cache) -> parts.Cache:
        known = {}
        for ground in cache.grounds:
            keeper = self.keepers.get(ground)
            if keeper is None:
                known[ground] = await asyncio.to_thread(inventory.resting, ground)
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
        places = await asyncio.gather(*(self._look(place) for place in cache.places))
        if tuple(places) != cache.places:
            try:
                await asyncio.to_thread(self._registry.note, places)
            except (UserError, OSError) as error:  # it is known again the next time
                _log.warning("it is not noted what is offline: %s", type(error).__name__)
        return replace(cache, places=tuple(places))

    async def _look(self, place: Place) -> Place:
        look = self._looks.get(place.path)
        if look is None:
            look = self._looks[place.path] = self._looking.submit(seen, place)
            look.add_done_callback(lambda _look: self._looks.pop(place.path, None))
        try:
            found = await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(look)), _ANSWERS_S)
        except TimeoutError:
            return seen_away(place)
        return replace(place, device=found.device, away_since=found.away_since)

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


def _path(uri: str) -> Path:
    path = to_path(uri)
    if path is None:
        raise UserError(f"{uri[:200]} is no folder or file of this machine: name one that is.")
    return path


def seen_away(place: Place) -> Place:
    """Return a place whose disk does not answer."""
    return place if place.away_since is not None else replace(place, away_since=time.time())
