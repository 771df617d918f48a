"""Thoughts are told from the answer, however the text is cut."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memcache_lsp.thinking import Thoughts, opened_by, room_tokens

CASES = [
    ("<think>\nFirst, the code.\n</think>\n\nIt waits [1].", "It waits [1]."),
    ("  <think></think>It waits.", "It waits."),
    ("<think>one</think> <think>two</think> It waits.", "It waits."),
    ("[THINK]x < y[/THINK]It waits.", "It waits."),
    ("<thinking>a </think> b</thinking>It waits.", "It waits."),
    ("The tag <think> is cut </think> off.", "The tag <think> is cut </think> off."),
    ("<thin ice", "<thin ice"),
    ("<", "<"),
    ("<think>\nnever done", ""),
    ("<think> \r\nnever done", ""),
    ("<think>", ""),
    ("<think> and its closing tag part the thoughts.", "<think> and its closing tag part the thoughts."),
    ("<think>one</think><thinking> is a tag [1].", "<thinking> is a tag [1]."),
    ("<think>\n</thin" + "k" * 40 + "</think>It waits.", "It waits."),
    ("<think>done</think>", ""),
    ("<think>one</think> It waits.", "It waits."),
    ("<think>one</think>It <think>waits</think>.", "It <think>waits</think>."),
    ("", ""),
]


@pytest.mark.parametrize(("text", "answer"), CASES)
def test_the_thoughts_before_an_answer_are_left_out(text, answer):
    thoughts = Thoughts()
    assert thoughts.feed(text) + thoughts.finish() == answer


@given(st.sampled_from(CASES), st.lists(st.integers(0, 60), max_size=12))
def test_however_the_text_is_cut(case, cuts):
    text, answer = case
    at = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})
    thoughts = Thoughts()
    given = [thoughts.feed(text[start:end]) for start, end in pairwise(at)]
    assert ("".join(given) + thoughts.finish()).lstrip() == answer


def test_a_prompt_may_open_the_thoughts():
    assert opened_by("<|im_start|>assistant\n<think>\n") == "<think>\n"
    assert opened_by("<think>\n\n</think>\n\n") == ""


def test_a_thought_whose_length_was_used_up_is_no_answer():
    thoughts = Thoughts()
    assert thoughts.feed("<think>First, ") + thoughts.finish(cut=True) == ""
    thoughts = Thoughts()
    assert thoughts.feed("It wai") + thoughts.finish(cut=True) == "It wai"


def test_a_small_context_is_not_for_thoughts():
    rooms = [room_tokens(context) for context in (256, 512, 4096, 131072)]
    assert rooms == sorted(rooms)
    assert 0 < rooms[1] <= 512 // 16
    assert 1024 <= rooms[2] <= 4096 // 3


@pytest.mark.parametrize("piece", ["<think>\nFirst</think>It waits.", "<think>", "It waits."])
def test_of_a_model_that_does_not_think_all_is_text(piece):
    thoughts = Thoughts(expected=False)
    assert thoughts.feed(piece) + thoughts.finish() == piece
    assert not thoughts.seen


@pytest.mark.parametrize("tag", ["<think>", "<thinking>", "<thought>", "<reasoning>", "[THINK]"])
def test_what_a_prompt_opened_is_never_text(tag):
    thoughts = Thoughts()
    assert thoughts.feed(opened_by(f"assistant: {tag}")) + thoughts.feed("Well, so") + thoughts.finish() == ""
    assert thoughts.seen
