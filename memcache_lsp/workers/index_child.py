"""The index worker's program: prepare files of one project and tell at which file it is.

At normal priority until it is told to stand back, and at the lowest from then on.

    python -m memcache_lsp.workers.index_child [MODULE:CLASS] IDLE_S [FD]

CLASS is taken instead of `preparing.Preparer`; in the file FD the owner sees at which place of a batch this is.

Never opens the store. Started by `index.IndexWorker` only.
"""

from __future__ import annotations

import gc
import importlib
import os
import queue
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from memcache_lsp.errors import MemcacheError
from memcache_lsp.workers import inside
from memcache_lsp.workers.messages import At, Batch, Begin, Done, Failed, Leaving, Ready
from memcache_lsp.workers.shared import Place

if TYPE_CHECKING:
    from memcache_lsp.preparing import Job, Recipe
    from memcache_lsp.workers.channel import Channel

PREPARER = "memcache_lsp.preparing:Preparer"
_RARELY = 50_000  # objects that are made until cycles are looked for: chunks and points make none, and are many


class _Told(list["Job"]):
    """A batch that tells which of its files is begun, as it is gone through."""

    def __init__(self, jobs: tuple[Job, ...], tell: Callable[[int], None]) -> None:
        super().__init__(jobs)
        self._tell = tell

    def __iter__(self) -> Iterator[Job]:
        for place, job in enumerate(super().__iter__()):
            self._tell(place)
            yield job
        self._tell(len(self))


def _attempt(work: Any, *arguments: object) -> Any:
    """Return what the work returns, or the failure to be sent."""
    try:
        return work(*arguments)
    except MemcacheError as error:
        return Failed(str(error), error)
    except Exception as error:  # noqa: BLE001 - the process boundary: the owner finds the file and reports it
        inside.log_failure(error)
        return Failed(f"{type(error).__name__}: {error}")


def serve(channel: Channel, preparer_path: str, idle_s: float, tell: Callable[[int], None]) -> None:
    """Prepare batch after batch, until none came for a while after one."""
    preparer: Any = None
    recipe: Recipe | None = None  # that it is made from
    standing_back = False
    arrived = inside.inbox(channel)
    patience_s = None
    while True:
        try:
            message = arrived.get(timeout=patience_s)
        except queue.Empty:
            break
        if isinstance(message, Begin | Batch) and message.background and not standing_back:
            inside.stand_back()
            standing_back = True
        if isinstance(message, Begin):
            if recipe != message.recipe:
                _closed(preparer)
                preparer = _attempt(_made, preparer_path, message.recipe)
                recipe = None if isinstance(preparer, Failed) else message.recipe
            channel.send(preparer if isinstance(preparer, Failed) else Ready())
        elif isinstance(message, Batch):
            prepared = _attempt(preparer.prepare, _Told(message.jobs, tell))
            channel.send(prepared if isinstance(prepared, Failed) else Done(prepared))
            patience_s = idle_s
    channel.send(Leaving())
    _closed(preparer)


def _closed(preparer: Any) -> None:
    if hasattr(preparer, "close"):
        preparer.close()


def _made(path: str, recipe: Recipe) -> object:
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)(recipe)


def main(arguments: list[str]) -> None:
    """Run the worker."""
    channel = inside.begin()
    gc.set_threshold(_RARELY)
    preparer = arguments.pop(0) if ":" in arguments[0] else PREPARER
    idle_s, *descriptors = arguments
    place = Place(int(descriptors[0])) if descriptors else None
    serve(channel, preparer, float(idle_s), place.put if place else lambda at: channel.send(At(at)))
    os._exit(0)  # nothing is left to be saved, and to take heavy libraries down takes time


if __name__ == "__main__":
    main(sys.argv[1:])
