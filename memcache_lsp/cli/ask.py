"""`memcache-lsp ask`: the sources first, then the answer as the model writes it, then the lines it cites."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import replace
from itertools import chain, islice
from typing import Self

from memcache_lsp.anchoring import REMARKS
from memcache_lsp.cli import printed, render, work
from memcache_lsp.errors import UsageError
from memcache_lsp.events import Citation, Delta, Event, Result, Sources, Stage, Unsupported
from memcache_lsp.reports import Progress
from memcache_lsp.values import Hit

INDEX_WAIT_S = 5.0  # how long an answer waits for the index before it takes what there is


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    asked = _asked(options)
    question = asked.question
    if options.model is not None:
        _check_model(options)  # before any work
    with work.at(options, question=question) as (engine, updating):
        with render.progress_bar("Indexing", "files") as bar:
            complete = updating.wait(INDEX_WAIT_S, bar.show) is not None
        events = engine.ask(asked, scope=work.scope_of(options), options=options)
        first = [] if complete else list(islice(events, 3))
        if first and _is_refused(first):  # what is not there yet may still come
            events.close()
            _wait(updating)
            complete = True
            events, first = engine.ask(asked, scope=work.scope_of(options), options=options), []
        if not complete:
            work.notice("This answer is from what is indexed so far; the rest is being indexed.")
        with closing(events):
            reason = show(chain(first, events), options)
        _wait(updating)
    return 3 if reason == "no_answer" else 0


def _is_refused(first: Sequence[Event]) -> bool:
    """Tell by the first events whether there is no answer: none else ends so soon."""
    return isinstance(first[-1], Result) and first[-1].finish_reason == "no_answer"


def _asked(options: argparse.Namespace) -> work.Asked:
    """Read the question, and the file that `--about` names; of a file it may be left out."""
    if options.about is None:
        return work.Asked(work.text_of(options.question, "question"))
    name, lines = _lines_named(options.about)
    path = work.below(work.root_of(options), name, cached=True)
    default = "Explain this." if lines else "Summarize this file."
    return work.Asked(work.text_of(options.question, "question") if options.question else default, path, lines)


def _lines_named(text: str) -> tuple[str, tuple[int, int] | None]:
    """Part `FILE:FIRST-LAST`."""
    found = re.fullmatch(r"(.+?):(\d+)(?:-(\d+))?", text, re.DOTALL)
    if found is None:
        return text, None
    first, last = int(found[2]), int(found[3] or found[2])
    if not 0 < first <= last:
        raise UsageError("The lines of --about are counted from 1, the first before the last: write FILE:FIRST-LAST.")
    return found[1], (first, last)


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
            render.print_json(printed.event_to_json(event))
            reason = event.finish_reason if isinstance(event, Result) else reason
        return reason
    with render.progress_bar("Reading the evidence", "%") as bar, _Line() as line:
        for event in events:
            match event:
                case Sources(items=items, first=number):
                    _print_sources(items, number)
                case Stage(percent=percent):
                    bar.show(Progress(percent, 100))
                case Delta(text=text):
                    bar.stop()
                    line.write(render.printable(text))
                case Citation() | Unsupported():
                    pass  # shown together at the end, where they can be read
                case Result():
                    bar.stop()
                    reason = event.finish_reason
                    line.end()
                    _print_result(event)
    return reason


class _Line:
    """The last line of an answer, which is ended whatever happens: what is said of an error stands on one of its own."""

    def __init__(self) -> None:
        self._is_open = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):  # whoever read it may be gone
            self.end()

    def write(self, text: str) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()
        self._is_open = not text.endswith("\n") if text else self._is_open

    def end(self) -> None:
        if self._is_open:
            self._is_open = False
            self.write("\n")


def _print_sources(items: tuple[Hit, ...], first: int) -> None:
    if items:
        print("Sources")
        for n, hit in enumerate(items, start=first):
            print(f"  [{n}] {render.place(hit)}  {render.label(hit)}")
        print(flush=True)


def _print_result(result: Result) -> None:
    if result.finish_reason == "no_answer":
        return
    if result.citations:
        print("\nCited")
        for citation in dict.fromkeys(replace(each, at=None) for each in result.citations):
            place = render.place_of(citation.path, citation.start_line, citation.end_line, citation.spot)
            print(render.printable(f"  [{citation.n}] {place}  {REMARKS[citation.status]}".rstrip()))
    if result.evidence_read and result.finish_reason in {"stop", "length"}:
        work.notice(f"It read {result.evidence_read} of the {result.evidence_found} places that were found.")
    if result.unsupported:
        print("\nNot borne out by what is cited")
        for each in result.unsupported:
            print(render.printable(f"  ? {' '.join(result.answer[each.start : each.end].split())}"))
    if result.message:
        work.notice(result.message)
    if result.finish_reason == "length":
        work.notice("The answer was cut at its greatest length.")
