"""Tell the editors when an answer that they have cites lines that changed: in a file, or in their own unsaved text.

Runs on the event loop; the threads are read beside it. Must not import the hub or what a connection is made of.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from pathlib import Path

from memcache_lsp.editor import Editor
from memcache_lsp.errors import MemcacheError
from memcache_lsp.protocol import spec
from memcache_lsp.recalling import Recalling, cited_to_spec, texts
from memcache_lsp.threads.disk import Kept, Threads
from memcache_lsp.threads.fresh import Standing, TextAt, changed, standing

_log = logging.getLogger(__name__)

CALM_S = 0.1  # after a change, for who types makes many

Told = dict[tuple[str, int], tuple[Standing, ...]]


class Flags:
    """What each session was told, and what is to be looked at for it."""

    def __init__(self, recalling: Recalling, tell: Callable[[int, spec.DidChangeThreadParams], None]) -> None:
        self._recalling = recalling
        self._tell = tell
        self._told: defaultdict[int, Told] = defaultdict(dict)
        self._due: defaultdict[int, set[tuple[Path, str | None]]] = defaultdict(set)
        self._looks: dict[int, asyncio.Task[None]] = {}

    def look(self, session: Editor, root: Path, path: str | None) -> None:
        """Hold the answers that cite a file or a folder, or any of a root, against it, soon."""
        number = session.info.id
        self._due[number].add((root, path))
        if number not in self._looks:
            task = asyncio.get_running_loop().create_task(self._look(session), name=f"flags {number}")
            self._looks[number] = task
            task.add_done_callback(lambda _: self._looks.pop(number, None))

    def forget(self, session_id: int) -> None:
        """Take it that a session has left."""
        if session_id in self._looks:
            self._looks[session_id].cancel()
        self._due.pop(session_id, None)
        self._told.pop(session_id, None)

    async def close(self) -> None:
        """Look no more."""
        looks = list(self._looks.values())
        for look in looks:
            look.cancel()
        await asyncio.gather(*looks, return_exceptions=True)

    async def _look(self, session: Editor) -> None:
        number = session.info.id
        while self._due.get(number):
            await asyncio.sleep(CALM_S)
            due = self._due.pop(number, set())
            text_at = texts(session.buffers)
            try:
                found = await self._recalling.run(partial(_standings, due=due, text_at=text_at))
            except MemcacheError as error:
                _log.warning("no flags: %s", error)
                continue
            self._compare(number, found)

    def _compare(self, number: int, found: Told) -> None:
        """Tell what is otherwise than it was told; of what was never told, that nothing changed is no news."""
        told = self._told[number]
        for (thread_id, turn), standings in found.items():
            now = changed(standings)
            if now == told.get((thread_id, turn), ()):
                continue
            told[thread_id, turn] = now
            turn_id = Kept(thread_id, turn).turn_id
            stale = tuple(map(cited_to_spec, now))
            self._tell(number, spec.DidChangeThreadParams(thread_id=thread_id, turn_id=turn_id, stale=stale))


def _standings(threads: Threads, *, due: set[tuple[Path, str | None]], text_at: TextAt) -> Told:
    found: Told = {}
    for root, path in due:
        for name, cited in threads.citing(str(root), path).items():
            if name not in found:
                found[name] = standing(cited, text_at)
    return found
