"""What the handlers of one connection share: its facts, its buffers, its backend.

Made when the client initializes. Must not import the engine.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from memcache_lsp.protocol.parts import ProgressToken
from memcache_lsp.session.backend import Backend
from memcache_lsp.session.client import Client
from memcache_lsp.session.connection import ClientError, Connection
from memcache_lsp.session.documents import Documents
from memcache_lsp.session.settings import SessionSettings

MAX_FOLDERS = 4096  # that are remembered, for others may be removed
MAX_ROOTS = 64  # of one session; each has a watcher and threads of its own
ERROR, WARNING, INFO, LOG = 1, 2, 3, 4  # MessageType of LSP


def _set() -> asyncio.Event:
    event = asyncio.Event()
    event.set()
    return event


@dataclass(slots=True)
class Context:
    """One session; `folders`, `settings` and `trace` change while it lasts."""

    id: int
    backend: Backend
    connection: Connection
    client: Client
    documents: Documents
    folders: tuple[Path, ...]  # as the editor told them
    settings: SessionSettings = field(default_factory=SessionSettings)
    trace: str = "off"
    problems: list[str] = field(default_factory=list)  # found before anything may be shown
    told: set[str] = field(default_factory=set)  # problems that the user knows of
    sends_roots: bool = False  # somebody does already
    roots_known: asyncio.Event = field(default_factory=_set)  # to the backend, all of them
    shown_later: dict[str, asyncio.Task[None]] = field(default_factory=dict)  # answers being made, by their bar's token

    @property
    def roots(self) -> tuple[Path, ...]:
        """Return the folders that are served: the first of very many."""
        return self.folders[:MAX_ROOTS]

    def warn_of_many(self) -> None:
        """Show the user that not all folders are served, where it is so."""
        if len(self.folders) > MAX_ROOTS:
            self.warn(f"Only the first {MAX_ROOTS} workspace folders are indexed: open fewer, or one that they lie in.")

    async def send_roots(self) -> None:
        """Tell the backend of the roots, in the order in which they changed."""
        if self.sends_roots:
            return
        self.sends_roots, sent = True, None
        self.roots_known.clear()
        try:
            while sent != self.roots:
                sent = self.roots
                await self.backend.set_roots(self.id, sent)
        finally:
            self.sends_roots = False
            self.roots_known.set()

    def log(self, kind: int, message: str) -> None:
        """Write a line into the editor's log."""
        self.connection.notify("window/logMessage", {"type": kind, "message": message}, droppable=True)

    def warn(self, problem: str) -> None:
        """Show the user a problem, once."""
        if problem not in self.told and len(self.told) < 100:
            self.told.add(problem)
            self.message(WARNING, f"memcache-lsp: {problem}")

    def note(self, remark: str) -> None:
        """Write a remark into the editor's log, once."""
        if remark not in self.told and len(self.told) < 100:
            self.told.add(remark)
            self.log(INFO, f"memcache-lsp: {remark}")

    def message(self, kind: int, text: str) -> None:
        """Show the user a text."""
        self.connection.notify("window/showMessage", {"type": kind, "message": text})

    def progress(self, token: ProgressToken, value: dict[str, Any], *, droppable: bool = False) -> None:
        """Send a progress value on a token."""
        self.connection.notify("$/progress", {"token": token, "value": value}, droppable=droppable)

    @asynccontextmanager
    async def work(self, token: ProgressToken | None, title: str) -> AsyncGenerator[Work]:
        """Show the body's work on the client's token, where it gave one; it ends whatever happens."""
        work = Work(self, token)
        if token is not None:
            cancellable = token in self.shown_later  # else the client knows which request it is
            self.progress(token, {"kind": "begin", "title": title, "cancellable": cancellable, "percentage": 0})
        try:
            yield work
        finally:
            if token is not None:
                self.progress(token, {"kind": "end"})

    async def show(self, uri: str) -> bool:
        """Ask the editor to open a document; tell whether it did."""
        if not self.client.shows_documents:
            return False
        try:
            answer = await self.connection.ask("window/showDocument", {"uri": uri, "takeFocus": True})
        except ClientError:
            return False
        return isinstance(answer, dict) and answer.get("success") is True


class Work:
    """Work that is shown on a token of the client's, or not shown where it gave none."""

    def __init__(self, context: Context, token: ProgressToken | None) -> None:
        self._context = context
        self._token = token
        self._percent = 0

    def report(self, message: str, percent: int) -> None:
        """Tell how far it is; what was told before is never taken back."""
        self._percent = max(self._percent, min(100, percent))
        if self._token is not None:
            value = {"kind": "report", "message": message, "percentage": self._percent}
            self._context.progress(self._token, value, droppable=True)
