"""The front's knowledge of a stream: frames, buffers, and what a new daemon or the editor is told. No process."""

import itertools
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memcache_lsp.relay import buffers as of_buffers
from memcache_lsp.relay.buffers import Buffers
from memcache_lsp.relay.frames import Kind, Splitter
from memcache_lsp.relay.large import Large
from memcache_lsp.relay.memory import Memory

LIMIT = 200


def frames_of(pieces):
    return [piece.data for piece in pieces if piece.kind is Kind.FRAME]


headers = st.sampled_from(
    ["Content-Length: %d\r\n\r\n", "content-length:%d\n\n", "X: y\r\nCONTENT-LENGTH : %d \r\n\r\n"]
)
bodies = st.one_of(st.binary(max_size=60), st.just(b"x" * (LIMIT + 7)), st.just(b"\r\n\r\n"), st.just(b"{}"))


@st.composite
def streams(draw):
    parts = [(draw(headers) % len(body)).encode() + body for body in draw(st.lists(bodies, max_size=6))]
    return parts, b"".join(parts) + draw(st.one_of(st.just(b""), st.binary(max_size=40), st.just(b"nonsense\r\n")))


@given(streams(), st.lists(st.integers(0, 700)))
def test_any_split_gives_the_same(stream, cuts):
    parts, data = stream
    places = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    splitter, whole = Splitter(LIMIT), Splitter(LIMIT)
    pieces = [piece for a, b in itertools.pairwise(places) for piece in splitter.feed(data[a:b])]
    expected = whole.feed(data)
    assert frames_of(pieces) == frames_of(expected)
    assert frames_of(pieces)[: len(parts)] == [part for part in parts if len(part) < LIMIT]
    assert b"".join(piece.data for piece in pieces) + splitter.rest() == data
    assert splitter.raw == whole.raw


@given(st.binary(max_size=300))
def test_nothing_is_lost_of_any_bytes(data):
    splitter = Splitter(LIMIT)
    assert b"".join(piece.data for piece in splitter.feed(data)) + splitter.rest() == data


def test_a_large_frame_is_never_held():
    splitter, held = Splitter(LIMIT), 0
    splitter.feed(b"Content-Length: 1000000\r\n\r\n")
    kinds = []
    for _ in range(1000):
        (piece,) = splitter.feed(b"x" * 1000)
        kinds.append(piece.kind)
        held = max(held, len(splitter._buffer))
    assert held == 0
    assert kinds == [Kind.MORE] * 999 + [Kind.LAST]
    assert not splitter.within


@pytest.mark.parametrize(
    "header",
    [
        b"x" * 9000, b"Content-Length: -1\r\n", b"Content-Length: 1\r\nContent-Length: 2\r\n", b"\r\n \r\n",
        b"A: b\r\n\r\n", b"Content-Length: 1e3\r\n", b"Content-Length: \r\n", b"Content-Length: 99999999999999\r\n",
    ],
)  # fmt: skip
def test_a_boundary_is_lost(header):
    splitter = Splitter(LIMIT)
    pieces = splitter.feed(header) + splitter.feed(b"Content-Length: 2\r\n\r\n{}")
    assert splitter.raw
    assert {piece.kind for piece in pieces} == {Kind.RAW}


def document(uri, text, version=0):
    return {"textDocument": {"uri": uri, "languageId": "x", "version": version, "text": text}}


def change(uri, changes, version):
    return {"textDocument": {"uri": uri, "version": version}, "contentChanges": changes}


def place(text, offset, units):
    """Return the position of an offset, the slow and plain way."""
    before = text[:offset].replace("\r\n", "\n").replace("\r", "\n")
    line = before.rpartition("\n")[2]
    size = {"utf-8": len(line.encode()), "utf-16": len(line.encode("utf-16-le")) // 2, "utf-32": len(line)}
    return {"line": before.count("\n"), "character": size[units]}


texts = st.text(st.sampled_from("ab𝒳é\n\u2028"), max_size=12)


@given(
    texts,
    st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30), texts), max_size=300),
    st.sampled_from(["utf-8", "utf-16", "utf-32"]),
)
def test_a_buffer_is_reopened_as_it_is(text, edits, units):
    buffers = Buffers()
    buffers.opened(document("u", text))
    for version, (one, other, new) in enumerate(edits, 1):
        start, end = sorted((min(one, len(text)), min(other, len(text))))
        spot = {"start": place(text, start, units), "end": place(text, end, units)}
        text = text[:start] + new + text[end:]
        buffers.changed(change("u", [{"range": spot, "text": new}], version), units)
    assert buffers.reopening(units) == [document("u", text, len(edits))]
    assert buffers._used == len(text) + 1 + 256


