"""Locks of index folders, where a folder is deleted while somebody waits for it."""

import shutil
import threading
from pathlib import Path

import pytest

from memcache_lsp import locking
from memcache_lsp.errors import UserError


def test_a_folder_that_is_deleted_while_it_is_made_is_made_again(tmp_path, monkeypatch):
    folder = tmp_path / "index"
    folder.mkdir()

    def deleted_meanwhile(path):
        if path == folder and not seen:
            seen.append(path)
            shutil.rmtree(folder)
        return is_dir(path)

    seen, is_dir = [], Path.is_dir
    monkeypatch.setattr(Path, "is_dir", deleted_meanwhile)
    with locking.held(folder, what="it", purpose="a test"):
        assert seen
        assert locking.holder(folder)


def test_a_file_where_the_folder_should_be_is_told(tmp_path):
    (tmp_path / "index").write_text("")
    with (
        pytest.raises(UserError, match="cannot be used"),
        locking.held(tmp_path / "index", what="it", purpose="a test"),
    ):
        pass


def test_no_two_hold_it_while_others_delete_it(tmp_path):
    folder, holders, lost = tmp_path / "index", [], []

    def hold(deletes):
        for _ in range(200):
            with locking.held(folder, what="it", purpose="a test"):
                holders.append(deletes)
                (folder / "data").write_text("")
                if deletes:
                    locking.empty(folder)
                elif len(holders) != 1 or not (folder / "data").exists():
                    lost.append(list(holders))
                holders.pop()
                if deletes:
                    locking.remove(folder)

    threads = [threading.Thread(target=hold, args=(deletes,)) for deletes in (True, False, True, False)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not lost
