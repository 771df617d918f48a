"""Own what `[n]` marks of an answer look like, and what of it is code, where brackets mean something else.

A mark stands free: behind a name or a closing bracket is an index, `[0-9]` is a class of characters, `[2026]` a year. A list
of several numbers that are all unknown is one of values, unless it ends a sentence or stands before another bracket.
Pure. Must not import a model, the store, the scan or anything else of the package.

**Invariant:** the same text gives the same marks, however it is split into pieces.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

MARK = re.compile(r"\[[ \t]*\d{1,6}(?:[ \t]*[,;–-][ \t]*\d{1,6})*[ \t]*\]")  # noqa: RUF001 - models write the dash too
FENCES = ("```", "~~~")
_LONGEST = 64
_FENCE_LENGTH = 3
_MOST = 99  # what is higher, and no excerpt, was not meant as one
_TOKEN = re.compile(
    rf"(?P<sign>```|~~~|`|\n)|(?P<space>[ \t]*)(?P<mark>{MARK.pattern})|(?P<blank>[ \t]+)|\[|~|[^`~\n\[ \t]+"
)
_BEGUN = re.compile(r"[ \t]*(?:\[[\d \t,;–-]*)?")  # noqa: RUF001
_NAMED = re.compile(r"(\d+)(?:[ \t]*[–-][ \t]*(\d+))?")  # noqa: RUF001
_CHARACTERS = re.compile(r"\[\d-\d\]")
_ENDS = re.compile(r"[ \t]*\[|\n|[.!?](?!\w)|\Z")  # what stands behind a list that ends a sentence
_UNDECIDED = re.compile(r"[ \t]*|[.!?]")  # what may yet become that
_GLUES = re.compile(r"[A-Za-z0-9_)\]}]")  # of scripts without spaces none: a mark has to stand there


@dataclass(frozen=True, slots=True)
class Mark:
    """The excerpts that a mark names, and whether it names only such."""

    numbers: tuple[int, ...]
    whole: bool


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of text, all of it: a mark with the blanks before it, or what is none."""

    at: int
    text: str
    mark: Mark | None = None
    space: str = ""


class Reader:
    """Find the marks in text that comes in pieces; what it gives, joined, is the text."""

    def __init__(self, known: Collection[int]) -> None:
        self._known = known
        self._held = ""  # what may yet become a mark
        self._at = 0  # where that begins
        self._code = ""  # the fence or backtick that is open there
        self._before = "\n"  # the character there; nothing where a mark ends
        self._blank = True  # whether the line has been blank so far

    def feed(self, piece: str, *, final: bool = False) -> Iterator[Piece]:
        """Take the next piece and give what is certain with it; all of it where it is the last one."""
        text, at = self._held + piece, 0
        while at < len(text):
            found = _TOKEN.match(text, at, at + _LONGEST)
            assert found is not None
            behind = text[found.end() : found.end() + _LONGEST]
            if not final and (self._may_go_on(text[at : at + _LONGEST], found) or self._may_end(found, behind)):
                break
            yield self._piece(found, self._at, behind)
            at = found.end()
            self._at += len(found[0])
        self._held = text[at:]

    def _may_go_on(self, rest: str, found: re.Match[str]) -> bool:
        if rest[0] in "`~":
            return rest == rest[0] * len(rest) and len(rest) < _FENCE_LENGTH
        return not self._code and len(rest) < _LONGEST and _BEGUN.fullmatch(rest) is not None and not found["sign"]

    def _may_end(self, found: re.Match[str], behind: str) -> bool:
        """Tell whether it is still to come what a list of unknown numbers is."""
        unknown = found["mark"] and not self._code and _is_unknown_list(found["mark"], self._known)
        return bool(unknown) and len(behind) < _LONGEST and _UNDECIDED.fullmatch(behind) is not None

    def _piece(self, found: re.Match[str], at: int, behind: str) -> Piece:
        mark, sign = None, found["sign"]
        if sign and (sign != "~~~" or self._blank):
            self._code = after(self._code, sign)
        elif found["mark"] and not self._code and (found["space"] or not _GLUES.match(self._before)):
            mark = mark_of(found["mark"], self._known)
            if _is_unknown_list(found["mark"], self._known) and (self._blank or not _ENDS.match(behind)):
                mark = None
        self._before = "" if mark else found[0][-1]
        self._blank = sign == "\n" or (self._blank and found["blank"] is not None)
        return Piece(at, found[0], mark, found["space"] or "")


def after(code: str, sign: str) -> str:
    """Return the fence or backtick that is open behind a sign, by the one that was open before it."""
    if sign == "\n":  # small models forget to close a backtick
        return "" if code == "`" else code
    if not code:
        return sign
    return "" if code == sign else code


def mark_of(text: str, known: Collection[int]) -> Mark | None:
    """Read `[1]`, `[1, 3]` or `[1-3]`, which is all from 1 to 3 where these two are known; None where it can be no mark."""
    asked = {int(number) for number in re.findall(r"\d+", text)}
    whole = asked <= set(known)
    named = _NAMED.findall(text)  # how far a range goes does not make it another thing
    if any(int(n) not in known and not 0 < int(n) <= _MOST for n, _ in named) or (
        _CHARACTERS.fullmatch(text) and not whole
    ):
        return None
    numbers: list[int] = []
    for first, last in named:
        ends = [int(first), int(last or first)]
        if set(ends) <= set(known):
            numbers += [ends[0], *(n for n in sorted(known) if ends[0] < n < ends[1]), ends[1]]
    return Mark(tuple(dict.fromkeys(numbers)), whole)


def _is_unknown_list(text: str, known: Collection[int]) -> bool:
    return len(_NAMED.findall(text)) > 1 and not {int(number) for number in re.findall(r"\d+", text)} & set(known)


def numbers_cited(text: str, known: Collection[int]) -> set[int] | None:
    """Return the excerpts that the marks of a text name; None where it has no mark."""
    marks = [piece.mark for piece in Reader(known).feed(text, final=True) if piece.mark]
    return {n for mark in marks for n in mark.numbers} if marks else None
