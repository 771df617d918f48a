"""The index worker with real children: whatever a file does to one, the call returns and only that file is failed."""

import os
import select
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from memcache_lsp.config import SizeLimits
from memcache_lsp.errors import ModelError, Stopped, UserError
from memcache_lsp.preparing import FAILED, INDEXED, Job, Preparer, Recipe
from memcache_lsp.programs import command_for
from memcache_lsp.values import Found
from memcache_lsp.workers import index
from memcache_lsp.workers.index import IndexWorker, backoff_s
from memcache_lsp.workers.pace import rest_s

TESTS = Path(__file__).parent
POISONED = command_for("memcache_lsp.workers.index_child", "workers_standins:Poisoned")


def jobs_of(*names):
    return [Job(Found(name, 1, 1)) for name in names]


def recipe_of(root, embedder=""):
    return Recipe(root, SizeLimits(), embedder, root / "vectors.sqlite", 1 << 24)


@pytest.fixture
def worker_of(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(TESTS))
    made = []

    def make(*, embedder="", share=lambda: 0.0, **options):
        options.setdefault("deadline_s", 30.0)
        options.setdefault("command", POISONED)
        worker = IndexWorker(recipe_of(tmp_path, embedder), share=share, log=tmp_path / "log", **options)
        made.append(worker)
        return worker

    yield make
    for worker in made:
        link = worker._link
        worker.close()
        assert link is None or link.child.join(30)  # reaped, no zombie


