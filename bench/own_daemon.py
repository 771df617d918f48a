"""A real daemon in a home of its own, for benches that try to break it: its process, memory, descriptors and log.

What it owns are the folder and the processes in it; what is done to them is the benches' business.
"""

from __future__ import annotations

import re
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from serving.home import Home

from memcache_lsp import rendezvous

PROGRAM = Path(sys.executable).with_name("memcache-lsp")
SERVE = [str(PROGRAM), "serve"]
_START_S = 60.0


class OwnDaemon:
    """The daemon of a home; `pid` is that of its first process, whatever runs now."""

    def __init__(self, home: Path) -> None:
        self.home = home
        rendezvous.ensure_daemon(timeout_s=_START_S).close()
        self.pid = rendezvous.holder()

    def is_the_same(self) -> bool:
        """Tell whether the process that was started is the one that still serves."""
        return self.pid is not None and rendezvous.holder() == self.pid and Path(f"/proc/{self.pid}").exists()

    def connect(self) -> socket.socket:
        """Return a socket whose handshake is done."""
        peer = rendezvous.connect(10.0)
        if peer is None:
            raise ConnectionRefusedError("no daemon listens")
        return peer

    def connect_only(self) -> socket.socket:
        """Return a socket on which nothing has been said."""
        peer = socket.socket(socket.AF_UNIX)
        peer.connect(str(rendezvous.socket_path()))
        return peer

    def memory_mb(self, name: str = "VmRSS") -> float:
        """Return the resident memory, or with VmHWM the most since `forget_peak`."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(name)) / 1024

    def forget_peak(self) -> None:
        """Begin to measure VmHWM anew."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")

    def descriptors(self) -> int:
        """Count the open files."""
        return sum(1 for _ in Path(f"/proc/{self.pid}/fd").iterdir())

    def errors(self) -> list[str]:
        """Return what the log tells of bugs, each with the stack that follows it."""
        text = rendezvous.log_path().read_text(errors="replace")
        entries = re.split(r"^(?=\d{4}-\d\d-\d\d )", text, flags=re.MULTILINE)
        return [entry.rstrip() for entry in entries if " ERROR " in entry or "Traceback" in entry]


@contextmanager
def own_daemon() -> Iterator[OwnDaemon]:
    """Start a daemon in a new home and end it with whatever is left there."""
    with Home() as home, home.entered():
        yield OwnDaemon(home.folder)
