"""Own where the sentences of an answer end, in text that comes in pieces; a block of code is one.

Pure. Must not import a model, the store or the scan.

**Invariant:** the same text gives the same sentences, however it is split into pieces.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from memcache_lsp.marks import FENCES, MARK

_END = re.compile(rf"""[.!?]["')*_`]*(?:[ \t]*{MARK.pattern}[.,;]?)*(?=\s+[^\s\[])|\n""")
_INK = re.compile(r"\S")
_ABBREVIATION = re.compile(r"\b(?:e\.g|i\.e|etc|vs|cf|No)\.\Z")
_LONGEST_ABBREVIATION = 6  # with what is before it
_UNDECIDED = frozenset("""[],;.!?"')*_`–-""")  # noqa: RUF001 - what may follow a stop before it is one
LIST_SIGN = re.compile(r"\s*(?:\d{1,2}[.)]|[-*+#>]+)\s+")
_OPENS = re.compile(r"```[\w+#-]*[ \t]*\Z")  # behind words, where the line has nothing else
_OPENS_LISTED = re.compile(r"[ \t]*(?:(?:\d{1,2}[.)]|[-*+>]+)[ \t]+)+~~~[\w+#-]*[ \t]*\Z")
_CLOSES = {fence: re.compile(rf"^[ \t>]*{fence}", re.MULTILINE) for fence in FENCES}


@dataclass(frozen=True, slots=True)
class Sentence:
    """A stretch of the answer, its marks included, without the blanks around it."""

    start: int
    end: int
    is_code: bool = False  # a block of it, or the sentence that opens one


class Splitter:
    """Find the sentences of a text that grows; blank ones are left out."""

    def __init__(self) -> None:
        self.text = ""
        self.at = 0  # where the sentence begins that is not complete
        self._sought = 0  # no end begins before
        self._fence = ""  # that is open there

    def feed(self, piece: str, *, final: bool = False) -> Iterator[Sentence]:
        """Take the next piece and give the sentences that are complete with it; all where it is the last one."""
        self.text += piece
        while self.at < len(self.text):
            word = _INK.search(self.text, self.at)
            begin = word.start() if word else len(self.text)
            opened = self._fence or next((fence for fence in FENCES if self.text.startswith(fence, begin)), "")
            end = self._code_end(opened, begin) if opened else self._end(begin)
            if end is None and not final:
                return
            end = len(self.text) if end is None else end
            said = self.text[begin:end].rstrip()
            self._fence = "" if opened else _opens(said)
            self.at = self._sought = end
            if said:
                yield Sentence(begin, begin + len(said), bool(opened or self._fence))

    def _code_end(self, fence: str, begin: int) -> int | None:
        """Return where the line ends that closes a block of code, which may be indented as in a list."""
        start = max(self.at if self._fence else begin + len(fence), self._sought)
        closed = _CLOSES[fence].search(self.text, start)
        if closed is None:
            self._sought = max(start, self.text.rfind("\n", start) + 1)
            return None
        end = self.text.find("\n", closed.end())
        return end if end >= 0 else None

    def _end(self, begin: int) -> int | None:
        """Return where the sentence ends that begins there, the marks behind its stop included.

        What ends a sentence is told by a few characters behind it, so that what comes later changes nothing.
        """
        text = self.text
        sign = LIST_SIGN.match(text, begin)
        start = max(sign.end() if sign else begin, self._sought)
        for found in _END.finditer(text, start):
            stop = found.start() + 1
            if not _ABBREVIATION.search(text, max(0, stop - _LONGEST_ABBREVIATION), stop):
                return found.end()
        undecided = len(text)
        while undecided > start and _is_undecided(text[undecided - 1]):
            undecided -= 1
        self._sought = undecided
        return None


def _is_undecided(char: str) -> bool:
    return char.isspace() or char.isdecimal() or char in _UNDECIDED


def _opens(said: str) -> str:
    """Return the fence that a sentence opens at its end."""
    if _OPENS.search(said) and said.count("```") % 2:
        return "```"
    return "~~~" if _OPENS_LISTED.match(said) else ""


def sentences(text: str) -> tuple[Sentence, ...]:
    """Return the sentences of a whole text."""
    return tuple(Splitter().feed(text, final=True))
