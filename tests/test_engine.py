"""The engine on real files and the real store: what moves, what is remembered, what is told."""

import contextlib
import errno
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import indexes
import numpy as np
import pytest

from memcache_lsp import engine, indexing, paths, preparing
from memcache_lsp.chunking import chunker
from memcache_lsp.config import UserSettings
from memcache_lsp.errors import LockedError, Stopped, UserError
from memcache_lsp.manifest import Manifest
from memcache_lsp.overlay import Overlay
from memcache_lsp.preparing import FAILED, embedded_text, made_of
from memcache_lsp.ranking import FileTable
from memcache_lsp.ranking.confidence import LEAST
from memcache_lsp.reports import Skipped
from memcache_lsp.scopes import Scope
from memcache_lsp.searching import Searcher
from memcache_lsp.status import read_status
from memcache_lsp.store import edge
from memcache_lsp.store.client import ClientStore, connect
from memcache_lsp.store.contract import StoreBroken
from memcache_lsp.store.edge import EdgeStore
from memcache_lsp.values import Document, Found

EVERYWHERE = Scope()
HERE = Path(__file__).parent


@pytest.fixture
def project_folder(tmp_path):
    root = tmp_path / "project"
    (root / "pkg").mkdir(parents=True)
    (root / "pkg" / "retry.py").write_text('"""Try again."""\n\n\ndef backoff(attempt):\n    return 2**attempt\n')
    (root / "pkg" / "queue.py").write_text(
        "class ParcelQueue:\n    def push(self, parcel):\n        self.items.append(parcel)\n"
    )
    (root / "README.md").write_text("# Courier\n\nA parcel that fails too often goes to the dead letters.\n")
    return root


def update(root, **options):
    with indexes.opened(root, **options) as project:
        return project.update()


def search(root, question, scope=EVERYWHERE, **options):
    with indexes.opened(root, **options) as project:
        return [hit.path for hit in project.search(question, scope=scope, limit=10)]


def execute(folder, statement):
    with contextlib.closing(sqlite3.connect(folder / "manifest.sqlite")) as db:
        db.execute(statement)
        db.commit()


class Counting:
    """An embedder that counts what it embeds."""

    id = "counting"
    dimension = 4

    def __init__(self):
        self.texts = []

    def embed(self, texts):
        self.texts += texts
        rows = np.zeros((len(texts), 4), dtype=np.float32)
        rows[:, 0] = 1
        return rows

    def embed_query(self, text):
        return np.array([1, 0, 0, 0], dtype=np.float32)


def test_counts_what_was_added_changed_removed_and_left(project_folder):
    first = update(project_folder)
    assert (first.added, first.changed, first.removed, first.unchanged) == (3, 0, 0, 0)
    (project_folder / "README.md").write_text("# Courier\n\nNew words.\n")
    (project_folder / "pkg" / "queue.py").unlink()
    (project_folder / "new.py").write_text("x = 1\n")
    second = update(project_folder)
    assert (second.added, second.changed, second.removed, second.unchanged) == (1, 1, 1, 1)
    third = update(project_folder)
    assert (third.added, third.changed, third.removed, third.unchanged, third.chunks) == (0, 0, 0, 3, 0)


