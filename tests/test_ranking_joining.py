"""Scores of several indexes: what one finds is held against what the others do."""

import pytest
from indexes import opened

from memcache_lsp.finding import each_once, places_first
from memcache_lsp.ranking import WEIGHTS, comparable, tops_of
from memcache_lsp.scopes import Scope
from memcache_lsp.values import Hit, Span

NOTE = """# Commissioning

The order of the regulator, section 12: relieve the spring before the inlet valve is opened, then wait for the gauge.
"""


def hit(where, *, tops, **signals):
    return Hit(where, Span(0, 1, 1, 1), "x", "", "", "python", (), sum(signals.values()), signals, tops=tops)


def test_shares_of_a_poor_best_count_less():
    poor = [hit("a.py", tops={"text": 2.0, "dense": 0.3}, text=1.19, dense=2.03, path=0.86)]
    good = [hit("b.md", tops={"text": 8.0, "dense": 0.6}, text=1.19, dense=2.03, document=-3.1)]
    (less,), (same,) = comparable([poor, good])
    assert same is good[0]
    assert less.signals == pytest.approx({"text": 1.19 / 4, "dense": 2.03 / 2, "path": 0.86}, abs=1e-4)
    assert less.score == pytest.approx(1.19 / 4 + 2.03 / 2 + 0.86, abs=2e-4)


def test_each_signal_is_compared_by_itself():
    one = [hit("a.py", tops={"text": 2.0, "dense": 0.6}, text=1.0, dense=1.0)]
    other = [hit("b.py", tops={"text": 4.0, "dense": 0.3, "gist": 0.0}, text=1.0, dense=1.0)]
    (first,), (second,), nothing = comparable([one, other, []])
    assert (first.signals, second.signals) == ({"text": 0.5, "dense": 1.0}, {"text": 1.0, "dense": 0.5})
    assert nothing == []


def test_one_index_keeps_its_scores():
    hits = [hit("a.py", tops={"text": 2.0}, text=1.0)]
    assert comparable([hits]) == [hits]


def test_a_word_weighs_as_much_where_little_is_indexed():
    assert tops_of({"text": 1.2, "dense": 0.4}, rarest=0.3) == pytest.approx({"text": 4.0, "dense": 0.4})


def test_what_the_store_finds_tells_what_its_shares_are_of(tmp_path):
    with opened(project(tmp_path / "code")) as code:
        code.update()
        (best, *_) = code.search("relieve the pressure", scope=Scope(), limit=3)
    assert set(best.tops) == {"text", "file", "names", "dense", "cluster", "gist"} <= set(WEIGHTS)
    assert all(top >= 0 for top in best.tops.values())


def test_a_note_that_answers_comes_before_code_that_does_not(tmp_path):
    notes = tmp_path / "notes"
    notes.mkdir()
    (notes / "plant.md").write_text(NOTE)
    question = "the order of the regulator"
    with opened(project(tmp_path / "code")) as code, opened(notes) as papers:
        answers = []
        for each in (code, papers):
            each.update()
            answers.append((each.root, each.search(question, scope=Scope(), limit=12)))
    assert len(answers[0][1]) == 12
    assert places_first(each_once(answers))[0][1].path == "plant.md"
    unjoined = sorted((found for _, hits in answers for found in hits), key=lambda each: -each.score)
    assert unjoined[0].path != "plant.md"  # else this would show nothing


def project(root):
    """Return a project of which every file has a word of the question."""
    root.mkdir()
    for number in range(25):
        body = f"def sorted_by_{number}(rows):\n    # Bring the rows of section {number} into order.\n    return sorted(rows)\n"
        (root / f"rows_{number}.py").write_text(body)
    return root
