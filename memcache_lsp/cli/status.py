"""`memcache-lsp status`: what is indexed, what is not and why, what it takes on disk; what the daemon is at."""

from __future__ import annotations

import argparse
import contextlib
from collections import Counter
from pathlib import Path
from typing import Any

from memcache_lsp import paths
from memcache_lsp.cli import caches, connection, render, work
from memcache_lsp.config import load_user_settings
from memcache_lsp.reports import Skipped
from memcache_lsp.session.uris import to_path
from memcache_lsp.status import Status, read_status

_EXAMPLES = 3


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    root = work.resolve_root(options)
    status = read_status(root)
    vectors = paths.cache_dir() / "vectors.sqlite"
    vectors_bytes = vectors.stat().st_size if vectors.exists() else 0
    refine = load_user_settings()[0].refine
    daemon = _daemon(root if refine else None)
    cached = caches.on_disk() if daemon is None else daemon.pop("caches")
    if options.json:
        known = {"root": str(root), "indexed": False} if status is None else _to_json(status, vectors_bytes)
        render.print_json({**known, "caches": list(map(caches.to_line, cached)), "daemon": daemon})
        return 0
    if status is None:
        print(f"{root} is not indexed yet: `memcache-lsp index` does it, and so does the first search.")
    else:
        _print(status, vectors_bytes, every=options.all)
        if refine:
            _print_refinement(status, refine, (daemon or {}).get("refinement"))
    print()
    caches.show(cached)
    _print_daemon(daemon)
    return 0


def _daemon(root: Path | None) -> dict[str, Any] | None:
    """Return what the daemon says of itself, in the names of the protocol, and of the refinement of a root."""
    daemon = connection.find(root)
    if daemon is None:
        return None
    with contextlib.closing(daemon):
        status = daemon.ask("memcache/status", {})
    others = [session for session in status["sessions"] if not session.get("own")]
    kept = ("version", "pid", "memoryBytes", "workers", "queue", "model", "outside", "message", "lastRead")
    refinement = next((each.get("refinement") for each in status["roots"]), None)
    found = {name: status.get(name) for name in kept} | {"sessions": others, "refinement": refinement}
    return found | {"caches": status.get("caches", [])}


def _print_daemon(daemon: dict[str, Any] | None) -> None:
    if daemon is None:
        print("daemon        not running; the first editor or command starts it")
        return
    print(f"daemon        {daemon['version']}, pid {daemon['pid']}, {render.size(daemon['memoryBytes'])}")
    for session in daemon["sessions"]:
        roots = ", ".join(str(to_path(uri)) for uri in session["roots"])
        print(render.printable(f"  session     {session['client'] or 'an editor'}{f' at {roots}' if roots else ''}"))
    for worker in daemon["workers"]:
        memory = f", pid {worker['pid']}, {render.size(worker['memoryBytes'] or 0)}" if worker.get("pid") else ""
        print(f"  worker      {worker['name']}: {worker['state']}{memory}")
    if model := daemon["model"]:
        print(render.printable(f"  model       {model['name']}, {model['state']}"))
        for sentence in model.get("chosen", ()):
            print(render.printable(f"              {sentence}"))
    if read := daemon["lastRead"]:
        print(f"  evidence    the latest answer read {read['read']} of the {read['found']} places that were found")
    queue = daemon["queue"]
    print(f"  queue       {queue['questions']} questions, {queue['files']} files")
    for sentence in (*daemon["outside"], daemon["message"]):
        if sentence:
            print(f"  {sentence}")


def _print_refinement(status: Status, model: str, known: dict[str, Any] | None) -> None:
    """Print how far the refinement is by the manifest, and why it does not go on by the daemon, which does it."""
    done, total = status.cards
    why = "" if done >= total else "the daemon goes on with it once an editor or a search is there"
    if known is not None and known["model"] == model:
        why = known.get("message") or ""
    print(render.printable(f"refined       {done} of {total} files by {model}"))
    if why:
        print(render.printable(f"  {why}"))


def _to_json(status: Status, vectors_bytes: int) -> dict[str, object]:
    return {
        "root": status.root,
        "indexed": True,
        "files": status.indexed,
        "chunks": status.chunks,
        "embedder": status.embedder,
        "store": status.store,
        "unfinished": status.unfinished,
        "holder": status.holder,
        "folder": status.folder,
        "sizeBytes": status.size_bytes,
        "vectorCacheBytes": vectors_bytes,
        "cards": {"done": status.cards[0], "total": status.cards[1]},
        "failed": _files_to_json(status.failed),
        "skipped": _files_to_json(status.skipped),
        "notes": _files_to_json(status.notes),
    }


def _files_to_json(files: tuple[Skipped, ...]) -> list[dict[str, str]]:
    return [{"path": file.path, "reason": file.reason} for file in files]


def _print(status: Status, vectors_bytes: int, *, every: bool) -> None:
    print(f"project       {status.root}")
    print(f"indexed       {status.indexed} files, {status.chunks} chunks")
    print(f"embedder      {status.embedder}")
    if status.store != "edge":
        print(f"store         {status.store}")
    print(f"on disk       {render.size(status.size_bytes)} in {status.folder}")
    print(f"vector cache  {render.size(vectors_bytes)}, shared by all projects")
    if status.holder:
        print(f"in use by     {status.holder}")
    elif status.unfinished:
        print("unfinished    the last process was ended while it wrote; the next command repairs the index")
    _print_files("failed", status.failed, every=True)
    _print_files("not indexed", status.skipped, every=every)
    _print_files("by lines only", status.notes, every=every)


def _print_files(title: str, files: tuple[Skipped, ...], *, every: bool) -> None:
    print(f"{title:13} {len(files)}")
    for reason, count in Counter(f.reason for f in files).most_common():
        mine = [f.path for f in files if f.reason == reason]
        shown = mine if every else mine[:_EXAMPLES]
        rest = count - len(shown)
        print(f"  {count:5}  {reason}: {', '.join(shown)}{f' and {rest} more (--all lists them)' if rest else ''}")
