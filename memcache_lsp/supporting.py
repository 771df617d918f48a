"""Tell which sentences of an answer are not borne out by what they cite: their names, numbers and rare words are not there.

Pure, by plain comparison. Must not import a model, the store or the scan.

**Invariant:** the same text gives the same stretches, however it is split into pieces.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from memcache_lsp.evidence import Evidence
from memcache_lsp.marks import MARK, numbers_cited
from memcache_lsp.sentences import LIST_SIGN, Sentence, Splitter
from memcache_lsp.tokens import STOP_WORDS, parts_of, stem, terms

_NUMBER = re.compile(r"(?<![\w.])\d+(?:[,_]\d{3})*(?:\.\d+)*(?![\w])")
_LINES = re.compile(r"\blines?\s+\d{1,7}(?:\s*(?:-|to|and)\s*\d{1,7})?\b", re.IGNORECASE)
_NAME = re.compile(r"[A-Za-z_$][\w$]*(?:(?:\.|::|->|#)[A-Za-z_$][\w$]*)*")
_QUOTED = re.compile(r"`([^`\n]+)`")
JOINT = re.compile(r"\.|::|->|#")
_PATH = re.compile(r"(?<![\w:/])\.{0,2}/?[\w.@-]+(?:/[\w.@-]+)*\.[A-Za-z]\w{0,9}(?![\w(/])")
_FILE = re.compile(
    r"\.(?:[chm]|cc|cpp|cs|css|conf|cfg|erl|exs?|go|gradle|hpp?|hs|html?|ini|java|jsx?|json|kts?|lua|md|mjs|ml|mm|php|pl|py|rb|"
    r"rs|rst|scala|sh|sql|swift|toml|tsx?|txt|vim|vue|xml|ya?ml|zig|zon)\Z",
    re.IGNORECASE,
)
_COMMON = frozenset("API APIs CPU ID IDs IO NB OK OS PR RAM TODO UI AND ANY BUT IF IS IT NO NOT ONLY OR THE".split())
# What says that the evidence is silent claims nothing; what says that of code, or goes on behind it, does.
_NOT = re.compile(r"\b(?:not|no|none|neither|nothing|cannot|\w+n't)\b", re.IGNORECASE)
_OF_EVIDENCE = re.compile(
    r"\b(?:excerpts?|evidence|information|snippets?|passages?|context|(?:provided|given)\s+(?:code|texts?|documents?|files?))\b",
    re.IGNORECASE,
)
_TELLING = re.compile(
    r"\b(?:tell|say|state|mention|answer|specif\w+|provid\w+|contain|explain|describe|show|include|give|indicate|"
    r"information|evidence)(?:e?s|e?d)?\b",
    re.IGNORECASE,
)
_CLAUSE = re.compile(
    r"[;:]\s|,?\s+(?:but|however|although|though|yet|instead|whereas|while|so|therefore|nevertheless)\b", re.IGNORECASE
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


class Support:
    """Look at an answer that comes in pieces; each stretch that is not borne out is told once."""

    def __init__(self, evidence: Sequence[Evidence]) -> None:
        self._evidence = {excerpt.n: Held(excerpt) for excerpt in evidence}
        self._splitter = Splitter()

    def feed(self, piece: str) -> tuple[Sentence, ...]:
        """Take the next piece; return what is not borne out of the sentences that are complete with it."""
        return self._not_borne_out(piece)

    def finish(self) -> tuple[Sentence, ...]:
        """Return what is not borne out of the rest."""
        return self._not_borne_out("", final=True)

    def _not_borne_out(self, piece: str, *, final: bool = False) -> tuple[Sentence, ...]:
        found = self._splitter.feed(piece, final=final)
        return tuple(each for each in found if not self._bears(self._splitter.text[each.start : each.end]))

    def _bears(self, said: str) -> bool:
        cited = numbers_cited(said, self._evidence)
        held = [self._evidence[n] for n in sorted(cited or ())] or list(self._evidence.values())
        return bears_out(said, held)


class Held:
    """What an excerpt holds, made once."""

    def __init__(self, excerpt: Evidence) -> None:
        text = self._text = f"{excerpt.path}\n{excerpt.symbol}\n{excerpt.context}\n{excerpt.text}"
        self.low = text.lower()
        self.defines = JOINT.split(excerpt.symbol)[-1]
        self.terms = frozenset(terms(text))
        self.numbers = frozenset(_numbers(text)) | frozenset(re.findall(r"\d+", text))
        self.lines = range(excerpt.start_line, excerpt.end_line + 1)

    def names(self, name: str) -> bool:
        """Tell whether a name is there as one, and not only as a piece of another; in its case where that parts its words."""
        if any(c.islower() for c in name) and any(c.isupper() for c in name[1:]):
            return self._has(self._text, name) or self._has(self._text, name[0].swapcase() + name[1:])
        return self._has(self.low, name.lower())

    @staticmethod
    def _has(text: str, name: str) -> bool:
        at = text.find(name)
        while at >= 0:
            end = at + len(name)
            if not (at and _goes_on(text[at - 1], name[0])) and not _goes_on(text[end : end + 1], name[-1]):
                return True
            at = text.find(name, at + 1)
        return False


def _goes_on(beside: str, edge: str) -> bool:
    return (beside.isalnum() or beside == "_") and (edge.isalnum() or edge == "_")


def bears_out(said: str, held: Sequence[Held]) -> bool:
    """Tell whether a sentence's names and numbers are all in what it cites, and most of its rare words."""
    sign = LIST_SIGN.match(said)
    plain = MARK.sub(" ", said[sign.end() :] if sign else said)
    if not held:
        return False
    claimed = " ".join(clause for clause in _CLAUSE.split(plain) if not is_no_claim(clause))
    if not claimed.strip(" .!?*_") and plain.strip():
        return True
    names, words = _names(claimed), _rare_words(claimed)
    if any(not _holds(name, held) for name in names):
        return False
    if any(not _counts(number, held) for number in _numbers(_LINES.sub(_within(held), claimed))):
        return False
    if len(words) < _LEAST_WORDS:
        return True
    there = frozenset().union(*(each.terms for each in held))
    return sum(word in there for word in words) >= _LEAST_SHARE * len(words)


