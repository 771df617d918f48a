"""A look at some paths alone: after it the index equals one that is made from nothing."""

import os
import shutil
import tempfile
from pathlib import Path

import indexes
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memcache_lsp import indexing
from memcache_lsp.errors import Stopped, UserError
from memcache_lsp.scan import Scanner, changes_rules, outermost

NAMES = st.sampled_from(["a", "b", "a.b", "a0", "lib", "skip"])
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)
ACTIONS = st.one_of(
    st.tuples(st.just("write"), PATHS, st.integers(0, 3)),
    st.tuples(st.just("delete"), PATHS),
    st.tuples(st.just("rename"), PATHS, PATHS),
    st.tuples(st.just("link"), PATHS),
)


def act(root, action, *arguments):
    """Change the project; return the paths at or below which something did, as a watcher tells them."""
    paths = [argument for argument in arguments if isinstance(argument, str)]
    path = root / paths[0]
    if action == "write":
        above = next((p for p in reversed(path.relative_to(root).parents[:-1]) if not (root / p).is_dir()), None)
        if above is not None and os.path.lexists(root / above):
            return set()
        made = {above.as_posix()} if above is not None else set()
        if path.is_dir() or path.is_symlink():
            return set()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"def of_{arguments[1]}():\n    return {arguments[1]}\n")
        return made | {paths[0]}
    if action == "link":
        if not path.parent.is_dir() or os.path.lexists(path):
            return set()
        path.symlink_to(root.parent)  # through which nothing of the project is written
        return {paths[0]}
    if not os.path.lexists(path):
        return set()
    if action == "delete":
        path.unlink() if path.is_symlink() or path.is_file() else shutil.rmtree(path)
        return {paths[0]}
    to = root / paths[1]
    if os.path.lexists(to) or not to.parent.is_dir() or path in to.parents:
        return set()
    path.rename(to)
    return set(paths)


def unscanned(project):
    return project._manifest.unscanned()


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(ACTIONS, min_size=1, max_size=4), min_size=1, max_size=4))
def test_the_index_equals_a_fresh_one(rounds):
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "project"
        root.mkdir()
        (root / ".gitignore").write_text("skip/\n/lib/a\n")
        (root / "lib").mkdir()
        with indexes.short_grain(), indexes.opened(root) as project:
            project.update()
            for actions in rounds:
                changed = {path for action in actions for path in act(root, *action)}
                project.update(only=changed)
                narrow = indexes.dump(project), unscanned(project)
                project._manifest.clear()
                project._store.delete(project._store.ids())
                project.update()
                assert narrow == (indexes.dump(project), unscanned(project))


def test_nothing_but_those_is_looked_at(example):
    with indexes.opened(example) as project:
        whole = project.update()
        for path in example.rglob("*.py"):
            path.write_text(path.read_text() + "\n# changed\n")
        narrow = project.update(only=["courier/queue.py", "tests", "nothing/there.py"])
    assert whole.added > 10
    assert narrow.changed == 1 + sum(1 for _ in (example / "tests").rglob("*.py"))
    assert narrow.added == narrow.removed == 0


def test_folders_are_told_before_they_are_listed(tmp_path):
    (tmp_path / "one" / "two").mkdir(parents=True)
    (tmp_path / "one" / "skip").mkdir()
    (tmp_path / ".gitignore").write_text("skip\n")
    told = []

    def entered(folder):
        told.append(folder)
        (tmp_path / folder / "late.py").write_text("x")

    scanner = Scanner(tmp_path)
    result = scanner.scan(entered=entered)
    assert told == ["", "one", "one/two"]
    assert {found.path for found in result.found} >= {"late.py", "one/late.py", "one/two/late.py"}
    told.clear()
    scanner.look(["one/two", "late.py"], entered=entered)
    assert told == ["one/two"]


@pytest.mark.parametrize(
    "path",
    ["../outside.py", "/etc/passwd", "", ".", "one//two.py", "one/../late.py", "\0", "one\0/a", "\ud800", "link/x.py"],
)
def test_a_path_that_is_none_of_the_projects(tmp_path, path):
    (tmp_path / "outside.py").write_text("x")
    root = tmp_path / "project"
    (root / "one").mkdir(parents=True)
    (root / "one" / "two.py").write_text("x")
    (root / "link").symlink_to(root / "one")
    result = Scanner(root).look([path])
    assert result.found == result.skipped == ()
    with indexes.opened(root) as project:
        assert project.update().added == 1
        assert project.update(only=[path]).removed == 0


def test_a_look_can_be_stopped_and_has_its_limit(tmp_path):
    (tmp_path / "sub").mkdir()
    for number in range(3):
        (tmp_path / "sub" / f"{number}.py").write_text("x")
    with pytest.raises(Stopped):
        Scanner(tmp_path).look(["sub"], lambda: True)
    with pytest.raises(UserError, match="holds more than 2 files"):
        Scanner(tmp_path).look(["sub"], max_files=2)


def test_outermost():
    assert outermost(["a/b/c", "a.b", "a/b", "b", "a/bc", "b/a", "a/b"]) == ["a/b", "a/bc", "a.b", "b"]
    assert outermost(["\udcff.py", "a\0"]) == []


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (".gitignore", True),
        ("sub/.memcacheignore", True),
        ("memcache.toml", True),
        ("sub/.git", True),
        ("gitignore", False),
        ("a.py", False),
    ],
)
def test_paths_that_change_what_holds_elsewhere(path, expected):
    assert changes_rules(path) is expected


def test_the_grain_of_the_clock_does_not_hide_a_second_change(example):
    assert indexing._CLOCK_GRAIN_NS > 10**9
    with indexes.opened(example) as project:
        project.update()
        for number in range(3):
            (example / "same.py").write_text(f"x = {number}\n")
            assert project.update(only=["same.py"]).unchanged == 0
