"""`memcache-lsp eval`: how well the search finds things in this project, by questions that it makes of it."""

from __future__ import annotations

import argparse
import contextlib
import math
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from memcache_lsp import locking, paths
from memcache_lsp.cli import local, render, work
from memcache_lsp.embedding import Embedder, open_embedder
from memcache_lsp.engine import Setup
from memcache_lsp.errors import UsageError, UserError
from memcache_lsp.evaluating import metrics, questions, trial
from memcache_lsp.evaluating.metrics import Mean
from memcache_lsp.evaluating.trial import Answer, Gathered

_FEW = 30  # questions; the interval of fewer is so wide that it tells next to nothing
_ALL = "all"


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    root = work.resolve_root(options)
    setup, other = _setups(root, options.embedder)
    max_files = local.most_files(options)
    with _scratch() as folder:
        with render.progress_bar("Making questions", "files") as bar:
            gathered = trial.gather(setup, options.questions, max_files=max_files, show=bar.show)
        _tell_of(gathered, options)
        runs = []
        for number, each in enumerate([setup, other] if other else [setup]):
            runs.append(_answers(each, gathered, folder / str(number), max_files))
            _show_run(each.embedder.id, runs[-1], options)
    if other:
        _show_difference((setup.embedder.id, other.embedder.id), runs[0], runs[1], options)
    if not options.json:
        _print_worst(runs[-1], options.worst)
    return 0


def _setups(root: Path, embedder: str | None) -> tuple[Setup, Setup | None]:
    """Return the project as it is set up now, and with another embedder if one is named."""
    setup = local.load_setup(root)
    if embedder is None:
        return setup, None
    other = replace(setup, user=replace(setup.user, embedder=embedder), embedder=_opened(embedder))
    if other.embedder.id == setup.embedder.id:
        raise UsageError(f"{embedder} is the present embedder: name another one to compare it with.")
    return setup, other


def _opened(name: str) -> Embedder:
    if not name:
        raise UsageError("--embedder is empty: name an embedder, or leave it out.")
    return open_embedder(name)


@contextlib.contextmanager
def _scratch() -> Iterator[Path]:
    """Give a folder for indexes that is gone at the end, and empty at the beginning even after a kill.

    There is one, so that two trials do not run side by side, which would spoil the times of both.
    """
    folder = paths.cache_dir() / "eval"
    with locking.held(folder, what="trials", purpose="memcache-lsp eval"):
        locking.empty(folder)
        try:
            yield folder
        finally:
            locking.empty(folder)
            locking.remove(folder)


def _answers(setup: Setup, gathered: Gathered, folder: Path, max_files: int | None) -> list[Answer]:
    with (
        render.progress_bar("Indexing a copy", "files") as indexing,
        render.progress_bar("Asking", "questions") as asking,
    ):

        def ask(progress: Any) -> None:
            indexing.stop()
            asking.show(progress)

        return trial.judge(setup, gathered.questions, folder, max_files=max_files, indexing=indexing.show, asking=ask)


def _tell_of(gathered: Gathered, options: argparse.Namespace) -> None:
    """Say what is asked, and plainly how little it may be worth; UserError where there is nothing to ask."""
    count = {kind: sum(q.kind == kind for q in gathered.questions) for kind in questions.KINDS}
    if gathered.without_history:
        work.notice(f"No questions are made of commits: {gathered.without_history}.")
    if not gathered.questions:
        raise UserError(
            "No question can be made of this project: it has no doc comments of whole sentences, and no commits that "
            "tell what they changed; try it on another one, with --root."
        )
    if len(gathered.questions) < min(_FEW, options.questions):
        work.notice(
            f"Only {len(gathered.questions)} questions can be made of this project's doc comments and commits: "
            "so few tell little."
        )
    if options.json:
        render.print_json({"type": "questions", "count": count, "found": gathered.found})
        return
    parts = (f"{count[kind]} of {gathered.found[kind]} {kind}s" for kind in questions.KINDS)
    print(f"questions     {' and '.join(parts)}\n")


# One run


