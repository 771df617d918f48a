"""Own what each intent draws on: a question's hits, a selection and what it uses, a whole file, the places that use a name.

Pure but for the chunker, which it asks for a whole file's pieces: text and hits come in, hits go out, the search lies
between. Must not import the engine, the store or a model.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Literal

from memcache_lsp.errors import UserError
from memcache_lsp.evidence import EVIDENCE_HITS
from memcache_lsp.languages import language_of
from memcache_lsp.lines import lines_of, offsets_of
from memcache_lsp.ranking.question import looks_like_code
from memcache_lsp.reading.result import Reading
from memcache_lsp.values import Chunk, Document, Hit, Span

Intent = Literal["ask", "explain", "summarize", "callers"]

MOST_PARTS = 24  # that a whole file is read in
_QUERY_CHARACTERS = 4000  # of a selection that are searched for
_SELECTED_SCORE = 1.0  # of what the user names, which comes first anyway; infinity is no JSON
_AROUND = 3  # lines around a use that are shown with it
_USES_SHOWN = 24
_NAME = r"[`'\"]?([A-Za-z_$][\w$]*(?:(?:\.|::|#|->)[A-Za-z_$][\w$]*)*)(?:\(\))?[`'\"]?"
_USED = re.compile(
    rf"^\s*(?:(?:what|who|which\s+\w+)\s+(?:calls?|uses?|invokes?)|where\s+(?:is|are)|where\s+do(?:es)?\s+\w+\s+(?:call|use))"
    rf"\s+(?:the\s+)?(?:function\s+|method\s+|class\s+)?{_NAME}(?:\s+(?:called|used|invoked))?\s*\?*\s*$",
    re.IGNORECASE,
)
_SUMMARY_OF_THIS = re.compile(
    r"^\s*summari[sz]e\s+(?:this|it|these lines)(?:\s+(?:file|selection))?\s*[.!?]*\s*$", re.IGNORECASE
)
_POINTING = frozenset({"this", "it", "that", "these", "those", "here", "them", "the"})
_DEFINES = re.compile(
    r"^\s*(?:[\w@\[\]().<>*&:-]+\s+)*(?:def|class|func|function|fn|fun|interface|struct|trait|enum|type|module|sub|proc|let|const|var|val)\s+"
)


@dataclass(frozen=True, slots=True)
class About:
    """A document that the user is at, and the lines of it that are meant, 1-based; `chosen` is what of them is selected."""

    path: str
    text: str
    first: int
    last: int
    chosen: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is searched for, and what the hits are made to."""

    question: str  # that the model is asked
    query: str  # that is searched for, nothing where it is empty
    quoted: str = ""  # what quotations are to answer; where it is empty, each part's beginning is quoted
    own: tuple[Hit, ...] = ()  # before what is found
    used: str = ""  # the name whose uses are wanted: hits without one are left out
    may_refuse: bool = False  # where what is found is too little
    parted: bool = False  # the hits stay apart, however near they are
    or_else: Plan | None = None  # where nothing belongs to it

    @property
    def limit(self) -> int:
        """Return how many hits the answer may draw on."""
        return MOST_PARTS if self.parted or self.used else EVIDENCE_HITS

    @property
    def joins(self) -> bool:
        """Tell whether what documents name is looked up: the question is one in words, about nothing given."""
        return bool(self.quoted) and not (self.used or self.own or self.parted)

    def leaning(self, for_search: Callable[[str], str]) -> Plan:
        """Return the plan with a question in words searched for as the thread before it makes it clear."""
        if self.used or not self.quoted or self.query != self.question:
            return self
        return replace(self, query=for_search(self.query))

    def taken(self, found: Sequence[Hit]) -> list[Hit]:
        """Return the evidence: what the plan has itself, and what of the found belongs to it."""
        if self.used:
            return [use for hit in found for use in _uses(hit, self.used)][:_USES_SHOWN]
        apart = [hit for hit in found if not any(_overlap(hit, own) for own in self.own)]
        return [*self.own, *apart]


def plan(intent: Intent, question: str, about: About | None) -> Plan:
    """Return how to answer; UserError where the intent needs what is not given."""
    name = used_name(question)
    intent = _meant(intent, question, about)
    if intent == "callers":
        name = name or (about_name(about) if about else "") or _only_name(question)
        if not name:
            raise UserError("It is not told whose callers are meant: select a name, or ask `what calls NAME`.")
        return Plan(f"What calls or uses `{name}`?", name, name, used=name)
    if intent == "summarize":
        return _summary(question, _given(about))
    if intent == "explain" and about is not None:  # without a document, what is meant stands in the question
        about = _given(about)
        chosen = selected(about)
        return Plan(f"{question} It is the first excerpt.", chosen.text[:_QUERY_CHARACTERS], own=(chosen,))
    own = (selected(about),) if about and about.chosen.strip() else ()
    plain = Plan(question, question, question, own=own, may_refuse=not own)
    if name and not own and looks_like_code(re.split(r"\.|::|#|->", name)[-1]):
        return Plan(question, name, name, used=name, or_else=plain)
    return plain


def _meant(intent: Intent, question: str, about: About | None) -> Intent:
    """Return what a question wants that says so itself, however it came: `What calls this?` is one for callers."""
    if about is None:
        return intent
    if _USED.match(question) and (intent != "ask" or not used_name(question)):
        return "callers"
    return "summarize" if _SUMMARY_OF_THIS.match(question) else intent


