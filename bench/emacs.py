"""Measure how long the Emacs client holds Emacs while a project is indexed and answers stream, and its memory.

    python bench/emacs.py [--emacs PROGRAM] [--files 5000]

A real Emacs, with the client compiled as a package has it, opens a project that nobody has indexed, in a home of its
own with a small model. While that is indexed it types into a buffer, searches as one types, asks, and goes through the
citations. Each function that Emacs's loop, a hook or a key calls is timed, garbage collection apart. Afterwards 250
questions are answered by quotations, and the memory after 50 and 250 is told. The exit code is 1 where a limit is
broken.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from serving.figures import Figure, measure_parts, quantile
from serving.home import SERVE, Home
from speed import make_project

from memcache_lsp import models

HERE = Path(__file__).parent
CLIENT = HERE.parent / "editors" / "emacs"
HOLD_MS = 50.0
GROWTH = 1.05
QUOTED = 250  # answers by which memory is measured
MODEL = "smollm2-135m-instruct"


def compiled(emacs: str, folder: Path) -> None:
    """Compile the client into a folder."""
    for source in CLIENT.glob("*.el"):
        shutil.copy(source, folder)
    subprocess.run(
        [emacs, "-Q", "--batch", "-L", folder, "-f", "batch-byte-compile", *sorted(folder.glob("*.el"))],
        check=True, capture_output=True,
    )  # fmt: skip


def measured(emacs: str, files: int, scratch: Path) -> dict[str, Any]:
    """Run the Emacs that measures, and return what it tells."""
    project, client = scratch / "project", scratch / "client"
    (project / ".git").mkdir(parents=True)
    client.mkdir()
    make_project(project, files)
    compiled(emacs, client)
    done = subprocess.run(
        [emacs, "-Q", "--batch", "-L", client, "-l", HERE / "emacs_holds.el"],
        env={**os.environ, "HOLDS_PROJECT": str(project), "HOLDS_SERVER": "\n".join(SERVE)},
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        raise SystemExit(done.stderr[-3000:])
    told: dict[str, Any] = json.loads(done.stdout[done.stdout.rindex('{"indexed"') :])
    return told


def figures(emacs: str, files: int) -> Iterator[Figure]:
    """Measure, and give the figures."""
    model = models.locate(MODEL)
    if model is None:
        raise SystemExit(f"{MODEL} is not there: `memcache-lsp models pull {MODEL}` fetches it.")
    with tempfile.TemporaryDirectory(prefix="mc-bench-") as scratch, Home(model) as home, home.entered():
        told = measured(emacs, files, Path(scratch))
    yield Figure(f"{files} files indexed after", told["indexed"], "s")
    yield Figure("answers meanwhile", told["answers"], "")
    if told["written"] < 0.9 * (QUOTED + told["answers"]):
        raise SystemExit(
            f"Of {QUOTED + told['answers']} answers only {told['written']} had a text: ask something else."
        )
    everything = [time for times in told["holds"].values() for time in times]
    yield Figure("calls", len(everything), "")
    yield Figure("all, p99", quantile(everything, 0.99), limit=HOLD_MS)
    for name, times in sorted(told["holds"].items()):
        yield Figure(f"{name}, p99 of {len(times)}", quantile(times, 0.99), limit=HOLD_MS if len(times) > 100 else None)
        yield Figure(f"{name}, most", max(times))
    before, after = told["memory"]
    yield Figure("memory after 50 answers", before, "MB")
    yield Figure("memory after 250 answers", after, "MB", limit=before * GROWTH)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--emacs", default="emacs", metavar="PROGRAM")
    parser.add_argument("--files", type=int, default=5000, metavar="N")
    args = parser.parse_args()
    return measure_parts(["emacs"], lambda _: figures(args.emacs, args.files))


if __name__ == "__main__":
    sys.exit(main())
