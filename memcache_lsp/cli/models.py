"""`memcache-lsp models`: list the models that are known to work, and fetch one."""

from __future__ import annotations

import argparse

from memcache_lsp import fetching, models
from memcache_lsp.cli import render, work
from memcache_lsp.errors import UsageError
from memcache_lsp.values import Progress

_MB = 1_000_000


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    if options.action == "pull":
        return _pull(options)
    if options.name:
        raise UsageError("`models list` takes no name; did you mean `memcache-lsp models pull`?")
    installed = {model.name: model for model in models.installed()}
    rows = [
        {
            "name": model.name,
            "use": model.use,
            "sizeBytes": model.size_bytes,
            "licence": model.licence,
            "installed": model.name in installed,
            "note": model.worth,
        }
        for model in models.CURATED
    ]
    rows += [
        {
            "name": found.name,
            "use": "answer",
            "sizeBytes": found.size_bytes,
            "licence": "",
            "installed": True,
            "note": "",
        }
        for found in installed.values()
        if found.curated is None
    ]
    for row in rows:
        if options.json:
            render.print_json(row)
        else:
            here = "here" if row["installed"] else "    "
            print(f"{here}  {row['name']:28} {row['use']:6} {render.size(row['sizeBytes']):>8}  {row['note']}")  # type: ignore[arg-type]
    if not options.json:
        print(f"\nModels lie in {models.models_dir()}; any GGUF file put there can be named, too.")
    return 0


def _pull(options: argparse.Namespace) -> int:
    model = models.curated(options.name or "")
    if model is None:
        known = ", ".join(m.name for m in models.CURATED)
        raise UsageError(f"`models pull` takes one of {known}; a GGUF file of your own is named by its path.")
    with render.progress_bar(f"Fetching {model.name}", "MB") as bar:
        path = fetching.fetch(model, on_progress=lambda done, total: bar.show(Progress(done // _MB, total // _MB)))
    if options.json:
        render.print_json({"type": "result", "name": model.name, "path": str(path)})
    else:
        work.notice(f"{model.name} is in {path}.")
    return 0
