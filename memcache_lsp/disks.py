"""Look whether the places of caches are there, without waiting for a disk that does not answer.

Owns the threads that look: each disk has few of its own, so that one that hangs makes nothing else seem away. Runs on the
event loop. Must not import a keeper or the engine.
"""

from __future__ import annotations

import asyncio
import re
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from memcache_lsp.caches import Place, seen

ANSWERS_S = 2.0  # for a disk to tell whether a folder is there
_THREADS = 4  # of one disk: whatever hangs there, hangs with it
_MOUNTS = Path("/proc/self/mountinfo")
_ESCAPED = re.compile(r"\\([0-7]{3})")


class Disks:
    """The looks that are going on, one a folder and the device that it was on."""

    def __init__(self) -> None:
        self._looks: dict[tuple[Path, int], tuple[Future[Place], float]] = {}  # with when they were begun
        self._threads: dict[str, ThreadPoolExecutor] = {}

    async def look(self, place: Place) -> Place:
        """Return a place as it is now; it is away where its disk has not answered in time, now or to somebody before."""
        key = place.folder, place.device
        going_on = self._looks.get(key)
        if going_on is None:
            going_on = self._looks[key] = self._begun(place), time.monotonic()
            going_on[0].add_done_callback(lambda _look: self._looks.pop(key, None))
        look, began = going_on
        left_s = max(0.0, began + ANSWERS_S - time.monotonic())
        try:
            async with asyncio.timeout(left_s):
                found = await asyncio.shield(asyncio.wrap_future(look))
        except TimeoutError:
            return place if place.away_since is not None else replace(place, away_since=time.time())
        return replace(place, device=found.device, away_since=found.away_since)

    def close(self) -> None:
        """Look no more; what hangs is not waited for."""
        for threads in self._threads.values():
            threads.shutdown(wait=False)

    def _begun(self, place: Place) -> Future[Place]:
        disk = mount_of(place.folder) or str(place.device)
        if disk not in self._threads:
            self._threads[disk] = ThreadPoolExecutor(_THREADS, thread_name_prefix="places")
        return self._threads[disk].submit(seen, place)


def mount_of(folder: Path, mounts: Path = _MOUNTS) -> str:
    """Return where the disk of a folder is mounted, by the kernel's list, which no disk is asked for; "" where there is none."""
    try:
        lines = mounts.read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        return ""
    points = {
        _ESCAPED.sub(lambda found: chr(int(found[1], 8)), line.split(" ")[4]) for line in lines if line.count(" ") > 4
    }
    return next((str(above) for above in (folder, *folder.parents) if str(above) in points), "")
