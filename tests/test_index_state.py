"""The index against a model: create, edit, swap, rename, delete, damage, fail and kill in any order; then it equals a
fresh one.
"""

import contextlib
import multiprocessing
import os
import shutil
import signal
import tempfile
from pathlib import Path
from unittest import mock

import indexes
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from memcache_lsp import paths
from memcache_lsp.errors import Stopped, UserError
from memcache_lsp.store import FILE_KIND

IN_MEMORY = Path("/dev/shm")  # every commit is flushed to disk, which would be most of the time

NAMES = st.sampled_from(["a.py", "b.py", "pkg/c.py", "pkg/deep/d.md", "e.txt", "f.go"])
TEXTS = st.lists(
    st.sampled_from(
        [
            "def connect(host):\n    return host\n",
            "class Session:\n    def save(self):\n        pass\n",
            "# A heading\n\nSome words about retries.\n",
            "func Add(a int) int { return a }\n",
            "x = 1\n",
            "\n\n",
        ]
    ),
    max_size=6,
).map("\n".join)
TWINS = ("def apple():\n    return 1\n", "def melon():\n    return 2\n")  # of one size

# As archives and checkouts leave them; None is the time of writing.
TIMES_S = st.sampled_from([None, None, 1_000_000_000, 1_100_000_000])
STEPS = st.integers(0, 11)
PARTS = st.sampled_from(["shard", "shard/edge_config.json", "shard/segments", "shard/wal", "manifest.sqlite"])


class IndexMachine(RuleBasedStateMachine):
    @initialize()
    def start(self):
        self.folder = Path(tempfile.mkdtemp(dir=IN_MEMORY if IN_MEMORY.is_dir() else None))
        self.root = self.folder / "project"
        self.root.mkdir()
        self.home = self.folder / "home"
        self.home.mkdir()
        self.model = {}
        self.embedder = "one"

    def teardown(self):
        if hasattr(self, "folder"):
            try:
                self.check()
            finally:
                shutil.rmtree(self.folder)

    def opened(self):
        return indexes.opened(self.root, with_embedder=indexes.Renamed(self.embedder))

    @rule(name=NAMES, text=TEXTS, time_s=TIMES_S)
    def write(self, name, text, time_s):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        if time_s is not None:
            os.utime(path, (time_s, time_s))
        self.model[name] = text

    @rule(names=st.lists(NAMES, min_size=2, max_size=2, unique=True), time_s=TIMES_S)
    def write_twins(self, names, time_s):
        for name, text in zip(names, TWINS, strict=True):
            self.write(name, text, time_s)

    def twins(self):
        """Return pairs of files of equal size and time, but other content."""
        shape = {
            name: ((self.root / name).stat().st_size, (self.root / name).stat().st_mtime_ns) for name in self.model
        }
        return [
            (a, b) for a in shape for b in shape if a < b and shape[a] == shape[b] and self.model[a] != self.model[b]
        ]

    @precondition(lambda self: self.twins())
    @rule(data=st.data())
    def swap(self, data):
        a, b = data.draw(st.sampled_from(self.twins()))
        (self.root / a).rename(self.folder / "between")
        (self.root / b).rename(self.root / a)
        (self.folder / "between").rename(self.root / b)
        self.model[a], self.model[b] = self.model[b], self.model[a]

    @precondition(lambda self: self.model)
    @rule(data=st.data(), to=NAMES)
    def rename(self, data, to):
        name = data.draw(st.sampled_from(sorted(self.model)))
        (self.root / to).parent.mkdir(parents=True, exist_ok=True)
        (self.root / name).rename(self.root / to)
        self.model[to] = self.model.pop(name)

    @precondition(lambda self: self.model)
    @rule(data=st.data())
    def delete(self, data):
        name = data.draw(st.sampled_from(sorted(self.model)))
        (self.root / name).unlink()
        del self.model[name]

    @rule(name=st.sampled_from(["one", "two"]))
    def change_embedder(self, name):
        self.embedder = name

    @rule(part=PARTS)
    def lose_a_part_of_the_index(self, part):
        with self.at_home():
            path = paths.index_dir(self.root) / part
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)

    @rule()
    def check(self):
        with self.at_home(), self.opened() as project:
            report = project.update()
            points, files = indexes.dump(project)
            again = project.update()
        fresh_home = Path(tempfile.mkdtemp(dir=self.folder))
        fresh = indexes.fresh_dump(self.root, fresh_home, with_embedder=indexes.Renamed(self.embedder))
        assert (points, files) == fresh
        assert set(files) == set(self.model)
        for payload in (each for each in points.values() if each["kind"] != FILE_KIND):
            assert self.model[payload["path"]][payload["start"] : payload["end"]] == payload["text"]
        assert report.failed == ()
        assert (again.added, again.changed, again.removed, again.chunks) == (0, 0, 0, 0)

    @rule(step=STEPS)
    def kill_while_updating(self, step):
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["forked"])
        process = context.Process(target=indexes.update_and_die, args=(self.root, self.home, self.embedder, step))
        with mock.patch.dict(os.environ, PYTHONPATH=str(indexes.HERE)):  # which the server of forks needs to preload
            process.start()
        process.join(60)
        assert process.exitcode in {0, -signal.SIGKILL}

    @rule(step=STEPS)
    def fail_while_updating(self, step):
        """Let one write fail; all that follow work, those of `close` among them."""

        def fail():
            raise UserError("The disk is full.")

        with self.at_home(), indexes.interrupted(step, fail):
            try:
                with self.opened() as project:
                    project.update()
            except UserError as error:
                assert str(error) == "The disk is full."  # noqa: PT017 - it need not be raised

    @rule(calls=st.integers(0, 12))
    def stop_while_updating(self, calls):
        asked = iter(range(calls))
        with self.at_home(), self.opened() as project:
            with contextlib.suppress(Stopped):
                project.update(cancelled=lambda: next(asked, None) is None)

    def at_home(self):
        return mock.patch.dict(os.environ, MEMCACHE_HOME=str(self.home))


@pytest.mark.timeout(900)  # finding the least example of a failure takes minutes
def test_the_index_follows_the_project_through_everything(monkeypatch):
    trusted = 0
    surely_unchanged = indexes.indexing._surely_unchanged

    def counted(*arguments):
        nonlocal trusted
        verdict = surely_unchanged(*arguments)
        trusted += verdict
        return verdict

    monkeypatch.setattr(indexes.indexing, "_surely_unchanged", counted)
    with indexes.short_grain():
        run_state_machine_as_test(
            IndexMachine,
            settings=settings(
                max_examples=50,
                stateful_step_count=12,
                deadline=None,
                derandomize=True,
                suppress_health_check=list(HealthCheck),
            ),
        )
    assert trusted > 20, "the short cut by size and times was hardly ever taken"


@pytest.mark.parametrize("step", range(12))
@pytest.mark.parametrize("how", ["fail_while_updating", "kill_while_updating"])
def test_every_step_of_a_rebuild_may_be_the_last(how, step):
    """The writes in which nothing is left of the old index: chance seldom gets to them."""
    machine = IndexMachine()
    machine.start()
    try:
        machine.write_twins(["a.py", "pkg/c.py"], None)
        machine.check()
        machine.change_embedder("two")
        machine.write("b.py", "x = 1\n", None)
        getattr(machine, how)(step)
        machine.write("a.py", TWINS[1], None)
    finally:
        machine.teardown()
