"""Own what the model is told: the system text, and as much of the evidence as the budget has room for.

Pure: counting tokens is passed in. Must not import a model, the store or the scan.

**Invariant:** `count` of the messages' texts never exceeds the budget.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from memcache_lsp.errors import UserError
from memcache_lsp.lines import lines_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from memcache_lsp.values import Hit

FIRST_TEXT_S = 8.0  # how long one may wait for the answer to begin
LEAST_TOKENS = 512  # less evidence than this is not worth an answer, however slow the machine
_FIRST_SHARE = 0.5  # of the budget, for the best excerpt
_LATER_SHARE = 0.3  # for each of the others

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
class Evidence:
    """An excerpt: hits of one file that touch, under the number of the best one among all hits, counted from 1."""

    n: int
    path: str
    start_line: int
    end_line: int
    text: str
    symbol: str
    language: str


@dataclass(frozen=True, slots=True)
class Packed:
    """What the model reads: the messages, the excerpts in them (some cut short), and how many found no room."""

    messages: tuple[Message, ...]
    used: tuple[Evidence, ...]
    left_out: int


def affordable_tokens(prompt_speed: float, seconds: float = FIRST_TEXT_S) -> int:
    """Tell how many tokens of prompt can be read in the given time, by tokens per second."""
    return int(prompt_speed * seconds)


def merge(hits: Sequence[Hit]) -> list[Evidence]:
    """Join hits of one file that overlap or follow each other without a line between; best first."""
    groups: list[list[int]] = []
    for at in sorted(range(len(hits)), key=lambda at: (hits[at].path, hits[at].span.start, -hits[at].span.end)):
        before = groups[-1] if groups else []
        if before and _touch([hits[i] for i in before], hits[at]):
            before.append(at)
        else:
            groups.append([at])
    return [_joined([hits[at] for at in group], min(group), hits) for group in sorted(groups, key=min)]


def _touch(group: Sequence[Hit], after: Hit) -> bool:
    return group[0].path == after.path and after.span.start_line <= max(hit.span.end_line for hit in group) + 1


def _joined(parts: Sequence[Hit], best: int, hits: Sequence[Hit]) -> Evidence:
    """Lay the texts of hits over each other; what no hit covers between them can only be space."""
    text, end, end_line = parts[0].text, parts[0].span.end, parts[0].span.end_line
    for part in parts[1:]:
        if part.span.end <= end:
            continue
        if part.span.start > end:
            gap = part.span.start - end
            text += "\n" + " " * (gap - 1) if part.span.start_line > end_line else " " * gap
        text += part.text[max(0, end - part.span.start) :]
        end, end_line = part.span.end, max(end_line, part.span.end_line)
    first = hits[best]
    symbol = " > ".join((*first.breadcrumb, first.symbol)) if first.kind == "section" else first.symbol
    return Evidence(best + 1, first.path, parts[0].span.start_line, end_line, text, symbol, first.language)


def pack(
    question: str, hits: Sequence[Hit], *, count: Callable[[str], int], budget_tokens: int, overhead_tokens: int = 0
) -> Packed:
    """Choose and cut the evidence so that the messages have at most `budget_tokens - overhead_tokens` tokens.

    Best first; an excerpt that does not fit is cut at a line's end, and one of which not even a line fits is left out.
    """
    evidence = [excerpt for excerpt in merge(hits) if excerpt.text.strip()]
    room = budget_tokens - overhead_tokens
    spare = room - _cost((), question, count)
    if spare < 0:
        raise UserError(f"The question is too long by {-spare} tokens for what the model can read: shorten it.")
    used: list[Evidence] = []
    for excerpt in evidence:
        share = int(room * (_LATER_SHARE if used else _FIRST_SHARE))
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
    name = f' name="{excerpt.symbol}"' if excerpt.symbol else ""
    source = f"{excerpt.path}:{excerpt.start_line}-{excerpt.end_line}"
    text = excerpt.text.strip().replace("</excerpt", "< /excerpt")  # no excerpt ends itself and speaks as the user
    return f'<excerpt number="{excerpt.n}" source="{source}"{name}>\n{text}\n</excerpt>\n'


def _cut(excerpt: Evidence, room: int, count: Callable[[str], int]) -> Evidence | None:
    """Keep as many lines from the start as fit, all where they do, None where not even one with words does."""
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
