"""Citations in a stream of text: found however it is split, mapped to lines that exist."""

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memcache_lsp.citations import CitationParser, Cleaner, Located, attribute, narrow
from memcache_lsp.evidence import Evidence
from memcache_lsp.marks import Reader


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
        ("It retries[2].", []),  # an index, as far as one can tell
        ("`retry()`[2], 重试[1]。", [2, 1]),
        ("a[0][1] and f()[1] and {}[1] but [1][2]", [1, 2]),
        ("[0-9] and [1-9] and [2026]", []),
        ("~~~\nx = [1]\n~~~\nSo it is [3]. About ~~~ [1].", [3, 1]),
        ("Both [1][2].", [1, 2]),
        ("Both [1, 2] and [ 3 ].", [1, 2, 3]),
        ("All [1-3].", [1, 2, 3]),
        ("All [1–5].", [1, 2, 3, 5]),
        ("Mixed [5, 1-2].", [5, 1, 2]),
        ("Twice [1]. And again [1].", [1, 1]),
        ("Not there [4], [0], [99].", []),
        ("Partly there [4, 5].", [5]),
        ("A huge range [1-999999].", []),
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
    assert (first.at, second.at) == (21, 57)


def test_a_mark_between_two_others_does_not_hide_where_the_last_one_leads():
    parser = CitationParser([excerpt(1, CODE)])
    text = "It waits first_delay [1]. It makes max_retries attempts [1]. So first_delay counts [ 1, 1 ]."
    places = [*parser.feed(text), *parser.finish()]
    assert [place.start_line for place in places] == [12, 13, 12]
    assert [text[place.at] for place in places] == ["[", "[", "["]


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


# What is left out may join what stands around it to a sign or a mark that was none.
JOINED = re.compile(r"(?:`|~|\[[\d\s,-]*|^|\n)\s*\[[\d\s,-]*9")


def cleaned(pieces):
    cleaner = Cleaner(EVIDENCE)
    return "".join((*map(cleaner.feed, pieces), cleaner.finish()))


@pytest.mark.parametrize(
    "text",
    [
        "The value arr [0] and [2026] of x[10] is read.",
        "Regex [0-9] is used, and [1-9][0-9]*, and [6-8].",
        "Status [404], f(x)[9], m[9][8], {}[9].",
        "A list [0, 9] is returned.",
        "It gives [6, 7, 8] and retries[2].",
        "The list [7, 8] holds, so does [7, 8].length, and [[7, 8], [8, 9]].",
        "It returns [0, 9].",
        "The values are\n[7, 8]\n",
    ],
)
def test_other_brackets_stay_and_cite_nothing(text):
    assert cleaned([text]) == text
    assert cleaned(text) == text
    assert cited(text) == []


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("It retries [1].", "It retries [1]."),
        ("It retries [9].", "It retries."),
        ("It retries [9][99]. It stops [2]", "It retries. It stops [2]"),
        ("Both [1, 9] and [ 3 ].", "Both [1] and [ 3 ]."),
        ("All [1–9]. None [6–8].", "All. None."),
        ("It retries [7, 8]. It stops [6, 7]!", "It retries. It stops!"),
        ("It retries [7; 8]\nIt stops. [7, 8]", "It retries\nIt stops."),
        ("It retries [7, 8] [2]. It stops [7, 8][9].", "It retries [2]. It stops."),
        ("All [1-9999], and of [2026].", "All, and of [2026]."),
        ("Those [5, 1–9].", "Those [5]."),
        ("It is so [9][2] and so [1][9].", "It is so [2] and so [1]."),
        ("[" + "9," * 40 + "9]", "[" + "9," * 40 + "9]"),
        ("All [1-3].", "All [1-3]."),
        ("Code `a[9]` stays, so does door[9].", "Code `a[9]` stays, so does door[9]."),
        ("```\nx = a[9]\n```\nSo it is [9].", "```\nx = a[9]\n```\nSo it is."),
        ("An open ` backtick [9]\nends with the line [9].", "An open ` backtick [9]\nends with the line."),
        ("A list [a] and an open [9", "A list [a] and an open [9"),
        ("  [  ", "  [  "),
    ],
)
def test_a_mark_that_names_no_excerpt_is_left_out(text, shown):
    assert cleaned([text]) == shown
    assert cleaned(text) == shown  # character by character


@given(
    st.lists(
        st.sampled_from(
            [
                "It ",
                "[1]",
                "[9]",
                " [",
                "9",
                "]",
                ",",
                " ",
                "-",
                "5",
                "`",
                "```",
                "\n",
                "\t",
                "[1, 9]",
                "[8, 9]",
                ".",
                "x",
                "~~~",
                "[1" + ", 9" * 25 + "]",
                " " * 70,
            ]
        ),
        max_size=30,
    ),
    st.data(),
)
def test_any_split_shows_the_same_and_no_number_that_is_not_there(parts, data):
    text = "".join(parts)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=10)))
    whole = cleaned([text])
    assert cleaned([text[a:b] for a, b in pairwise([0, *cuts, len(text)])]) == whole
    if not JOINED.search(text):
        assert cited(whole) == cited(text)
        assert all(piece.mark is None or piece.mark.whole for piece in Reader({1, 2, 3, 5}).feed(whole, final=True))
