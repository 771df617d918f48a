"""What one session has open: its roots, its unsaved buffers, and whose turn it is when it asks for much.

Must not import the engine or what a connection is made of.
"""

from __future__ import annotations

import asyncio
import os
from collections import defaultdict
from collections.abc import Coroutine, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from memcache_lsp.documents import read_document
from memcache_lsp.errors import UserError
from memcache_lsp.overlay import Overlay
from memcache_lsp.session.backend import SessionInfo
from memcache_lsp.session.uris import to_path
from memcache_lsp.values import Found, Skipped

_AT_ONCE = 2  # pieces of work of one session in one queue: what others ask there comes in between

T = TypeVar("T")


@dataclass(slots=True)
class Editor:
    """A session as the engine sees it."""

    info: SessionInfo
    roots: tuple[Path, ...] = ()
    buffers: dict[Path, str] = field(default_factory=dict)
    overlays: dict[Path, Overlay] = field(default_factory=dict)  # by root
    changes: int = 0  # of the buffers
    turns: defaultdict[Path, asyncio.Semaphore] = field(
        default_factory=lambda: defaultdict(lambda: asyncio.Semaphore(_AT_ONCE))
    )

    async def in_turn(self, queue: Path, work: Coroutine[object, object, T]) -> T:
        """Do what takes a thread, named by its root, when few other pieces of work of this session are in its queue."""
        with closing(work):  # where it is cancelled before it has begun
            async with self.turns[queue]:
                return await work

    def take_roots(self, roots: Sequence[Path]) -> None:
        """Take the present roots; the buffers lie above them."""
        self.roots = tuple(dict.fromkeys(Path(os.path.realpath(root)) for root in roots))
        self.overlays = {root: Overlay() for root in self.roots}
        for path, text in self.buffers.items():
            self._overlay(path, text)

    def take_buffer(self, path: Path, text: str | None) -> None:
        """Take the present text of an open file, None once it is closed."""
        real = real_path(path)
        self.changes += 1
        if text is None:
            self.buffers.pop(real, None)
        else:
            self.buffers[real] = text
        self._overlay(real, text)

    def _overlay(self, path: Path, text: str | None) -> None:
        for root, overlay in self.overlays.items():
            if path.is_relative_to(root):
                overlay.put(path.relative_to(root).as_posix(), text)

    def placed(self, uri: str) -> tuple[Path, str]:
        """Return the root that a document lies in, and its path below it; UserError where it lies in none."""
        path = to_path(uri)
        for place in (path, path and real_path(path)):
            for root in self.roots:
                if place and place.is_relative_to(root):
                    return root, place.relative_to(root).as_posix()
        raise UserError("It lies in none of the folders that are open here: open its folder to have it indexed.")

    async def text_of(self, root: Path, path: str) -> str:
        """Return a document as the editor has it, else as it is on disk; UserError where it holds no text."""
        text = self.buffers.get(root / path)
        return await asyncio.to_thread(_text_on_disk, root, path) if text is None else text


def real_path(path: Path) -> Path:
    """Return where a file lies, which itself may be a link."""
    return Path(os.path.realpath(path.parent)) / path.name


def _text_on_disk(root: Path, path: str) -> str:
    document = read_document(root, Found(path, 0, 0)).document
    if isinstance(document, Skipped):
        raise UserError(f"This document cannot be compared with others: {document.reason}.")
    return document.text
