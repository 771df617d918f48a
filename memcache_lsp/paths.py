"""Where things lie: the program's own folders, the root of a project, the folder of its index.

Owns every path outside a project. Must not read settings or import any other part but errors; platformdirs is
loaded only when a folder is asked for. Folders of the program are created with mode 0700.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

from memcache_lsp.errors import UserError

APP = "memcache-lsp"
FORMAT_VERSION = 1  # of what lies in an index folder; a new number starts afresh beside the old one
HOME_VARIABLE = "MEMCACHE_HOME"
PROJECT_SETTINGS, USER_SETTINGS = "memcache.toml", "config.toml"

_ROOT_MARKS = (".git", ".hg", ".svn", ".jj", ".memcacheignore", PROJECT_SETTINGS)


def cache_dir() -> Path:
    """Return the folder for what can be made again: indexes and vectors."""
    return _own_folder("cache")


def data_dir() -> Path:
    """Return the folder for models."""
    return _own_folder("data")


def state_dir() -> Path:
    """Return the folder for logs."""
    return _own_folder("state")


def runtime_dir() -> Path:
    """Return the folder for the socket and locks."""
    return _own_folder("runtime")


def config_dir() -> Path:
    """Return the folder of the user's settings."""
    return _own_folder("config")


def has_settings(root: Path | None) -> bool:
    """Tell whether there are settings to be read, the user's or a project's."""
    places = [config_dir() / USER_SETTINGS, *([root / PROJECT_SETTINGS] if root else [])]
    return any(map(os.path.lexists, places))


def index_dir(root: Path, part: str = "", *, is_real: bool = False) -> Path:
    """Return the folder of a root's index (made by who writes it), the same for every way of naming that root.

    With `part` it is that of some files of the root, which are indexed apart from it. Where the root `is_real` already,
    its disk is not asked.
    """
    import hashlib  # noqa: PLC0415 - most commands leave that to the daemon

    real = os.fsencode(root if is_real else os.path.realpath(root))
    slug = re.sub(r"[^A-Za-z0-9._-]+", "-", Path(os.fsdecode(real)).name).strip("-.")[:40] or "root"
    key = hashlib.blake2b(real + (b"\0" + part.encode() if part else b""), digest_size=8).hexdigest()
    return cache_dir() / "indexes" / str(FORMAT_VERSION) / f"{slug}-{key}"


def project_root(start: Path) -> Path:
    """Return the nearest folder from `start` upwards that looks like the root of a project, else `start` itself."""
    start = start.resolve()
    for folder in (start, *start.parents):
        if any(os.path.lexists(folder / mark) for mark in _ROOT_MARKS):
            return folder
    return start


def check_root(path: Path, *, explicit: bool) -> Path:
    """Return the real path of a root that can be indexed, or tell in one sentence why it cannot.

    `explicit` says that the user named the folder; the home folder and the root of the file system need that.
    """
    try:
        root = path.expanduser().resolve(strict=True)
        names = os.scandir(root)
    except FileNotFoundError:
        raise UserError(f"There is no folder {path}; name an existing one with --root.") from None
    except NotADirectoryError:
        raise UserError(f"{path} is a file; name the folder that holds it with --root.") from None
    except PermissionError:
        raise UserError(
            f"The folder {path} cannot be read; change its permissions or name another with --root."
        ) from None
    except (OSError, RuntimeError, ValueError) as error:  # a loop of links is a RuntimeError in Python 3.11
        raise UserError(f"The folder {path} cannot be opened ({error}); name another with --root.") from None
    names.close()
    if not explicit and root in {Path(root.anchor), _home()}:
        raise UserError(
            f"{root} holds more than one project: open one of them, or have all of it indexed by name, with "
            f"`memcache-lsp index --root {root}` or, in an editor, the command memcache.index and its root."
        )
    return root


def replace_file(path: Path, data: bytes, *, durable: bool = False) -> None:
    """Put a file that only its user can read in the place of another, whole or not at all; OSError where that cannot be.

    With `durable` it is on the disk before it takes the place.
    """
    import tempfile  # noqa: PLC0415 - seldom needed, and this module is always

    handle, new = tempfile.mkstemp(dir=path.parent, prefix=f"{path.stem[:40]}-", suffix=".new")  # mode 0600
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        Path(new).replace(path)
    except BaseException:
        Path(new).unlink(missing_ok=True)
        raise


def _home() -> Path:
    return Path(os.path.realpath(os.path.expanduser("~")))  # noqa: PTH111 - Path.home() raises where a user has none


def _own_folder(kind: str) -> Path:
    override = os.environ.get(HOME_VARIABLE)
    if override:
        return _private(Path(os.path.abspath(override)) / kind)  # noqa: PTH100 - resolve() would follow links
    if kind == "runtime" and sys.platform == "linux":
        base = os.environ.get("XDG_RUNTIME_DIR", "")
        if os.access(base, os.W_OK):
            return _private(Path(base) / APP)
        return _private(_own_folder("state") / "run")  # not in /tmp, where others could be there first
    import platformdirs  # noqa: PLC0415 - most of its cost is paid by who needs a folder

    folders = platformdirs.PlatformDirs(APP, appauthor=False)
    return _private(Path(getattr(folders, f"user_{kind}_dir")))


def _private(folder: Path) -> Path:
    try:
        folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder.mkdir(exist_ok=True, mode=0o700)
        status = folder.stat()
        if hasattr(os, "geteuid") and status.st_uid != os.geteuid():
            raise UserError(
                f"The folder {folder} belongs to another user; set {HOME_VARIABLE} to a folder of your own."
            )
        if status.st_mode & 0o077:
            folder.chmod(0o700)
    except OSError as error:
        why = error.strerror or str(error)
        raise UserError(
            f"The folder {folder} cannot be made ({why}); set {HOME_VARIABLE} to a folder you can write to."
        ) from error
    return folder
