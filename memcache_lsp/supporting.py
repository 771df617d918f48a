"""Tell which sentences of an answer are not borne out by what they cite: their names, numbers and rare words are not there.

Pure, by plain comparison. Must not import a model, the store or the scan.

**Invariant:** the same text gives the same stretches, however it is split into pieces.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from memcache_lsp.evidence import Evidence
from memcache_lsp.tokens import STOP_WORDS, stem, terms

_MARK = re.compile(r"\[\s*\d{1,6}(?:\s*[,;–-]\s*\d{1,6})*\s*\]")  # noqa: RUF001 - models write the dash too
_END = re.compile(rf"""[.!?]["')*_`]*(?:[ \t]*{_MARK.pattern}[.,;]?)*(?=\s+[^\s\[])|\n""")
_ABBREVIATION = re.compile(r"\b(?:e\.g|i\.e|etc|vs|cf|No)\.\Z")
_NUMBER = re.compile(r"(?<![\w.])\d+(?:\.\d+)*(?![\w])")
_LIST_SIGN = re.compile(r"\s*(?:\d{1,2}[.)]|[-*+#>]+)\s+")
_NAME = re.compile(r"[A-Za-z_$][\w$]*(?:(?:\.|::|->|#)[A-Za-z_$][\w$]*)*")
_QUOTED = re.compile(r"`([^`\n]+)`")
_FENCE = "```"
_NO_CLAIM = re.compile(
    r"\b(?:do(?:es)? not|don't|doesn't|cannot|no)\b.{0,40}\b(?:tell|say|state|mention|answer|specif\w+|provid\w+|"
    r"contain|explain|excerpts?|information|evidence)\b",
    re.IGNORECASE,
)
_LEAST_WORDS = 3  # fewer rare words prove nothing, neither for nor against
_LEAST_SHARE = 0.5  # of the rare words that have to be there

# What answers about any program are made of.
_PLAIN = frozenset(
    stem(word)
    for word in (
        "able above accept access according action actual add addition after again all allow allows already also always "
        "another answer any appear apply argument around available based because become before begin behavior being "
        "below between both call called calls case certain change check class code come common contain contains "
        "control correct create created creates current data default define defined defines depend describe described "
        "detail determine different directly does done during each either element end ensure ensures error even every "
        "example excerpt excerpts execute existing expect explain fact false field file files find first follow "
        "following form found function functions general give given gives go handle handled handles handling happen "
        "have help here however implement implemented implementation implements include included indicate information "
        "input inside instance instead invoke just keep kind language last later lead let level like line lines list "
        "load local logic look made main make makes many mean means method methods might module more most much must name "
        "named necessary need needed new next none nor not note nothing number object occur once one only operation "
        "option order other otherwise output over own parameter part particular pass passed perform performed place "
        "point possible process program project properly property provide provided provides purpose put reach read "
        "really receive refer relate related represent require required responsible result return returned returning "
        "returns rule run runs same say second section see seem set sets several show shown shows similar simple simply "
        "since single software some something source specific specified start state step still store stored such suggest "
        "support system take taken takes tell than that therefore thing third this three through thus time together true "
        "try two type types under until update upon user uses value values various via want way well whether while whole "
        "within without work works would write written yes zero".split()
    )
)


@dataclass(frozen=True, slots=True)
class Sentence:
    """A stretch of the answer, its marks included."""

    start: int
    end: int


def sentences(text: str) -> tuple[Sentence, ...]:
    """Return the stretches of a whole answer that `Support` looks at."""
    found, at = [], 0
    while (end := _sentence_end(text, at, final=True)) is not None and at < len(text):
        if said := text[at:end].strip():
            start = text.index(said, at)
            found.append(Sentence(start, start + len(said)))
        at = end
    return tuple(found)


