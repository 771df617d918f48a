"""Walk a project and say of every entry whether it may enter the index.

Owns the gate (`Scanner.should_index`) and the walk, which decide by the same steps: rules, kind of file, name, size.
Never opens a file that is offered, never follows a symbolic link. Must not import what reads documents.

A reason is one short sentence whose first words, up to the colon, name its category.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from memcache_lsp.config import ProjectSettings, UserSettings, size_limits
from memcache_lsp.errors import Stopped, UserError
from memcache_lsp.paths import PROJECT_SETTINGS
from memcache_lsp.reports import Skipped
from memcache_lsp.scan.folders import BAD_NAME, LINK, MISSING, RULE_NAMES, Folder, Folders, printable_name, unreadable
from memcache_lsp.scan.names import reason_by_name
from memcache_lsp.values import Found

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

PROGRESS_EVERY = 1000
_NO_NAMES = frozenset({b"", b".", b".."})
_KINDS = {
    stat.S_IFLNK: LINK,
    stat.S_IFDIR: "folder: only files are indexed",
    stat.S_IFIFO: "special file: a pipe is not opened",
    stat.S_IFSOCK: "special file: a socket is not opened",
    stat.S_IFCHR: "special file: a device is not opened",
    stat.S_IFBLK: "special file: a device is not opened",
}


@dataclass(frozen=True, slots=True)
class ScanResult:
    """What a scan offers to the index and what it left out, both in the order of their paths."""

    found: tuple[Found, ...]
    skipped: tuple[Skipped, ...]


@dataclass(slots=True)
class _Walk:
    """One walk: whom it tells, and what it has found so far."""

    cancelled: Callable[[], bool]
    on_progress: Callable[[int], None]
    max_files: int | None
    entered: Callable[[str], None]
    found: list[Found] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)

    def result(self) -> ScanResult:
        self.found.sort(key=lambda each: each.path)
        self.skipped.sort(key=lambda each: each.path)
        return ScanResult(tuple(self.found), tuple(self.skipped))


class Scanner:
    """Decide what of one project may enter the index. Not to be shared between threads."""

    def __init__(
        self,
        root: Path,
        user: UserSettings | None = None,
        project: ProjectSettings | None = None,
        *,
        only: frozenset[str] | None = None,
    ) -> None:
        """Look at `root`, a real path; with `only`, at these files in it and at nothing else."""
        project = project or ProjectSettings()
        self.root = root
        self._only = only
        self.limits = size_limits(project, user or UserSettings())
        self._folders = Folders(root, project)

    def should_index(self, path: str, *, must_exist: bool = True) -> Skipped | None:
        """Say why the file at `path` (relative to the root, POSIX) is not indexed, or return None where it is.

        The one gate by which a path may enter; changes of ignore files and of git's index are seen. With
        `must_exist` false, a file that is not there yet passes by its name (a buffer that was never saved).
        """
        encoded = path.encode("utf-8", "surrogateescape") if _is_encodable(path) else b""
        if self._only is not None and path not in self._only:
            return Skipped(_printable(encoded), "not named: of this folder only some files are in the cache")
        reason = self._reason(encoded, must_exist=must_exist)
        return Skipped(_printable(encoded), reason) if reason else None

    def _reason(self, path: bytes, *, must_exist: bool) -> str:
        *above, name = path.split(b"/")
        if b"\0" in path or not _NO_NAMES.isdisjoint((*above, name)):
            return "outside: not a path below the root"
        folder = self._folders.root()
        for part in above:
            below = self._folders.enter_afresh(folder, part)
            if isinstance(below, str):
                return below
            folder = below
        mode, size_bytes = stat.S_IFREG, 0
        try:
            status = os.lstat(self._folders.real(folder.path + name))
            mode, size_bytes = status.st_mode, status.st_size
        except FileNotFoundError:
            if must_exist:
                return MISSING
        except OSError as error:
            return unreadable(error)
        return self._judge(folder, name, mode) or self._too_large(name, size_bytes)

    def scan(
        self,
        cancelled: Callable[[], bool] = lambda: False,
        on_progress: Callable[[int], None] = lambda _found: None,
        *,
        max_files: int | None = None,
        entered: Callable[[str], None] = lambda _folder: None,
    ) -> ScanResult:
        """Walk the whole project; `on_progress` is told how many files are found so far.

        `entered` is told of each folder just before it is listed, so that who watches it from then on misses nothing.
        Raise `Stopped` when `cancelled` says so, and `UserError` when the root cannot be listed or holds more than
        `max_files`: half a result would look like a project whose other half was deleted.
        """
        self._folders.forget()
        if self._only is not None:
            entered("")
            if not self.root.is_dir():  # else all of them would seem to be deleted
                raise UserError(f"The folder {self.root} cannot be read; change its permissions.")
            return self.look(sorted(self._only), cancelled)
        walk = _Walk(cancelled, on_progress, max_files, entered)
        self._walk([self._folders.root()], walk)
        on_progress(len(walk.found))
        return walk.result()

    def look(
        self,
        paths: Iterable[str],
        cancelled: Callable[[], bool] = lambda: False,
        *,
        max_files: int | None = None,
        entered: Callable[[str], None] = lambda _folder: None,
    ) -> ScanResult:
        """Say of these paths, and of all that lies below those which are folders, what `scan` would say.

        Of a path that is gone, unless it is one of `only`, or that lies where nothing is indexed, nothing is said. No path may lie below another
        one. Raises as `scan` does.
        """
        walk = _Walk(cancelled, lambda _found: None, max_files, entered)
        known: dict[tuple[bytes, ...], Folder | str] = {(): self._folders.root()}
        waiting: list[Folder] = []
        for path in paths:
            if self._only is not None and path not in self._only:
                continue
            *above, name = path.encode("utf-8", "surrogateescape").split(b"/") if _is_encodable(path) else [b""]
            if b"\0" in name or name in _NO_NAMES:
                continue
            folder = self._folder(tuple(above), known)
            outcome = MISSING if isinstance(folder, str) else self._look_at(folder, name)
            if isinstance(outcome, Found):
                walk.found.append(outcome)
            elif isinstance(outcome, Folder):
                waiting.append(outcome)
            elif not isinstance(folder, str) and (self._only is not None or outcome != MISSING):
                walk.skipped.append(Skipped(folder.shown + _printable(name), outcome))
        self._walk(waiting, walk)
        return walk.result()

    def _folder(self, path: tuple[bytes, ...], known: dict[tuple[bytes, ...], Folder | str]) -> Folder | str:
        """Return what holds in a folder, or why it is not entered; what is known is not looked at again."""
        if path not in known:
            *above, name = path
            parent = self._folder(tuple(above), known)
            inside = isinstance(parent, Folder) and name not in _NO_NAMES and b"\0" not in name
            known[path] = self._folders.enter_afresh(parent, name) if inside else MISSING  # type: ignore[arg-type]
        return known[path]

    def _look_at(self, folder: Folder, name: bytes) -> Found | Folder | str:
        try:
            status = os.lstat(self._folders.real(folder.path + name))
        except (FileNotFoundError, NotADirectoryError):
            return MISSING
        except OSError as error:
            return unreadable(error)
        if stat.S_ISDIR(status.st_mode):
            return self._folders.enter(folder, name)
        reason = self._judge(folder, name, status.st_mode)
        return reason or self._offered(folder, name, status)

    def _walk(self, waiting: list[Folder], walk: _Walk) -> None:
        told = 0
        while waiting:
            if walk.cancelled():
                raise Stopped("The scan was stopped.")
            folder = waiting.pop()
            walk.entered(folder.shown.rstrip("/"))
            waiting += self._scan_folder(folder, walk.found, walk.skipped)
            if len(walk.found) >= told + PROGRESS_EVERY:
                told = len(walk.found)
                walk.on_progress(told)
            if walk.max_files is not None and len(walk.found) > walk.max_files:
                raise UserError(
                    f"{self.root} holds more than {walk.max_files} files: open a part of it, or have "
                    f"it all indexed by name, with `memcache-lsp index --root {self.root}` or, in an editor, the command "
                    "memcache.index and its root."
                )

    def _scan_folder(self, folder: Folder, found: list[Found], skipped: list[Skipped]) -> list[Folder]:
        try:
            with os.scandir(self._folders.real(folder.path)) as listing:
                entries = list(listing)
        except OSError as error:
            if not folder.shown:
                raise UserError(f"The folder {self.root} cannot be read; change its permissions.") from error
            skipped.append(Skipped(folder.shown.rstrip("/"), unreadable(error)))
            return []
        below = []
        for entry in entries:
            try:
                outcome = self._scan_entry(folder, entry)
            except OSError as error:
                outcome = unreadable(error)
            if isinstance(outcome, Found):
                found.append(outcome)
            elif isinstance(outcome, Folder):
                below.append(outcome)
            else:
                skipped.append(Skipped(folder.shown + _printable(entry.name), outcome))
        return below

    def _scan_entry(self, folder: Folder, entry: os.DirEntry[bytes]) -> Found | Folder | str:
        if entry.is_dir(follow_symlinks=False):
            return self._folders.enter(folder, entry.name)
        if not entry.is_file(follow_symlinks=False):
            return self._judge(folder, entry.name, entry.stat(follow_symlinks=False).st_mode)
        reason = self._judge(folder, entry.name, stat.S_IFREG)
        if reason:
            return reason
        return self._offered(folder, entry.name, entry.stat(follow_symlinks=False))

    def _offered(self, folder: Folder, name: bytes, status: os.stat_result) -> Found | str:
        reason = self._too_large(name, status.st_size)
        return reason or Found(folder.shown + name.decode(), status.st_size, status.st_mtime_ns, status.st_ctime_ns)

    def _judge(self, folder: Folder, name: bytes, mode: int) -> str:
        """Say why a file is left out, by rules, kind and name, or return an empty string."""
        reason = self._folders.ignored(folder, name)
        if reason:
            return reason
        if not stat.S_ISREG(mode):
            return _KINDS.get(stat.S_IFMT(mode), "special file: it is not opened")
        shown = printable_name(name)
        if shown is None:
            return BAD_NAME
        reason = reason_by_name(shown)
        if reason or self._folders.includes(folder, name):
            return reason
        return f"not included: no include of {PROJECT_SETTINGS} matches it"

    def _too_large(self, name: bytes, size_bytes: int) -> str:
        if size_bytes <= self.limits.text_bytes:
            return ""  # the lower one, so that no name is looked at for nothing
        limit_bytes = self.limits.of(name.decode("utf-8", "replace"))
        return too_large(size_bytes, limit_bytes) if size_bytes > limit_bytes else ""


def changes_rules(path: str) -> bool:
    """Tell whether a change of this path may change what is indexed elsewhere."""
    return os.fsencode(path.rpartition("/")[2]) in RULE_NAMES if _is_encodable(path) else True


def outermost(paths: Iterable[str]) -> list[str]:
    """Return the paths that lie below no other one of them, without those that can be in no index, in order."""
    kept: list[str] = []
    for path in sorted({each for each in paths if _is_text(each)}, key=lambda each: each.split("/")):
        if not kept or not path.startswith(f"{kept[-1]}/"):
            kept.append(path)
    return kept


def too_large(size_bytes: int, limit_bytes: int) -> str:
    """Say that a file is over the limit."""
    return f"too large: {size_bytes:,} bytes, the limit is {limit_bytes:,}"


def _is_text(path: str) -> bool:
    return _is_encodable(path, "strict") and "\0" not in path


def _is_encodable(path: str, errors: str = "surrogateescape") -> bool:
    try:
        path.encode("utf-8", errors)
    except UnicodeEncodeError:
        return False
    return True


def _printable(path: bytes) -> str:
    """Decode a path for people and JSON: what is not UTF-8 or a control character becomes a backslash escape."""
    text = path.decode("utf-8", "backslashreplace")
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text)
