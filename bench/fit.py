"""Fit the ranking's weights from the program's own signals, leaving one repository out each time.

    python bench/fit.py --data DIR --corpora DIR [--long DIR --long-corpora DIR] [--cache FILE] [--ablate] [--without NAME …]
        [--refine NAME [--vectors FILE]] [--repo NAME …]

The data is that of bench/retrieval.py. Each repository is indexed by the engine, and of each question the signals of
its candidate files are taken as they come out of `ranking.score`, so that what is fitted is what is shipped. The model
is a signed linear sum; the loss a softmax over the candidates of a question, with a ridge around `PRIOR`; a question
counts by its repository, so that each repository counts the same. The questions in `--long` are never fitted to: they
show what the weights do to questions of another kind. `--ablate` fits again without each signal in turn. `--cache`
keeps the signals for the next run, of the same code only. `--refine` makes the cards of the background refinement with
that model first (minutes for each thousand files; `--vectors` keeps them): without it the signal `card` is 0 everywhere.
"""

from __future__ import annotations

import argparse
import os
import pickle
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import retrieval
from scipy.optimize import minimize

from memcache_lsp.config import ProjectSettings, UserSettings
from memcache_lsp.embedding import Embedder, open_embedder
from memcache_lsp.engine import Project, Setup, open_project
from memcache_lsp.ranking import WEIGHTS, Question
from memcache_lsp.vectors import VectorCache, embed_cached

RIDGE = 0.002
# What few questions of the data show, and reason does: weights stay near these where nothing speaks against them.
PRIOR = {
    "named": 6.0,
    "symbol": 1.5,
    "mentioned": 1.0,
    "test": -2.0,
    "aside": -0.8,
    "header": -2.0,
    "older": -5.0,
    "document": -1.5,
}
TASTE = ("size", "depth", "header", "older")  # what may be this benchmark's taste


@dataclass(frozen=True, slots=True)
class Case:
    """A question with the signals of its candidate files, and which targets each file is."""

    repo: str
    language: str
    kind: str
    signals: Any  # (files, signals)
    paths: list[str]
    targets: list[list[int]]  # of each target, the files that are it
    ideal: int

    @property
    def relevant(self) -> Any:
        """Return the share of each file in what is to be found."""
        out = np.zeros(len(self.paths))
        out[sorted({at for each in self.targets for at in each})] = 1
        return out / out.sum() if out.any() else out

    def ndcg(self, weights: Any) -> float:
        scores = (self.signals @ weights).tolist()
        order = sorted(range(len(self.paths)), key=lambda at: (-scores[at], self.paths[at]))[: retrieval.K]
        rank = {at: place for place, at in enumerate(order)}
        gained = {min(rank[at] for at in each if at in rank) for each in self.targets if any(at in rank for at in each)}
        ideal = sum(1 / np.log2(place + 2) for place in range(min(retrieval.K, self.ideal)))
        return float(sum(1 / np.log2(place + 2) for place in gained) / ideal)


def refine(project: Project, refiner: Embedder, vectors: VectorCache) -> None:
    """Make the cards of all files."""
    project.cards.open(refiner.id)
    rows = project.cards.missing()
    for at in range(0, len(rows), 64):
        drafts = project.cards.drafts(rows[at : at + 64])
        project.cards.put(drafts, embed_cached(refiner, vectors, [draft.text for draft in drafts]))


def collect(
    data: Path, corpora: Path, prefix: str, refiner: Embedder | None, vectors: VectorCache, only: list[str] | None
) -> list[Case]:
    """Index every repository and return its questions with their signals."""
    embedder = open_embedder()
    cases: list[Case] = []
    for repo in retrieval.load(data, only):
        root = (corpora / repo["name"] / repo["top"]).resolve()
        setup = Setup(root=root, user=UserSettings(), project=ProjectSettings(), embedder=embedder)
        with tempfile.TemporaryDirectory() as home:
            os.environ["MEMCACHE_HOME"] = home
            project = open_project(setup, purpose="bench/fit.py")
            try:
                project.update(max_files=None)
                if refiner is not None:
                    refine(project, refiner, vectors)
                searcher = project._searcher  # noqa: SLF001 - the signals are not part of what the engine answers
                for query in repo["queries"]:
                    asked = Question.of(query["query"])
                    meant = None if refiner is None else refiner.embed_query(query["query"])
                    cards = project.cards.asked(meant)
                    scored = searcher.scored(asked, searcher.query(asked), cards=cards)
                    paths = [retrieval.from_top(repo, row.path) for row in scored.rows]
                    wanted = query.get("relevant", []) + query.get("secondary", [])
                    targets = [[at for at, path in enumerate(paths) if is_of(path, each)] for each in wanted]
                    cases.append(
                        Case(
                            prefix + repo["name"],
                            repo["language"],
                            retrieval.kind_of(query),
                            scored.values,
                            paths,
                            targets,
                            len(wanted),
                        )
                    )
            finally:
                project.close()
    return cases


def is_of(path: str, target: str | dict[str, Any]) -> bool:
    wanted = target if isinstance(target, str) else target["path"]
    return path == wanted or path.endswith("/" + wanted)


