"""The cache of vectors: the same rows cached or fresh, shared, bounded, and never a reason to fail."""

from __future__ import annotations

import logging
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memcache_lsp.config import UserSettings
from memcache_lsp.vectors import VectorCache, embed_cached, text_key


class CountingEmbedder:
    """Embed by the characters of a text, and remember what was asked."""

    def __init__(self, name="counting", dimension=8):
        self.id = name
        self.dimension = dimension
        self.asked: list[str] = []

    def embed(self, texts: Sequence[str]):
        self.asked += texts
        rows = np.zeros((len(texts), self.dimension), dtype=np.float32)
        for i, text in enumerate(texts):
            seed = int.from_bytes(text_key(text)[:4], "little")
            rows[i] = np.random.default_rng(seed).standard_normal(self.dimension)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    def embed_query(self, text):
        return self.embed([text])[0]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "vectors.sqlite"


@pytest.fixture
def embedder():
    return CountingEmbedder()


def test_cached_equals_fresh_bit_by_bit(path, embedder):
    with VectorCache(path) as cache:
        fresh = embed_cached(embedder, cache, ["a", "b"])
        again = embed_cached(embedder, cache, ["b", "a"])
    assert fresh.dtype == again.dtype == np.float32
    assert np.array_equal(fresh, again[::-1])
    assert np.allclose(fresh, embedder.embed(["a", "b"]), atol=1e-3)
    assert embedder.asked[:2] == ["a", "b"]


def test_only_the_missing_are_embedded_and_each_once(path, embedder):
    with VectorCache(path) as cache:
        embed_cached(embedder, cache, ["a"])
        embedder.asked.clear()
        rows = embed_cached(embedder, cache, ["b", "a", "b", "c"])
    assert embedder.asked == ["b", "c"]
    assert np.array_equal(rows[0], rows[2])


def test_rows_outlive_the_process(path, embedder):
    with VectorCache(path) as cache:
        embed_cached(embedder, cache, ["a"])
    embedder.asked.clear()
    with VectorCache(path) as cache:
        embed_cached(embedder, cache, ["a"])
    assert embedder.asked == []


def test_embedders_are_kept_apart(path, embedder):
    other = CountingEmbedder("other", dimension=4)
    with VectorCache(path) as cache:
        embed_cached(embedder, cache, ["a"])
        assert embed_cached(other, cache, ["a"]).shape == (1, 4)
    assert other.asked == ["a"]


def test_no_texts(path, embedder):
    with VectorCache(path) as cache:
        assert embed_cached(embedder, cache, []).shape == (0, 8)


def test_more_keys_than_one_query_takes(path, embedder):
    texts = [f"text {i}" for i in range(1_234)]
    with VectorCache(path) as cache:
        fresh = embed_cached(embedder, cache, texts)
        embedder.asked.clear()
        assert np.array_equal(embed_cached(embedder, cache, texts), fresh)
    assert embedder.asked == []


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(st.text(st.characters(codec=None), max_size=4), max_size=6), max_size=6))
def test_any_sequence_of_batches_gives_the_same_as_no_cache(tmp_path_factory, batches):
    embedder = CountingEmbedder()
    with VectorCache(tmp_path_factory.mktemp("v") / "v.sqlite") as cache:
        for batch in batches:
            expected = embedder.embed(batch).astype(np.float16).astype(np.float32)
            assert np.array_equal(embed_cached(embedder, cache, batch), expected)


def test_text_keys_differ_also_for_lone_surrogates():
    assert len({text_key(t) for t in ("", "a", "\ud800", "\udfff", "?")}) == 5


