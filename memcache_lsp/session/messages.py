"""Own the messages of JSON-RPC: a body into a request, a notification, a response, or what is wrong with it.

Pure: no stream, no method is known. Must not import the rest of this package.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from typing import Any, TypeGuard

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603
SERVER_NOT_INITIALIZED = -32002
REQUEST_FAILED = -32803
REQUEST_CANCELLED = -32800

MAX_VALUES = 1_000_000  # in one message: its bytes are bounded, what they become must be too
MAX_TEXT_BYTES = 64 * 1024 * 1024  # of it as text, for one character may make all others take four bytes
MAX_ESCAPES = 4_000_000  # in one message: each costs far more time than another byte, and the loop is held
_MANY_BYTES = 2 * MAX_VALUES
_CONTINUATION = bytes(range(0x80, 0xC0))
_LEADS_OF_FOUR = tuple(bytes([lead]) for lead in range(0xF0, 0xF5))

Id = str | int | float

_SURROGATE = re.compile("[\ud800-\udfff]")
_ESCAPED_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


@dataclass(frozen=True, slots=True)
class Request:
    """A message that must be answered, once, under its id."""

    id: Id
    method: str
    params: Any


@dataclass(frozen=True, slots=True)
class Notification:
    """A message that must not be answered."""

    method: str
    params: Any


@dataclass(frozen=True, slots=True)
class Response:
    """The client's answer to a request of ours."""

    id: Any
    result: Any
    error: Any  # None where it went well


@dataclass(frozen=True, slots=True)
class Malformed:
    """What is to be answered to a message that is none; `id` is None where it cannot be told."""

    id: Id | None
    code: int
    why: str


Message = Request | Notification | Response | Malformed


def parse(body: bytes) -> Message:
    """Read one message."""
    if len(body) > _MANY_BYTES and sum(map(body.count, (b",", b"[", b"{"))) > MAX_VALUES:
        return Malformed(None, INVALID_REQUEST, f"The message holds more than {MAX_VALUES} values.")
    if len(body) > 2 * MAX_ESCAPES and body.count(b"\\") > MAX_ESCAPES:
        return Malformed(None, INVALID_REQUEST, f"The message holds more than {MAX_ESCAPES} escapes.")
    if 4 * len(body) > MAX_TEXT_BYTES and _text_bytes(body) > MAX_TEXT_BYTES:
        return Malformed(None, INVALID_REQUEST, f"The message takes more than {MAX_TEXT_BYTES} bytes as text.")
    try:
        value = json.loads(body.decode(), parse_constant=_refuse_constant)
    except RecursionError:
        return Malformed(None, PARSE_ERROR, "The message is nested too deeply.")
    except UnicodeDecodeError:
        return Malformed(None, PARSE_ERROR, "The message is not UTF-8.")
    except ValueError:
        return Malformed(None, PARSE_ERROR, "The message is not JSON.")
    if isinstance(value, list):
        return Malformed(None, INVALID_REQUEST, "Batches are not part of this protocol; send the messages one by one.")
    if not isinstance(value, dict):
        return Malformed(None, INVALID_REQUEST, "A message must be a JSON object.")
    try:
        return _message(value, has_surrogates=_ESCAPED_SURROGATE.search(body) is not None)
    except RecursionError:
        return Malformed(None, PARSE_ERROR, "The message is nested too deeply.")


def _text_bytes(body: bytes) -> int:
    """Return what the text of UTF-8 takes in memory, at most: each character as much as the widest."""
    if body.isascii():
        return len(body)
    width = 4 if any(lead in body for lead in _LEADS_OF_FOUR) else 2
    return width * len(body.translate(None, _CONTINUATION))


def encode_result(key: Id, result: Any) -> bytes:
    """Write the answer to a request."""
    return dump({"jsonrpc": "2.0", "id": key, "result": result})


def encode_error(key: Id | None, code: int, message: str, data: Any = None) -> bytes:
    """Write the answer to a request that failed."""
    error = {"code": code, "message": message} | ({} if data is None else {"data": data})
    return dump({"jsonrpc": "2.0", "id": key, "error": error})


def dump(value: Any) -> bytes:
    """Write JSON as UTF-8; half characters, which have no UTF-8, are escaped."""
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:
        return json.dumps(value, allow_nan=False, separators=(",", ":")).encode()


def _message(value: dict[str, Any], *, has_surrogates: bool) -> Message:
    key = value.get("id")
    key = key if is_id(key) else None
    if value.get("jsonrpc") != "2.0":
        return Malformed(key, INVALID_REQUEST, 'A message must say "jsonrpc": "2.0".')
    if "method" not in value:
        if "result" in value or "error" in value:
            return Response(value.get("id"), value.get("result"), value.get("error"))
        return Malformed(key, INVALID_REQUEST, "A message must have a method, a result or an error.")
    method, params = value["method"], value.get("params")
    if not isinstance(method, str):
        return Malformed(key, INVALID_REQUEST, "The name of a method must be a string.")
    if "id" in value and key is None:
        return Malformed(None, INVALID_REQUEST, "The id of a request must be a string or a number.")
    if has_surrogates:
        params = _whole(params)
    if key is None:
        return Notification(method, params)
    if params is not None and not isinstance(params, dict | list):
        return Malformed(key, INVALID_PARAMS, "The params of a request must be an object or an array.")
    return Request(key, method, params)


def is_id(value: Any) -> TypeGuard[Id]:
    """Tell whether a request can be answered under this id."""
    if isinstance(value, bool):
        return False
    return isinstance(value, str | int) or (isinstance(value, float) and math.isfinite(value))


def _whole(value: Any) -> Any:
    """Put U+FFFD for each half of a character, which no library beyond this point can encode."""
    match value:
        case str():
            return _SURROGATE.sub("\N{REPLACEMENT CHARACTER}", value)
        case list():
            return [_whole(item) for item in value]
        case dict():
            return {_whole(name): _whole(item) for name, item in value.items()}
    return value


def _refuse_constant(name: str) -> Any:
    raise ValueError(name)
