"""Walk a project and say of every entry whether it may enter the index.

Owns the gate (`Scanner.should_index`) and the walk, which decide by the same steps: rules, kind of file, name, size.
Never opens a file that is offered, never follows a symbolic link. Must not import what reads documents.

A reason is one short sentence whose first words, up to the colon, name its category.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

from memcache_lsp.config import PROJECT_FILE, ProjectSettings, UserSettings, file_size_limit
from memcache_lsp.errors import Stopped, UserError
from memcache_lsp.scan.folders import BAD_NAME, LINK, MISSING, Folder, Folders, printable_name, unreadable
from memcache_lsp.scan.names import reason_by_name
from memcache_lsp.values import Found, Skipped

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PROGRESS_EVERY = 1000
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


class Scanner:
    """Decide what of one project may enter the index. Not to be shared between threads."""

    def __init__(
        self,
        root: Path,
        user: UserSettings | None = None,
        project: ProjectSettings | None = None,
    ) -> None:
        """Look at `root`, a real path."""
        project = project or ProjectSettings()
        self.root = root
        self.max_file_size_bytes = file_size_limit(project, user or UserSettings())
        self._folders = Folders(root, project)

    def should_index(self, path: str, *, must_exist: bool = True) -> Skipped | None:
        """Say why the file at `path` (relative to the root, POSIX) is not indexed, or return None where it is.

        The one gate by which a path may enter; changes of ignore files and of git's index are seen. With
        `must_exist` false, a file that is not there yet passes by its name (a buffer that was never saved).
        """
        encoded = path.encode("utf-8", "surrogateescape") if _is_encodable(path) else b""
        reason = self._reason(encoded, must_exist=must_exist)
        return Skipped(_printable(encoded), reason) if reason else None

    def _reason(self, path: bytes, *, must_exist: bool) -> str:
        *above, name = path.split(b"/")
        if b"\0" in path or any(part in {b"", b".", b".."} for part in (*above, name)):
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
        return self._judge(folder, name, mode) or self._too_large(size_bytes)

    def scan(
        self,
        cancelled: Callable[[], bool] = lambda: False,
        on_progress: Callable[[int], None] = lambda _found: None,
        *,
        max_files: int | None = None,
    ) -> ScanResult:
        """Walk the whole project; `on_progress` is told how many files are found so far.

        Raise `Stopped` when `cancelled` says so, and `UserError` when the root cannot be listed or holds more than
        `max_files`: half a result would look like a project whose other half was deleted.
        """
        self._folders.forget()
        found: list[Found] = []
        skipped: list[Skipped] = []
        waiting = [self._folders.root()]
        told = 0
        while waiting:
            if cancelled():
                raise Stopped("The scan was stopped.")
            waiting += self._scan_folder(waiting.pop(), found, skipped)
            if len(found) >= told + PROGRESS_EVERY:
                told = len(found)
                on_progress(told)
            if max_files is not None and len(found) > max_files:
                raise UserError(f"{self.root} holds more than {max_files} files; to index it all, name it with --root.")
        on_progress(len(found))
        found.sort(key=lambda each: each.path)
        skipped.sort(key=lambda each: each.path)
        return ScanResult(tuple(found), tuple(skipped))

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
        status = entry.stat(follow_symlinks=False)
        reason = self._too_large(status.st_size)
        return reason or Found(
            folder.shown + entry.name.decode(), status.st_size, status.st_mtime_ns, status.st_ctime_ns
        )

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
        return f"not included: no include of {PROJECT_FILE} matches it"

    def _too_large(self, size_bytes: int) -> str:
        return too_large(size_bytes, self.max_file_size_bytes) if size_bytes > self.max_file_size_bytes else ""


def too_large(size_bytes: int, limit_bytes: int) -> str:
    """Say that a file is over the limit."""
    return f"too large: {size_bytes:,} bytes, the limit is {limit_bytes:,}"


def _is_encodable(path: str) -> bool:
    try:
        path.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return False
    return True


def _printable(path: bytes) -> str:
    """Decode a path for people and JSON: what is not UTF-8 or a control character becomes a backslash escape."""
    text = path.decode("utf-8", "backslashreplace")
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text)
