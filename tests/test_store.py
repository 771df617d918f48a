"""The store's contract, held by every implementation alike."""

import os
import uuid
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from memcache_lsp.errors import UserError
from memcache_lsp.store import FILE_KIND, Filter, Point, Query, StoreBroken
from memcache_lsp.store.client import ClientStore, connect
from memcache_lsp.store.edge import EdgeStore
from memcache_lsp.tokens import Sparse, document_vector, query_vector

DIMENSION = 8
EMPTY = Sparse((), ())


def unit(*values):
    vector = np.zeros(DIMENSION, dtype=np.float32)
    vector[: len(values)] = values
    return vector / np.linalg.norm(vector)


def sparse(**counts):
    by_id = {query_vector([term]).indices[0]: count for term, count in counts.items()}
    return document_vector(by_id, k1=1.2, b=0.75, average_length=10)


def point(number, *, path="a.py", language="python", kind="function", dense=None, text=None, name=None, **payload):
    return Point(
        id=number,
        dense=unit(1) if dense is None else dense,
        sparse={"text": text or sparse(word=1), **({"name": name} if name else {})},
        payload={"path": path, "language": language, "kind": kind, "symbol": "", **payload},
    )


def ask(*words, dense=None, limit=10, **scope):
    return Query(dense=dense, words=query_vector(words), filter=Filter(**scope), limit=limit)


def whole(number, *, path="a.py", language="python", **sparse):
    """Return a file's own point."""
    return Point(id=number, sparse=sparse, payload={"path": path, "language": language, "kind": FILE_KIND})


# A real server takes part where one is named.
IMPLEMENTATIONS = [
    "edge",
    "client in memory",
    "client in a folder",
    *(["server"] if "QDRANT_URL" in os.environ else []),
]


@pytest.fixture(params=IMPLEMENTATIONS)
def opener(request, tmp_path):
    """Return a function that opens the same store each time, and whether what it wrote outlives closing."""
    if request.param == "edge":
        yield lambda: EdgeStore(tmp_path / "shard", dimension=lambda: DIMENSION)
        return
    if request.param == "server":
        url, key = os.environ["QDRANT_URL"], os.environ.get("MEMCACHE_TEST_QDRANT_API_KEY")
        name = f"memcache-test-{uuid.uuid4()}"
        yield lambda: ClientStore(
            connect(url=url, api_key=key), collection=name, dimension=lambda: DIMENSION, local=False
        )
        connect(url=url, api_key=key).delete_collection(name)
        return
    folder = tmp_path / "local" if "folder" in request.param else None
    client = None if folder else connect()

    def open_it():
        return ClientStore(client or connect(folder=folder), collection="test", dimension=lambda: DIMENSION, local=True)

    open_it.forgets = folder is None
    yield open_it


@pytest.fixture
def store(opener):
    opened = opener()
    yield opened
    opened.close()


def test_finds_by_each_vector_best_first(store):
    store.upsert(
        [
            point(1, dense=unit(1, 0), text=sparse(retry=3), name=sparse(queue=1)),
            point(2, dense=unit(1, 1), text=sparse(retry=1, other=9), name=sparse(retry=1)),
            point(3, dense=unit(0, 1), text=sparse(nothing=1)),
        ]
    )
    found = store.search(ask("retry", dense=unit(1, 0)))
    assert [c.id for c in found.dense] == [1, 2, 3]
    assert found.dense[0].score == pytest.approx(1, abs=1e-3)
    assert [c.id for c in found.text] == [1, 2]
    assert [c.id for c in found.name] == [2]
    assert found.text[0].score > found.text[1].score > 0


def test_files_are_found_beside_their_chunks(store):
    store.upsert(
        [
            point(1, path="a.py", text=sparse(retry=1)),
            whole(2, path="a.py", file=sparse(retry=1, queue=1), name=sparse(queue=1)),
            whole(3, path="b.py", language="go", file=sparse(queue=4)),
        ]
    )
    found = store.search(ask("retry", "queue", dense=unit(1)))
    assert [c.id for c in found.dense] == [1]
    assert [c.id for c in found.text] == [1]
    assert {c.id for c in found.file} == {2, 3}
    assert [c.id for c in found.name] == [2]


def test_a_filter_by_kind_is_one_of_chunks(store):
    store.upsert([point(1, kind="class"), point(2, kind="function"), whole(3, file=sparse(word=1))])
    found = store.search(ask("word", kinds=("class",)))
    assert [c.id for c in found.text] == [1]
    assert [c.id for c in found.file] == [3]
    assert store.search(ask("word", kinds=("class",), languages=("go",))).file == ()


def test_asks_only_the_vectors_that_are_named(store):
    store.upsert([point(1), whole(2, file=sparse(word=1))])
    found = store.search(replace(ask("word", dense=unit(1)), vectors=("text",)))
    assert ([c.id for c in found.text], found.dense, found.file) == ([1], (), ())


def test_rare_words_weigh_more(store):
    common = [point(i, text=sparse(common=1)) for i in range(1, 9)]
    store.upsert([*common, point(20, text=sparse(common=1, rare=1))])
    found = store.search(ask("common", "rare")).text
    assert found[0].id == 20
    assert found[0].score > 3 * found[1].score


