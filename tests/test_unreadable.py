"""Files and folders that may not be read or written, met by the real process; also where the tests are run by root."""

import json
import os
import subprocess
import sys
from pathlib import Path

import confined
import pytest
from told import sentences

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="root's privileges are dropped in Linux's way")

DENIED = "unreadable: permission denied"


@pytest.fixture
def forbid():
    """Return what takes all or some permissions from a file or folder, until the test is over."""
    changed = []

    def change(path, mode=0):
        changed.append((path, path.stat().st_mode))
        path.chmod(mode)

    yield change
    for path, mode in reversed(changed):
        path.chmod(mode)


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "project"
    (root / "pkg").mkdir(parents=True)
    (root / "open.py").write_text("def find_the_needle():\n    return 1\n")
    (root / "closed.py").write_text("def find_the_thimble():\n    return 2\n")
    (root / "pkg" / "inner.py").write_text("def find_the_thread():\n    return 3\n")
    return root


def run(*arguments, code=0):
    command = confined.command("privileges", sys.executable, "-m", "memcache_lsp", *arguments)
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == code, done.stderr + done.stdout
    assert "Traceback" not in done.stderr
    return done


def index(root):
    return json.loads(run("index", "--root", root, "--json").stdout.splitlines()[-1])


def found(root, query):
    """Return the paths of the hits; that there may be none is up to the caller."""
    command = ["search", "--root", root, "--json", "--batch"]
    done = subprocess.run(
        confined.command("privileges", sys.executable, "-m", "memcache_lsp", *command),
        input=json.dumps({"id": 1, "query": query}),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return {hit["path"] for hit in json.loads(done.stdout)["hits"]}


def skipped(root):
    status = json.loads(run("status", "--root", root, "--json").stdout)
    assert status["failed"] == []
    return {entry["path"]: entry["reason"] for entry in status["skipped"]}


def test_the_privileges_are_gone(root, forbid):
    forbid(root / "closed.py")
    done = subprocess.run(confined.command("privileges", "cat", root / "closed.py"), capture_output=True)
    assert (done.returncode, done.stdout) == (1, b"")


def test_an_unreadable_file_costs_only_itself_and_is_named(root, forbid):
    forbid(root / "closed.py")
    assert index(root)["added"] == 2
    assert skipped(root) == {"closed.py": DENIED}
    assert found(root, "needle thimble thread") == {"open.py", "pkg/inner.py"}


@pytest.mark.parametrize("mode", [0, 0o444, 0o111])
def test_an_unreadable_folder_costs_only_itself_and_is_named(root, forbid, mode):
    forbid(root / "pkg", mode)
    assert index(root)["added"] == 2
    (path, reason) = skipped(root).popitem()
    assert path in {"pkg", "pkg/inner.py"}
    assert reason == DENIED
    assert found(root, "needle thimble thread") == {"open.py", "closed.py"}


def test_unreadable_rules_of_ignoring_hide_nothing_else(root, forbid):
    (root / ".gitignore").write_text("*.log\n")
    forbid(root / ".gitignore")
    assert index(root)["added"] == 3
    assert DENIED in skipped(root).values()


def test_a_file_that_becomes_unreadable_is_forgotten_until_it_is_readable_again(root, forbid):
    closed = root / "closed.py"
    assert index(root)["added"] == 3
    forbid(closed)
    index(root)
    assert skipped(root) == {"closed.py": DENIED}
    assert "closed.py" not in found(root, "find_the_thimble")
    closed.chmod(0o644)
    index(root)
    assert skipped(root) == {}
    assert "closed.py" in found(root, "find_the_thimble")


def test_an_unreadable_root_is_told_in_one_sentence(root, forbid):
    forbid(root)
    for command in (["index"], ["search", "needle"], ["ask", "needle"]):
        done = run(command[0], "--root", root, *command[1:], code=1)
        assert done.stdout == ""
        (told,) = sentences(done.stderr)
        assert told.startswith("memcache-lsp: ")
        assert str(root) in told


def test_a_cache_that_cannot_be_written_is_told_in_one_sentence(root, forbid):
    home = Path(os.environ["MEMCACHE_HOME"])
    forbid(home, 0o555)
    done = run("index", "--root", root, code=1)
    assert str(home) in done.stderr
    assert len(sentences(done.stderr)) == 1
