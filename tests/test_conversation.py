"""What a model is told in a thread: the messages before to the byte, new evidence behind them, and never too much."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_answering import FakeGenerator

from memcache_lsp.conversation import ALONE, Earlier, Told, after, go_on, unread
from memcache_lsp.evidence import Evidence
from memcache_lsp.prompt import Message, pack


def excerpt(n, text, path="src/a.py"):
    return Evidence(n, path, 1, 1 + text.count("\n"), text, f"name{n}", "python")


def first_turn(words=200, excerpts=3):
    read = [excerpt(n, f"first {n} " + "word " * words) for n in range(1, excerpts + 1)]
    packed = pack("How is it done?", read, count=FakeGenerator().count_tokens, budget_tokens=2000)
    return after(Told(packed.messages, packed.used, "By hand [1].", 64, None), excerpts + 1)


def test_a_follow_up_begins_with_what_the_model_saw():
    earlier = first_turn()
    packed = go_on("And where?", [excerpt(1, "new text here")], earlier, FakeGenerator(), room=2000)
    assert packed.messages[: len(earlier.messages)] == earlier.messages
    assert packed.messages[-1].role == "user"
    assert "And where?" in packed.messages[-1].text
    assert "new text here" in packed.messages[-1].text


def test_sources_are_numbered_on_and_nothing_is_read_twice():
    earlier = first_turn()
    again = replace(earlier.read[0], n=1)
    packed = go_on("And where?", [again, excerpt(2, "new text here")], earlier, FakeGenerator(), room=2000)
    assert [each.n for each in packed.used] == [1, 2, 3, 5]
    assert 'number="5"' in packed.messages[-1].text
    assert "first 1" not in packed.messages[-1].text


def test_a_follow_up_reads_little():
    earlier = first_turn()
    generator = FakeGenerator()
    before = generator.prompt_tokens(earlier.messages)
    packed = go_on("And where?", [excerpt(1, "long " * 900 + "\n" + "long " * 50)], earlier, generator, room=2000)
    assert generator.prompt_tokens(packed.messages) - before <= max(0.10 * before, 160)


def test_a_full_context_goes_on_without_the_oldest_evidence():
    generator = FakeGenerator()
    earlier = first_turn(words=100)
    packed = go_on("And where?", [excerpt(1, "new text here")], earlier, generator, room=360)
    assert generator.prompt_tokens(packed.messages) <= 360
    assert packed.messages[0] == earlier.messages[0]
    assert "How is it done?" in packed.messages[1].text
    assert "first 1" not in packed.messages[1].text
    assert [each.n for each in packed.used] == [4]  # what is not in the prompt cannot be cited


class Forgetful(FakeGenerator):
    """Remembers no prompt, as after a start."""

    def known_tokens(self, messages):
        return 0


def test_a_thread_that_is_not_remembered_is_cut_to_what_can_be_read_in_time():
    generator, earlier = Forgetful(), first_turn(words=400)
    assert generator.prompt_tokens(earlier.messages) > 600
    new = [excerpt(1, "new text here")]
    packed = go_on("And where?", new, earlier, generator, room=2000, affordable=400)
    assert generator.prompt_tokens(packed.messages) <= 400
    assert "new text here" in packed.messages[-1].text
    assert "How is it done?" in packed.messages[1].text
    assert {each.n for each in packed.used} == shown_in(packed.messages)


def test_what_time_is_left_then_goes_to_new_evidence():
    new = [excerpt(n, f"new {n} " + "word " * 60) for n in (1, 2, 3)]
    packed = go_on("And where?", new, first_turn(words=400), Forgetful(), room=2000, affordable=400)
    assert {each.n for each in packed.used} >= {4, 5, 6}


def test_a_thread_that_is_remembered_is_append_only_however_long_it_takes_to_read():
    generator, earlier = FakeGenerator(), first_turn(words=400)
    packed = go_on("And where?", [excerpt(1, "new text here")], earlier, generator, room=2000, affordable=400)
    assert packed.messages[: len(earlier.messages)] == earlier.messages


@given(
    affordable=st.integers(256, 900),
    turns=st.lists(st.tuples(st.integers(1, 120), st.integers(1, 40)), min_size=1, max_size=12),
)
def test_what_is_left_to_read_is_bounded_however_long_the_thread_is(affordable, turns):
    earlier = ALONE
    for number, (words, said) in enumerate(turns):
        new = [excerpt(n, f"turn {number} {n} " + "word " * words) for n in (1, 2, 3)]
        packed = go_on(f"Question {number}?", new, earlier, FakeGenerator(), room=2000)
        answer = " ".join(["said"] * said)
        earlier = after(Told(packed.messages, packed.used, answer, 64, None), earlier.next_number + 3)
    packed = go_on("And where?", [excerpt(1, "new text here")], earlier, Forgetful(), room=2000, affordable=affordable)
    assert Forgetful().prompt_tokens(packed.messages) <= affordable


@given(
    room=st.integers(220, 900),
    turns=st.lists(st.tuples(st.integers(1, 120), st.integers(1, 40)), min_size=1, max_size=12),
)
def test_a_thread_fits_however_long_it_gets(room, turns):
    generator, earlier, kept = FakeGenerator(), ALONE, 0
    for number, (words, said) in enumerate(turns):
        new = [excerpt(n, f"turn {number} {n} " + "word " * words) for n in (1, 2, 3)]
        packed = go_on(f"Question {number}?", new, earlier, generator, room=room)
        assert generator.prompt_tokens(packed.messages) <= room
        assert {each.n for each in packed.used} == shown_in(packed.messages)
        kept += packed.messages[: len(earlier.messages)] == earlier.messages
        answer = " ".join(["said"] * said)
        earlier = after(Told(packed.messages, packed.used, answer, 64, None), earlier.next_number + 3)
    assert kept or len(turns) < 2


def shown_in(messages):
    import re

    return {int(n) for message in messages for n in re.findall(r'<excerpt number="(\d+)"', message.text)}


def test_what_was_cut_is_read_when_it_is_found_in_another_stretch():
    earlier = Earlier((Message("system", "s"),), (excerpt(1, "one\ntwo"),), 2)
    assert [each.n for each in unread([excerpt(1, "one\ntwo\nthree"), excerpt(2, "two")], earlier)] == [2]


def test_a_question_that_is_far_too_long_is_told():
    from memcache_lsp.errors import UserError

    with pytest.raises(UserError, match="too long"):
        go_on("word " * 500, [], first_turn(), FakeGenerator(), room=400)
