"""What is asked: a question in words, an identifier, a path, an error message or a stack trace, each taken as what it is.

Pure. Must not import the store.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import Final

from memcache_lsp.languages import LANGUAGES
from memcache_lsp.pasted import shortened
from memcache_lsp.ranking.words import class_of, classes_of, content_words, senses
from memcache_lsp.tokens import content_terms, words

WORDS, IDENTIFIER, PATH, ERROR, TRACE = "words", "identifier", "path", "error", "trace"

# A question of so many content words is half a title, which names a place, and half a description, which tells of
# behaviour: names of files then count half.
_LONG_WORDS: Final = 10.0
_LONG_SLOPE: Final = 1.5
_MAX_PATHS: Final = 40  # of a trace; deeper ones repeat themselves

_EXTENSIONS: Final = "|".join(
    sorted({re.escape(end[1:]) for each in LANGUAGES.values() for end in each.extensions}, key=len, reverse=True)
)
_PATH_NAMED: Final = re.compile(
    rf"(?<![\w./\\-])((?:[\w.@~+-]*[\\/])*[\w.@+-]*\w\.(?:{_EXTENSIONS}))(?![\w/\\])(?::(\d+))?"
)
_FOLDER_NAMED: Final = re.compile(r"[\w.@+-]+(?:/[\w.@+-]+)+/?")
_PYTHON_FRAME: Final = re.compile(r'File "([^"\n]+)", line (\d+)(?:, in (\S+))?')
_FRAME: Final = re.compile(
    rf"([\w.@~+\\/-]+\.(?:{_EXTENSIONS})):(\d+)(?::\d+)?|\(([\w.-]+\.(?:java|kt|scala|groovy)):(\d+)\)"
)
_FUNCTION: Final = re.compile(
    r"\bin [`']?([\w.<>$:]+)[`']?\s*$|\bat ([\w.$<>]+)\s*\(|in `([^'\n]+)'|^\s*\d+: +([\w:<>$]+)\s*$", re.MULTILINE
)
_ERROR: Final = re.compile(
    r"\b(?:\w*(?:Error|Exception|Warning)\b[\]']?:|(?:error|fatal|panic|panicked|exception|traceback|segfault)\b.*[:\"'`])"
)
_IDENTIFIER: Final = re.compile(r"[@#$.]?[\w$]+(?:(?:\.|::|#|->|/|:)[\w$?!]+)*[?!]?(?:\(.*\))?;?")
_QUALIFIED: Final = re.compile(r"(?<![\w./])[A-Za-z_][\w$]*(?:(?:\.|::|->|#)[A-Za-z_][\w$]*)+(?![\w/])")
_CALLED: Final = re.compile(r"([A-Za-z_][\w$]*)\(\)|`([A-Za-z_][\w$]*)`")
_SEPARATORS: Final = re.compile(r"\.|::|#|->|/|:")
_VERSION: Final = re.compile(r"\bv(\d+)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Named:
    """A file that a question names, and a line of it (0: none); `weight` falls with the distance from the error."""

    path: str
    line: int = 0
    weight: float = 1.0


@dataclass(frozen=True)
class Question:
    """A question, read."""

    text: str
    kind: str
    subject: str  # what of the text is searched for by its words
    named: tuple[Named, ...] = ()
    functions: tuple[str, ...] = field(default=())  # of a trace's frames

    @classmethod
    def of(cls, text: str) -> Question:
        """Read a question; of one that is very long what `pasted` keeps."""
        text = shortened(text)
        stripped = text.strip()
        if frames := _frames(stripped):
            functions = [next(filter(None, match)) for match in _FUNCTION.findall(stripped)]
            names = tuple(dict.fromkeys(_SEPARATORS.split(each)[-1] for each in functions))
            return cls(text, TRACE, _message(stripped, names), frames, names)
        named = tuple(Named(_plain(path), int(line or 0)) for path, line in _PATH_NAMED.findall(stripped)[:_MAX_PATHS])
        if " " not in stripped and not named and _FOLDER_NAMED.fullmatch(stripped):
            return cls(text, PATH, stripped, (Named(_plain(stripped)),))
        if named and " " not in stripped:
            return cls(text, PATH, stripped, named)
        if _IDENTIFIER.fullmatch(stripped):
            return cls(text, IDENTIFIER, stripped.partition("(")[0], named)
        kind = ERROR if _ERROR.search(stripped) else WORDS
        return cls(text, kind, stripped, named)

    @cached_property
    def terms(self) -> list[str]:
        """Return the terms that the store is asked for."""
        return content_terms(self.subject)

    @cached_property
    def content(self) -> list[str]:
        """Return the words that carry meaning, as written."""
        return content_words(self.subject)

    @cached_property
    def classes(self) -> dict[str, None]:
        """Return their classes in order, each once."""
        return dict.fromkeys(each for word in self.content for each in classes_of(word))

    @cached_property
    def senses(self) -> frozenset[str]:
        """Return the classes that would say the same."""
        return senses(self.classes)

    @cached_property
    def joined(self) -> frozenset[str]:
        """Return the classes of neighbouring words written as one: "web socket" asks for websocket too."""
        low = [word.lower() for word in self.content]
        pairs = (a + b for a, b in pairwise(low))
        triples = (a + b + c for a, b, c in zip(low, low[1:], low[2:], strict=False))
        return frozenset(class_of(word) for word in (*pairs, *triples))

    @cached_property
    def symbol(self) -> tuple[str, ...]:
        """Return what an identifier may be defined as, best first: its last part, or whole."""
        if self.kind != IDENTIFIER:
            return ()
        whole = self.subject.strip("@#$;.")
        return tuple(dict.fromkeys((_SEPARATORS.split(whole)[-1].strip("$?!"), whole)))

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Return the words of a sentence that are written like names of code, and the last part of a qualified one."""
        if self.kind in {IDENTIFIER, PATH}:
            return ()
        text = _PATH_NAMED.sub(" ", self.subject)
        qualified = [_SEPARATORS.split(each)[-1] for each in _QUALIFIED.findall(text)]
        called = [first or second for first, second in _CALLED.findall(text)]
        written = [word for word in content_words(text) if looks_like_code(word)]
        return tuple(dict.fromkeys((*written, *qualified, *called, *self.functions)))

    @cached_property
    def shortness(self) -> float:
        """Return how much the question is a title that names a place: 1, or towards 0 for what describes behaviour."""
        if self.kind in {ERROR, TRACE}:
            return 0.0
        return 1 / (1 + math.exp(min(50.0, (len(self.content) - _LONG_WORDS) / _LONG_SLOPE)))

    @cached_property
    def about_tests(self) -> bool:
        return not {"test", "spec", "mock", "fixtur"}.isdisjoint(self.classes)

    @cached_property
    def versions(self) -> frozenset[int]:
        """Return the versions that the question names (v3)."""
        return frozenset(int(number) for number in _VERSION.findall(self.text))


