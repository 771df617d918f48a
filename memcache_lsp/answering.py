"""Own the way from a question and its hits to an answer: sources, text, citations, result, as a stream of events.

Searches nothing and draws nothing: hits come in, events go out. Must not import the store, the scan, the command line
or any heavy library; the model is passed in.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from itertools import count
from typing import TYPE_CHECKING, Literal

from memcache_lsp.citations import CitationParser, Located, attribute
from memcache_lsp.conversation import ALONE, Earlier, Told, go_on, unread
from memcache_lsp.errors import Stopped
from memcache_lsp.evidence import Evidence, gathered
from memcache_lsp.extract import extract
from memcache_lsp.generator import Finished, Generator, Reading, Step, StopFlag
from memcache_lsp.prompt import FIRST_TEXT_S, LEAST_TOKENS, SYSTEM, Message, Packed, affordable_tokens, pack
from memcache_lsp.supporting import Sentence, Support

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from memcache_lsp.values import Hit, Spot

ANSWER_TOKENS = 256
EVIDENCE_PER_FILE = 3
MISSES = 5  # that are shown where there is no answer
FOUND_HITS = 100  # how many are counted
NO_EVIDENCE = "Nothing in the index answers this."

FinishReason = Literal["stop", "length", "extract", "no_answer"]


@dataclass(frozen=True, slots=True)
class Sources:
    """The hits that the answer may draw on; `[n]` means the n-th of them, the first one having the number `first`.

    Numbers go on within a thread: a lower one means a source of a question before.
    """

    items: tuple[Hit, ...]
    first: int = 1
    type: Literal["sources"] = "sources"


@dataclass(frozen=True, slots=True)
class Stage:
    """What is going on, and how much of it is done."""

    stage: Literal["waiting", "loading", "reading", "writing"]
    percent: int
    type: Literal["stage"] = "stage"


@dataclass(frozen=True, slots=True)
class Delta:
    """The next piece of the answer; all pieces in order are the answer."""

    seq: int
    text: str
    type: Literal["delta"] = "delta"


@dataclass(frozen=True, slots=True)
class Citation:
    """The lines that `[n]` stands for, once for each place."""

    n: int
    path: str
    start_line: int
    end_line: int
    status: Literal["fresh", "moved", "stale"] = "fresh"
    spot: Spot | None = None  # None: the lines are the file's own
    type: Literal["citation"] = "citation"


@dataclass(frozen=True, slots=True)
class Unsupported:
    """A stretch of the text so far that is not borne out by what it cites; characters, the end exclusive."""

    start: int
    end: int
    type: Literal["unsupported"] = "unsupported"


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of the model."""

    prompt_tokens: int = 0
    reused_tokens: int = 0
    answer_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Timings:
    """Seconds since the hits were there, up to the first text and in all."""

    first_text_s: float
    total_s: float


@dataclass(frozen=True, slots=True)
class Result:
    """The whole answer, always the last event; `evidence_read` of the `evidence_found` hits were read for it."""

    answer: str
    citations: tuple[Citation, ...]
    finish_reason: FinishReason
    evidence_read: int
    evidence_found: int
    usage: Usage
    timings: Timings
    message: str | None = None  # for the user, where there is something to say
    unsupported: tuple[Unsupported, ...] = ()
    told: Told | None = None  # None where no model was asked
    thread_id: str = ""  # where it is kept
    turn_id: str = ""
    cached: bool = False  # it is an answer that was kept
    type: Literal["result"] = "result"


Event = Sources | Stage | Delta | Citation | Unsupported | Result


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
    def cited(self) -> bool:
        return bool(self._citations)

    def delta(self, text: str) -> Delta:
        if self._first is None:
            self._first = self._clock() - self._started
        self._texts.append(text)
        return Delta(next(self._numbers), text)

    def citation(self, place: Located) -> Citation:
        citation = Citation(place.n, place.path, place.start_line, place.end_line)
        self._citations.append(citation)
        return citation

    def unsupported(self, sentences: Iterable[Sentence]) -> Iterator[Unsupported]:
        for sentence in sentences:
            self._unsupported.append(Unsupported(sentence.start, sentence.end))
            yield self._unsupported[-1]

    def result(self, reason: FinishReason, *, evidence_read: int, usage: Usage = Usage()) -> Result:
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
        yield run.delta(f"{quote.text} [{n}]\n\n")
        yield run.citation(Located(n, quote.path, quote.start_line, quote.end_line))
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
    room = generator.context_tokens - max_tokens
    if earlier.messages:
        packed = go_on(question, excerpts, earlier, generator, room=room)
    else:
        packed = _packed(question, unread(excerpts, earlier), generator, stop=stop, room=room)
    said: list[str] = []
    parser, support = CitationParser(packed.used), Support(packed.used)
    percent = 0
    started = False
    for step in generator.generate(packed.messages, max_tokens=max_tokens, stop=stop):
        if isinstance(step, Reading):
            if step.done * 100 // step.total > percent:
                percent = step.done * 100 // step.total
                yield Stage("reading", percent)
        elif isinstance(step, Finished):
            yield from (run.citation(place) for place in parser.finish())
            for event in _attributed(run, parser, packed):
                yield event
                yield from run.unsupported(support.feed(event.text) if isinstance(event, Delta) else ())
            yield from run.unsupported(support.finish())
            usage = Usage(step.prompt_tokens, step.reused_tokens, step.answer_tokens)
            told = Told(packed.messages, packed.used, "".join(said), max_tokens, step.computed)
            result = run.result(step.finish_reason, evidence_read=len(packed.used), usage=usage)
            yield replace(result, told=told)
        else:
            said.append(step)
            text = step if started else step.lstrip()
            started = started or bool(text)
            if text:
                yield run.delta(text)
                yield from (run.citation(place) for place in parser.feed(text))
                yield from run.unsupported(support.feed(text))


def _attributed(run: _Run, parser: CitationParser, packed: Packed) -> Iterator[Event]:
    """Add the source that an answer names none of, where it can be told by comparison."""
    n = None if run.cited else attribute(run.text, packed.used)
    if n is not None:
        mark = f" [{n}]"
        yield run.delta(mark)
        yield from (run.citation(place) for place in (*parser.feed(mark), *parser.finish()))


def _packed(question: str, excerpts: Sequence[Evidence], generator: Generator, *, stop: StopFlag, room: int) -> Packed:
    """Pack what the context has room for and the machine can read in time."""
    speed = generator.prompt_speed or _measured_speed(generator, stop)
    overhead = generator.prompt_tokens((Message("system", ""), Message("user", "")))
    affordable = max(LEAST_TOKENS, affordable_tokens(speed, FIRST_TEXT_S))
    return pack(
        question,
        excerpts,
        count=generator.count_tokens,
        budget_tokens=min(room, affordable),
        overhead_tokens=overhead,
    )


def _measured_speed(generator: Generator, stop: StopFlag) -> float:
    """Measure by reading what every prompt begins with, so that the time is not lost."""
    steps: Iterator[Step] = generator.generate(
        (Message("system", SYSTEM), Message("user", "")), max_tokens=0, stop=stop
    )
    finished = [step for step in steps if isinstance(step, Finished)]
    return generator.prompt_speed or finished[0].prompt_tokens / max(1e-6, finished[0].read_s)
