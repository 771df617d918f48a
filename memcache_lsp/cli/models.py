"""`memcache-lsp models`: list the models that are known to work and those that are here; fetch, choose and remove them."""

from __future__ import annotations

import argparse
import contextlib

from memcache_lsp import fetching, models, shelf
from memcache_lsp.cli import connection, render, work
from memcache_lsp.errors import UsageError
from memcache_lsp.reports import Progress

_MB = 1_000_000


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    if options.action in {"list", "unload"}:
        if options.name:
            raise UsageError(f"`models {options.action}` takes no name; did you mean `memcache-lsp models pull`?")
        return _list(options) if options.action == "list" else _unload(options)
    if not options.name:
        raise UsageError(f"`models {options.action}` takes one of {', '.join(m.name for m in models.CURATED)}.")
    return {"pull": _pull, "use": _use, "remove": _remove}[options.action](options)


def _list(options: argparse.Namespace) -> int:
    for row in shelf.listed(work.user_settings()):
        if options.json:
            render.print_json(_row(row))
            continue
        here = "in use" if row.used else "here" if row.fetched else ""
        note = row.worth if row.fits else f"{row.worth}; more than the memory that is free".lstrip("; ")
        print(
            render.printable(
                f"{here:7} {row.name:28} {row.use:6} {render.size(row.size_bytes):>8}  {row.licence:10}  {note}"
            )
        )
    if not options.json:
        print(f"\nModels lie in {models.models_dir()}; any GGUF file put there can be named, too.")
    return 0


def _row(row: shelf.Shelved) -> dict[str, object]:
    return {
        "name": row.name,
        "use": row.use,
        "sizeBytes": row.size_bytes,
        "memoryBytes": row.memory_bytes,
        "fits": row.fits,
        "licence": row.licence,
        "sha256": row.sha256,
        "sources": list(row.sources),
        "installed": row.fetched,
        "used": row.used,
        "note": row.worth,
    }


def _pull(options: argparse.Namespace) -> int:
    with render.progress_bar(f"Fetching {options.name}", "MB") as bar:
        path = fetching.fetch_named(
            options.name, on_progress=lambda done, total: bar.show(Progress(done // _MB, total // _MB))
        )
    name = path.stem if path.suffix == ".gguf" else path.name
    _told(options, f"{name} is in {path}.", name=name, path=str(path))
    return 0


def _use(options: argparse.Namespace) -> int:
    shelf.use(options.name, work.user_settings(), paths=True)
    name = models.used() or models.DEFAULT.name
    once = (
        "" if models.used() or models.DEFAULT.path().exists() else f", once it is here: memcache-lsp models pull {name}"
    )
    _told(options, f"{name} answers from now on{once}", name=name)
    return 0


def _unload(options: argparse.Namespace) -> int:
    daemon = connection.find()
    unloaded = False
    if daemon is not None:
        with contextlib.closing(daemon):
            unloaded = daemon.ask("memcache/models", {"action": "unload"})["unloaded"]
    _told(options, "The model was unloaded." if unloaded else "No model is loaded.", unloaded=unloaded)
    return 0


def _remove(options: argparse.Namespace) -> int:
    shelf.remove(options.name)
    daemon = connection.find()
    if daemon is not None:  # which may hold the file's memory
        with contextlib.closing(daemon):
            daemon.ask("memcache/models", {"action": "unload"})
    _told(options, f"{options.name} was removed.", name=options.name)
    return 0


def _told(options: argparse.Namespace, sentence: str, **result: object) -> None:
    if options.json:
        render.print_json({"type": "result", **result})
    else:
        print(render.printable(sentence))
