"""Throw raw frames at a language server and count its answers: each id of a well-framed request once, no more, no less.

    python bench/fuzz.py [--frames 100000] [--seed 1] [--huge 2] [--at-once 2] [--socket] [--root DIR] [COMMAND …]

Frames are truncated, huge, negative or doubled in their headers, of the wrong case, of bad UTF-8, batches, of odd ids,
of unknown methods, of malformed params of every method, cancels of ids that are in flight, finished or unknown. What
cannot be parsed must get one error with a null id; where the boundary of frames is lost the session must end, and the
next one is served. An internal error is a wrong answer, too. `--huge` is how many frames of more than 64 MiB are among
them, `--at-once` how many sessions run beside each other.

Without COMMAND a daemon is started in a home of its own, and reached through `memcache-lsp serve`, or with `--socket`
straight after the handshake, garbage in place of the handshake being thrown in between. That daemon must be the same
process at the end and have logged no error. COMMAND is any other server, started for each session. A seed makes runs
alike, and not equal, for what the server asks is answered when it asks. The exit code is 1 where anything was wrong.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import json
import random
import socket
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

from frames import LOST, NOTHING, Frames, framed, request
from own_daemon import SERVE, OwnDaemon, own_daemon

SESSION_FRAMES = 400  # at most
ANSWERED_S = 60.0
GREETING_S = 10.0  # a daemon hangs up on who does not greet it after half of that
INTERNAL_ERROR = -32603

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


async def fuzz(
    connect: Connect, *, frames: int, seed: int, root: str, huge: int = 0, at_once: int = 1, socket: bool = False
) -> Report:
    """Send so many frames over as many sessions as it takes; `socket` says that they reach the daemon itself."""
    report = Report()
    chance = random.Random(seed)
    huge_ones = iter(range(huge))
    planned = 0

    async def sessions() -> None:
        nonlocal planned
        while planned < frames:
            most = min(frames - planned, chance.randint(1, SESSION_FRAMES))
            planned += most
            plan = Frames(random.Random(chance.random()), root)
            async with connect() as streams:
                sent = await _Run(streams, plan, report).run(most, huge=next(huge_ones, None) is not None)
            planned -= most - sent

    garbage = asyncio.create_task(_greet_badly(report, random.Random(seed))) if socket else None
    await asyncio.gather(*(sessions() for _ in range(at_once)))
    if garbage is not None:
        garbage.cancel()
        await asyncio.gather(garbage, return_exceptions=True)
    return report


class _Run:
    """One session."""

    def __init__(self, streams: Streams, plan: Frames, report: Report) -> None:
        self._reader, self._writer = streams
        self._plan = plan
        self._report = report
        report.sessions += 1
        self._number = report.sessions
        self._sent = 0
        self._expected: Counter[str] = Counter()
        self._got: Counter[str] = Counter()
        self._changed = asyncio.Event()
        self._asked: list[Any] = []

    async def run(self, count: int, *, huge: bool) -> int:
        """Send at most so many frames; return how many it were."""
        reading = asyncio.create_task(self._read())
        try:
            async with asyncio.timeout(ANSWERED_S):
                await self._send_all(count, huge=huge)
                await self._check(reading)
        except TimeoutError:
            missing = {key: self._plan.methods.get(key, "") for key in self._expected - self._got}
            self._wrong(f"not answered in time: {missing}")
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
        return self._sent

    async def _send_all(self, count: int, *, huge: bool) -> None:
        for number in range(count):
            kind, data, answer = self._plan.first(huge=huge) if number == 0 else self._plan.next(self._asked)
            self._sent += 1
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
                self._writer.write(framed(request(last, "nothing/such")))
            while not reading.done() and self._expected - self._got:
                self._changed.clear()
                await self._changed.wait()
        if self._plan.lost:
            await reading
        if self._got != self._expected:
            missing, more = self._expected - self._got, self._got - self._expected
            self._wrong(f"missing {dict(missing)}, too many {dict(more)}")

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
            key = json.dumps(message["id"])
            if ("result" in message) is ("error" in message):
                self._wrong("neither a result nor an error")
            elif "error" in message and message["error"].get("code") == INTERNAL_ERROR:
                self._wrong(f"internal error of {self._plan.methods.get(key)}")
            self._got[key] += 1
        elif "id" in message:
            self._asked.append(message["id"])

    def _wrong(self, what: str) -> None:
        self._report.wrong.append(f"session {self._number}: {what}")


async def _message(reader: asyncio.StreamReader) -> dict[str, Any] | None:
    header = await reader.readuntil(b"\r\n\r\n")
    found: dict[str, Any] = json.loads(await reader.readexactly(int(header.partition(b":")[2].split()[0])))
    return found


async def _greet_badly(report: Report, chance: random.Random) -> None:
    """Connect again and again with what is no handshake: the daemon must hang up without a word."""
    for number in itertools.count(1):
        what = chance.choice(_GREETINGS)
        report.by_kind["bad greeting"] += 1
        try:
            async with asyncio.timeout(GREETING_S):
                answer = await _answer_to_greeting(what)
            if answer:
                report.wrong.append(f"greeting {number}: {what[:40]!r} was answered with {answer!r}")
        except TimeoutError:
            report.wrong.append(f"greeting {number}: {what[:40]!r} was left open")
        await asyncio.sleep(0.05)


async def _answer_to_greeting(what: bytes) -> bytes:
    from memcache_lsp import rendezvous

    peer = socket.socket(socket.AF_UNIX)
    peer.connect(str(rendezvous.socket_path()))
    reader, writer = await asyncio.open_unix_connection(sock=peer)
    try:
        with contextlib.suppress(ConnectionError):
            for _ in range(_ENDLESS_PIECES if what == _ENDLESS else 1):
                writer.write(what)
                await writer.drain()
            return await reader.read()
        return b""
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


_ENDLESS = b"x" * (1 << 20)
_ENDLESS_PIECES = 1024  # a gigabyte without an end of line
_GREETINGS = [
    b"\n",
    b"hello\n",
    b"{}\n",
    b"[" * 4000 + b"\n",
    b"\xff\xfe\x00\n",
    b'{"memcache": 5}\n',
    b'{"memcache": {"version": 1, "role": "lsp"}}\n',
    b'{"memcache": {"version": "1", "role": ["lsp"]}}\n',
    b'{"memcache": {"version": "1", "role": "root"}}\n',
    b"GET / HTTP/1.1\r\n\r\n",
    b"Content-Length: 2\r\n\r\n{}",
    b'{"memcache": {"vers',  # and silence
    b"",  # likewise
    _ENDLESS,
]


@asynccontextmanager
async def connected(daemon: OwnDaemon) -> AsyncIterator[Streams]:
    """Give the streams of a session of the daemon, without a front."""
    peer = await asyncio.to_thread(daemon.connect)
    reader, writer = await asyncio.open_unix_connection(sock=peer)
    try:
        yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


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
    parser.add_argument("--at-once", type=int, default=2)
    parser.add_argument("--socket", action="store_true", help="go straight to the daemon, without a front")
    parser.add_argument("--root", type=Path, default=None)
    parser.add_argument("command", nargs=argparse.REMAINDER)
    chosen = parser.parse_args()
    command = [part for part in chosen.command if part != "--"]
    if command and chosen.socket:
        parser.error("--socket is for the daemon of this bench's own")
    began = time.perf_counter()
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="memcache-fuzz-")))
        root = (chosen.root or folder).resolve()
        if chosen.root is None:
            (root / "a.py").write_text("def retry(times):\n    return times\n")
        daemon = None if command else stack.enter_context(own_daemon())
        to_daemon = daemon is not None and chosen.socket

        def connect() -> AbstractAsyncContextManager[Streams]:
            return connected(daemon) if to_daemon and daemon else started(command or SERVE)

        report = asyncio.run(
            fuzz(
                connect,
                frames=chosen.frames,
                seed=chosen.seed,
                root=root.as_uri(),
                huge=chosen.huge,
                at_once=chosen.at_once,
                socket=to_daemon,
            )
        )
        if daemon is not None:
            _judge(daemon, report)
    _tell(report, time.perf_counter() - began)
    return 1 if report.wrong else 0


def _judge(daemon: OwnDaemon, report: Report) -> None:
    if daemon.is_the_same():
        print(f"the daemon is alive: process {daemon.pid}, {daemon.memory_mb():.0f} MB, {daemon.descriptors()} files")
    else:
        report.wrong.append(f"the daemon, process {daemon.pid}, did not survive")
    report.wrong += [f"logged: {line}" for line in daemon.errors()]


def _tell(report: Report, took_s: float) -> None:
    for kind, count in report.by_kind.most_common():
        print(f"{count:8} {kind}")
    print(f"{report.frames} frames in {report.sessions} sessions, {report.expected} to be answered, {took_s:.0f} s")
    for wrong in report.wrong[:20]:
        print(wrong)
    print(f"{len(report.wrong)} things wrong")


if __name__ == "__main__":
    sys.exit(main())