class TestFaults:
    def fill(self, path, embedder):
        with VectorCache(path) as cache:
            embed_cached(embedder, cache, [f"text {i}" for i in range(300)])
        embedder.asked.clear()

    def works_again(self, path, embedder):
        with VectorCache(path) as cache:
            embed_cached(embedder, cache, ["text 1"])
        embedder.asked.clear()
        with VectorCache(path) as cache:
            embed_cached(embedder, cache, ["text 1"])
        assert embedder.asked == []

    @pytest.mark.parametrize("content", [b"not a database at all" * 100, b"SQLite format 3\0" + b"\xff" * 5000])
    def test_a_file_that_is_no_cache_is_made_anew(self, path, embedder, caplog, content):
        path.write_bytes(content)
        with VectorCache(path) as cache:
            assert embed_cached(embedder, cache, ["a"]).shape == (1, 8)
        assert "made anew" in caplog.text
        self.works_again(path, embedder)

    def test_another_format_is_made_anew(self, path, embedder, caplog):
        self.fill(path, embedder)
        with sqlite3.connect(path) as db:
            db.execute("PRAGMA user_version = 999")
        db.close()
        self.works_again(path, embedder)
        assert "format 999" in caplog.text

    def test_a_missing_table_is_made_anew(self, path, embedder):
        self.fill(path, embedder)
        with sqlite3.connect(path) as db:
            db.execute("DROP TABLE vector")
        db.close()
        self.works_again(path, embedder)

    @pytest.mark.parametrize("keep", [0, 10, 4096, 9000])
    def test_a_cut_file_never_fails(self, path, embedder, keep):
        self.fill(path, embedder)
        path.write_bytes(path.read_bytes()[:keep])
        self.works_again(path, embedder)

    @pytest.mark.parametrize("seed", range(8))
    def test_scribbled_pages_never_give_a_wrong_row(self, path, embedder, seed):
        self.fill(path, embedder)
        data = bytearray(path.read_bytes())
        random = np.random.default_rng(seed)
        for at in random.integers(100, len(data), 400):
            data[at] = int(random.integers(0, 256))
        path.write_bytes(data)
        texts = [f"text {i}" for i in range(300)]
        expected = CountingEmbedder().embed(texts).astype(np.float16).astype(np.float32)
        for _ in range(2):
            with VectorCache(path) as cache:
                assert np.array_equal(embed_cached(embedder, cache, texts), expected)

    def test_corruption_met_while_open_is_survived(self, path, embedder, caplog):
        self.fill(path, embedder)
        with VectorCache(path) as cache:
            size = path.stat().st_size
            path.write_bytes(b"\x55" * size)
            assert embed_cached(embedder, cache, [f"text {i}" for i in range(300)]).shape == (300, 8)
            assert embed_cached(embedder, cache, ["a"]).shape == (1, 8)
        self.works_again(path, embedder)

    def test_a_folder_in_its_place_switches_it_off(self, path, embedder, caplog):
        path.mkdir()
        with VectorCache(path) as cache:
            assert embed_cached(embedder, cache, ["a", "a"]).shape == (2, 8)
            assert cache.size_bytes() == 0
        assert "switched off" in caplog.text

    def test_a_place_that_cannot_be_made_switches_it_off(self, tmp_path, embedder, caplog):
        (tmp_path / "file").write_text("")
        with VectorCache(tmp_path / "file" / "vectors.sqlite") as cache:
            assert embed_cached(embedder, cache, ["a"]).shape == (1, 8)
        assert "switched off" in caplog.text

    def test_no_space_switches_it_off(self, path, embedder, caplog):
        with VectorCache(path) as cache:
            embed_cached(embedder, cache, ["a"])
            cache._db.execute("PRAGMA max_page_count = 1")
            texts = [f"text {i}" for i in range(2_000)]
            assert embed_cached(embedder, cache, texts).shape == (2_000, 8)
        assert "switched off" in caplog.text
        self.works_again(path, embedder)


def test_a_closed_cache_embeds_still(path, embedder):
    cache = VectorCache(path)
    cache.close()
    assert embed_cached(embedder, cache, ["a"]).shape == (1, 8)


def test_closing_waits_for_a_write_in_another_thread(path, embedder):
    cache = VectorCache(path)
    closed = threading.Event()
    closer = threading.Thread(target=lambda: (cache.close(), closed.set()))
    closed_meanwhile = []

    def rows():
        yield text_key("a"), np.ones(8, dtype=np.float16)
        closer.start()
        closed_meanwhile.append(closed.wait(0.2))  # only what is wrong is seen in this time; what is right lasts it out
        yield text_key("b"), np.ones(8, dtype=np.float16)

    cache.put(embedder.id, rows())
    closer.join()
    assert closed_meanwhile == [False]
    with VectorCache(path) as cache:
        assert set(cache.get(embedder.id, [text_key("a"), text_key("b")], 8)) == {text_key("a"), text_key("b")}


