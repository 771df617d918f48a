"""The registry of named caches: which folders and files anywhere on the machine are searched beside the project.

Owns the file that lists them, the rules for names and places, and when a place counts as away. The file is read by the
daemon and by commands alike; whoever writes holds its lock and replaces it whole, so a kill leaves it as before or
after. Must not import settings, the engine or anything that is indexed with.

**Invariant:** what is to be forgotten is listed in the same write that removes it, and listed until it is gone.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
import time
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import filelock

from memcache_lsp import paths
from memcache_lsp.errors import LockedError, UserError
from memcache_lsp.scopes import WORKSPACE

FORMAT_VERSION = 1
READING = "reading"  # what a reading folder is called that was given no name
MOST_CACHES = 64
MOST_FOLDERS = 64  # of all caches; each has a watch and threads of its own while it is used
MOST_FILES = 1000  # of one cache, that were named one by one
_NAME_CHARACTERS = 64
_WAIT_S = 5.0
_OF_THE_SYSTEM = tuple(map(Path, ("/proc", "/sys")))
_HOLD_SUCH = frozenset(map(Path, ("/dev", "/run")))  # though /dev/shm may hold documents


class Away(UserError):
    """The disk or folder of a cache is not there; what is indexed of it is kept."""


@dataclass(frozen=True, slots=True)
class Ground:
    """What one index covers: a folder, or with `part` those files directly in it that belong to the cache of that name."""

    root: Path
    part: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """A folder or a file of a cache, by its real path."""

    path: Path
    is_folder: bool
    device: int = 0  # that its folder lay on when it was last there
    away_since: float | None = None  # seconds of the epoch; None where it was there when somebody last looked

    @property
    def folder(self) -> Path:
        """Return the folder without which there is nothing of it."""
        return self.path if self.is_folder else self.path.parent


@dataclass(frozen=True, slots=True)
class Cache:
    """A named cache; `reading` says that new files in it are news."""

    name: str
    places: tuple[Place, ...]
    reading: bool = False

    @property
    def grounds(self) -> tuple[Ground, ...]:
        """Return what its indexes cover, each once: its folders, then the folders of its single files."""
        whole = [Ground(place.path) for place in self.places if place.is_folder]
        parts = [Ground(place.folder, self.name) for place in self.places if not place.is_folder]
        return tuple(dict.fromkeys([*whole, *parts]))

    def files_in(self, root: Path) -> frozenset[str]:
        """Return the names of its single files in a folder."""
        return frozenset(place.path.name for place in self.places if not place.is_folder and place.folder == root)

    def places_of(self, ground: Ground) -> tuple[Place, ...]:
        """Return the places that an index is of."""
        return tuple(p for p in self.places if p.folder == ground.root and p.is_folder is not bool(ground.part))


@dataclass(frozen=True, slots=True)
class Registered:
    """What the registry says."""

    caches: tuple[Cache, ...] = ()
    leaving: tuple[Ground, ...] = ()  # whose indexes are still to be deleted; of a part they are made anew
    problem: str = ""  # one sentence, where the file cannot be read

    def named(self, name: str) -> Cache:
        """Return the cache of a name; UserError where there is none."""
        for cache in self.caches:
            if cache.name == name:
                return cache
        if self.problem:
            raise UserError(self.problem)
        there = ", ".join(cache.name for cache in self.caches)
        raise UserError(
            f"There is no cache {name[:_NAME_CHARACTERS]!r}: "
            + (f"there are {there}." if there else "add one with `memcache-lsp caches add NAME PATH`.")
        )

    def ground_at(self, path: Path) -> Ground | None:
        """Return what a file belongs to, by its real path; None where it is in no cache."""
        for ground, cache in self.grounds.items():
            if ground.part:
                inside = path.parent == ground.root and path.name in cache.files_in(ground.root)
            else:
                inside = ground.root in path.parents
            if inside:
                return ground
        return None

    @property
    def grounds(self) -> dict[Ground, Cache]:
        """Return the grounds of all caches, each with the first cache that it belongs to."""
        found: dict[Ground, Cache] = {}
        for cache in self.caches:
            for ground in cache.grounds:
                found.setdefault(ground, cache)
        return found


class Registry:
    """The registry's file. Used from any thread; what it says is read again when the file has changed."""

    def __init__(self) -> None:
        self._known: tuple[tuple[int, ...], Registered] | None = None

    @property
    def path(self) -> Path:
        """Return where the file lies."""
        return paths.data_dir() / "caches" / f"caches-{FORMAT_VERSION}.json"

    def read(self) -> Registered:
        """Return what it says now; where it cannot be read, the caches that it told last, and nothing to be forgotten."""
        path = self.path
        try:
            status = path.stat()
            stamp = (status.st_ino, status.st_size, status.st_mtime_ns)
            if self._known is None or self._known[0] != stamp:
                self._known = stamp, _parsed(path.read_bytes())
        except FileNotFoundError:
            self._known = None
            return Registered()
        except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
            why = getattr(error, "strerror", None) or "it is not what was written"
            problem = f"The list of caches in {path} cannot be read ({why}): mend or delete that file."
            return Registered(self._known[1].caches if self._known else (), problem=problem)
        return self._known[1]

    def add(self, name: str, given: Sequence[Path], *, reading: bool = False) -> Cache:
        """Add a cache, or places to one that is there; UserError in one sentence where that makes no sense."""
        name = checked_name(name)
        places = [checked_place(path) for path in given]
        with self._changing() as (known, write):
            twin = next((c.name for c in known.caches if c.name.casefold() == name.casefold() and c.name != name), None)
            if twin is not None:
                raise UserError(f"There is a cache {twin} already, which differs in its letters' case: use that name.")
            others = tuple(cache for cache in known.caches if cache.name != name)
            before = next((cache for cache in known.caches if cache.name == name), Cache(name, (), reading))
            cache = Cache(name, _merged((*before.places, *places)), reading=reading or before.reading)
            if cache.reading and not all(place.is_folder for place in cache.places):
                raise UserError("A reading folder is a folder: name the one that your browser saves pages in.")
            caches = tuple(sorted((*others, cache), key=lambda each: each.name))
            _check_room(caches, cache)
            gone = set(before.grounds) - set(Registered(caches).grounds)
            kept = set(known.leaving) - set(cache.grounds)  # what comes back is not deleted after all
            write(Registered(caches, tuple(sorted(kept | gone, key=str))))
        return cache

    def remove(self, name: str, given: Sequence[Path] = ()) -> tuple[Ground, ...]:
        """Remove a cache, or some places of it; return the grounds whose indexes hold what belongs to none any more."""
        with self._changing() as (known, write):
            cache = known.named(name)
            there = {place.path for place in cache.places}
            gone = {path if path in there else _real(path) for path in given}  # a disk that hangs is not asked
            missing = gone - there
            if missing:
                raise UserError(f"{min(missing)} is no place of the cache {name}: see `memcache-lsp caches list`.")
            left = tuple(place for place in cache.places if gone and place.path not in gone)
            caches = tuple(
                replace(each, places=left) if each is cache else each
                for each in known.caches
                if each is not cache or left
            )
            now = Registered(caches).grounds
            leaving = {
                ground
                for ground in cache.grounds
                if ground not in now
                or (ground.part and now[ground].files_in(ground.root) != cache.files_in(ground.root))
            }
            write(Registered(caches, tuple(sorted({*known.leaving, *leaving}, key=str))))
        return tuple(sorted(leaving, key=str))

    def forgotten(self, ground: Ground) -> None:
        """Take it that what was indexed of a ground is gone."""
        with self._changing() as (known, write):
            if ground in known.leaving:
                write(replace(known, leaving=tuple(each for each in known.leaving if each != ground)))

    def note(self, seen: Iterable[Place]) -> None:
        """Take how places were found: on which device, or since when they are away."""
        by_path = {place.path: place for place in seen}
        with self._changing() as (known, write):
            caches = tuple(
                replace(c, places=tuple(_noted(place, by_path.get(place.path)) for place in c.places))
                for c in known.caches
            )
            if caches != known.caches:
                write(replace(known, caches=caches))

    @contextlib.contextmanager
    def _changing(self) -> Iterator[tuple[Registered, Any]]:
        """Give what it says, and what replaces it; nobody else writes meanwhile."""
        folder = self.path.parent
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            with filelock.FileLock(folder / "lock", timeout=_WAIT_S, mode=0o600):
                known = self.read()
                if known.problem:
                    raise UserError(known.problem)
                yield known, self._write
        except filelock.Timeout:
            raise LockedError("Another process changes the list of caches: wait until it is done.") from None

    def _write(self, registered: Registered) -> None:
        data = json.dumps(_to_json(registered), indent=1).encode()
        paths.replace_file(self.path, data, durable=True)


