"""What is kept of files by their content: the same as made afresh, used only for the same recipe, readable by no other."""

import sqlite3
from contextlib import closing

import indexes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memcache_lsp import preparing
from memcache_lsp.chunking import chunker
from memcache_lsp.config import SizeLimits
from memcache_lsp.preparing import INDEXED, Job, Preparer, Recipe
from memcache_lsp.recall import Made, Recall
from memcache_lsp.store import FILE_KIND, Point
from memcache_lsp.tokens import Sparse
from memcache_lsp.values import Document, Found
from memcache_lsp.vectors import VectorCache

SECRET = "ghp_" + "aB3dE5fG7hJ9kL1mN3pQ5rS7tU9vW1xY3zA5"  # made up


def jobs(root):
    files = sorted(path for path in root.rglob("*") if path.is_file())
    return [Job(Found(f.relative_to(root).as_posix(), f.stat().st_size, 1, 1)) for f in files]


@pytest.fixture
def prepare(tmp_path):
    """Prepare the files of a folder with a preparer of its own and one cache for all."""

    def run(root, **options):
        recipe = Recipe(root, SizeLimits(), "", tmp_path / "vectors.sqlite", 1 << 26)
        with closing(
            Preparer(recipe, **{"embedder": indexes.embedder(), "clock_ns": lambda: 1, **options})
        ) as preparer:
            return preparer.prepare(jobs(root))

    return run


@pytest.fixture
def chunked(monkeypatch):
    """Return the paths that are chunked, as they come."""
    paths = []
    real = chunker.chunk
    monkeypatch.setattr(chunker, "chunk", lambda document: paths.append(document.path) or real(document))
    return paths


def told(prepared):
    """Return all that is prepared of files, with sparse values as the store has them."""
    return [
        (
            (each.found, each.checked_ns, each.hash, each.language, each.status, each.reason, each.facts),
            [
                (
                    point.id,
                    point.payload,
                    None if point.dense is None else point.dense.tobytes(),
                    {n: (list(s.indices), np.float32(s.values).tobytes()) for n, s in point.sparse.items()},
                )
                for point in each.points
            ],
        )
        for each in prepared
    ]


def test_the_second_time_nothing_is_chunked_and_all_is_the_same(example, prepare, chunked):
    fresh = prepare(example)
    assert len(chunked) == sum(each.status == INDEXED for each in fresh) > 10
    chunked.clear()
    assert told(prepare(example)) == told(fresh)
    assert chunked == []


def test_a_second_worktree_is_not_chunked(example, prepare, chunked, tmp_path):
    prepare(example)
    chunked.clear()
    prepare(example.rename(tmp_path / "worktree"))
    assert chunked == []


def test_switching_there_and_back_gives_a_fresh_index(example, home, tmp_path, chunked):
    here = {path: path.read_bytes() for path in example.rglob("*.py")}
    there = {path: b"# otherwise\n" + text.replace(b"self", b"this") for path, text in here.items()}
    with indexes.opened(example) as project:
        project.update()
        for branch in (there, here, there, here, there):
            for path, text in branch.items():
                path.write_bytes(text)
            chunked.clear()
            assert project.update().changed == len(here)
            assert not chunked or branch is there
            assert indexes.dump(project) == indexes.fresh_dump(example, tmp_path / "home")
    assert chunked == []


@pytest.mark.parametrize("name", ["CHUNKER_VERSION", "TOKENIZER_VERSION", "POINT_VERSION", "REDACTOR_VERSION"])
def test_what_another_recipe_made_is_not_used(example, prepare, chunked, monkeypatch, name):
    prepare(example)
    made = sorted(chunked)
    chunked.clear()
    monkeypatch.setattr(preparing, name, "another")
    prepare(example)
    assert sorted(chunked) == made


def test_what_another_embedder_made_is_not_used(example, prepare, chunked):
    prepare(example)
    made = sorted(chunked)
    chunked.clear()
    prepare(example, embedder=indexes.Renamed("another"))
    assert sorted(chunked) == made


def test_what_lies_elsewhere_is_not_the_same(example, prepare, chunked):
    prepare(example)
    chunked.clear()
    (example / "courier").rename(example / "parcels")
    moved = [each for each in prepare(example) if each.found.path.startswith("parcels/")]
    assert sorted(chunked) == sorted(each.found.path for each in moved if each.points)
    assert {point.payload["path"] for each in moved for point in each.points} == set(chunked)


def test_what_is_amended_is_neither_kept_nor_taken(example, prepare, chunked):
    def without_text(document):
        return Document(document.path, " " * len(document.text), document.language)

    assert not any(each.points for each in prepare(example, amend=without_text))
    fresh = prepare(example)
    assert any(each.points for each in fresh)
    assert not any(each.points for each in prepare(example, amend=without_text))


