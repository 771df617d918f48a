"""The reader's process with real files: whatever one does to it, the call returns a text or a reason, in bounds."""

import os
import sys
import threading
import time
from functools import partial

import indexes
import papers
import pytest

from memcache_lsp import preparing, texts
from memcache_lsp.errors import Stopped
from memcache_lsp.reading.owner import Reader
from memcache_lsp.reading.result import UnreadableError
from memcache_lsp.scopes import Scope
from memcache_lsp.status import read_status
from memcache_lsp.values import Spot, spot_at

TWO = papers.pdf(["The delay doubles", "after each failure."], ["The parcel is given up", "after five of them."])


@pytest.fixture
def reader():
    made = Reader()
    yield made
    made.close()


def test_one_process_reads_file_after_file(reader):
    assert "doubles" in reader.read("a.pdf", TWO).text
    first = reader.pid
    assert "words" in reader.read("b.docx", papers.docx(("Normal", "Some words"))).text
    assert reader.pid == first
    with pytest.raises(UnreadableError, match="^broken"):
        reader.read("c.pdf", b"no")
    assert reader.pid == first


def test_what_takes_too_much_memory_costs_only_itself(reader):
    with pytest.raises(UnreadableError, match=r"^(too large inside|broken)"):
        reader.read("a.pdf", papers.pdf([" " * 600_000_000]))
    assert "doubles" in reader.read("a.pdf", TWO).text


STUCK = """
import sys
from memcache_lsp.reading import child, pdf
child._PAGE_S = 1
def page(document, number, read=pdf._page):
    while number in {stuck}:
        {does}
    return read(document, number)
pdf._page = page
child.main(["60", str(96 * 1024 * 1024)])
"""


def test_who_cancels_does_not_wait_for_the_file():
    command = [sys.executable, "-c", STUCK.format(stuck={0}, does="pass")]
    reader = Reader(deadline_s=600, command=command)
    with pytest.raises(Stopped):
        reader.read("a.pdf", TWO, lambda: reader.pid is not None)
    assert reader.pid is None
    reader.close()


def test_an_update_here_stops_within_a_file(tmp_path, monkeypatch):
    root = tmp_path / "papers"
    root.mkdir()
    (root / "a.pdf").write_bytes(TWO)
    reading = threading.Event()
    exchange = Reader._exchange
    monkeypatch.setattr(Reader, "_exchange", lambda *given: (reading.set(), exchange(*given))[1])
    command = [sys.executable, "-c", "import time; time.sleep(600)"]
    monkeypatch.setattr(preparing, "Reader", partial(Reader, deadline_s=600, command=command))
    with indexes.opened(root) as project:
        with pytest.raises(Stopped):
            project.update(cancelled=reading.is_set)
        assert project.search("delay", scope=Scope(), limit=1) == []


@pytest.mark.parametrize(
    ("does", "why"),
    [
        ("pass", "too slow"),
        ("import os; os.abort()", "too large inside"),
        ("import os; os.kill(os.getpid(), 9)", "broken"),
    ],
)
@pytest.mark.parametrize(
    ("stuck", "found", "problems"),
    [
        ({1}, "one|three|four|five", ["page 2 is left out: {why}"]),
        (
            {1, 3},
            "one|three",
            ["page 2 is left out: {why}", "only its first 3 of 5 pages were read"],
        ),
        ({0, 1, 2, 3, 4}, None, ["^(too slow: its page 1|too large inside:|broken: reading it ended) "]),
    ],
)
def test_a_page_that_ends_or_holds_up_its_reader_costs_only_itself(does, why, stuck, found, problems):
    pages = [[f"this is page {word}"] for word in ("one", "two", "three", "four", "five")]
    data = papers.pdf(*pages, marks=[("the last", 4)])
    reader = Reader(deadline_s=60, command=[sys.executable, "-c", STUCK.format(stuck=stuck, does=does)])
    try:
        if found is None:
            with pytest.raises(UnreadableError, match=problems[0]):
                reader.read("a.pdf", data)
            return
        reading = reader.read("a.pdf", data)
        assert [line.split()[-1] for line in reading.text.split("\n") if line] == found.split("|")
        assert list(reading.problems) == [each.format(why=why) for each in problems]
        assert spot_at(reading.spots, reading.text.split("\n").index("this is page three") + 1) == Spot(page=3)
    finally:
        reader.close()


def test_a_page_that_is_left_out_is_no_scanned_one():
    command = [sys.executable, "-c", STUCK.format(stuck={1}, does="import os; os.abort()")]
    reader = Reader(deadline_s=60, command=command)
    try:
        told = "^scanned: 2 of its 3 pages hold no text, only pictures; page 2 is left out: too large inside$"
        with pytest.raises(UnreadableError, match=told):
            reader.read("a.pdf", papers.pdf([], ["a page of some words"], []))
    finally:
        reader.close()


STANDIN = """
import socket, sys, time
channel = socket.socket(fileno=0)
channel.recv(100)
{}
"""


