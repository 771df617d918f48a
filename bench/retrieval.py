"""Measure retrieval through the command line: annotated questions over real repositories, scored by NDCG@10.

    python bench/retrieval.py --data DIR --corpora DIR [--repo NAME …] [--out FILE]

The data (`--data`) is `repos.json`, a list of {"name", "language", "benchmark_root"}, and `annotations/NAME.json`, a
list of {"query", "relevant", "secondary", "category"} whose targets are paths, or {"path", "start_line", "end_line"}.
The repositories lie in `--corpora` by name, at the revisions that the data names. Each is indexed into a cache of this
run's own by `memcache-lsp index --json`, and asked by `memcache-lsp search --json --batch --limit 10`; the first command
starts the daemon that serves them all.

A target's rank is that of the first hit that covers it, gain is binary; a question without an answer scores 0; a
repository's score is the mean over its questions, a language's and the whole's the mean over their repositories. The
exit code is 1 where a repository is missing, a file failed or a question had no answer; the table is printed anyway.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

K = 10
PROGRAM = Path(sys.executable).with_name("memcache-lsp")


def load(data: Path, only: list[str] | None) -> list[dict[str, Any]]:
    """Return the repositories with their questions."""
    repos = json.loads((data / "repos.json").read_text())
    for repo in repos:
        repo["queries"] = json.loads((data / "annotations" / f"{repo['name']}.json").read_text())
        repo["top"] = (repo.get("benchmark_root") or ".").strip("/")
    return [repo for repo in repos if not only or repo["name"] in only]


def covers(hit: dict[str, Any], target: str | dict[str, Any]) -> bool:
    """Tell whether a hit shows a target; annotations may leave out leading folders."""
    wanted = target if isinstance(target, str) else target["path"]
    if hit["path"] != wanted and not hit["path"].endswith("/" + wanted):
        return False
    if isinstance(target, str) or target.get("start_line") is None or target.get("end_line") is None:
        return True
    return bool(hit["endLine"] >= target["start_line"] and hit["startLine"] <= target["end_line"])


def ndcg(hits: list[dict[str, Any]], targets: list[Any]) -> float:
    """Return NDCG@10 with binary gain."""
    ranks = [next((i for i, hit in enumerate(hits[:K]) if covers(hit, t)), None) for t in targets]
    gained = {rank for rank in ranks if rank is not None}
    ideal = sum(1 / math.log2(i + 2) for i in range(min(K, len(targets))))
    return sum(1 / math.log2(rank + 2) for rank in gained) / ideal if ideal else 0.0


def kind_of(query: dict[str, Any]) -> str:
    """Return a question's category: as annotated, else by its form."""
    text = query["query"].strip()
    by_form = "symbol" if " " not in text else "architecture" if text.lower().startswith("how ") else "semantic"
    return str(query.get("category") or by_form)


def run_repo(repo: dict[str, Any], corpora: Path, home: str) -> dict[str, Any]:
    """Index one repository and ask all its questions; return scores, times and counts."""
    root = str((corpora / repo["name"] / repo["top"]).resolve())
    environment = os.environ | {"MEMCACHE_HOME": home}
    began = time.perf_counter()
    indexed = subprocess.run(
        [PROGRAM, "index", "--root", root, "--json"],
        check=False, stdout=subprocess.PIPE, text=True, env=environment,
    )  # fmt: skip
    index_s = time.perf_counter() - began
    report = json.loads(indexed.stdout.splitlines()[-1]) if indexed.returncode == 0 else {}
    lines = "".join(json.dumps({"id": i, "query": q["query"]}) + "\n" for i, q in enumerate(repo["queries"]))
    began = time.perf_counter()
    answered = subprocess.run(
        [PROGRAM, "search", "--root", root, "--json", "--batch", "--limit", str(K)],
        check=False, input=lines, stdout=subprocess.PIPE, text=True, env=environment,
    )  # fmt: skip
    search_s = time.perf_counter() - began
    return {
        "repo": repo["name"],
        "language": repo["language"],
        "files": report.get("added", 0),
        "chunks": report.get("chunks", 0),
        "failed": len(report.get("failed", [])),
        "indexed": indexed.returncode == 0,
        "index_s": index_s,
        "query_ms": 1000 * search_s / len(repo["queries"]),
        **score(repo, answers_of(answered.stdout)),
    }


def answers_of(output: str) -> dict[int, list[dict[str, Any]]]:
    """Return the hits by question of a batch's output, of which a process that died may have left half a line."""
    answers = {}
    for line in output.splitlines():
        try:
            answer = json.loads(line)
            answers[answer["id"]] = answer["hits"]
        except (ValueError, KeyError):
            print(f"This is no answer: {line[:80]}", file=sys.stderr)
    return answers


