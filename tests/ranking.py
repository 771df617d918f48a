"""Help for tests of the ranking: files made of a few words, and the store's answers for them."""

from array import array
from itertools import count

import numpy as np

from memcache_lsp.ranking import Facts, FileTable, Question, Row, rank, score
from memcache_lsp.ranking.facts import name_hash
from memcache_lsp.store import Candidate, Candidates

_ids = count(1)


def row(path, *, language="python", names=(), used=(), size_bytes=1000, mean=(), chunks=2):
    """Return a file; `names` are what it defines, as (name, level, chunk) or just the name."""
    named = [each if isinstance(each, tuple) else (each, 100, 0) for each in names]
    facts = Facts(
        names=np.array([name_hash(name) for name, _, _ in named], dtype=np.uint32),
        chunks=np.array([chunk for _, _, chunk in named], dtype=np.uint16),
        levels=np.array([level for _, level, _ in named], dtype=np.uint8),
        used=np.array(sorted(map(name_hash, used)), dtype=np.uint32),
        lines=np.array([1 + 10 * place for place in range(chunks)], dtype=np.uint32),
        mean=np.array(mean, dtype=np.int8),
    )
    points = array("q", [next(_ids) for _ in range(chunks + 1)])
    return Row(path, language, size_bytes, points, facts.encoded())


def table(*rows):
    """Return a table of these files."""
    return FileTable(lambda: rows)


def found(text=(), *, file=(), name=(), dense=(), limit=150):
    """Return a store's answer: for each vector, (row, chunk, score), or (row, score) for files."""
    chunks = lambda hits: tuple(Candidate(row.points[at], value) for row, at, value in hits)  # noqa: E731
    files = lambda hits: tuple(Candidate(row.points[-1], value) for row, value in hits)  # noqa: E731
    return Candidates(dense=chunks(dense), text=chunks(text), file=files(file), name=files(name), limit=limit)


def scored(question, rows, answer=None, *, others=(), meaning=None):
    """Return the candidates; without an answer of the store, each file's first chunk was found as well as the others'."""
    answer = answer or found([(each, 0, 1.0) for each in rows])
    return score(Question.of(question), answer, table(*rows, *others), meaning=meaning)


def order(question, rows, answer=None, **options):
    """Return the paths, best first."""
    every = scored(question, rows, answer, **options)
    return [each.path for each in rank(Question.of(question), every, limit=20)][: len(every.rows)]


def signals(question, rows, answer=None, **options):
    """Return what each signal brought, by path."""
    every = scored(question, rows, answer, **options)
    return {each.path: dict(each.signals) for each in rank(Question.of(question), every, limit=len(every.rows))}