def test_full_changes_and_closing():
    buffers = Buffers()
    buffers.opened(document("u", "old"))
    buffers.changed(change("u", [{"text": "new"}, {"text": "newer"}], 2), "utf-16")
    buffers.changed(change("other", [{"text": "not open"}], 2), "utf-16")
    assert buffers.reopening("utf-16") == [document("u", "newer", 2)]
    buffers.closed({"textDocument": {"uri": "u"}})
    assert buffers.reopening("utf-16") == []
    assert buffers._used == 0


def test_buffers_are_bounded():
    """Ten million characters are typed into one buffer, and a hundred are opened: only what fits is kept."""
    buffers = Buffers(10_000)
    buffers.opened(document("u", ""))
    at = {"line": 0, "character": 0}
    for version in range(10_000):
        typed = [{"range": {"start": at, "end": {"line": 0, "character": 1000}}, "text": "x" * 10}]
        buffers.changed(change("u", typed, version), "utf-16")
    assert len(buffers._open) <= 1
    for number in range(100):
        buffers.opened(document(f"u{number}", "x" * 1000))
    assert buffers._used <= 10_000
    assert 5 <= len(buffers.reopening("utf-16")) <= 10


@pytest.mark.parametrize("params", [None, [], {}, {"textDocument": []}, {"textDocument": {"uri": 1, "text": 2}}])
def test_malformed_documents_are_no_buffers(params):
    buffers = Buffers()
    buffers.opened(params)
    buffers.changed(params, "utf-16")
    buffers.closed(params)
    assert buffers.reopening("utf-16") == []


@pytest.mark.parametrize("bad", [1, {}, {"text": 1}, {"text": "x", "range": 1}, {"text": "x", "range": {"start": {}}}])
def test_a_buffer_whose_text_nobody_knows_is_forgotten(bad):
    buffers = Buffers()
    buffers.opened(document("u", "text"))
    buffers.changed(change("u", [bad], 1), "utf-16")
    assert buffers.reopening("utf-16") == []
    assert buffers._used == 0


# Memory


def begun(**params):
    memory = Memory()
    request(memory, 0, "initialize", params)
    memory.from_daemon({"id": 0, "result": {"capabilities": {"positionEncoding": "utf-8"}}})
    memory.from_editor({"method": "initialized", "params": {}})
    return memory


def request(memory, identity, method="m", params=None):
    return memory.from_editor({"jsonrpc": "2.0", "id": identity, "method": method, "params": params})


identities = st.one_of(st.integers(), st.text(max_size=3), st.sampled_from([1, "1", 2**70]))


@given(st.lists(st.tuples(st.booleans(), identities)))
def test_a_request_is_answered_once(events):
    """Whatever was answered by the daemon, the loss answers the rest, each as often as it was asked."""
    memory, asked, answered = Memory(), [], []
    for ask, identity in events:
        if ask:
            request(memory, identity)
            asked.append(identity)
        elif json.dumps(identity) in [json.dumps(i) for i in asked if asked.count(i) > answered.count(i)]:
            memory.from_daemon({"id": identity, "result": 1})
            answered.append(identity)
    answered += [message["id"] for message in memory.lost()]
    assert sorted(map(json.dumps, answered)) == sorted(map(json.dumps, asked))
    assert memory.lost() == []


@pytest.mark.parametrize("odd", [None, True, 1.5, [], {}])
def test_odd_ids_are_left_to_the_daemon(odd):
    memory = Memory()
    message = {"id": odd, "method": "initialize"}
    assert memory.from_editor(message) is message
    assert memory.from_daemon({"id": odd, "result": 1}) == {"id": odd, "result": 1}
    assert memory.from_daemon({"id": odd, "method": "m"}) == {"id": odd, "method": "m"}
    assert memory.initialize is None
    assert memory.lost() == []


def test_nothing_is_replayed_before_the_answer_to_initialize():
    memory = Memory()
    request(memory, 0, "initialize", {})
    assert memory.awaits_initialize()
    assert memory.greeting() is None
    memory.from_daemon({"id": 0, "error": {"code": 1}})
    assert memory.initialize is None
    assert not memory.awaits_initialize()


def test_a_second_initialize_changes_nothing():
    memory = begun(first=True)
    request(memory, 5, "initialize", {"first": False})
    memory.from_daemon({"id": 5, "error": {}})
    assert memory.greeting()["params"] == {"first": True}


