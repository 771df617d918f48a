"""What one session has open: its roots, its unsaved buffers, and whose turn it is when it asks for much.

A root is known by its real path; the session names it as its editor does, which may be through a link. Must not import
the engine or what a connection is made of.
"""

from __future__ import annotations

import asyncio
import os
from collections import defaultdict
from collections.abc import Callable, Coroutine, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from memcache_lsp.documents import read_document
from memcache_lsp.errors import UserError
from memcache_lsp.languages import is_container
from memcache_lsp.overlay import Overlay
from memcache_lsp.protocol.parts import Origin
from memcache_lsp.session.backend import SessionInfo
from memcache_lsp.session.uris import from_path, to_path
from memcache_lsp.texts import text_now
from memcache_lsp.values import Document, Found

_AT_ONCE = 2  # pieces of work of one session in one queue: what others ask there comes in between
_MOST_FOLDERS = 4096  # of open documents that are remembered
_LOOK_S = 2.0  # for where a link leads; a file system that does not answer has its names taken as they are

# Of its own, so that a file system that does not answer keeps nothing else from a thread.
_lookers = ThreadPoolExecutor(4, thread_name_prefix="links")

T = TypeVar("T")
CacheOf = Callable[[Path], str | None]  # names the cache that a root is of


@dataclass(slots=True)
class Editor:
    """A session as the engine sees it."""

    info: SessionInfo
    in_cache: Callable[[Path], tuple[Path, str] | None] = lambda _path: None  # where a real path lies in a cache
    folders: dict[Path, Path] = field(default_factory=dict)  # by root, as the editor names it
    buffers: dict[Path, str] = field(default_factory=dict)  # by real path
    last_read: tuple[int, int] | None = None  # by its latest answer: hits, of how many
    overlays: dict[Path, Overlay] = field(default_factory=dict)  # by root
    changes: int = 0  # of the buffers
    turns: defaultdict[Path, asyncio.Semaphore] = field(
        default_factory=lambda: defaultdict(lambda: asyncio.Semaphore(_AT_ONCE))
    )
    _seen: dict[Path, Path] = field(default_factory=dict)  # the real path of each folder that documents were opened in
    _texts: dict[Path, str] = field(default_factory=dict)  # the buffers, as the editor names them

    @property
    def roots(self) -> tuple[Path, ...]:
        """Return the real paths of the roots."""
        return tuple(self.folders)

    async def in_turn(self, queue: Path, work: Coroutine[object, object, T]) -> T:
        """Do what takes a thread, named by its root, when few other pieces of work of this session are in its queue."""
        with closing(work):  # where it is cancelled before it has begun
            async with self.turns[queue]:
                return await work

    async def take_roots(self, folders: Sequence[Path]) -> None:
        """Take the present roots, as the editor names them; the buffers lie above them."""
        real = await asyncio.gather(*(_real(folder) for folder in folders))
        self.folders = {}
        for root, folder in zip(real, folders, strict=True):
            self.folders.setdefault(root, folder)
        self._lay()

    def take_buffer(self, path: Path, text: str | None) -> bool:
        """Take the present text of an open file, None once it is closed; return whether `learn` knows more of it."""
        if text is None:
            self._texts.pop(path, None)
        else:
            self._texts[path] = text
        self.changes += 1
        self._put(self.real(path), text)
        return text is not None and path.parent not in self._seen

    async def learn(self, path: Path) -> Path:
        """Look where a document lies, whose folder may be reached through a link; return its real path."""
        folder = path.parent
        if folder not in self._seen:
            real = await _real(folder)
            moved = real != self.real(path).parent
            if len(self._seen) >= _MOST_FOLDERS:
                self._seen.clear()
            self._seen[folder] = real
            if moved:
                self._lay()
        return self.real(path)

    def real(self, path: Path) -> Path:
        """Return where a document lies, as far as is known; looks at no disk."""
        if (seen := self._seen.get(path.parent)) is not None:
            return seen / path.name
        for root, folder in self.folders.items():
            if (below := _below(path, folder)) is not None:
                return root / below
        return path

    def within(self, path: Path) -> Iterator[tuple[Path, str]]:
        """Return each root that a real path lies in, and the path below it; the root itself is `.`."""
        for root in self.folders:
            if (below := _below(path, root)) is not None:
                yield root, below

    def uri_of(self, path: Path) -> str:
        """Return the URI of a real path as the editor names it."""
        for root, below in self.within(path):
            return from_path(self.folders[root] / below)
        return from_path(path)

    def origin_of(self, path: Path) -> Origin:
        """Tell whether a real path is read as the editor has it."""
        return "buffer" if path in self.buffers else "index"

    def overlay_of(self, root: Path) -> Overlay:
        """Return the open documents that lie above what is indexed of a folder, which need be none of the roots."""
        overlay = self.overlays.get(root)
        if overlay is None:
            overlay = self.overlays[root] = Overlay()
            for path, text in self.buffers.items():
                if (below := _below(path, root)) is not None:
                    overlay.put(below, text)
        return overlay

    def root_of(self, uri: str) -> Path | None:
        """Return which root a URI names, by the editor's name or the real one."""
        path = to_path(uri)
        return next((root for root, folder in self.folders.items() if path in {root, folder}), None)

    def _lay(self) -> None:
        """Lay the buffers anew above the roots."""
        self.changes += 1
        self.buffers = {}
        self.overlays = {root: Overlay() for root in self.folders}
        for path, text in self._texts.items():
            self._put(self.real(path), text)

    def _put(self, real: Path, text: str | None) -> None:
        if text is None:
            self.buffers.pop(real, None)
        else:
            self.buffers[real] = text
        for root, overlay in self.overlays.items():
            if (below := _below(real, root)) is not None:
                overlay.put(below, text)

    async def placed(self, uri: str) -> tuple[Path, str]:
        """Return the root that a document lies in, or else a cache's, and its path below it; UserError where it lies in none."""
        path = to_path(uri)
        if path is not None:
            for place in (self.real(path), await self.learn(path)):
                for found in self.within(place):
                    return found
            if (cached := self.in_cache(self.real(path))) is not None:
                return cached
        raise UserError("It lies in none of the folders that are open here: open its folder to have it indexed.")

    async def text_of(self, root: Path, path: str) -> str:
        """Return a document as the editor has it, else as it is on disk; UserError where it holds no text."""
        text = self.buffers.get(root / path)
        return await asyncio.to_thread(_text_on_disk, root, path) if text is None else text


async def _real(path: Path) -> Path:
    """Return where a path leads, itself if its file system does not tell in time."""
    looking = asyncio.get_running_loop().run_in_executor(_lookers, os.path.realpath, path)
    try:
        async with asyncio.timeout(_LOOK_S):
            return Path(await looking)
    except TimeoutError:
        return path


def _below(path: Path, folder: Path) -> str | None:
    """Return a path below a folder with `/` between its parts, `.` for the folder, None where it is not below."""
    name, above = path.as_posix(), folder.as_posix()
    if name == above:
        return "."
    above = above.rstrip("/") + "/"
    return name[len(above) :] if name.startswith(above) else None


def _text_on_disk(root: Path, path: str) -> str:
    if is_container(path) and (text := text_now(root, path)):
        return text
    document = read_document(root, Found(path, 0, 0)).document
    if not isinstance(document, Document):
        why = document.reason if document else "there is no text in it"
        raise UserError(f"This document cannot be compared with others: {why}.")
    return document.text
