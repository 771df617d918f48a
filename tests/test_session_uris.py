"""URIs and paths: percent signs, names that are no text, other machines, drive letters."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memcache_lsp.session.uris import from_path, to_path


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("file:///a/b.py", "/a/b.py"),
        ("file://localhost/a", "/a"),
        ("FILE:///a", "/a"),
        ("file:/a", "/a"),
        ("file:///a%20b%23%3F", "/a b#?"),
        ("file:///a b", "/a b"),
        ("file:///%C3%A9", "/é"),
        ("file:///é", "/é"),
        ("file:///a/../b/./c", "/b/c"),
        ("file:///a%2Fb", "/a/b"),
        ("file:///c%3A/x", "/c:/x"),
        ("file:///C:/x", "/C:/x"),
        ("file:///a?query#fragment", "/a"),
        ("file://other/a", None),
        ("untitled:Untitled-1", None),
        ("http://localhost/a", None),
        ("file:", None),
        ("file:relative", None),
        ("file:///a%00b", None),
        ("file://[broken/a", None),
        ("file:///\ud800", None),
        ("", None),
        ("\0", None),
    ],
)
@pytest.mark.skipif(os.name == "nt", reason="paths of POSIX")
def test_to_path(uri, path):
    assert to_path(uri) == (None if path is None else Path(path))


@pytest.mark.skipif(os.name == "nt", reason="paths of POSIX")
def test_a_name_that_is_not_utf8_goes_there_and_back():
    path = to_path("file:///a%FFb")
    assert os.fsencode(path) == b"/a\xffb"
    assert from_path(path) == "file:///a%FFb"


@given(st.lists(st.text(st.characters(exclude_characters="/\0", codec="utf-8"), min_size=1), min_size=1, max_size=4))
def test_every_path_comes_back(names):
    path = Path("/" + "/".join(name for name in names if name not in {".", ".."}))
    assert to_path(from_path(path)) == path
    assert from_path(path).isascii()