def score(repo: dict[str, Any], answers: dict[int, list[dict[str, Any]]]) -> dict[str, Any]:
    """Return what a repository's answers are worth; a question without one is worth nothing, and is counted."""
    scores = []
    for i, query in enumerate(repo["queries"]):
        hits = [hit | {"path": from_top(repo, hit["path"])} for hit in answers.get(i, [])]
        scores.append(ndcg(hits, query.get("relevant", []) + query.get("secondary", [])))
    return {
        "scores": scores,
        "kinds": [kind_of(query) for query in repo["queries"]],
        "unanswered": sum(i not in answers for i in range(len(repo["queries"]))),
        "ndcg10": statistics.mean(scores),
    }


def from_top(repo: dict[str, Any], path: str) -> str:
    """Return a path from the repository's top, which is what the annotations give."""
    return path if repo["top"] == "." else f"{repo['top']}/{path}"


def problems(wanted: list[str], rows: list[dict[str, Any]]) -> list[str]:
    """Return in a few words each what keeps a run from being whole."""
    there = {row["repo"] for row in rows}
    found = [f"{name} is missing" for name in wanted if name not in there]
    for row in rows:
        if not row["indexed"]:
            found.append(f"{row['repo']} was not indexed")
        if row["failed"]:
            found.append(f"{row['failed']} files of {row['repo']} failed")
        if row["unanswered"]:
            found.append(f"{row['unanswered']} queries of {row['repo']} had no answer")
    return found


def end_daemon(home: str) -> float:
    """End the daemon of the run; return the most memory it took, in MB, 0 where the system does not tell."""
    environment = os.environ | {"MEMCACHE_HOME": home}
    told = subprocess.run(
        [PROGRAM, "status", "--root", home, "--json"], check=True, stdout=subprocess.PIPE, text=True, env=environment
    )
    daemon = json.loads(told.stdout)["daemon"]
    peak_mb = 0.0
    with contextlib.suppress(OSError):
        status = Path(f"/proc/{daemon['pid']}/status").read_text()
        peak_mb = int(status.partition("VmHWM:")[2].split()[0]) / 1000
    subprocess.run([PROGRAM, "stop"], check=True, stdout=subprocess.DEVNULL, env=environment)
    return peak_mb


def summarize(rows: list[dict[str, Any]], peak_mb: float) -> str:
    """Return the table by language, as Markdown."""
    lines = ["| language | repositories | NDCG@10 | index s | ms a query |", "|---|---|---|---|---|"]
    for language in [*sorted({row["language"] for row in rows}), "all"]:
        mine = [row for row in rows if language in {row["language"], "all"}]
        queries = sum(len(row["scores"]) for row in mine)
        ms = sum(row["query_ms"] * len(row["scores"]) for row in mine) / queries
        score = statistics.mean(row["ndcg10"] for row in mine)
        name = f"**{language}**" if language == "all" else language
        lines.append(f"| {name} | {len(mine)} | {score:.3f} | {sum(r['index_s'] for r in mine):.1f} | {ms:.1f} |")
    kinds: dict[str, list[float]] = {}
    for row in rows:
        for kind, value in zip(row["kinds"], row["scores"], strict=True):
            kinds.setdefault(kind, []).append(value)
    by_kind = ", ".join(
        f"{kind} {statistics.mean(values):.3f} ({len(values)})" for kind, values in sorted(kinds.items())
    )
    counts = {name: sum(row[name] for row in rows) for name in ("files", "chunks", "failed", "unanswered")}
    told = "{files} files, {chunks} chunks, {failed} failed, {unanswered} queries unanswered".format(**counts)
    lines += ["", f"By kind of question: {by_kind}.", f"{told}, peak memory of the daemon {peak_mb:.0f} MB."]
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of repos.json and annotations/")
    parser.add_argument("--corpora", type=Path, required=True, help="folder of the repositories, by name")
    parser.add_argument("--repo", action="append", help="only this repository; may be given several times")
    parser.add_argument("--out", type=Path, help="write everything as JSON here")
    args = parser.parse_args()
    repos = load(args.data, args.repo)
    rows, peak_mb = [], 0.0
    with tempfile.TemporaryDirectory() as home:
        for repo in repos:
            if not (args.corpora / repo["name"]).is_dir():
                continue
            row = run_repo(repo, args.corpora, home)
            rows.append(row)
            print(
                f"{row['repo']:22} {row['language']:11} {row['files']:5} files  index {row['index_s']:6.2f} s  "
                f"query {row['query_ms']:6.1f} ms  NDCG@10 {row['ndcg10']:.3f}",
                flush=True,
            )
        if rows:
            peak_mb = end_daemon(home)
    if not rows:
        print("None of the repositories is there: see --help for what --corpora must hold.", file=sys.stderr)
        return 1
    print("\n" + summarize(rows, peak_mb))
    if args.out:
        args.out.write_text(json.dumps(rows, indent=1))
    found = problems(args.repo or [repo["name"] for repo in repos], rows)
    if found:
        print(f"This run is not whole: {'; '.join(found)}.", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
