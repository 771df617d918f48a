"""The index against a model: create, edit, rename, delete and kill in any order; then it equals a fresh one."""

import multiprocessing
import os
import shutil
import signal
import tempfile
from pathlib import Path

import indexes
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

IN_MEMORY = Path("/dev/shm")  # every commit is flushed to disk, which would be most of the time

NAMES = st.sampled_from(["a.py", "b.py", "pkg/c.py", "pkg/deep/d.md", "e.txt", "f.go"])
LINES = st.lists(
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


class IndexMachine(RuleBasedStateMachine):
    @initialize()
    def start(self):
        self.folder = Path(tempfile.mkdtemp(dir=IN_MEMORY if IN_MEMORY.is_dir() else None))
        self.root = self.folder / "project"
        self.root.mkdir()
        self.home = self.folder / "home"
        self.home.mkdir()
        self.model = {}

    def teardown(self):
        if hasattr(self, "folder"):
            self.check()
            shutil.rmtree(self.folder)

    @rule(name=NAMES, text=LINES)
    def write(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        self.model[name] = text

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

    @rule()
    def check(self):
        with Home(self.home):
            with indexes.opened(self.root) as project:
                project.update()
                points, files = indexes.dump(project)
        fresh_home = Path(tempfile.mkdtemp(dir=self.folder))
        with Home(fresh_home):
            fresh = indexes.fresh_dump(self.root, fresh_home)
        assert (points, files) == fresh
        assert set(files) == set(self.model)
        for payload in points.values():
            assert self.model[payload["path"]][payload["start"] : payload["end"]] == payload["text"]

    @rule(step=st.integers(0, 9))
    def kill_while_updating(self, step):
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["indexes"])
        process = context.Process(target=indexes.update_and_die, args=(self.root, self.home, step))
        process.start()
        process.join(60)
        assert process.exitcode in {0, -signal.SIGKILL}


class Home:
    def __init__(self, folder):
        self.folder = folder

    def __enter__(self):
        self.before = os.environ.get("MEMCACHE_HOME")
        os.environ["MEMCACHE_HOME"] = str(self.folder)

    def __exit__(self, *_):
        os.environ["MEMCACHE_HOME"] = self.before


TestIndex = IndexMachine.TestCase
TestIndex.settings = settings(
    max_examples=12,
    stateful_step_count=10,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