def seen(place: Place, *, now: float | None = None) -> Place:
    """Look at a place: it is away where its folder is not there, or is an empty one on another device than before.

    The second is a disk that was unmounted: its folder is still there, and has nothing in it.
    """
    away_since = place.away_since or (time.time() if now is None else now)
    try:
        status = place.folder.stat()
        if not stat.S_ISDIR(status.st_mode):
            return replace(place, away_since=away_since)
        with os.scandir(place.folder) as entries:
            empty = next(entries, None) is None
    except OSError:
        return replace(place, away_since=away_since)
    if empty and place.device not in {0, status.st_dev}:
        return replace(place, away_since=away_since)
    return replace(place, device=status.st_dev, away_since=None)


def checked_name(name: str) -> str:
    """Return a cache's name as it is kept; UserError where it is none."""
    text = unicodedata.normalize("NFC", name)
    rest = text.translate(dict.fromkeys(map(ord, "-_. ")))
    right = text == text.strip(" .-") and 0 < len(text) <= _NAME_CHARACTERS and rest.isalnum()
    if not right:
        raise UserError(
            f"The name of a cache has letters, digits, and - _ . or blanks between them, {_NAME_CHARACTERS} at most: "
            "name it otherwise."
        )
    if text.casefold() == WORKSPACE:
        raise UserError(f"{WORKSPACE} is the name of the project itself: name the cache otherwise.")
    return text


