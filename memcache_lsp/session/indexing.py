"""Own how indexing is shown in the editor: a progress bar for each root, begun by us.

A bar is begun for what lasts, never goes back, can be cancelled, and always ends. Must not import the engine.
"""

from __future__ import annotations

import asyncio
import itertools
import os
from dataclasses import dataclass
from pathlib import Path

from memcache_lsp.protocol.spec import IndexParams
from memcache_lsp.session.backend import IndexProgress
from memcache_lsp.session.connection import ClientError
from memcache_lsp.session.context import Context
from memcache_lsp.session.uris import from_path

LASTS_S = 1.0  # work that is over before is not shown: a save is none of the user's business
MANY_FILES = 200  # that last for sure


@dataclass(slots=True)
class _Bar:
    token: str
    latest: IndexProgress
    timer: asyncio.TimerHandle | None = None  # until it is begun
    shown: bool = False  # begun and not ended
    percent: int = 0


class IndexingBars:
    """The bars of one editor."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._numbers = itertools.count(1)
        self._bars: dict[Path, _Bar] = {}

    def update(self, progress: IndexProgress) -> None:
        """Take the progress of a root."""
        bar = self._bars.get(progress.root)
        if bar is not None:
            bar.latest = progress
            self._report(bar)
        elif self._context.client.takes_progress and not progress.finished:
            bar = _Bar(f"memcache/indexing/{os.getpid()}/{self._context.id}/{next(self._numbers)}", progress)
            self._bars[progress.root] = bar
            bar.timer = asyncio.get_running_loop().call_later(LASTS_S, self._show, bar)
        if bar is not None and progress.total - progress.done >= MANY_FILES:
            self._show(bar)
        if progress.finished:
            self._forget(progress.root)

    async def cancel(self, token: str | int) -> None:
        """Stop what a bar shows, since the user said so."""
        bar = next((bar for bar in self._bars.values() if bar.token == token), None)
        if bar is not None:  # it stays known until its work ends, so that no second one begins for it
            self._end(bar)
            await self._context.backend.index(
                self._context.id, IndexParams(action="cancel", root=from_path(bar.latest.root))
            )

    def close(self) -> None:
        """End every bar."""
        for root in list(self._bars):
            self._end(self._bars[root])
            self._forget(root)

    def _forget(self, root: Path) -> None:
        bar = self._bars.pop(root, None)
        if bar is not None and bar.timer is not None:
            bar.timer.cancel()

    def _show(self, bar: _Bar) -> None:
        if bar.timer is not None:
            bar.timer.cancel()
            bar.timer = None
            self._context.connection.spawn(self._begin(bar))

    async def _begin(self, bar: _Bar) -> None:
        try:
            await self._context.connection.ask("window/workDoneProgress/create", {"token": bar.token})
        except ClientError:
            return
        if self._bars.get(bar.latest.root) is not bar:  # it was over before the editor could show it
            return
        bar.shown = True
        title = f"Indexing {bar.latest.root.name or bar.latest.root}"
        self._context.progress(bar.token, {"kind": "begin", "title": title, "cancellable": True, "percentage": 0})
        self._report(bar)

    def _report(self, bar: _Bar) -> None:
        if not bar.shown:
            return
        if bar.latest.finished:
            self._end(bar)
            return
        done, total = bar.latest.done, bar.latest.total
        percent = min(100, done * 100 // total) if total else 0
        if percent > bar.percent:
            bar.percent = percent
            value = {
                "kind": "report",
                "message": f"{done} of {total} files",
                "percentage": percent,
                "cancellable": True,
            }
            self._context.progress(bar.token, value, droppable=True)

    def _end(self, bar: _Bar) -> None:
        if bar.shown:
            bar.shown = False
            self._context.progress(bar.token, {"kind": "end"})
