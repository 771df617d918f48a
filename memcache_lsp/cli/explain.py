"""`memcache-lsp explain`: why a file is in the index, or why not."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from memcache_lsp.cli import render, work
from memcache_lsp.errors import UsageError


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    path = _below(work.resolve_root(options), options.path)
    with work.at(options) as (engine, updating):
        with render.progress_bar("Indexing", "files") as bar:
            updating.wait(None, bar.show)
        indexed, reason = engine.why(path)
    if options.json:
        render.print_json({"path": path, "indexed": indexed, "reason": reason})
    else:
        print(render.printable(f"{path}: {reason}"))
    return 0


def _below(root: Path, name: str) -> str:
    """Return a path as the index knows it: as it is seen from here, or from the root as searches print it."""
    if not name or "\0" in name:
        raise UsageError("The path is empty: name a file of the project.")
    places = [Path(os.path.abspath(folder / name)) for folder in (Path.cwd(), root)]  # noqa: PTH100 - a link is no file
    places += [Path(os.path.realpath(place.parent)) / place.name for place in places]
    inside = [place for place in places if root in place.parents]
    if not inside:
        raise UsageError(f"{name} lies outside of {root}: name a file of the project, or its project with --root.")
    place = next((place for place in inside if os.path.lexists(place)), inside[-1])
    return place.relative_to(root).as_posix()