def checked_place(given: Path) -> Place:
    """Return what the user named, by its real path; UserError where it cannot be a part of a cache."""
    try:
        path = Path(os.path.realpath(given.expanduser(), strict=True))
        status = path.stat()
        is_folder = stat.S_ISDIR(status.st_mode)
        if is_folder:
            os.scandir(path).close()
        elif stat.S_ISREG(status.st_mode):
            path.open("rb").close()
        else:
            raise UserError(f"{given} is neither a folder nor a file: name one of these.")
    except FileNotFoundError:
        raise UserError(f"There is no folder or file {given}: name one that is there.") from None
    except PermissionError:
        raise UserError(f"{given} cannot be read: change its permissions or name another.") from None
    except (OSError, RuntimeError, ValueError) as error:
        raise UserError(f"{given} cannot be opened ({error}): name another.") from None
    _refuse_absurd(path)
    folder = path if is_folder else path.parent
    return Place(path, is_folder, folder.stat().st_dev)


def _refuse_absurd(path: Path) -> None:
    home = _real(Path("~"))
    if path in {home, *home.parents}:
        raise UserError(f"{path} holds everything that you have: name the folders in it that you want to search.")
    if path in _HOLD_SUCH or any(path == folder or folder in path.parents for folder in _OF_THE_SYSTEM):
        raise UserError(f"{path} is made by the system while it runs and holds no documents: name another folder.")
    for own in map(_real, (paths.cache_dir(), paths.data_dir(), paths.state_dir(), paths.runtime_dir())):
        if path == own or own in path.parents:
            raise UserError(f"{path} is memcache-lsp's own: name a folder of yours.")


def _real(path: Path) -> Path:
    """Return where a path leads, whether or not anything is there."""
    return Path(os.path.realpath(os.path.expanduser(path)))  # noqa: PTH111 - Path's raises where a user has no home


def _merged(places: Sequence[Place]) -> tuple[Place, ...]:
    """Return places each once, without those that lie in a folder among them, by path."""
    by_path = {place.path: place for place in places}
    folders = {place.path for place in places if place.is_folder}
    return tuple(place for path, place in sorted(by_path.items()) if folders.isdisjoint(path.parents))


def _check_room(caches: Sequence[Cache], cache: Cache) -> None:
    if len(caches) > MOST_CACHES:
        raise UserError(f"There are {MOST_CACHES} caches already: remove one, or add the folder to one of them.")
    if len(Registered(tuple(caches)).grounds) > MOST_FOLDERS:
        raise UserError(f"The caches have {MOST_FOLDERS} folders already: name a folder that holds several of them.")
    if sum(not place.is_folder for place in cache.places) > MOST_FILES:
        raise UserError(f"A cache takes {MOST_FILES} single files: name the folders that they lie in.")


def _noted(place: Place, found: Place | None) -> Place:
    return place if found is None else replace(place, device=found.device, away_since=found.away_since)


def _to_json(registered: Registered) -> dict[str, Any]:
    return {
        "version": FORMAT_VERSION,
        "caches": [
            {
                "name": cache.name,
                "reading": cache.reading,
                "places": [
                    {"path": str(p.path), "folder": p.is_folder, "device": p.device, "away": p.away_since}
                    for p in cache.places
                ],
            }
            for cache in registered.caches
        ],
        "leaving": [{"root": str(ground.root), "part": ground.part} for ground in registered.leaving],
    }


def _parsed(data: bytes) -> Registered:
    value = json.loads(data)
    caches = tuple(
        Cache(
            str(each["name"]),
            tuple(
                Place(
                    Path(p["path"]),
                    bool(p["folder"]),
                    int(p["device"]),
                    None if p["away"] is None else float(p["away"]),
                )
                for p in each["places"]
            ),
            bool(each["reading"]),
        )
        for each in value["caches"]
    )
    return Registered(caches, tuple(Ground(Path(each["root"]), str(each["part"])) for each in value["leaving"]))