def fit(cases: list[Case], kept: list[int], start: Any = None) -> Any:
    """Return the weights of the signals at the `kept` columns, 0 for the rest."""
    cases = [case for case in cases if case.relevant.any()]
    counts: dict[str, int] = defaultdict(int)
    for case in cases:
        counts[case.repo] += 1
    signals = np.concatenate([case.signals[:, kept] for case in cases])
    relevant = np.concatenate([case.relevant for case in cases])
    lengths = [len(case.paths) for case in cases]
    begins = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    of = np.repeat(np.arange(len(cases)), lengths)
    importance = np.array([1 / counts[case.repo] for case in cases])
    importance /= importance.sum()
    prior = np.array([PRIOR.get(name, 0.0) for name in WEIGHTS])[kept]

    def loss(weights: Any) -> tuple[float, Any]:
        scores = signals @ weights
        scores -= np.maximum.reduceat(scores, begins)[of]
        raised = np.exp(scores)
        sums = np.add.reduceat(raised, begins)
        away = weights - prior
        value = -(importance[of] * relevant * (scores - np.log(sums)[of])).sum() + RIDGE * (away @ away) / 2
        slope = signals.T @ (importance[of] * (raised / sums[of] - relevant)) + RIDGE * away
        return value, slope

    begin = prior if start is None else start[kept]
    found = minimize(loss, begin, jac=True, method="L-BFGS-B", options={"maxiter": 200}).x
    weights = np.zeros(len(WEIGHTS))
    weights[kept] = found
    return weights


def left_out(cases: list[Case], kept: list[int]) -> tuple[list[float], Any]:
    """Return each question's NDCG@10 by weights that know nothing of its repository, and the weights of all."""
    short = [case for case in cases if not case.repo.startswith("long/")]
    every = fit(short, kept)
    by_repo: dict[str, Any] = {}
    for name in {case.repo.removeprefix("long/") for case in cases}:
        rest = [case for case in short if case.repo != name]
        by_repo[name] = fit(rest, kept, every) if len(rest) < len(short) else every
    return [case.ndcg(by_repo[case.repo.removeprefix("long/")]) for case in cases], every


def means(cases: list[Case], scores: list[float]) -> dict[str, float]:
    """Return the mean over repositories, of the short questions and of the long ones, and over languages and kinds."""
    by: dict[tuple[str, str], list[float]] = defaultdict(list)
    for case, score in zip(cases, scores, strict=True):
        by[case.repo, case.language].append(score)
    short = {key: statistics.mean(values) for key, values in by.items() if not key[0].startswith("long/")}
    long = [statistics.mean(values) for key, values in by.items() if key[0].startswith("long/")]
    out = {"all": statistics.mean(short.values())} | ({"long": statistics.mean(long)} if long else {})
    for language in sorted({key[1] for key in short}):
        out[f"language {language}"] = statistics.mean(value for key, value in short.items() if key[1] == language)
    for kind in sorted({case.kind for case in cases}):
        out[f"kind {kind}"] = statistics.mean(s for c, s in zip(cases, scores, strict=True) if c.kind == kind)
    return out


def told(label: str, cases: list[Case], scores: list[float], base: dict[str, float] | None = None) -> dict[str, float]:
    """Print one line of a table, and return its figures."""
    found = means(cases, scores)
    worst = min((value, name) for name, value in found.items() if name.startswith("language "))
    shown = [found["all"], *([found["long"]] if "long" in found else [])]
    cells = [
        f"{value:.3f}" + (f" ({value - base[name]:+.3f})" if base else "")
        for name, value in zip(("all", "long"), shown, strict=False)
    ]
    print(f"| {label} | {' | '.join(cells)} | {worst[0]:.3f} {worst[1].removeprefix('language ')} |", flush=True)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--corpora", type=Path, required=True)
    parser.add_argument("--long", type=Path, help="data of long questions, to be watched only")
    parser.add_argument("--long-corpora", type=Path)
    parser.add_argument("--cache", type=Path, help="file to keep the signals in")
    parser.add_argument("--ablate", action="store_true", help="fit without each signal too")
    parser.add_argument("--without", nargs="*", default=[], help="signals to leave out")
    parser.add_argument("--repo", nargs="+", help="only these repositories")
    parser.add_argument("--refine", help="embedder of the cards")
    parser.add_argument("--vectors", type=Path, help="file to keep their vectors in")
    args = parser.parse_args()
    began = time.perf_counter()
    if args.cache and args.cache.exists():
        cases = pickle.loads(args.cache.read_bytes())
    else:
        refiner = open_embedder(args.refine) if args.refine else None
        with tempfile.TemporaryDirectory() as scratch, VectorCache(args.vectors or Path(scratch) / "v") as vectors:
            cases = collect(args.data, args.corpora, "", refiner, vectors, args.repo)
            if args.long:
                cases += collect(args.long, args.long_corpora, "long/", refiner, vectors, args.repo)
        if args.cache:
            args.cache.write_bytes(pickle.dumps(cases))
    print(f"{len(cases)} questions, signals in {time.perf_counter() - began:.0f} s\n")
    names = list(WEIGHTS)
    kept = [at for at, name in enumerate(names) if name not in args.without]
    print("| weights | NDCG@10 | long questions | worst language |\n|---|---|---|---|")
    shipped = np.array([signal.weight for signal in WEIGHTS.values()])
    told("as shipped", cases, [case.ndcg(shipped) for case in cases])
    scores, weights = left_out(cases, kept)
    base = told("fitted, one repository left out", cases, scores)
    told("without taste", cases, left_out(cases, [at for at in kept if names[at] not in TASTE])[0], base)
    told(
        "without any vector", cases, left_out(cases, [at for at in kept if names[at] not in {"dense", "gist"}])[0], base
    )
    for name in names if args.ablate else ():
        told(f"without {name}", cases, left_out(cases, [at for at in kept if names[at] != name])[0], base)
    print("\n" + "\n".join(f"{key}: {value:.3f}" for key, value in base.items()))
    print("\n" + "\n".join(f'    "{name}": {weights[at]:.2f}' for at, name in enumerate(names)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
