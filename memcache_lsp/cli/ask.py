"""`memcache-lsp ask`: sources first, then the answer as it comes, then the lines it comes from."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

from memcache_lsp import answering, config, generation, models
from memcache_lsp.answering import Citation, Delta, Event, Result, Sources, Stage
from memcache_lsp.cli import render, work
from memcache_lsp.errors import ModelError, UsageError
from memcache_lsp.generation import Generator, StopFlag
from memcache_lsp.indexing import Progress
from memcache_lsp.protocol import wire
from memcache_lsp.values import Hit

EVIDENCE_HITS = 12
FOUND_HITS = 100  # how many are counted
EVIDENCE_PER_FILE = 3
INDEX_WAIT_S = 5.0  # how long an answer waits for the index before it takes what there is


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    question = work.text_of(options.question, "question")
    if options.model and options.no_model:
        raise UsageError("--model and --no-model exclude each other: leave out one.")
    path = _model_path(options)  # a named model that is not there is told before any work
    with work.at(options, question=question) as (project, updating):
        with render.progress_bar("Indexing", "files") as bar:
            complete = updating.wait(INDEX_WAIT_S, bar.show) is not None
            hits = _evidence(project, question, options)
            if not hits and not complete:  # what is not there yet may still come
                updating.wait(None, bar.show)
                hits, complete = _evidence(project, question, options), True
        if not complete:
            work.notice("This answer is from what is indexed so far; the rest is being indexed.")
        stop = StopFlag()
        with _generator(options, path if hits else None, wanted=bool(hits)) as generator:
            events = answering.answer(
                question,
                hits[:EVIDENCE_HITS],
                found=len(hits),
                generator=generator,
                stop=stop,
                max_tokens=options.max_tokens,
            )
            reason = _show(_stopping(events, stop), options)
        with render.progress_bar("Indexing", "files") as bar:
            updating.wait(None, bar.show)
    return 3 if reason == "no_answer" else 0


def _evidence(project: work.Searchable, question: str, options: argparse.Namespace) -> list[Hit]:
    """Return what the answer may draw on, best first; nothing if the index knows no content word of the question."""
    if not project.knows_any(question):
        return []
    return project.search(question, scope=work.scope_of(options), limit=FOUND_HITS, per_file=EVIDENCE_PER_FILE)


def _stopping(events: Iterator[Event], stop: StopFlag) -> Iterator[Event]:
    """Set the flag when the user interrupts, so that the model stops within a token or a piece of the prompt."""
    try:
        yield from events
    except BaseException:
        stop.set()
        raise


def _model_path(options: argparse.Namespace) -> Path | None:
    if options.no_model:
        return None
    if options.model == "":
        raise UsageError("--model is empty: name a model, or leave it out.")
    user, _ = config.load_user_settings()
    if options.model:
        return models.locate(options.model, relative=True)
    return models.locate(user.model or None)


@contextlib.contextmanager
def _generator(options: argparse.Namespace, path: Path | None, *, wanted: bool) -> Iterator[Generator | None]:
    """Load the model; without one, or without the extra for a model nobody named, say so once and go on."""
    if path is None:
        if wanted and not options.no_model:
            work.notice(
                f"No model, so the answer is quotations; for one: memcache-lsp models pull {models.DEFAULT.name}"
            )
        yield None
        return
    user, _ = config.load_user_settings()
    try:
        generator = work.interruptible(
            lambda: generation.load(path, context_tokens=user.context_tokens or None, threads=user.threads or None)
        )
    except ModelError as error:
        if options.model or user.model:
            raise
        work.notice(f"{error} The answer is quotations.")
        yield None
        return
    with contextlib.closing(generator):
        yield generator


def _show(events: Iterator[Event], options: argparse.Namespace) -> str:
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
                case Sources(items=items):
                    _print_sources(items)
                case Stage(percent=percent):
                    bar.show(Progress(percent, 100))
                case Delta(text=text):
                    bar.stop()
                    sys.stdout.write(render.printable(text))
                    sys.stdout.flush()
                case Citation():
                    pass  # shown together at the end, where they can be read
                case Result():
                    bar.stop()
                    reason = event.finish_reason
                    _print_result(event)
    return reason


def _print_sources(items: tuple[Hit, ...]) -> None:
    if items:
        print("Sources")
        for n, hit in enumerate(items, start=1):
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
            print(render.printable(f"  [{citation.n}] {citation.path}:{citation.start_line}-{citation.end_line}"))
    if result.finish_reason == "length":
        work.notice("The answer was cut at its greatest length.")