@pytest.mark.parametrize(
    ("does", "reason"),
    [
        ("time.sleep(99)", "^too slow: reading it took longer than 0.3 s$"),
        ("sys.exit(7)", r"^broken: reading it ended the reading process \(exit code 7\)$"),
        ("channel.sendall(bytes([9, 0, 0, 0, 0, 0, 0, 0]) + b'no json..')", "^broken"),
        ("channel.sendall(bytes([2, 0, 0, 0, 0, 0, 0, 0]) + b'[]'); time.sleep(99)", "^broken"),
        ("channel.sendall(bytes([14, 0, 0, 0, 0, 0, 0, 0]) + b'{\\\"reading\\\": 1}'); time.sleep(99)", "^broken"),
    ],
)
def test_a_process_that_goes_wrong(does, reason):
    deadline_s = 0.3 if "too slow" in reason else 60
    reader = Reader(deadline_s=deadline_s, command=[sys.executable, "-c", STANDIN.format(does)])
    with pytest.raises(UnreadableError, match=reason):
        reader.read("a.pdf", b"x" * 100)
    assert reader.pid is None
    reader.close()


def test_the_process_ends_with_close(reader):
    reader.read("a.pdf", TWO)
    pid = reader.pid
    reader.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


@pytest.fixture
def library(tmp_path):
    root = tmp_path / "library"
    root.mkdir()
    (root / "manual.pdf").write_bytes(TWO)
    (root / "notes.ipynb").write_bytes(
        papers.notebook(("markdown", "# Parcels\nA parcel is weighed."), ("code", "weigh()"))
    )
    (root / "broken.pdf").write_bytes(b"no")
    (root / "scan.pdf").write_bytes(papers.pdf([]))
    (root / "a.py").write_text("def weigh():\n    return 1\n")
    return root


def test_a_library_is_indexed_with_pages_and_reasons(library, home):
    with indexes.opened(library) as project:
        report = project.update()
        assert [each.path for each in report.failed] == ["broken.pdf"]
        hit = project.search("when is the parcel given up", scope=Scope(languages=("pdf",)), limit=1)[0]
        assert (hit.path, hit.kind, "given up" in hit.text) == ("manual.pdf", "block", True)
        assert project.search("parcel weighed", scope=Scope(languages=("notebook",)), limit=1)[0].spot == Spot(cell=1)
        assert project.search("weigh", scope=Scope(languages=("python",)), limit=1)[0].spot is None
        indexed, why = project.why("scan.pdf")
        assert (indexed, why) == (False, "It is not indexed: scanned: none of its 1 pages holds text, only pictures.")
    status = read_status(library)
    assert {each.path for each in (*status.failed, *status.skipped)} == {"broken.pdf", "scan.pdf"}


def test_what_was_read_once_is_read_from_the_cache(library, home, monkeypatch):
    with indexes.opened(library) as project:
        project.update()
    monkeypatch.setattr(Reader, "read", lambda *_: pytest.fail("it was read out again"))
    read = texts.ShownTexts(lambda path: texts.reading_now(library, path))
    assert "given up" in read("manual.pdf")
    line = next(n for n, text in enumerate(read("manual.pdf").split("\n"), 1) if "given up" in text)
    assert read.spot("manual.pdf", line) == Spot(page=2)
    assert read.spot("a.py", 1) is None
    raw = (home / "cache" / "vectors.sqlite").read_bytes()
    assert b"given up" not in raw


def test_a_page_in_one_line_has_no_lines_that_an_editor_shows(tmp_path):
    words = "A page says what it says in a good many words. " * 100
    (tmp_path / "a.html").write_text(
        f"<html><body><h1>Top</h1><p>{words}</p><h2>Below</h2><p>{words}</p></body></html>"
    )
    (tmp_path / "b.html").write_text("<p>part of a page</p>\n")
    read = texts.ShownTexts(lambda path: texts.reading_now(tmp_path, path))
    assert read("a.html").startswith("Top\n\nA page")
    assert (read.spot("a.html", 3), read("b.html"), read.spot("b.html", 1)) == (Spot(), "<p>part of a page</p>\n", None)


def test_a_document_that_changed_is_read_again(library, home):
    read = texts.ShownTexts(lambda path: texts.reading_now(library, path))
    assert "doubles" in read("manual.pdf")
    (library / "manual.pdf").write_bytes(papers.pdf(["Quite another text"]))
    assert "another text" in read("manual.pdf")
    (library / "manual.pdf").unlink()
    assert read("manual.pdf") is None


def test_indexing_documents_stops_and_goes_on_where_it_was(library, home):
    for number in range(12):
        (library / f"more{number}.pdf").write_bytes(papers.pdf([f"Text of number {number}", "and some words"] * 20))
    seen = []
    with indexes.opened(library) as project:
        with pytest.raises(Stopped):
            project.update(on_progress=lambda p: seen.append(p.done), cancelled=lambda: len(seen) > 1)
        before = seen[-1]
        assert before > 0
        report = project.update()
        assert report.added + report.unchanged + len(report.failed) >= 16
        assert report.unchanged > 0 or before < 17


def test_a_reader_ends_with_its_owner(tmp_path):
    code = (
        "import sys, threading; sys.path.insert(0, sys.argv[1]); import papers\n"
        "from memcache_lsp.reading.owner import Reader\n"
        "reader = Reader(); reader.read('a.pdf', papers.pdf(['text of a page'])); print(reader.pid, flush=True)\n"
        "threading.Event().wait()"
    )
    import subprocess

    folder = os.path.dirname(__file__)
    with subprocess.Popen([sys.executable, "-c", code, folder], stdout=subprocess.PIPE) as owner:
        pid = int(owner.stdout.readline())
        owner.kill()
    deadline = time.monotonic() + 20
    gone = threading.Event()
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        gone.wait(0.05)
    pytest.fail("the reader is still there")
