"""Read what git keeps about a work tree: ignore files, the way from `.git` to the repository, the index.

Owns these formats and reads the files alone: git itself is never run. Whatever cannot be read or understood counts
as absent. A project is not trusted, so its `.git` leads nowhere but to a repository that knows this work tree. Must not import anything of this package.
"""

# ruff: noqa: PTH114, PTH116, PTH118, PTH120 - paths are bytes here, which pathlib does not know

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MAX_RULES_BYTES = 8 * 1024 * 1024  # no ignore file of a person or a tool has a tenth of it
MAX_INDEX_BYTES = 256 * 1024 * 1024
_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)
_NO_BLOCK = getattr(os, "O_NONBLOCK", 0)
_EXCLUDES_FILE = re.compile(r"\s*excludes_?file\s*=\s*(.*)", re.IGNORECASE)
_WORKTREE = re.compile(r"\s*worktree\s*=\s*(.*)", re.IGNORECASE)
_MAX_POINTER_BYTES = 64 * 1024
_SECTION = re.compile(r"\s*\[\s*([\w.-]+)\s*(\"[^\"]*\")?\s*\]\s*(.*)")
_GITLINK = 0o160000
_EXTENDED = 0x4000
_NAME_MASK = 0xFFF


def read_small(path: bytes | str | Path, *, limit_bytes: int = MAX_RULES_BYTES, follow: bool = False) -> bytes | None:
    """Read a regular file, or return None: no pipe is waited for, and no symbolic link followed unless asked."""
    flags = os.O_RDONLY | _NO_BLOCK | getattr(os, "O_CLOEXEC", 0) | (0 if follow else _NO_FOLLOW)
    try:
        handle = os.open(path, flags)
    except (OSError, ValueError):
        return None
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode) or status.st_size > limit_bytes:
            return None
        data = bytearray()  # bounded as well, for what lies in /proc tells no size
        while len(data) <= limit_bytes and (part := os.read(handle, min(1 << 20, limit_bytes + 1 - len(data)))):
            data += part
        return bytes(data) if len(data) <= limit_bytes else None
    except OSError:
        return None
    finally:
        os.close(handle)


