"""What was drawn on for a question a moment ago, for the same question while nothing has changed.

A search takes most of the time in which an answer that was kept comes again. Only for looking whether there is one: what
a model is to read is always searched for anew. Runs on the event loop. Must not import the hub.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace

from memcache_lsp.drawing import Drawn, draw
from memcache_lsp.editor import Editor
from memcache_lsp.keeper import Keeper
from memcache_lsp.protocol import spec
from memcache_lsp.protocol.codec import to_json
from memcache_lsp.threads.asked import Before

_MOST = 64  # questions, with some hits each

Stamp = tuple[int, ...]


class Recent:
    """The latest questions with what was found for them, and when that was true."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, tuple[Stamp, Drawn]] = OrderedDict()

    async def draw(self, session: Editor, keepers: Sequence[Keeper], params: spec.AskParams, thread: Before) -> Drawn:
        """Find what an answer may draw on, and remember it where every change would be heard of."""
        stamp = _stamp(session, keepers)
        drawn = await draw(session, keepers, params, thread)
        if stamp and stamp == _stamp(session, keepers):
            self._known[_key(session, params, thread)] = stamp, drawn
            while len(self._known) > _MOST:
                self._known.popitem(last=False)
        return drawn

    def known(self, session: Editor, keepers: Sequence[Keeper], params: spec.AskParams, thread: Before) -> Drawn | None:
        """Return what was found for the same, if nothing has changed since."""
        key = _key(session, params, thread)
        stamp, drawn = self._known.get(key, ((), None))
        if drawn is None or stamp != _stamp(session, keepers):
            return None
        self._known.move_to_end(key)
        return drawn


def _key(session: Editor, params: spec.AskParams, thread: Before) -> str:
    asked = to_json(replace(params, partial_result_token=None, work_done_token=None))
    where = [[path, place.root, place.path] for path, place in thread.places]
    return json.dumps([session.info.id, asked, where, [str(root) for root in session.roots]])


def _stamp(session: Editor, keepers: Sequence[Keeper]) -> Stamp:
    """Return a number for all that a search depends on, nothing where a change may go unheard."""
    if not all(keeper.is_watched and keeper.quiescent for keeper in keepers):
        return ()
    return (session.changes, *(keeper.changes for keeper in keepers))
