"""Make of a question in a thread one that can be searched for: "and where is it called?" has no word to look up.

Plain comparison of words, so that it costs nothing and always does the same. Must not import a model or a database.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from memcache_lsp.tokens import STOP_WORDS, content_terms

_POINTING = re.compile(
    r"\b(?:it|its|itself|this|that|these|those|they|them|their|theirs|he|she|him|her|one|ones|there|here|same|such|"
    r"former|latter|above|both|another|other|others|else|instead)\b",
    re.IGNORECASE,
)
_GOING_ON = re.compile(
    r"\s*(?:and|but|so|or|then|also|why|what about|how about|what if|in which case)\b", re.IGNORECASE
)
_NAME = re.compile(r"[A-Za-z_][\w.]*(?:_\w+|[a-z][A-Z]\w*|\.\w+|\(\))|`[^`\n]+`")
_ENOUGH_WORDS = 4  # a question with as many words of its own stands alone
_MOST_NAMES = 3
_MOST_WORDS = 6


@dataclass(frozen=True, slots=True)
class Asked:
    """An earlier question and the names of what its answer cited, best first."""

    question: str
    symbols: tuple[str, ...] = ()


def for_search(question: str, earlier: Sequence[Asked]) -> str:
    """Return the question, with what the thread is about where it does not tell itself; the latest counts most."""
    if not earlier or not leans(question):
        return question
    said = set(content_terms(question))
    names: dict[str, None] = {}
    for asked in reversed(earlier):
        for name in (*asked.symbols, *_names(asked.question)):
            if not set(content_terms(name)) <= said:
                names.setdefault(name)
    words: dict[str, None] = {}
    for asked in reversed(earlier):
        if not words:  # an earlier one that leant on others itself tells nothing
            words = dict.fromkeys(
                word for word in _content_words(asked.question) if not set(content_terms(word)) <= said
            )
    added = [*list(names)[:_MOST_NAMES], *list(words)[:_MOST_WORDS]]
    return " ".join((question, *dict.fromkeys(added)))


def leans(question: str) -> bool:
    """Tell whether a question needs those before it to be understood."""
    words = _content_words(question)
    if _names(question) and not _POINTING.search(question):
        return False
    return len(set(words)) < _ENOUGH_WORDS or bool(_GOING_ON.match(question) and _POINTING.search(question))


def _names(text: str) -> list[str]:
    return [found.strip("`") for found in _NAME.findall(text)]


def _content_words(text: str) -> list[str]:
    return [word for word in re.findall(r"[\w.]+", _POINTING.sub(" ", text)) if word.lower() not in STOP_WORDS]
