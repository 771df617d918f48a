"""Own what is known of the machine a model runs on: cores that are free, memory that is free, and what follows.

Reads the kernel's accounts and nothing else; where there are none (not Linux), the machine counts as free. Must not
import anything of this package but errors.
"""

from __future__ import annotations

import ctypes
import gc
import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_LOOK_S = 0.15  # between two looks: the kernel counts in hundredths of a second
_CGROUP = Path("/sys/fs/cgroup")
_FOREIGN = (0, 2, 5, 6, 7)  # user, system, irq, softirq, steal; what is nice gives way to us


@dataclass(frozen=True, slots=True)
class Look:
    """A look at the clocks: seconds of all cores in work that is not nice, and of this process."""

    at_s: float
    busy_s: float
    own_s: float


def cores() -> int:
    """Tell how many cores this process may use."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(count, _allowance() or count))


def _allowance() -> int | None:
    """Return how many cores a container may use, None for all."""
    try:
        quota, period = (_CGROUP / "cpu.max").read_text("ascii").split()
        return max(1, round(int(quota) / int(period)))
    except (OSError, ValueError):
        return None


def busy_seconds(stat: str, tick_s: float, of: frozenset[int]) -> float:
    """Add up from /proc/stat how long the given cores did work that is not nice."""
    total = 0
    for line in stat.splitlines():
        name, *fields = line.split()
        if name[:3] == "cpu" and name[3:].isdigit() and int(name[3:]) in of:
            total += sum(int(fields[at]) for at in _FOREIGN)
    return total * tick_s


def look() -> Look | None:
    """Look at the clocks; None where there are none."""
    try:
        stat = Path("/proc/stat").read_text("ascii")
        of = frozenset(os.sched_getaffinity(0))
        return Look(time.monotonic(), busy_seconds(stat, 1 / os.sysconf("SC_CLK_TCK"), of), time.process_time())
    except (OSError, AttributeError, ValueError):
        return None


def running() -> int | None:
    """Return how many threads of the machine run or wait for a core at this moment, this one among them."""
    try:
        stat = Path("/proc/stat").read_text("ascii")
        return next(int(line.split()[1]) for line in stat.splitlines() if line.startswith("procs_running"))
    except (OSError, ValueError, StopIteration):
        return None


def threads_for(cores: int, others: float) -> int:
    """Choose how many threads compute beside so much work of others: no more than the cores they leave, at least one.

    Threads that share a matrix wait for the slowest of them, and one that has no core of its own is late each time.
    """
    return max(1, min(cores, round(cores - others - 0.1)))


class FreeCores:
    """Follow how many threads the machine has room for; `now` is cheap and may be asked before every token."""

    def __init__(
        self,
        cores: int,
        *,
        look: Callable[[], Look | None] = look,
        running: Callable[[], int | None] = running,
    ) -> None:
        self._cores = cores
        self._look = look
        self._running = running
        self._last: Look | None = None
        self._threads = cores

    def begin(self) -> int:
        """Return the number of threads for work that begins now, from who is running at this moment."""
        seen = [count for count in (self._running() for _ in range(3)) if count is not None]
        if seen:
            self._threads = threads_for(self._cores, min(seen) - 1)
        self._last = self._look()
        return self._threads

    def now(self) -> int:
        """Return the number of threads for the next step, from what the cores did since the last look."""
        last = self._last
        if last is None or time.monotonic() - last.at_s < _LOOK_S:
            return self._threads
        found = self._look()
        if found is not None and found.at_s - last.at_s >= _LOOK_S:
            others = (found.busy_s - last.busy_s - (found.own_s - last.own_s)) / (found.at_s - last.at_s)
            self._threads = threads_for(self._cores, max(0.0, others))
            self._last = found
        return self._threads


def free_memory_bytes() -> int | None:
    """Tell how much memory a model may take without pushing others out; None where the system does not tell."""
    try:
        lines = Path("/proc/meminfo").read_text("ascii").splitlines()
        known = {name: int(rest.split()[0]) * 1024 for name, _, rest in (line.partition(":") for line in lines)}
        free = known["MemAvailable"] + known.get("SwapFree", 0)
    except (OSError, ValueError, KeyError, IndexError):
        return None
    return min(free, _free_in_container() or free)


def _free_in_container() -> int | None:
    try:
        limit = int((_CGROUP / "memory.max").read_text("ascii"))
        used = int((_CGROUP / "memory.current").read_text("ascii"))
        cache = next(
            int(line.split()[1])
            for line in (_CGROUP / "memory.stat").read_text("ascii").splitlines()
            if line.startswith("inactive_file ")
        )
    except (OSError, ValueError, StopIteration):
        return None
    return max(0, limit - used + cache)


def context_that_fits(wanted: int, least: int, *, token_bytes: int, free_bytes: int) -> int:
    """Halve a context until its memory fits into what is free; `least` is taken in any case."""
    tokens = wanted
    while tokens > least and tokens * token_bytes > free_bytes:
        tokens = max(least, tokens // 2)
    return tokens


def give_back() -> None:
    """Return memory that is free to the system, which the allocator keeps; what waits for the collector is free too."""
    gc.collect()
    with suppress(OSError, AttributeError, TypeError):  # the C library of Linux alone has it
        ctypes.CDLL(None).malloc_trim(0)
