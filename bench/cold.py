"""Start real fronts at the same moment where no daemon runs: all must be answered, by one daemon, which alone remains.

    python bench/cold.py [--fronts 50] [--times 3]

In a home of its own each time. Printed are the seconds until the first and the last front has its answer to `initialize`.
The exit code is 1 where a front failed or more than one daemon was seen.
"""

from __future__ import annotations

import argparse
import sys
import threading
import time

from front import Editor
from serving.home import SERVE, Home

LONGEST_S = 120.0


class Front:
    """An editor that initializes, asks which daemon it has, and stays until it is told to leave."""

    def __init__(self, home: Home) -> None:
        self._editor = Editor(list(SERVE), home.environment)
        self.ready_s = 0.0
        self.pid: int | None = None
        self.thread = threading.Thread(target=self._talk)

    def _talk(self) -> None:
        began = time.perf_counter()
        params = {"processId": None, "rootUri": None, "capabilities": {}}
        if "result" not in self._editor.call("initialize", params):
            return
        self.ready_s = time.perf_counter() - began
        self.pid = self._editor.call("memcache/status", {}).get("result", {}).get("pid")

    def leave(self) -> None:
        self._editor.process.kill()
        self._editor.process.communicate()


def start_at_once(count: int) -> bool:
    """Print what came of it; tell whether all was well."""
    with Home() as home:
        fronts = [Front(home) for _ in range(count)]
        try:
            for front in fronts:
                front.thread.start()
            for front in fronts:
                front.thread.join(LONGEST_S)
            pids = {front.pid for front in fronts}
            there = [process.pid for process in home.processes() if process.kind == "daemon"]
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
