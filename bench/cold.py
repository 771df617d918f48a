"""Start real fronts at the same moment where no daemon runs: all must be answered, by one daemon, which alone remains.

    python bench/cold.py [--fronts 50] [--times 3]

In a home of its own each time. Printed are the seconds until the first and the last front has its answer to `initialize`.
The exit code is 1 where a front failed or more than one daemon was seen.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from memcache_lsp import rendezvous

LONGEST_S = 120.0
COMMAND = [sys.executable, "-m", "memcache_lsp", "serve"]


def frame(message: dict[str, Any]) -> bytes:
    body = json.dumps({"jsonrpc": "2.0", **message}).encode()
    return b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


class Front:
    """An editor that initializes, asks which daemon it has, and stays until it is told to leave."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.ready_s = 0.0
        self.pid: int | None = None
        self.thread = threading.Thread(target=self._talk)

    def _talk(self) -> None:
        began = time.perf_counter()
        if "result" not in self._call(1, "initialize", {"processId": None, "rootUri": None, "capabilities": {}}):
            return
        self.ready_s = time.perf_counter() - began
        self.pid = self._call(2, "memcache/status", {}).get("result", {}).get("pid")

    def _call(self, number: int, method: str, params: Any) -> dict[str, Any]:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(frame({"id": number, "method": method, "params": params}))
        self.process.stdin.flush()
        while header := self.process.stdout.readline():
            self.process.stdout.readline()
            message: dict[str, Any] = json.loads(self.process.stdout.read(int(header.partition(b":")[2])))
            if message.get("id") == number and "method" not in message:
                return message
        return {}

    def leave(self) -> None:
        self.process.kill()
        self.process.communicate()


def daemons(home: str) -> list[int]:
    """Return the processes of this home that are daemons."""
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            command = (folder / "cmdline").read_bytes().split(b"\0")
            environment = (folder / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if b"memcache_lsp.daemon" in command and f"MEMCACHE_HOME={home}".encode() in environment:
            found.append(int(folder.name))
    return found


def start_at_once(count: int) -> bool:
    """Print what came of it; tell whether all was well."""
    home = tempfile.mkdtemp(prefix="mc-", dir="/tmp")  # short, for it holds a socket
    os.environ["MEMCACHE_HOME"] = home
    fronts = [Front() for _ in range(count)]
    try:
        for front in fronts:
            front.thread.start()
        for front in fronts:
            front.thread.join(LONGEST_S)
        pids = {front.pid for front in fronts}
        there = daemons(home)
        waits = sorted(front.ready_s for front in fronts)
        good = pids == set(there) and len(there) == 1
        print(
            f"{count} fronts: answered after {waits[0]:.2f} to {waits[-1]:.2f} s by {len(pids)} daemon, "
            f"{len(there)} of them there: {'good' if good else pids}",
            flush=True,
        )
        return good
    finally:
        for front in fronts:
            front.leave()
        rendezvous.stop()
        shutil.rmtree(home, ignore_errors=True)


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fronts", type=int, default=50)
    parser.add_argument("--times", type=int, default=3)
    chosen = parser.parse_args()
    results = [start_at_once(chosen.fronts) for _ in range(chosen.times)]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
