"""Measure ends: `memcache-lsp stop` in the middle of all work, fronts whose editor goes, and what nobody needs."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from serving.editor import Asked, Editor
from serving.figures import Figure, quantile
from serving.home import PROGRAM, SERVE, Home
from serving.projects import copied, fill

FILES = 3000
TIMES = 5
ALONE_TIMES = 3
LIMIT_S = 1.0
IDLE_S = 4.0
LOOK_S = 5.0  # how often the daemon looks whether somebody is there
_WAITED_S = 15.0


async def measure(*, scratch: Path, model: Path, corpus: Path | None) -> list[Figure]:
    """Return the part's figures."""
    root, small = fill(scratch / "project", FILES, corpus), copied(scratch)
    stops: list[float] = []
    fronts: list[float] = []
    for _ in range(TIMES):
        with Home(model) as home:
            stop_s, fronts_s = await stopped_amid_work(home, root, small)
            stops.append(stop_s)
            fronts += fronts_s
    with Home(model) as home:
        leaving = [await left_amid_an_answer(home, small) for _ in range(TIMES)]
        frozen = await left_with_a_frozen_daemon(home, small)
    with Home(model) as home:
        alone = {way: [await alone_amid_work(home, root, small, way) for _ in range(ALONE_TIMES)] for way in WAYS}
    with Home(model) as home:
        nothing_s = await nothing_left(home, root, small)
    return [
        Figure(f"`stop` amid indexing and answering: daemon and workers gone, worst of {TIMES}", max(stops), "s", LIMIT_S),
        Figure(f"a front without a daemon, its input closed, worst of {len(fronts)}", max(fronts), "s", LIMIT_S),
        Figure(f"a front amid an answer, its input closed, worst of {TIMES}", max(leaving), "s", LIMIT_S),
        Figure("a front whose daemon is frozen, its input closed", frozen, "s", LIMIT_S),
        *(
            Figure(f"`--no-daemon` amid work, {way}: it and its workers gone, worst of {ALONE_TIMES}", max(took), "s", LIMIT_S)
            for way, took in alone.items()
        ),
        Figure("from the idle time's end until nothing is left", nothing_s, "s", LOOK_S + LIMIT_S),
        Figure("`stop` in the middle of work, p50", quantile(stops, 0.5), "s"),
    ]  # fmt: skip


async def stopped_amid_work(home: Home, root: Path, small: Path) -> tuple[float, list[float]]:
    """Stop the daemon while it indexes and answers; return the seconds that this took, and that the fronts took."""
    asker = await Editor.open(home, small)
    await asker.settled()
    editor = await Editor.open(home, root)
    asked = Asked(asker, "What happens to a parcel that fails too often?")
    await asked.reaches("writing", "delta")
    status = await editor.status()
    assert status["roots"][0]["state"] == "indexing"
    assert not asked.reply.done
    assert {"daemon", "index worker", "model worker"} <= {process.kind for process in home.processes()}
    began = time.perf_counter()
    stop = subprocess.Popen([*PROGRAM, "stop"], env=home.environment, stdout=subprocess.DEVNULL)
    while any(process.kind != "front" for process in home.processes()):
        stop.poll()
        if time.perf_counter() - began > _WAITED_S:
            break
        await asyncio.sleep(0.005)
    stop_s = time.perf_counter() - began
    stop.wait()
    return stop_s, [await editor.hang_up(), await asker.hang_up()]


async def left_amid_an_answer(home: Home, small: Path) -> float:
    """Close a front's input while its question is answered; return the seconds until it has ended."""
    editor = await Editor.open(home, small)
    await editor.settled()
    await Asked(editor, "How are routes planned?").reaches("reading", "writing", "delta")
    return await editor.hang_up()


async def left_with_a_frozen_daemon(home: Home, small: Path) -> float:
    """Close a front's input while the daemon does nothing at all; return the seconds until it has ended."""
    editor = await Editor.open(home, small)
    daemon = home.one("daemon")
    os.kill(daemon.pid, signal.SIGSTOP)
    try:
        return await editor.hang_up()
    finally:
        os.kill(daemon.pid, signal.SIGCONT)


async def alone_amid_work(home: Home, root: Path, small: Path, way: str) -> float:
    """End a server without a daemon while it indexes and answers; return the seconds until nothing of it is left."""
    editor = await Editor.open(home, small, command=(*SERVE, "--no-daemon"))
    await editor.settled()
    added = [{"uri": root.as_uri(), "name": root.name}]
    editor.tell("workspace/didChangeWorkspaceFolders", {"event": {"added": added, "removed": []}})
    await Asked(editor, "What happens to a parcel that fails too often?").reaches("writing", "delta")
    processes = {each.pid for each in home.processes()}
    assert len(processes) >= 3, "the server, its index worker and its model worker"
    began = time.perf_counter()
    await WAYS[way](editor)
    while {each.pid for each in home.processes()} & processes:
        if time.perf_counter() - began > _WAITED_S:
            break
        await asyncio.sleep(0.005)
    return time.perf_counter() - began


async def _shut_down(editor: Editor) -> None:
    await editor.leave()


async def _close_input(editor: Editor) -> None:
    await editor.hang_up()


def _signalled(number: signal.Signals) -> Callable[[Editor], Awaitable[None]]:
    async def send(editor: Editor) -> None:
        editor.process.send_signal(number)
        await editor.process.wait()

    return send


WAYS: dict[str, Callable[[Editor], Awaitable[None]]] = {
    "shutdown and exit": _shut_down,
    "its input closed": _close_input,
    "SIGTERM": _signalled(signal.SIGTERM),
    "SIGKILL": _signalled(signal.SIGKILL),
}


async def nothing_left(home: Home, root: Path, small: Path) -> float:
    """Leave a daemon of little patience amid its work; return the seconds beyond that patience until nothing is left."""
    home.start(sys.executable, "-P", "-m", "serving.shortly", str(IDLE_S))
    editors = [await Editor.open(home, folder) for folder in (small, root)]
    await editors[0].settled()
    await Asked(editors[0], "How are routes planned?").reaches("writing", "delta")
    for editor in editors:
        await editor.hang_up()
    return home.wait_gone(IDLE_S + _WAITED_S) - IDLE_S
