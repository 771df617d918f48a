"""Positions and open documents: our own line ends, three encodings, changes that equal the whole text."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memcache_lsp.session.documents import Change, Documents
from memcache_lsp.session.positions import Encoding, Position, Text

ENCODINGS = list(Encoding)
TEXTS = st.text(st.sampled_from("ab \t\r\n\f\v\x85\u2028é\u0301漢😀\U0001f469\ud800\0"), max_size=30)
CODECS = {Encoding.UTF8: ("utf-8", 1), Encoding.UTF16: ("utf-16-le", 2), Encoding.UTF32: ("utf-32-le", 4)}


def units(text, encoding):
    codec, size = CODECS[encoding]
    return len(text.encode(codec, "surrogatepass")) // size


def position_of(text, offset, encoding):
    """Say what a client would: the lines and units before an offset."""
    lines = re.split(r"\r\n|\n|\r", text[:offset])
    return Position(len(lines) - 1, units(lines[-1], encoding))


def between_line_end(text, offset):
    return text[offset - 1 : offset + 1] == "\r\n" if offset else False


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("", [""]),
        ("a", ["a"]),
        ("a\n", ["a", ""]),
        ("a\r\nb\rc\nd", ["a", "b", "c", "d"]),
        ("\r\r\n\n", ["", "", "", ""]),
        ("a\fb\vc\x85d\u2028e\u2029f", ["a\fb\vc\x85d\u2028e\u2029f"]),
    ],
)
def test_lines(text, lines):
    found = Text(text)
    assert [found.line(n) for n in range(found.line_count)] == lines


@pytest.mark.parametrize(
    ("line", "column", "encoding", "offset"),
    [
        (0, 0, Encoding.UTF16, 0),
        (0, 3, Encoding.UTF16, 2),
        (0, 2, Encoding.UTF16, 1),  # in the middle of a pair
        (0, 5, Encoding.UTF8, 2),
        (0, 4, Encoding.UTF8, 1),  # in the middle of a character
        (0, 2, Encoding.UTF32, 2),
        (0, 99, Encoding.UTF16, 3),  # a line ends before its end
        (0, 99, Encoding.UTF8, 3),
        (0, 99, Encoding.UTF32, 3),
        (1, 0, Encoding.UTF16, 5),
        (1, 1, Encoding.UTF16, 6),
        (1, 2**31, Encoding.UTF8, 6),
        (2, 0, Encoding.UTF16, 6),
        (2**31, 5, Encoding.UTF16, 6),
        (-1, -1, Encoding.UTF16, 0),
    ],
)
def test_offsets(line, column, encoding, offset):
    assert Text("a😀b\r\nc").offset(Position(line, column), encoding) == offset


@given(text=TEXTS, data=st.data(), encoding=st.sampled_from(ENCODINGS))
def test_there_and_back(text, data, encoding):
    offset = data.draw(st.integers(0, len(text)))
    found = Text(text)
    if between_line_end(text, offset):
        assert found.offset(found.position(offset, encoding), encoding) == offset - 1
        return
    assert found.position(offset, encoding) == position_of(text, offset, encoding)
    assert found.offset(found.position(offset, encoding), encoding) == offset


@given(text=TEXTS, new=TEXTS, data=st.data())
def test_a_replacement_equals_a_new_text(text, new, data):
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    found, fresh = Text(text).replaced(start, end, new), Text(text[:start] + new + text[end:])
    assert found.text == fresh.text
    assert found._starts == fresh._starts


@given(text=TEXTS, edits=st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40), TEXTS), max_size=6), data=st.data())
def test_incremental_changes_equal_the_full_text(text, edits, data):
    encoding = data.draw(st.sampled_from(ENCODINGS))
    documents = Documents(encoding)
    documents.open("file:///a", text)
    for one, other, new in edits:
        start, end = sorted((min(one, len(text)), min(other, len(text))))
        start -= between_line_end(text, start)
        end -= between_line_end(text, end)
        change = Change(new, position_of(text, start, encoding), position_of(text, end, encoding))
        text = text[:start] + new + text[end:]
        assert documents.change("file:///a", [change]).content.text == text


def test_several_changes_at_once_follow_each_other():
    documents = Documents(Encoding.UTF16)
    documents.open("file:///a", "one\ntwo\n")
    changes = [
        Change("zero\n", Position(0, 0), Position(0, 0)),
        Change("ONE", Position(1, 0), Position(1, 3)),
        Change("backwards", Position(2, 3), Position(2, 0)),
    ]
    assert documents.change("file:///a", changes).content.text == "zero\nONE\nbackwards\n"
    assert (
        documents.change("file:///a", [Change("all"), Change("!", Position(0, 3), Position(0, 3))]).content.text
        == "all!"
    )


def test_documents_are_known_by_uri_and_path():
    documents = Documents(Encoding.UTF16)
    documents.open("file:///a%20b", "x")
    documents.open("untitled:1", "y")
    assert documents.at(Path("/a b")).content.text == "x"
    assert documents.get("untitled:1").path is None
    documents.open("file:///a b", "z")  # another name for the same file
    assert documents.close("file:///a%20b").content.text == "x"
    assert documents.at(Path("/a b")).content.text == "z"
    documents.close("file:///a b")
    assert documents.at(Path("/a b")) is None
    assert documents.close("file:///a b") is None
    assert documents.change("file:///a b", [Change("w")]) is None


def test_what_there_is_no_room_for_is_not_kept():
    documents = Documents(Encoding.UTF16, limit_characters=10)
    assert documents.open("file:///a", "x" * 6)
    assert documents.open("file:///b", "x" * 5) is None
    assert documents.open("file:///b", "x" * 4)
    assert documents.open("file:///a", "y" * 6)
    assert documents.change("file:///a", [Change("z", Position(0, 0), Position(0, 0))]) is None
    assert documents.get("file:///a") is None
    assert documents.open("file:///c", "x" * 6)


def test_lines_count_as_much_as_they_take():
    """The start of each is kept, which is more than the line end itself."""
    documents = Documents(Encoding.UTF16, limit_characters=1000)
    assert documents.open("file:///a", "\n" * 62)
    assert documents.open("file:///a", "\n" * 63) is None
    assert documents.get("file:///a") is None  # what it was before it is not any more
    assert documents.open("file:///a", "\r" * 60)
    assert documents.change("file:///a", [Change("\n" * 5, Position(0, 0), Position(0, 0))]) is None
    assert documents.open("file:///b", "x" * 1000)
