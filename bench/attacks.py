"""Clients that harm a daemon, each a function of a root; used by `hostile.py`, which runs each in a process of its own.

    python bench/attacks.py NAME ROOT

The daemon is that of MEMCACHE_HOME. A client ends when it has done its worst, or when it was sent away.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from memcache_lsp import rendezvous

GIGABYTE = 1 << 30
PIECE = b"x" * (1 << 20)
LONGEST_S = 5.0  # of what has no end by itself
TEXT_BYTES = 1 << 20
QUIET_S = 3.0
ANSWERED_S = 5.0  # a question without a model, however long
WORD = "retry "


def frame(message: dict[str, Any]) -> bytes:
    body = json.dumps({"jsonrpc": "2.0", **message}, ensure_ascii=False).encode()
    return b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


class Session:
    """A connection whose handshake is done; initialized, where there is a root."""

    def __init__(self, root: Path | None = None) -> None:
        peer = rendezvous.connect(30.0)
        if peer is None:
            raise SystemExit("there is no daemon")
        self.peer = peer
        self.peer.settimeout(30.0)
        self.stream = peer.makefile("rb")
        self.ids = itertools.count(1)
        if root is not None:
            self.call("initialize", initialize(root))
            self.send({"method": "initialized", "params": {}})

    def send(self, message: dict[str, Any]) -> None:
        self.peer.sendall(frame(message))

    def request(self, method: str, params: Any) -> int:
        number = next(self.ids)
        self.send({"id": number, "method": method, "params": params})
        return number

    def call(self, method: str, params: Any) -> dict[str, Any]:
        """Return the answer to a request, whatever else comes before it."""
        number = self.request(method, params)
        return next(each for each in self.messages() if each.get("id") == number and "method" not in each)

    def messages(self) -> Iterator[dict[str, Any]]:
        while header := self.stream.readline():
            self.stream.readline()
            yield json.loads(self.stream.read(int(header.partition(b":")[2])))

    def close(self) -> None:
        self.stream.close()
        self.peer.close()


def initialize(root: Path) -> dict[str, Any]:
    return {"processId": None, "rootUri": root.as_uri(), "capabilities": {"experimental": {"memcache": {}}}}


def document(root: Path, number: int, text: str) -> dict[str, Any]:
    uri = (root / f"unsaved{number}.txt").as_uri()
    return {"textDocument": {"uri": uri, "languageId": "text", "version": number, "text": text}}


def reads_nothing(root: Path) -> None:
    """Ask for large answers as fast as possible and read none."""
    session, began = Session(root), time.monotonic()
    session.peer.settimeout(LONGEST_S)
    with contextlib.suppress(OSError):
        while time.monotonic() - began < LONGEST_S:
            session.request("memcache/search", {"query": "how is a parcel sent?", "limit": 1000})
    session.close()


def a_frame_of_a_gigabyte(root: Path) -> None:
    """Send it whole; the session must be of use afterwards."""
    session = Session(root)
    session.peer.sendall(b"Content-Length: %d\r\n\r\n" % GIGABYTE)
    for _ in range(GIGABYTE // len(PIECE)):
        session.peer.sendall(PIECE)
    assert "result" in session.call("memcache/status", {})
    session.close()


def a_frame_without_end(root: Path) -> None:
    """Announce more than will ever come."""
    session = Session(root)
    session.peer.sendall(b"Content-Length: %d\r\n\r\n" % (1 << 39))
    for _ in range(GIGABYTE // len(PIECE)):
        session.peer.sendall(PIECE)
    session.close()


def headers_without_end(root: Path) -> None:
    """Never come to the content."""
    session = Session(root)
    with contextlib.suppress(OSError):
        for _ in range(GIGABYTE // len(PIECE)):
            session.peer.sendall(b"X: y\r\n" * (len(PIECE) // 6))
    session.close()


def small_frames(root: Path) -> None:
    """Send valid notifications and requests that cost something, a gigabyte of them or as many as the time allows."""
    session, began = Session(root), time.monotonic()
    note = {"method": "$/setTrace", "params": {"value": "off", "filler": "x" * 900}}
    change = {"range": {"start": {"line": 0, "character": 0}, "end": {"line": 0, "character": 9}}, "text": "y" * 900}
    uri = document(root, 0, "")["textDocument"]["uri"]
    edit = {"textDocument": {"uri": uri, "version": 1}, "contentChanges": [change]}
    session.send({"method": "textDocument/didOpen", "params": document(root, 0, "x\n" * 1000)})
    data = (frame(note) + frame({"method": "textDocument/didChange", "params": edit})) * 500
    sent = 0
    with contextlib.suppress(OSError):
        while sent < GIGABYTE and time.monotonic() - began < LONGEST_S:
            session.peer.sendall(data)
            sent += len(data)
    session.close()


def small_requests(root: Path) -> None:
    """Ask without end, reading what comes, so that nothing stops it."""
    session, began = Session(root), time.monotonic()
    number = 0
    while time.monotonic() - began < LONGEST_S:
        for _ in range(200):
            number += 1
            session.request("memcache/status", {})
        for each in session.messages():
            if each.get("id") == number + 1 and "method" not in each:
                break
    session.close()


def a_gigabyte_of_buffers(root: Path) -> None:
    """Open texts of a megabyte until it is a gigabyte, searching now and then, so that they are made use of."""
    session = Session(root)
    text = "".join(f"def parcel_{n}(): return {n}\n" for n in range(TEXT_BYTES // 30))
    for number in range(GIGABYTE // TEXT_BYTES):
        session.send({"method": "textDocument/didOpen", "params": document(root, number, text)})
        if number % 256 == 0:
            session.call("memcache/search", {"query": "parcel", "limit": 10})
    session.close()


def a_text_that_grows(root: Path) -> None:
    """Add a megabyte to one buffer again and again."""
    session = Session(root)
    session.send({"method": "textDocument/didOpen", "params": document(root, 0, "")})
    start = {"line": 0, "character": 0}
    change = [{"range": {"start": start, "end": start}, "text": (WORD * 10 + "\n") * (TEXT_BYTES // 61)}]
    target = {"uri": document(root, 0, "")["textDocument"]["uri"], "version": 1}
    data = frame({"method": "textDocument/didChange", "params": {"textDocument": target, "contentChanges": change}})
    for _ in range(GIGABYTE // len(data)):
        session.peer.sendall(data)
    session.call("memcache/status", {})
    session.close()


def nothing_but_line_ends(root: Path) -> None:
    """Open a text that has more lines than any."""
    session = Session(root)
    for number in range(3):
        session.send({"method": "textDocument/didOpen", "params": document(root, 0, "\n" * (15 << 20))})
        session.call("memcache/search", {"query": f"parcel {number}", "limit": 10})
    session.close()


def a_wide_text(root: Path) -> None:
    """Open a text of nearly 64 MB with one character that makes each take four bytes."""
    session = Session(root)
    session.send({"method": "textDocument/didOpen", "params": document(root, 0, "x" * (63 << 20) + "😀")})
    session.call("memcache/status", {})
    session.close()


def a_million_values(root: Path) -> None:
    """Send the most values that one message may hold."""
    session = Session(root)
    body = b'{"jsonrpc":"2.0","id":"values","method":"memcache/search","params":{"query":[%s1]}}' % (b"{}," * 490_000)
    for _ in range(5):
        session.peer.sendall(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        next(each for each in session.messages() if each.get("id") == "values")
    session.close()


def questions_of_a_megabyte(root: Path) -> None:
    """Ask with a pasted log, a word without end and what patterns stumble over; too long a question is refused."""
    session = Session(root)
    for piece in ("INFO the parcel was sent\n", "x", "a.", "_", "error "):
        text = piece * (1_000_000 // len(piece))
        for method, params in (("memcache/search", {"query": text}), ("memcache/ask", {"question": text})):
            began = time.monotonic()
            assert "result" in session.call(method, params)
            assert time.monotonic() - began < ANSWERED_S, f"{method} of {piece!r} took {time.monotonic() - began:.1f} s"
    for _ in range(3):
        assert session.call("memcache/search", {"query": "parcel " * (15_000_000 // 7)})["error"]["code"] == -32602
    session.close()


def leaves_within_a_frame(root: Path) -> None:
    """Do so again and again, with 30 MB of it sent."""
    for _ in range(10):
        session = Session(root)
        session.peer.sendall(b"Content-Length: %d\r\n\r\n" % (60 << 20))
        for _ in range(30):
            session.peer.sendall(PIECE)
        session.close()


def leaves_within_an_answer(root: Path) -> None:
    """Ask much, read a little and go."""
    for _ in range(20):
        session = Session(root)
        for _ in range(20):
            session.request("memcache/search", {"query": "how is a parcel sent?", "limit": 1000})
        session.request("memcache/ask", {"question": "how is a parcel sent?", "partialResultToken": "p"})
        session.stream.read(1000)
        session.close()


def leaves_within_initialize(root: Path) -> None:
    """Go before there was an answer."""
    for number in range(100):
        session = Session()
        session.send(
            {"id": 1, "method": "initialize", "params": initialize(root if number % 2 else root / str(number))}
        )
        session.close()


def two_hundred_say_nothing(_root: Path) -> None:
    """Half of them shake hands first."""
    peers: list[Any] = []
    for number in range(200):
        if number % 2:
            peers.append(Session().peer)
        else:
            peer = socket.socket(socket.AF_UNIX)
            peer.connect(str(rendezvous.socket_path()))
            peers.append(peer)
    time.sleep(QUIET_S)
    for peer in peers:
        peer.close()


def a_killed_front(root: Path) -> None:
    """Kill a front while an answer comes through it."""
    for _ in range(5):
        front = subprocess.Popen(
            [sys.executable, "-m", "memcache_lsp", "serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert front.stdin
        assert front.stdout
        front.stdin.write(frame({"id": 0, "method": "initialize", "params": initialize(root)}))
        front.stdin.flush()
        length = int(front.stdout.readline().split(b":")[1])
        front.stdout.read(2 + length)  # nothing may be asked before it was answered
        for number in range(1, 30):
            params = {"query": "how is a parcel sent?", "limit": 1000}
            front.stdin.write(frame({"id": number, "method": "memcache/search", "params": params}))
        front.stdin.flush()
        front.stdout.read(300_000)
        os.kill(front.pid, signal.SIGKILL)
        front.wait()
        front.stdout.close()
        with contextlib.suppress(BrokenPipeError):
            front.stdin.close()


ATTACKS: dict[str, Callable[[Path], None]] = {
    each.__name__: each
    for each in (
        reads_nothing,
        a_frame_of_a_gigabyte,
        a_frame_without_end,
        headers_without_end,
        small_frames,
        small_requests,
        a_gigabyte_of_buffers,
        a_text_that_grows,
        nothing_but_line_ends,
        a_wide_text,
        a_million_values,
        questions_of_a_megabyte,
        leaves_within_a_frame,
        leaves_within_an_answer,
        leaves_within_initialize,
        two_hundred_say_nothing,
        a_killed_front,
    )
}

if __name__ == "__main__":
    ATTACKS[sys.argv[1]](Path(sys.argv[2]))
