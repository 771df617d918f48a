"""Own what the model is told: the system text, and as much of the evidence as the budget has room for.

Pure: counting tokens is passed in. Must not import a model, the store or the scan.

**Invariant:** `count` of the messages' texts never exceeds the budget.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from memcache_lsp.errors import UserError
from memcache_lsp.evidence import Evidence
from memcache_lsp.lines import lines_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

FIRST_TEXT_S = 8.0  # how long one may wait for the answer to begin
LEAST_TOKENS = 256  # less evidence than this is not worth an answer, however slow the machine
_FIRST_SHARE = 0.5  # of the budget, for the best excerpt
_LATER_SHARE = 0.3  # for each of the others

_FENCE = re.compile(r"<(?=[\s/<]*excerpt)", re.IGNORECASE)
_UNQUOTED = re.compile(r"[\x00-\x1f\x7f\u2028\u2029\"<>]+")

# Judged by hand with a model of 0.5B: asked before the excerpts it copies their form, with a sample sentence it says the
# sample; tags around the excerpts and the request after them give short answers in words.
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

    In their order, which is best first; an excerpt that does not fit is cut at a line's end, and one of which not even a
    line fits is left out. What encloses an excerpt comes along where there is room for both.
    """
    evidence = [excerpt for excerpt in excerpts if excerpt.text.strip()]
    room = budget_tokens - overhead_tokens
    spare = room - _cost((), question, count)
    if spare < 0:
        raise UserError(f"The question is too long by {-spare} tokens for what the model can read: shorten it.")
    used: list[Evidence] = []
    for looked_at, excerpt in enumerate(evidence):
        share = int(room * (_LATER_SHARE if used else _FIRST_SHARE))
        if len(evidence) > 2 and len({each.path for each in evidence}) == 1:  # a whole file: something of each part
            share = spare // (len(evidence) - looked_at)
        fitting = _cut(excerpt, min(spare, share), count)
        if fitting is not None:
            used.append(fitting)
            spare -= count(_shown(fitting))
    while _cost(used, question, count) > room:  # tokens at the seams are counted only in the whole
        used.pop()
    return Packed(_messages(used, question), tuple(used), len(evidence) - len(used))


def _messages(used: Sequence[Evidence], question: str) -> tuple[Message, ...]:
    """Put what stays the same first, so that a second question about the same evidence reads only itself."""
    shown = "".join(map(_shown, used))
    return Message("system", SYSTEM), Message("user", f"{shown}\nQuestion: {question}\n{_REQUEST}")


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


def _cut(excerpt: Evidence, room: int, count: Callable[[str], int]) -> Evidence | None:
    """Keep as many lines from the start as fit, all where they do, None where not even one with words does."""
    if count(_shown(excerpt)) <= room:
        return excerpt
    excerpt = replace(excerpt, context="")
    if count(_shown(excerpt)) <= room:
        return excerpt
    lines = lines_of(excerpt.text)
    low, high = 0, len(lines) - 1
    while low < high:
        middle = (low + high + 1) // 2
        if count(_shown(_first(excerpt, lines[:middle]))) <= room:
            low = middle
        else:
            high = middle - 1
    kept = _first(excerpt, lines[:low])
    return kept if kept.text.strip() and count(_shown(kept)) <= room else None


def _first(excerpt: Evidence, lines: Sequence[str]) -> Evidence:
    kept = list(lines)
    while kept and not kept[-1].strip():
        kept.pop()
    return replace(excerpt, text="\n".join(kept), end_line=excerpt.start_line + max(0, len(kept) - 1))
