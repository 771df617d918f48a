"""What the status tells of roots, workers, the model and what leaves the machine, in the specification's types.

Must not import a session or the engine.
"""

from __future__ import annotations

import resource
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from memcache_lsp import models, web
from memcache_lsp.config import UserSettings
from memcache_lsp.editor import Editor
from memcache_lsp.errors import ModelError
from memcache_lsp.keeper import Keeper
from memcache_lsp.protocol import parts, spec
from memcache_lsp.reports import Report
from memcache_lsp.shelf import Shelved
from memcache_lsp.workers.model import ModelWorker
from memcache_lsp.workers.refine import Refiner
from memcache_lsp.workers.spares import Spares

_FAILED_SHOWN = 100


def model_status(user: UserSettings, model: ModelWorker) -> parts.ModelStatus | None:
    """Tell which model answers and what it is at; None where there is none."""
    try:
        chosen = models.chosen(user)
    except ModelError:
        return parts.ModelStatus(name=user.model or models.used() or "?", state="missing")
    facts = model.facts
    where, name = _where(chosen)
    if facts is not None and facts.path == chosen:
        return parts.ModelStatus(
            name=facts.name,
            state="answering" if model.requests else "ready",
            where=where,
            context_tokens=facts.context_tokens,
            prompt_speed=facts.prompt_speed,
            chosen=facts.notes,
        )
    return parts.ModelStatus(name=name, state="unloaded", where=where) if chosen else None


def _where(chosen: models.Answering | None) -> tuple[parts.ModelPlace, str]:
    """Tell where a model runs, and what it is called before it is met."""
    match chosen:
        case models.Endpoint():
            return "endpoint", chosen.model or web.shown(chosen.url)
        case models.Program():
            return "llamafile", chosen.path.stem
    return "process", chosen.stem if chosen else ""


def model_row(row: Shelved) -> spec.Model:
    """Tell what is known of a model."""
    return spec.Model(
        name=row.name,
        size_bytes=row.size_bytes,
        fetched=row.fetched,
        used=row.used,
        use="embed" if row.use == "embed" else "answer",
        memory_bytes=row.memory_bytes,
        fits=row.fits,
        licence=row.licence or None,
        sha256=row.sha256 or None,
        sources=row.sources or None,
        note=row.worth or None,
    )


def worker_statuses(
    keepers: Iterable[Keeper], spares: Spares, model: ModelWorker, refiner: Refiner
) -> Iterator[parts.WorkerStatus]:
    """Tell of each child process, and of what is paused."""
    for keeper in keepers:
        worker = keeper.worker
        if worker is not None and (worker.pid is not None or worker.paused):
            busy = "busy" if keeper.state == "indexing" else "idle"
            yield _worker("index", worker.pid, "paused" if worker.paused else busy)
    for pid in spares.pids:
        yield _worker("index", pid, "idle")
    yield _worker("model", model.pid, "busy" if model.requests else "idle")
    if refiner.pid is not None:
        yield _worker("refine", refiner.pid, "busy" if refiner.busy else "idle")


def outside(user: UserSettings) -> tuple[str, ...]:
    """Tell in a sentence each what the user allowed to leave the machine, or to listen on it."""
    return tuple(_outside(user))


def _outside(user: UserSettings) -> Iterator[str]:
    if user.qdrant_url:
        yield f"The index lies on the Qdrant server {user.qdrant_url}."
    with suppress(ModelError):
        chosen = models.chosen(user)
        if isinstance(chosen, models.Endpoint):
            machine = ", on this machine" if web.is_loopback(chosen.url) else ""
            yield f"Questions and their evidence are sent to the model server {web.shown(chosen.url)}{machine}."
        elif isinstance(chosen, models.Program):
            yield f"{chosen.path.name} listens on 127.0.0.1, with a random key, while it is loaded."


def root_state(editor: Editor, keeper: Keeper) -> parts.RootState:
    """Tell what a root's index is at, what was asked for taken as begun."""
    return parts.RootState(uri=editor.uri_of(keeper.root), state="indexing" if keeper.wanted else keeper.state)


async def root_status(editor: Editor, keeper: Keeper) -> parts.RootStatus:
    """Tell all that is known of a root."""
    known = await keeper.status()
    total = keeper.progress.total if keeper.state == "indexing" else 0
    done = keeper.progress.done if keeper.state == "indexing" else 0
    indexed = known.indexed if known else 0
    failed = known.failed if known else ()
    return parts.RootStatus(
        uri=editor.uri_of(keeper.root),
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


def scope_status(keepers: Sequence[Keeper]) -> parts.ScopeStatus:
    """Tell how far the indexes are that a scope names."""
    return parts.ScopeStatus(
        indexing=not all(keeper.quiescent for keeper in keepers),
        complete=all(keeper.in_step for keeper in keepers),
        version=sum(keeper.changes for keeper in keepers),
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
