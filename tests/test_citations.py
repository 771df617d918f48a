"""Citations in a stream of text: found however it is split, mapped to lines that exist."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memcache_lsp.citations import CitationParser, Located, attribute, narrow
from memcache_lsp.evidence import Evidence


def excerpt(n, text="alpha\nbeta\n", start=10, path=None):
    return Evidence(n, path or f"file{n}.py", start, start + text.rstrip("\n").count("\n"), text, "", "python")


EVIDENCE = [excerpt(n) for n in (1, 2, 3, 5)]


def cited(text, evidence=EVIDENCE):
    parser = CitationParser(evidence)
    return [place.n for place in (*parser.feed(text), *parser.finish())]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It retries [1].", [1]),
        ("It retries[2].", [2]),
        ("Both [1][2].", [1, 2]),
        ("Both [1, 2] and [ 3 ].", [1, 2, 3]),
        ("All [1-3].", [1, 2, 3]),
        ("All [1–5].", [1, 2, 3, 5]),
        ("Mixed [5, 1-2].", [5, 1, 2]),
        ("Twice [1]. And again [1].", [1]),
        ("Not there [4], [0], [99].", []),
        ("Partly there [4, 5].", [5]),
        ("A huge range [1-999999].", [1, 2, 3, 5]),
        ("Backwards [3-1].", [3, 1]),
        ("Code `a[1]` and claim [2].", [2]),
        ("```\nx = a[1]\n```\nSo it is [3].", [3]),
        ("An open ` backtick [1]\nends with the line [2].", [2]),
        ("[not] [1a] [] [,] [-] [1", []),
        ("[[1]]", [1]),
        ("[" + "1," * 40 + "1]", []),  # no one writes such a thing
    ],
)
def test_marks(text, expected):
    assert cited(text) == expected


pieces = st.lists(
    st.sampled_from(
        ["[", "]", "1", "2", "5", "9", ",", "-", " ", "`", "``", "```", "\n", "word_x", ". ", "[1]", "[2, 5]", "–"]
    ),
    max_size=40,
)


@given(pieces, st.data())
def test_any_split_gives_the_same(parts, data):
    text = "".join(parts)
    evidence = [excerpt(n, "one\nword_x\nlast\n") for n in (1, 2, 5)]
    whole = CitationParser(evidence)
    expected = [*whole.feed(text), *whole.finish()]
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=10)))
    parser = CitationParser(evidence)
    found = [
        place
        for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)
        for place in parser.feed(text[start:end])
    ]
    assert [*found, *parser.finish()] == expected


@given(pieces)
def test_places_are_within_the_evidence(parts):
    parser = CitationParser(EVIDENCE)
    by_number = {e.n: e for e in EVIDENCE}
    for place in (*parser.feed("".join(parts)), *parser.finish()):
        source = by_number[place.n]
        assert place.path == source.path
        assert source.start_line <= place.start_line <= place.end_line <= source.end_line


def test_a_mark_is_told_as_soon_as_it_is_complete():
    parser = CitationParser(EVIDENCE)
    assert parser.feed("It retries [1") == ()
    assert [place.n for place in parser.feed("]")] == [1]


CODE = "def connect(host):\n    check(host)\n    delay = first_delay\n    for attempt in range(max_retries):\n        pass\n"


@pytest.mark.parametrize(
    ("sentence", "lines"),
    [
        ("It makes at most `max_retries` attempts", (13, 13)),
        ("It waits for first_delay, then makes max_retries attempts", (12, 13)),
        ("It does something else entirely", (10, 14)),
        ("The host is used", (10, 14)),  # one plain word is not clear
        ("", (10, 14)),
    ],
)
def test_narrow(sentence, lines):
    source = excerpt(1, CODE)
    assert narrow(sentence, source) == Located(1, "file1.py", *lines)


def test_the_sentence_before_the_mark_narrows_it():
    parser = CitationParser([excerpt(1, CODE)])
    first, second = parser.feed("It waits first_delay [1]. It makes max_retries attempts. [1] Then it ends.")
    assert (first.start_line, second.start_line) == (12, 13)


def test_words_far_apart_are_no_place():
    source = excerpt(1, "first_word\n" + "x\n" * 30 + "last_word\n")
    assert narrow("From first_word to last_word", source) == Located(1, "file1.py", 10, source.end_line)


SERVER = excerpt(1, "The server closes idle sessions after thirty seconds.\n")
CLIENT = excerpt(4, "The client opens a session and sends messages.\n")


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("Idle sessions are closed after thirty seconds.", 1),
        ("A client sends its messages in a session that it opens.", 4),
        ("Set up a broker with credentials and configure the topic of the session.", None),  # invented
        ("Yes.", None),
        ("", None),
    ],
)
def test_an_answer_without_a_citation_is_compared(answer, expected):
    assert attribute(answer, [SERVER, CLIENT]) == expected


def test_without_evidence_there_is_nothing_to_compare():
    assert attribute("Idle sessions are closed.", []) is None
