"""Messages: which are requests, and under which id what is none of them is answered."""

import json

import pytest

from memcache_lsp.session import messages
from memcache_lsp.session.messages import Malformed, Notification, Request, Response, parse


def body(**message):
    return json.dumps({"jsonrpc": "2.0", **message}).encode()


@pytest.mark.parametrize("key", [0, 1, -5, 2**70, 1.5, 1.0, "", "1", "a\u2028b", "\ud800"])
def test_ids_that_can_be_answered(key):
    found = parse(body(id=key, method="m", params={}))
    assert found == Request(key, "m", {})
    assert type(found.id) is type(key)
    assert json.loads(messages.encode_result(found.id, None))["id"] == key


@pytest.mark.parametrize("key", [None, True, False, {}, {"a": 1}, [], [1]])
def test_ids_that_cannot(key):
    found = parse(body(id=key, method="m"))
    assert (found.id, found.code) == (None, messages.INVALID_REQUEST)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", messages.PARSE_ERROR),
        (b"{", messages.PARSE_ERROR),
        (b"\xff\xfe{\x00}\x00", messages.PARSE_ERROR),
        (b'{"jsonrpc":"2.0","id":1,"method":"\xff"}', messages.PARSE_ERROR),
        (b'{"jsonrpc":"2.0","id":NaN,"method":"m"}', messages.PARSE_ERROR),
        (b'{"jsonrpc":"2.0","id":' + b"9" * 5000 + b',"method":"m"}', messages.PARSE_ERROR),
        (b'\xef\xbb\xbf{"jsonrpc":"2.0","id":1,"method":"m"}', messages.PARSE_ERROR),
        (b"[" * 100_000, messages.PARSE_ERROR),
        (b'{"a":' * 100_000, messages.PARSE_ERROR),
        (b'{"jsonrpc":"2.0","id":1e400,"method":"m"}', messages.INVALID_REQUEST),
        (b"[]", messages.INVALID_REQUEST),
        (b'[{"jsonrpc":"2.0","id":1,"method":"m"}]', messages.INVALID_REQUEST),
        (b"1", messages.INVALID_REQUEST),
        (b'"text"', messages.INVALID_REQUEST),
        (b"null", messages.INVALID_REQUEST),
        (b"{}", messages.INVALID_REQUEST),
        (b'{"id":{},"jsonrpc":"2.0"}', messages.INVALID_REQUEST),
        (b'{"jsonrpc":"2.0","method":5}', messages.INVALID_REQUEST),
    ],
)
def test_what_cannot_be_read_is_answered_without_an_id(data, code):
    found = parse(data)
    assert isinstance(found, Malformed)
    assert (found.id, found.code) == (None, code)


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ({"id": 7}, messages.INVALID_REQUEST),
        ({"id": 7, "method": 5}, messages.INVALID_REQUEST),
        ({"id": 7, "method": None}, messages.INVALID_REQUEST),
        ({"id": 7, "method": "m", "jsonrpc": "1.0"}, messages.INVALID_REQUEST),
        ({"id": 7, "method": "m", "jsonrpc": None}, messages.INVALID_REQUEST),
        ({"id": 7, "method": "m", "params": 5}, messages.INVALID_PARAMS),
        ({"id": 7, "method": "m", "params": "x"}, messages.INVALID_PARAMS),
        ({"id": 7, "method": "m", "params": False}, messages.INVALID_PARAMS),
    ],
)
def test_what_is_wrong_is_answered_under_its_id(message, code):
    found = parse(body(**message))
    assert isinstance(found, Malformed)
    assert (found.id, found.code) == (7, code)


def test_the_other_kinds():
    assert parse(body(method="m")) == Notification("m", None)
    assert parse(body(method="m", params=5)) == Notification("m", 5)
    assert parse(body(id=3, result=None)) == Response(3, None, None)
    assert parse(body(id=[3], error={"code": 1})) == Response([3], None, {"code": 1})
    assert parse(body(id=3, method="m", result=1)) == Request(3, "m", None)


def test_params_are_as_they_were_sent():
    params = {"jsonrpc": "1", "nested": [{"jsonrpc": "2.0", "method": "x", "id": 4}], "a-b": 1, "class": 2}
    assert parse(body(id=1, method="m", params=params)) == Request(1, "m", params)


def test_half_characters_are_replaced_in_params():
    found = parse(b'{"jsonrpc":"2.0","id":1,"method":"m","params":{"a\\ud800":["x\\uDC00y","\\ud83d\\ude00"]}}')
    assert found.params == {"a\ufffd": ["x\ufffdy", "😀"]}


def test_a_message_of_too_many_values_is_refused():
    found = parse(b"[" + b"0," * messages.MAX_VALUES + b"0]")
    assert (found.id, found.code) == (None, messages.INVALID_REQUEST)
    assert "values" in found.why


def test_a_long_text_is_not_too_many_values():
    text = "x\n" * messages.MAX_VALUES
    assert parse(body(method="m", params={"text": text})).params == {"text": text}


def test_what_is_written_is_utf8():
    assert messages.dump({"a": "é"}) == '{"a":"é"}'.encode()
    assert json.loads(messages.dump({"a": "\ud800"})) == {"a": "\ud800"}
    with pytest.raises(ValueError):
        messages.dump(float("nan"))


def test_a_text_that_would_take_too_much_is_refused(monkeypatch):
    monkeypatch.setattr(messages, "MAX_TEXT_BYTES", 1000)

    def outcome(text):
        parsed = messages.parse(
            json.dumps({"jsonrpc": "2.0", "method": "m", "params": [text]}, ensure_ascii=False).encode()
        )
        return type(parsed).__name__

    assert outcome("x" * 900) == "Notification"
    assert outcome("é" * 400) == "Notification"
    assert outcome("x" * 900 + "€") == "Malformed"
    assert outcome("😀" * 200) == "Notification"
    assert outcome("x" * 250 + "😀") == "Malformed"


def test_a_message_of_too_many_escapes_is_refused(monkeypatch):
    monkeypatch.setattr(messages, "MAX_ESCAPES", 100)
    assert isinstance(parse(body(method="m", params=["\n" * 90 + "x" * 1000])), Notification)
    assert isinstance(parse(body(method="m", params=["\n" * 101])), Malformed)