@pytest.mark.parametrize(
    ("params", "added", "removed", "expected"),
    [
        ({}, ["a"], [], ["a"]),
        ({"rootUri": "r"}, ["a"], [], ["r", "a"]),
        ({"rootUri": "r", "workspaceFolders": [{"uri": "w", "name": ""}]}, ["a"], ["w"], ["a"]),
        ({"workspaceFolders": [{"uri": "w", "name": ""}]}, ["w", "x"], [], ["w", "x"]),
        ({"workspaceFolders": None}, [], ["w"], []),
    ],
)
def test_folders(params, added, removed, expected):
    memory = begun(**params)
    event = {"added": [{"uri": uri, "name": ""} for uri in added], "removed": [{"uri": uri} for uri in removed]}
    memory.from_editor({"method": "workspace/didChangeWorkspaceFolders", "params": {"event": event}})
    assert [folder["uri"] for folder in memory.greeting()["params"]["workspaceFolders"]] == expected


@pytest.mark.parametrize("params", [None, 1, {"event": None}, {"event": {"added": [1], "removed": 3}}])
def test_malformed_folders(params):
    memory = begun(rootUri="r")
    memory.from_editor({"method": "workspace/didChangeWorkspaceFolders", "params": params})
    assert [folder["uri"] for folder in memory.greeting()["params"]["workspaceFolders"]] == ["r"]


def test_only_the_last_settings_are_told():
    memory = begun()
    for number in range(3):
        memory.from_editor({"method": "workspace/didChangeConfiguration", "params": {"settings": number}})
    assert [m["params"] for m in memory.situation()] == [{}, {"settings": 2}]


messages = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from("method id params textDocument uri text event token value kind registrations".split()),
            inner,
        ),
    ),
)
methods = st.sampled_from(
    "initialize initialized shutdown textDocument/didOpen textDocument/didChange textDocument/didClose $/progress "
    "workspace/didChangeWorkspaceFolders $/setTrace client/registerCapability client/unregisterCapability".split()
)


@settings(max_examples=50)
@given(st.lists(st.tuples(st.booleans(), methods, messages, messages), max_size=5))
def test_no_message_is_too_odd(said):
    memory = Memory()
    for from_editor, method, identity, params in said:
        message = {"method": method, "id": identity, "params": params}
        memory.from_editor(message) if from_editor else memory.from_daemon(message)
        memory.from_editor({"method": method, "params": params})
        memory.from_daemon({"method": method, "params": params})
        memory.from_daemon({"id": identity, "result": params})
    json.dumps([memory.greeting(), memory.situation(), memory.lost(), memory.warning()])


@pytest.mark.parametrize("end", ["\n", "\r"])
def test_a_text_of_too_many_lines_is_forgotten(monkeypatch, end):
    """The daemon does not keep it either; to apply changes to it would take far more memory than itself."""
    monkeypatch.setattr(of_buffers, "_LINE_ENDS", 100)
    known = Buffers()

    def document(text):
        return {"textDocument": {"uri": "file:///a", "version": 1, "text": text}}

    def changed(text):
        start = {"line": 0, "character": 0}
        change = {"range": {"start": start, "end": start}, "text": text}
        known.changed({"textDocument": {"uri": "file:///a", "version": 2}, "contentChanges": [change]}, "utf-16")

    known.opened(document(end * 101))
    assert known.reopening("utf-16") == []
    known.opened(document(end * 60))
    changed(end * 40)
    assert known.reopening("utf-16")[0]["textDocument"]["text"] == end * 100
    changed(end)
    assert known.reopening("utf-16") == []


@given(
    st.permutations(["jsonrpc", "id", "method", "params"]),
    st.one_of(st.integers(), st.text(max_size=20)),
    st.text(max_size=20),
    st.lists(st.integers(1, 3000), min_size=1, max_size=20),
)
def test_of_a_large_request_id_and_method_are_known(order, key, method, sizes):
    values = {"jsonrpc": "2.0", "id": key, "method": method, "params": {"id": 0, "text": 'x, "id": 5}' * 2000}}
    body = json.dumps({name: values[name] for name in order}).encode()
    large, at = Large(), 0
    for size in sizes:
        large.pass_on(body[at : at + size])
        at += size
    large.pass_on(body[at:])
    assert large.request() == {"id": key, "method": method}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"   ",
        b"[1,2]",
        b'{"jsonrpc":"2.0","method":"x","params":{}}',
        b'{"id":1,"result":{}}',
        b'{"id":tru',
        b'"id":1}',
    ],
)
def test_what_is_no_large_request_is_none(body):
    large = Large()
    large.pass_on(body)
    assert large.request() is None
