"""Measure when "not in this project" is said: each repository's own questions, plainly unrelated ones, and other repositories'.

    python bench/refusal.py --data DIR --corpora DIR [--repo NAME …] [--others N] [--cut] [--fit] [--misjudged]

The data is that of bench/retrieval.py: `repos.json` and `annotations/NAME.json`; where it holds an `unrelated.json`, a
mapping of topics to questions, that is asked in place of bench/unrelated.json. Each repository is indexed by the engine,
and each question goes the way of `ask` up to the decision: the search, then `Project.confidence`. Of other repositories'
questions `--others` are drawn by chance, the same in each run; many of them have a right answer here too. People ask
shorter than the data: `--cut` asks of the own questions, and of every fourth unrelated one, the first or last two to four
words that tell something, too, and tells the shares by the number of terms.

Told are the area under the ROC curve, over all questions and for the repository with the least, and the share that is
refused at the shipped threshold. `--fit` fits the weights again, each eighth of the repositories and each half of the
topics judged by weights that know nothing of them, and prints those that all give; the exit code is 1 where the shipped
ones miss what is promised: an area of 0.95, 3 % of the own refused at most, 85 % of the unrelated at least.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import re
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import retrieval
from scipy.optimize import minimize
from scipy.stats import rankdata

from memcache_lsp.config import ProjectSettings, UserSettings
from memcache_lsp.embedding import Embedder, open_embedder
from memcache_lsp.engine import Project, Setup, open_project
from memcache_lsp.ranking import Question
from memcache_lsp.ranking.confidence import LEAST, LOOKED_AT, Signs, confidence, values
from memcache_lsp.ranking.question import WORDS
from memcache_lsp.scopes import Scope
from memcache_lsp.tokens import STOP_WORDS

OWN, UNRELATED, OTHER = "own", "unrelated", "other repositories'"
LEAST_AREA, MOST_OWN, LEAST_UNRELATED = 0.95, 0.03, 0.85
SEED = 5
CUTS = (2, 3, 4)  # words
MOST_TOLD = 8  # terms
_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")  # noqa: RUF001
FOLDS = 8
RIDGE = 0.0005


@dataclass(frozen=True, slots=True)
class Case:
    """A question that a repository was asked, and what the decision goes by."""

    repo: str
    kind: str
    group: str  # topic of an unrelated question
    question: str
    signs: Signs
    chance: float
    is_fitted: bool  # else it is decided by what it is: an identifier, a path, an error
    is_cut: bool = False


def ask(project: Project, repo: str, kind: str, group: str, question: str) -> Case:
    hits = project.search(question, scope=Scope(), limit=LOOKED_AT, per_file=3)
    asked = Question.of(question)
    signs = project._searcher.signs(asked, hits)  # noqa: SLF001 - the signs are not part of what the engine answers
    fitted = 0 < confidence(asked, signs) < 1
    return Case(repo, kind, group, question, signs, project.confidence(question, hits), fitted)


def cut_short(question: str) -> list[str]:
    """Return the first and last words of a question that tell something, and a question of the last ones."""
    found = (each for each in _WORD.findall(question) if len(each) > 1 and each.lower() not in STOP_WORDS)
    words, out = list(found), []
    for count in CUTS:
        if len(words) > count:
            first, last = " ".join(words[:count]), " ".join(words[-count:])
            out += [first, last] + ([f"how does {last} work?"] if count < CUTS[-1] else [])
    return list(dict.fromkeys(out))


def measure(repo: Any, repos: list[Any], args: argparse.Namespace, embedder: Embedder) -> list[Case]:
    """Index a repository and ask it all questions."""
    root = (args.corpora / repo["name"] / repo["top"]).resolve()
    others = sorted({each["query"] for other in repos if other is not repo for each in other["queries"]})
    others = random.Random(f"{SEED} {repo['name']}").sample(others, min(args.others, len(others)))
    asked = [(OWN, "", each["query"]) for each in repo["queries"]]
    asked += [(UNRELATED, topic, each) for topic, some in args.unrelated.items() for each in some]
    asked += [(OTHER, "", each) for each in others]
    cut = []
    if args.cut:
        in_words = [each for each in asked if each[0] == OWN and " " in each[2] and Question.of(each[2]).kind == WORDS]
        in_words += [each for each in asked if each[0] == UNRELATED][::4]
        cut = [(kind, group, each) for kind, group, whole in in_words for each in cut_short(whole)]
    with tempfile.TemporaryDirectory() as home:
        os.environ["MEMCACHE_HOME"] = home
        setup = Setup(root=root, user=UserSettings(), project=ProjectSettings(), embedder=embedder)
        project = open_project(setup, purpose="bench/refusal.py")
        try:
            project.update(max_files=None)
            cases = [ask(project, repo["name"], *each) for each in asked]
            return cases + [replace(ask(project, repo["name"], *each), is_cut=True) for each in dict.fromkeys(cut)]
        finally:
            project.close()


def area(chances: dict[str, list[float]], negative: str) -> float:
    """Return the area under the ROC curve of own questions against others: how often one of the own has the greater chance."""
    own, other = chances.get(OWN, []), chances.get(negative, [])
    if not own or not other:
        return math.nan
    ranks = rankdata([*own, *other])[: len(own)]
    return float((ranks.sum() - len(own) * (len(own) + 1) / 2) / (len(own) * len(other)))


def by_kind(cases: list[Case], chances: Any = None) -> dict[str, list[float]]:
    out: dict[str, list[float]] = {}
    for at, case in enumerate(cases):
        out.setdefault(case.kind, []).append(case.chance if chances is None else float(chances[at]))
    return out


def report(cases: list[Case], title: str, chances: Any = None) -> bool:
    """Print areas and shares; return whether they are what is promised."""
    found = by_kind(cases, chances)
    print(f"\n{title}\n")
    print(f"{'questions':22} {'asked':>6} {'refused':>8} {'ROC AUC':>8} {'least':>8}")
    names = sorted({case.repo for case in cases})
    refused = {kind: float(np.mean(np.array(of) < LEAST)) for kind, of in found.items()}
    for kind, of in found.items():
        least, whole = "", ""
        if kind != OWN:
            at = {name: [i for i, case in enumerate(cases) if case.repo == name] for name in names}
            every = [cases[i].chance for i in range(len(cases))] if chances is None else list(map(float, chances))
            parts = [area(by_kind([cases[i] for i in of], [every[i] for i in of]), kind) for of in at.values()]
            least, whole = f"{np.nanmin(parts):8.4f}", f"{area(found, kind):8.4f}"
        print(f"{kind:22} {len(of):6} {refused[kind]:8.2%} {whole:>8} {least:>8}")
    return area(found, UNRELATED) >= LEAST_AREA and refused[OWN] <= MOST_OWN and refused[UNRELATED] >= LEAST_UNRELATED


def by_length(cases: list[Case]) -> None:
    """Print which share is refused by the number of terms, of what is asked in words."""
    print(f"\n{'terms':>6} {'own':>6} {'refused':>8} {'unrelated':>10} {'refused':>8}")
    for count in range(2, MOST_TOLD + 1):
        told = [f"{count:6}"]
        for kind in (OWN, UNRELATED):
            some = [c for c in cases if c.kind == kind and c.is_fitted and len(Question.of(c.question).terms) == count]
            share = np.mean([c.chance < LEAST for c in some]) if some else math.nan
            told.append(f"{len(some):{6 if kind == OWN else 10}} {share:8.2%}")
        print(" ".join(told))


def weights(rows: Any, own: Any, cut: Any) -> Any:
    """Fit a logistic function; own and unrelated questions weigh the same in sum, and so do whole and cut ones."""
    weight = np.zeros(len(rows))
    for part in (own & ~cut, own & cut, ~own & ~cut, ~own & cut):
        weight[part] = 1 / max(1, part.sum())
    weight /= 2 if cut.any() else 1
    sign = np.where(own, 1.0, -1.0)

    def loss(b: Any) -> tuple[float, Any]:
        z = (b[0] + rows @ b[1:]) * sign
        slope = -sign * weight / (1 + np.exp(np.clip(z, -500, 500)))
        value = (np.logaddexp(0, -z) * weight).sum() + RIDGE * (b[1:] ** 2).sum()
        return float(value), np.r_[slope.sum(), rows.T @ slope + 2 * RIDGE * b[1:]]

    return minimize(loss, np.zeros(rows.shape[1] + 1), jac=True, method="L-BFGS-B").x


def fit(cases: list[Case], *, meaning: bool) -> None:
    """Print what unseen repositories and topics get, and the weights that all give."""
    rows = np.array([values(case.signs) for case in cases])
    rows[:, 0] *= meaning
    own, usable = np.array([c.kind == OWN for c in cases]), np.array([c.kind != OTHER and c.is_fitted for c in cases])
    names, topics = sorted({c.repo for c in cases}), sorted({c.group for c in cases})
    scale = rows[usable].std(axis=0) + 1e-9
    fold = np.array([names.index(c.repo) % FOLDS for c in cases])
    half = np.array([topics.index(c.group) % 2 if c.kind == UNRELATED else at % 2 for at, c in enumerate(cases)])
    cut = np.array([c.is_cut for c in cases])
    chances = np.array([case.chance for case in cases])
    for out in range(FOLDS):
        for side in (0, 1):
            learnt = usable & (fold != out) & (own | (half != side))
            judged = (fold == out) & (half == side) & np.array([c.is_fitted for c in cases])
            b = weights(rows[learnt] / scale, own[learnt], cut[learnt])
            chances[judged] = 1 / (1 + np.exp(-(b[0] + rows[judged] / scale @ b[1:])))
    for part, what in ((False, "questions"), (True, "cut short")):
        some = [at for at, c in enumerate(cases) if c.is_cut == part]
        if some:
            title = f"Fitted without the repository and the topic, {'with' if meaning else 'without'} vectors, {what}"
            report([cases[at] for at in some], title, chances[some])
    b = weights(rows[usable] / scale, own[usable], cut[usable])
    print("weights of all:", ", ".join(f"{value:.1f}" for value in (b[0], *(b[1:] / scale))))


def misjudged(cases: list[Case], count: int = 15) -> None:
    """Print the own questions that are nearest to a refusal, and the unrelated ones that are farthest from it."""
    for kind, sign in ((OWN, 1), (UNRELATED, -1)):
        print(f"\n{kind}, the worst")
        for case in sorted((c for c in cases if c.kind == kind), key=lambda c: sign * c.chance)[:count]:
            print(f"  {case.chance:.3f} {case.repo}: {case.question}  {values(case.signs)}")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of repos.json and annotations/")
    parser.add_argument("--corpora", type=Path, required=True, help="folder of the repositories, by name")
    parser.add_argument("--repo", action="append", help="only this repository; may be given several times")
    parser.add_argument("--others", type=int, default=60, help="questions of other repositories for each")
    parser.add_argument("--cut", action="store_true", help="ask questions cut short, too")
    parser.add_argument("--fit", action="store_true", help="fit the weights again")
    parser.add_argument("--misjudged", action="store_true", help="print the questions that come out worst")
    args = parser.parse_args()
    own = args.data / "unrelated.json"
    args.unrelated = json.loads((own if own.exists() else Path(__file__).with_name("unrelated.json")).read_text())
    return args


def main() -> int:
    args = parse()
    repos = retrieval.load(args.data, None)
    embedder = open_embedder()
    cases: list[Case] = []
    for repo in repos:
        if (not args.repo or repo["name"] in args.repo) and (args.corpora / repo["name"]).is_dir():
            cases += measure(repo, repos, args, embedder)
    if not cases:
        print("None of the repositories is there: see --help for what --corpora must hold.", file=sys.stderr)
        return 1
    whole, cut = [case for case in cases if not case.is_cut], [case for case in cases if case.is_cut]
    holds = report(whole, f"As shipped, over {len({case.repo for case in cases})} repositories")
    if cut:
        holds &= report(cut, "The same, cut to two to four words")
        by_length(cases)
    if args.fit:
        fit(cases, meaning=True)
        fit(cases, meaning=False)
    if args.misjudged:
        misjudged(cases)
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