def test_what_a_deadline_cut_short_is_tried_again(example, prepare, monkeypatch, chunked):
    with monkeypatch.context() as context:
        context.setattr(chunker.syntax, "outline", lambda *_, **__: None)
        assert any("not parsed within" in each.reason for each in prepare(example))
    chunked.clear()
    assert not any("not parsed within" in each.reason for each in prepare(example))
    assert any(path.endswith(".py") for path in chunked)


def corrupt(path, change):
    with closing(sqlite3.connect(path)) as db, db:
        for number, row in db.execute("select id, row from vector").fetchall():
            db.execute("update vector set row = ? where id = ?", (change(row), number))


@pytest.mark.parametrize(
    "change",
    [
        lambda row: row[:-1],
        lambda row: b"",
        lambda row: bytes([row[0] ^ 1]) + row[1:],
        lambda row: row[: len(row) // 2] + bytes([row[len(row) // 2] ^ 0x80]) + row[len(row) // 2 + 1 :],
    ],
)
def test_what_is_corrupt_is_made_again(example, prepare, chunked, tmp_path, change):
    fresh = told(prepare(example))
    made = sorted(chunked)
    corrupt(tmp_path / "vectors.sqlite", change)
    chunked.clear()
    assert told(prepare(example)) == fresh
    assert sorted(chunked) == made
    chunked.clear()
    assert told(prepare(example)) == fresh
    assert chunked == []


def test_a_layout_that_cannot_be_read_is_made_again(example, prepare, chunked, monkeypatch):
    fresh = told(prepare(example))
    made = sorted(chunked)
    chunked.clear()
    with monkeypatch.context() as context:
        context.setattr("memcache_lsp.recall._read", lambda *_: {}["gone"])
        assert told(prepare(example)) == fresh
    assert sorted(chunked) == made


def test_no_secret_and_no_name_can_be_read_in_the_file(tmp_path, prepare):
    root = tmp_path / "project"
    root.mkdir()
    (root / "settings.py").write_text(f'TOKEN_OF_COURIER = "{SECRET}"\n\n\ndef deliver_parcels():\n    return 1\n')
    for _ in range(2):
        (prepared,) = prepare(root)
        assert "deliver_parcels" in str(prepared.points)
        assert SECRET not in str(prepared.points)
    data = b"".join(path.read_bytes() for path in tmp_path.glob("vectors.sqlite*"))
    assert len(data) > 4096
    for word in (SECRET, SECRET[4:20], "deliver_parcels", "TOKEN_OF_COURIER", "settings.py", "breadcrumb"):
        assert word.encode() not in data


def test_the_limit_holds_for_files_too(tmp_path):
    points = (Point(1, {"path": "a", "language": "text", "kind": FILE_KIND, "symbol": "s" * 5_000}),)
    with VectorCache(tmp_path / "v.sqlite", limit_bytes=500_000) as cache:
        recall = Recall(cache, {"chunker": "1"})
        for number in range(300):
            recall.keep([(Document("a", "", "text"), str(number), Made(points, b"facts"))])
        assert cache.size_bytes() <= 500_000
        known = [number for number in range(300) if recall.find(Document("a", "", "text"), str(number))]
        assert 20 < len(known) < 150


names = st.text(max_size=8)
sparse = st.dictionaries(st.integers(0, 2**32 - 1), st.floats(0, 100, width=32), max_size=5).map(
    lambda weights: Sparse(tuple(weights), tuple(weights.values()))
)


@st.composite
def files(draw):
    """Return a document and what could be made of it."""
    text = draw(st.text(max_size=60))
    document = Document(draw(names), text, draw(names))
    of_document = {"path": document.path, "language": document.language}
    points = []
    for number in draw(st.lists(st.integers(0, 2**63 - 1), max_size=4)):
        start, end = sorted((draw(st.integers(0, len(text))), draw(st.integers(0, len(text)))))
        payload = {"kind": draw(names), "symbol": draw(names), "breadcrumb": draw(st.lists(names, max_size=2))}
        payload |= of_document | {"start": start, "end": end, "text": text[start:end]}
        points.append(Point(number, payload, sparse={"text": draw(sparse)}))
    points.append(Point(7, of_document | {"kind": FILE_KIND}, sparse={"file": draw(sparse), "name": draw(sparse)}))
    return document, Made(tuple(points), draw(st.binary(max_size=30)))


@settings(max_examples=60, deadline=None)
@given(files(), names, st.text("0123456789abcdef", min_size=1, max_size=32))
def test_what_is_kept_is_found_as_it_was(tmp_path_factory, made, other, content):
    document, kept = made
    with VectorCache(tmp_path_factory.mktemp("v") / "v.sqlite") as cache:
        recall = Recall(cache, {"chunker": "1"})
        recall.keep([(document, content, kept)])
        assert recall.find(document, content) == kept
        assert recall.find(document, content + "0") is None
        assert recall.find(Document(document.path + other + "x", document.text, document.language), content) is None
        assert Recall(cache, {"chunker": "2"}).find(document, content) is None
