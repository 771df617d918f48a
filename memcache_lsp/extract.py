"""Own the answer without a model: the sentences and lines of the evidence that answer a question best.

Pure. Must not import a model, the store or the scan. Quotes are ranked by the words they share with the question,
weighted by how rare a word is among the evidence (inverse document frequency over its lines and sentences).
"""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from memcache_lsp.tokens import content_terms, terms

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from memcache_lsp.values import Hit

QUOTES = 5
_PER_HIT = 2  # quotes of one hit, so that one long hit does not fill the answer
_MOST_LINES = 200  # of a hit that are read: an extract takes milliseconds
_MOST_CHARS = 400  # of a quote

PROSE = frozenset({"markdown", "rst", "org", "text", "latex", "asciidoc", "html"})

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\n|\r|$)")
_SENTENCE_END = re.compile(r"""[.!?](?=\s+[^\sa-z]|\s*(?:"{3}|'{3}|\*/)|\s*$)|:(?=\s*$)""")
_QUOTES = re.compile("\"{3}|'{3}")
_DOCSTRING = re.compile(r"""\s*[rRbBuUfF]{0,2}("{3}|'{3})""")
_COMMENT = re.compile(r"\s*(?:/\*+!?|//[/!]?|#+!?:?|--+\|?|;+|\*+(?!/)|%+)(?:\s+|$)")
_APART = re.compile(r"\s*(?:$|[-*+>=~|]|\d+[.)]\s|\.\. |[@:\\]\w+)")  # lists, tables, directives, parameters
_HEADING = re.compile(r"#{1,6}\s|\*+\s")
_NO_CONTENT = re.compile(r"[\W_]*\Z")
_SIGNATURE_LINES = 12
_SUMMARY_CHARS = 300


@dataclass(frozen=True, slots=True)
class Quote:
    """A true piece of a hit's text, `n` being the hit's number, counted from 1."""

    n: int
    path: str
    start_line: int
    end_line: int
    text: str
    score: float


@dataclass(frozen=True, slots=True)
class _Unit:
    """Something that can be quoted: `lines` from `start` (exclusive end) of hit `hit`."""

    hit: int
    start: int  # offsets in the hit's text
    end: int
    words: frozenset[str]
    weight: float


def extract(question: str, hits: Sequence[Hit], *, limit: int = QUOTES) -> tuple[Quote, ...]:
    """Quote what answers best, best first: at most `limit`, none blank, none twice."""
    wanted = frozenset(content_terms(question))
    units = [unit for at, hit in enumerate(hits) for unit in _units(at, hit)]
    rarity = _rarity(units, wanted)
    names = [frozenset(terms(" ".join((*hit.breadcrumb, hit.symbol)))) for hit in hits]
    scored = []
    for unit in units:
        own = sum(rarity[word] for word in unit.words & wanted)
        # A line of a definition whose name was asked for is about it, even where it does not say the name again.
        shared = own + 0.3 * sum(rarity[word] for word in (names[unit.hit] - unit.words) & wanted)
        if own > 0 or (unit.weight > 1 and shared > 0):
            scored.append((unit.weight * shared / (1 + 0.1 * unit.hit), unit))
    scored.sort(key=lambda pair: (-pair[0], pair[1].hit, pair[1].start))
    quotes = list(_chosen(scored, hits, limit))
    return tuple(quotes) if quotes else _openings(hits, limit)


def _rarity(units: Sequence[_Unit], wanted: frozenset[str]) -> dict[str, float]:
    seen = Counter(word for unit in units for word in unit.words & wanted)
    return {word: math.log(1 + (len(units) + 1) / (seen[word] + 0.5)) for word in wanted}


def _chosen(scored: Sequence[tuple[float, _Unit]], hits: Sequence[Hit], limit: int) -> Iterator[Quote]:
    taken: list[_Unit] = []
    texts: set[str] = set()
    per_hit: Counter[int] = Counter()
    for score, unit in scored:
        if len(taken) == limit or score < 0.35 * scored[0][0]:
            return
        quote = _quote(unit.hit, hits[unit.hit], unit.start, unit.end, score)
        again = any(unit.hit == other.hit and unit.start < other.end and other.start < unit.end for other in taken)
        if again or quote.text in texts or per_hit[unit.hit] == _PER_HIT:
            continue
        taken.append(unit)
        texts.add(quote.text)
        per_hit[unit.hit] += 1
        yield quote


def _openings(hits: Sequence[Hit], limit: int) -> tuple[Quote, ...]:
    """Quote the first telling unit of each hit: where no word is shared, the search found them by meaning."""
    quotes = []
    for at, hit in enumerate(hits[:limit]):
        units = sorted(_units(at, hit), key=lambda unit: (unit.weight <= 1, unit.start))
        quotes += [_quote(at, hit, unit.start, unit.end, 0.0) for unit in units[:1]]
    return tuple(quotes)