def _given(about: About | None) -> About:
    if about is None or not about.text.strip():
        raise UserError("There is no text to tell about: name a document that holds some.")
    return about


def about_lines(path: str, text: str, first: int, last: int) -> About:
    """Return whole lines as what is meant; UserError where the first is not in the text."""
    lines = lines_of(text)
    check_line(path, lines, first)
    last = min(last, len(lines))
    return About(path, text, min(first, last), last, "\n".join(lines[first - 1 : last]))


def check_line(path: str, lines: Sequence[str], line: int) -> None:
    """Raise a UserError for a line, counted from 1, that a text does not have."""
    if line > len(lines):
        raise UserError(f"There is no line {line} in {path}: it has {len(lines)}.")


def used_name(question: str) -> str:
    """Return the name whose uses a question asks for, empty where it asks something else."""
    found = _USED.match(question)
    return found[1] if found and found[1].lower() not in _POINTING else ""


def _only_name(question: str) -> str:
    names = [word for word in re.findall(r"[A-Za-z_$][\w$]*", question) if looks_like_code(word)]
    quoted = re.findall(r"`([A-Za-z_$][\w$.:#]*)`", question)
    whole = question.strip() if re.fullmatch(r"[A-Za-z_$][\w$.:#]*(?:\(\))?", question.strip()) else ""
    return next(iter((*quoted, *names, whole.removesuffix("()"))), "")


def about_name(about: About) -> str:
    """Return the name that is selected, else of the definition that the selection lies in."""
    chosen = about.chosen.strip()
    if re.fullmatch(r"[A-Za-z_$][\w$.:#]*", chosen):
        return chosen
    defined = [each for chunk in _chunks(about.path, about.text) for each in chunk.definitions]
    above = [each for each in defined if each.line <= about.first and each.kind != "section"]
    return max(above, key=lambda each: each.line).name if above else ""


def selected(about: About) -> Hit:
    """Return the lines that are meant as a hit."""
    lines = lines_of(about.text)
    last = min(about.last, len(lines))
    first = min(about.first, last)
    start, end = offsets_of(about.text, first, last)
    return Hit(
        path=about.path,
        span=Span(start, end, first, last),
        text=about.text[start:end],
        kind="block",
        symbol="",
        language=language_of(about.path, lines[0] if lines else ""),
        breadcrumb=(),
        score=_SELECTED_SCORE,
    )


def parts_of(path: str, text: str) -> list[Hit]:
    """Return a text in its pieces, in order."""
    language = _language(path, text)
    return [
        Hit(path, c.span, c.text, c.kind, c.symbol, language, c.breadcrumb, _SELECTED_SCORE)
        for c in _chunks(path, text)
    ]


def title_of(path: str, shown: Reading) -> str | None:
    """Return the first heading of a document as it may be shown, None where it has none."""
    if shown.headings is not None:
        return next((heading.title for heading in shown.headings), None)
    sections = (hit.symbol for hit in parts_of(path, shown.text) if hit.kind == "section" and hit.symbol)
    return next(sections, None)


def _chunks(path: str, text: str) -> tuple[Chunk, ...]:
    from memcache_lsp.chunking import chunker  # noqa: PLC0415 - most questions do not need it

    return chunker.chunk(Document(path, text, _language(path, text))).chunks


def _language(path: str, text: str) -> str:
    return language_of(path, text[:4096].split("\n", 1)[0].rstrip("\r"))


def _summary(question: str, about: About) -> Plan:
    """Read a whole file, or the lines that are meant, in so many parts that each has its share of the budget."""
    found = [hit for hit in parts_of(about.path, about.text) if _meets(hit, about)]
    # The pieces of one long function are one part, whose beginning tells what it is.
    groups = (list(group) for _, group in groupby(found, key=lambda hit: (hit.symbol, hit.symbol or hit.span.start)))
    pieces = [_joined(group, about.text) for group in groups]
    size = -(-len(pieces) // MOST_PARTS) or 1
    own = [_joined(pieces[at : at + size], about.text) for at in range(0, len(pieces), size)]
    return Plan(f"{question} The excerpts are the parts of {about.path}.", "", own=tuple(own), parted=True)


def _meets(hit: Hit, about: About) -> bool:
    return hit.span.start_line <= about.last and hit.span.end_line >= about.first


def _joined(pieces: Sequence[Hit], text: str) -> Hit:
    first, last = pieces[0].span, pieces[-1].span
    span = Span(first.start, last.end, first.start_line, last.end_line)
    return replace(pieces[0], span=span, text=text[first.start : last.end])


def _overlap(one: Hit, other: Hit) -> bool:
    if one.path != other.path:
        return False
    return one.span.start_line <= other.span.end_line and other.span.start_line <= one.span.end_line


def _uses(hit: Hit, name: str) -> list[Hit]:
    """Return the lines of a hit that use a name, with a few around, without those that define it."""
    short = re.split(r"\.|::|#|->", name)[-1]
    word = re.compile(rf"(?<![\w$]){re.escape(short)}(?![\w$])")
    lines = lines_of(hit.text)
    at = [
        n for n, line in enumerate(lines) if (found := word.search(line)) and not _DEFINES.match(line[: found.start()])
    ]
    if not at:
        return []
    first, last = max(0, at[0] - _AROUND), min(len(lines), at[-1] + _AROUND + 1)
    start, end = offsets_of(hit.text, first + 1, last)
    line, offset = hit.span.start_line, hit.span.start
    span = Span(offset + start, offset + end, line + first, line + last - 1)
    return [replace(hit, text=hit.text[start:end], span=span)]
