"""`memcache-lsp ask`: the sources first, then the answer as the model writes it, then the lines it cites."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import closing
from itertools import chain

from memcache_lsp.answering import Citation, Delta, Event, Result, Sources, Stage, Unsupported
from memcache_lsp.cli import render, work
from memcache_lsp.errors import UsageError
from memcache_lsp.protocol import wire
from memcache_lsp.values import Hit, Progress

_STATUS = {"fresh": "", "moved": "  (moved meanwhile)", "stale": "  (changed meanwhile: read it again)"}
INDEX_WAIT_S = 5.0  # how long an answer waits for the index before it takes what there is


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    question = work.text_of(options.question, "question")
    if options.model is not None:
        _check_model(options)  # before any work
    with work.at(options, question=question) as (engine, updating):
        with render.progress_bar("Indexing", "files") as bar:
            complete = updating.wait(INDEX_WAIT_S, bar.show) is not None
        events = engine.ask(question, scope=work.scope_of(options), options=options)
        first = next(events)
        if not complete and isinstance(first, Sources) and not first.items:  # what is not there yet may still come
            events.close()
            _wait(updating)
            complete = True
            events = engine.ask(question, scope=work.scope_of(options), options=options)
            first = next(events)
        if not complete:
            work.notice("This answer is from what is indexed so far; the rest is being indexed.")
        with closing(events):
            reason = show(chain([first], events), options)
        _wait(updating)
    return 3 if reason == "no_answer" else 0


def _check_model(options: argparse.Namespace) -> None:
    if options.no_model:
        raise UsageError("--model and --no-model exclude each other: leave out one.")
    from memcache_lsp.cli import generating  # noqa: PLC0415 - loads the model's library

    generating.model_path(options)


def _wait(updating: work.Waiting) -> None:
    with render.progress_bar("Indexing", "files") as bar:
        updating.wait(None, bar.show)


def show(events: Iterator[Event], options: argparse.Namespace) -> str:
    """Show the events as they come; return how the answer ended."""
    reason = ""
    if options.json:
        for event in events:
            render.print_json(wire.event_to_json(event))
            reason = event.finish_reason if isinstance(event, Result) else reason
        return reason
    with render.progress_bar("Reading the evidence", "%") as bar:
        for event in events:
            match event:
                case Sources(items=items, first=number):
                    _print_sources(items, number)
                case Stage(percent=percent):
                    bar.show(Progress(percent, 100))
                case Delta(text=text):
                    bar.stop()
                    sys.stdout.write(render.printable(text))
                    sys.stdout.flush()
                case Citation() | Unsupported():
                    pass  # shown together at the end, where they can be read
                case Result():
                    bar.stop()
                    reason = event.finish_reason
                    _print_result(event)
    return reason


def _print_sources(items: tuple[Hit, ...], first: int) -> None:
    if items:
        print("Sources")
        for n, hit in enumerate(items, start=first):
            print(f"  [{n}] {render.place(hit)}  {render.label(hit)}")
        print(flush=True)


def _print_result(result: Result) -> None:
    if result.finish_reason == "no_answer":
        print(result.answer)
        return
    print()
    if result.citations:
        print("\nCited")
        for citation in dict.fromkeys(result.citations):
            place = f"{citation.path}:{citation.start_line}-{citation.end_line}"
            print(render.printable(f"  [{citation.n}] {place}{_STATUS[citation.status]}"))
    if result.unsupported:
        print("\nNot borne out by what is cited")
        for each in result.unsupported:
            print(render.printable(f"  ? {' '.join(result.answer[each.start : each.end].split())}"))
    if result.message:
        work.notice(result.message)
    if result.finish_reason == "length":
        work.notice("The answer was cut at its greatest length.")