def wait_for_end(pid, timeout_s=10.0):
    """Wait until a process that is not ours has ended."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([fd], [], [], timeout_s)[0])
    finally:
        os.close(fd)


def summary(results):
    return {one.found.path: one.reason or one.status for one in results}


def test_the_same_as_in_process_at_the_lowest_priority(example, tmp_path):
    files = sorted(path for path in example.rglob("*") if path.is_file())
    jobs = [Job(Found(str(path.relative_to(example)), path.stat().st_size, path.stat().st_mtime_ns)) for path in files]
    recipe = Recipe(example, SizeLimits(), "", tmp_path / "vectors.sqlite", 1 << 24)
    here = Preparer(recipe)
    expected = here.prepare(jobs)
    here.close()
    worker = IndexWorker(recipe, log=tmp_path / "log")
    try:
        results = worker.prepare(jobs)
        status = Path(f"/proc/{worker.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        first = worker.pid
        worker.prepare(jobs[:1])
        assert worker.pid == first
    finally:
        worker.close()
    assert [(r.found, r.hash, r.status, r.reason) for r in results] == [
        (r.found, r.hash, r.status, r.reason) for r in expected
    ]
    assert [point.id for r in results for point in r.points] == [point.id for r in expected for point in r.points]
    assert sum(len(r.points) for r in results) > len(jobs)
    assert status[16] == "19"  # nice


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("crash", "it could not be indexed: reading it ended the indexing process (signal 11)"),
        ("leave", "it could not be indexed: reading it ended the indexing process (exit code 3)"),
        ("vanish", "it could not be indexed: reading it ended the indexing process (exit code 0)"),
        ("fail", "it could not be indexed: ValueError: secret text of the file"),
        ("nonsense", "it could not be indexed: the indexing process gave no usable result"),
        ("mistake", "it could not be indexed: the indexing process gave no usable result"),
        ("unsendable", "it could not be indexed: reading it ended the indexing process (exit code 1)"),
        ("garbage", "it could not be indexed: reading it ended the indexing process (signal 9)"),
    ],
)
def test_a_file_that_breaks_the_process_costs_only_itself(worker_of, tmp_path, name, reason):
    worker = worker_of()
    results = worker.prepare(jobs_of("a", "b", name, "c"))
    assert [one.found.path for one in results] == ["a", "b", name, "c"]
    assert summary(results) == {"a": INDEXED, "b": INDEXED, name: reason, "c": INDEXED}
    assert results[2].status == FAILED
    assert summary(worker.prepare(jobs_of("d"))) == {"d": INDEXED}
    assert "secret text" not in (tmp_path / "log").read_text(encoding="utf-8", errors="replace")


@pytest.mark.parametrize("name", ["spin", "hang", "freeze"])
def test_a_file_that_takes_for_ever_is_given_up_at_its_deadline(worker_of, name):
    worker = worker_of(deadline_s=0.4)
    results = worker.prepare(jobs_of("a", name, "b"))
    assert summary(results) == {
        "a": INDEXED,
        name: "it could not be indexed: it took longer than 0.4 s",
        "b": INDEXED,
    }
    assert worker.starts == 2  # at first, and for the others and then the file alone


def test_several_bad_files_in_one_batch(worker_of):
    worker = worker_of()
    names = ["a", "crash", "b", "crash.2", "fail", "c", "leave"]
    results = worker.prepare(jobs_of(*names))
    assert [one.found.path for one in results] == names
    assert [one.status == INDEXED for one in results] == [True, False, True, False, False, True, False]


@pytest.mark.parametrize("name", ["once-crash", "once-vanish", "once-hang", "once-freeze"])
def test_a_file_is_not_blamed_for_what_happens_once(worker_of, name):
    worker = worker_of(deadline_s=0.4)
    results = worker.prepare(jobs_of("a", name, "b"))
    assert [one.status for one in results] == [INDEXED] * 3


def test_what_is_printed_goes_to_the_log(worker_of, tmp_path):
    worker = worker_of()
    assert summary(worker.prepare(jobs_of("scribble", "a"))) == {"scribble": INDEXED, "a": INDEXED}
    assert b"printed to stdout" in (tmp_path / "log").read_bytes()


def test_an_error_that_is_no_files_fault_passes_as_it_is(worker_of):
    worker = worker_of()
    with pytest.raises(UserError, match="The embedder is gone: fetch it again."):
        worker.prepare(jobs_of("a", "refuse"))
    assert summary(worker.prepare(jobs_of("a"))) == {"a": INDEXED}


@pytest.mark.parametrize(
    ("embedder", "error", "words"),
    [
        ("missing", ModelError, "There is no such embedder"),
        ("broken", UserError, "RuntimeError"),
        ("deadly", UserError, "does not start: see .*log"),
    ],
)
def test_a_process_that_cannot_start_is_an_error_of_one_sentence(worker_of, embedder, error, words):
    worker = worker_of(embedder=embedder)
    with pytest.raises(error, match=words):
        worker.prepare(jobs_of("a"))
    assert worker.starts <= 3


def test_a_command_that_does_not_exist(worker_of, tmp_path):
    worker = worker_of(command=[str(tmp_path / "nothing")])
    with pytest.raises(UserError, match="does not start"):
        worker.prepare(jobs_of("a"))


def test_a_process_killed_while_idle_is_replaced_without_notice(worker_of):
    worker = worker_of()
    worker.prepare(jobs_of("a"))
    first = worker.pid
    os.kill(first, signal.SIGKILL)
    assert summary(worker.prepare(jobs_of("a", "b"))) == {"a": INDEXED, "b": INDEXED}
    assert worker.pid != first


def test_it_ends_when_idle_and_comes_back(worker_of):
    worker = worker_of(idle_s=0.2)
    for _ in range(4):  # each time the batch may meet the process leaving
        worker.prepare(jobs_of("a"))
        child = worker._link.child
        assert child.join(10)
        assert worker.pid is None
    assert worker.starts == 4


def test_a_batch_sent_while_the_process_leaves_is_sent_again(worker_of):
    """With no idle time at all the process leaves whenever it can, so that some batches meet it at the door."""
    worker = worker_of(idle_s=0.001)
    for number in range(10):
        assert summary(worker.prepare(jobs_of(f"file{number}"))) == {f"file{number}": INDEXED}


def test_pause_holds_the_next_batch_until_each_reason_is_gone(worker_of):
    worker = worker_of()
    worker.prepare(jobs_of("a"))
    worker.pause()
    worker.pause("question")
    results = []
    thread = threading.Thread(target=lambda: results.append(worker.prepare(jobs_of("b"))))
    thread.start()
    worker.resume()
    thread.join(0.3)
    assert thread.is_alive()
    assert worker.paused
    worker.resume("question")
    thread.join(10)
    assert summary(results[0]) == {"b": INDEXED}
    assert not worker.paused


@pytest.mark.parametrize("name", ["hang", "freeze", "spin"])
def test_cancelled_in_the_middle_it_stops_at_once(worker_of, name):
    worker = worker_of()
    worker.prepare(jobs_of("a"))
    began = []

    def cancelled():
        began.append(time.monotonic())
        return time.monotonic() - began[0] > 0.2

    with pytest.raises(Stopped):
        worker.prepare(jobs_of(name), cancelled=cancelled)
    assert time.monotonic() - began[0] < 20  # the deadline of a file is later
    assert worker.pid is None
    assert summary(worker.prepare(jobs_of("a"))) == {"a": INDEXED}


def test_cancelled_while_paused(worker_of):
    worker = worker_of()
    worker.pause()
    with pytest.raises(Stopped):
        worker.prepare(jobs_of("a"), cancelled=lambda: True)


def test_close_ends_what_runs(worker_of):
    worker = worker_of()
    worker.prepare(jobs_of("a"))
    pid = worker.pid
    raised = []

    def work():
        try:
            worker.prepare(jobs_of("hang"))
        except Stopped as error:
            raised.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    worker.close()
    thread.join(10)
    assert raised
    assert not Path(f"/proc/{pid}").exists()
    with pytest.raises(Stopped):
        worker.prepare(jobs_of("a"))


def test_it_rests_for_its_share(worker_of, monkeypatch):
    rests = []
    monkeypatch.setattr(
        index, "rest_s", lambda spent_s, share: rests.append((spent_s, share)) or rest_s(spent_s, share)
    )
    worker = worker_of(share=lambda: 0.9)
    began = time.monotonic()
    worker.prepare(jobs_of("a"))
    ((spent_s, share),) = rests
    rested_at = worker._rested_at
    assert share == 0.9
    assert rested_at >= began + spent_s + rest_s(spent_s, share)
    worker.prepare(jobs_of("a"))
    assert time.monotonic() >= rested_at


OWN = str(os.nice(0))  # what a process has that nobody lowered; the tests' own may be lowered


def priorities(results):
    return {one.language for one in results}  # of the process that prepared it, as its preparer tells


def test_while_somebody_waits_it_works_at_normal_priority_without_rest(worker_of):
    hurry = threading.Event()
    worker = worker_of(share=lambda: 0.95, hurried=hurry.is_set)
    hurry.set()
    for number in range(5):
        assert priorities(worker.prepare(jobs_of(f"a{number}"))) == {OWN}
    assert worker.starts == 1
    first = worker.pid
    hurry.clear()
    assert priorities(worker.prepare(jobs_of("b"))) == {"19"}
    assert worker.pid == first  # to stand back is always allowed
    threads = Path(f"/proc/{first}/task").iterdir()
    nice = {(folder / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()[16] for folder in threads}
    assert nice == {"19"}
    hurry.set()
    assert priorities(worker.prepare(jobs_of("c"))) == {OWN}
    assert worker.starts == 2  # to come forward again is not


def test_who_begins_to_wait_during_a_batch_has_it_done_anew(worker_of, tmp_path):
    """The file hangs in the process of low priority only."""
    worker = worker_of(hurried=(tmp_path / "hang.done").exists)
    results = worker.prepare(jobs_of("a", "once-hang"))
    assert summary(results) == {"a": INDEXED, "once-hang": INDEXED}
    assert priorities(results) == {OWN}
    assert worker.starts == 2


def test_a_rest_ends_when_somebody_waits(worker_of):
    hurry = threading.Event()
    worker = worker_of(hurried=hurry.is_set)
    worker.prepare(jobs_of("a"))
    worker._rested_at = time.monotonic() + 3600
    thread = threading.Thread(target=worker.prepare, args=(jobs_of("b"),))
    thread.start()
    hurry.set()
    thread.join(30)
    assert not thread.is_alive()


def test_a_process_that_takes_long_to_start_is_not_started_anew(worker_of, monkeypatch):
    monkeypatch.setattr(index, "_QUICK_START_S", 0.0)
    hurry = threading.Event()
    worker = worker_of(hurried=hurry.is_set)
    worker.prepare(jobs_of("a"))
    hurry.set()
    assert priorities(worker.prepare(jobs_of("b"))) == {"19"}
    assert worker.starts == 1


def test_an_empty_batch_starts_nothing(worker_of):
    worker = worker_of()
    assert worker.prepare([]) == []
    assert worker.pid is None


def test_backoff_grows_to_a_limit():
    waits = [backoff_s(failures) for failures in range(12)]
    assert waits[0] == 0
    assert waits == sorted(waits)
    assert waits[-1] == 2.0


OWNER = """
import sys, threading
from pathlib import Path
from memcache_lsp.config import SizeLimits
from memcache_lsp.preparing import Job, Recipe
from memcache_lsp.values import Found
from memcache_lsp.programs import command_for
from memcache_lsp.workers.index import IndexWorker
root = Path(sys.argv[1])
command = command_for("memcache_lsp.workers.index_child", "workers_standins:Poisoned")
worker = IndexWorker(Recipe(root, SizeLimits(), "", root / "v", 1), command=command, log=root / "log")
batch = lambda name: worker.prepare([Job(Found(name, 1, 1))])
thread = threading.Thread(target=batch, args=("first",))  # ends, and the child must not end with it
thread.start()
thread.join()
first = worker.pid
batch("second")
assert worker.pid == first
print(first, flush=True)
batch(sys.argv[2])
"""


@pytest.mark.parametrize("name", ["spin", "hang", "freeze", "good"])
def test_it_ends_with_its_owner(tmp_path, monkeypatch, name):
    monkeypatch.setenv("PYTHONPATH", f"{TESTS}{os.pathsep}{TESTS.parent}")
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(tmp_path), name], stdout=subprocess.PIPE, text=True, cwd=tmp_path
    )
    with owner:
        pid = int(owner.stdout.readline())
        if name != "good":
            owner.kill()
    assert wait_for_end(pid)
