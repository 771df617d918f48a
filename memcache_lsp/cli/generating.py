"""Answer in this process, by a model that is loaded for one command; without one, by quotations."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

from memcache_lsp import answering, config, generation, generator, loading, models
from memcache_lsp.cli import work
from memcache_lsp.conversation import Earlier
from memcache_lsp.errors import ModelError, UsageError
from memcache_lsp.events import Event, Result, Sources
from memcache_lsp.evidence import Evidence
from memcache_lsp.generator import StopFlag
from memcache_lsp.intents import Plan
from memcache_lsp.redact import redact
from memcache_lsp.texts import ShownTexts
from memcache_lsp.threads.disk import Threads
from memcache_lsp.threads.keeping import replayable
from memcache_lsp.threads.records import Turn
from memcache_lsp.values import Hit
from memcache_lsp.verifying import Verifier


def model_path(options: argparse.Namespace) -> models.Answering | None:
    """Return what answers by the command line or the settings, None for none."""
    if options.no_model:
        return None
    if options.model == "":
        raise UsageError("--model is empty: name a model, or leave it out.")
    user, _ = config.load_user_settings()
    if options.model:
        path = models.locate(options.model, relative=True)
        return None if path is None else models.runnable(path, user)
    return models.chosen(user)


@dataclass(frozen=True, slots=True)
class Found:
    """What an answer draws on: hits as the files are now, what a model reads of them, the thread before."""

    plan: Plan
    hits: tuple[Hit, ...]
    excerpts: tuple[Evidence, ...]
    count: int  # of hits in all
    earlier: Earlier
    read: ShownTexts


def answer(found: Found, options: argparse.Namespace, path: models.Answering | None) -> Generator[Event, None, None]:
    """Answer from what was found, without the sources; closing the generator leaves the model at rest."""
    evidence, plan = found.hits, found.plan
    earlier = found.earlier
    verifier = Verifier(found.excerpts, found.read, found.read.spot, earlier=earlier.read, first=earlier.next_number)
    stop = StopFlag()
    with _generator(options, path if evidence else None) as (opened, message):
        events = answering.answer(
            plan.question if opened else plan.quoted,
            evidence,
            found=found.count,
            generator=opened,
            stop=stop,
            excerpts=found.excerpts,
            earlier=found.earlier,
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
    options: argparse.Namespace, path: models.Answering | None
) -> Iterator[tuple[generator.Generator | None, str | None]]:
    """Load the model; without one, or without the extra for a model nobody named, give the sentence that says so."""
    if path is None:
        yield None, None if options.no_model else models.NO_MODEL
        return
    user, _ = config.load_user_settings()
    try:
        opened = _open(path, user)
    except ModelError as error:
        if options.model or user.model or user.endpoint or models.used():
            raise
        yield None, f"{error} The answer is quotations."
        return
    with contextlib.closing(opened):
        yield opened, None


def _open(path: models.Answering, user: config.UserSettings) -> generator.Generator:
    def load() -> generator.Generator:
        return loading.open_model(
            path,
            context_tokens=user.context_tokens or None,
            threads=user.threads or None,
            gpu_layers=None if user.gpu_layers < 0 else user.gpu_layers,
        )

    # Only llama.cpp cannot be interrupted; and a program ends with the thread that started it.
    return work.interruptible(load) if isinstance(path, Path) else load()


def replayed(turn: Turn) -> tuple[str, bool]:
    """Compute an answer once more from its record; return what the model said and whether that is what it said then."""
    with contextlib.closing(Threads()) as threads:
        path, told = replayable(threads, turn)
    computed = told.computed
    assert computed is not None
    model = work.interruptible(
        lambda: generation.load(path, context_tokens=computed.context_tokens, threads=computed.threads)
    )
    with contextlib.closing(model):
        steps = model.replay(told.prompt, computed, max_tokens=told.max_tokens, stop=StopFlag())
        said = "".join(step for step in steps if isinstance(step, str))
    return said, redact(said).text == told.said
