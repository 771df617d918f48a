"""Decide whether a child is stuck, or only waits for a processor that others use.

The index worker takes what others leave; beside a long compilation a small file may take it a minute. Imports nothing
of this package.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_PATIENCE = 10  # deadlines that a child which gets no processor may take


@dataclass(frozen=True, slots=True)
class Sight:
    """What was seen of a process: the processor time it took, and whether it would run if it could."""

    cpu_s: float
    runnable: bool


def stalled(*, wall_s: float, cpu_s: float, runnable: bool, deadline_s: float) -> bool:
    """Tell whether a piece of work is past its deadline; `runnable` while that is so: it computes, or wants to."""
    if wall_s < deadline_s:
        return False
    starved = runnable and cpu_s < deadline_s
    return not starved or wall_s >= _PATIENCE * deadline_s


class Watch:
    """The time that a piece of work in another process takes, from `restart` on."""

    def __init__(self, deadline_s: float) -> None:
        self.deadline_s = deadline_s
        self._began = time.monotonic()
        self._cpu_s = 0.0

    def restart(self, pid: int | None, deadline_s: float) -> None:
        """Start anew for the next piece."""
        self.deadline_s = deadline_s
        self._began = time.monotonic()
        self._cpu_s = look(pid).cpu_s

    def stalled(self, pid: int | None) -> bool:
        """Tell whether it takes too long."""
        wall_s = time.monotonic() - self._began
        if wall_s < self.deadline_s:
            return False
        seen = look(pid)
        return stalled(
            wall_s=wall_s, cpu_s=seen.cpu_s - self._cpu_s, runnable=seen.runnable, deadline_s=self.deadline_s
        )


def look(pid: int | None, proc: Path = Path("/proc")) -> Sight:
    """Look at a process; where there is no /proc, it is not seen to run."""
    cpu_s, runnable = 0.0, False
    with suppress(OSError, IndexError, ValueError):
        folder = proc / str(pid)
        fields = _fields(folder / "stat")
        cpu_s = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")  # user and system time
        runnable = any(_fields(task / "stat")[0] == "R" for task in (folder / "task").iterdir())
    return Sight(cpu_s, runnable)


def _fields(stat: Path) -> list[str]:
    """Return the fields after the name, which may hold blanks and brackets: the state is the first."""
    return stat.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
