"""Measure retrieval against its peers: annotated questions over real repositories, scored by NDCG@10, side by side.

    python bench/retrieval.py --data DIR --corpora DIR [--repo NAME …] [--systems ours,semble,rg] [--out FILE] [--plot FILE]
    python bench/retrieval.py --data DIR --merge FILE … [--plot FILE]

The data (`--data`) is `repos.json`, a list of {"name", "language", "benchmark_root"}, and `annotations/NAME.json`, a
list of {"query", "relevant", "secondary", "category"} whose targets are paths, or {"path", "start_line", "end_line"}.
The repositories lie in `--corpora` by name, at the revisions that the data names. They are copied first, so that a file
can be changed; then each goes through one system after the other:

- ours: `memcache-lsp index --json` into a home of its own whose daemon is warm, seconds of the whole command; the questions
  by `memcache-lsp search --json --batch` for their quality, and one at a time through an editor's session for their time,
  which is the daemon's own, by its log; memory is the peak of the daemon and of its index worker, added up.
- semble, with our static table as its model: indexed in a process that is warm; its three modes, hybrid with ranking, BM25
  with ranking and plain BM25; writing its cache does not count.
- ripgrep: a search for each keyword, files by how many of them they hold.

Peers are installed by pip at fixed versions into .bench/peers; one that cannot be had is named and left out. `--out` writes
every figure as JSON, `--merge` prints the tables of several such files, made in parts, instead of running; `--plot` draws
quality against time as SVG.

A target's rank is that of the first hit that covers it, gain is binary; a question without an answer scores 0; a
repository's score is the mean over its questions, a language's and the whole's the mean over their repositories. Times of
queries are quantiles over all questions, of indexing the sum over the repositories. The exit code is 1 where a repository
is missing, a file failed, a question had no answer or semble could not be had; the tables are printed anyway.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from comparing import peers, plot, rows, tables, with_ours, with_rg, with_semble
from comparing.questions import K, Repo, covers, from_top, kind_of, load, ndcg, score
from comparing.rows import Row, problems
from comparing.with_ours import answers_of

from memcache_lsp.embedding import static

__all__ = ["K", "answers_of", "covers", "from_top", "kind_of", "load", "ndcg", "problems", "score"]

WARM = "where the program begins"  # asked first and not counted
_SETTLE_S = 2.1  # a file younger than the clock's grain is read again, which is not what is measured here

System = Callable[[Repo, Path], list[Row]]


def open_systems(names: list[str], scratch: Path) -> tuple[dict[str, System], list[str]]:
    """Return what runs a system on a repository, by name, and in a few words each which cannot be had."""

    def ours() -> System:
        return lambda repo, root: [with_ours.run(repo, root, WARM)]

    def semble() -> System:
        ready = with_semble.prepare(static.DATA, scratch)
        return lambda repo, root: with_semble.run(ready, repo, root, WARM)

    def rg() -> System:
        program = with_rg.find()
        return lambda repo, root: [with_rg.run(program, repo, root)]

    openers = {"ours": ours, "semble": semble, "rg": rg}
    systems, missing = {}, []
    for name in names:
        try:
            systems[name] = openers[name]()
        except peers.Missing as error:
            missing.append(f"{name} is left out: {error}")
    return systems, missing


def measure(repos: list[Repo], corpora: Path, names: list[str], out: Path | None) -> tuple[list[Row], list[str]]:
    """Run each repository through each system; return the rows, and which systems are missing.

    The rows so far are written after each repository, so that a run that is ended can be completed by `--merge`.
    """
    measured: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="mc-bench-") as folder:
        scratch = Path(folder).resolve()
        systems, missing = open_systems(names, scratch)
        there = [repo for repo in repos if (corpora / repo["name"]).is_dir()]
        for repo in there:
            shutil.copytree(corpora / repo["name"], scratch / "corpora" / repo["name"], symlinks=True)
        time.sleep(_SETTLE_S)
        for repo in there:
            root = scratch / "corpora" / repo["name"] / repo["top"]
            for run in systems.values():
                found = run(repo, root)
                measured += found
                print("\n".join(row.line() for row in found), flush=True)
            if out:
                rows.write(measured, out)
    return measured, missing


def conditions() -> str:
    """Tell what the figures depend on beside the systems."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return f"{cores} cores, {python}, {with_semble.PACKAGE} with {static.DATA.name}, {with_rg.PACKAGE}"


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of repos.json and annotations/")
    parser.add_argument("--corpora", type=Path, help="folder of the repositories, by name")
    parser.add_argument("--repo", action="append", help="only this repository; may be given several times")
    parser.add_argument("--systems", default="ours,semble,rg", help="which are run, with commas (default: %(default)s)")
    parser.add_argument("--out", type=Path, help="write everything as JSON here")
    parser.add_argument("--merge", type=Path, nargs="+", metavar="FILE", help="tell what these files of --out hold")
    parser.add_argument("--plot", type=Path, help="draw quality against time here, as SVG")
    args = parser.parse_args()
    args.systems = args.systems.split(",")
    if unknown := set(args.systems) - {"ours", "semble", "rg"}:
        parser.error(f"there is no system {', '.join(sorted(unknown))}")
    if not args.corpora and not args.merge:
        parser.error("--corpora or --merge is needed")
    return args


def main() -> int:
    args = parse()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that no daemon and no copy is left behind
    repos = load(args.data, args.repo)
    measured, missing = (
        (rows.read(args.merge), []) if args.merge else measure(repos, args.corpora, args.systems, args.out)
    )
    for words in missing:
        print(words, file=sys.stderr)
    if not measured:
        print("None of the repositories is there: see --help for what --corpora must hold.", file=sys.stderr)
        return 1
    print(f"\n{conditions()}\n\n{tables.summarize(measured)}")
    if args.out and args.merge:
        rows.write(measured, args.out)
    if args.plot:
        args.plot.write_text(plot.draw(measured))
    found = problems(args.repo or [repo["name"] for repo in repos], measured)
    found += [words for words in missing if words.startswith("semble")]
    if found:
        print(f"This run is not whole: {'; '.join(found)}.", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
