"""What the status tells of roots, workers, the model and what leaves the machine, in the specification's types.

Must not import a session or the engine.
"""

from __future__ import annotations

import resource
from collections.abc import Iterable, Iterator
from pathlib import Path

from memcache_lsp import models
from memcache_lsp.config import UserSettings
from memcache_lsp.errors import ModelError
from memcache_lsp.keeper import Keeper
from memcache_lsp.protocol import parts
from memcache_lsp.session.uris import from_path
from memcache_lsp.values import Report
from memcache_lsp.workers.model import ModelWorker
from memcache_lsp.workers.refine import Refiner

_FAILED_SHOWN = 100


def model_status(user: UserSettings, model: ModelWorker) -> parts.ModelStatus | None:
    """Tell which model answers and what it is at; None where there is none."""
    try:
        path = models.locate(user.model or None)
    except ModelError:
        return parts.ModelStatus(name=user.model, state="missing")
    facts = model.facts
    if facts is not None:
        state = "answering" if model.requests else "ready"
        return parts.ModelStatus(name=facts.name, state=state, context_tokens=facts.context_tokens)  # type: ignore[arg-type]
    return parts.ModelStatus(name=path.stem, state="unloaded") if path else None


def worker_statuses(keepers: Iterable[Keeper], model: ModelWorker, refiner: Refiner) -> Iterator[parts.WorkerStatus]:
    """Tell of each child process."""
    for keeper in keepers:
        worker = keeper.worker
        if worker is not None:
            busy = "busy" if keeper.state == "indexing" else "idle"
            yield _worker("index", worker.pid, "paused" if worker.paused else busy)
    yield _worker("model", model.pid, "busy" if model.requests else "idle")
    if refiner.pid is not None:
        yield _worker("refine", refiner.pid, "busy" if refiner.busy else "idle")


def outside(user: UserSettings) -> tuple[str, ...]:
    """Tell in a sentence each what the user allowed to leave the machine."""
    return (f"The index lies on the Qdrant server {user.qdrant_url}.",) if user.qdrant_url else ()


def root_state(keeper: Keeper) -> parts.RootState:
    """Tell what a root's index is at, what was asked for taken as begun."""
    return parts.RootState(uri=from_path(keeper.root), state="indexing" if keeper.wanted else keeper.state)


async def root_status(keeper: Keeper) -> parts.RootStatus:
    """Tell all that is known of a root."""
    known = await keeper.status()
    total = keeper.progress.total if keeper.state == "indexing" else 0
    done = keeper.progress.done if keeper.state == "indexing" else 0
    indexed = known.indexed if known else 0
    failed = known.failed if known else ()
    return parts.RootStatus(
        uri=from_path(keeper.root),
        state=keeper.state,
        files=parts.FileCounts(
            done=max(indexed, done),
            total=max(indexed, total),
            failed=len(failed),
            skipped=len(known.skipped) if known else 0,
        ),
        chunks=known.chunks if known else 0,
        failed=tuple(parts.FileProblem(path=f.path, reason=f.reason) for f in failed[:_FAILED_SHOWN]),
        message=keeper.message,
        size_bytes=known.size_bytes if known else None,
        report=_report(keeper.report) if keeper.report else None,
        refinement=_refinement(keeper),
    )


def _refinement(keeper: Keeper) -> parts.Refinement | None:
    refining = keeper.refining
    if not refining.model:
        return None
    return parts.Refinement(model=refining.model, done=refining.done, total=refining.total, message=refining.message)


def _report(report: Report) -> parts.IndexReport:
    return parts.IndexReport(
        added=report.added,
        changed=report.changed,
        removed=report.removed,
        unchanged=report.unchanged,
        chunks=report.chunks,
    )


def _worker(name: str, pid: int | None, state: str) -> parts.WorkerStatus:
    memory = memory_bytes(pid) if pid else None
    return parts.WorkerStatus(name=name, state=state if pid else "stopped", pid=pid, memory_bytes=memory)  # type: ignore[arg-type]


def memory_bytes(pid: int) -> int | None:
    """Return the resident memory of a process, None where the system does not tell."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, ValueError, IndexError):
        return None
    return pages * resource.getpagesize()
