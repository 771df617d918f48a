"""Summaries of files: beside which index they are kept, and with what they are forgotten."""

from contextlib import closing
from dataclasses import replace

import pytest
from indexes import opened, setup
from test_threads import turn

from memcache_lsp import engine, forgetting, paths
from memcache_lsp.caches import Registry
from memcache_lsp.config import UserSettings
from memcache_lsp.threads import keeping, summaries
from memcache_lsp.threads.disk import Threads
from memcache_lsp.threads.records import Place


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "notes"
    folder.mkdir()
    (folder / "okapi.md").write_text("# The okapi\n\nIt browses leaves at dusk.\n")
    return folder


@pytest.fixture
def threads():
    with closing(Threads()) as threads:
        yield threads


def index_project(folder):
    with opened(folder) as project:
        project.update()


def index_single(folder):
    cache = Registry().add("single", [folder / "okapi.md"])
    (ground,) = cache.grounds
    with closing(engine.open_project(engine.of_cache(setup(folder), ground, cache), purpose="a test")) as project:
        project.update()
    return ground


def summary_of(folder):
    written = turn("Summarize this file.", answer="It browses [1].")
    places = {"okapi.md": Place(str(folder), "okapi.md")}
    return replace(written, places=places, asked={"question": written.question, "intent": "summarize"})


def test_a_summary_goes_with_the_cache_of_its_file_also_where_the_folder_is_a_project(folder, threads):
    index_project(folder)
    summaries.write(folder, "okapi.md", "earlier", summary_of(folder))
    ground = index_single(folder)
    assert summaries.read(folder, "okapi.md", "earlier") == summary_of(folder)
    summaries.write(folder, "okapi.md", "key", summary_of(folder))
    assert summaries.read(folder, "okapi.md", "key") == summary_of(folder)
    assert summaries.read(folder, "okapi.md", "earlier") is None  # the new one takes its place
    Registry().remove("single")
    forgetting.forget(ground, registry=Registry(), user=UserSettings(), threads=threads)
    assert summaries.read(folder, "okapi.md", "key") is None
    assert not list(paths.cache_dir().rglob("summaries-1/*"))
    assert (paths.index_dir(folder) / "manifest.sqlite").exists()


def test_a_summary_goes_with_the_thread_that_a_user_deletes(folder, threads):
    index_project(folder)
    first = threads.remember(summary_of(folder), thread_id=None, roots=[str(folder)], key="key")
    twin = threads.remember(summary_of(folder), thread_id=None, roots=[str(folder)], key="key")
    summaries.write(folder, "okapi.md", "key", summary_of(folder))
    keeping.delete(threads, first.thread_id)
    assert summaries.read(folder, "okapi.md", "key") == summary_of(folder)  # the other thread has it still
    keeping.delete(threads, twin.thread_id)
    assert summaries.read(folder, "okapi.md", "key") is None


def test_a_newer_summary_stays_when_an_earlier_thread_is_deleted(folder, threads):
    index_project(folder)
    first = threads.remember(summary_of(folder), thread_id=None, roots=[str(folder)], key="key")
    summaries.write(folder, "okapi.md", "of the changed file", summary_of(folder))
    keeping.delete(threads, first.thread_id)
    assert summaries.read(folder, "okapi.md", "of the changed file") == summary_of(folder)


def test_a_thread_that_is_pruned_leaves_its_summary(folder, threads, monkeypatch):
    monkeypatch.setattr("memcache_lsp.threads.disk.MOST_THREADS", 1)
    index_project(folder)
    threads.remember(summary_of(folder), thread_id=None, roots=[str(folder)], key="key")
    summaries.write(folder, "okapi.md", "key", summary_of(folder))
    threads.remember(turn(), thread_id=None, roots=[str(folder)])
    assert threads.find("key") is None
    assert summaries.read(folder, "okapi.md", "key") == summary_of(folder)
