"""Own the way from a question and its hits to an answer: sources, text, citations, result, as a stream of events.

Searches nothing and draws nothing: hits come in, events go out. Must not import the store, the scan, the command line
or any heavy library; the model is passed in.
"""

from __future__ import annotations

import time
from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING

from memcache_lsp.attributing import Attributor
from memcache_lsp.citations import CitationParser, Cleaner, Located, attribute
from memcache_lsp.conversation import ALONE, Earlier, Told, go_on, unread
from memcache_lsp.errors import ModelError, Stopped
from memcache_lsp.events import (
    NO_EVIDENCE,
    Citation,
    Delta,
    Event,
    FinishReason,
    Result,
    Sources,
    Stage,
    Timings,
    Unsupported,
    Usage,
)
from memcache_lsp.evidence import Evidence, gathered
from memcache_lsp.extract import extract
from memcache_lsp.generator import Finished, Generator, Reading, Step, StopFlag, Thinking
from memcache_lsp.prompt import FIRST_TEXT_S, LEAST_TOKENS, SYSTEM, Message, Packed, affordable_tokens, pack
from memcache_lsp.sentences import Sentence
from memcache_lsp.supporting import Support
from memcache_lsp.thinking import Thoughts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from memcache_lsp.values import Hit

ANSWER_TOKENS = 256
EVIDENCE_PER_FILE = 3
MISSES = 5  # that are shown where there is no answer
FOUND_HITS = 100  # how many are counted
_NO_TOKENS = Usage()


def answer(  # noqa: PLR0913 - each is a part of one question
    question: str,
    hits: Sequence[Hit],
    *,
    found: int,
    generator: Generator | None,
    stop: StopFlag,
    excerpts: Sequence[Evidence] | None = None,
    earlier: Earlier = ALONE,
    max_tokens: int = ANSWER_TOKENS,
    clock: Callable[[], float] = time.perf_counter,
) -> Iterator[Event]:
    """Answer a question from its hits, by the model where there is one, else by an extract.

    `found` is how many hits the search had in all; `excerpts` what the model reads of them, by default no more than
    the hits merged; `earlier` the thread that the question goes on with. Without hits there is no answer and the model
    is not asked.
    Raises `Stopped`, after the model has come to rest, once `stop` is set.
    """
    if not hits:
        yield Sources((), earlier.next_number)
        yield _Run(found, clock).result("no_answer", evidence_read=0)
        return
    yield Sources(tuple(hits), earlier.next_number)
    run = _Run(found, clock)
    if generator is None:
        yield from _extracted(question, hits, run, stop, first=earlier.next_number)
    else:
        read = gathered(hits) if excerpts is None else excerpts
        yield from _generated(question, read, run, generator, earlier=earlier, stop=stop, max_tokens=max_tokens)


def refused(hits: Sequence[Hit], *, found: int, why: str, first: int = 1) -> Iterator[Event]:
    """Say that there is no answer, with the nearest misses as sources; no model is asked."""
    run = _Run(found, time.perf_counter)
    yield Sources(tuple(hits[:MISSES]), first)
    yield run.delta(why)
    yield run.result("no_answer", evidence_read=0)


def refusal(*, misses: bool, skipped: int, failed: int, going_on: tuple[int, int] | None) -> str:
    """Return the sentences of a no: what there is, what is not indexed, and how far an indexing is that goes on."""
    told = [NO_EVIDENCE]
    if misses:
        told.append("The sources are its nearest misses.")
    if skipped or failed:
        left_out = [f"{skipped} left out by rule"] * bool(skipped) + [f"{failed} that failed"] * bool(failed)
        told.append(f"Not indexed: {' and '.join(left_out)} (`memcache-lsp status --all` lists them).")
    if going_on:
        told.append(f"Indexing goes on: {going_on[0]} of {going_on[1]} files are read.")
    return " ".join(told)


class _Run:
    """What has been said so far in one answer."""

    def __init__(self, found: int, clock: Callable[[], float]) -> None:
        self._found = found
        self._clock = clock
        self._started = clock()
        self._first: float | None = None
        self._texts: list[str] = []
        self._citations: list[Citation] = []
        self._unsupported: list[Unsupported] = []
        self._numbers = count()

    @property
    def text(self) -> str:
        return "".join(self._texts)

    @property
    def has_begun(self) -> bool:
        return bool(self._texts)

    @property
    def cited(self) -> bool:
        return bool(self._citations)

    def delta(self, text: str) -> Delta:
        if self._first is None:
            self._first = self._clock() - self._started
        self._texts.append(text)
        return Delta(next(self._numbers), text)

    def citation(self, place: Located) -> Citation:
        citation = Citation(place.n, place.path, place.start_line, place.end_line, at=place.at)
        self._citations.append(citation)
        return citation

    def unsupported(self, sentences: Iterable[Sentence]) -> Iterator[Unsupported]:
        for sentence in sentences:
            self._unsupported.append(Unsupported(sentence.start, sentence.end))
            yield self._unsupported[-1]

    def result(self, reason: FinishReason, *, evidence_read: int, usage: Usage = _NO_TOKENS) -> Result:
        total = self._clock() - self._started
        timings = Timings(total if self._first is None else self._first, total)
        text = self.text or (NO_EVIDENCE if reason == "no_answer" else "")
        told = tuple(self._citations), reason, evidence_read, self._found, usage, timings
        return Result(text, *told, unsupported=tuple(self._unsupported))


def _extracted(question: str, hits: Sequence[Hit], run: _Run, stop: StopFlag, *, first: int) -> Iterator[Event]:
    quotes = extract(question, hits)
    for quote in quotes:
        if stop.is_set():
            raise Stopped("Stopped.")
        n = quote.n + first - 1
        at = len(run.text) + len(quote.text) + 1
        yield run.delta(f"{quote.text} [{n}]\n\n")
        yield run.citation(Located(n, quote.path, quote.start_line, quote.end_line, at))
    yield run.result("extract", evidence_read=len(hits))


