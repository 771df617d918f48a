"""What the answering needs of a language model: the protocol, its steps, the flag that stops it.

Costs nothing to import. Must not import llama_cpp or any of this package but `prompt`, for the `Message`.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from mmap import mmap

    from memcache_lsp.prompt import Message


class StopFlag:
    """A request to stop, set from any thread or signal handler, seen by llama.cpp in the middle of a batch.

    The two bytes are the C string that the abort callback measures: empty means go on (see `_watch`). They may lie in
    memory shared with another process, which then stops the work by writing the first of them.
    """

    def __init__(self, shared: mmap | None = None) -> None:
        size = ctypes.c_char * 2
        self._buffer = size() if shared is None else size.from_buffer(shared)

    def set(self) -> None:
        """Ask the work to stop; there is no way back, a new piece of work takes a new flag."""
        self._buffer[0] = b"\x01"

    def is_set(self) -> bool:
        """Tell whether the work should stop."""
        return self._buffer[0] != b"\x00"

    @property
    def address(self) -> ctypes.c_void_p:
        """Point at the flag's bytes, valid as long as the flag lives."""
        return ctypes.cast(self._buffer, ctypes.c_void_p)


@dataclass(frozen=True, slots=True)
class Reading:
    """So much of the prompt is read."""

    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Batches:
    """So many batches of one size, computed by so many threads."""

    size: int
    count: int
    threads: int


@dataclass(frozen=True, slots=True)
class Computed:
    """What the numbers of a run depend on besides model and text: the same again gives the same answer to the byte.

    `prompt` tells in which batches the prompt came into the context, what was known from runs before included.
    """

    library: str  # the binding of llama.cpp, with its version
    context_tokens: int
    prompt: tuple[Batches, ...]
    answer: tuple[Batches, ...] = ()

    @property
    def threads(self) -> int:
        """Return how many threads wrote most of the answer."""
        return max(self.answer or self.prompt, key=lambda each: each.count).threads


@dataclass(frozen=True, slots=True)
class Finished:
    """How a run ended and what it took; "length" also tells that an answer which went in circles was cut."""

    finish_reason: Literal["stop", "length"]
    prompt_tokens: int
    reused_tokens: int  # of the prompt, known from the run before
    answer_tokens: int
    read_s: float
    write_s: float
    computed: Computed | None = None  # None where the generator does not know


@dataclass(frozen=True, slots=True)
class Thinking:
    """The model reasons, and what it says to itself is not given out."""


Step = Reading | Thinking | str | Finished


class Generator(Protocol):
    """What the answering needs of a language model."""

    @property
    def name(self) -> str:
        """Name the model for people."""

    @property
    def context_tokens(self) -> int:
        """Tell how many tokens prompt and answer may have together."""

    @property
    def notes(self) -> tuple[str, ...]:
        """Tell in a sentence each what was chosen for this machine or server, and why."""

    @property
    def prompt_speed(self) -> float | None:
        """Tell how many tokens a second were read last, None before any measure."""

    @property
    def thought_tokens(self) -> int:
        """Tell how many tokens it may think before an answer, 0 for a model that does not think."""

    def count_tokens(self, text: str) -> int:
        """Count the tokens of a plain text."""

    def prompt_tokens(self, messages: Sequence[Message]) -> int:
        """Count the tokens of the whole prompt, with what the chat template adds."""

    def known_tokens(self, messages: Sequence[Message]) -> int:
        """Count the tokens of the prompt that need not be read again, since a prompt before began with them."""

    def generate(self, messages: Sequence[Message], *, max_tokens: int, stop: StopFlag) -> Iterator[Step]:
        """Read the prompt and stream the answer: `Reading`s, then pieces of text, `Finished` as the last.

        The text may begin with thoughts in their tags; a server that keeps them apart gives `Thinking` for them. They
        count in `thought_tokens`, and only what comes after them in `max_tokens`.

        Raises `Stopped`, after the model has come to rest, when `stop` was set. Closing the iterator early sets it.
        """

    def close(self) -> None:
        """Free the memory."""


def looping(tokens: Sequence[int]) -> bool:
    """Tell whether the answer goes in circles: its last 24 tokens or more are one n-gram, three times over or more."""
    count = len(tokens)
    for period in range(1, count // 3 + 1):
        start = count - max(period * 3, 24)
        if start >= 0 and all(tokens[i] == tokens[i + period] for i in range(start, count - period)):
            return True
    return False