def looks_like_code(word: str) -> bool:
    """Tell a name of code from a word: it has an underscore or a capital inside."""
    return "_" in word.strip("_") or (not word.isupper() and any(c.isupper() for c in word[1:]))


def _frames(text: str) -> tuple[Named, ...]:
    """Return the files of a stack trace, the nearest to the error first; nothing where the text is none."""
    python = [(path, int(line)) for path, line, _ in _PYTHON_FRAME.findall(text)]
    if python:
        python.reverse()  # its last frame is where it happened
        return _weighted(python)
    found = [(a or b, int(line or other)) for a, line, b, other in _FRAME.findall(text)]
    return _weighted(found) if len(found) > 1 and "\n" in text else ()


def _weighted(frames: list[tuple[str, int]]) -> tuple[Named, ...]:
    return tuple(Named(_plain(path), line, 0.85**at) for at, (path, line) in enumerate(frames[:_MAX_PATHS]))


def _plain(path: str) -> str:
    return path.replace("\\", "/").removeprefix("./").strip("/")


def _message(trace: str, functions: tuple[str, ...]) -> str:
    """Return what a trace says in words: its lines that are no frames and no quoted code, and its functions."""
    lines = trace.splitlines()
    told = [
        line
        for line in lines
        if line.strip()
        and not line[0].isspace()
        and not _PYTHON_FRAME.search(line)
        and not _FRAME.search(line)
        and not line.startswith("Traceback")
    ]
    return " ".join((*told, *functions)) or " ".join(words(trace))
