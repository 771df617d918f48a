"""The table of files: a row put in place of another leaves a table like a fresh one; facts survive their bytes."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from ranking import row

from memcache_lsp.ranking import FileTable, make_facts
from memcache_lsp.ranking.facts import decoded, name_hash
from memcache_lsp.tokens import pieces
from memcache_lsp.values import Chunk, Definition, Span

PATHS = ("src/retry.py", "src/queue/pool.py", "src/queue/__init__.py", "docs/retry.md", "a/b/c/d/e.py")
NAMES = ("retry", "Pool", "take", "give")

changes = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.sampled_from(PATHS), st.frozensets(st.sampled_from(NAMES))),
        st.tuples(st.just("remove"), st.sampled_from(PATHS), st.just(frozenset())),
    ),
    max_size=20,
)


def state(table):
    return {
        "paths": sorted(table.rows()),
        "owners": {point: (owner.path, place) for point, (owner, place) in table.owners().items()},
        "defining": {name: sorted(each.path for each in table.defining(name)) for name in NAMES},
        "called": {path: sorted(each.path for each in table.called(path)) for path in (*PATHS, "x/" + PATHS[0])},
        "rarity": {
            kind: {word: table.rarity(kind)(word) for word in ("retri", "queue", "src", "pool", "e", "doc")}
            for kind in ("stem", "folders", "path")
        },
    }


@given(changes, st.integers(0, 20))
def test_a_table_that_was_changed_is_like_a_fresh_one(steps, loaded_at):
    """Whenever it is loaded: what comes before is read then, what comes after is put."""
    rows = {}
    table = FileTable(lambda: list(rows.values()))
    for at, (step, path, names) in enumerate(steps):
        if at == loaded_at:
            table.rows()
        if step == "put":
            rows[path] = row(path, names=sorted(names))
            table.put([rows[path]])
        else:
            rows.pop(path, None)
            table.put([], [path])
    assert state(table) == state(FileTable(lambda: list(rows.values())))


def test_a_table_is_loaded_when_it_is_asked_and_once():
    loads = []

    def load():
        loads.append(1)
        return [row("a.py")]

    table = FileTable(load)
    table.put([row("b.py")])
    assert loads == []
    assert list(table.rows()) == ["a.py"]
    table.put([row("b.py")])
    assert sorted(table.rows()) == ["a.py", "b.py"]
    assert loads == [1]


def test_a_path_means_its_file_or_those_that_end_so():
    table = FileTable(lambda: [row("src/a/queue.py"), row("lib/queue.py"), row("queue.py"), row("src/my_queue.py")])
    called = lambda path: sorted(each.path for each in table.called(path))  # noqa: E731
    assert called("lib/queue.py") == ["lib/queue.py"]
    assert called("a/queue.py") == ["src/a/queue.py"]
    assert called("home/me/project/lib/queue.py") == ["lib/queue.py"]
    assert called("nowhere.py") == []


def chunk(start_line, *definitions, breadcrumb=()):
    found = tuple(Definition(name, kind, start_line) for name, kind in definitions)
    return Chunk(Span(0, 1, start_line, start_line + 9), "x", "function", "", breadcrumb, found)


def test_facts_survive_their_bytes():
    chunks = [
        chunk(1, ("Pool", "class"), ("size", "variable")),
        chunk(11, ("take", "method"), breadcrumb=("Pool",)),
        chunk(21, ("take", "function")),
    ]
    vectors = np.array([[1, 0, 0], [1, 1, 0], [1, 0, 0]], dtype=np.float32)
    made = make_facts(pieces("class Pool: uses_this and retry, ok"), chunks, vectors)
    again = decoded(made.encoded())
    for name in ("names", "chunks", "levels", "used", "lines", "mean"):
        assert np.array_equal(getattr(again, name), getattr(made, name)), name
    by_name = dict(zip(made.names.tolist(), zip(made.chunks.tolist(), made.levels.tolist(), strict=True), strict=True))
    assert by_name[name_hash("pool")] == (0, 100)
    assert by_name[name_hash("take")] == (2, 100)  # the function, not the method
    assert by_name[name_hash("size")] == (0, 50)
    assert name_hash("uses_this") in made.used.tolist()
    assert name_hash("Pool") not in made.used.tolist()  # its own
    assert made.mean.tolist() == [127, 42, 0]


def test_a_file_of_which_nothing_is_known_has_empty_facts():
    assert len(decoded(b"").names) == 0
    assert len(decoded(make_facts("", [], []).encoded()).mean) == 0
