"""Own the citations in an answer: find `[n]` in a stream of text, and map it to the lines it stands for.

Pure. Must not import a model, the store or the scan.

**Invariant:** the same text gives the same citations, however it is split into pieces.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from memcache_lsp.lines import lines_of
from memcache_lsp.marks import MARK, Piece, Reader
from memcache_lsp.tokens import content_terms, terms

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from memcache_lsp.evidence import Evidence

_SENTENCE = re.compile(r"[.!?]\s+|\n")
_WORD = re.compile(r"[^\W\d]\w*")
_RARE_LINES = 2  # a word on no more lines than this points to them
_ATTRIBUTED_WORDS = 3  # fewer are shared by chance
_ATTRIBUTED_SHARE = 0.6
_CLEAR_LINES = 12  # lines further apart than this do not make one place


@dataclass(frozen=True, slots=True)
class Located:
    """Lines of a file that the answer cites as `[n]`, and where in its text."""

    n: int
    path: str
    start_line: int
    end_line: int
    at: int = 0  # where the mark begins


class CitationParser:
    """Find citations in text that comes in pieces; each mark is told once with each of its numbers."""

    def __init__(self, evidence: Sequence[Evidence]) -> None:
        self._evidence = {excerpt.n: excerpt for excerpt in evidence}
        self._reader = Reader(self._evidence.keys())
        self._text = ""

    def feed(self, piece: str) -> tuple[Located, ...]:
        """Take the next piece and give the citations that are complete with it."""
        return tuple(self._found(piece))

    def finish(self) -> tuple[Located, ...]:
        """Give what was held back for a piece that does not come."""
        return tuple(self._found("", final=True))

    def _found(self, text: str, *, final: bool = False) -> Iterator[Located]:
        self._text += text
        for piece in self._reader.feed(text, final=final):
            at = piece.at + len(piece.space)
            sentence = self._sentence(at) if piece.mark else ""
            for n in piece.mark.numbers if piece.mark else ():
                yield replace(narrow(sentence, self._evidence[n]), at=at)

    def _sentence(self, end: int) -> str:
        """Give the sentence before a mark, without the marks in it."""
        before = MARK.sub(" ", self._text[max(0, end - 600) : end]).rstrip()
        starts = [found.end() for found in _SENTENCE.finditer(before)]
        return before[starts[-1] :] if starts else before


class Cleaner:
    """Leave out of text that comes in pieces the marks that name no excerpt; all else stays as it is.

    What it gives, joined, is the same however the text is split.
    """

    def __init__(self, evidence: Sequence[Evidence]) -> None:
        self._reader = Reader({excerpt.n for excerpt in evidence})
        self._space = ""  # of marks left out; a mark right behind them stands where they stood

    def feed(self, piece: str) -> str:
        """Take the next piece; give what may be shown."""
        return "".join(map(self._shown, self._reader.feed(piece)))

    def finish(self) -> str:
        """Give what was held back for a piece that does not come."""
        return "".join(map(self._shown, self._reader.feed("", final=True)))

    def _shown(self, piece: Piece) -> str:
        space, self._space = piece.space or self._space, ""
        if piece.mark is None:
            return piece.text
        if piece.mark.whole:
            return space + piece.text[len(piece.space) :]
        if piece.mark.numbers:
            return f"{space}[{', '.join(map(str, piece.mark.numbers))}]"
        self._space = space
        return ""


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
