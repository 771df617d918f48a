"""Own semble as a peer: our table in the form that it loads, a process a repository.

What it answers and takes is measured by `semble_child.py` in its environment. Its figures are those of a warm process that
has its model; writing its cache is left out. Its command's option to cut files in several processes is left off: on two
cores it made indexing no faster (1,607 files: 5.6 s without, 5.6 s with two, 7.1 s with four). Must not import the other
systems.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from comparing import peers
from comparing.model_folder import write_model
from comparing.questions import K, Repo, changed, file_to_change, score
from comparing.rows import Row

PACKAGE = "semble==0.7.0"
# alpha is the weight of the dense part, None its own choice by the question's form.
MODES: dict[str, dict[str, Any]] = {
    "semble": {"alpha": None, "rerank": True},
    "semble-bm25": {"alpha": 0.0, "rerank": True},
    "semble-plain": {"alpha": 0.0, "rerank": False},
}
_CHILD = Path(__file__).with_name("semble_child.py")


@dataclass(frozen=True, slots=True)
class Semble:
    """An installed semble, with the model and the cache that it works with."""

    python: Path
    model: Path
    cache: Path

    @property
    def environment(self) -> dict[str, str]:
        """Return the variables that it reads."""
        return os.environ | {
            "SEMBLE_MODEL_NAME": str(self.model),
            "SEMBLE_CACHE_LOCATION": str(self.cache),
            "HF_HUB_OFFLINE": "1",
        }


def prepare(table: Path, scratch: Path) -> Semble:
    """Install it where it is missing, and write the table for it; raises Missing."""
    peers.install(PACKAGE)
    return Semble(peers.python(), write_model(table, scratch / f"model-{table.name}"), scratch / "semble-cache")


def run(semble: Semble, repo: Repo, root: Path, warm: str) -> list[Row]:
    """Index a repository, ask all its questions in each mode, index again after a change; return a row for each mode."""
    queries = [query["query"] for query in repo["queries"]]
    work = {"queries": queries, "warm": warm, "modes": MODES, "limit": K}
    with subprocess.Popen(
        [semble.python, "-I", _CHILD, root],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=semble.environment,
    ) as child:  # fmt: skip
        first = _ask(child, work)
        path = file_to_change(repo, root)
        with changed(path) if path else contextlib.nullcontext():
            again = _ask(child, "again")
    return [_row(name, repo, first, again, edited=path is not None) for name in MODES]


def _ask(child: subprocess.Popen[str], said: Any) -> dict[str, Any]:
    """Say a line and return the next one that comes back, empty where the child ended."""
    assert child.stdin
    assert child.stdout
    try:
        child.stdin.write(json.dumps(said) + "\n")
        child.stdin.flush()
        answer: dict[str, Any] = json.loads(child.stdout.readline() or "{}")
    except (BrokenPipeError, ValueError):  # it has ended; what is still in the buffer would fail again at the end
        with contextlib.suppress(BrokenPipeError):
            child.stdin.close()
        return {}
    return answer


def _row(name: str, repo: Repo, first: dict[str, Any], again: dict[str, Any], *, edited: bool) -> Row:
    mode = first.get("modes", {}).get(name, {"hits": [], "ms": []})
    return Row(
        system=name,
        repo=repo["name"],
        language=repo["language"],
        files=first.get("files", 0),
        chunks=first.get("chunks", 0),
        indexed=bool(first),
        index_s=first.get("index_s"),
        change_s=again.get("change_s") if edited else None,
        query_ms=mode["ms"],
        peak_mb=again.get("peak_mb"),
        **score(repo, dict(enumerate(mode["hits"]))),
    )
