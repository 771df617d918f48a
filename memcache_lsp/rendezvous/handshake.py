"""The handshake of client and daemon: one line of JSON each way, and who is at the other end.

Must not import anything beyond the standard library but places and errors.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import struct
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

from memcache_lsp.errors import UserError
from memcache_lsp.rendezvous.places import POLL_S, short, socket_path

ROLES = ("lsp", "cli", "stop")
LINE_BYTES = 4096


class Hello(NamedTuple):  # no dataclass: importing those takes 10 ms of every start
    """What a client says of itself."""

    version: str
    role: str


class Met(NamedTuple):
    """A daemon that answered; the socket is for frames from here on."""

    peer: socket.socket
    version: str
    pid: int


def meet(hello: Hello, deadline: float) -> Met | None:
    """Connect and shake hands; None where nobody listens. Raise TimeoutError where somebody listens and is silent."""
    peer = socket.socket(socket.AF_UNIX)
    with contextlib.ExitStack() as unless_met:
        unless_met.callback(peer.close)
        path = socket_path()
        try:
            _connect(peer, path, deadline)
            if not is_own(peer):
                raise UserError(f"The socket {path} is held by another user's process: remove it.")
            peer.sendall(encode({"version": hello.version, "role": hello.role}))
            answer = _read_line(peer, deadline).get("memcache")
        except (FileNotFoundError, ConnectionError):
            return None
        except PermissionError:
            raise UserError(f"The socket {path} cannot be used: remove it.") from None
        if not isinstance(answer, dict) or answer.get("ok") is not True:
            return None
        unless_met.pop_all()
    peer.settimeout(None)
    said = answer.get("pid")
    return Met(peer, str(answer.get("version")), _peer_pid(peer) or (said if isinstance(said, int) else 0))


def _connect(peer: socket.socket, path: Path, deadline: float) -> None:
    with short(path) as address:
        while True:
            peer.settimeout(_left(deadline))
            try:
                peer.connect(address)
            except BlockingIOError:  # more than listen's backlog at once
                time.sleep(POLL_S)
            else:
                return


def _read_line(peer: socket.socket, deadline: float) -> dict[str, Any]:
    """Read the answer byte by byte: what follows it is not ours."""
    line = b""
    while not line.endswith(b"\n") and len(line) < LINE_BYTES:
        peer.settimeout(_left(deadline))
        data = peer.recv(1)
        if not data:
            raise ConnectionAbortedError
        line += data
    try:
        answer = json.loads(line)
    except ValueError:
        raise ConnectionAbortedError from None
    return answer if isinstance(answer, dict) else {}


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def encode(value: dict[str, Any]) -> bytes:
    """Return what is said as a line."""
    return json.dumps({"memcache": value}).encode() + b"\n"


def read_hello(line: bytes) -> Hello | None:
    """Return what a client said of itself; None where it is not that."""
    try:
        said = json.loads(line)["memcache"]
        hello = Hello(said["version"], said["role"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return hello if isinstance(hello.version, str) and hello.role in ROLES else None


def is_newer(one: str, other: str) -> bool:
    """Compare two versions of ours: releases first, then builds where both are told; other suffixes count as equal."""
    if one == other:
        return False
    (release, build), (other_release, other_build) = _parts(one), _parts(other)
    if release != other_release:
        return release > other_release
    return build is not None and other_build is not None and build > other_build


def _parts(version: str) -> tuple[list[int], int | None]:
    import re  # noqa: PLC0415 - only where versions differ

    found = re.match(r"(\d{1,9}(?:\.\d{1,9})*)(?:.*\+(\d{9,18})$)?", version)
    if found is None:
        return [], None
    return [int(number) for number in found[1].split(".")], int(found[2]) if found[2] else None


def is_own(peer: socket.socket) -> bool:
    """Tell whether the other end is a process of our own user."""
    return _peer_uid(peer) == os.geteuid()


def _peer_uid(peer: socket.socket) -> int:
    """Return the user at the other end, as the kernel knows it."""
    if sys.platform == "linux":
        uid: int = struct.unpack("3i", peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[1]
        return uid
    import ctypes  # noqa: PLC0415 - macOS and the BSDs

    uid_cell, gid_cell = ctypes.c_uint32(), ctypes.c_uint32()
    if ctypes.CDLL(None, use_errno=True).getpeereid(peer.fileno(), ctypes.byref(uid_cell), ctypes.byref(gid_cell)):
        raise ConnectionAbortedError
    return uid_cell.value


def _peer_pid(peer: socket.socket) -> int:
    if sys.platform != "linux":
        return 0
    pid: int = struct.unpack("3i", peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]
    return pid


def await_end(peer: socket.socket, deadline: float) -> None:
    """Wait until the other side closes, which a process does at the latest when it ends."""
    with peer, contextlib.suppress(OSError):  # a TimeoutError is one
        while True:
            peer.settimeout(_left(deadline))
            if not peer.recv(LINE_BYTES):
                return
