"""`memcache-lsp search`: hits of what is indexed so far at once, and of the whole project when that is indexed."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from typing import Any

from memcache_lsp.cli import render, work
from memcache_lsp.errors import UsageError, UserError
from memcache_lsp.protocol import wire
from memcache_lsp.values import Hit

FIRST_HITS_S = 0.8  # how long a search waits for the index before it shows what there is
AGAIN_S = 0.2  # and how often it looks until there is something


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    if options.batch:
        if options.query or not options.json:
            raise UsageError(
                "--batch reads the queries on stdin and goes with --json: leave out the query, add --json."
            )
        return _batch(options)
    question = work.text_of(options.query, "query")
    with work.at(options, question=question) as (project, updating):
        hits: list[Hit] = []
        complete = updating.wait(FIRST_HITS_S) is not None
        while not complete and not hits:
            hits = _search(project, question, options)
            complete = updating.wait(AGAIN_S) is not None
        if not complete:
            _show(hits, options, partial=True)
            with render.progress_bar("Indexing", "files") as bar:
                updating.wait(None, bar.show)
        final = _search(project, question, options)
        if complete or final != hits or options.json:
            _show(final, options, partial=False)
    if not final and not options.json:
        work.notice(
            "Nothing in this project matches; try other words, or see `memcache-lsp status` for what is indexed."
        )
    return 0 if final else 3


def _search(project: work.Searchable, question: str, options: argparse.Namespace) -> list[Hit]:
    return project.search(question, scope=work.scope_of(options), limit=options.limit)


def _show(hits: list[Hit], options: argparse.Namespace, *, partial: bool) -> None:
    if options.json:
        for hit in hits:
            render.print_json(wire.hit_to_json(hit) | ({"partial": True} if partial else {}))
        return
    render.print_hits(hits)
    if partial and hits:
        work.notice("These are the hits of what is indexed so far; the rest is being indexed.")


def _batch(options: argparse.Namespace) -> int:
    with work.at(options) as (project, updating):
        updating.wait(FIRST_HITS_S)
        for identifier, question in _queries():
            hits = project.search(question, scope=work.scope_of(options), limit=options.limit) if question else []
            line: dict[str, Any] = {"id": identifier, "hits": [wire.hit_to_json(hit) for hit in hits]}
            render.print_json(line if updating.report else line | {"partial": True})
        with render.progress_bar("Indexing", "files") as bar:
            updating.wait(None, bar.show)
    return 0


def _queries() -> Iterator[tuple[Any, str]]:
    for number, line in enumerate(sys.stdin, start=1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
            yield value["id"], str(value["query"]).strip()
        except (ValueError, KeyError, TypeError):
            raise UserError(
                f'Line {number} of the batch is not {{"id": …, "query": "…"}}: mend it and run again.'
            ) from None