def _show_run(embedder: str, answers: Sequence[Answer], options: argparse.Namespace) -> None:
    rows = {kind: _row(mine) for kind, mine in _by_kind(answers).items()}
    if options.json:
        for answer in answers:
            render.print_json({"type": "answer", "embedder": embedder, **_answer_to_json(answer)})
        by_kind = {kind: _row_to_json(row) for kind, row in rows.items()}
        render.print_json({"type": "result", "embedder": embedder, "kinds": by_kind})
        return
    print(f"embedder      {embedder}")
    print(
        f"  {'':10} {'NDCG@10':>8}  {'95 %':^15} {'hit@1':>7} {'hit@10':>7} {'file@10':>8} {'ms':>7} {'questions':>10}"
    )
    for kind, row in rows.items():
        interval = _interval(row["ndcg10"])
        print(
            f"  {kind:10} {row['ndcg10'].value:8.3f}  {interval:^15} {row['hit1']:7.2f} {row['hit10']:7.2f} "
            f"{row['file10']:8.2f} {row['ms']:7.1f} {row['count']:10}"
        )
    print(flush=True)


def _by_kind(answers: Sequence[Answer]) -> dict[str, list[Answer]]:
    kinds = {kind: [a for a in answers if a.question.kind == kind] for kind in questions.KINDS}
    return {**{kind: mine for kind, mine in kinds.items() if mine}, _ALL: list(answers)}


def _row(answers: Sequence[Answer]) -> dict[str, Any]:
    return {
        "ndcg10": metrics.mean([answer.ndcg10 for answer in answers]),
        "hit1": statistics.mean(answer.rank == 1 for answer in answers),
        "hit10": statistics.mean(answer.rank is not None for answer in answers),
        "file10": statistics.mean(answer.has_file for answer in answers),
        "ms": statistics.median(answer.ms for answer in answers),
        "count": len(answers),
    }


def _row_to_json(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "ndcg10": _mean_to_json(row["ndcg10"]), "ms": round(row["ms"], 3)}


def _mean_to_json(mean: Mean) -> dict[str, float | None]:
    bounds = {"low": mean.low, "high": mean.high}
    return {"mean": round(mean.value, 4)} | {n: None if math.isnan(v) else round(v, 4) for n, v in bounds.items()}


def _interval(mean: Mean, form: str = ".3f") -> str:
    return "too few" if math.isnan(mean.low) else f"{mean.low:{form}} … {mean.high:{form}}"


def _answer_to_json(answer: Answer) -> dict[str, Any]:
    wanted = [
        {"path": t.path} | ({"startLine": t.start_line, "endLine": t.end_line} if t.start_line else {})
        for t in answer.question.targets
    ]
    return {
        "kind": answer.question.kind,
        "question": answer.question.text,
        "wanted": wanted,
        "rank": answer.rank,
        "ndcg10": round(answer.ndcg10, 4),
        "ms": round(answer.ms, 3),
    }


# Two runs


def _show_difference(
    embedders: tuple[str, str], before: Sequence[Answer], after: Sequence[Answer], options: argparse.Namespace
) -> None:
    """Show what the second embedder changes, question by question, which is surer than two means."""
    pairs = zip(_by_kind(before).items(), _by_kind(after).values(), strict=True)
    means = {
        kind: metrics.mean([b.ndcg10 - a.ndcg10 for a, b in zip(mine, theirs, strict=True)])
        for (kind, mine), theirs in pairs
    }
    if options.json:
        kinds = {kind: _mean_to_json(mean) for kind, mean in means.items()}
        render.print_json({"type": "difference", "from": embedders[0], "to": embedders[1], "kinds": kinds})
        return
    print(f"difference    {embedders[1]} against {embedders[0]}, NDCG@10, the same questions")
    for kind, mean in means.items():
        print(f"  {kind:10} {mean.value:+8.3f}  {_interval(mean, '+.3f'):^17} {_verdict(mean)}")
    print(flush=True)


def _verdict(mean: Mean) -> str:
    if mean.low > 0:
        return "better"
    return "worse" if mean.high < 0 else "no more than chance can do"


def _print_worst(answers: Sequence[Answer], count: int) -> None:
    bad = sorted((a for a in answers if a.ndcg10 < 1), key=lambda a: a.ndcg10)[:count]
    if bad:
        print("worst")
    for answer in bad:
        question = answer.question
        wanted = ", ".join(
            f"{t.path}:{t.start_line}-{t.end_line}" if t.start_line else t.path for t in question.targets
        )
        place = f"at {answer.rank}" if answer.rank else "not in the first 10"
        print(render.printable(f"  {question.kind}: {question.text}"))
        print(render.printable(f"    wanted {wanted}: {place}"))
        if answer.hits and answer.rank != 1:
            print(f"    first  {render.place(answer.hits[0])}  {render.label(answer.hits[0])}")