def _generated(
    question: str,
    excerpts: Sequence[Evidence],
    run: _Run,
    generator: Generator,
    *,
    earlier: Earlier,
    stop: StopFlag,
    max_tokens: int,
) -> Iterator[Event]:
    yield Stage("reading", 0)
    max_tokens = min(max_tokens, generator.context_tokens // 4)  # a small context is for the evidence first
    room = generator.context_tokens - max_tokens - generator.thought_tokens
    if earlier.messages:
        packed = go_on(question, excerpts, earlier, generator, room=room, affordable=_affordable(generator, stop))
    else:
        packed = _packed(question, unread(excerpts, earlier), generator, stop=stop, room=room)
    writer = _Writer(run, packed.used, thinks=generator.thought_tokens > 0)
    percent = 0
    for step in generator.generate(packed.messages, max_tokens=max_tokens, stop=stop):
        if isinstance(step, Reading):
            if step.done * 100 // step.total > percent:
                percent = step.done * 100 // step.total
                yield Stage("reading", percent)
        elif isinstance(step, Thinking):
            yield from writer.think()
        elif isinstance(step, Finished):
            yield from writer.finish(generator.name, step)
            usage = Usage(step.prompt_tokens, step.reused_tokens, step.answer_tokens)
            told = Told(packed.messages, packed.used, writer.said, max_tokens, step.computed)
            new = sum(excerpt.n >= earlier.next_number for excerpt in packed.used)
            result = run.result(step.finish_reason, evidence_read=new, usage=usage)
            yield replace(result, told=told)
        else:
            yield from writer.feed(step)


class _Writer:
    """What a model writes on its way to who asked: without its thoughts, with the marks that are true and those it forgot."""

    def __init__(self, run: _Run, used: Sequence[Evidence], *, thinks: bool) -> None:
        self._run = run
        self._used = used
        self._said: list[str] = []
        self._thoughts = Thoughts(expected=thinks)
        self._thought = False
        self._cleaner, self._attributor = Cleaner(used), Attributor(used)
        self._parser, self._support = CitationParser(used), Support(used)

    @property
    def said(self) -> str:
        """All that the model said, thoughts too: the next prompt begins with it."""
        return "".join(self._said)

    def think(self) -> Iterator[Event]:
        """Tell once that the model thinks."""
        if not self._thought:
            self._thought = True
            yield Stage("thinking", 0)

    def feed(self, piece: str) -> Iterator[Event]:
        """Tell the next piece, and what is complete with it."""
        self._said.append(piece)
        text = self._thoughts.feed(piece)
        if self._thoughts.seen:
            yield from self.think()
        yield from self._tell(self._attributor.feed(self._cleaner.feed(text)))

    def finish(self, model: str, finished: Finished) -> Iterator[Event]:
        """Tell what was held back; an answer without any source gets the one that it is taken from as a whole.

        A ModelError where there is no answer.
        """
        rest = (
            self._cleaner.feed(self._thoughts.finish(cut=finished.finish_reason == "length")) + self._cleaner.finish()
        )
        yield from self._tell(self._attributor.feed(rest) + self._attributor.finish())
        if not self._run.has_begun:
            raise ModelError(_emptiness(model, finished, thought=self._thought))
        yield from map(self._run.citation, self._parser.finish())
        n = None if self._run.cited else attribute(self._run.text, self._used)
        if n is not None:
            yield from self._tell(f" [{n}]")
            yield from map(self._run.citation, self._parser.finish())
        yield from self._run.unsupported(self._support.finish())

    def _tell(self, text: str) -> Iterator[Event]:
        text = text if self._run.has_begun else text.lstrip()
        if text:
            yield self._run.delta(text)
            yield from map(self._run.citation, self._parser.feed(text))
            yield from self._run.unsupported(self._support.feed(text))


def _emptiness(model: str, finished: Finished, *, thought: bool) -> str:
    """Say in a sentence that a model gave no answer, and what to do."""
    if thought and finished.finish_reason == "length":
        return (
            f"The model {model} reasoned until its length was used up and gave no answer: ask for less, or name a model"
            " that does not reason."
        )
    if thought:
        return f"The model {model} reasoned and gave no answer: ask again in other words, or name another model."
    return f"The model {model} gave an empty answer: ask again in other words, or name another model."


def _packed(question: str, excerpts: Sequence[Evidence], generator: Generator, *, stop: StopFlag, room: int) -> Packed:
    """Pack what the context has room for and the machine can read in time."""
    overhead = generator.prompt_tokens((Message("system", ""), Message("user", "")))
    return pack(
        question,
        excerpts,
        count=generator.count_tokens,
        budget_tokens=min(room, _affordable(generator, stop)),
        overhead_tokens=overhead,
    )


def _affordable(generator: Generator, stop: StopFlag) -> int:
    """Tell how many tokens can be read in the time that one may wait for the first text."""
    speed = generator.prompt_speed or _measured_speed(generator, stop)
    return max(LEAST_TOKENS, affordable_tokens(speed, FIRST_TEXT_S))


def _measured_speed(generator: Generator, stop: StopFlag) -> float:
    """Measure by reading what every prompt begins with, so that the time is not lost."""
    steps: Iterator[Step] = generator.generate(
        (Message("system", SYSTEM), Message("user", "")), max_tokens=0, stop=stop
    )
    finished = [step for step in steps if isinstance(step, Finished)]
    return generator.prompt_speed or finished[0].prompt_tokens / max(1e-6, finished[0].read_s)
