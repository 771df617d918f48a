"""`memcache-lsp status`: what is indexed, what is not and why, and what it takes on disk."""

from __future__ import annotations

import argparse
from collections import Counter

from memcache_lsp import paths
from memcache_lsp.cli import render, work
from memcache_lsp.status import Status, read_status
from memcache_lsp.values import Skipped

_EXAMPLES = 3


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    root = work.resolve_root(options)
    status = read_status(root)
    vectors = paths.cache_dir() / "vectors.sqlite"
    vectors_bytes = vectors.stat().st_size if vectors.exists() else 0
    if status is None:
        if options.json:
            render.print_json({"root": str(root), "indexed": False})
        else:
            print(f"{root} is not indexed yet: `memcache-lsp index` does it, and so does the first search.")
        return 0
    if options.json:
        render.print_json(_to_json(status, vectors_bytes))
    else:
        _print(status, vectors_bytes, every=options.all)
    return 0


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
