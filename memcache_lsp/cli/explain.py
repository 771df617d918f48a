"""`memcache-lsp explain`: why a file is in the index, or why not."""

from __future__ import annotations

import argparse

from memcache_lsp import explaining
from memcache_lsp.cli import render, work


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    cached = work.cached_file(options)
    if cached is not None and not cached.is_in_project:
        path, told = cached.path, _why(options, cached.path, cached.cache)
    else:
        path = work.below(work.resolve_root(options), options.path)
        told = _why(options, path)
        if cached is not None and not told[0]:
            told = explaining.why_in_both(told, cached.cache, _why(options, cached.path, cached.cache))
    indexed, reason = told
    if options.json:
        render.print_json({"path": path, "indexed": indexed, "reason": reason})
    else:
        print(render.printable(f"{path}: {reason}"))
    return 0


def _why(options: argparse.Namespace, path: str, cache: str | None = None) -> tuple[bool, str]:
    options.cache = [] if cache is None else [cache]
    with work.at(options) as (engine, updating):
        with render.progress_bar("Indexing", "files") as bar:
            updating.wait(None, bar.show)
        return engine.why(path)
