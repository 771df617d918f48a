"""Whether a project answers at all: what is asked for as it is written is there or not, the rest by its signs."""

import pytest

from memcache_lsp.ranking import Question
from memcache_lsp.ranking.confidence import LEAST, Signs, confidence, signs_of
from memcache_lsp.values import Hit, Span

NOTHING = Signs(nearest=0.1, share=0.0, many=0.0, unknown=1.0, defined=False, in_path=False)
WEAK = Signs(nearest=0.2, share=0.25, many=0.125, unknown=0.5, defined=False, in_path=False)
GOOD = Signs(nearest=0.6, share=1.0, many=0.5, unknown=0.0, defined=False, in_path=True)


@pytest.mark.parametrize(
    ("question", "signs", "answers"),
    [
        ("how are routes registered", GOOD, True),
        ("how long do eggs boil", WEAK, False),
        ("how long do eggs boil", NOTHING, False),
        ("Retry.next_delay", WEAK, True),
        ("zebra", NOTHING, False),
        ("src/a.py", WEAK, True),
        ("ValueError: invalid literal for eggs", WEAK, True),
        ("ValueError: invalid literal for eggs", NOTHING, False),
        ('File "a.py", line 3, in f\n  g()\nKeyError: 1', WEAK, True),
    ],
)
def test_confidence(question, signs, answers):
    assert (confidence(Question.of(question), signs) >= LEAST) is answers


@pytest.mark.parametrize(
    ("question", "nearest", "share", "many", "unknown"),
    [
        ("shared library", 0.34, 0.5, 1, 0.0),  # both are there, though not in one hit
        ("structured invoked", 0.30, 0.5, 1, 0.0),
        ("how does challenge-response handshake work?", 0.47, 0.5, 2, 0.25),
        ("pluggable tiling algorithms", 0.25, 0.67, 2, 0.33),
        ("uploads constructed", 0.38, 0.5, 1, 0.0),
    ],
)
def test_a_short_question_is_not_refused_for_having_few_words(question, nearest, share, many, unknown):
    signs = Signs(nearest=nearest, share=share, many=many / 8, unknown=unknown, defined=False, in_path=False)
    assert confidence(Question.of(question), signs) >= LEAST


@pytest.mark.parametrize("question", ["boiled eggs", "Roman emperor", "how does bread dough work?"])
def test_a_short_question_about_something_else_is_refused(question):
    signs = Signs(nearest=0.24, share=0.33, many=1 / 8, unknown=0.6, defined=False, in_path=False)
    assert confidence(Question.of(question), signs) < LEAST


@pytest.mark.parametrize("signs", [WEAK, GOOD])
def test_without_a_known_scale_the_words_decide(signs):
    question = Question.of("how are routes registered")
    blind = Signs(None, signs.share, signs.many, signs.unknown, signs.defined, signs.in_path)
    assert (confidence(question, blind) >= LEAST) is (confidence(question, signs) >= LEAST)


def test_vectors_never_take_a_chance_away():
    question = Question.of("how are routes registered")
    blind = Signs(None, 0.6, 0.4, 0.1, defined=False, in_path=False)
    near = Signs(0.0, 0.6, 0.4, 0.1, defined=False, in_path=False)
    assert confidence(question, near) >= confidence(question, blind)


def test_signs_are_read_off_the_best_hits():
    text = "def register_route(rule): ..."
    hit = Hit(
        "src/routes.py", Span(0, len(text), 1, 1), text, "function", "register_route", "python", (), 1.0, {"path": 1}
    )
    question = Question.of("how is a zebra route registered")
    signs = signs_of(question, [hit], nearest=0.4, unknown=["zebra", "regist"])
    assert signs.in_path
    assert not signs.defined
    assert signs.share == pytest.approx(2 / 3)
    assert signs.many == 2 / 8
    assert signs.unknown == pytest.approx(1 / 3)  # what an open buffer holds, the index need not know
    assert signs_of(question, [], nearest=None, unknown=question.terms).unknown == 1
