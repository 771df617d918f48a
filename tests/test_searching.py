"""Which chunks of the best files are searched by themselves: no more than what could be shown first."""

from array import array
from functools import partial

import numpy as np
import pytest
from indexes import opened

from memcache_lsp import searching
from memcache_lsp.ranking.order import Scored
from memcache_lsp.ranking.table import Row
from memcache_lsp.ranking.weights import DENSE_OF_CHUNK
from memcache_lsp.scopes import Scope
from memcache_lsp.store.edge import EdgeStore

_WORDS = ("retry", "parcel", "queue", "delay", "letter", "backoff", "courier", "router", "depot", "label")
QUESTIONS = (
    "retry a parcel after a delay",
    "which queue holds a letter",
    "the depot that labels what a courier brings",
    "backoff of a router",
    "parcel",
    "a word that is nowhere, and delay",
)


@pytest.fixture
def many(tmp_path):
    """Return a project of files that say much the same, each in several chunks and in other proportions."""
    root = tmp_path / "many"
    root.mkdir()
    for number in range(24):
        lines = []
        for part in range(12):
            first, second, third = (_WORDS[(number * step + part * step + step) % len(_WORDS)] for step in (1, 3, 7))
            lines.append(f"def {first}_{part}({second}):\n    # The {third} of {first} and its {second}.")
            lines += [f"    {second} = {third}({second}, {line})" for line in range(3 + (number * part) % 17)]
            lines.append(f"    return {first}\n\n")
        (root / f"part{number}.py").write_text("\n".join(lines))
    return root


def test_what_is_shown_first_is_as_if_all_chunks_were_searched(many, monkeypatch):
    asked = []

    def counted(store, query):
        asked.append(len(query.filter.ids or ()))
        return search(store, query)

    def every(_scored, rows):
        return {row: list(range(len(row.points) - 1)) for row in rows}

    search = EdgeStore.search
    monkeypatch.setattr(EdgeStore, "search", counted)
    monkeypatch.setattr(searching, "Query", partial(searching.Query, limit=20))  # so that the lists are cut
    monkeypatch.setattr(searching, "_COMPLETED_POINTS", 10_000)
    with opened(many) as project:
        project.update()

        def found():
            asked.clear()
            hits = [project.search(question, scope=Scope(), limit=8) for question in QUESTIONS]
            return [[(hit.path, hit.span, hit.score) for hit in each] for each in hits], sum(asked)

        shown, some = found()
        monkeypatch.setattr(Scored, "unsure", every)
        assert found()[0] == shown
        assert some < found()[1] / 2


def test_only_chunks_that_may_be_the_best_of_their_file_are_unsure():
    clear, close, poor, document = (
        Row(path, language, 0, array("q", range(first, first + 7)))
        for path, language, first in (
            ("clear.py", "python", 1), ("close.py", "python", 11), ("poor.py", "python", 21), ("notes.md", "markdown", 31),
        )
    )  # fmt: skip
    text = {
        (clear, 0): 10.0, (clear, 1): 9.9,
        (close, 0): 9.0, (close, 1): 9.5,
        (poor, 0): 2.0,
        (document, 0): 10.0, (document, 1): 9.0, (document, 2): 8.0, (document, 3): 6.0, (document, 4): 4.9,
    }  # fmt: skip
    dense = dict.fromkeys([(clear, 0), (close, 0)], 0.5) | {(close, 3): 1.0}
    dense |= dict.fromkeys([(document, 0), (document, 1), (document, 2)], 0.0)
    hits = {"text": list(text.items()), "dense": list(dense.items())}
    rows = (clear, close, poor, document)
    # So a chunk has at most 0.1 by its words that is not on their list, and 0.3 by its meaning.
    scored = Scored(rows, np.zeros((4, 1)), hits, tops={"text": 10.0, "dense": 1.0}, floors={"text": 1.0, "dense": 0.5})
    assert DENSE_OF_CHUNK == 0.6
    assert scored.unsure(rows) == {clear: [], close: [1], poor: [0, 1, 2, 3, 4, 5], document: [3]}
