"""`memcache-lsp search`: hits of what is indexed so far at once, and of the whole project when that is indexed."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from typing import Any

from memcache_lsp.cli import printed, render, work
from memcache_lsp.errors import UsageError, UserError
from memcache_lsp.pasted import shortened
from memcache_lsp.values import Hit

FIRST_HITS_S = 0.3  # how long a search waits for the first index before it shows what there is of it
IN_STEP_S = 0.8  # and for one that is brought in step, which seldom takes longer
BATCH_WAIT_S = 5.0  # and a batch, whose queries get one line each
AGAIN_S = 0.05  # how often it looks until there is something


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    if options.batch:
        if options.query or not options.json:
            raise UsageError(
                "--batch reads the queries on stdin and goes with --json: leave out the query, add --json."
            )
        return _batch(options)
    question = work.text_of(options.query, "query")
    with work.at(options, question=question) as (engine, updating):
        complete = updating.wait(FIRST_HITS_S if updating.is_first else IN_STEP_S) is not None
        hits = [] if complete else _first_hits(engine, updating, question, options)
        complete = updating.report is not None
        if not complete:
            _show(hits, options, partial=True)
            with render.progress_bar("Indexing", "files") as bar:
                updating.wait(None, bar.show)
        final = _search(engine, question, options)
        if complete or final != hits or options.json:
            _show(final, options, partial=False)
    if not final and not options.json:
        where = "this project" if not options.cache else "what was asked"
        work.notice(f"Nothing in {where} matches; try other words, or see `memcache-lsp status` for what is indexed.")
    return 0 if final else 3


def _search(engine: work.Engine, question: str, options: argparse.Namespace) -> list[Hit]:
    return engine.search(question, scope=work.scope_of(options), limit=options.limit)


def _first_hits(engine: work.Engine, updating: work.Waiting, question: str, options: argparse.Namespace) -> list[Hit]:
    """Return the hits of what is indexed so far, as soon as there are any, or the index is whole."""
    while True:
        complete = updating.report is not None
        hits = _search(engine, question, options)
        if hits or complete:
            return hits
        updating.wait(AGAIN_S)


def _show(hits: list[Hit], options: argparse.Namespace, *, partial: bool) -> None:
    if options.json:
        for hit in hits:
            render.print_json(
                printed.hit_to_json(hit, explain=options.explain) | ({"partial": True} if partial else {})
            )
        return
    render.print_hits(hits, explain=options.explain)
    if partial and hits:
        work.notice("These are the hits of what is indexed so far; the rest is being indexed.")


def _batch(options: argparse.Namespace) -> int:
    with work.at(options) as (engine, updating):
        updating.wait(BATCH_WAIT_S)
        for identifier, question in _queries():
            hits = _first_hits(engine, updating, question, options) if question else []
            line: dict[str, Any] = {
                "id": identifier,
                "hits": [printed.hit_to_json(hit, explain=options.explain) for hit in hits],
            }
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
            yield value["id"], shortened(str(value["query"]).strip())
        except (ValueError, KeyError, TypeError):
            raise UserError(
                f'Line {number} of the batch is not {{"id": …, "query": "…"}}: mend it and run again.'
            ) from None
