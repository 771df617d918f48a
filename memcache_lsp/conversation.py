"""Own what a model is told when a question follows others: their messages as it saw them, then what is new.

Pure: counting tokens is the generator's. Must not import a model, the store or the scan.

**Invariant:** the messages of a follow-up begin with those of the question before, to the byte, until the context is
full; then the evidence of the oldest questions is left out, once for many questions to come.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from memcache_lsp.evidence import Evidence
from memcache_lsp.generator import Computed, Generator
from memcache_lsp.prompt import SYSTEM, Message, Packed, pack, without_evidence

NEW_SHARE = (
    0.10  # of what the thread has already: late tokens cost twice the early ones, and a quarter of the time is allowed
)
LEAST_NEW_TOKENS = 64  # of evidence, for a thread that is short
_SHRUNK_SHARE = 0.5  # of the room, which a thread has after it was full


@dataclass(frozen=True, slots=True)
class Told:
    """What the model was told and said, and how that was computed; `read` are the excerpts in the whole prompt."""

    prompt: tuple[Message, ...]
    read: tuple[Evidence, ...]
    said: str
    max_tokens: int
    computed: Computed | None


@dataclass(frozen=True, slots=True)
class Earlier:
    """A thread before its next question: messages, the excerpts in them, the number of the next source."""

    messages: tuple[Message, ...] = ()
    read: tuple[Evidence, ...] = ()
    next_number: int = 1


ALONE = Earlier()  # a question that follows none


def after(told: Told | None, next_number: int) -> Earlier:
    """Return what there is before the question that comes after an answer."""
    if told is None:
        return Earlier(next_number=next_number)
    return Earlier((*told.prompt, Message("assistant", told.said)), told.read, next_number)


def unread(excerpts: Sequence[Evidence], earlier: Earlier) -> list[Evidence]:
    """Return the excerpts that the model has not read in the thread, numbered on from its sources."""
    known: dict[str, list[str]] = {}
    for each in earlier.read:
        known.setdefault(each.path, []).append(each.text)
    return [
        replace(excerpt, n=excerpt.n + earlier.next_number - 1)
        for excerpt in excerpts
        if not any(excerpt.text.strip() in text for text in known.get(excerpt.path, ()))
    ]


def go_on(
    question: str,
    excerpts: Sequence[Evidence],
    earlier: Earlier,
    generator: Generator,
    *,
    room: int,
    affordable: int = 10**9,
) -> Packed:
    """Put a question and its new evidence behind a thread, so that the whole has at most `room` tokens.

    At most `affordable` of them, which take the time that one may wait, are left to be read: a thread that the generator
    does not remember is cut, its oldest evidence first, and what time is left goes to new evidence.
    """
    asked = generator.count_tokens(pack(question, (), count=len, budget_tokens=10**9).messages[-1].text)
    before = _length(earlier, generator)
    if before + asked + max(LEAST_NEW_TOKENS, int(NEW_SHARE * before)) > room:
        earlier = _shrunk(earlier, generator, target=min(int(_SHRUNK_SHARE * room), room - asked - LEAST_NEW_TOKENS))
        before = _length(earlier, generator)
    new = max(asked + LEAST_NEW_TOKENS, int(NEW_SHARE * before))
    unknown = before - generator.known_tokens(earlier.messages)
    if unknown + new > affordable:
        earlier = _shrunk(earlier, generator, target=int(_SHRUNK_SHARE * affordable))
        before = unknown = _length(earlier, generator)
        new = affordable - before
    new = min(room - before, max(asked + LEAST_NEW_TOKENS, min(new, affordable - unknown)))
    packed = pack(
        question,
        unread(excerpts, earlier),
        count=generator.count_tokens,
        budget_tokens=new + generator.count_tokens(SYSTEM),  # which `pack` counts, and the thread has
    )
    start = earlier.messages or packed.messages[:1]
    return Packed((*start, packed.messages[-1]), (*earlier.read, *packed.used), packed.left_out)


def _length(earlier: Earlier, generator: Generator) -> int:
    return generator.prompt_tokens((*(earlier.messages or (Message("system", SYSTEM),)), Message("user", "")))


def _shrunk(earlier: Earlier, generator: Generator, *, target: int) -> Earlier:
    """Leave out the oldest evidence until the thread is short enough, then the oldest questions as a whole."""
    asked = [at for at, message in enumerate(earlier.messages) if message.role == "user"]
    for at in asked:
        if _length(earlier, generator) <= target:
            return earlier
        bare, numbers = without_evidence(earlier.messages[at])
        messages = (*earlier.messages[:at], bare, *earlier.messages[at + 1 :])
        read = tuple(excerpt for excerpt in earlier.read if excerpt.n not in numbers)
        earlier = replace(earlier, messages=messages, read=read)
    while _length(earlier, generator) > target and len(earlier.messages) > 1:
        earlier = replace(earlier, messages=(earlier.messages[0], *earlier.messages[3:]))
    return earlier
