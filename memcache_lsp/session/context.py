"""What the handlers of one connection share: its facts, its buffers, its backend.

Made when the client initializes. Must not import the engine.
"""

from __future__ import annotations

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

WARNING, INFO, LOG = 2, 3, 4  # MessageType of LSP


@dataclass(slots=True)
class Context:
    """One session; `roots`, `settings` and `trace` change while it lasts."""

    id: int
    backend: Backend
    connection: Connection
    client: Client
    documents: Documents
    roots: tuple[Path, ...]
    settings: SessionSettings = field(default_factory=SessionSettings)
    trace: str = "off"
    problems: list[str] = field(default_factory=list)  # found before anything may be shown
    told: set[str] = field(default_factory=set)  # problems that the user knows of
    sends_roots: bool = False  # somebody does already

    async def send_roots(self) -> None:
        """Tell the backend of the roots, in the order in which they changed."""
        if self.sends_roots:
            return
        self.sends_roots, sent = True, None
        try:
            while sent != self.roots:
                sent = self.roots
                await self.backend.set_roots(self.id, sent)
        finally:
            self.sends_roots = False

    def log(self, kind: int, message: str) -> None:
        """Write a line into the editor's log."""
        self.connection.notify("window/logMessage", {"type": kind, "message": message}, droppable=True)

    def warn(self, problem: str) -> None:
        """Show the user a problem, once."""
        if problem not in self.told and len(self.told) < 100:
            self.told.add(problem)
            self.connection.notify("window/showMessage", {"type": WARNING, "message": f"memcache-lsp: {problem}"})

    def progress(self, token: ProgressToken, value: dict[str, Any], *, droppable: bool = False) -> None:
        """Send a progress value on a token."""
        self.connection.notify("$/progress", {"token": token, "value": value}, droppable=droppable)

    @asynccontextmanager
    async def work(self, token: ProgressToken | None, title: str) -> AsyncGenerator[Work]:
        """Show the body's work on the client's token, where it gave one; it ends whatever happens."""
        work = Work(self, token)
        if token is not None:
            self.progress(token, {"kind": "begin", "title": title, "cancellable": False, "percentage": 0})
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
