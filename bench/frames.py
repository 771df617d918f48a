"""Frames of every wrong kind and of the right one, each with what a language server has to answer it with.

Used by `fuzz.py`; knows no stream.
"""

from __future__ import annotations

import json
import random
from typing import Any

HUGE_BYTES = 64 * 1024 * 1024 + 1
NOTHING, LOST = "nothing", "lost"  # besides an id, what a frame has to be answered with


class Frames:
    """The frames of one session, each with its kind and what it must be answered with."""

    def __init__(self, chance: random.Random, root: str) -> None:
        self.chance = chance
        self.lost = False
        self.methods: dict[str, str] = {}  # by the id that a request of them had
        self._root = root
        self._ids = 0
        self._used: list[Any] = ["unused"]
        self._makers = [getattr(self, name) for name in dir(self) if name.startswith("make_")]
        self._weights = [8 if make.__name__ in _USUAL else 1 for make in self._makers]

    def first(self, *, huge: bool) -> tuple[str, bytes, str]:
        """Begin by initializing, mostly."""
        if huge:
            return "huge", b"Content-Length: %d\r\n\r\n%b" % (HUGE_BYTES, b"x" * HUGE_BYTES), "null"
        if self.chance.random() < 0.05:
            return self.next([])
        able = self.chance.random() < 0.5
        capabilities = {
            "workspace": {"configuration": able, "didChangeWatchedFiles": {"dynamicRegistration": able}},
            "window": {"workDoneProgress": able, "showDocument": {"support": able}},
            "experimental": {"memcache": able},
        }
        root = self.chance.choices([self._root, None, f"{self._root}/no-folder", f"{self._root}/a.py"], [9, 1, 1, 1])[0]
        params = {"processId": None, "rootUri": root, "capabilities": capabilities}
        if self.chance.random() < 0.1:
            params = self._broken(params)
        return self._ask("initialize", "initialize", params)

    def next(self, asked: list[Any]) -> tuple[str, bytes, str]:
        """Give any frame; `asked` are ids that the server waits for."""
        if asked and self.chance.random() < 0.3:
            message = {"jsonrpc": "2.0", "id": asked.pop(), **self.chance.choice(_RESPONSES)}
            return "response", framed(message), NOTHING
        if self.chance.random() < 0.002:
            self.lost = True
            return "lost boundary", self.chance.choice(_LOST), LOST
        return self.chance.choices(self._makers, self._weights)[0]()

    def make_valid(self) -> tuple[str, bytes, str]:
        method = self.chance.choice(list(self._params()))
        return self._ask("valid", method, self._params()[method])

    def make_malformed(self) -> tuple[str, bytes, str]:
        method = self.chance.choice(list(self._params()))
        return self._ask("malformed", method, self._broken(self._params()[method]))

    def make_unknown(self) -> tuple[str, bytes, str]:
        name = self.chance.choice(
            ["nothing/such", "", "$/x", "exit/", "initialized", "textDocument/didOpen", "\0", "é" * 99]
        )
        return self._ask("unknown method", name, self._anything(2))

    def make_cancel(self) -> tuple[str, bytes, str]:
        key = self.chance.choice([*self._used[-5:], self.chance.choice(self._used), self._anything(1)])
        return "cancel", framed(notification("$/cancelRequest", {"id": key})), NOTHING

    def make_notification(self) -> tuple[str, bytes, str]:
        method, params = self.chance.choice(self._notifications())
        params = params if self.chance.random() < 0.5 else self._broken(params)
        return "notification", framed(notification(method, params)), NOTHING

    def make_odd_id(self) -> tuple[str, bytes, str]:
        key = self.chance.choice([None, True, False, {}, [], {"a": 1}, [1, 2]])
        return "odd id", framed(request(key, "memcache/status")), "null"

    def make_used_id(self) -> tuple[str, bytes, str]:
        key = self.chance.choice(self._used)
        return "used id", framed(request(key, "memcache/search", {"query": "x"})), json.dumps(key)

    def make_batch(self) -> tuple[str, bytes, str]:
        batch = [request(1, "memcache/status")] * self.chance.randint(0, 3)
        return "batch", framed(batch), "null"

    def make_no_request(self) -> tuple[str, bytes, str]:
        message = self.chance.choice(
            [5, None, "x", {}, {"jsonrpc": "2.0"}, {"jsonrpc": "2.0", "method": 5}, {"a": {"jsonrpc": "2.0"}}]
        )
        return "no request", framed(message), "null"

    def make_wrong_version(self) -> tuple[str, bytes, str]:
        key = self._id()
        message = {"jsonrpc": self.chance.choice(["1.0", 2, None]), "id": key, "method": "memcache/status"}
        return "wrong version", framed(message), json.dumps(key)

    def make_unparsable(self) -> tuple[str, bytes, str]:
        body = self.chance.choice(
            [
                b"",
                b"{",
                b"\xff\xfe",
                b"\x00",
                b"[" * 50_000,
                b'{"a":' * 20_000,
                b'{"id":NaN}',
                b'{"id":1,"method":"\xc3\x28"}',
            ]
        )
        return "unparsable", framed_bytes(body), "null"

    def make_random_bytes(self) -> tuple[str, bytes, str]:
        return "random bytes", framed_bytes(b"\xff" + self.chance.randbytes(self.chance.randint(0, 200))), "null"

    def make_odd_headers(self) -> tuple[str, bytes, str]:
        key = self._id()
        body = json.dumps(request(key, "memcache/status")).encode()
        n = len(body)
        headers = self.chance.choice(
            [
                b"content-length: %d\r\n" % n,
                b"CONTENT-LENGTH:%d\r\n" % n,
                b"Content-Length: %d\r\nContent-Length: %d\r\n" % (n, n),
                b"Content-Type: application/vscode-jsonrpc; charset=utf8\r\nContent-Length: %d\r\n" % n,
                b"X-Other: jsonrpc\r\nContent-Length: %d\r\n" % n,
            ]
        )
        return "odd headers", headers + b"\r\n" + body, json.dumps(key)

    def make_wrong_charset(self) -> tuple[str, bytes, str]:
        return "wrong charset", b"Content-Type: x/y; charset=utf-16\r\n" + framed(request(1, "x")), "null"

    def make_response(self) -> tuple[str, bytes, str]:
        message = {"jsonrpc": "2.0", "id": self._anything(1), **self.chance.choice(_RESPONSES)}
        return "response nobody asked for", framed(message), NOTHING

    def make_shutdown(self) -> tuple[str, bytes, str]:
        if self.chance.random() < 0.9:
            return self.make_valid()
        return self._ask("shutdown", "shutdown", None)

    def _ask(self, kind: str, method: str, params: Any) -> tuple[str, bytes, str]:
        key = self._id()
        self.methods[json.dumps(key)] = method
        return kind, framed(request(key, method, params)), json.dumps(key)

    def _id(self) -> Any:
        self._ids += 1
        key = self.chance.choice(
            [self._ids, str(self._ids), self._ids + 0.5, -self._ids, f"é{self._ids}\u2028", 2**40 + self._ids]
        )
        self._used.append(key)
        return key

    def _anything(self, depth: int) -> Any:
        """Give any JSON."""
        chance = self.chance
        match chance.randint(0, 9 if depth else 7):
            case 0:
                return None
            case 1:
                return chance.random() < 0.5
            case 2:
                return chance.choice([0, -1, 1, 2**31, 2**63, -(2**70), 10**300])
            case 3:
                return chance.choice([0.5, -1.5, 1e308])
            case 8:
                return [self._anything(depth - 1) for _ in range(chance.randint(0, 3))]
            case 9:
                names = ["jsonrpc", "id", "method", "uri", "query", "text", "range", "", "a-b", "class"]
                return {chance.choice(names): self._anything(depth - 1) for _ in range(chance.randint(0, 3))}
        return chance.choice(
            ["", "x", "2.0", "file:///x", "file:///%FF", "\ud800", "\0", "😀" * 10, "\u2028", "../..", "x" * 5000]
        )

    def _broken(self, value: Any) -> Any:
        """Give a value with something in it replaced, removed or added."""
        if isinstance(value, dict) and value and self.chance.random() < 0.8:
            name = self.chance.choice(list(value))
            broken = {**value, name: self._broken(value[name])}
            if self.chance.random() < 0.2:
                del broken[name]
            return broken | ({"jsonrpc": "2.0"} if self.chance.random() < 0.1 else {})
        if isinstance(value, list) and value and self.chance.random() < 0.8:
            return [self._broken(item) for item in value] * self.chance.randint(0, 2)
        return self._anything(3)

    def _params(self) -> dict[str, Any]:
        document = {"uri": f"{self._root}/a.py"}
        place = {"start": {"line": 0, "character": 0}, "end": {"line": 1, "character": 2}}
        about = {"textDocument": document, "selection": place}
        return {
            "memcache/ask": {"question": "what does retry do?", "partialResultToken": "p", "workDoneToken": 7, **about},
            "memcache/search": {"query": "retry", "limit": 3, "scope": {"globs": ["*.py"], "languages": ["python"]}},
            "memcache/similar": {"textDocument": document, "range": place},
            "memcache/explain": {"textDocument": document},
            "memcache/status": {},
            "memcache/index": {
                "action": self.chance.choices(["start", "pause", "resume", "cancel", "rebuild"], _OFTEN)[0]
            },
            "memcache/threads": {
                "action": self.chance.choice(["list", "list", "get", "askAgain", "delete"]),
                "threadId": f"t{self.chance.randint(1, 9)}",
            },
            "memcache/caches": {"action": "list"},
            "memcache/models": {"action": "list"},
            "workspace/symbol": {"query": "retry"},
            "textDocument/codeAction": {"textDocument": document, "range": place, "context": {"diagnostics": []}},
            "workspace/executeCommand": {
                "command": self.chance.choice(["memcache.search", "memcache.ask", "memcache.explainSelection", "x"]),
                "arguments": [{"query": "x", "question": "retry?", **about}],
            },
            "initialize": {"capabilities": {}},
        }

    def _notifications(self) -> list[tuple[str, Any]]:
        document = {"uri": f"{self._root}/{self.chance.choice('abc')}.py"}
        place = {"start": {"line": 0, "character": 0}, "end": {"line": 0, "character": 3}}
        return [
            (
                "textDocument/didOpen",
                {"textDocument": {**document, "languageId": "python", "version": 1, "text": "x = '😀'\r\n"}},
            ),
            (
                "textDocument/didChange",
                {"textDocument": {**document, "version": 2}, "contentChanges": [{"range": place, "text": "y\r"}]},
            ),
            ("textDocument/didClose", {"textDocument": document}),
            ("textDocument/didSave", {"textDocument": document}),
            ("workspace/didChangeWatchedFiles", {"changes": [{**document, "type": 2}]}),
            (
                "workspace/didChangeWorkspaceFolders",
                {"event": {"added": [], "removed": [{"uri": "file:///y", "name": "y"}]}},
            ),
            ("workspace/didChangeConfiguration", {"settings": {"memcache": {"answerTokens": 99}}}),
            ("window/workDoneProgress/cancel", {"token": "x"}),
            ("$/setTrace", {"value": "off"}),
            ("initialized", {}),
            ("nothing/such", {}),
        ]


_USUAL = {"make_valid", "make_malformed", "make_cancel", "make_notification", "make_unknown"}
_OFTEN = [8, 2, 8, 2, 1]
_RESPONSES = [
    {"result": None},
    {"result": [{"answerTokens": 5}]},
    {"result": {}},
    {"error": {"code": 1, "message": "no"}},
    {"error": 5},
]
_LOST = [
    b"Content-Length: -5\r\n\r\n{}",
    b"Content-Length: five\r\n\r\n{}",
    b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n{}",
    b"Content-Length: 99999999999999999999999\r\n\r\n",
    b"Other: 5\r\n\r\n",
    b"{}\r\n\r\n",
    b"x" * 10_000,
]


def request(key: Any, method: str, params: Any = None) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": key, "method": method} | ({} if params is None else {"params": params})


def notification(method: str, params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "method": method, "params": params}


def framed(message: Any) -> bytes:
    return framed_bytes(json.dumps(message).encode())


def framed_bytes(body: bytes) -> bytes:
    return b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
