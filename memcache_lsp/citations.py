"""Own the citations in an answer: find `[n]` in a stream of text, and map it to the lines it stands for.

Pure. Must not import a model, the store or the scan.

**Invariant:** the same text gives the same citations, however it is split into pieces.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from memcache_lsp.lines import lines_of
from memcache_lsp.tokens import content_terms, terms

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from memcache_lsp.evidence import Evidence

_MARK = re.compile(r"\[\s*\d{1,6}(?:\s*[,;–-]\s*\d{1,6})*\s*\]")  # noqa: RUF001 - models write the dash too
_NUMBER_OR_DASH = re.compile(r"\d+|[–-]")  # noqa: RUF001
_LONGEST_MARK = 64
_CODE = re.compile(r"```|`|\n")
_SENTENCE = re.compile(r"[.!?]\s+|\n")
_WORD = re.compile(r"[^\W\d]\w*")
_RARE_LINES = 2  # a word on no more lines than this points to them
_ATTRIBUTED_WORDS = 3  # fewer are shared by chance
_ATTRIBUTED_SHARE = 0.6
_CLEAR_LINES = 12  # lines further apart than this do not make one place


@dataclass(frozen=True, slots=True)
class Located:
    """Lines of a file that the answer cites as `[n]`."""

    n: int
    path: str
    start_line: int
    end_line: int


class CitationParser:
    """Find citations in text that comes in pieces; each place of a file is told once."""

    def __init__(self, evidence: Sequence[Evidence]) -> None:
        self._evidence = {excerpt.n: excerpt for excerpt in evidence}
        self._text = ""
        self._at = 0  # everything before is looked at
        self._code = ""  # the fence or backtick that is open there
        self._told: set[Located] = set()

    def feed(self, piece: str) -> tuple[Located, ...]:
        """Take the next piece and give the citations that are complete with it."""
        self._text += piece
        return tuple(self._scan(final=False))

    def finish(self) -> tuple[Located, ...]:
        """Give what was held back for a piece that does not come."""
        return tuple(self._scan(final=True))

    def _scan(self, *, final: bool) -> Iterator[Located]:
        text = self._text
        while self._at < len(text):
            char = text[self._at]
            if char == "`" and not final and len(text) - self._at < 3:
                return
            if char in "`\n":
                self._at += self._switch(text)
            elif char == "[" and not self._code:
                mark = _MARK.match(text, self._at, self._at + _LONGEST_MARK)
                if mark is None and not final and self._may_become_mark(text):
                    return
                if mark is not None:
                    yield from self._located(mark[0], self._sentence(mark.start()))
                self._at = mark.end() if mark else self._at + 1
            else:
                self._at += 1

    def _switch(self, text: str) -> int:
        """Open or close code at a backtick, a fence or a line's end, and give the length of it."""
        found = _CODE.match(text, self._at)
        assert found is not None
        sign = found[0]
        if sign == "\n":  # small models forget to close a backtick
            self._code = "" if self._code == "`" else self._code
        elif self._code == "":
            self._code = sign
        elif self._code == sign:
            self._code = ""
        return len(sign)

    def _may_become_mark(self, text: str) -> bool:
        rest = text[self._at :]
        return len(rest) < _LONGEST_MARK and re.fullmatch(r"\[[\d\s,;–-]*", rest) is not None  # noqa: RUF001

    def _sentence(self, end: int) -> str:
        """Give the sentence before a mark, without the marks in it."""
        before = _MARK.sub(" ", self._text[max(0, end - 600) : end]).rstrip()
        starts = [found.end() for found in _SENTENCE.finditer(before)]
        return before[starts[-1] :] if starts else before

    def _located(self, mark: str, sentence: str) -> Iterator[Located]:
        for n in self._numbers(mark):
            place = narrow(sentence, self._evidence[n])
            if place not in self._told:
                self._told.add(place)
                yield place

    def _numbers(self, mark: str) -> list[int]:
        """Give the numbers of a mark that exist, `1-3` being all from 1 to 3."""
        numbers: list[int] = []
        dash = False
        for part in _NUMBER_OR_DASH.findall(mark):
            if not part.isdecimal():
                dash = True
                continue
            last = int(part)
            first = numbers[-1] if dash and numbers else last
            numbers += [n for n in sorted(self._evidence) if first < n < last] if dash else []
            numbers.append(last)
            dash = False
        return [n for n in dict.fromkeys(numbers) if n in self._evidence]


def attribute(answer: str, evidence: Sequence[Evidence]) -> int | None:
    """Find the excerpt that says most of what an answer without a citation says; None where none clearly does.

    By plain comparison of words, the rarer among the excerpts the weightier: a small model often forgets its sources.
    """
    said = set(content_terms(answer))
    holds = {excerpt.n: set(terms(f"{excerpt.symbol} {excerpt.text}")) & said for excerpt in evidence}
    spread = Counter(word for words in holds.values() for word in words)
    best = max(holds, key=lambda n: (sum(1 / spread[word] for word in holds[n]), -n), default=None)
    if best is None or len(holds[best]) < max(_ATTRIBUTED_WORDS, _ATTRIBUTED_SHARE * len(said)):
        return None
    return best


def narrow(sentence: str, excerpt: Evidence) -> Located:
    """Point at the lines of an excerpt that say what the sentence says, where they are clear, else at all of it."""
    whole = Located(excerpt.n, excerpt.path, excerpt.start_line, excerpt.end_line)
    lines = [set(map(str.lower, _WORD.findall(line))) for line in lines_of(excerpt.text)]
    spread = Counter(word for line in lines for word in line)
    wanted = set(_WORD.findall(sentence))
    telling = {word.lower() for word in wanted if _is_telling(word) and 0 < spread[word.lower()] <= _RARE_LINES}
    shown = [at for at, line in enumerate(lines) if line & telling]
    named = any(_is_identifier(word) and word.lower() in telling for word in wanted)
    if not shown or shown[-1] - shown[0] >= _CLEAR_LINES or not (named or len(telling) > 1):
        return whole
    return Located(excerpt.n, excerpt.path, excerpt.start_line + shown[0], excerpt.start_line + shown[-1])


def _is_telling(word: str) -> bool:
    return len(word) > 3 or _is_identifier(word)


def _is_identifier(word: str) -> bool:
    """Tell a name of code from a word: it has an underscore, a digit, or a capital inside."""
    return "_" in word or any(c.isdigit() for c in word) or any(c.isupper() for c in word[1:])
