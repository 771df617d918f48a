"""Frames: what is cut, what is skipped, where the boundary is lost; any split of the bytes gives the same."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memcache_lsp.session import framing
from memcache_lsp.session.framing import Body, Framer, Lost, Skipped, encode_frame


def frames(data, *, pieces=None):
    framer = Framer()
    return [frame for piece in (pieces or [data]) for frame in framer.feed(piece)]


def kinds(found):
    return [frame.data if isinstance(frame, Body) else type(frame) for frame in found]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"Content-Length: 2\r\n\r\n{}", [b"{}"]),
        (b"content-length:2\r\n\r\n{}", [b"{}"]),
        (b"CONTENT-LENGTH:   2  \r\n\r\n{}", [b"{}"]),
        (b"Content-Length: 2\n\n{}", [b"{}"]),
        (b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}", [b"{}"]),
        (b"Content-Length: 2\r\nX-Other: 1\r\n\r\n{}", [b"{}"]),
        (b"Content-Length: 002\r\n\r\n{}", [b"{}"]),
        (b"Content-Length: 0\r\n\r\nContent-Length: 2\r\n\r\n{}", [b"", b"{}"]),
        (b"\r\n\r\nContent-Length: 2\r\n\r\n{}\r\n\r\nContent-Length: 1\r\n\r\n1", [b"{}", b"1"]),
        (b"Content-Type: application/vscode-jsonrpc; charset=utf-8\r\nContent-Length: 2\r\n\r\n{}", [b"{}"]),
        (b'Content-Length: 2\r\nContent-Type: a/b; charset="UTF8"\r\n\r\n{}', [b"{}"]),
        (
            b"Content-Length: 2\r\nContent-Type: a/b; charset=utf-16\r\n\r\n{}Content-Length: 1\r\n\r\n1",
            [Skipped, b"1"],
        ),
        (b"Content-Length: 5\r\n\r\n{}", []),
        (b"Content-Len", []),
        (b"", []),
    ],
)
def test_frames(data, expected):
    assert kinds(frames(data)) == expected


@pytest.mark.parametrize(
    "data",
    [
        b"Content-Length: -2\r\n\r\n{}",
        b"Content-Length: 2.0\r\n\r\n{}",
        b"Content-Length: \r\n\r\n{}",
        b"Content-Length: two\r\n\r\n{}",
        b"Content-Length: 9999999999999999999\r\n\r\n{}",
        b"Content-Length: 99999999999999999999999999999\r\n\r\n{}",
        b"Content-Length: \xb2\r\n\r\n{}",
        b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        b"Content-Type: a/b\r\n\r\n{}",
        b'{"jsonrpc": "2.0"}\r\n\r\n',
        b"no colon\r\n",
        b": 5\r\n\r\n",
        b"Content Length: 5\r\n\r\n",
        b"A" * (framing.MAX_HEADER_BYTES + 1),
        b"A: b\r\n" * framing.MAX_HEADER_BYTES,
        b"A:" + b"b" * framing.MAX_HEADER_BYTES + b"\r\n\r\n",
    ],
)
def test_a_boundary_that_is_lost_ends_everything(data):
    found = frames(data + b"Content-Length: 2\r\n\r\n{}")
    assert kinds(found) == [Lost]


def test_a_frame_that_is_too_large_is_skipped_without_being_held(monkeypatch):
    monkeypatch.setattr(framing, "MAX_FRAME_BYTES", 10)
    framer = Framer()
    assert list(framer.feed(b"Content-Length: 1000000\r\n\r\n")) == []
    for _ in range(100):
        assert list(framer.feed(b"x" * 9_999)) == []
        assert len(framer._buffer) == 0
    assert kinds(framer.feed(b"y" * 100 + encode_frame(b"[]"))) == [Skipped, b"[]"]


STREAMS = st.lists(
    st.one_of(
        st.builds(encode_frame, st.binary(max_size=40)),
        st.sampled_from(
            [
                b"\r\n",
                b"content-length: 3\r\nContent-Type: x; charset=latin-1\r\n\r\nabc",
                b"Content-Length: 70\r\n\r\n" + b"z" * 70,
                b"Content-Length: 1\nX: \n\n{",
                b"Content-Length: x\r\n\r\n",
                b"A" * 120,
                b"B: " + b"c" * 100 + b"\r\n",
                b"Content-Length: 2\r\r\n",
            ]
        ),
        st.binary(max_size=12),
    ),
    max_size=8,
).map(b"".join)


@given(data=STREAMS, cuts=st.lists(st.integers(0, 700), max_size=12))
def test_any_split_gives_the_same_frames(data, cuts):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(framing, "MAX_HEADER_BYTES", 100)
        patch.setattr(framing, "MAX_FRAME_BYTES", 60)
        places = sorted({min(cut, len(data)) for cut in cuts} | {0, len(data)})
        pieces = [data[a:b] for a, b in itertools.pairwise(places)]
        whole = frames(data)
        assert frames(data, pieces=pieces) == whole
        assert frames(data, pieces=[bytes([byte]) for byte in data]) == whole


@given(bodies=st.lists(st.binary(max_size=200)))
def test_what_is_encoded_comes_out(bodies):
    assert kinds(frames(b"".join(map(encode_frame, bodies)))) == bodies
