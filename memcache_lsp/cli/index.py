"""`memcache-lsp index`: bring the index in step, make it again, or forget it."""

from __future__ import annotations

import argparse
import contextlib
import os
import time
from pathlib import Path

from memcache_lsp import paths
from memcache_lsp.cli import connection, render, work
from memcache_lsp.errors import UsageError
from memcache_lsp.reports import Progress, Report
from memcache_lsp.session.uris import from_path


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    if options.drop:
        if options.cache:
            raise UsageError("--drop is for projects: a cache is forgotten by `memcache-lsp caches remove`.")
        return _drop(options)
    began = time.monotonic()
    with work.at(options, needed=True, rebuild=options.rebuild) as (_, updating):
        report = _wait_json(updating) if options.json else _wait(updating)
    if options.json:
        render.print_json(_to_json(report))
    else:
        _print(report, time.monotonic() - began)
    return 0


def _drop(options: argparse.Namespace) -> int:
    from memcache_lsp.threads.disk import Threads  # noqa: PLC0415 - all other actions do without

    # a project that was deleted can still be forgotten
    root = Path(os.path.realpath(options.root)) if options.root else work.resolve_root(options)
    there = paths.index_dir(root).exists()
    daemon = connection.find(root)
    if daemon is not None:  # it may hold the index
        with contextlib.closing(daemon):
            daemon.ask("memcache/index", {"action": "drop", "root": from_path(root)})
    elif there:
        from memcache_lsp import engine  # noqa: PLC0415 - loads everything

        there = engine.drop_index(root, work.user_settings())
    with contextlib.closing(Threads()) as threads:
        there = bool(threads.forget(str(root))) or there
    if options.json:
        render.print_json({"type": "result", "dropped": there})
    else:
        print(f"Forgot {root}." if there else f"Nothing is kept of {root}.")
    return 0


def _wait(updating: work.Waiting) -> Report:
    with render.progress_bar("Indexing", "files") as bar:
        report = updating.wait(None, bar.show)
    assert report is not None
    return report


def _wait_json(updating: work.Waiting) -> Report:
    shown = Progress(0, 0)

    def show(progress: Progress) -> None:
        nonlocal shown
        if progress != shown:
            shown = progress
            render.print_json({"type": "progress", "done": progress.done, "total": progress.total})

    report = updating.wait(None, show)
    assert report is not None
    return report


def _to_json(report: Report) -> dict[str, object]:
    return {
        "type": "result",
        "added": report.added,
        "changed": report.changed,
        "removed": report.removed,
        "unchanged": report.unchanged,
        "chunks": report.chunks,
        "failed": [{"path": f.path, "reason": f.reason} for f in report.failed],
    }


def _print(report: Report, seconds: float) -> None:
    print(
        f"{report.added} files added, {report.changed} changed, {report.removed} removed, "
        f"{report.unchanged} unchanged, {report.chunks} chunks written in {seconds:.1f} s."
    )
    for failed in report.failed:
        print(f"failed: {failed.path}: {failed.reason}")