def test_filters_before_the_search(store):
    store.upsert([point(i, path=f"big/{i}.py", dense=unit(1)) for i in range(1, 60)])
    store.upsert([point(99, path="small/x.md", language="markdown", kind="section", dense=unit(0.1, 1))])
    for scope in ({"paths": ("small/x.md", "none")}, {"languages": ("markdown",)}, {"kinds": ("section",)}):
        found = store.search(ask("word", dense=unit(1), limit=1, **scope))
        assert [c.id for c in found.dense] == [99], scope
        assert [c.id for c in found.text] == [99], scope
    assert store.search(ask("word", dense=unit(1), paths=())).dense == ()


def test_scores_named_points_alone(store):
    store.upsert([point(i, dense=unit(1, i / 10), text=sparse(word=1, **{f"w{i}": i})) for i in range(1, 20)])
    every = store.search(ask("word", dense=unit(1), limit=100))
    some = store.search(ask("word", dense=unit(1), limit=100, ids=(3, 7, 12345)))
    for name in ("dense", "text"):
        expected = {c.id: c.score for c in getattr(every, name) if c.id in {3, 7}}
        assert {c.id: c.score for c in getattr(some, name)} == pytest.approx(expected)
    assert store.search(ask("word", dense=unit(1), ids=())).dense == ()


def test_replaces_deletes_counts_and_lists(store):
    store.upsert([point(i, start=i) for i in range(1, 400)])
    store.upsert([point(7, start=1000)])
    assert store.count() == 399
    assert sorted(store.ids()) == list(range(1, 400))
    assert store.retrieve([7, 12345])[7]["start"] == 1000
    store.delete([7, 8, 12345])
    store.delete([])
    assert store.count() == 397
    assert store.retrieve([7, 8]) == {}


def test_keeps_what_it_wrote(opener):
    if getattr(opener, "forgets", False):
        store = opener()
        store.upsert([point(2**62, text=sparse(word=1))])
        assert list(store.ids()) == [2**62]
        return
    store = opener()
    payload = {"snippet": "naïve \0 ☃ text", "breadcrumb": ["A", "b"], "start_line": 3}
    store.upsert([point(2**62, **payload)])
    store.close()
    store = opener()
    try:
        kept = store.retrieve([2**62])[2**62]
        assert {key: kept[key] for key in payload} == payload
        assert [c.id for c in store.search(ask("word")).text] == [2**62]
    finally:
        store.close()


def test_a_chunk_without_words_or_meaning_is_stored(store):
    store.upsert([point(1, dense=np.zeros(DIMENSION, dtype=np.float32), text=EMPTY)])
    assert store.count() == 1
    assert store.search(Query(dense=None, words=EMPTY)).text == ()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25, deadline=None)
@given(
    operations=st.lists(
        st.tuples(st.sampled_from(["upsert", "delete"]), st.lists(st.integers(1, 30), max_size=8)), max_size=12
    )
)
def test_agrees_with_a_dict(store, operations):
    store.delete(list(store.ids()))
    model = {}
    for version, (operation, ids) in enumerate(operations):
        if operation == "upsert":
            store.upsert([point(i, start=version) for i in ids])
            model |= dict.fromkeys(ids, version)
        else:
            store.delete(ids)
            model = {i: v for i, v in model.items() if i not in ids}
    assert sorted(store.ids()) == sorted(model)
    assert store.count() == len(model)
    assert {i: p["start"] for i, p in store.retrieve(list(range(1, 31))).items()} == model


def test_edge_tells_a_broken_folder(tmp_path):
    folder = tmp_path / "shard"
    store = EdgeStore(folder, dimension=lambda: DIMENSION)
    store.upsert([point(1)])
    store.close()
    (folder / "edge_config.json").write_text("{broken")
    with pytest.raises(StoreBroken):
        EdgeStore(folder, dimension=lambda: DIMENSION)


def test_a_server_that_does_not_answer_is_told_in_one_sentence():
    with pytest.raises(UserError, match="check qdrant_url"):
        ClientStore(connect(url="http://127.0.0.1:9"), collection="x", dimension=lambda: DIMENSION, local=False)


def test_another_embedder_makes_the_collection_again():
    client = connect()
    options = {"collection": "c", "local": True, "owner": "me"}
    ClientStore(client, embedder="x", dimension=lambda: DIMENSION, **options).upsert([point(1)])
    assert ClientStore(client, embedder="x", dimension=lambda: DIMENSION, **options).count() == 1
    assert ClientStore(client, embedder="y", dimension=lambda: 4, **options).count() == 0
    with pytest.raises(UserError, match="another index"):
        ClientStore(client, embedder="y", dimension=lambda: 4, **options | {"owner": "you"})


def test_a_key_does_not_go_over_the_network_in_the_clear():
    with pytest.raises(UserError, match="https"):
        connect(url="http://qdrant.example:6333", api_key="secret")
    with pytest.warns(UserWarning, match="insecure"):  # the library's, which is right but for loopback
        connect(url="http://127.0.0.1:9", api_key="secret").close()


def test_lists_the_paths_of_its_points(store):
    assert store.paths() == []
    store.upsert([point(1, path="b.py"), point(2, path="a.py"), point(3, path="b.py")])
    assert store.paths() == ["a.py", "b.py"]


def test_a_reader_never_makes_a_collection():
    client = connect()
    options = {"collection": "c", "local": True, "dimension": lambda: DIMENSION}
    with pytest.raises(UserError, match="no collection c"):
        ClientStore(client, embedder="x", read_only=True, **options)
    assert not client.collection_exists("c")
    ClientStore(client, embedder="x", owner="me", **options).upsert([point(1)])
    with pytest.raises(UserError, match="made by the embedder x"):
        ClientStore(client, embedder="y", read_only=True, **options)
    assert ClientStore(client, embedder="x", read_only=True, **options).count() == 1
