"""Watch the folders of one root and say, in calm portions, which paths may have changed: hints, no truth.

Owns the kernel's watches of a root and when enough has gathered to be told. Which folders are watched is told by who
walks the project, of each just before it is listed: so nothing is walked twice, what is ignored is not watched, and
nothing changes unseen between the look and the watch. Where the system cannot watch, one line of the log says so and
nothing is told. Must not import any other part; it is the only importer of inotify_simple.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import sys
import threading
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from inotify_simple import INotify

_log = logging.getLogger(__name__)

CALM_S = 0.3  # without a change, until those before are told
LATEST_S = 2.0  # for a change to be told while others go on
MAX_PATHS = 5000  # to be told; where there are more, everything may have changed

_STEP_S = 0.05
_ROOT_BACK_S = 1.0  # how often a root that is gone is looked for
_READ_BYTES = 16 * 1024  # a few hundred changes, for which the event loop is held no longer than a millisecond or two
_LIMIT = Path("/proc/sys/fs/inotify/max_user_watches")
_SHARE = 0.5  # of the user's watches; the rest is for the editors and builds

# As in <sys/inotify.h>.
_CLOSE_WRITE, _MOVED_FROM, _MOVED_TO, _CREATE, _DELETE = 0x8, 0x40, 0x80, 0x100, 0x200
_DELETE_SELF, _MOVE_SELF, _UNMOUNT, _OVERFLOW, _IGNORED = 0x400, 0x800, 0x2000, 0x4000, 0x8000
_ONLY_FOLDERS, _NO_LINKS = 0x01000000, 0x02000000
_CHANGES = _CLOSE_WRITE | _MOVED_FROM | _MOVED_TO | _CREATE | _DELETE | _ONLY_FOLDERS | _NO_LINKS
_ROOT_GONE = _DELETE_SELF | _MOVE_SELF | _UNMOUNT
_NO_ROOM = frozenset({errno.ENOSPC, errno.ENOMEM, errno.EMFILE, errno.ENFILE})


class Watcher:
    """Watch one root. Made, told and closed on the event loop; `watch` and `keep` may be called from one other thread.

    `changed` is called on the loop with the paths (relative to the root, POSIX) at or below which something may have
    changed, or with None where that may be anywhere.
    """

    def __init__(
        self,
        root: Path,
        *,
        changed: Callable[[frozenset[str] | None], None],
        calm_s: float = CALM_S,
        latest_s: float = LATEST_S,
        max_folders: int | None = None,
    ) -> None:
        self._root = os.fspath(root)
        self._changed = changed
        self._calm_s = calm_s
        self._latest_s = latest_s
        self._max_folders = _present_limit() if max_folders is None else max_folders
        self._loop = asyncio.get_running_loop()
        self._lock = threading.Lock()  # of the three below
        self._inotify: INotify | None = None
        self._folders: dict[int, str] = {}  # by watch
        self._root_watch = 0
        self._paths: set[str] = set()
        self._everywhere = False
        self._first_at = self._last_at = 0.0
        self._timer: asyncio.TimerHandle | asyncio.Handle | None = None
        self._search: asyncio.TimerHandle | None = None
        self._closed = False
        self._begin()

    @property
    def active(self) -> bool:
        """Tell whether changes are told."""
        return self._inotify is not None

    @property
    def sees_root(self) -> bool:
        """Tell whether the root itself is watched."""
        return self._root_watch != 0

    @property
    def folders(self) -> int:
        """Return how many folders are watched."""
        return len(self._folders)

    # From the thread that walks

    def watch(self, folder: str) -> None:
        """Watch a folder (relative to the root, POSIX; empty for the root) from now on, and nothing below it."""
        mask = _CHANGES if folder else _CHANGES | _ROOT_GONE
        with self._lock:
            if self._inotify is None:
                return
            is_full = len(self._folders) >= self._max_folders
            try:
                number = 0 if is_full else self._inotify.add_watch(os.path.join(self._root, folder), mask)  # noqa: PTH118
            except OSError as error:
                if error.errno not in _NO_ROOM:  # the folder is gone, or nobody may read it
                    return
                is_full = True
            if not is_full:
                self._folders[number] = folder  # a folder that was renamed keeps its number
                self._root_watch = self._root_watch if folder else number
                return
        self._on_loop(self._give_up, f"there is room for {self.folders} watched folders, and not for all")

    def keep(self, folders: AbstractSet[str], within: AbstractSet[str] | None = None) -> None:
        """Watch no other folders than these; with `within`, no other ones at or below those paths."""
        with self._lock:
            stale = [
                (number, folder)
                for number, folder in self._folders.items()
                if folder not in folders and (within is None or _is_within(folder, within))
            ]
        for number, folder in stale:
            with self._lock:  # each time, so that the loop comes in between
                if self._inotify is None or self._folders.get(number) != folder:
                    continue
                del self._folders[number]
                with suppress(OSError):  # the folder is gone, and its watch with it
                    self._inotify.rm_watch(number)

    def _on_loop(self, call: Callable[..., None], *arguments: object) -> None:
        with suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(call, *arguments)

    # On the loop

    def seek(self) -> None:
        """Have the root looked for, and tell of everything once it is there; for one that could not be walked."""
        if not self._closed and self._search is None:
            self._search = self._loop.call_later(_ROOT_BACK_S, self._ask_for_root)

    def close(self) -> None:
        """Watch nothing any more."""
        self._closed = True
        self._let_go()
        if self._search is not None:
            self._search.cancel()

    def _begin(self) -> None:
        if sys.platform != "linux":
            self._give_up("this system has no inotify")
            return
        from inotify_simple import INotify  # noqa: PLC0415 - it is there on Linux only

        try:
            inotify = INotify(nonblocking=True)
        except OSError as error:
            self._give_up(error.strerror or str(error))
            return
        with self._lock:
            self._inotify = inotify
        self._loop.add_reader(inotify.fileno(), self._wake)

    def _give_up(self, why: str) -> None:
        if not self._closed:
            _log.warning("a root is not watched, but looked at again when somebody asks: %s", why)
            self.close()

    def _let_go(self) -> None:
        """Give the watches back in a thread of its own: for many folders the kernel takes a while."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        with self._lock:
            inotify, self._inotify = self._inotify, None
            self._folders = {}
            self._root_watch = 0
        if inotify is not None:
            self._loop.remove_reader(inotify.fileno())
            threading.Thread(target=inotify.close, name="unwatch", daemon=True).start()

    def _wake(self) -> None:
        """Read nothing for a moment, in which the kernel gathers what else changes."""
        assert self._inotify is not None
        self._loop.remove_reader(self._inotify.fileno())
        self._first_at = self._last_at = self._loop.time()
        self._timer = self._loop.call_later(_STEP_S, self._step)

    def _step(self) -> None:
        if self._inotify is None:
            return
        size = self._read(self._inotify)
        now = self._loop.time()
        if size:
            self._last_at = now
        if self._inotify is None:  # the root has gone
            return
        if now - self._last_at < self._calm_s and now - self._first_at < self._latest_s:
            again = size > _READ_BYTES // 2
            self._timer = self._loop.call_soon(self._step) if again else self._loop.call_later(_STEP_S, self._step)
            return
        self._timer = None
        self._loop.add_reader(self._inotify.fileno(), self._wake)
        self._tell()

    def _read(self, inotify: INotify) -> int:
        """Take in what has gathered, a portion of it; return how many bytes it had."""
        from inotify_simple import parse_events  # noqa: PLC0415 - as above

        try:
            data = os.read(inotify.fileno(), _READ_BYTES)
        except BlockingIOError:
            return 0
        gone = False
        with self._lock:
            for event in parse_events(data):
                gone = self._note(event.wd, event.mask, event.name) or gone
        if gone:
            self._lose_root()
        return len(data)

    def _note(self, number: int, mask: int, name: str) -> bool:
        """Remember one change; tell whether the root itself has gone."""
        if mask & _OVERFLOW:
            self._everywhere = True
            return False
        folder = self._folders.get(number)
        if folder is None:  # one that is not watched any more
            return False
        if mask & (_ROOT_GONE | _IGNORED):
            if mask & _IGNORED:
                del self._folders[number]
            return number == self._root_watch
        if not self._everywhere:
            self._paths.add(f"{folder}/{name}" if folder else name)
            self._everywhere = len(self._paths) > MAX_PATHS
        return False

    def _tell(self) -> None:
        paths = None if self._everywhere else frozenset(self._paths)
        self._paths = set()
        self._everywhere = False
        if paths is None or paths:
            self._changed(paths)

    def _lose_root(self) -> None:
        """Begin anew, since none of the watches holds for what may come in the root's place."""
        self._let_go()
        self._begin()
        self._everywhere = True
        self._tell()
        self.seek()

    def _ask_for_root(self) -> None:
        self._search = None
        self._loop.run_in_executor(None, self._look_for_root)  # a file system may take its time

    def _look_for_root(self) -> None:
        there = os.access(self._root, os.R_OK | os.X_OK)
        self._on_loop(self._changed_or_seek, there)

    def _changed_or_seek(self, there: bool) -> None:  # noqa: FBT001 - the answer to one question
        if self._closed or self.sees_root:
            return
        if there:
            self._changed(None)
        else:
            self.seek()


def _is_within(folder: str, paths: AbstractSet[str]) -> bool:
    while folder and folder not in paths:
        folder = folder.rpartition("/")[0]
    return bool(folder)


def _present_limit() -> int:
    """Return how many folders a root may have watched; where the system sets no limit we know of, it will tell."""
    try:
        return int(int(_LIMIT.read_text(encoding="ascii")) * _SHARE)
    except (OSError, ValueError):
        return sys.maxsize