def told_by(said: str, held: Held) -> frozenset[str]:
    """Return which names and rare words of a sentence an excerpt holds; the names begin with a backtick."""
    names = (f"`{name}" for name in _names(said) if _holds(name, [held]))
    return frozenset((*names, *(word for word in _rare_words(said) if word in held.terms)))


def is_no_claim(clause: str) -> bool:
    """Tell whether a clause says that the evidence is silent."""
    return all(each.search(clause) for each in (_NOT, _OF_EVIDENCE, _TELLING))


def _holds(name: str, held: Sequence[Held]) -> bool:
    low = name.lower()
    if any(each.names(name) for each in held):
        return True
    if _FILE.search(low):  # its parts are in every text
        return False
    parts = [part.lower() for part in JOINT.split(name) if part]
    if len(parts) > 1:
        return all(_holds(part, held) for part in parts)
    if len(parts_of(name)) > 1:  # a name of several words is that name or none
        return name.endswith("s") and name[:-1].isupper() and any(each.names(low[:-1]) for each in held)
    return any(stem(low) in each.terms for each in held)


def _names(said: str) -> list[str]:
    """Return what is written as a name of code: quoted, or with an underscore, a digit or a capital inside."""
    files = [each for each in _PATH.findall(said) if _FILE.search(each)]
    rest = _PATH.sub(lambda found: " " if _FILE.search(found[0]) else found[0], said)
    quoted = [found for each in _QUOTED.findall(rest) for found in _NAME.findall(each) if len(found) > 1]
    free = [each for each in _NAME.findall(_QUOTED.sub(" ", rest)) if _is_name(each)]
    return [name for name in dict.fromkeys((*files, *quoted, *free)) if name.lower() not in STOP_WORDS]


def _is_name(word: str) -> bool:
    if "_" in word.strip("_") or "::" in word or "->" in word:
        return True
    if "." in word:
        return word.lower() not in {"e.g", "i.e"}
    if word.isupper():
        return len(word) > 1 and word not in _COMMON
    return any(c.isupper() for c in word[1:])


def _numbers(said: str) -> list[str]:
    """Return the numbers of a sentence or an excerpt, without what parts their digits."""
    return [each.replace(",", "").replace("_", "") for each in _NUMBER.findall(said)]


def _counts(number: str, held: Sequence[Held]) -> bool:
    return any(number in each.numbers for each in held)


def _within(held: Sequence[Held]) -> Callable[[re.Match[str]], str]:
    """Return what leaves out the lines that a sentence names, where they are those of an excerpt."""

    def left(found: re.Match[str]) -> str:
        lines = [int(each) for each in re.findall(r"\d+", found[0])]
        return " " if any(all(line in each.lines for line in lines) for each in held) else found[0]

    return left


def _rare_words(said: str) -> list[str]:
    plain = _QUOTED.sub(" ", said)
    found = (word for word in re.findall(r"[^\W\d_]+", plain) if len(word) > 3 and word.lower() not in STOP_WORDS)
    stems = dict.fromkeys(stem(word.lower()) for word in found)
    return [each for each in stems if each not in _PLAIN]
