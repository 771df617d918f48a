"""Let hostile clients loose on a real daemon and measure what it costs the daemon and an innocent editor beside them.

    python bench/hostile.py [--times 3] [NAME …]

Each client of `attacks.py` runs so many times in a process of its own, against a daemon in a home of its own. Meanwhile
an innocent session asks `memcache/status` every 20 ms. Printed are, for each client: the most memory that the daemon
took above its size before, what of it was left after the first and the last time, the round trips of the innocent, and
what was left behind of files and sessions. The exit code is 1 where a limit of `LIMITS` is broken.
"""

from __future__ import annotations

import argparse
import contextlib
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from attacks import ATTACKS, Session
from own_daemon import OwnDaemon, own_daemon

HERE = Path(__file__).parent
EVERY_S = 0.02
SETTLE_S = 8.0  # a connection that never greets is closed after five seconds
LONGEST_S = 120.0
FILES, FUNCTIONS = 60, 25

# A frame of 64 MiB is held twice for a moment, as bytes and as text, and 16 MiB of answers may wait for a reader; the
# open buffers of a session are 16 Mi characters, with what a search makes of them.
MOST_MB = 300.0
LEFT_MB = 32.0  # more after the last time than after the first: what allocators keep varies
TRIP_MS = 100.0  # p95


@dataclass(frozen=True, slots=True)
class Row:
    """What one kind of client cost."""

    name: str
    took_s: float
    peak_mb: float
    first_mb: float
    last_mb: float
    trips_ms: list[float]
    files: int
    sessions: int
    failed: str

    def p95_ms(self) -> float:
        ordered = sorted(self.trips_ms)
        return ordered[int(0.95 * (len(ordered) - 1))]

    def broken(self) -> list[str]:
        """Return which limits do not hold."""
        checks = {
            self.failed: bool(self.failed),
            f"{self.peak_mb:.0f} MB more": self.peak_mb > MOST_MB,
            f"{self.last_mb - self.first_mb:.0f} MB more with each time": self.last_mb - self.first_mb > LEFT_MB,
            f"p95 {self.p95_ms():.0f} ms": self.p95_ms() > TRIP_MS,
            f"{self.files} files left open": self.files > 0,
            f"{self.sessions} sessions left": self.sessions > 0,
        }
        return [what for what, is_broken in checks.items() if is_broken]


class Innocent:
    """An editor that asks how things are, and wants to be answered."""

    def __init__(self, root: Path) -> None:
        self._session = Session(root)
        while not self.status()["quiescent"]:
            time.sleep(0.1)
        self.alone_ms = [self._rested() for _ in range(100)]

    def _rested(self) -> float:
        time.sleep(EVERY_S)
        return self.trip_ms()

    def status(self) -> dict[str, object]:
        result: dict[str, object] = self._session.call("memcache/status", {})["result"]
        return result

    def trip_ms(self) -> float:
        began = time.perf_counter()
        self.status()
        return 1000 * (time.perf_counter() - began)

    def sessions(self) -> int:
        """Count the others."""
        sessions = self.status()["sessions"]
        assert isinstance(sessions, list)
        return len(sessions) - 1


def attack(name: str, times: int, daemon: OwnDaemon, innocent: Innocent, root: Path) -> Row:
    """Let one kind of client loose so many times."""
    before_mb, files = daemon.memory_mb(), daemon.descriptors()
    daemon.forget_peak()
    began, after, trips, failed = time.perf_counter(), [], [], ""
    for _ in range(times):
        command = [sys.executable, str(HERE / "attacks.py"), name, str(root)]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as client:
            deadline = time.monotonic() + LONGEST_S
            while client.poll() is None and time.monotonic() < deadline:
                trips.append(innocent.trip_ms())
                time.sleep(EVERY_S)
            client.kill()
            assert client.stderr
            said = client.stderr.read()
        if client.returncode:
            failed = f"the client failed: {(said.splitlines() or ['killed'])[-1]}"
        settle(daemon, innocent, files)
        after.append(daemon.memory_mb() - before_mb)
    return Row(
        name=name,
        took_s=time.perf_counter() - began,
        peak_mb=daemon.memory_mb("VmHWM") - before_mb,
        first_mb=after[0],
        last_mb=after[-1],
        trips_ms=trips,
        files=daemon.descriptors() - files,
        sessions=innocent.sessions(),
        failed=failed,
    )


def settle(daemon: OwnDaemon, innocent: Innocent, files: int) -> None:
    """Wait until all is as before, as long as that may take."""
    deadline = time.monotonic() + SETTLE_S
    while time.monotonic() < deadline and (innocent.sessions() or daemon.descriptors() > files):
        time.sleep(0.1)
    time.sleep(1)  # what a session had is given back half a second after it


def project(root: Path) -> None:
    """Make what is asked about; the answers to a question of a thousand hits are large."""
    for number in range(FILES):
        functions = (
            f"def send_{number}_{n}(parcel):\n    '''Send a parcel by way {n}.'''\n    return parcel.way({n})\n\n\n"
            for n in range(FUNCTIONS)
        )
        (root / f"m{number}.py").write_text("".join(functions))


def main() -> int:
    """Run from the command line."""
    assert __doc__ is not None
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("names", nargs="*", metavar="NAME", default=list(ATTACKS))
    chosen = parser.parse_args()
    if unknown := set(chosen.names) - set(ATTACKS):
        parser.error(f"there is no {unknown.pop()}; there are {', '.join(ATTACKS)}")
    with contextlib.ExitStack() as stack:
        root = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="memcache-hostile-"))).resolve()
        project(root)
        daemon = stack.enter_context(own_daemon())
        innocent = Innocent(root)
        print(f"idle: {daemon.memory_mb():.0f} MB, {daemon.descriptors()} files, process {daemon.pid}")
        alone = sorted(innocent.alone_ms)
        print(f"status alone: p50 {alone[50]:.1f} ms, p95 {alone[95]:.1f} ms")
        print("| client | s | peak MB | left MB, first | last | status p50 ms | p95 | most | trips |")
        print("|---|---|---|---|---|---|---|---|---|")
        broken = []
        for name in chosen.names:
            row = attack(name, chosen.times, daemon, innocent, root)
            trips = sorted(row.trips_ms)
            print(
                f"| {name} | {row.took_s:.1f} | {row.peak_mb:.0f} | {row.first_mb:.0f} | {row.last_mb:.0f} "
                f"| {trips[len(trips) // 2]:.1f} | {row.p95_ms():.1f} | {trips[-1]:.0f} | {len(trips)} |",
                flush=True,
            )
            broken += [f"{name}: {what}" for what in row.broken()]
        if not daemon.is_the_same():
            broken.append(f"the daemon, process {daemon.pid}, did not survive")
        broken += [f"logged: {line}" for line in daemon.errors()]
    for what in broken:
        print(what)
    print(f"{len(broken)} limits broken")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