def _quote(at: int, hit: Hit, start: int, end: int, score: float) -> Quote:
    raw = hit.text[start:end]
    text = raw.strip("\r\n").rstrip()
    if "\n" not in text or hit.text[:start].rstrip(" \t")[-1:] not in ("", "\n", "\r"):
        text = text.strip()  # only whole lines keep the indentation that their next ones have
    first = hit.span.start_line + _line_ends(hit.text[: start + raw.index(text)])
    return Quote(at + 1, hit.path, first, first + _line_ends(text), text, score)


def _line_ends(text: str) -> int:
    return len(re.findall(r"\r\n|\n|\r", text))


def _units(at: int, hit: Hit) -> Iterator[_Unit]:
    """Give a hit's sentences where it is prose, else its lines, with each definition and its summary as one."""
    lines = _lines(hit.text)
    prose = hit.language in PROSE or hit.kind == "section"
    found = _sentences(hit.text, lines, comments=False) if prose else _code(hit, lines)
    for start, end, weight in found:
        text = hit.text[start:end]
        if not _NO_CONTENT.match(text):
            yield _Unit(at, start, min(end, start + _MOST_CHARS), frozenset(terms(text[:_MOST_CHARS])), weight)


def _lines(text: str) -> list[tuple[int, int]]:
    """Give the first lines of a text as offsets, line ends included."""
    found = []
    for match in _LINE.finditer(text):
        if match.end() > match.start():
            found.append(match.span())
        if len(found) == _MOST_LINES:
            break
    return found


def _sentences(text: str, lines: Sequence[tuple[int, int]], *, comments: bool) -> Iterator[tuple[int, int, float]]:
    """Give sentences, which may run over lines, but not over blank ones, lists or headings."""
    start: int | None = None
    for begin, end in lines:
        sign = (_COMMENT.match(text, begin, end) or _DOCSTRING.match(text, begin, end)) if comments else None
        body = sign.end() if sign else begin
        heading = not comments and _HEADING.match(text, begin, end)
        if start is not None and (heading or _APART.match(text[body:end])):
            yield start, begin, 1.0
            start = None
        if heading:
            yield begin, end, 0.7  # a heading names, but does not tell
            continue
        for stop in _SENTENCE_END.finditer(text, body, end):
            yield body if start is None else start, stop.end(), 1.0
            start = body = stop.end()
        if not text[body:end].strip():
            start = None
        elif start is None:
            start = body
    if start is not None:
        yield start, lines[-1][1], 1.0


def _code(hit: Hit, lines: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int, float]]:
    """Give the definition with its summary, the sentences of comments and docstrings, and the other lines."""
    text = hit.text
    told: list[tuple[int, int]] = []
    quotes = ""
    for begin, end in lines:
        line = text[begin:end]
        prose = bool(quotes) or _COMMENT.match(line) or _DOCSTRING.match(line)
        for found in _QUOTES.findall(line):
            quotes = "" if quotes == found else quotes or found
        if prose:
            told.append((begin, end))
            continue
        yield from _sentences(text, told, comments=True)
        told = []
        yield begin, end, 1.0
    yield from _sentences(text, told, comments=True)
    yield from _definition(hit, lines)


def _definition(hit: Hit, lines: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int, float]]:
    """Give the signature of what the hit defines, with a short comment above it or the docstring's first sentence."""
    text = hit.text
    name = re.split(r"\.|::|#", hit.symbol)[-1]
    named = re.compile(rf"(?<!\w){re.escape(name)}(?!\w)")
    is_comment = [bool(_COMMENT.match(text, begin, end)) for begin, end in lines]
    at = next((i for i, (b, e) in enumerate(lines) if name and not is_comment[i] and named.search(text, b, e)), None)
    if at is None:
        return
    first = at
    while first > 0 and is_comment[first - 1]:
        first -= 1
    last = _signature_end(text, lines, at)
    end = lines[last][1]
    if docstring := _DOCSTRING.match(text, end):
        paragraph = re.compile(r"\n\s*\n|\Z").search(text, docstring.end())
        closed = _SENTENCE_END.search(text, docstring.end(), docstring.end() + _SUMMARY_CHARS)
        stops = [stop for stop in (paragraph and paragraph.start(), closed and closed.end()) if stop is not None]
        end = min(*stops, docstring.end() + _SUMMARY_CHARS)
    yield lines[first if at - first <= 3 else at][0], end, 1.6


def _signature_end(text: str, lines: Sequence[tuple[int, int]], at: int) -> int:
    """Find the line that closes the brackets which a definition opens."""
    depth = 0
    for i in range(at, min(at + _SIGNATURE_LINES, len(lines))):
        line = text[lines[i][0] : lines[i][1]]
        depth += sum(line.count(c) for c in "([") - sum(line.count(c) for c in ")]")
        if depth <= 0:
            return i
    return at
