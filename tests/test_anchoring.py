"""Lines that were read are found in the text as it is now, and what is returned is in it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memcache_lsp.anchoring import Anchor, anchored

TEXT = [f"line {n} says {n * 7}" for n in range(1, 41)]


def place(now, *, read=(10, 19), cited=(12, 14), text=TEXT):
    first, last = read
    return anchored(now, text[first - 1 : last], first=first, start=cited[0], end=cited[1])


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (TEXT, Anchor(12, 14, "fresh")),
        (["new"] * 5 + TEXT, Anchor(17, 19, "moved")),
        (TEXT[5:], Anchor(7, 9, "moved")),
        (TEXT[20:] + TEXT[:20], Anchor(32, 34, "moved")),  # a block that was moved in the file
        (TEXT[:30], Anchor(12, 14, "fresh")),  # what changed is elsewhere
        ([*TEXT[:12], "changed", *TEXT[13:]], Anchor(12, 14, "stale")),
        ([*TEXT[:12], *TEXT[13:]], Anchor(12, 13, "stale")),  # a line of it is gone
        ([*TEXT[:11], *TEXT[14:]], Anchor(12, 12, "stale")),  # all of it is: what stands there now
        (["a", "b", *TEXT[:12], "changed", *TEXT[13:]], Anchor(14, 16, "stale")),
        ([*TEXT[:9], "x", "y", *TEXT[11:]], Anchor(12, 14, "fresh")),  # around it only
        (["quite", "another", "text"], None),
        ([], None),
        ([""], None),
    ],
)
def test_places(now, expected):
    assert place(now) == expected


def test_the_nearest_of_several_is_meant():
    block = ["def f():", "    return 1", ""]
    text = block * 6
    moved = ["import x", *text]
    found = anchored(moved, text[6:8], first=7, start=7, end=8)
    assert found == Anchor(8, 9, "moved")


def test_what_was_read_may_begin_and_end_within_a_line():
    now = ["    def f(self):  # why", "        return 1", "    other"]
    assert anchored(now, ["def f(self):  # why", "        return"], first=1, start=1, end=2) == Anchor(1, 2, "fresh")


lines = st.lists(st.sampled_from(["a", "b", "  c", "", "d = 1", "e"]), max_size=30)


@given(lines, lines, st.data())
def test_what_is_returned_is_there_and_says_what_it_tells(then, now, data):
    if not then:
        return
    first = data.draw(st.integers(1, len(then)))
    last = data.draw(st.integers(first, len(then)))
    start = data.draw(st.integers(first, last))
    end = data.draw(st.integers(start, last))
    found = anchored(now, then[first - 1 : last], first=first, start=start, end=end)
    if found is None:
        return
    assert 1 <= found.start_line <= found.end_line <= len(now)
    if found.status != "stale":
        there = now[found.start_line - 1 : found.end_line]
        for said, was in zip(there, then[start - 1 : end], strict=True):
            assert said == was or said.endswith(was) or said.startswith(was)
