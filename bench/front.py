"""Measure what an editor waits for: from the start of a front to the answer to `initialize`, and a round trip.

    python bench/front.py [--toy] [--warm 50] [--cold 5]

In a home of its own that is removed afterwards, at a copy of the example project, which is indexed. Cold: no daemon
runs; warm: one does. The p95 of both have limits; one that is broken is told, and the exit code is 1. `--toy` takes the daemon of the
tests, which shows what the relay alone costs. CPU is user and system time of the front's process
from its start until it has ended, which other load on the machine disturbs least.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from serving.editor import encode
from serving.figures import quantile

EXAMPLE = Path(__file__).parent.parent / "examples" / "courier"
OURS = {"experimental": {"memcache": {}}}
TOY = str(Path(__file__).parent.parent / "tests" / "toy_daemon.py")
_TOY_FRONT = "import sys; from memcache_lsp import front; sys.exit(front.run([], command=sys.argv[1:]))"
_IMPORT = "import time; began = time.process_time(); import memcache_lsp.front; print(time.process_time() - began)"
_STOP = "from memcache_lsp import rendezvous; rendezvous.stop()"
ROUND_TRIPS = 200
COLD_MS, WARM_MS = 1500.0, 200.0  # at most, of p95


class Editor:
    """A front and its editor; blocking reads, for nothing else goes on."""

    def __init__(self, command: list[str], environment: dict[str, str]) -> None:
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)
        self._count = 0

    def call(self, method: str, params: Any) -> Any:
        self._count += 1
        self.send({"id": self._count, "method": method, "params": params})
        while True:
            message = self._read()
            if message.get("id") == self._count and "method" not in message:
                return message

    def send(self, message: dict[str, Any]) -> None:
        assert self.process.stdin
        self.process.stdin.write(encode(message))
        self.process.stdin.flush()

    def _read(self) -> dict[str, Any]:
        assert self.process.stdout
        header = self.process.stdout.readline()
        if not header:
            raise SystemExit("The front ended before it answered.")
        self.process.stdout.readline()
        message: dict[str, Any] = json.loads(self.process.stdout.read(int(header.partition(b":")[2])))
        return message

    def leave(self) -> float:
        """End the session as editors do; return the CPU milliseconds that the front took."""
        self.call("shutdown", None)
        self.send({"method": "exit"})
        _, _, usage = os.wait4(self.process.pid, 0)
        self.process.returncode = 0
        for stream in (self.process.stdin, self.process.stdout):
            assert stream
            stream.close()
        return 1000 * (usage.ru_utime + usage.ru_stime)


def session(
    command: list[str], environment: dict[str, str], root: Path, *, round_trips: int = 0
) -> tuple[float, float, list[float]]:
    """Return milliseconds to `initialize`, of CPU, and of each of some round trips."""
    began = time.perf_counter()
    editor = Editor(command, environment)
    editor.call("initialize", {"processId": os.getpid(), "rootUri": root.as_uri(), "capabilities": {}})
    ready_ms = 1000 * (time.perf_counter() - began)
    editor.send({"method": "initialized", "params": {}})
    trips = []
    for _ in range(round_trips):
        began = time.perf_counter()
        editor.call("memcache/status", {})
        trips.append(1000 * (time.perf_counter() - began))
    return ready_ms, editor.leave(), trips


def row(name: str, values: list[float]) -> None:
    print(f"| {name} | {statistics.median(values):.2f} | {quantile(values, 0.95):.2f} | {max(values):.2f} |")


def indexed(command: list[str], environment: dict[str, str], root: Path) -> None:
    """Have the project indexed, as it is when an editor is started again."""
    editor = Editor(command, environment)
    editor.call("initialize", {"processId": os.getpid(), "rootUri": root.as_uri(), "capabilities": OURS})
    editor.send({"method": "initialized", "params": {}})
    while not editor.call("memcache/status", {})["result"]["quiescent"]:
        time.sleep(0.05)
    editor.leave()


def broken(cold: list[float], warm: list[float]) -> list[str]:
    """Return what is over its limit."""
    limits = (("cold", cold, COLD_MS), ("warm", warm, WARM_MS))
    return [
        f"spawn to initialize, {name}: p95 {quantile(values, 0.95):.0f} ms, at most {most:.0f} ms"
        for name, values, most in limits
        if values and quantile(values, 0.95) > most
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--toy", action="store_true", help="take the daemon of the tests")
    parser.add_argument("--warm", type=int, default=50, metavar="N", help="sessions (default 50)")
    parser.add_argument("--cold", type=int, default=5, metavar="N", help="starts without a daemon (default 5)")
    args = parser.parse_args()
    home = tempfile.mkdtemp(prefix="mc-", dir="/tmp")  # short, for it holds a socket
    root = Path(shutil.copytree(EXAMPLE, Path(home) / "courier"))
    environment = {**os.environ, "MEMCACHE_HOME": home}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # what is installed is compiled
    command = [sys.executable, "-m", "memcache_lsp", "serve"]
    if args.toy:
        command = [sys.executable, "-c", _TOY_FRONT, sys.executable, TOY]
    stop = [sys.executable, "-c", _STOP]
    try:
        session(command, environment, root)  # so that what is imported is compiled
        if not args.toy:
            indexed(command, environment, root)
        subprocess.run(stop, check=True, env=environment)
        importing = [sys.executable, "-c", _IMPORT]
        imports = [1000 * float(subprocess.check_output(importing, env=environment)) for _ in range(10)]
        cold, warm, cpu = [], [], []
        for _ in range(args.cold):
            cold.append(session(command, environment, root)[0])
            subprocess.run(stop, check=True, env=environment)
        trips = session(command, environment, root, round_trips=ROUND_TRIPS)[2]
        for _ in range(args.warm):
            ready_ms, cpu_ms, _ = session(command, environment, root)
            warm.append(ready_ms)
            cpu.append(cpu_ms)
    finally:
        subprocess.run(stop, check=True, env=environment)
        shutil.rmtree(home)
    print("| ms | p50 | p95 | most |\n|---|---|---|---|")
    row("import of the front, CPU", imports)
    row("spawn to initialize, cold", cold)
    row("spawn to initialize, warm", warm)
    row("a whole session of a front, CPU", cpu)
    row("round trip of memcache/status", trips)
    over = broken(cold, warm)
    for line in over:
        print(line)
    return bool(over)


if __name__ == "__main__":
    sys.exit(main())
