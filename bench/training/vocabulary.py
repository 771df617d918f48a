"""The tokens of the table: those of the distilled one, and the words of code that it would cut into pieces.

The tokenizer cuts camelCase before it lowers letters, so that `HttpServer` is the same two words in code as in a
question. Words that many sources use get rows of their own, which begin as the sum of their pieces.
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any, Final

import numpy as np
from tokenizers import Tokenizer

from bench.training.distil import Distilled, Rows
from bench.training.pairs import Pair

WORDS: Final = 6_000  # 1.6 MB of the package
_MIN_SOURCES: Final = 8  # what fewer use is a name of somebody's, not a word of code
CAMEL: Final = r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])"
_LETTERS: Final = re.compile(r"[A-Za-z0-9]+")
_SPLIT: Final = re.compile(CAMEL)
_PLAIN: Final = re.compile(r"[a-z]{3,20}|[a-z]{2,12}[0-9]{1,3}")


def tokenizer_of(full: dict[str, Any], tokens: list[str]) -> dict[str, Any]:
    """Return the tokenizer for `tokens`, of which the first is the unknown one; no text is special."""
    bert = full["normalizer"]
    cleaned = bert | {"lowercase": False, "strip_accents": False, "handle_chinese_chars": False}
    camel = {"type": "Replace", "pattern": {"Regex": CAMEL}, "content": " "}
    return {
        "version": full["version"],
        "truncation": None,
        "padding": None,
        "added_tokens": [],
        "normalizer": {"type": "Sequence", "normalizers": [cleaned, camel, bert]},
        "pre_tokenizer": full["pre_tokenizer"],
        "post_processor": None,
        "decoder": full["decoder"],
        "model": full["model"] | {"vocab": {token: i for i, token in enumerate(tokens)}},
    }


def extend(distilled: Distilled, pairs: Iterable[Pair]) -> tuple[list[str], Rows, dict[str, Any]]:
    """Return tokens, first rows and tokenizer of the table to be trained."""
    plain = Tokenizer.from_str(json.dumps(tokenizer_of(distilled.tokenizer, distilled.tokens)))
    words = frequent_words(pairs, frozenset(distilled.tokens))
    pieces = [[i for i in plain.encode(word, add_special_tokens=False).ids if i] for word in words]
    added = np.array([distilled.rows[ids].sum(axis=0) for ids in pieces], dtype=np.float32)
    tokens = [*distilled.tokens, *words]
    rows = np.vstack([distilled.rows, added.reshape(-1, distilled.rows.shape[1])])
    return tokens, rows, tokenizer_of(distilled.tokenizer, tokens)


def frequent_words(pairs: Iterable[Pair], known: frozenset[str], *, count: int = WORDS) -> list[str]:
    """Return the commonest words of the pairs that are not known, in a fixed order."""
    written: dict[str, Counter[str]] = defaultdict(Counter)  # by source
    for pair in pairs:
        written[pair.source].update(_LETTERS.findall(pair.text))
        written[pair.source].update(_LETTERS.findall(pair.code))
    uses: Counter[str] = Counter()
    sources: Counter[str] = Counter()
    for counts in written.values():
        mine: Counter[str] = Counter()
        for name, number in counts.items():
            for word in _SPLIT.split(name):
                mine[word.lower()] += number
        for word, number in mine.items():
            if word not in known and _PLAIN.fullmatch(word):
                uses[word] += min(number, 100)  # of one source
                sources[word] += 1
    common = [word for word in uses if sources[word] >= _MIN_SOURCES]
    return sorted(sorted(common), key=lambda word: -uses[word])[:count]
