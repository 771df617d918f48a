"""Be a daemon whose index workers come to grief at files of certain names; all else is the program's own.

A file named `poison-stall…` keeps the worker busy for ever, one named `poison-crash…` ends it by a signal.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from memcache_lsp.preparing import Job, Prepared, Preparer

STALL, CRASH = "poison-stall", "poison-crash"


class Poisoned(Preparer):
    """A preparer that is poisoned by the names of files."""

    def prepare(self, batch: Sequence[Job]) -> list[Prepared]:
        return super().prepare([swallowed(job) for job in batch])


def swallowed(job: Job) -> Job:
    """Do what the file's name says."""
    name = Path(job.found.path).name
    while name.startswith(STALL):
        pass
    if name.startswith(CRASH):
        os.kill(os.getpid(), signal.SIGSEGV)
    return job


def main() -> int:
    from memcache_lsp import daemon, updating
    from memcache_lsp.programs import command_for
    from memcache_lsp.workers.index import IndexWorker

    command = command_for("memcache_lsp.workers.index_child", "serving.poisoned:Poisoned")
    updating.IndexWorker = partial(IndexWorker, command=command)  # type: ignore[misc, assignment]
    return daemon.main()


if __name__ == "__main__":
    sys.exit(main())
