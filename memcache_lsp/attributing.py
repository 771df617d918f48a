"""Own the citations that a model forgot: behind each sentence that names none, the excerpt that bears it out.

By plain comparison, and only where an excerpt, or up to four that each name a part, hold all that the sentence names and
counts and most of its rare words, and enough that most excerpts do not hold; of a file's parts the first that do. Pure. Must not import a model, the store or
the scan.

**Invariant:** the same text gives the same marks, however it is split into pieces.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from memcache_lsp.evidence import Evidence
from memcache_lsp.marks import numbers_cited
from memcache_lsp.sentences import Sentence, Splitter
from memcache_lsp.supporting import JOINT, Held, bears_out, is_no_claim, told_by

# An indented block that is no list, a row of a table, a heading.
_NO_PROSE = re.compile(
    r"(?: {4}|\t)(?![ \t]*(?:[-*+]|\d{1,2}[.)])[ \t])|[ \t>]*(?:\||#{1,6}[ \t])|(?:`[^`\n]*`|[^`|\n])*[ \t]\|[ \t]"
)
_NAME_WORTH = 2.0  # of a name, in rare words; and the least that an excerpt adds
_LEAST_WORTH = 3.0  # less is there by chance
_MOST_TOGETHER = 4  # excerpts, where one names a part and another the rest


class Attributor:
    """Take the text of an answer as it comes, and give it with the marks that are missing."""

    def __init__(self, evidence: Sequence[Evidence]) -> None:
        self._evidence = {excerpt.n: Held(excerpt) for excerpt in evidence}
        is_a_file = len({each.path for each in evidence}) == 1
        self._parts = {e.n: Held(replace(e, path="", context="")) for e in evidence} if is_a_file else {}
        self._splitter = Splitter()
        self._shown = 0

    def feed(self, piece: str) -> str:
        """Take the next piece; give what may be shown."""
        return "".join(self._marked(piece))

    def finish(self) -> str:
        """Give what was held back for a piece that does not come."""
        return "".join(self._marked("", final=True))

    def _marked(self, piece: str, *, final: bool = False) -> Iterator[str]:
        splitter = self._splitter
        for each in splitter.feed(piece, final=final):
            if numbers := () if self._is_no_prose(each) else self._sources(splitter.text[each.start : each.end]):
                yield f"{self._upto(each.end)} [{', '.join(map(str, numbers))}]"
        yield self._upto(len(splitter.text) if final else max(splitter.at, len(splitter.text.rstrip())))

    def _is_no_prose(self, said: Sentence) -> bool:
        """Tell whether a mark would stand in code, in a table or in a heading."""
        text = self._splitter.text
        line = text[text.rfind("\n", 0, said.start) + 1 : said.end]
        return said.is_code or _NO_PROSE.match(line) is not None

    def _upto(self, end: int) -> str:
        shown = self._splitter.text[self._shown : end]
        self._shown = max(self._shown, end)
        return shown

    def _sources(self, said: str) -> tuple[int, ...]:
        """Return the excerpts that bear out a sentence without a citation, none where that is not clear."""
        if (
            not said
            or numbers_cited(said, self._evidence) is not None
            or said.count("`") % 2
            or is_no_claim(said)
            or not self._evidence
        ):
            return ()
        holds = {n: told_by(said, held) for n, held in self._evidence.items()}
        return self._pointed_to(said, holds) or self._of_the_file(said)

    def _of_the_file(self, said: str) -> tuple[int, ...]:
        """Return what of a file's parts, where they are all there is, bears out what is said of it as a whole.

        What most parts hold points to the file: the part counts that says most, by its lines and not by its path, and
        then those that say a word more, until they bear it out together.
        """
        if not self._parts:
            return ()
        holds = {n: told_by(said, held) for n, held in self._parts.items()}
        taken, left = list[int](), frozenset[str]().union(*holds.values())
        while len(taken) < _MOST_TOGETHER and not (taken and self._bear_out(said, taken)):
            best = max(holds, key=lambda n: (sum(map(_worth, holds[n] & left)), -n))
            if sum(map(_worth, holds[best] & left)) < (1.0 if taken else _NAME_WORTH):
                return ()
            taken.append(best)
            left -= holds[best]
        return tuple(sorted(taken)) if self._bear_out(said, taken) else ()

    def _pointed_to(self, said: str, holds: Mapping[int, frozenset[str]]) -> tuple[int, ...]:
        """Return what holds much of a sentence that most excerpts do not hold."""
        spread = Counter(each for told in holds.values() for each in told)
        common = max(1, len(holds) / 2)  # what most excerpts hold, such as the file's own name, points to none
        defined = {n: {each for each in told if self._is_defined(each, n)} for n, told in holds.items()}
        telling = {n: {e for e in told if spread[e] <= common or e in defined[n]} for n, told in holds.items()}
        taken, left, total = list[int](), set(spread), 0.0

        def worth(n: int) -> float:
            return sum(_LEAST_WORTH if each in defined[n] else _worth(each) for each in telling[n] & left)

        while len(taken) < _MOST_TOGETHER and not (taken and self._bear_out(said, taken)):
            best = max(holds, key=lambda n: (worth(n), -n))
            if worth(best) < _NAME_WORTH:
                return ()
            total += worth(best)
            taken.append(best)
            left -= holds[best]
        return tuple(sorted(taken)) if total >= _LEAST_WORTH and self._bear_out(said, taken) else ()

    def _is_defined(self, told: str, n: int) -> bool:
        """Tell whether what a sentence names is what an excerpt defines, which points to it though others name it too."""
        return told.startswith("`") and JOINT.split(told[1:])[-1] == self._evidence[n].defines

    def _bear_out(self, said: str, taken: Sequence[int]) -> bool:
        return bears_out(said, [self._evidence[n] for n in taken])


def _worth(told: str) -> float:
    return _NAME_WORTH if told.startswith("`") else 1.0


def marked(text: str, evidence: Sequence[Evidence]) -> str:
    """Return a whole answer with the marks that are missing."""
    attributor = Attributor(evidence)
    return attributor.feed(text) + attributor.finish()
