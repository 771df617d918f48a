"""The signals of candidate files: what the store found, and what their names, symbols and places say, side by side.

Pure: scores and rows in, a matrix out, one line a file and one column a signal of `weights.WEIGHTS`. Must not import the
store's implementations.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from memcache_lsp.ranking.cards import Cards, card_values
from memcache_lsp.ranking.facts import name_hash
from memcache_lsp.ranking.places import HEADERS, SOURCES
from memcache_lsp.ranking.question import Question
from memcache_lsp.ranking.table import FileTable, Row
from memcache_lsp.ranking.vectors import Values, cosines, normalised
from memcache_lsp.ranking.weights import WEIGHTS

_STEM = ("stem", "whole_stem", "subject", "joined", "sense")  # what `_stem` returns
_BASE = ("text", "file", "names", "path")  # that neighbours and references go by
_REFERRING = 20  # of the best files, whose words count as references
_DEFINED_IN = 2  # files at most, for a name whose use is a reference
_SLOTS = 1 << 17  # many times the names that the candidates define
_HALF, _LOW = np.uint64(32), np.uint64(0xFFFFFFFF)
_DEEPEST = 7  # folders


def matrix(
    question: Question,
    rows: Sequence[Row],
    shares: Mapping[str, Values],
    *,
    table: FileTable,
    cards: Cards | None = None,
) -> Values:
    """Return the signals of some files for a question, in the order of WEIGHTS.

    `shares` are the signals of what the store and the vectors found, one entry a file.
    """
    if not rows:
        return np.zeros((0, len(WEIGHTS)))
    names = _Names.of(rows)
    columns = {
        **shares,
        "card": card_values(rows, cards),
        **_place_words(question, rows, table),
        **_defined(question, names, len(rows)),
        **_place_flags(question, rows, table),
    }
    base = normalised(np.sum([columns[name] for name in _BASE], axis=0))
    columns["neighbours"] = _neighbours(rows, base)
    columns["references"] = _references(rows, names, base)
    fading = question.shortness
    by_signal = np.array([columns[name] * (fading if WEIGHTS[name].fades else 1.0) for name in WEIGHTS])
    return np.ascontiguousarray(by_signal.T)


def gist(rows: Sequence[Row], meaning: NDArray[np.float32] | None) -> Values:
    """Return the cosines of the question's vector and the mean of each file's vectors."""
    out = np.zeros(len(rows))
    known = [at for at, row in enumerate(rows) if meaning is not None and len(row.facts.mean) == len(meaning)]
    if meaning is None or not known:
        return out
    out[known] = cosines([rows[at].facts.mean for at in known], meaning)
    return out


def _place_words(question: Question, rows: Sequence[Row], table: FileTable) -> dict[str, Values]:
    """Return how the words of each file's stem, folders and path meet the question's."""
    path, folder, stem = table.rarity("path"), table.rarity("folders"), table.rarity("stem")
    in_path, in_folder = (
        {each: path(each) for each in question.classes},
        {each: folder(each) for each in question.classes},
    )
    same = {each: path(each) for each in question.senses}
    any_of = question.senses | question.joined | question.classes.keys()
    stems = np.zeros((len(rows), len(_STEM)))
    total = sum(map(stem, question.classes)) or 1.0
    places = [row.place for row in rows]
    for at, place in enumerate(places):
        if not any_of.isdisjoint(place.stem) or (len(place.stem) > 1 and "".join(place.stem) in question.classes):
            stems[at] = _stem(place.stem, question, stem, total)
    return {
        "path": normalised(_matched((place.path for place in places), in_path, len(rows))),
        "folders": normalised(_matched((place.folders for place in places), in_folder, len(rows))),
        "path_sense": normalised(_matched((place.path for place in places), same, len(rows))),
        **{name: stems[:, at] for at, name in enumerate(_STEM)},
    }


def _matched(found: Iterable[Mapping[str, float]], asked: Mapping[str, float], count: int) -> Values:
    """Return the BM25 scores of files whose classes have some weights, for classes that have some rarity."""
    keys = asked.keys()
    scores = [
        0.0 if keys.isdisjoint(weights) else sum([weights[each] * asked[each] for each in weights.keys() & keys])
        for weights in found
    ]
    return np.fromiter(scores, dtype=np.float64, count=count)


def _stem(
    stem: tuple[str, ...], question: Question, idf: Callable[[str], float], asked_for: float
) -> tuple[float, float, float, float, float]:
    """Return of a file's name: F1 with the question, all asked for, its first word, joined words, other words.

    `asked_for` is the rarity of all that is asked for.
    """
    asked, senses, joined = question.classes, question.senses, question.joined
    total = both = said = run = 0.0
    whole = True
    for each in stem:
        value = idf(each)
        total += value
        if each in asked:
            both += value
        else:
            whole = False
            said += value if each in senses else 0.0
            run += value if each in joined else 0.0
    total = total or 1.0
    split = 1.0 if len(stem) > 1 and "".join(stem) in asked else 0.0
    if not both:
        return 0.0, 0.0, 0.0, run / total or split, said / total
    f1 = 2 * both / (total + asked_for)
    return f1, float(whole), float(next(iter(asked)) in stem), run / total or split, said / total


@dataclass(frozen=True, slots=True)
class _Names:
    """All names that some files define, behind each other."""

    hashes: NDArray[np.uint32]
    owners: NDArray[np.int64]  # places of the files
    levels: NDArray[np.uint8]

    @classmethod
    def of(cls, rows: Sequence[Row]) -> _Names:
        facts = [row.facts for row in rows]
        return cls(
            np.concatenate([each.names for each in facts]),
            np.repeat(np.arange(len(rows)), [len(each.names) for each in facts]),
            np.concatenate([each.levels for each in facts]),
        )

    def level(self, name: str, count: int) -> Values:
        """Return how much each file's definition of a name is what a question for it asks for."""
        out = np.zeros(count)
        found = np.flatnonzero(self.hashes == name_hash(name))
        out[self.owners[found]] = self.levels[found] / 100.0
        return out


