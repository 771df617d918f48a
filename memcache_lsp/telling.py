"""What sessions are told without asking: progress, health, new pages of reading folders, answers that went stale.

Owns the listeners, and what each session heard last, so that nothing is told twice. Runs on the event loop. Must not
import the hub or what a connection is made of.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from memcache_lsp.editor import Editor
from memcache_lsp.intents import title_of
from memcache_lsp.keeper import Keeper
from memcache_lsp.protocol import parts, spec
from memcache_lsp.session.backend import IndexProgress, News
from memcache_lsp.texts import shown_now

LASTS_S = 1.0  # indexing that is over before is told to nobody

Listener = Callable[[News], None]


class Telling:
    """Tell sessions; `keepers_of` returns those of a session's own roots, `names` what caches are called by root."""

    def __init__(
        self,
        sessions: Mapping[int, Editor],
        *,
        keepers_of: Callable[[Editor], Sequence[Keeper]],
        names: Callable[[], Mapping[Path, str]],
    ) -> None:
        self._sessions = sessions
        self._keepers_of = keepers_of
        self._names = names
        self._listeners: dict[int, Listener] = {}
        self._healths: dict[int, spec.DidChangeStatusParams] = {}  # as they were told last
        self._waiting: set[int] = set()  # sessions that are told of indexing if it lasts
        self._tasks: set[asyncio.Task[None]] = set()

    def subscribe(self, session_id: int, listener: Listener) -> None:
        """Tell the listener from now on, which may be before there is a session: so it hears of the beginning."""
        self._listeners[session_id] = listener

    def forget(self, session_id: int) -> None:
        """Tell a session nothing more."""
        self._listeners.pop(session_id, None)
        self._healths.pop(session_id, None)

    async def close(self) -> None:
        """Wait until all is told."""
        await asyncio.gather(*self._tasks)

    def of_keeper(self, keeper: Keeper) -> None:
        """Tell whoever uses a root that its state or its progress changed, and what it has newly read."""
        finished = keeper.state != "indexing"
        progress = IndexProgress(keeper.root, keeper.progress.done, keeper.progress.total, finished)
        for session_id in keeper.users:
            if listener := self._listeners.get(session_id):
                listener(progress)
            if finished:
                self._tell_health(session_id)
            elif session_id not in self._waiting:
                self._waiting.add(session_id)
                asyncio.get_running_loop().call_later(LASTS_S, self._still_at_it, session_id)
        if news := keeper.take_news():
            task = asyncio.create_task(self._tell_read(keeper, news))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def of_thread(self, session_id: int, news: spec.DidChangeThreadParams) -> None:
        """Tell a session how the answers of a thread stand."""
        if listener := self._listeners.get(session_id):
            listener(news)

    def health(self, session: Editor) -> spec.DidChangeStatusParams:
        """Return how things are, as far as it concerns a session."""
        keepers = self._keepers_of(session)
        messages = [keeper.message for keeper in keepers if keeper.message]
        return spec.DidChangeStatusParams(
            health=_level(keepers),
            quiescent=all(keeper.quiescent for keeper in keepers),
            message=" ".join(messages) or None,
        )

    def _still_at_it(self, session_id: int) -> None:
        self._waiting.discard(session_id)
        self._tell_health(session_id)

    def _tell_health(self, session_id: int) -> None:
        """Tell a session how things are, unless it knows."""
        session, listener = self._sessions.get(session_id), self._listeners.get(session_id)
        if session is None or listener is None:
            return
        health = self.health(session)
        if health != self._healths.get(session_id):
            self._healths[session_id] = health
            listener(health)

    async def _tell_read(self, keeper: Keeper, found: Sequence[str]) -> None:
        """Tell whoever uses a reading folder of the documents that it took in."""
        name = self._names().get(keeper.root)
        for path in found if name else ():
            title = await asyncio.to_thread(_title, keeper.root, path)
            for session_id in keeper.users:
                if listener := self._listeners.get(session_id):
                    uri = self._sessions[session_id].uri_of(keeper.root / path)
                    listener(spec.DidReadDocumentParams(cache=name or "", uri=uri, title=title))


def _level(keepers: Sequence[Keeper]) -> parts.Health:
    if any(keeper.state == "failed" for keeper in keepers):
        return "error"
    return "warning" if any(keeper.message for keeper in keepers) else "ok"


def _title(root: Path, path: str) -> str | None:
    shown = shown_now(root, path)
    return None if shown is None else title_of(path, shown)
