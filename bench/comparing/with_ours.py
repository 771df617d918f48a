"""Own our program as the benchmark meets it: the command line, a session of the daemon, what its processes take.

Must not import the other systems, nor the package: it is measured as a user has it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from serving.editor import Editor, Refused
from serving.home import Home

from comparing.questions import Hit, K, Repo, changed, file_to_change, score
from comparing.rows import Row

PROGRAM = Path(sys.executable).with_name("memcache-lsp")
_WARM_FILES = 100  # as many as it takes until every index worker has started
_INSIDE = re.compile(r"request \d+ memcache/search done in ([\d.]+) ms")


def run(repo: Repo, root: Path, warm: str) -> Row:
    """Index a repository, ask all its questions in a session and as a batch, index again after a change.

    Each repository has a home, and so a daemon, of its own, as it has a process of its own where it is a peer's turn. What
    has to be started for the first index, daemon and workers, is started by that of a project of small files.
    """
    with Home() as home, tempfile.TemporaryDirectory(prefix="mc-warm-") as small:
        for number in range(_WARM_FILES):
            (Path(small) / f"small_{number}.py").write_text(f"def small_{number}():\n    return {number}\n")
        index(home, Path(small))
        return _run(home, repo, root, warm)


def _run(home: Home, repo: Repo, root: Path, warm: str) -> Row:
    index_s, report = index(home, root)
    inside: list[float] = []
    round_trips: list[float] = []
    try:
        queries = [query["query"] for query in repo["queries"]]
        inside, round_trips = asyncio.run(time_queries(home, root, queries, warm))
    except (ConnectionError, TimeoutError, Refused) as error:  # quality is measured all the same
        print(f"The queries of {repo['name']} were not timed: {error!r}", file=sys.stderr)
    answers = answers_of(batch(home, root, repo))
    change_s = None
    if (path := file_to_change(repo, root)) is not None:
        with changed(path):
            change_s, _ = index(home, root)
    return Row(
        system="ours",
        repo=repo["name"],
        language=repo["language"],
        files=report.get("added", 0),
        chunks=report.get("chunks", 0),
        failed=len(report.get("failed", [])),
        indexed=bool(report),
        index_s=index_s,
        change_s=change_s,
        query_ms=inside,
        round_trip_ms=round_trips,
        peak_mb=sum(each.peak_mb() for each in home.processes() if each.kind in {"daemon", "index worker"}),
        **score(repo, answers),
    )


def index(home: Home, root: Path) -> tuple[float, dict[str, Any]]:
    """Bring the index up to date; return the seconds of the command and its report, empty where it failed."""
    began = time.perf_counter()
    done = subprocess.run(
        [PROGRAM, "index", "--root", root, "--json"],
        check=False, stdout=subprocess.PIPE, text=True, env=home.environment,
    )  # fmt: skip
    index_s = time.perf_counter() - began
    return index_s, json.loads(done.stdout.splitlines()[-1]) if done.returncode == 0 else {}


def batch(home: Home, root: Path, repo: Repo) -> str:
    """Return what the command prints for all questions."""
    lines = "".join(json.dumps({"id": i, "query": q["query"]}) + "\n" for i, q in enumerate(repo["queries"]))
    return subprocess.run(
        [PROGRAM, "search", "--root", root, "--json", "--batch", "--limit", str(K)],
        check=False, input=lines, stdout=subprocess.PIPE, text=True, env=home.environment,
    ).stdout  # fmt: skip


def answers_of(output: str) -> dict[int, list[Hit]]:
    """Return the hits by question of a batch's output, of which a process that died may have left half a line."""
    answers = {}
    for line in output.splitlines():
        try:
            answer = json.loads(line)
            answers[answer["id"]] = answer["hits"]
        except (ValueError, KeyError):
            print(f"This is no answer: {line[:80]}", file=sys.stderr)
    return answers


async def time_queries(home: Home, root: Path, queries: list[str], warm: str) -> tuple[list[float], list[float]]:
    """Ask one question at a time in an editor's session; return the milliseconds inside the daemon, and at the editor."""
    editor = await Editor.open(home, root)
    await editor.settled()
    await editor.call("memcache/search", {"query": warm, "limit": K})
    round_trips = []
    for query in queries:
        reply = editor.begin("memcache/search", {"query": query, "limit": K})
        with contextlib.suppress(Refused):  # the batch tells that there is no answer
            await reply.result()
            round_trips.append(reply.took_ms)
    await editor.leave()
    return [float(ms) for ms in _INSIDE.findall(home.log)[-len(round_trips) :]], round_trips
