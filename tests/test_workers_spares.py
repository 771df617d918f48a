"""Processes of index workers that wait for work: who needs one takes it."""

from pathlib import Path

import pytest
from test_workers_index import POISONED, TESTS, jobs_of, recipe_of, summary, wait_for_end

from memcache_lsp.preparing import INDEXED
from memcache_lsp.workers.index import IndexWorker
from memcache_lsp.workers.spares import MOST, Spares


@pytest.fixture
def spares():
    spares = Spares()
    yield spares
    spares.close()


@pytest.fixture
def worker_of(tmp_path, monkeypatch, spares):
    """Make a worker of a root of its own."""
    monkeypatch.setenv("PYTHONPATH", str(TESTS))
    made = []

    def make(name, *, hurried=True, **options):
        root = tmp_path / name
        root.mkdir(exist_ok=True)
        recipe = recipe_of(root)
        options = {"log": tmp_path / "log", "share": lambda: 0.0, "hurried": lambda: hurried} | options
        made.append(IndexWorker(recipe, spares=spares, **options))
        return made[-1]

    yield make
    for worker in made:
        worker.close()


def test_the_next_root_takes_the_process_of_the_one_before(worker_of, spares, tmp_path):
    one, other = worker_of("one"), worker_of("other")
    for name in ("one", "other"):
        (tmp_path / name / "a.py").write_text(f"def of_{name}():\n    return 1\n")
    found = one.prepare(jobs_of("a.py"))
    pid = one.pid
    one.rest()
    assert (one.pid, spares.pids) == (None, [pid])
    again = other.prepare(jobs_of("a.py"))
    assert (other.pid, other.starts, spares.pids) == (pid, 0, [])
    assert [result.points[0].payload["symbol"] for result in (*found, *again)] == ["of_one", "of_other"]
    one.prepare(jobs_of("a.py"))  # the other is at work with it
    assert one.pid not in {pid, None}


def test_one_of_low_priority_is_not_for_who_hurries(worker_of):
    slow, quick = worker_of("slow", hurried=False, command=POISONED), worker_of("quick", command=POISONED)
    slow.prepare(jobs_of("a"))
    pid = slow.pid
    slow.rest()
    quick.prepare(jobs_of("a"))
    assert quick.pid != pid
    again = worker_of("again", hurried=False, command=POISONED)
    again.prepare(jobs_of("a"))
    assert again.pid == pid


def test_a_process_that_ended_meanwhile_is_not_taken(worker_of, spares):
    one, other = worker_of("one", command=POISONED), worker_of("other", command=POISONED)
    one.prepare(jobs_of("a"))
    pid, link = one.pid, one._link
    one.rest()
    link.child.kill()
    assert link.child.join(10)
    assert wait_for_end(pid)
    assert summary(other.prepare(jobs_of("a"))) == {"a": INDEXED}
    assert other.pid != pid


def test_no_more_are_kept_than_one_root_can_use_and_none_when_closed(worker_of, spares):
    workers = [worker_of(f"w{number}", command=POISONED) for number in range(MOST + 2)]
    for worker in workers:
        worker.prepare(jobs_of("a"))
    pids = [worker.pid for worker in workers]
    for worker in workers[:-1]:
        worker.rest()
    assert wait_for_end(pids[MOST])
    assert all(Path(f"/proc/{pid}").exists() for pid in pids[:MOST])
    spares.close()
    assert all(map(wait_for_end, pids[:MOST]))
    workers[-1].rest()
    assert wait_for_end(pids[-1])
