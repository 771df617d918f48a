"""Own the events that an answer consists of, as they are streamed: frozen values, the same from engine and daemon.

Must import nothing but values, so that a command that only shows answers loads nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from memcache_lsp.conversation import Told
    from memcache_lsp.values import Hit, Spot

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

    stage: Literal["waiting", "loading", "reading", "thinking", "writing"]
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
    """The lines that a `[n]` stands for, once for each that is in the text."""

    n: int
    path: str
    start_line: int
    end_line: int
    status: Literal["fresh", "moved", "stale"] = "fresh"
    spot: Spot | None = None  # None: the lines are the file's own
    at: int | None = None  # where its bracket stands in the answer, in characters; None: not known any more
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
