"""Hits and citations are held against the files as they are now."""

from memcache_lsp.events import Citation, Delta, Result, Timings, Usage
from memcache_lsp.evidence import gathered
from memcache_lsp.values import Hit, Span
from memcache_lsp.verifying import Verifier, drawn, refreshed

FILES = {
    "a.py": "import time\n\n\ndef send(message):\n    attempts = 3\n    return deliver(message, attempts)\n",
    "b.py": "class Session:\n    timeout = 30\n    retries = 2\n",
}


def hit(path, first, last, score=1.0):
    lines = FILES[path].split("\n")
    start = sum(len(line) + 1 for line in lines[: first - 1])
    text = "\n".join(lines[first - 1 : last])
    return Hit(path, Span(start, start + len(text), first, last), text, "function", "send", "python", (), score)


HITS = [hit("a.py", 4, 6), hit("b.py", 1, 3)]
CITATIONS = (Citation(1, "a.py", 5, 6), Citation(2, "b.py", 2, 2))


def checked(files):
    return Verifier(gathered(HITS), files.get).checked(CITATIONS)


def test_what_is_as_it_was_is_fresh():
    assert checked(FILES) == CITATIONS
    assert refreshed(HITS, FILES.get) == HITS


def test_lines_that_moved_are_found_again():
    now = FILES | {"a.py": "# one\n# two\n" + FILES["a.py"]}
    assert checked(now)[0] == Citation(1, "a.py", 7, 8, "moved")
    moved = refreshed(HITS, now.get)[0]
    assert (moved.span.start_line, moved.span.end_line, moved.text) == (6, 8, HITS[0].text)
    assert now["a.py"][moved.span.start : moved.span.end] == moved.text


def test_lines_that_changed_are_stale_and_a_hit_takes_their_present_text():
    now = FILES | {"a.py": FILES["a.py"].replace("attempts = 3", "attempts = 9")}
    assert checked(now)[0] == Citation(1, "a.py", 5, 6, "stale")
    changed = refreshed(HITS, now.get)[0]
    assert "attempts = 9" in changed.text
    assert now["a.py"][changed.span.start : changed.span.end] == changed.text


def test_a_file_that_is_gone_is_cited_no_more():
    now = {"b.py": FILES["b.py"]}
    assert checked(now) == CITATIONS[1:]
    assert refreshed(HITS, now.get) == HITS[1:]


def test_text_that_is_gone_is_cited_no_more():
    now = FILES | {"a.py": "nothing\nof it\nis left\n"}
    assert checked(now) == CITATIONS[1:]
    assert refreshed(HITS, now.get) == HITS[1:]


def test_a_citation_outside_of_what_was_read_is_dropped():
    assert Verifier(gathered(HITS), FILES.get).checked([Citation(1, "a.py", 1, 1), Citation(9, "c.py", 1, 1)]) == ()


def test_in_a_thread_each_number_is_held_against_what_was_read_under_it():
    """The two functions have changed places since the first question, so each stands at lines of the other before."""
    one = "def one():\n    first = 1\n    return first\n\n\n"
    two = "def two():\n    second = 2\n    return second\n\n\n"
    before, now = {"a.py": one + two}, {"a.py": two + one}

    def excerpts(files, first, last):
        lines = files["a.py"].split("\n")
        text = "\n".join(lines[first - 1 : last])
        return gathered([Hit("a.py", Span(0, len(text), first, last), text, "function", "f", "python", (), 1.0)])

    verifier = Verifier(excerpts(now, 6, 8), now.get, earlier=excerpts(before, 1, 3), first=13)
    assert verifier.checked([Citation(13, "a.py", 6, 8)]) == (Citation(13, "a.py", 6, 8),)  # one, as it is now
    assert verifier.checked([Citation(1, "a.py", 1, 3)]) == (Citation(1, "a.py", 6, 8, "moved"),)  # one, as it was
    swapped = Verifier(excerpts(now, 1, 3), now.get, earlier=excerpts(before, 1, 3), first=13)
    assert swapped.checked([Citation(13, "a.py", 1, 3)]) == (
        Citation(13, "a.py", 1, 3),
    )  # two, and not what stood there


def test_the_result_is_checked_once_more_and_other_events_pass():
    verifier = Verifier(gathered(HITS), {"b.py": FILES["b.py"]}.get)
    result = Result("So [1][2].", CITATIONS, "stop", 2, 2, Usage(), Timings(0.0, 0.0))
    assert [each.citations for each in verifier.events(result)] == [CITATIONS[1:]]
    assert verifier.events(Delta(0, "So")) == (Delta(0, "So"),)
    assert verifier.events(CITATIONS[0]) == ()


def test_what_was_lost_is_replaced_by_what_stands_behind():
    many = [hit("b.py", 1, 3)] * 12 + [hit("a.py", 4, 6)]
    evidence, _ = drawn(many, {"a.py": FILES["a.py"]}.get)
    assert [each.path for each in evidence] == ["a.py"]


def test_what_encloses_an_excerpt_comes_from_the_present_text():
    now = {"a.py": "import time\n\nclass Post:\n    def send(self):\n        time.sleep(1)\n"}
    inner = Hit(
        "a.py",
        Span(28, 74, 4, 5),
        "    def send(self):\n        time.sleep(1)",
        "method",
        "Post.send",
        "python",
        ("Post",),
        1.0,
    )
    _, (excerpt,) = drawn([inner], now.get)
    assert excerpt.context == "import time\nclass Post:"
    assert (excerpt.start_line, excerpt.end_line) == (4, 5)
