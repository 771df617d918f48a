"""How fronts, the command line and the one daemon of a user find each other.

Owns the socket, the two locks beside it, the start of the daemon, and the handshake: one line of JSON each way, after
which the socket carries frames. Must not import anything beyond the standard library, for every start of an editor
waits for this; asyncio is loaded by who listens only.

**Invariant:** there is one daemon at most, by a lock that it holds for its life; a client starts one only while it holds
the other lock. A socket file without its daemon means nothing and is replaced.
**Invariant:** of two installed versions, or builds of one, the newer daemon stays: a newer client asks an older daemon to
leave, an older client uses a newer daemon. What the handshake and the socket mean is `PROTOCOL_VERSION`; another one is another socket.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import sys
import time
from collections.abc import Sequence

from memcache_lsp.errors import UserError
from memcache_lsp.rendezvous.handshake import ROLES, Hello, await_end, is_newer, meet
from memcache_lsp.rendezvous.listening import READY_VARIABLE, Listener
from memcache_lsp.rendezvous.places import (
    POLL_S,
    PROTOCOL_VERSION,
    holder,
    log_path,
    named,
    own_version,
    socket_path,
    starting,
    supported,
)

__all__ = [
    "LOG_BYTES",
    "PROTOCOL_VERSION",
    "ROLES",
    "Hello",
    "Listener",
    "connect",
    "ensure_daemon",
    "holder",
    "log_path",
    "socket_path",
    "stop",
    "supported",
]

START_S = 30.0  # a loaded machine imports slowly
LEAVE_S = 2.0  # a daemon that is told to stop ends within 1 s; later it is killed

LOG_BYTES = 5_000_000


def connect(timeout_s: float, *, role: str = "lsp", version: str | None = None) -> socket.socket | None:
    """Return a socket whose handshake is done, of whatever version the daemon is; None where none answers."""
    try:
        met = meet(Hello(version or own_version(), role), time.monotonic() + timeout_s)
    except TimeoutError:
        return None
    return met.peer if met else None


def ensure_daemon(
    command: Sequence[str] | None = None, timeout_s: float = START_S, *, role: str = "lsp", version: str | None = None
) -> socket.socket:
    """Return a socket to the daemon, its handshake done; start one where there is none or only an older one.

    Raise UserError where that fails or takes longer than `timeout_s`.
    """
    if not supported():
        raise UserError("This platform has no unix sockets: use `memcache-lsp serve --no-daemon`.")
    command = command or [sys.executable, "-P", "-m", "memcache_lsp.daemon"]
    hello, deadline = Hello(version or own_version(), role), time.monotonic() + timeout_s
    try:
        while time.monotonic() < deadline:
            if found := _newest(hello, deadline):
                return found
            with starting() as mine:
                if mine:
                    return _replace(command, hello, deadline)
            time.sleep(POLL_S)
    except TimeoutError:
        raise UserError(
            f"The memcache-lsp daemon{named(holder())} does not answer: end it with `memcache-lsp stop`."
        ) from None
    raise UserError(f"The memcache-lsp daemon did not start within {timeout_s:.0f} s: see {log_path()}.")


def stop(timeout_s: float = LEAVE_S) -> bool:
    """End the daemon, by asking first; return False where there was none."""
    deadline = time.monotonic() + timeout_s
    try:
        met = meet(Hello(own_version(), "stop"), deadline)
    except TimeoutError:
        met = None
    if met is None:
        pid = holder()
        if pid is None:
            return False
    else:
        pid = met.pid
        await_end(met.peer, deadline)
    _end(pid)
    return True


def _newest(hello: Hello, deadline: float) -> socket.socket | None:
    """Meet the daemon if there is one that is not older than we are."""
    met = meet(hello, deadline)
    if met is None or not is_newer(hello.version, met.version):
        return met.peer if met else None
    met.peer.close()
    return None


def _replace(command: Sequence[str], hello: Hello, deadline: float) -> socket.socket:
    """Start the daemon, holding the start lock; who held it before may have done so, or an older one may be there."""
    met = meet(hello, deadline)
    if met is not None and not is_newer(hello.version, met.version):
        return met.peer
    if met is not None:
        met.peer.close()
        older = meet(Hello(hello.version, "stop"), deadline)
        if older is not None:
            await_end(older.peer, time.monotonic() + LEAVE_S)
            _end(older.pid)
    ended = _start(command, deadline)
    met = meet(hello, deadline)  # even where ours ended: it gives way to one that was there before
    if met is None:
        how = "ended at once" if ended else "is not found"
        raise UserError(f"The memcache-lsp daemon {how} after it was started: see {log_path()}.")
    return met.peer


def _start(command: Sequence[str], deadline: float) -> bool:
    """Start the daemon apart from us and wait until it listens; return True where it ended instead."""
    import subprocess  # noqa: PLC0415 - seldom needed, and every front would pay for it
    import threading  # noqa: PLC0415

    log = log_path()
    with contextlib.suppress(OSError):
        if log.stat().st_size > LOG_BYTES:
            log.replace(log.with_suffix(".log.1"))
    ready, told = os.pipe()
    try:
        with os.fdopen(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "wb") as output:
            child = subprocess.Popen(
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd="/",
                start_new_session=True,
                pass_fds=(told,),
                env={**os.environ, READY_VARIABLE: str(told)},
            )
    except OSError as error:
        os.close(ready)
        raise UserError(f"The memcache-lsp daemon cannot be started ({error.strerror}: {command[0]}).") from None
    finally:
        os.close(told)
    threading.Thread(target=child.wait, daemon=True).start()  # else a daemon that ends before us stays as a zombie
    try:
        if not select.select([ready], [], [], max(0.0, deadline - time.monotonic()))[0]:
            child.kill()  # one that hangs before it listens would never be found
            raise UserError(f"The memcache-lsp daemon did not start in time: see {log}.")
        return os.read(ready, 1) == b""
    finally:
        os.close(ready)


def _end(pid: int) -> None:
    """Make sure that a daemon ends: wait for its lock a little, then kill it."""
    import signal  # noqa: PLC0415 - seldom needed

    for number in (0, signal.SIGTERM, signal.SIGKILL):
        if holder() != pid:
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
        end = time.monotonic() + 1
        while holder() == pid and time.monotonic() < end:
            time.sleep(POLL_S)
