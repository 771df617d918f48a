"""Which chunks of the best files are searched by themselves: no more than what could be shown first."""

from array import array
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from indexes import opened

from memcache_lsp import searching
from memcache_lsp.ranking.facts import make_facts
from memcache_lsp.ranking.order import Scored
from memcache_lsp.ranking.question import Question
from memcache_lsp.ranking.table import Row
from memcache_lsp.ranking.weights import DENSE_OF_CHUNK
from memcache_lsp.scopes import Scope
from memcache_lsp.store.edge import EdgeStore
from memcache_lsp.values import Chunk, Definition, Span

_WORDS = ("retry", "parcel", "queue", "delay", "letter", "backoff", "courier", "router", "depot", "label")
QUESTIONS = (
    "retry a parcel after a delay",
    "which queue holds a letter",
    "the depot that labels what a courier brings",
    "backoff of a router",
    "parcel",
    "a word that is nowhere, and delay",
    "parcel_7",
    "what depot_11 and label_3 delay",
    "part5.py:40: the letter was lost",
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

    def every(_scored, _question, rows):
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
    asked = Question.of("parcel")
    assert scored.unsure(asked, rows) == {clear: [], close: [1], poor: [0, 1, 2, 3, 4, 5], document: [3]}


def test_what_a_question_names_makes_chunks_unsure_and_others_sure():
    chunks = [Chunk(Span(0, 1, 1 + 10 * at, 10 + 10 * at), "x", "block", "", (), ()) for at in range(6)]
    chunks[3] = replace(chunks[3], definitions=(Definition("send_parcel", "function", 31),))
    data = make_facts((), chunks, [np.ones(4, np.float32)] * 6).encoded()
    row = Row("depot.py", "python", 0, array("q", range(1, 8)), data)
    hits = {"text": [((row, 0), 10.0), ((row, 3), 2.0)], "dense": [((row, 0), 0.9)]}

    def unsure(question, floor):
        scored = Scored((row,), np.zeros((1, 1)), hits, {"text": 10.0, "dense": 1.0}, {"text": 0.5, "dense": floor})
        return scored.unsure(Question.of(question), [row])[row]

    assert unsure("parcel", 0.5) == []
    # 0.2 by its words, 1 for the definition and 0.36 by its meaning at most: more than 1.54
    assert unsure("send_parcel", 0.6) == [3]
    assert unsure("send_parcel", 0.2) == []  # 0.12 by its meaning at most
    assert unsure("depot.py:55: parcel", 0.6) == [5]  # a line of a chunk that is on no list
    row.points = array("q", range(1, 6))
    assert unsure("depot.py:55: parcel", 0.6) == []  # the facts tell of more chunks than the index has
