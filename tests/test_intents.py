"""What each intent draws on: the uses of a name, a selection, a whole file in its parts."""

import pytest

from memcache_lsp import intents
from memcache_lsp.errors import UserError
from memcache_lsp.intents import MOST_PARTS, about_lines, plan, used_name
from memcache_lsp.lines import lines_of
from memcache_lsp.values import Hit, Span

TEXT = "import time\n\n\nclass Post:\n    def send_parcel(self, parcel):\n        time.sleep(1)\n        return ring(parcel)\n"


def hit(path, text, line=1):
    return Hit(path, Span(0, len(text), line, line + text.count("\n")), text, "function", "", "python", (), 1.0)


@pytest.mark.parametrize(
    ("question", "name"),
    [
        ("what calls send_parcel?", "send_parcel"),
        ("Who uses `Post.send_parcel`?", "Post.send_parcel"),
        ("which functions call send_parcel()", "send_parcel"),
        ("where is the function send_parcel called?", "send_parcel"),
        ("Where is send_parcel used", "send_parcel"),
        ("what does send_parcel do?", ""),
        ("how is a parcel sent?", ""),
        ("what calls for a rewrite of the parser here?", ""),
    ],
)
def test_a_question_for_uses_is_told(question, name):
    assert used_name(question) == name


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("def a():\n    pass\n\ndef b():\n    x = 1\n    y = 2\n    send_parcel(x)\n    z = 3\n", (4, 8)),
        ("def send_parcel(self):\n    pass\n", None),
        ("class A:\n    async def send_parcel(self):\n        return 1\n", None),
        ("export function send_parcel(a) {\n  return a\n}\n", None),
        ("resend_parcels()\n", None),
        ("send_parcel()\n", (1, 1)),
        ("post.send_parcel(1)\nother()\n", (1, 2)),
    ],
)
def test_uses_are_lines_that_do_not_define(text, lines):
    taken = plan("callers", "what calls send_parcel?", None).taken([hit("a.py", text, line=1)])
    assert [(use.span.start_line, use.span.end_line) for use in taken] == ([lines] if lines else [])
    for use in taken:
        assert text[use.span.start : use.span.end] == use.text == "\n".join(lines_of(text)[lines[0] - 1 : lines[1]])


@pytest.mark.parametrize(("first", "last", "name"), [(5, 5, "send_parcel"), (6, 7, "send_parcel"), (4, 4, "Post")])
def test_the_callers_of_a_selection_are_those_of_its_definition(first, last, name):
    long = TEXT + "".join(f"    # line {n}\n" for n in range(20))
    assert plan("callers", "What calls this?", about_lines("a.py", long, first, last)).used == name


def test_a_selected_name_is_meant():
    about = intents.About("a.py", TEXT, 7, 7, "ring")
    assert plan("callers", "What calls this?", about).used == "ring"


@pytest.mark.parametrize("intent", ["summarize", "callers"])
def test_what_is_not_given_is_asked_for_in_a_sentence(intent):
    with pytest.raises(UserError, match="name"):
        plan(intent, "What about this?", None)


def test_a_selection_is_the_first_evidence_and_what_it_overlaps_is_not_shown_twice():
    wanted = plan("explain", "Explain this.", about_lines("a.py", TEXT, 5, 7))
    (own,) = wanted.own
    assert (own.span.start_line, own.span.end_line) == (5, 7)
    assert TEXT[own.span.start : own.span.end] == own.text
    assert "send_parcel" in wanted.query
    other = hit("b.py", "def ring(door): ...")
    assert wanted.taken([hit("a.py", TEXT), other]) == [own, other]
    assert not wanted.may_refuse


def test_a_file_is_read_in_all_its_parts():
    text = "".join(f"def function_{n}():\n" + "    value = compute()\n" * 30 + "\n\n" for n in range(60))
    wanted = plan("summarize", "Summarize this file.", about_lines("a.py", text, 1, 10**6))
    assert len(wanted.own) <= MOST_PARTS
    assert wanted.parted
    assert not wanted.query
    covered = {n for part in wanted.own for n in range(part.span.start_line, part.span.end_line + 1)}
    assert {n for n, line in enumerate(lines_of(text), 1) if line.strip()} <= covered
    for part in wanted.own:
        assert text[part.span.start : part.span.end] == part.text


def test_a_plain_question_may_be_refused_and_one_for_uses_falls_back_to_it():
    assert plan("ask", "how is a parcel sent?", None).may_refuse
    uses = plan("ask", "what calls send_parcel?", None)
    assert uses.used
    assert uses.or_else == plan("ask", "what calls send_parcel?", None).or_else
    assert uses.or_else.may_refuse
    assert not uses.or_else.used


def test_what_is_to_be_explained_may_stand_in_the_question():
    assert plan("explain", "Explain this.\n\nRetryPolicy", None).query == "Explain this.\n\nRetryPolicy"
