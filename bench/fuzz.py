"""Throw raw frames at a language server and count its answers: each id of a well-framed request once, no more, no less.

    python bench/fuzz.py [--frames 100000] [--seed 1] [--huge 2] [--root DIR] [COMMAND …]

Frames are truncated, huge, negative or doubled in their headers, of the wrong case, of bad UTF-8, batches, of odd ids,
of unknown methods, of malformed params of every method, cancels of ids that are in flight, finished or unknown. What
cannot be parsed must get one error with a null id; where the boundary of frames is lost the session must end, and the
next one is served. `--huge` is how many frames of more than 64 MiB are among them. COMMAND is the server, by default
`memcache-lsp serve`. A seed makes runs alike, and not equal, for what the server asks is answered when it asks. The
exit code is 1 where an answer was missing or too many.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PROGRAM = Path(sys.executable).with_name("memcache-lsp")
SESSION_FRAMES = 400  # at most
ANSWERED_S = 60.0
HUGE_BYTES = 64 * 1024 * 1024 + 1
NOTHING, LOST = "nothing", "lost"  # besides an id, what a frame has to be answered with

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Connect = Callable[[], AbstractAsyncContextManager[Streams]]


@dataclass(slots=True)
class Report:
    """What was sent and what was wrong with the answers."""

    frames: int = 0
    sessions: int = 0
    expected: int = 0
    by_kind: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)


async def fuzz(connect: Connect, *, frames: int, seed: int, root: str, huge: int = 0) -> Report:
    """Send so many frames over as many sessions as it takes."""
    report = Report()
    chance = random.Random(seed)
    while report.frames < frames:
        most = min(frames - report.frames, chance.randint(1, SESSION_FRAMES))
        plan = Frames(random.Random(chance.random()), root)
        async with connect() as streams:
            await _Run(streams, plan, report).run(most, huge=huge > 0)
        huge -= 1
        report.sessions += 1
    return report


class _Run:
    """One session."""

    def __init__(self, streams: Streams, plan: Frames, report: Report) -> None:
        self._reader, self._writer = streams
        self._plan = plan
        self._report = report
        self._expected: Counter[str] = Counter()
        self._got: Counter[str] = Counter()
        self._changed = asyncio.Event()
        self._asked: list[Any] = []

    async def run(self, count: int, *, huge: bool) -> None:
        reading = asyncio.create_task(self._read())
        try:
            async with asyncio.timeout(ANSWERED_S):
                await self._send_all(count, huge=huge)
                await self._check(reading)
        except TimeoutError:
            missing = {key: self._plan.methods.get(key, "") for key in self._expected - self._got}
            self._report.wrong.append(f"session {self._report.sessions}: not answered in time: {missing}")
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)

    async def _send_all(self, count: int, *, huge: bool) -> None:
        for number in range(count):
            kind, data, answer = self._plan.first(huge=huge) if number == 0 else self._plan.next(self._asked)
            self._report.frames += 1
            self._report.by_kind[kind] += 1
            if answer != NOTHING:
                self._report.expected += 1
                self._expected["null" if answer == LOST else answer] += 1
            self._writer.write(data)
            with contextlib.suppress(ConnectionError):
                await self._writer.drain()
            if answer == LOST:
                return
            if self._plan.chance.random() < 0.05:
                await asyncio.sleep(0)

    async def _check(self, reading: asyncio.Task[None]) -> None:
        """Wait until everything is answered, then ask once more to see that nothing is answered twice."""
        for last in ("last", "very last"):
            if not self._plan.lost:
                self._expected[json.dumps(last)] += 1
                self._writer.write(_framed(_request(last, "nothing/such")))
            while not reading.done() and self._expected - self._got:
                self._changed.clear()
                await self._changed.wait()
        if self._plan.lost:
            await reading
        if self._got != self._expected:
            missing, more = self._expected - self._got, self._got - self._expected
            self._report.wrong.append(
                f"session {self._report.sessions}: missing {dict(missing)}, too many {dict(more)}"
            )

    async def _read(self) -> None:
        try:
            while (message := await _message(self._reader)) is not None:
                self._take(message)
                self._changed.set()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self._changed.set()

    def _take(self, message: dict[str, Any]) -> None:
        if "method" not in message:
            if ("result" in message) is ("error" in message):
                self._report.wrong.append(f"session {self._report.sessions}: neither a result nor an error")
            self._got[json.dumps(message["id"])] += 1
        elif "id" in message:
            self._asked.append(message["id"])


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
        params = {"processId": None, "rootUri": self._root, "capabilities": capabilities}
        return self._ask("initialize", "initialize", params)

    def next(self, asked: list[Any]) -> tuple[str, bytes, str]:
        """Give any frame; `asked` are ids that the server waits for."""
        if asked and self.chance.random() < 0.3:
            message = {"jsonrpc": "2.0", "id": asked.pop(), **self.chance.choice(_RESPONSES)}
            return "response", _framed(message), NOTHING
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
        return "cancel", _framed(_notification("$/cancelRequest", {"id": key})), NOTHING

    def make_notification(self) -> tuple[str, bytes, str]:
        method, params = self.chance.choice(self._notifications())
        params = params if self.chance.random() < 0.5 else self._broken(params)
        return "notification", _framed(_notification(method, params)), NOTHING

    def make_odd_id(self) -> tuple[str, bytes, str]:
        key = self.chance.choice([None, True, False, {}, [], {"a": 1}, [1, 2]])
        return "odd id", _framed(_request(key, "memcache/status")), "null"

    def make_used_id(self) -> tuple[str, bytes, str]:
        key = self.chance.choice(self._used)
        return "used id", _framed(_request(key, "memcache/search", {"query": "x"})), json.dumps(key)

    def make_batch(self) -> tuple[str, bytes, str]:
        batch = [_request(1, "memcache/status")] * self.chance.randint(0, 3)
        return "batch", _framed(batch), "null"

    def make_no_request(self) -> tuple[str, bytes, str]:
        message = self.chance.choice(
            [5, None, "x", {}, {"jsonrpc": "2.0"}, {"jsonrpc": "2.0", "method": 5}, {"a": {"jsonrpc": "2.0"}}]
        )
        return "no request", _framed(message), "null"

    def make_wrong_version(self) -> tuple[str, bytes, str]:
        key = self._id()
        message = {"jsonrpc": self.chance.choice(["1.0", 2, None]), "id": key, "method": "memcache/status"}
        return "wrong version", _framed(message), json.dumps(key)

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
        return "unparsable", _framed_bytes(body), "null"

    def make_random_bytes(self) -> tuple[str, bytes, str]:
        return "random bytes", _framed_bytes(b"\xff" + self.chance.randbytes(self.chance.randint(0, 200))), "null"

    def make_odd_headers(self) -> tuple[str, bytes, str]:
        key = self._id()
        body = json.dumps(_request(key, "memcache/status")).encode()
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
        return "wrong charset", b"Content-Type: x/y; charset=utf-16\r\n" + _framed(_request(1, "x")), "null"

    def make_response(self) -> tuple[str, bytes, str]:
        message = {"jsonrpc": "2.0", "id": self._anything(1), **self.chance.choice(_RESPONSES)}
        return "response nobody asked for", _framed(message), NOTHING

    def make_shutdown(self) -> tuple[str, bytes, str]:
        if self.chance.random() < 0.9:
            return self.make_valid()
        return self._ask("shutdown", "shutdown", None)

    def _ask(self, kind: str, method: str, params: Any) -> tuple[str, bytes, str]:
        key = self._id()
        self.methods[json.dumps(key)] = method
        return kind, _framed(_request(key, method, params)), json.dumps(key)

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
            "memcache/ask": {"question": "what is it?", "partialResultToken": "p", "workDoneToken": 7, **about},
            "memcache/search": {"query": "retry", "limit": 3, "scope": {"globs": ["*.py"], "languages": ["python"]}},
            "memcache/similar": {"textDocument": document, "range": place},
            "memcache/explain": {"textDocument": document},
            "memcache/status": {},
            "memcache/index": {"action": self.chance.choice(["start", "pause", "resume", "cancel"])},
            "memcache/threads": {"action": "list"},
            "memcache/caches": {"action": "list"},
            "memcache/models": {"action": "list"},
            "workspace/symbol": {"query": "retry"},
            "textDocument/codeAction": {"textDocument": document, "range": place, "context": {"diagnostics": []}},
            "workspace/executeCommand": {
                "command": self.chance.choice(["memcache.search", "memcache.status", "memcache.explainSelection", "x"]),
                "arguments": [{"query": "x", **about}],
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


def _request(key: Any, method: str, params: Any = None) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": key, "method": method} | ({} if params is None else {"params": params})


def _notification(method: str, params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "method": method, "params": params}


def _framed(message: Any) -> bytes:
    return _framed_bytes(json.dumps(message).encode())


def _framed_bytes(body: bytes) -> bytes:
    return b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


async def _message(reader: asyncio.StreamReader) -> dict[str, Any] | None:
    header = await reader.readuntil(b"\r\n\r\n")
    found: dict[str, Any] = json.loads(await reader.readexactly(int(header.partition(b":")[2].split()[0])))
    return found


@asynccontextmanager
async def started(command: list[str]) -> AsyncIterator[Streams]:
    """Give the streams of a server that is started for one session and must end with it."""
    server = await asyncio.create_subprocess_exec(*command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert server.stdin is not None
    assert server.stdout is not None
    try:
        yield server.stdout, server.stdin
    finally:
        server.stdin.close()
        try:
            async with asyncio.timeout(10):
                await server.wait()
        except TimeoutError:
            server.kill()
            await server.wait()
            raise


def main() -> int:
    """Run from the command line."""
    assert __doc__ is not None
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--huge", type=int, default=2)
    parser.add_argument("--root", type=Path, default=None)
    parser.add_argument("command", nargs=argparse.REMAINDER)
    chosen = parser.parse_args()
    command = [part for part in chosen.command if part != "--"] or [str(PROGRAM), "serve"]
    began = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="memcache-fuzz-") as folder:
        root = (chosen.root or Path(folder)).resolve()
        if chosen.root is None:
            (root / "a.py").write_text("def retry(times):\n    return times\n")
        report = asyncio.run(
            fuzz(lambda: started(command), frames=chosen.frames, seed=chosen.seed, root=root.as_uri(), huge=chosen.huge)
        )
    for kind, count in report.by_kind.most_common():
        print(f"{count:8} {kind}")
    took_s = time.perf_counter() - began
    print(f"{report.frames} frames in {report.sessions} sessions, {report.expected} to be answered, {took_s:.0f} s")
    for wrong in report.wrong[:20]:
        print(wrong)
    print(f"{len(report.wrong)} sessions with a wrong answer")
    return 1 if report.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
