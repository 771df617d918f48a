"""The summaries of files, each beside the index that the file is in: asked for again they are there, whatever threads are.

Owns their files, one a summed-up file, named by a hash of its path, with the name of all that the answer was made of: of a
file that changed it is another one, and the new summary takes the place of the old. They go with their index, and with
the thread that they were written in where a user deletes that. Must not import a database, a session or the engine.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
from pathlib import Path
from typing import Final

from memcache_lsp import paths
from memcache_lsp.caches import Registry
from memcache_lsp.threads.records import Turn, packed, unpacked

_log = logging.getLogger(__name__)

FORMAT_VERSION: Final = 1
MOST: Final = 1000  # of one index; the oldest go first


def folders_of(root: Path, path: str) -> list[Path]:
    """Return where the summary of a file may be kept, the first for a new one; none where it is in no index that lies here.

    Of a single file of a cache that is beside the cache's index, with which it is forgotten, whatever project its folder is.
    """
    ground = Registry().read().ground_at(root / path)
    places = [paths.index_dir(root, part) for part in dict.fromkeys((ground.part if ground else "", ""))]
    return [folder / f"summaries-{FORMAT_VERSION}" for folder in places if (folder / "manifest.sqlite").exists()]


def read(root: Path, path: str, key: str) -> Turn | None:
    """Return the summary of a file that was made of what `key` names, None where there is none."""
    for folder in folders_of(root, path):
        try:
            name, _, data = (folder / _name(path)).read_bytes().partition(b"\n")
            if name == key.encode():
                return unpacked(data)
        except FileNotFoundError:
            continue
        except (OSError, ValueError, KeyError, TypeError) as error:
            _log.warning("a summary cannot be read and is made again: %s", type(error).__name__)
    return None


def write(root: Path, path: str, key: str, turn: Turn) -> None:
    """Keep the summary of a file in place of an earlier one; where that cannot be, it is made again the next time."""
    folders = folders_of(root, path)
    if not folders:
        return
    folder, *others = folders
    try:
        for other in others:
            (other / _name(path)).unlink(missing_ok=True)
        folder.mkdir(exist_ok=True, mode=0o700)
        paths.replace_file(folder / _name(path), key.encode() + b"\n" + packed(turn))
        kept = sorted(folder.iterdir(), key=lambda each: each.stat().st_mtime_ns)
        for old in kept[:-MOST]:
            old.unlink(missing_ok=True)
    except OSError as error:
        _log.warning("a summary is not kept: %s", type(error).__name__)


def forget(root: Path, path: str, key: str) -> None:
    """Delete the summary of a file that was made of what `key` names; OSError where that cannot be."""
    for folder in folders_of(root, path):
        with contextlib.suppress(FileNotFoundError):
            file = folder / _name(path)
            if file.read_bytes().partition(b"\n")[0] == key.encode():
                file.unlink(missing_ok=True)


def _name(path: str) -> str:
    return hashlib.blake2b(path.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