def test_a_change_within_the_clocks_grain_is_seen(project_folder):
    path = project_folder / "README.md"
    update(project_folder)
    before = path.stat()
    path.write_text(path.read_text().replace("dead", "DEAD"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size
    assert update(project_folder).changed == 1


def test_a_file_that_is_only_touched_is_not_embedded_again(project_folder):
    embedder = Counting()
    update(project_folder, with_embedder=embedder)
    embedder.texts.clear()
    os.utime(project_folder / "README.md", (1, 1))
    assert update(project_folder, with_embedder=embedder).unchanged == 3
    assert embedder.texts == []


def test_a_rename_embeds_nothing_again(project_folder):
    embedder = Counting()
    update(project_folder, with_embedder=embedder)
    embedder.texts.clear()
    (project_folder / "pkg" / "retry.py").rename(project_folder / "pkg" / "again.py")
    report = update(project_folder, with_embedder=embedder)
    assert (report.added, report.removed) == (1, 1)
    assert embedder.texts == []
    paths_found = search(project_folder, "backoff", with_embedder=embedder)
    assert "pkg/again.py" in paths_found
    assert "pkg/retry.py" not in paths_found


def test_another_embedder_makes_the_index_again_and_says_so(project_folder):
    update(project_folder)
    with indexes.opened(project_folder, with_embedder=Counting()) as project:
        assert len(project.notices) == 1
        assert "embedder changed" in project.notices[0]
        assert project.update().added == 3
    with indexes.opened(project_folder, with_embedder=Counting()) as project:
        assert project.notices == []


def test_another_chunker_makes_the_index_again(project_folder, monkeypatch):
    update(project_folder)
    monkeypatch.setattr(preparing, "CHUNKER_VERSION", "another")
    with indexes.opened(project_folder) as project:
        assert "chunker changed" in project.notices[0]
        assert project.update().added == 3


@pytest.mark.parametrize(
    "harm",
    [
        lambda folder: (folder / "manifest.sqlite").write_bytes(b"this is no database" * 100),
        lambda folder: (folder / "manifest.sqlite").unlink(),
        lambda folder: (folder / "shard" / "edge_config.json").write_text("{"),
        lambda folder: (folder / "shard" / "edge_config.json").unlink(),
        lambda folder: shutil.rmtree(folder / "shard"),
        lambda folder: execute(folder, "update files set point_ids = x'0102'"),
        lambda folder: execute(folder, "update meta set value = '{' where key = 'identity'"),
        lambda folder: execute(folder, "drop table files"),
        lambda folder: [p.write_bytes(b"\0" * 7) for p in (folder / "shard").rglob("*") if p.is_file()],
        lambda folder: (folder / "manifest.sqlite").write_bytes((folder / "manifest.sqlite").read_bytes()[:5000]),
    ],
)
def test_a_corrupt_index_is_made_again(project_folder, harm, tmp_path):
    update(project_folder)
    harm(paths.index_dir(project_folder))
    with indexes.opened(project_folder) as project:
        project.update()
        found = indexes.dump(project)
    assert found == indexes.fresh_dump(project_folder, tmp_path / "fresh")


@pytest.mark.parametrize("step", ["upsert", "commit", "delete"])
def test_a_failed_write_is_mended_by_the_next_command(project_folder, monkeypatch, tmp_path, step):
    """Also where the content has changed since, so that old points must go."""
    update(project_folder)
    (project_folder / "pkg" / "retry.py").write_text("def first():\n    return 1\n")
    owner = Manifest if step == "commit" else EdgeStore
    with monkeypatch.context() as context:
        context.setattr(owner, step, lambda *_, **__: (_ for _ in ()).throw(UserError("no")))
        with pytest.raises(UserError, match="no"):
            update(project_folder)
    assert read_status(project_folder).unfinished
    (project_folder / "pkg" / "retry.py").write_text("def second():\n    return 2\n")
    with indexes.opened(project_folder) as project:
        project.update()
        found = indexes.dump(project)
    assert found == indexes.fresh_dump(project_folder, tmp_path / "fresh")


def test_what_is_wrong_around_the_index_does_not_wipe_it(project_folder):
    update(project_folder)
    database = paths.index_dir(project_folder) / "manifest.sqlite"
    with contextlib.closing(sqlite3.connect(database, isolation_level=None)) as db:
        db.execute("begin exclusive")
        with pytest.raises(UserError, match="another program has it open"):
            update(project_folder)
        db.execute("rollback")
    assert update(project_folder).unchanged == 3


def test_a_swap_of_equal_files_is_seen(project_folder):
    """As a tarball or a build leaves them: the same size, the same time, another content under the same name."""
    a, b = project_folder / "a.py", project_folder / "b.py"
    a.write_text("def apple(): pass\n")
    b.write_text("def melon(): pass\n")
    for path in (a, b):
        os.utime(path, (1_000_000_000, 1_000_000_000))
    update(project_folder)
    time.sleep(2.1)  # beyond the clock's grain, so that only the change time tells
    update(project_folder)
    a.rename(project_folder / "c.tmp")
    b.rename(a)
    (project_folder / "c.tmp").rename(b)
    assert update(project_folder).changed == 2
    assert search(project_folder, "apple")[0] == "b.py"


def test_a_file_that_could_not_be_read_is_tried_again(project_folder, monkeypatch):
    real = preparing.read_document

    def refused(root, found, **options):
        if found.path == "README.md":
            return preparing.Loaded(Skipped("README.md", "unreadable: permission denied"), "")
        return real(root, found, **options)

    with monkeypatch.context() as context:
        context.setattr(preparing, "read_document", refused)
        assert update(project_folder).added == 2
    assert update(project_folder).added == 1


def test_a_language_that_changes_without_the_text_changes_the_points(project_folder, tmp_path):
    script = project_folder / "tool"
    script.write_text("#!/bin/bash\n\n\nrun() {\n  echo 1\n}\n" + "# filler\n" * 200)
    update(project_folder)
    script.write_text("#!/bin/fish\n\n\nrun() {\n  echo 1\n}\n" + "# filler\n" * 200)
    with indexes.opened(project_folder) as project:
        project.update()
        found = indexes.dump(project)
    assert found == indexes.fresh_dump(project_folder, tmp_path / "fresh")


def test_a_rebuild_keeps_the_index_until_all_is_ready(project_folder):
    update(project_folder)
    with contextlib.closing(
        engine.open_project(indexes.setup(project_folder), purpose="a test", rebuild=True)
    ) as project:
        assert project.update().added == 3


@pytest.mark.parametrize("settles", [False, True])
def test_what_an_update_told_survives_a_kill(project_folder, tmp_path, settles):
    killed = f"""
import os, pathlib, indexes
with indexes.opened(pathlib.Path({str(project_folder)!r})) as project:
    project.update()
    if {settles}:
        project.settle()
    os._exit(9)
"""
    subprocess.run([sys.executable, "-c", killed], check=False, env={**os.environ, "PYTHONPATH": str(HERE)})
    assert read_status(project_folder).unfinished is not settles
    with indexes.opened(project_folder) as project:
        found = indexes.dump(project)
        report = project.update()
        project.settle()
        assert not read_status(project_folder).unfinished
    assert (report.added, report.changed, report.unchanged) == (0, 0, 3)
    assert found == indexes.fresh_dump(project_folder, tmp_path / "fresh")


def test_a_search_goes_first_at_each_step_of_settling(project_folder, monkeypatch):
    """Whoever searches as soon as the index is ready waits for no more than one step."""
    searches = threading.Event()
    seen = []
    with indexes.opened(project_folder) as project:
        project.update()

        class Lock:
            """The project's own, which says when a search wants it."""

            def __init__(self, lock):
                self._lock = lock

            def __enter__(self):
                if threading.current_thread() is searcher:
                    searches.set()
                self._lock.acquire()

            def __exit__(self, *_):
                self._lock.release()

        def flushing():
            searcher.start()
            assert searches.wait(20)
            assert not seen  # it waits for this step
            yield
            assert seen  # and not for the next

        def search():
            seen.append(project.search("retry", scope=Scope(), limit=1))

        searcher = threading.Thread(target=search)
        monkeypatch.setattr(project, "_lock", Lock(project._lock))
        monkeypatch.setattr(project._store, "flushing", flushing)
        monkeypatch.setattr(engine, "_GOES_FIRST_S", 20)
        project.settle()
        searcher.join()
        assert not read_status(project_folder).unfinished


def test_an_index_that_does_not_settle_is_mended_by_the_next_opening(project_folder, monkeypatch, tmp_path):
    with monkeypatch.context() as context:
        context.setattr(EdgeStore, "flushing", lambda _: (_ for _ in ()).throw(StoreBroken("store: no")))
        project = engine.open_project(indexes.setup(project_folder), purpose="a test")
        project.update()
        with pytest.raises(StoreBroken):
            project.settle()
        project.close()  # which whoever rebuilds it waits for
    assert read_status(project_folder).unfinished
    with indexes.opened(project_folder) as project:
        assert project.update().unchanged == 3
        found = indexes.dump(project)
    assert not read_status(project_folder).unfinished
    assert found == indexes.fresh_dump(project_folder, tmp_path / "fresh")


def test_closing_waits_for_the_update(project_folder):
    for number in range(200):
        (project_folder / f"filler{number}.py").write_text(f"def filler{number}():\n    return {number}\n" * 20)
    project = engine.open_project(indexes.setup(project_folder), purpose="a test")
    begun = threading.Event()
    stop = threading.Event()

    def run():
        with contextlib.suppress(Stopped):
            project.update(on_progress=lambda _: begun.set(), cancelled=stop.is_set)

    thread = threading.Thread(target=run)
    thread.start()
    begun.wait(30)
    stop.set()
    project.close()
    thread.join(30)
    assert not read_status(project_folder).unfinished


def test_a_second_process_is_told_who_holds_the_index(project_folder):
    with indexes.opened(project_folder):
        code = (
            "import sys; sys.path.insert(0, sys.argv[2])\n"
            "import indexes; from memcache_lsp import engine; from memcache_lsp.errors import LockedError\n"
            "try:\n    engine.open_project(indexes.setup(sys.argv[1]), purpose='second', wait_s=0.1)\n"
            "except LockedError as error:\n    print(error)\n"
        )
        out = subprocess.run(
            [sys.executable, "-c", code, project_folder, str(indexes.HERE)], capture_output=True, text=True, check=True
        ).stdout
    assert "in use by process" in out
    assert "(a test, since" in out


def test_the_lock_goes_with_the_project(project_folder):
    update(project_folder)
    with indexes.opened(project_folder):
        with pytest.raises(LockedError):
            engine.open_project(indexes.setup(project_folder), purpose="second", wait_s=0.01)
    assert search(project_folder, "backoff")[0] == "pkg/retry.py"


def test_searches_while_it_indexes(project_folder, monkeypatch):
    """The first batch can be found while the second is being read."""
    for number in range(30):
        (project_folder / f"filler{number}.py").write_text(f"def filler{number}():\n    return {number}\n")
    monkeypatch.setattr(indexing, "_BATCH_FILES", 1)
    found = []
    with indexes.opened(project_folder) as project:
        asked = threading.Event()

        def on_progress(progress):
            if progress.done == 3 and not asked.is_set():
                found.extend(hit.path for hit in project.search("backoff", scope=EVERYWHERE, limit=10))
                asked.set()

        project.update(on_progress=on_progress, asked=lambda: "how does retry work")
    assert found[0] == "pkg/retry.py"  # read first, for its path shares a word with the question


def test_stopping_keeps_what_was_done(project_folder, monkeypatch):
    monkeypatch.setattr(indexing, "_BATCH_FILES", 1)
    with indexes.opened(project_folder) as project:
        done = 0

        def on_progress(progress):
            nonlocal done
            done = progress.done

        with pytest.raises(Stopped):
            project.update(on_progress=on_progress, cancelled=lambda: done >= 1)
    report = update(project_folder)
    assert report.added == 2
    assert report.unchanged == 1


def test_a_file_that_breaks_the_chunker_costs_only_itself(project_folder, monkeypatch, tmp_path):
    real = chunker.chunk

    def chunk(document):
        if document.path == "pkg/queue.py":
            raise RuntimeError("boom")
        return real(document)

    monkeypatch.setattr(chunker, "chunk", chunk)
    report = update(project_folder)
    assert [f.path for f in report.failed] == ["pkg/queue.py"]
    assert "boom" in report.failed[0].reason
    assert report.added == 2
    assert [f.path for f in read_status(project_folder).failed] == ["pkg/queue.py"]
    assert [f.path for f in update(project_folder).failed] == ["pkg/queue.py"]  # named until it is mended


def test_scope_filters_before_the_search(project_folder):
    update(project_folder)
    assert search(project_folder, "parcel", Scope(globs=("*.md",))) == ["README.md"]
    assert search(project_folder, "parcel", Scope(globs=("pkg/",))) == ["pkg/queue.py", "pkg/retry.py"]
    assert set(search(project_folder, "parcel", Scope(globs=("*.py", "!queue.py")))) == {"pkg/retry.py"}
    assert search(project_folder, "parcel", Scope(languages=("markdown",))) == ["README.md"]
    assert search(project_folder, "parcel", Scope(kinds=("section",))) == ["README.md"]
    assert search(project_folder, "parcel", Scope(globs=("nothing/**",))) == []


def test_a_full_disk_is_one_sentence_and_loses_nothing(project_folder, monkeypatch, tmp_path):
    update(project_folder)
    (project_folder / "README.md").write_text("# Other\n")

    with monkeypatch.context() as context:
        real = Manifest.commit

        def commit(self, *args, **kwargs):
            self._db = FullDisk(self._db)
            return real(self, *args, **kwargs)

        context.setattr(Manifest, "commit", commit)
        with pytest.raises(UserError, match="disk is full"):
            update(project_folder)
    assert update(project_folder).changed == 1
    with indexes.opened(project_folder) as project:
        found = indexes.dump(project)
    assert found == indexes.fresh_dump(project_folder, tmp_path / "fresh")


def full_disk():
    error = sqlite3.OperationalError("database or disk is full")
    error.sqlite_errorcode = sqlite3.SQLITE_FULL
    return error


class FullDisk:
    """A connection on a full disk."""

    def __init__(self, db):
        self.db = db

    def __enter__(self):
        return self.db.__enter__()

    def __exit__(self, *args):
        return self.db.__exit__(*args)

    def executemany(self, *_):
        raise full_disk()

    def __getattr__(self, name):
        return getattr(self.db, name)


def test_the_store_tells_a_full_disk(tmp_path, monkeypatch):
    store = EdgeStore(tmp_path / "shard", dimension=lambda: 4)

    class Full:
        def update(self, _):
            raise Exception(f"Service runtime error: No space left on device (os error {errno.ENOSPC})")  # noqa: TRY002

        def close(self):
            pass

    real, store._opened = store._shard, Full()
    with pytest.raises(UserError, match="is full"):
        store.delete([1])
    real.close()
    assert EdgeStore(tmp_path / "shard", dimension=lambda: 4).count() == 0


def test_a_store_that_could_not_be_made_is_made_the_next_time(tmp_path, monkeypatch):
    store = EdgeStore(tmp_path / "shard", dimension=lambda: 4)
    assert store.count() == 0
    assert not (tmp_path / "shard").exists()  # not before something is written

    def full(*_):
        raise Exception(f"Service runtime error: No space left on device (os error {errno.ENOSPC})")  # noqa: TRY002

    with monkeypatch.context() as context:
        context.setattr(edge.qe.EdgeShard, "create", full)
        with pytest.raises(UserError, match="is full"):
            store.paths()
    assert store.paths() == list(store.ids()) == []
    assert (tmp_path / "shard" / "edge_config.json").exists()
    store.close()


def test_status_tells_files_chunks_failures_and_size(project_folder):
    assert read_status(project_folder) is None
    (project_folder / "blob.py").write_bytes(bytes(range(256)) * 10)
    (project_folder / "package-lock.json").write_text("{}")
    update(project_folder)
    status = read_status(project_folder)
    assert status.indexed == 3
    assert status.chunks >= 3
    assert status.size_bytes > 0
    assert not status.unfinished
    assert status.holder is None
    reasons = {s.path: s.reason for s in status.skipped}
    assert "binary" in reasons["blob.py"]
    assert "lock" in reasons["package-lock.json"]
    with indexes.opened(project_folder):
        assert "(a test, since" in read_status(project_folder).holder


def test_dropping_forgets_everything(project_folder):
    update(project_folder)
    folder = paths.index_dir(project_folder)
    assert engine.drop_index(project_folder, UserSettings())
    assert not folder.exists()
    assert not engine.drop_index(project_folder, UserSettings())


def test_nothing_is_written_into_the_project(project_folder):
    before = sorted(p.relative_to(project_folder) for p in project_folder.rglob("*"))
    update(project_folder)
    search(project_folder, "parcel")
    assert sorted(p.relative_to(project_folder) for p in project_folder.rglob("*")) == before


@pytest.mark.parametrize(
    ("question", "answers"),
    [
        ("where is the parcel", True),
        ("parcel", True),
        ("xylophone", False),
        ("xylophone concerto", False),
        ("Whose xylophone's cadenza?", False),
        ("how long should I boil eggs so that the yolk stays soft", False),
        ("ParcelError: the parcel of xylophones is lost", True),
        ("", False),
    ],
)
def test_it_tells_what_it_does_not_answer(project_folder, question, answers):
    with indexes.opened(project_folder) as project:
        project.update()
        hits = project.search(question, scope=Scope(), limit=20, per_file=3)
        assert (project.confidence(question, hits) >= LEAST) is answers


def test_failed_is_a_status_that_the_manifest_keeps(tmp_path):
    manifest = Manifest(tmp_path / "m.sqlite")
    record = indexing._record(preparing.failed(preparing.Job(Found("a", 1, 2)), 3, "why"), None)
    manifest.commit([record])
    assert [r.path for r in manifest.reasons(FAILED)] == ["a"]
    manifest.close()


def test_without_the_embedded_engine_the_local_mode_serves(project_folder, monkeypatch):
    update(project_folder)
    monkeypatch.setattr("memcache_lsp.store.opening._embedded", lambda: "local")
    with indexes.opened(project_folder) as project:
        assert "store changed" in project.notices[0]
        assert project.update().added == 3
        assert type(project._store).__name__ == "ClientStore"
    assert search(project_folder, "backoff")[0] == "pkg/retry.py"


@pytest.fixture
def server(monkeypatch):
    """Stand in for a Qdrant server by one client in memory that outlives its users."""
    from memcache_lsp.store import client

    shared = client.connect()
    monkeypatch.setattr(client, "connect", lambda **_: shared)
    monkeypatch.setattr(shared, "close", lambda: None)
    monkeypatch.setattr(shared, "create_payload_index", lambda *_, **__: None)  # the local mode warns that it has none
    return shared


def test_a_server_holds_the_index_and_forgets_it(project_folder, server):
    settings = {"qdrant_url": "http://stand-in", "qdrant_collection": "team"}
    update(project_folder, **settings)
    assert server.count("team").count >= 3
    assert search(project_folder, "backoff", **settings)[0] == "pkg/retry.py"
    (project_folder / "README.md").unlink()
    assert update(project_folder, **settings).removed == 1
    assert engine.drop_index(project_folder, UserSettings(**settings))
    assert not server.collection_exists("team")


def test_a_lost_manifest_leaves_no_orphans_on_a_server(project_folder, server):
    settings = {"qdrant_url": "http://stand-in", "qdrant_collection": "team"}
    update(project_folder, **settings)
    before = server.count("team").count
    for path in paths.index_dir(project_folder).glob("manifest*"):
        path.unlink()
    (project_folder / "README.md").unlink()
    update(project_folder, **settings)
    assert server.count("team").count < before


def test_a_collection_that_another_index_writes_is_left_alone(project_folder, server, tmp_path):
    settings = {"qdrant_url": "http://stand-in", "qdrant_collection": "team"}
    update(project_folder, **settings)
    before = server.count("team").count
    other = tmp_path / "other"
    other.mkdir()
    (other / "x.py").write_text("x = 1\n")
    update(other)  # it has an index of its own
    with pytest.raises(UserError, match="written by another index"):
        update(other, **settings)
    with pytest.raises(UserError, match="written by another index"):
        engine.drop_index(other, UserSettings(**settings))
    assert server.count("team").count == before
    update(other, **settings | {"qdrant_collection": "team-{project}"})
    assert server.collection_exists("team-other")


def test_readers_of_a_team_search_what_another_indexed(project_folder, server, tmp_path):
    settings = {"qdrant_url": "http://stand-in", "qdrant_collection": "team"}
    update(project_folder, **settings)
    before = server.count("team").count
    elsewhere = tmp_path / "another" / "checkout"
    elsewhere.mkdir(parents=True)
    reader = settings | {"qdrant_read_only": True}
    assert update(elsewhere, **reader).added == 0
    assert search(elsewhere, "backoff", **reader)[0] == "pkg/retry.py"
    assert search(elsewhere, "parcel", Scope(globs=("*.md",)), **reader) == ["README.md"]
    assert server.count("team").count == before


def test_a_nearly_full_disk_is_told_before_it_is_written_to(project_folder, monkeypatch, tmp_path):
    """The embedded engine maps its files: writing to a full disk would be a SIGBUS, not an error."""
    from memcache_lsp.store import edge

    update(project_folder)
    (project_folder / "README.md").write_text("# Other\n")
    with monkeypatch.context() as context:
        context.setattr(edge.shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 10**9, 10**7))
        with pytest.raises(UserError, match="nearly full"):
            update(project_folder)
        assert search(project_folder, "backoff")[0] == "pkg/retry.py"
    with indexes.opened(project_folder) as project:
        assert project.update().changed == 1
        found = indexes.dump(project)
    assert found == indexes.fresh_dump(project_folder, tmp_path / "fresh")


def test_two_indexes_of_the_same_files_answer_alike(tmp_path, monkeypatch):
    """Hundreds of chunks tie by the words of their paths; which of them the store lists must not matter."""
    root = tmp_path / "routing"
    root.mkdir()
    for number in range(40):
        body = "\n\n".join(f"def route_{number}_{i}(request):\n    return request.path({i})\n" * 3 for i in range(12))
        (root / f"route_{number % 7}_{number}.py").write_text(body)
    answers = []
    for home in ("one", "two"):
        monkeypatch.setenv("MEMCACHE_HOME", str(tmp_path / home))
        with indexes.opened(root) as project:
            project.update()
            hits = project.search("how are requests routed", scope=EVERYWHERE, limit=10)
            answers.append([(hit.path, hit.span, hit.score) for hit in hits])
    assert answers[0] == answers[1]


def test_a_buffer_is_searched_up_to_the_size_of_a_file(example):
    """A larger one would take the searches long, and its file is not indexed either."""
    text = "def okapi():\n    return 1\n"
    with indexes.opened(example, max_file_size_bytes=1000) as project:
        for path, size in (("small.py", 900), ("large.py", 1100)):
            overlay = Overlay()
            overlay.put(path, text.ljust(size, "#"))
            hits = project.search("okapi", scope=Scope(), limit=3, overlay=overlay)
            assert [hit.path for hit in hits if hit.path == path] == ([path] if size < 1000 else [])


def test_an_index_that_was_edited_ranks_as_a_fresh_one(tmp_path, monkeypatch):
    """The table of files is kept in step row by row, in the very process that searches."""
    root = tmp_path / "project"
    for name in ("session", "router", "queue", "worker"):
        (root / "src" / name).mkdir(parents=True)
        (root / "src" / name / f"{name}.py").write_text(
            f"class {name.title()}:\n    def start_{name}(self):\n        return {name!r}\n"
        )
    questions = ("session storage", "start_queue", "how does the router start", "Worker", "src/queue/queue.py")

    def answers(project):
        return [[hit.path for hit in project.search(q, scope=EVERYWHERE, limit=10)] for q in questions]

    monkeypatch.setenv("MEMCACHE_HOME", str(tmp_path / "edited"))
    with indexes.opened(root) as project:
        project.update()
        before = answers(project)
        (root / "src" / "session" / "session.py").rename(root / "src" / "session" / "visit.py")
        (root / "src" / "queue" / "queue.py").write_text("def nothing():\n    return None\n")
        (root / "src" / "worker" / "worker.py").unlink()
        (root / "src" / "backlog.py").write_text("def start_queue():\n    return Worker()\n\nclass Worker: ...\n")
        project.update()
        edited = answers(project)
    assert edited != before
    monkeypatch.setenv("MEMCACHE_HOME", str(tmp_path / "fresh"))
    with indexes.opened(root) as project:
        project.update()
        assert answers(project) == edited


def test_a_reader_of_somebody_elses_store_ranks_by_what_it_finds(tmp_path):
    """It has no manifest: paths and vectors have to do, and symbols as words of the text."""
    store = ClientStore(connect(), collection="c", dimension=lambda: indexes.embedder().dimension, local=True)
    for path, text in (
        ("src/session.py", "class Session:\n    def open(self):\n        return 1\n"),
        ("tests/test_session.py", "def test_session():\n    assert Session().open()\n"),
        ("src/router.py", "def route(request):\n    return request\n"),
    ):
        document = Document(path, text, "python")
        chunks = chunker.chunk(document).chunks
        vectors = indexes.embedder().embed([embedded_text(chunk) for chunk in chunks])
        store.upsert(made_of(document, chunks, list(vectors))[0])
    table = FileTable(lambda: ())
    searcher = Searcher(store, indexes.embedder(), paths=store.paths, table=table, learns=True)
    for question in ("session", "Session", "how are sessions opened"):
        assert searcher.search(question, scope=EVERYWHERE, limit=5)[0].path == "src/session.py", question
    assert searcher.search("route a request", scope=EVERYWHERE, limit=5)[0].path == "src/router.py"
    assert set(table.rows()) == {"src/session.py", "tests/test_session.py", "src/router.py"}
    store.close()
