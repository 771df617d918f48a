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
_SENTENCE_END = re.compile(r"[.!?](?=\s+[^\sa-z])|[.!?:]$")
_DOCSTRING = re.compile(r'\s*[rRbBuUfF]{0,2}("""|\'\'\')\s*(\S.*)')
_COMMENT = re.compile(r"\s*(?://[/!]?|#+!?|--+\|?|;+|\*+(?!/)|/\*+!?|%+)(?:\s|$)")
_NO_CONTENT = re.compile(r"[\W_]*\Z")


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
    if "\n" not in text:
        text = text.strip()
    first = hit.span.start_line + _line_ends(hit.text[: start + raw.index(text)])
    return Quote(at + 1, hit.path, first, first + _line_ends(text), text, score)


def _line_ends(text: str) -> int:
    return len(re.findall(r"\r\n|\n|\r", text))


def _units(at: int, hit: Hit) -> Iterator[_Unit]:
    """Give a hit's sentences where it is prose, else its lines, with each definition and its summary as one."""
    lines = _lines(hit.text)
    prose = hit.language in PROSE or hit.kind == "section"
    found = _sentences(hit.text, lines) if prose else _code(hit, lines)
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


def _sentences(text: str, lines: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int, float]]:
    """Give sentences, which may run over lines but not over blank ones, lists or headings."""
    start: int | None = None
    for begin, end in lines:
        line = text[begin:end]
        apart = not line.strip() or re.match(r"\s*(?:[-*+#>=~|]|\d+[.)]|\.\. )", line)
        if start is not None and apart:
            yield start, begin, 1.0
            start = None
        if not line.strip():
            continue
        start = begin if start is None else start
        for stop in _SENTENCE_END.finditer(line.rstrip()):
            yield start, begin + stop.end(), 1.0
            start = begin + stop.end()
        if start == begin + len(line.rstrip()) or line.lstrip().startswith("#"):
            if start < begin + len(line.rstrip()):
                yield start, end, 0.7  # a heading names, but does not tell
            start = None
    if start is not None and lines:
        yield start, lines[-1][1], 1.0


def _code(hit: Hit, lines: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int, float]]:
    """Give the definition with its summary, comments at more weight, and the other lines."""
    text = hit.text
    name = hit.symbol.rpartition(".")[2].rpartition("::")[2].rpartition("#")[2]
    at = next(
        (
            i
            for i, (begin, end) in enumerate(lines)
            if name and re.search(rf"\b{re.escape(name)}\b", text[begin:end]) and not _COMMENT.match(text[begin:end])
        ),
        None,
    )
    covered: set[int] = set()
    if at is not None:
        last = _summary_line(text, lines, at)
        covered.update(range(at, last + 1))
        yield lines[at][0], lines[last][1], 1.6
    for i, (begin, end) in enumerate(lines):
        if i not in covered:
            yield begin, end, 1.2 if _COMMENT.match(text[begin:end]) else 1.0


def _summary_line(text: str, lines: Sequence[tuple[int, int]], at: int) -> int:
    """Find the line that ends the first sentence of a docstring below a definition; the definition's if none."""
    for i in range(at, min(at + 8, len(lines))):
        line = text[lines[i][0] : lines[i][1]]
        opened = _DOCSTRING.match(line)
        if opened:
            for j in range(i, min(i + 4, len(lines))):
                body = text[lines[j][0] : lines[j][1]].rstrip()
                if (
                    _SENTENCE_END.search(body)
                    or (body.endswith(opened[1]) and (j > i or len(body.strip()) > 3))
                    or not body
                ):
                    return j if body else j - 1
            return i
        if i > at and not line.strip():
            break
    return at
