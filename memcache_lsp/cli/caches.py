"""`memcache-lsp caches`: list named caches, add folders and files to them, remove them with what was indexed."""

from __future__ import annotations

import argparse
import contextlib
import os
from pathlib import Path
from typing import Any

from memcache_lsp import rendezvous
from memcache_lsp.caches import READING, Registry
from memcache_lsp.cli import connection, index, render, work
from memcache_lsp.errors import MemcacheError, UsageError
from memcache_lsp.session.uris import from_path, to_path


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    return {"list": _list, "add": _add, "remove": _remove}[options.action or "list"](options)


def _add(options: argparse.Namespace) -> int:
    if options.reading and not options.paths:
        options.name, options.paths = READING, [options.name]
    if not options.paths:
        raise UsageError("`caches add` takes the folders and files behind the name: name at least one.")
    given = _absolute(options.paths)
    Registry().add(options.name, given, reading=options.reading)  # the daemon reads it too
    if options.no_daemon or not rendezvous.supported():
        _forget_left()
    options.root, options.cache, options.rebuild, options.drop = None, [options.name], False, False
    return index.run(options)


def _remove(options: argparse.Namespace) -> int:
    given = _absolute(options.paths)
    daemon = connection.find()
    message = None
    if daemon is not None:  # it may hold the index
        params = {"action": "remove", "name": options.name, "uris": list(map(from_path, given))}
        with contextlib.closing(daemon):
            message = daemon.ask("memcache/caches", params).get("message")
    else:
        Registry().remove(options.name, given)
        message = _forget_left()
    if message:
        work.notice(message)
    if options.json:
        render.print_json({"type": "result", "removed": options.name})
    else:
        what = "these places of " if given else ""
        print(render.printable(f"Removed {what}{options.name}, and forgot what was indexed."))
    return 0


def _forget_left() -> str | None:
    """Delete in this process what was indexed of what belongs to no cache any more; return why that is not possible now."""
    registry = Registry()
    leaving = registry.read().leaving
    if not leaving:
        return None
    from memcache_lsp import forgetting  # noqa: PLC0415 - loads everything
    from memcache_lsp.threads.disk import Threads  # noqa: PLC0415 - seldom needed

    problem = None
    with contextlib.closing(Threads()) as threads:
        for ground in leaving:
            try:
                forgetting.forget(ground, registry=registry, user=work.user_settings(), threads=threads)
            except (MemcacheError, OSError) as error:
                problem = f"{error} What is indexed of {ground.root} is deleted when that is possible."
    return problem


def _absolute(given: list[str]) -> list[Path]:
    """Return paths that mean the same to another process."""
    if not all(given):
        raise UsageError("A path is empty: name a folder or a file.")
    return [Path(os.path.abspath(Path(path).expanduser())) for path in given]  # noqa: PTH100 - a link is followed later


# What there is


def known() -> list[dict[str, Any]]:
    """Return what is told of all caches, in the names of the protocol: by the daemon where one runs, else from disk."""
    daemon = connection.find()
    if daemon is None:
        return on_disk()
    with contextlib.closing(daemon):
        told = daemon.ask("memcache/caches", {"action": "list"})
    if message := told.get("message"):
        work.notice(message)
    return list(told["caches"])


def on_disk() -> list[dict[str, Any]]:
    """Return what is told of all caches, in the names of the protocol, from what lies on disk."""
    registered = Registry().read()
    if registered.problem:
        work.notice(registered.problem)
    if not registered.caches:
        return []
    from dataclasses import replace  # noqa: PLC0415 - the same

    from memcache_lsp import inventory  # noqa: PLC0415 - many a user has no cache
    from memcache_lsp.caches import seen  # noqa: PLC0415 - the same
    from memcache_lsp.protocol.codec import to_json  # noqa: PLC0415 - the same

    looked = [replace(cache, places=tuple(map(seen, cache.places))) for cache in registered.caches]
    return [to_json(row) for row in inventory.listed(looked)]


def _list(options: argparse.Namespace) -> int:
    rows = known()
    if options.json:
        for row in rows:
            render.print_json(to_line(row))
        return 0
    if not rows and not Registry().read().problem:
        print("There are no caches yet: `memcache-lsp caches add NAME PATH` makes one.")
    show(rows)
    return 0


def show(rows: list[dict[str, Any]]) -> None:
    """Print what is told of caches."""
    for row in rows:
        kind = "reading folder" if row["reading"] else "cache"
        files, size = row["files"]["done"], render.size(row.get("sizeBytes") or 0)
        told = f"{files} files, {row['chunks']} chunks, {size}"
        if skipped := row["files"].get("skipped"):
            told += f"; {skipped} not indexed"
            if any(place["kind"] == "folder" for place in row["places"]):  # of single files it is told below
                told += ", why: `memcache-lsp status --root FOLDER`, or of one `memcache-lsp explain FILE`"
        print(render.printable(f"{row['name']:13} {kind}, {row['state']}: {told}"))
        for place in row["places"]:
            since = f", offline since {place['offlineSince']}" if place.get("offlineSince") else ""
            said = f": {place['message']}" if place.get("message") and not since else ""
            print(render.printable(f"  {to_path(place['uri'])}{since}{said}"))
        for failed in row["failed"]:
            print(render.printable(f"  failed: {failed['path']}: {failed['reason']}"))


def to_line(row: dict[str, Any]) -> dict[str, Any]:
    """Give a cache as the command line prints it: with paths in place of URIs."""
    places = [{"path": str(to_path(p["uri"])), **{k: v for k, v in p.items() if k != "uri"}} for p in row["places"]]
    return {**row, "places": places}
