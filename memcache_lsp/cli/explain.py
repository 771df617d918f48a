"""`memcache-lsp explain`: why a file is in the index, or why not."""

from __future__ import annotations

import argparse

from memcache_lsp.cli import render, work
from memcache_lsp.scopes import WORKSPACE


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    cached = work.cached_file(options)
    if cached is not None and not cached.is_in_project:
        path, options.cache = cached.path, [cached.cache]
    else:
        path = work.below(work.resolve_root(options), options.path)
        options.cache = [] if cached is None else [WORKSPACE, cached.cache]
    with work.at(options) as (engine, updating):
        with render.progress_bar("Indexing", "files") as bar:
            updating.wait(None, bar.show)
        indexed, reason = engine.why(path)
    if options.json:
        render.print_json({"path": path, "indexed": indexed, "reason": reason})
    else:
        print(render.printable(f"{path}: {reason}"))
    return 0
