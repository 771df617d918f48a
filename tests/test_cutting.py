"""What a model reads of an excerpt that has no room: the lines that say most of what is asked, at their own numbers."""

from hypothesis import given
from hypothesis import strategies as st

from memcache_lsp.cutting import cut, weights_of
from memcache_lsp.evidence import Evidence
from memcache_lsp.lines import lines_of

BODY = ["def deliver(parcel):", *(f"    step_{n}()" for n in range(40)), "    wait_for_signature(limit_s=30)"]
BODY += [f"    step_{n}()" for n in range(40, 80)]


def excerpt(lines, start=101):
    return Evidence(1, "a.py", start, start + len(lines) - 1, "\n".join(lines), "deliver", "python", "import steps")


def cost(evidence):
    return len(evidence.context) + len(evidence.text)


def kept(question, lines=BODY, room=200):
    whole = excerpt(lines)
    return cut(whole, room, cost, weights_of(question, [whole]))


def test_what_fits_stays_whole_and_its_context_goes_first():
    whole = excerpt(BODY[:3])
    assert cut(whole, 1000, cost, {}) is whole
    assert cut(whole, len(whole.text), cost, {}).context == ""


def test_lines_that_say_what_is_asked_are_kept_under_the_first_one():
    part = kept("How long does it wait for a signature?")
    assert "wait_for_signature(limit_s=30)" in part.text
    assert part.context == "def deliver(parcel):"
    at = lines_of(part.text).index("    wait_for_signature(limit_s=30)")
    assert part.start_line + at == 101 + 41
    assert at > 0
    assert part.end_line > part.start_line + at  # what follows is told, too


def test_the_beginning_is_kept_where_nothing_else_says_more():
    for question in ("What colour is the moon?", "How is a parcel delivered?", "Is there a signature?"):
        part = kept(question)
        assert (part.start_line, part.context) == (101, "")


def test_not_even_a_line_may_fit():
    assert kept("How long does it wait for a signature?", room=5) is None


words = st.sampled_from(["parcel", "waits", "signature", "limit", "step", "", "  ", "x" * 40])


@given(
    st.lists(st.lists(words, max_size=5).map(" ".join), min_size=1, max_size=40),
    st.lists(words, max_size=4).map(" ".join),
    st.integers(0, 400),
)
def test_what_is_kept_are_lines_in_a_row_that_cost_no_more_than_the_room(lines, question, room):
    whole = excerpt(lines)
    part = cut(whole, room, cost, weights_of(question, [whole]))
    if part is None:
        return
    assert cost(part) <= room
    if part.text == whole.text:
        return
    first = part.start_line - whole.start_line
    assert lines_of(part.text) == lines[first : first + part.end_line - part.start_line + 1]
