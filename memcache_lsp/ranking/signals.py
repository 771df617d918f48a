"""The signals of candidate files: what the store found, and what their names, symbols and places say, side by side.

Pure: scores and rows in, a matrix out, one line a file and one column a signal of `weights.WEIGHTS`. Must not import the
store's implementations.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from memcache_lsp.ranking.facts import LEAST_NAME, name_hash
from memcache_lsp.ranking.places import HEADERS, SOURCES
from memcache_lsp.ranking.question import Question
from memcache_lsp.ranking.table import FileTable, Row, matched
from memcache_lsp.ranking.weights import WEIGHTS

Values = NDArray[np.float64]

_BASE = ("text", "file", "names", "path")  # that neighbours and references go by
_REFERRING = 20  # of the best files, whose words count as references
_DEFINED_IN = 2  # files at most, for a name whose use is a reference
_DEEPEST = 7  # folders


@dataclass(frozen=True, slots=True)
class Scores:
    """What the store found of some files, each 0 to 1, one entry a file."""

    text: Values
    file: Values
    names: Values
    dense: Values
    cluster: Values


def normalised(values: Values) -> Values:
    """Return values by the largest of them; nothing is below 0."""
    most = values.max(initial=0.0)
    positive: Values = np.maximum(values, 0.0)
    return positive / most if most > 0 else positive


def matrix(
    question: Question, rows: Sequence[Row], scores: Scores, *, meaning: NDArray[np.float32] | None, table: FileTable
) -> Values:
    """Return the signals of some files for a question, in the order of WEIGHTS; `meaning` is the question's vector."""
    columns = {
        "text": scores.text,
        "file": scores.file,
        "names": scores.names,
        "dense": scores.dense,
        "cluster": scores.cluster,
        "gist": _gist(rows, meaning),
        **_place_words(question, rows, table),
        **_defined(question, rows),
        **_place_flags(question, rows, table),
    }
    base = normalised(np.sum([columns[name] for name in _BASE], axis=0))
    columns["neighbours"] = _neighbours(rows, base)
    columns["references"] = _references(rows, base)
    fading = question.shortness
    return np.stack([columns[name] * (fading if WEIGHTS[name].fades else 1.0) for name in WEIGHTS], axis=1)


def _gist(rows: Sequence[Row], meaning: NDArray[np.float32] | None) -> Values:
    """Return the cosines of the question and the mean of each file's vectors."""
    out = np.zeros(len(rows))
    known = [at for at, row in enumerate(rows) if meaning is not None and len(row.facts.mean) == len(meaning)]
    if meaning is None or not known:
        return out
    means = np.stack([rows[at].facts.mean for at in known]).astype(np.float32)
    lengths = np.sqrt(np.einsum("ij,ij->i", means, means))
    out[known] = np.einsum("ij,j->i", means, meaning) / np.where(lengths > 0, lengths, 1)
    return normalised(out)


def _place_words(question: Question, rows: Sequence[Row], table: FileTable) -> dict[str, Values]:
    """Return how the words of each file's stem, folders and path meet the question's."""
    asked, same = question.classes, dict.fromkeys(question.senses)
    path, folder = table.rarity("path"), table.rarity("folders")
    stems = np.array([_stem(row.place.stem, question, table.rarity("stem")) for row in rows]).reshape(-1, 5)
    return {
        "path": normalised(_scores(rows, lambda row: matched(row.place.path, asked, path, "path"))),
        "folders": normalised(_scores(rows, lambda row: matched(row.place.folders, asked, folder, "folders"))),
        "path_sense": normalised(_scores(rows, lambda row: matched(row.place.path, same, path, "path"))),
        "stem": stems[:, 0],
        "whole_stem": stems[:, 1],
        "subject": stems[:, 2],
        "joined": stems[:, 3],
        "sense": stems[:, 4],
    }


def _scores(rows: Sequence[Row], score: Callable[[Row], float]) -> Values:
    return np.fromiter(map(score, rows), dtype=np.float64, count=len(rows))


def _stem(
    stem: tuple[str, ...], question: Question, idf: Callable[[str], float]
) -> tuple[float, float, float, float, float]:
    """Return of a file's name: F1 with the question, all asked for, its first word, joined words, other words."""
    asked = question.classes
    mine = [idf(each) for each in stem]
    total = sum(mine) or 1.0
    both = sum(value for each, value in zip(stem, mine, strict=True) if each in asked)
    said = sum(value for each, value in zip(stem, mine, strict=True) if each in question.senses)
    joined = sum(value for each, value in zip(stem, mine, strict=True) if each in question.joined and each not in asked)
    split = 1.0 if len(stem) > 1 and "".join(stem) in asked else 0.0
    f1 = whole = first = 0.0
    if both:
        f1 = 2 * both / (total + (sum(map(idf, asked)) or 1.0))
        whole = float(all(each in asked for each in stem))
        first = float(next(iter(asked)) in stem)
    return f1, whole, first, joined / total or split, said / total


