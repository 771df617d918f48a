"""Index a folder of large documents by the command: how far progress is apart, how fast a cancel is, what a kill leaves.

Three runs into a home of their own, without a daemon: cancelled as Ctrl-C does, killed, and to the end. What is unchanged
in the last run is what the two before it had done.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

MOST_S = 1.0
_COMMAND = [sys.executable, "-P", "-m", "memcache_lsp", "index", "--json", "--no-daemon", "--root"]


def measure(folder: Path, *, after_s: float = 6.0) -> int:
    """Print what the runs took; 1 where a cancel took longer than `MOST_S` or a run began anew."""
    size = sum(p.stat().st_size for p in folder.rglob("*.pdf")) / 1e6
    print(f"{size:.0f} MB of PDF in {sum(1 for _ in folder.rglob('*.pdf'))} files")
    with tempfile.TemporaryDirectory() as home:
        environment = os.environ | {"MEMCACHE_HOME": home}
        cancelled, ended_s, _ = _run(folder, environment, signal.SIGINT, after_s)
        print(f"cancelled after {after_s:g} s: it ended within {ended_s:.2f} s, {cancelled} files were done")
        killed, _, _ = _run(folder, environment, signal.SIGKILL, after_s)
        print(f"killed {after_s:g} s into the next run: {killed} more files were done")
        began = time.monotonic()
        _, _, result = _run(folder, environment, None, 0.0)
        print(f"to the end in {time.monotonic() - began:.1f} s: {result}")
    return 0 if ended_s <= MOST_S and result.get("unchanged", 0) >= cancelled else 1


def _run(folder: Path, environment: dict[str, str], end: int | None, after_s: float) -> tuple[int, float, dict]:
    done, gaps, result = 0, [0.0], {}
    with subprocess.Popen([*_COMMAND, folder], env=environment, stdout=subprocess.PIPE, text=True) as process:
        ended_at = [0.0]

        def stop() -> None:
            ended_at[0] = time.monotonic()
            process.send_signal(end)

        timer = threading.Timer(after_s, stop)
        if end is not None:
            timer.start()
        at = time.monotonic()
        for line in process.stdout:
            now = time.monotonic()
            told = json.loads(line)
            gaps.append(now - at)
            at = now
            done = told.get("done", done)
            result = told if told["type"] == "result" else result
        timer.cancel()
    took = time.monotonic() - ended_at[0] if ended_at[0] else 0.0
    print(f"  progress at most {max(gaps):.1f} s apart")
    return done, took, {name: value for name, value in result.items() if isinstance(value, int)}