def stamp(path: bytes | str | Path) -> tuple[int, int, int]:
    """Return what changes when a file does; for none, something of its own."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return 0, 0, -1
    return status.st_mtime_ns, status.st_ino, status.st_size


def global_ignore(environment: Mapping[str, str], home: Path) -> tuple[bytes, tuple[Path, ...]]:
    """Read the user's own ignore file: core.excludesFile, or the place where git looks without it.

    Return its text and the files on which that depends.
    """
    configs = Path(environment.get("XDG_CONFIG_HOME") or home / ".config") / "git"
    chosen = configs / "ignore"
    for config in (configs / "config", home / ".gitconfig"):  # the later one wins, as in git
        named = _core_value(read_small(config, follow=True) or b"", _EXCLUDES_FILE)
        if named is not None:
            chosen = home / named[2:] if named.startswith("~/") else Path(named)
    text = read_small(chosen, follow=True) if chosen.is_absolute() else None
    return text or b"", (configs / "config", home / ".gitconfig", chosen)


def _core_value(config: bytes, key: re.Pattern[str]) -> str | None:
    """Return the last value of a key in the section [core] of a git configuration."""
    section, found = "", None
    for raw in config.decode("utf-8", "surrogateescape").splitlines():
        line = raw
        header = _SECTION.fullmatch(line)
        if header:
            section = "" if header[2] else header[1].lower()
            line = header[3]
        entry = key.match(line)
        if entry and section == "core":
            found = _config_value(entry[1])
    return found


def _config_value(text: str) -> str:
    value, quoted, at = "", False, 0
    while at < len(text):
        char = text[at]
        if char == "\\" and at + 1 < len(text):
            at += 1
            value += {"n": "\n", "t": "\t"}.get(text[at], text[at])
        elif char == '"':
            quoted = not quoted
        elif char in "#;" and not quoted:
            break
        else:
            value += char
        at += 1
    return value.strip()


def git_folders(top: bytes) -> tuple[bytes, bytes] | None:
    """Return the folder that holds a work tree's index and the one that holds `info`; None where `top` is no top.

    Where `.git` is a file, it must lead to a repository that leads back here, as linked worktrees and submodules do;
    otherwise both are empty, and nothing of that repository is read.
    """
    own = os.path.join(top, b".git")
    try:
        mode = os.lstat(own).st_mode
    except (OSError, ValueError):
        return None
    pointer = b""
    if stat.S_ISREG(mode):
        pointer = read_small(own, limit_bytes=_MAX_POINTER_BYTES) or b""
        if not pointer.startswith(b"gitdir:"):
            return None
        own = _real(top, pointer[7:].split(b"\n")[0].strip())
    elif not stat.S_ISDIR(mode):
        return None
    if not own or not os.path.lexists(os.path.join(own, b"HEAD")):
        return None
    return _led_back(own, _real(top)) if pointer else (own, own)


def _led_back(own: bytes, top: bytes) -> tuple[bytes, bytes]:
    """Return the folders of the repository at the real path `own` if it names the work tree at the real path `top`."""
    back = _pointer(own, b"gitdir")
    if back:  # own is <repository>/.git/worktrees/<name>
        above, kind = os.path.split(os.path.dirname(own))
        is_linked = kind == b"worktrees" and _real(own, _pointer(own, b"commondir")) == above
        return (own, above) if is_linked and _real(own, back) == os.path.join(top, b".git") else (b"", b"")
    tree = _core_value(read_small(os.path.join(own, b"config")) or b"", _WORKTREE)
    return (own, own) if tree and _real(own, os.fsencode(tree)) == top else (b"", b"")


def _pointer(folder: bytes, name: bytes) -> bytes:
    return (read_small(os.path.join(folder, name), limit_bytes=_MAX_POINTER_BYTES) or b"").strip()


def _real(*parts: bytes) -> bytes:
    try:
        return os.path.realpath(os.path.join(*parts))
    except (OSError, ValueError):  # a NUL
        return b""


def read_exclude(git: bytes) -> bytes | None:
    """Read info/exclude of the repository at `git`, through no symbolic link."""
    info = os.path.join(git, b"info")
    return None if os.path.islink(info) else read_small(os.path.join(info, b"exclude"))


def tracked_paths(index: bytes) -> tuple[frozenset[bytes], frozenset[bytes]]:
    """Return the files of a git index and all folders above them; nothing where the index is not understood."""
    for hash_bytes in (20, 32):
        try:
            entries = list(_entries(index, hash_bytes))
        except (ValueError, IndexError):
            continue
        files = frozenset(path for path, mode in entries if mode != _GITLINK)
        folders = {path for path, mode in entries if mode == _GITLINK}
        for path, _ in entries:
            folder = path.rpartition(b"/")[0]
            while folder and folder not in folders:
                folders.add(folder)
                folder = folder.rpartition(b"/")[0]
        return files, frozenset(folders)
    return frozenset(), frozenset()


def _entries(index: bytes, hash_bytes: int) -> Iterator[tuple[bytes, int]]:
    """Walk the entries of index versions 2 to 4 (git's Documentation/gitformat-index)."""
    version = int.from_bytes(index[4:8], "big")
    if index[:4] != b"DIRC" or version not in {2, 3, 4}:
        raise ValueError("no git index of a known version")
    at, name = 12, b""
    for _ in range(int.from_bytes(index[8:12], "big")):
        flags_at = at + 40 + hash_bytes
        mode = int.from_bytes(index[at + 24 : at + 28], "big")
        flags = int.from_bytes(index[flags_at : flags_at + 2], "big")
        start = flags_at + (4 if version > 2 and flags & _EXTENDED else 2)
        if version == 4:
            kept, start = _kept_bytes(index, start)
            if kept > len(name):
                raise ValueError("a name is cut by more than it has")
            name = name[: len(name) - kept]
        else:
            name = b""
        end = index.index(b"\0", start)
        name += index[start:end]
        if min(len(name), _NAME_MASK) != flags & _NAME_MASK:
            raise ValueError("a name has not the length its entry says")
        yield name, mode
        at = end + 1 if version == 4 else at + (end - at + 8) // 8 * 8


def _kept_bytes(index: bytes, at: int) -> tuple[int, int]:
    """Read the offset encoding of pack files, which version 4 uses for the bytes to drop from the name before."""
    value = index[at] & 0x7F
    while index[at] & 0x80:
        at += 1
        value = ((value + 1) << 7) | (index[at] & 0x7F)
    return value, at + 1