def _defined(question: Question, rows: Sequence[Row]) -> dict[str, Values]:
    """Return what of the identifier asked for, or of the names mentioned, each file defines."""
    symbol = np.zeros(len(rows))
    for name in question.symbol:
        symbol = np.maximum(symbol, _levels(rows, name))
        if symbol.any():
            break
    mentioned = np.zeros(len(rows))
    for name in question.names:
        mentioned += _levels(rows, name) / len(question.names)
    return {"symbol": symbol, "mentioned": mentioned}


def _levels(rows: Sequence[Row], name: str) -> Values:
    key = name_hash(name)
    return _scores(rows, lambda row: row.level_of(key))


def _place_flags(question: Question, rows: Sequence[Row], table: FileTable) -> dict[str, Values]:
    """Return what each file is by its place. Documents are under none of the rules for code."""
    code = np.array([not row.place.is_document for row in rows], dtype=np.float64)
    sizes = np.log1p(np.array([row.size_bytes for row in rows], dtype=np.float64))
    depths = np.array([min(row.place.depth, _DEEPEST) for row in rows], dtype=np.float64)
    tests = 0.0 if question.about_tests else 1.0
    return {
        "named": _named(question, rows, table),
        "size": normalised(sizes),
        "depth": code * np.log1p(depths) / np.log1p(_DEEPEST),
        "test": code * tests * np.array([row.place.is_test for row in rows]),
        "aside": code * np.array([row.place.is_aside for row in rows]),
        "header": code * np.array([_is_header_beside(row.path, table.rows()) for row in rows]),
        "older": code * _older(question, rows),
        "document": 1 - code,
    }


def _named(question: Question, rows: Sequence[Row], table: FileTable) -> Values:
    weight: dict[str, float] = {}
    for named in question.named:
        for row in table.called(named.path):
            weight[row.path] = max(weight.get(row.path, 0.0), named.weight)
    return np.array([weight.get(row.path, 0.0) for row in rows])


def _is_header_beside(path: str, known: Mapping[str, object]) -> bool:
    if not path.endswith(HEADERS):
        return False
    stem = path.rpartition(".")[0]
    return any(stem + end in known for end in SOURCES)


def _older(question: Question, rows: Sequence[Row]) -> Values:
    """Tell which files lie in the folder of a version when one beside it is newer, or is the one that is asked for."""
    newest: dict[str, int] = {}
    for row in rows:
        for around, version in row.place.versions:
            newest[around] = max(version, newest.get(around, 0))
    asked = question.versions
    out = np.zeros(len(rows))
    for at, row in enumerate(rows):
        mine = row.place.versions
        if asked and not asked.isdisjoint(version for _, version in mine):
            continue
        out[at] = any(version < newest[around] for around, version in mine) or (
            bool(mine) and bool(asked) and any(newest[around] in asked for around, _ in mine)
        )
    return out


def _neighbours(rows: Sequence[Row], base: Values) -> Values:
    """Return the best base score in each file's folder."""
    best: dict[str, float] = {}
    for row, value in zip(rows, base.tolist(), strict=True):
        best[row.place.folder] = max(value, best.get(row.place.folder, 0.0))
    return np.array([best[row.place.folder] for row in rows])


def _references(rows: Sequence[Row], base: Values) -> Values:
    """Return how much the best files use names that each file defines, and hardly another."""
    count = len(rows)
    names, owners = _rare_names(rows)
    out = np.zeros(count)
    if not len(names):
        return out
    best = np.argsort(-base, kind="stable")[:_REFERRING]
    used = [rows[at].facts.used for at in best]
    every = np.concatenate(used)
    users = np.repeat(best, [len(each) for each in used])
    low, high = np.searchsorted(names, every, side="left"), np.searchsorted(names, every, side="right")
    for step in range(_DEFINED_IN):
        there = low + step < high
        if not there.any():
            break
        pairs = np.unique(users[there] * count + owners[low[there] + step])
        user, owner = np.divmod(pairs, count)
        other = user != owner
        np.add.at(out, owner[other], base[user[other]])
    return normalised(out)


def _rare_names(rows: Sequence[Row]) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    """Return the hashes of names that few of the files define, sorted, each with the file that does."""
    names = np.concatenate([row.facts.names for row in rows]) if rows else np.zeros(0, dtype=np.uint32)
    owners = np.repeat(np.arange(len(rows)), [len(row.facts.names) for row in rows])
    order = np.argsort(names, kind="stable")
    names, owners = names[order], owners[order]
    low, high = np.searchsorted(names, names, side="left"), np.searchsorted(names, names, side="right")
    rare = high - low <= _DEFINED_IN
    return names[rare], owners[rare]


__all__ = ["LEAST_NAME", "Scores", "matrix", "normalised"]
