"""Own what the model is told: the system text, and as much of the evidence as the budget has room for.

Pure: counting tokens is passed in. Must not import a model, the store or the scan.

**Invariant:** `count` of the messages' texts never exceeds the budget.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from memcache_lsp.cutting import Weights, cut, weights_of
from memcache_lsp.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from memcache_lsp.evidence import Evidence

FIRST_TEXT_S = 8.0  # how long one may wait for the answer to begin
LEAST_TOKENS = 256  # less evidence than this is not worth an answer, however slow the machine
_FIRST_SHARE = 0.4  # of the budget, for the best excerpt
_LATER_SHARE = 0.2  # for each of the others
_WORTH_WIDENING = 32  # tokens that are left

_EXCERPT = re.compile(r'<excerpt number="(\d+)" .*?\n</excerpt>\n', re.DOTALL)  # none holds a fence of its own
_FENCE = re.compile(r"<(?=[\s/<]*excerpt)", re.IGNORECASE)
_UNQUOTED = re.compile(r"[\x00-\x1f\x7f\u2028\u2029\"<>]+")

# Judged by hand with a model of 0.5B: asked before the excerpts it copies their form, with a sample sentence it says the
# sample; tags around the excerpts and the request after them give short answers in words. The question has to stand at the
# very end: before the request it says of every second question that the excerpts do not tell, or says the question again.
SYSTEM = "You answer questions about a software project from numbered excerpts of its files."
_REQUEST = (
    "Answer from the excerpts only, in one to three short sentences, in your own words. "
    "Every sentence must end with the number of its excerpt in square brackets. "
    "If no excerpt answers the question, say that the excerpts do not tell."
)


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a chat; `text` is data and must never become a control token."""

    role: Literal["system", "user", "assistant"]
    text: str


@dataclass(frozen=True, slots=True)
class Packed:
    """What the model reads: the messages, the excerpts in them (some cut short), and how many found no room."""

    messages: tuple[Message, ...]
    used: tuple[Evidence, ...]
    left_out: int


def affordable_tokens(prompt_speed: float, seconds: float = FIRST_TEXT_S) -> int:
    """Tell how many tokens of prompt can be read in the given time, by tokens per second."""
    return int(prompt_speed * seconds)


def pack(
    question: str,
    excerpts: Sequence[Evidence],
    *,
    count: Callable[[str], int],
    budget_tokens: int,
    overhead_tokens: int = 0,
) -> Packed:
    """Choose and cut the evidence so that the messages have at most `budget_tokens - overhead_tokens` tokens.

    In their order, which is best first; of an excerpt that does not fit those lines stay that say most of what is asked,
    of a whole file's parts the first ones, and one of which not even a line fits is left out. What encloses an excerpt
    comes along where there is room for both.
    """
    evidence = [excerpt for excerpt in excerpts if excerpt.text.strip()]
    room = budget_tokens - overhead_tokens
    spare = room - _cost((), question, count)
    if spare < 0:
        raise UserError(f"The question is too long by {-spare} tokens for what the model can read: shorten it.")
    is_a_file = len(evidence) > 2 and len({each.path for each in evidence}) == 1
    weights = {} if is_a_file else weights_of(question, evidence)
    taken: list[tuple[Evidence, Evidence]] = []  # whole, and as much of it as is shown
    for looked_at, excerpt in enumerate(evidence):
        share = int(room * (_LATER_SHARE if taken else _FIRST_SHARE))
        if is_a_file:  # something of each part
            share = spare // (len(evidence) - looked_at)
        fitting = cut(excerpt, min(spare, share), lambda each: count(_shown(each)), weights)
        if fitting is not None:
            taken.append((excerpt, fitting))
            spare -= count(_shown(fitting))
    used = list(_widened(taken, spare, lambda each: count(_shown(each)), weights))
    while _cost(used, question, count) > room:  # tokens at the seams are counted only in the whole
        used.pop()
    return Packed(_messages(used, question), tuple(used), len(evidence) - len(used))


def _widened(
    taken: Sequence[tuple[Evidence, Evidence]], spare: int, cost: Callable[[Evidence], int], weights: Weights
) -> Iterator[Evidence]:
    """Give what room is left to the best of those that were cut."""
    for whole, shown in taken:
        now = cost(shown)
        wider = (
            cut(whole, now + spare, cost, weights) if shown.text != whole.text and spare >= _WORTH_WIDENING else None
        )
        if wider is not None:
            spare -= cost(wider) - now
        yield wider or shown


def without_evidence(message: Message) -> tuple[Message, frozenset[int]]:
    """Take the excerpts out of a message that `pack` made; return their numbers, too."""
    numbers = frozenset(int(found[1]) for found in _EXCERPT.finditer(message.text))
    return replace(message, text=_EXCERPT.sub("", message.text)), numbers


def fingerprint() -> str:
    """Name the words that every prompt has, for answers that are kept."""
    return hashlib.sha256("\0".join(message.text for message in _messages((), "")).encode()).hexdigest()


def _messages(used: Sequence[Evidence], question: str) -> tuple[Message, ...]:
    """Put what stays the same first, so that a second question about the same evidence reads only itself."""
    shown = "".join(map(_shown, used))
    return Message("system", SYSTEM), Message("user", f"{shown}\n{_REQUEST}\nQuestion: {question}")


def _cost(used: Sequence[Evidence], question: str, count: Callable[[str], int]) -> int:
    return sum(count(message.text) for message in _messages(used, question))


def _shown(excerpt: Evidence) -> str:
    name = f' name="{_attribute(excerpt.symbol)}"' if excerpt.symbol else ""
    source = f"{_attribute(excerpt.path)}:{excerpt.start_line}-{excerpt.end_line}"
    whole = f"{excerpt.context}\n…\n{excerpt.text}" if excerpt.context else excerpt.text
    text = fenced(whole.strip("\n"))
    return f'<excerpt number="{excerpt.n}" source="{source}"{name}>\n{text}\n</excerpt>\n'


def fenced(text: str) -> str:
    """Return a project's text in a form that no part of it ends the fence around it, or begins another."""
    return _FENCE.sub("&lt;", text)


def _attribute(text: str) -> str:
    """Return a path or a name as it may stand in quotes, on one line."""
    return _UNQUOTED.sub(" ", text)
