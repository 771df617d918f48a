"""Why a file is in the index or not, as it changes; what is said of a hit's signals."""

import indexes
import pytest

from memcache_lsp import explaining
from memcache_lsp.manifest import FileRecord
from memcache_lsp.preparing import FAILED, INDEXED
from memcache_lsp.scopes import Scope


def test_what_is_said_follows_the_project(tmp_path):
    root = tmp_path / "project"
    root.mkdir()
    with indexes.opened(root) as project:
        assert project.why("a.py") == (False, "It is not indexed: missing: there is no such file.")
        assert project.why("a.py", is_open=True) == (False, "Its open text is searched in place of the file's.")
        (root / "a.py").write_text("a = 1\n")
        assert project.why("a.py") == (
            False,
            "It may be indexed, and is not yet: the next look at its folder takes it in.",
        )
        project.update()
        assert project.why("a.py") == (True, "It is indexed as python, in 1 piece.")
        assert project.why("a.py", is_open=True) == (
            True,
            "It is indexed as python, in 1 piece. Its open text is searched in place of the file's.",
        )
        (root / ".gitignore").write_text("a.py\n")
        gone = "ignored: .gitignore line 1, a.py."
        assert project.why("a.py") == (True, f"It is indexed, and goes out with the next look at its folder: {gone}")
        project.update()
        assert project.why("a.py") == (False, f"It is not indexed: {gone}")
        assert project.why("../a.py") == (False, "It is not indexed: outside: not a path below the root.")


@pytest.mark.parametrize(
    ("status", "reason", "said"),
    [
        (FAILED, "it could not be indexed (ValueError: x)", "It failed: it could not be indexed (ValueError: x)."),
        (INDEXED, "", "It is indexed as python, in 2 pieces."),
        (INDEXED, "not parsed", "It is indexed as python, in 2 pieces, but not parsed."),
    ],
)
def test_what_is_said_of_a_record(status, reason, said):
    record = FileRecord("a.py", 1, 1, 1, 1, "h", "python", status, reason, (1, 2, 3))
    assert explaining.why(record, None, is_open=False) == (status == INDEXED, said)


@pytest.mark.parametrize(
    ("rank", "signals", "said"),
    [
        (2, {"a": 0.1, "b": 2, "test": -0.35, "c": 1, "d": 0.5}, "It is hit 2 of the query: b +2.00, c +1.00, d +0.50; test -0.35."),
        (1, {}, "It is hit 1 of the query: no signal speaks for it."),
        (None, {}, "The query does not find it among its first 7 hits."),
    ],
)  # fmt: skip
def test_what_is_said_of_a_place(rank, signals, said):
    assert explaining.placed(rank, 7, signals) == said


def test_signals_add_up_to_the_score(example):
    with indexes.opened(example) as project:
        project.update()
        hits = project.search("how is a webhook signature checked", scope=Scope(), limit=10)
    assert len(hits) == 10
    for hit in hits:
        assert sum(hit.signals.values()) == pytest.approx(hit.score, abs=1e-3)