def _defined(question: Question, names: _Names, count: int) -> dict[str, Values]:
    """Return what of the identifier asked for, or of the names mentioned, each file defines."""
    symbol = np.zeros(count)
    for name in question.symbol:
        symbol = names.level(name, count)
        if symbol.any():
            break
    mentioned = np.zeros(count)
    for name in question.names:
        mentioned += names.level(name, count) / len(question.names)
    return {"symbol": symbol, "mentioned": mentioned}


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
    if not question.named:
        return np.zeros(len(rows))
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
    if not newest:
        return out
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


def _references(rows: Sequence[Row], defined: _Names, base: Values) -> Values:
    """Return how much the best files use names that each file defines, and hardly another."""
    count = len(rows)
    names, owners = _rare_names(defined)
    out = np.zeros(count)
    if not len(names):
        return out
    best = np.argsort(-base, kind="stable")[:_REFERRING]
    used = [rows[at].facts.used for at in best]
    every = np.concatenate(used)
    ends = np.cumsum([len(each) for each in used])
    likely = np.zeros(_SLOTS, dtype=np.bool_)  # most are no such name, which a look at a few bits tells
    likely[names % _SLOTS] = True
    places = np.flatnonzero(likely[every % _SLOTS])
    every, users = every[places], best[np.searchsorted(ends, places, side="right")]
    at = np.searchsorted(names, every)
    for _ in range(_DEFINED_IN):
        there = at < len(names)
        there[there] = names[at[there]] == every[there]
        at, every, users = at[there], every[there], users[there]
        if not len(at):
            break
        pairs = np.unique(users * count + owners[at])
        at = at + 1
        user, owner = np.divmod(pairs, count)
        other = user != owner
        np.add.at(out, owner[other], base[user[other]])
    return normalised(out)


def _rare_names(names: _Names) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    """Return the hashes of names that few of the files define, sorted, each with the file that does."""
    # Each with its place in one number: sorted so, it takes a fifth of the time of a stable sort, and is one.
    both = np.sort(names.hashes.astype(np.uint64) << _HALF | np.arange(len(names.hashes), dtype=np.uint64))
    hashes, owners = (both >> _HALF).astype(np.uint32), names.owners[(both & _LOW).astype(np.int64)]
    begins = np.flatnonzero(np.diff(hashes, prepend=hashes[:1] + 1))
    lengths = np.diff(begins, append=len(hashes))
    rare = np.repeat(lengths <= _DEFINED_IN, lengths)
    return hashes[rare], owners[rare]
