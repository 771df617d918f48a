"""Answer in this process, by a model that is loaded for one command; without one, by quotations."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path

from memcache_lsp import answering, config, generation, models
from memcache_lsp.answering import Event, Result, Sources
from memcache_lsp.cli import work
from memcache_lsp.errors import ModelError, UsageError
from memcache_lsp.generation import StopFlag
from memcache_lsp.intents import Plan
from memcache_lsp.values import Hit
from memcache_lsp.verifying import Read, Verifier, drawn


def model_path(options: argparse.Namespace) -> Path | None:
    """Return the model that the command line or the settings name, None for none."""
    if options.no_model:
        return None
    if options.model == "":
        raise UsageError("--model is empty: name a model, or leave it out.")
    if options.model:
        return models.locate(options.model, relative=True)
    return models.locate(config.load_user_settings()[0].model or None)


def answer(
    plan: Plan, hits: Sequence[Hit], options: argparse.Namespace, path: Path | None, *, read: Read
) -> Generator[Event, None, None]:
    """Answer from hits as the files are now, the sources first; closing the generator leaves the model at rest."""
    evidence, excerpts = drawn(hits, read, limit=plan.limit, parted=plan.parted)
    verifier = Verifier(excerpts, read)
    yield Sources(evidence)
    stop = StopFlag()
    with _generator(options, path if evidence else None) as (generator, message):
        events = answering.answer(
            plan.question if generator else plan.quoted,
            evidence,
            found=len(hits),
            generator=generator,
            stop=stop,
            excerpts=excerpts,
            max_tokens=options.max_tokens,
        )
        try:
            for event in chain.from_iterable(map(verifier.events, events)):
                if isinstance(event, Result):
                    yield replace(event, message=message if evidence else None)
                elif not isinstance(event, Sources):
                    yield event
        except BaseException:  # the user interrupts: the model stops within a token or a piece of the prompt
            stop.set()
            raise


@contextlib.contextmanager
def _generator(
    options: argparse.Namespace, path: Path | None
) -> Iterator[tuple[generation.Generator | None, str | None]]:
    """Load the model; without one, or without the extra for a model nobody named, give the sentence that says so."""
    if path is None:
        yield None, None if options.no_model else models.NO_MODEL
        return
    user, _ = config.load_user_settings()
    try:
        generator = work.interruptible(
            lambda: generation.load(path, context_tokens=user.context_tokens or None, threads=user.threads or None)
        )
    except ModelError as error:
        if options.model or user.model:
            raise
        yield None, f"{error} The answer is quotations."
        return
    with contextlib.closing(generator):
        yield generator, None
