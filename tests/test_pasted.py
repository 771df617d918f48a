"""Questions that were pasted: however long, what matters of them is kept, and they cost no more than others."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memcache_lsp.pasted import MAX_CHARACTERS, shortened
from memcache_lsp.ranking import Question

LOG = "".join(f"2025-01-31 08:00:{n % 60:02} INFO parcel {n} was sent\n" for n in range(20_000))
ERROR = "ValueError: the courier does not know the depot"


def test_of_a_pasted_log_the_question_above_it_and_the_error_at_its_end_are_kept():
    kept = shortened(f"Why does this fail?\n{LOG}{ERROR}")
    lines = kept.splitlines()
    assert len(kept) <= MAX_CHARACTERS
    assert lines[0] == "Why does this fail?"
    assert lines[-1] == ERROR
    assert all(line == "…" or line in LOG for line in lines[1:-1]), "lines are kept whole"


def test_a_trace_in_a_long_log_is_read_as_one():
    trace = 'Traceback (most recent call last):\n  File "src/courier/send.py", line 12, in send\n    go()\n' + ERROR
    asked = Question.of(LOG + trace)
    assert asked.kind == "trace"
    assert asked.named[0].path == "src/courier/send.py"


@pytest.mark.parametrize("text", ["how is a parcel sent?", "a" * 200, "def f():\n\n\n    pass\n", " x " * 2000])
def test_what_is_not_long_stays_as_it_is(text):
    assert shortened(text) == text


@given(st.text(max_size=400), st.integers(1, 200), st.text(max_size=400))
def test_it_is_never_too_long_and_never_cut_twice(head, times, tail):
    kept = shortened((head * times) + tail)
    assert len(kept) <= MAX_CHARACTERS
    assert shortened(kept) == kept


@pytest.mark.parametrize(
    "piece", ["x", "a/", "a.", ".", "_", "aB", "1", "\n", " \n", "error ", "in ", "`a", "a:b:", 'File "', "at a(", "é"]
)
def test_no_text_of_a_megabyte_is_slow_to_read(piece):
    text = "why does " + piece * (1_000_000 // len(piece)) + " fail"
    began = time.process_time()
    asked = Question.of(text)
    _ = asked.terms, asked.senses, asked.joined, asked.symbol, asked.names, asked.shortness, asked.versions
    assert time.process_time() - began < 1.0
