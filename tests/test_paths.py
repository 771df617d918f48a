"""Folders of the program, roots of projects, and the sentences that refuse a root."""

import os
import stat
from pathlib import Path

import pytest

from memcache_lsp import paths
from memcache_lsp.errors import UserError

KINDS = {
    "cache": paths.cache_dir,
    "data": paths.data_dir,
    "state": paths.state_dir,
    "runtime": paths.runtime_dir,
    "config": paths.config_dir,
}


@pytest.mark.parametrize("kind", KINDS)
def test_all_folders_lie_below_the_override_and_are_private(home, kind):
    folder = KINDS[kind]()
    assert folder == home / kind
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert KINDS[kind]() == folder


@pytest.mark.parametrize("kind", KINDS)
def test_the_desktop_s_variables_count(tmp_path, monkeypatch, kind):
    monkeypatch.delenv("MEMCACHE_HOME")
    variable = "XDG_RUNTIME_DIR" if kind == "runtime" else f"XDG_{kind.upper()}_HOME"
    monkeypatch.setenv(variable, str(tmp_path / "deep" / kind))
    (tmp_path / "deep" / kind).mkdir(parents=True)
    folder = KINDS[kind]()
    assert folder == tmp_path / "deep" / kind / "memcache-lsp"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_without_a_runtime_folder_of_the_desktop_the_own_one_is_at_home(tmp_path, monkeypatch):
    monkeypatch.delenv("MEMCACHE_HOME")
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert paths.runtime_dir() == tmp_path / "memcache-lsp/run"


def test_folders_of_others_are_refused_and_open_ones_closed(home, monkeypatch):
    (home / "cache").mkdir(mode=0o755)
    assert stat.S_IMODE(paths.cache_dir().stat().st_mode) == 0o700
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    with pytest.raises(UserError, match="belongs to another user"):
        paths.cache_dir()


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("MEMCACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(UserError, match=r"cannot be made .* set MEMCACHE_HOME to a folder you can write to"):
        paths.cache_dir()


@pytest.mark.parametrize("mark", [".git", ".hg", "memcache.toml", ".memcacheignore"])
def test_the_root_is_the_nearest_marked_folder(tmp_path, mark):
    inner = tmp_path / "project/src/deep"
    inner.mkdir(parents=True)
    (tmp_path / ".git").mkdir()
    (tmp_path / "project" / mark).write_text("")
    assert paths.project_root(inner) == tmp_path / "project"
    assert paths.project_root(tmp_path / "project") == tmp_path / "project"


def test_without_marks_the_folder_itself_is_the_root(tmp_path):
    if any((parent / ".git").exists() for parent in tmp_path.parents):
        pytest.fail("the tests run inside a work tree, where this says nothing")
    assert paths.project_root(tmp_path) == tmp_path


def test_bad_roots_get_one_sentence(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    (tmp_path / "loop").symlink_to("loop")

    def told(path, *, explicit=True):
        with pytest.raises(UserError) as caught:
            paths.check_root(path, explicit=explicit)
        sentence = str(caught.value)
        assert sentence.endswith(".")
        assert "--root" in sentence
        return sentence

    assert "There is no folder" in told(tmp_path / "gone")
    assert "is a file" in told(tmp_path / "file")
    assert "cannot be opened" in told(tmp_path / "loop")
    assert "more than one project" in told(Path("/"), explicit=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert "more than one project" in told(tmp_path, explicit=False)
    assert paths.check_root(tmp_path, explicit=True) == tmp_path

    def refuse(_path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "scandir", refuse)
    assert "cannot be read" in told(tmp_path)


def test_an_index_folder_belongs_to_the_real_path(tmp_path):
    (tmp_path / "My Project").mkdir()
    (tmp_path / "other").symlink_to("My Project")
    folder = paths.index_dir(tmp_path / "My Project")
    assert folder == paths.index_dir(tmp_path / "other")
    assert folder.parent == paths.cache_dir() / "indexes" / str(paths.FORMAT_VERSION)
    assert folder.name.startswith("My-Project-")
    assert len(folder.name) == len("My-Project-") + 16
    assert folder != paths.index_dir(tmp_path)
    assert paths.index_dir(Path("/")).name.startswith("root-")


@pytest.mark.parametrize("durable", [False, True])
def test_a_file_is_replaced_whole_or_not_at_all(tmp_path, durable):
    path = tmp_path / "kept.json"
    paths.replace_file(path, b"one", durable=durable)
    paths.replace_file(path, b"two", durable=durable)
    assert path.read_bytes() == b"two"
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(TypeError):
        paths.replace_file(path, "no bytes", durable=durable)
    assert path.read_bytes() == b"two"
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="folder"):
        paths.replace_file(tmp_path / "folder", b"three", durable=durable)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["folder", "kept.json"]
