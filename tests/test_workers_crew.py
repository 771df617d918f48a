"""The index workers of one root: how many there are, who gets a batch, and that all of them obey."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import indexes
import pytest

from memcache_lsp import machine
from memcache_lsp.embedding import Serialized
from memcache_lsp.errors import Stopped
from memcache_lsp.preparing import Preparer
from memcache_lsp.workers.crew import Crew


class Worker:
    """Take a batch, tell so, and keep it until it may go."""

    def __init__(self):
        self.begun = threading.Semaphore(0)
        self.go = threading.Semaphore(0)
        self.pauses = set()
        self.closed = self.rested = False
        self.pid = id(self)

    def prepare(self, batch, *, cancelled):
        self.begun.release()
        assert self.go.acquire(timeout=10)
        return [self, *batch]

    def pause(self, why):
        self.pauses.add(why)

    def resume(self, why):
        self.pauses.discard(why)

    def rest(self):
        self.rested = True

    def close(self):
        self.closed = True


@pytest.fixture
def workers(monkeypatch, tmp_path):
    """The workers that are made."""
    monkeypatch.setattr(machine, "_CGROUP", tmp_path)
    monkeypatch.setattr(machine.os, "sched_getaffinity", lambda _: set(range(4)), raising=False)
    return []


@pytest.fixture
def crew_of(workers):
    """Make a crew that notes its workers."""

    def make(*, much):
        return Crew(lambda: workers.append(Worker()) or workers[-1], wanted=lambda: much)

    return make


def test_a_second_is_made_only_while_the_first_is_at_work(crew_of, workers):
    both = crew_of(much=True)
    assert (len(workers), both.hands()) == (1, 2)
    workers[0].go.release()
    assert both.prepare([1]) == [workers[0], 1]
    assert len(workers) == 1
    with ThreadPoolExecutor(2) as threads:
        one = threads.submit(both.prepare, [2])
        assert workers[0].begun.acquire(timeout=10)
        assert workers[0].begun.acquire(timeout=10)  # that of 1 and that of 2
        two = threads.submit(both.prepare, [3])
        while len(workers) < 2:
            pass
        workers[0].go.release()
        assert one.result(10) == [workers[0], 2]
        workers[1].go.release()
        assert two.result(10) == [workers[1], 3]
    assert len(workers) == 2


def test_a_third_is_for_the_first_that_is_free(crew_of, workers):
    both = crew_of(much=True)
    with ThreadPoolExecutor(3) as threads:
        first = threads.submit(both.prepare, [1])
        assert workers[0].begun.acquire(timeout=10)
        second = threads.submit(both.prepare, [2])
        third = threads.submit(both.prepare, [3])
        while len(workers) < 2:
            pass
        assert workers[1].begun.acquire(timeout=10)
        workers[1].go.release(2)  # the first goes on
        assert {tuple(each.result(10)) for each in (second, third)} == {(workers[1], 2), (workers[1], 3)}
        workers[0].go.release()
        assert first.result(10) == [workers[0], 1]
    assert len(workers) == 2


def test_without_much_to_do_there_is_one(crew_of, workers):
    alone = crew_of(much=False)
    assert alone.hands() == 1
    with ThreadPoolExecutor(2) as threads:
        done = [threads.submit(alone.prepare, [number]) for number in range(2)]
        workers[0].go.release(2)
        assert [each.result(10)[1:] for each in done] == [[0], [1]]
    assert len(workers) == 1


def test_one_core_gets_one(crew_of, tmp_path):
    """Also where there are more, of which a container may use one."""
    assert crew_of(much=True).hands() == 2
    (tmp_path / "cpu.max").write_text("100000 100000\n")
    assert crew_of(much=True).hands() == 1


def test_all_pause_resume_and_end(crew_of, workers):
    both = crew_of(much=True)
    both.pause("model")
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(both.prepare, [1])
        assert workers[0].begun.acquire(timeout=10)
        second = threads.submit(both.prepare, [2])
        workers[0].go.release()
        first.result(10)
        workers[1].go.release()
        second.result(10)
    assert [each.pauses for each in workers] == [{"model"}, {"model"}]
    both.resume("model")
    assert (both.paused, [each.pauses for each in workers]) == (False, [set(), set()])
    both.rest()
    assert [each.closed for each in workers] == [False, True]
    both.close()
    assert workers[0].closed
    assert both.pid == workers[0].pid


@pytest.mark.parametrize("hands", [1, 2, 5])
def test_what_several_prepare_is_written_as_by_one(example, tmp_path, hands):
    for number in range(150):
        (example / f"more{number}.py").write_text(f"def more{number}():\n    return {number}\n" * 40)
    at_once, most, lock = 0, 0, threading.Lock()
    turn = threading.Lock()  # the parsers of a process are for one thread at a time
    with indexes.opened(example) as project:
        recipe, embedder = project._preparer._recipe, Serialized(indexes.embedder())

        def prepare(jobs):
            nonlocal at_once, most
            with lock:
                at_once += 1
                most = max(most, at_once)
            try:
                with turn, closing(Preparer(recipe, embedder=embedder)) as preparer:
                    return preparer.prepare(jobs)
            finally:
                with lock:
                    at_once -= 1

        project.update(prepare=prepare, hands=lambda: hands)
        assert 1 <= most <= hands + (hands > 1)  # one more is made up, for the first that is free
        assert indexes.dump(project) == indexes.fresh_dump(example, tmp_path / "home")


def test_what_fails_or_is_stopped_ends_all(example):
    with indexes.opened(example) as project:

        def fail(jobs):
            raise Stopped("enough")

        with pytest.raises(Stopped, match="enough"):
            project.update(prepare=fail, hands=lambda: 2)
        assert not [each for each in threading.enumerate() if each.name.startswith("prepare")]
        assert project.update().added
