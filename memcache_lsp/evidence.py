"""Own what an answer may draw on: hits merged to excerpts, what stands around them, code beside what describes it.

Pure: present lines are passed in. Must not import a model, the store or the scan.

**Invariant:** an excerpt's text is that of its lines; what encloses them is told beside it and is never cited.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from memcache_lsp.languages import LANGUAGES
from memcache_lsp.values import Hit

EVIDENCE_HITS = 12  # that an answer may draw on
DEFINING_HITS = 3  # of a name, among which its definition is

_IMPORT = re.compile(
    r"\s*(?:import\b|from\s+\S+\s+import\b|#\s*(?:include|import)\b|use\s|using\s|require(?:_relative)?\b|"
    r"(?:const|let|var|local)\b.*\brequire\b|package\s)"
)
_IMPORT_LINES = 120  # of a file that are looked through
_MOST_IMPORTS = 6
_LOOKED_ABOVE = 2000  # lines, for what encloses an excerpt
_WORD = re.compile(r"[A-Za-z_]\w+")
_NAMED_LENGTH = 4  # a shorter name is in any document by chance
_JOINED_DOCUMENTS = 2  # that are brought in for the code that they describe
_TELLING = 3  # first hits whose documents may bring in the code that they name
_TOLD_NAMES = 4  # that are looked up
_JOINED_DEFINITIONS = 2
_TOLD = re.compile(  # a name in code's marks, one with parts, one that is called
    r"`([A-Za-z_$][\w.:$]*)(?:\([^`\n]*\))?`|\b([A-Za-z]\w*_\w+)\b|\b([a-z]+[A-Z]\w*|[A-Z][a-z]+[A-Z]\w*)\b|\b([A-Za-z_]\w+)\(\)"
)

LinesOf = Callable[[str], Sequence[str] | None]
T = TypeVar("T")  # a hit, with what is known of it


@dataclass(frozen=True, slots=True)
class Evidence:
    """An excerpt: hits of one file that touch, under the number of the best one among all hits, counted from 1.

    `context` is what makes it understood: imports that it uses, and the first lines of what it lies in.
    """

    n: int
    path: str
    start_line: int
    end_line: int
    text: str
    symbol: str
    language: str
    context: str = ""


def chosen(hits: Sequence[Hit], limit: int) -> tuple[Hit, ...]:
    """Return the best hits, with documents from behind them that describe the code among the first, in place of the last."""
    best = list(hits[:limit])
    names = [name for hit in best[: limit // 2] if (name := _name(hit))]
    if not names or any(_is_document(hit) for hit in best):
        return tuple(best)
    behind = [hit for hit in hits[limit:] if _is_document(hit) and any(_says(hit.text, name) for name in names)]
    for at, hit in enumerate(behind[:_JOINED_DOCUMENTS], start=1):
        if len(best) > 2 * at:
            best[-at] = hit
    return tuple(best)


def told_names(hits: Sequence[Hit]) -> tuple[str, ...]:
    """Return names of code that documents among the first hits tell of, and that none of the best defines."""
    defined = {_name(hit) for hit in hits[:EVIDENCE_HITS]}
    told = (name for hit in hits[:_TELLING] for name in _told(hit))
    return tuple(dict.fromkeys(name for name in told if name not in defined))[:_TOLD_NAMES]


def definition_of(name: str, found: Sequence[T], hit_of: Callable[[T], Hit]) -> T | None:
    """Return what of some hits defines a name."""
    return next((each for each in found if _name(hit_of(each)) == name), None)


def joined_by(found: Sequence[T], definitions: Mapping[str, T], hit_of: Callable[[T], Hit]) -> list[T]:
    """Return hits with definitions of names right behind the documents that tell of them, a few in all."""
    left = dict(list(definitions.items())[:_JOINED_DEFINITIONS])
    joined: list[T] = []
    for at, each in enumerate(found):
        joined.append(each)
        names = [name for name in _told(hit_of(each)) if name in left] if at < _TELLING else []
        joined += [left.pop(name) for name in dict.fromkeys(names)]
    return joined


def _told(hit: Hit) -> Iterator[str]:
    if not _is_document(hit):
        return
    for match in _TOLD.finditer(hit.text):
        name = re.split(r"\.|::|#", next(filter(None, match.groups())))[-1]
        if len(name) >= _NAMED_LENGTH:
            yield name


def gathered(hits: Sequence[Hit], lines_of: LinesOf | None = None, *, parted: bool = False) -> tuple[Evidence, ...]:
    """Merge the hits, tell what encloses them where the present lines are given, and put documents behind their code.

    With `parted` each hit is an excerpt of its own: the parts of a file that is read as a whole.
    """
    if parted:
        return tuple(_joined([hit], at, hits) for at, hit in enumerate(hits))
    excerpts = merge(hits)
    if lines_of is not None:
        excerpts = [replace(e, context=_context(e, hits[e.n - 1], lines_of(e.path) or ())) for e in excerpts]
    return tuple(_joined_up(excerpts, hits))


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


def _joined_up(excerpts: Sequence[Evidence], hits: Sequence[Hit]) -> Iterator[Evidence]:
    """Put a document right behind the best code that it names; the others keep their order."""
    waiting = list(excerpts)
    while waiting:
        first = waiting.pop(0)
        yield first
        name = _name(hits[first.n - 1])
        if name and not _is_document(hits[first.n - 1]):
            told = next((e for e in waiting if _is_document(hits[e.n - 1]) and _says(e.text, name)), None)
            if told is not None:
                waiting.remove(told)
                yield told


def _is_document(hit: Hit) -> bool:
    known = LANGUAGES.get(hit.language)
    return hit.kind == "section" or (known is not None and known.is_document)


def _name(hit: Hit) -> str:
    if _is_document(hit):
        return ""
    name = re.split(r"\.|::|#", hit.symbol)[-1]
    return name if len(name) >= _NAMED_LENGTH else ""


def _says(text: str, name: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text) is not None


def _context(excerpt: Evidence, hit: Hit, lines: Sequence[str]) -> str:
    """Return imports that the excerpt uses, and the first line of each definition that it lies in."""
    if not lines or _is_document(hit):
        return ""
    above = lines[: excerpt.start_line - 1]
    told = [*_imports(excerpt.text, above), *_enclosing(excerpt, hit.breadcrumb, above)]
    return "\n".join(told)


def _imports(text: str, above: Sequence[str]) -> list[str]:
    used = set(_WORD.findall(text))
    lines = (line for line in above[:_IMPORT_LINES] if _IMPORT.match(line))
    return [line.rstrip() for line in lines if used & set(_WORD.findall(line)[1:])][:_MOST_IMPORTS]


def _enclosing(excerpt: Evidence, names: Sequence[str], above: Sequence[str]) -> list[str]:
    """Find the lines that define some names, outermost first, each less indented than what it encloses."""
    found: list[str] = []
    first = next((line for line in excerpt.text.splitlines() if line.strip()), "")
    at, depth = len(above), max(1, _indent(first) or 1000)
    for name in reversed(names):
        plain = re.split(r"\.|::|#", name)[-1]
        for place in range(at - 1, max(-1, at - _LOOKED_ABOVE), -1):
            line = above[place]
            if line.strip() and _indent(line) < depth and _says(line, plain):
                found.append(line.rstrip())
                at, depth = place, max(1, _indent(line))
                break
    return found[::-1]


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())
