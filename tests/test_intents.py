"""What each intent draws on: the uses of a name, a selection, a whole file in its parts."""

import pytest

from memcache_lsp import intents
from memcache_lsp.drawing import _about_lines
from memcache_lsp.errors import UserError
from memcache_lsp.intents import MOST_PARTS, about_lines, plan, used_name
from memcache_lsp.lines import lines_of
from memcache_lsp.protocol.parts import Position, Range
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


@pytest.mark.parametrize("intent", ["ask", "explain", "summarize", "callers"])
@pytest.mark.parametrize("question", ["What calls this?", "who uses it", "Where is this used?"])
def test_a_question_for_callers_is_one_by_whatever_way_it_comes(intent, question):
    about = about_lines("a.py", TEXT, 5, 7)
    assert plan(intent, question, about) == plan("callers", "What calls this?", about)
    assert plan(intent, question, about).used == "send_parcel"


@pytest.mark.parametrize("intent", ["explain", "summarize", "callers"])
def test_a_named_function_is_looked_for_though_lines_are_given(intent):
    assert plan(intent, "What calls `ring`?", about_lines("a.py", TEXT, 5, 7)).used == "ring"


def test_of_a_whole_file_nobody_can_tell_whose_callers_are_meant():
    with pytest.raises(UserError, match="whose callers"):
        plan("summarize", "What calls this?", about_lines("a.py", TEXT, 1, 7))


@pytest.mark.parametrize(
    "question", ["Summarize this.", "summarise this file", "Summarize it", "Summarize this selection."]
)
def test_lines_are_summarized_by_whatever_way_it_comes(question):
    about = about_lines("a.py", TEXT, 5, 7)
    assert plan("explain", question, about) == plan("summarize", question, about)


def test_lines_that_are_not_there_are_refused_in_a_sentence():
    assert about_lines("a.py", TEXT, 7, 99).last == 7
    with pytest.raises(UserError, match=r"^There is no line 8 in a\.py: it has 7\.$"):
        about_lines("a.py", TEXT, 8, 9)


def test_a_cursor_may_be_behind_the_last_line_end_but_no_selection():
    def about(first, last):
        return _about_lines(
            "a.py", TEXT, Range(start=Position(line=first, character=0), end=Position(line=last, character=0))
        )

    assert about(7, 7).last == 8
    with pytest.raises(UserError, match="no line 8"):
        about(7, 8)


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


def test_the_pieces_of_a_long_function_are_one_part_of_the_file():
    body = "".join(f"    if parcel == {n}:\n        return send_{n}(parcel, door=ring({n}))\n" for n in range(200))
    text = f"def deliver(parcel):\n{body}\n\ndef ring(n):\n    return n\n"
    assert len(intents.parts_of("a.py", text)) > 3
    parts = plan("summarize", "Summarize this file.", about_lines("a.py", text, 1, 10**6)).own
    assert [part.symbol for part in parts] == ["deliver", "ring"]
    assert parts[0].text.startswith("def deliver")
    assert all(text[part.span.start : part.span.end] == part.text for part in parts)


def test_a_plain_question_may_be_refused_and_one_for_uses_falls_back_to_it():
    assert plan("ask", "how is a parcel sent?", None).may_refuse
    uses = plan("ask", "what calls send_parcel?", None)
    assert uses.used
    assert uses.or_else == plan("ask", "what calls send_parcel?", None).or_else
    assert uses.or_else.may_refuse
    assert not uses.or_else.used


def test_what_is_to_be_explained_may_stand_in_the_question():
    assert plan("explain", "Explain this.\n\nRetryPolicy", None).query == "Explain this.\n\nRetryPolicy"