class Support:
    """Look at an answer that comes in pieces; each stretch that is not borne out is told once."""

    def __init__(self, evidence: Sequence[Evidence]) -> None:
        self._evidence = {excerpt.n: _Held(excerpt) for excerpt in evidence}
        self._text = ""
        self._at = 0  # everything before is looked at

    def feed(self, piece: str) -> tuple[Sentence, ...]:
        """Take the next piece; return what is not borne out of the sentences that are complete with it."""
        self._text += piece
        return tuple(self._looked_at(final=False))

    def finish(self) -> tuple[Sentence, ...]:
        """Return what is not borne out of the rest."""
        return tuple(self._looked_at(final=True))

    def _looked_at(self, *, final: bool) -> Iterator[Sentence]:
        while self._at < len(self._text):
            end = _sentence_end(self._text, self._at, final=final)
            if end is None:
                return
            start = self._at + len(self._text[self._at : end]) - len(self._text[self._at : end].lstrip())
            said = self._text[start:end].rstrip()
            self._at = end
            if said and not self._bears(said):
                yield Sentence(start, start + len(said))

    def _bears(self, said: str) -> bool:
        cited = {int(n) for mark in _MARK.findall(said) for n in re.findall(r"\d+", mark)} & self._evidence.keys()
        held = [self._evidence[n] for n in sorted(cited)] or list(self._evidence.values())
        return bears_out(said, held)


def _sentence_end(text: str, at: int, *, final: bool) -> int | None:
    """Return where the sentence ends that begins at `at`, the marks behind its stop included; None if it goes on.

    What ends a sentence is told by a few characters behind it, so that what comes later changes nothing.
    """
    begin = at + len(text[at:]) - len(text[at:].lstrip())
    if text.startswith(_FENCE, begin):
        closed = text.find("\n" + _FENCE, begin)
        end = text.find("\n", closed + 1) if closed >= 0 else -1
    else:
        sign = _LIST_SIGN.match(text, begin)
        ends = _END.finditer(text, sign.end() if sign else begin)
        end = next((found.end() for found in ends if not _ABBREVIATION.search(text, 0, found.start() + 1)), -1)
    if end >= 0:
        return end
    return len(text) if final else None


class _Held:
    """What an excerpt holds, made once."""

    def __init__(self, excerpt: Evidence) -> None:
        text = f"{excerpt.path}\n{excerpt.symbol}\n{excerpt.context}\n{excerpt.text}"
        self.low = text.lower()
        self.terms = frozenset(terms(text))
        self.numbers = frozenset(re.findall(r"\d+", text))


def bears_out(said: str, held: Sequence[_Held]) -> bool:
    """Tell whether a sentence's names and numbers are all in what it cites, and most of its rare words."""
    sign = _LIST_SIGN.match(said)
    plain = _MARK.sub(" ", said[sign.end() :] if sign else said)
    if not held:
        return False
    if _NO_CLAIM.search(plain):
        return True
    names, words = _names(plain), _rare_words(plain)
    if any(not _holds(name, held) for name in names):
        return False
    numbers = frozenset().union(*(each.numbers for each in held))
    if any(number not in numbers for number in _numbers(plain)):
        return False
    if len(words) < _LEAST_WORDS:
        return True
    there = frozenset().union(*(each.terms for each in held))
    return sum(word in there for word in words) >= _LEAST_SHARE * len(words)


def _holds(name: str, held: Sequence[_Held]) -> bool:
    low = name.lower()
    if any(low in each.low for each in held):
        return True
    parts = [part.lower() for part in re.split(r"\.|::|->|#", name) if part]
    return all(any(part in each.low for each in held) for part in parts)


def _names(said: str) -> list[str]:
    """Return what is written as a name of code: quoted, or with an underscore, a digit or a capital inside."""
    quoted = [found for each in _QUOTED.findall(said) for found in _NAME.findall(each) if len(found) > 1]
    free = [each for each in _NAME.findall(_QUOTED.sub(" ", said)) if _is_name(each)]
    return [name for name in dict.fromkeys((*quoted, *free)) if name.lower() not in STOP_WORDS]


def _is_name(word: str) -> bool:
    if "_" in word.strip("_") or "::" in word or "->" in word:
        return True
    if "." in word:
        return word.lower() not in {"e.g", "i.e"}
    return not word.isupper() and any(c.isupper() for c in word[1:])


def _numbers(said: str) -> list[str]:
    """Return the numbers of a sentence, without what counts its own parts."""
    return [part for each in _NUMBER.findall(said) for part in each.split(".")]


def _rare_words(said: str) -> list[str]:
    plain = _QUOTED.sub(" ", said)
    found = (word for word in re.findall(r"[^\W\d_]+", plain) if len(word) > 3 and word.lower() not in STOP_WORDS)
    stems = dict.fromkeys(stem(word.lower()) for word in found)
    return [each for each in stems if each not in _PLAIN]