def test_threads_take_turns(path):
    embedders = [CountingEmbedder() for _ in range(4)]
    with VectorCache(path) as cache:
        threads = [
            threading.Thread(target=lambda e=e: [embed_cached(e, cache, [f"{i}", f"{i + 1}"]) for i in range(100)])
            for e in embedders
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(cache.get("counting", [text_key(f"{i}") for i in range(101)], 8)) == 101


def test_a_misused_connection_costs_no_file(path, embedder, caplog):
    with VectorCache(path) as cache:
        embed_cached(embedder, cache, ["a"])
        cache._db.close()
        assert embed_cached(embedder, cache, ["b"]).shape == (1, 8)
    assert "switched off" in caplog.text
    embedder.asked.clear()
    with VectorCache(path) as cache:
        embed_cached(embedder, cache, ["a"])
    assert embedder.asked == []


class TestLimit:
    LIMIT = 400_000

    def embed_day(self, path, embedder, day, texts):
        with VectorCache(path, limit_bytes=self.LIMIT, clock=lambda: day) as cache:
            embed_cached(embedder, cache, texts)
            return cache.size_bytes()

    def test_the_longest_unused_go_first(self, path):
        embedder = CountingEmbedder(dimension=256)
        sizes = {"old": 300, "used": 200, "new": 250}  # together beyond the limit
        old, used, new = ([f"{name} {i}" for i in range(count)] for name, count in sizes.items())
        self.embed_day(path, embedder, 1, old)
        self.embed_day(path, embedder, 1, used)
        self.embed_day(path, embedder, 2, used)
        assert self.embed_day(path, embedder, 3, new) <= self.LIMIT
        embedder.asked.clear()
        self.embed_day(path, embedder, 3, new + used)
        assert embedder.asked == []
        self.embed_day(path, embedder, 3, old)
        assert embedder.asked

    def test_the_file_stays_near_the_limit(self, path):
        embedder = CountingEmbedder(dimension=256)
        for day in range(12):
            assert self.embed_day(path, embedder, day, [f"{day} {i}" for i in range(200)]) <= self.LIMIT
        assert path.stat().st_size < 2 * self.LIMIT

    def test_the_file_shrinks(self, path):
        embedder = CountingEmbedder(dimension=256)
        with VectorCache(path) as cache:
            embed_cached(embedder, cache, [f"{i}" for i in range(3_000)])
        assert path.stat().st_size > 4 * self.LIMIT
        self.embed_day(path, embedder, 2**31, ["a"])
        assert path.stat().st_size <= self.LIMIT

    def test_no_limit_means_the_programs_own(self, path, embedder):
        with VectorCache(path, limit_bytes=0) as cache:
            embed_cached(embedder, cache, ["a"])
            assert set(cache.get(embedder.id, [text_key("a")], 8)) == {text_key("a")}
            assert cache._limit_bytes == UserSettings().cache_limit_bytes == 1024**3

    def test_use_is_written_once_a_day(self, path, embedder):
        self.embed_day(path, embedder, 1, ["a"])
        with VectorCache(path, clock=lambda: 2) as cache:
            before = cache._db.total_changes
            embed_cached(embedder, cache, ["a"])
            assert cache._db.total_changes == before + 1
            embed_cached(embedder, cache, ["a"])
            assert cache._db.total_changes == before + 1


CHILD = """
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from test_vectors import CountingEmbedder
from memcache_lsp.vectors import VectorCache, embed_cached
import logging
logging.basicConfig(level=logging.WARNING)
with VectorCache(Path({path!r})) as cache:
    for start in range(0, 600, 20):
        embed_cached(CountingEmbedder(), cache, [f"text {{i}}" for i in range(start, start + 40)])
"""


def run_children(path, count):
    code = CHILD.format(tests=str(Path(__file__).parent), path=str(path))
    children = [subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True) for _ in range(count)]
    return [(child.communicate()[1], child.returncode) for child in children]


def test_several_processes_share_it(path, embedder):
    for errors, code in run_children(path, 3):
        assert code == 0, errors
        assert errors == ""
    with VectorCache(path) as cache:
        embed_cached(embedder, cache, [f"text {i}" for i in range(620)])
    assert embedder.asked == []


def test_several_processes_meet_a_corrupt_file(path, embedder):
    path.write_bytes(b"rubbish" * 1000)
    for errors, code in run_children(path, 3):
        assert code == 0, errors
    with VectorCache(path) as cache:
        embed_cached(embedder, cache, [f"text {i}" for i in range(620)])
        assert cache._db.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_sound_cache_warns_of_nothing(path, embedder, caplog):
    with caplog.at_level(logging.WARNING), VectorCache(path) as cache:
        embed_cached(embedder, cache, ["a"])
    assert caplog.records == []
