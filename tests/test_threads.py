"""Threads on disk: shared by processes, limited, redacted, forgotten wholly, and never a reason to fail."""

import os
import stat
import subprocess
import sys

import pytest

from memcache_lsp.conversation import Told
from memcache_lsp.errors import UserError
from memcache_lsp.events import Citation, Delta, Result, Timings, Usage
from memcache_lsp.evidence import Evidence
from memcache_lsp.generator import Batches, Computed
from memcache_lsp.prompt import Message
from memcache_lsp.threads import disk
from memcache_lsp.threads.asked import before
from memcache_lsp.threads.disk import Threads
from memcache_lsp.threads.fresh import changed, is_stale, standing
from memcache_lsp.threads.records import Cited, Place, Record, Turn, packed, present, unpacked
from memcache_lsp.values import Hit, Span

ROOT = "/projects/courier"
PLACE = Place(ROOT, "src/a.py")
KEY = "AKIAIOSFODNN7EXAMPLQ"


def turn(question="How is it sent?", *, answer="By hand [1].", replaces=None, asked_at=1000.0, record=True):
    hit = Hit("src/a.py", Span(0, 9, 3, 4), "def send", "function", "send", "python", ("Outer",), 1.5)
    citation = Citation(1, "src/a.py", 3, 4)
    told = Told(
        (Message("system", "s"), Message("user", question)),
        (Evidence(1, "src/a.py", 3, 4, "def send", "send", "python"),),
        answer,
        64,
        Computed("llama 1", 2048, (Batches(64, 3, 2),), (Batches(1, 7, 2),)),
    )
    result = Result(answer, (citation,), "stop", 1, 9, Usage(10, 0, 3), Timings(0.5, 1.0))
    return Turn(
        number=0,
        question=question,
        asked_at=asked_at,
        first=1,
        sources=(hit,),
        said=(Delta(0, answer), citation),
        result=result,
        cited=(Cited(1, PLACE, 3, 4, "def send():\n    pass"),),
        places={"src/a.py": PLACE},
        record=Record("/m.gguf", "00ff", ("aa",), told) if record else None,
        replaces=replaces,
    )


@pytest.fixture
def threads():
    kept = Threads()
    yield kept
    kept.close()


def asked(threads, question="How is it sent?", *, roots=(ROOT,), thread_id=None, key="", **options):
    return threads.remember(turn(question, **options), thread_id=thread_id, roots=roots, key=key)


def test_a_turn_is_read_as_it_was_written():
    written = turn(replaces=3)
    assert unpacked(packed(written)) == written


def test_another_process_goes_on_with_a_thread(threads):
    first = asked(threads)
    code = (
        "import sys; sys.path[:0] = ['tests']; from test_threads import asked; from memcache_lsp.threads.disk import Threads;"
        f"t = Threads(); asked(t, 'and why?', thread_id={first.thread_id!r}); t.close()"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
    assert [each.question for each in threads.get(first.thread_id).turns] == ["How is it sent?", "and why?"]


def test_many_processes_write_at_once(threads):
    asked(threads)
    code = (
        "import sys; sys.path[:0] = ['tests']; from test_threads import asked; from memcache_lsp.threads.disk import Threads;"
        "t = Threads(); [asked(t, f'question {n}') for n in range(10)]; t.close()"
    )
    running = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(3)]
    assert [process.wait(timeout=60) for process in running] == [0, 0, 0]
    assert len(threads.listed()) == 31


def test_threads_are_listed_by_root_the_latest_first():
    now = iter(range(10**6))
    threads = Threads(clock=lambda: float(next(now)))
    first, other = asked(threads), asked(threads, roots=("/projects/other",))
    asked(threads, "and why?", thread_id=first.thread_id, roots=("/projects/third",))
    assert [thread.id for thread in threads.listed()] == [first.thread_id, other.thread_id]
    assert [thread.id for thread in threads.listed(["/projects/other"])] == [other.thread_id]
    assert threads.listed(["/projects/third"])[0].roots == (ROOT, "/projects/third")
    assert threads.latest([ROOT]) == first.thread_id
    threads.close()


def all_bytes(home):
    return b"".join(path.read_bytes() for path in (home / "data").rglob("*") if path.is_file())


def test_what_is_deleted_is_gone_from_the_disk(threads, home):
    kept = asked(threads, "What of the xylophone?")
    assert b"xylophone" in all_bytes(home)
    threads.delete(kept.thread_id)
    assert b"xylophone" not in all_bytes(home)
    with pytest.raises(UserError, match="no thread"):
        threads.get(kept.thread_id)
    with pytest.raises(UserError, match="no thread"):
        threads.delete(kept.thread_id)


def test_a_project_is_forgotten_with_its_threads(threads):
    asked(threads, roots=(ROOT, "/projects/other"))
    other = asked(threads, roots=("/projects/other",))
    assert threads.forget(ROOT) == 1
    assert [thread.id for thread in threads.listed()] == [other.thread_id]
    assert threads.citing(ROOT) == {(other.thread_id, 1): [Cited(1, PLACE, 3, 4, "def send():\n    pass")]}


def test_secrets_are_not_written(threads, home):
    question, answer = f"Is {KEY} still used?", f"It is {KEY} [1]."
    kept = asked(threads, question, answer=answer)
    assert KEY.encode() not in all_bytes(home)
    again = threads.get(kept.thread_id).turns[0]
    assert KEY not in repr(again).replace(question, "")
    assert again.result.answer == "".join(each.text for each in again.said if isinstance(each, Delta))


def test_limits_of_number_size_and_age(monkeypatch):
    now = [0.0]
    threads = Threads(clock=lambda: now[0])
    names = []
    for at in range(6):
        now[0] = float(at)
        names.append(asked(threads).thread_id)
    monkeypatch.setattr(disk, "MOST_THREADS", 3)
    now[0] = 10.0
    names.append(asked(threads).thread_id)
    assert {thread.id for thread in threads.listed()} == {names[4], names[5], names[6]}
    now[0] = 10.0 + disk.OLDEST_S + 1
    names.append(asked(threads).thread_id)
    assert [thread.id for thread in threads.listed()] == [names[7]]
    monkeypatch.setattr(disk, "MOST_BYTES", 1)
    names.append(asked(threads).thread_id)
    assert [thread.id for thread in threads.listed()] == [names[8]]
    threads.close()


def test_the_folder_is_the_users_own(threads, home):
    asked(threads)
    folder = home / "data" / "threads"
    assert stat.S_IMODE(folder.stat().st_mode) & 0o077 == 0
    assert all(stat.S_IMODE(path.stat().st_mode) & 0o077 == 0 for path in folder.glob("*.sqlite"))


@pytest.mark.parametrize(
    "damage", [b"this is no database at all, whatever it was before" * 100, b"SQLite format 3\0" + b"\1" * 5000]
)
def test_a_broken_database_is_set_aside_with_one_sentence(threads, home, damage):
    asked(threads)
    threads.close()
    path = next((home / "data" / "threads").glob("*.sqlite"))
    path.write_bytes(damage)
    again = Threads()
    assert again.listed() == []
    assert asked(again).number == 1
    notice = again.take_notice()
    assert "set aside" in notice
    assert again.take_notice() is None
    assert path.with_suffix(".broken").read_bytes() == damage
    again.close()


def test_a_turn_that_cannot_be_read_is_left_out(threads):
    kept = asked(threads)
    asked(threads, "and why?", thread_id=kept.thread_id)
    with threads._writing() as db:
        db.execute("update turns set data = x'00' where number = 1")
    assert [each.question for each in threads.get(kept.thread_id).turns] == ["and why?"]


def test_an_answer_is_found_by_its_key(threads):
    asked(threads, key="one")
    kept = asked(threads, "Where?", key="two")
    found, again = threads.find("two")
    assert (found, again.question) == (kept, "Where?")
    assert threads.find("three") is None


def test_models_are_hashed_once(threads, tmp_path):
    model = tmp_path / "m.gguf"
    model.write_bytes(b"one")
    assert threads.known_sha256(model) is None
    name = threads.sha256(model)
    assert threads.known_sha256(model) == name
    model.write_bytes(b"three")
    os.utime(model, ns=(1, 1))
    assert threads.known_sha256(model) is None
    assert threads.sha256(model) != name


def test_what_was_asked_again_counts_no_more(threads):
    kept = asked(threads)
    asked(threads, "and why?", thread_id=kept.thread_id)
    asked(threads, thread_id=kept.thread_id, replaces=1)
    thread = threads.get(kept.thread_id)
    assert [each.number for each in present(thread.turns)] == [2, 3]
    assert {number for _, number in threads.citing(ROOT, "src/a.py")} == {2, 3}
    assert before(thread, again=2).asked == ()


def test_a_question_goes_on_with_what_the_model_saw(threads):
    kept = asked(threads)
    asked(threads, "and why?", thread_id=kept.thread_id, record=False)  # quotations
    gone_on = before(threads.get(kept.thread_id))
    assert [message.role for message in gone_on.earlier.messages] == ["system", "user", "assistant"]
    assert gone_on.earlier.next_number == 2
    assert gone_on.asked[0].symbols == ("send",)


@pytest.mark.parametrize(
    ("text", "status", "lines"),
    [
        ("\n\ndef send():\n    pass\n", "fresh", (3, 4)),
        ("import os\n\n\ndef send():\n    pass\n", "moved", (4, 5)),
        ("\n\ndef send():\n    return 1\n", "stale", (3, 4)),
        ("", "stale", (3, 4)),
        (None, "stale", (3, 4)),
    ],
)
def test_whether_what_is_cited_still_stands(text, status, lines):
    (found,) = standing([Cited(1, PLACE, 3, 4, "def send():\n    pass")], lambda _: text)
    assert (found.status, (found.cited.start_line, found.cited.end_line)) == (status, lines)
    assert bool(changed([found])) == (status != "fresh")
    assert is_stale([found]) == (status == "stale")


def test_files_in_a_folder_are_cited_in_it(threads):
    asked(threads)
    assert threads.citing(ROOT, "src")
    assert threads.citing(ROOT, "src/a.py")
    assert not threads.citing(ROOT, "sr")
    assert not threads.citing("/projects", "courier")


def test_half_a_character_pair_is_no_reason_to_fail(threads):
    kept = asked(threads, "half \ud83d of it?", roots=("/projects/\udcff",))
    assert threads.get(kept.thread_id).turns[0].question.startswith("half ")
    with pytest.raises(UserError, match="no thread"):
        threads.get("\ud83d")


def test_where_nothing_can_be_kept_it_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be made"):
        Threads(tmp_path / "file" / "threads").listed()


def test_an_answer_that_is_given_again_does_not_fill_the_list(threads):
    first = asked(threads, key="one")
    for _ in range(3):
        assert threads.give_again(*threads.find("one"), thread_id=None, roots=(ROOT,), key="one") == first
    asked(threads, "and why?", thread_id=first.thread_id)
    copy = threads.give_again(*threads.find("one"), thread_id=None, roots=(ROOT,), key="one")
    assert copy.thread_id != first.thread_id
    assert threads.give_again(*threads.find("one"), thread_id=None, roots=(ROOT,), key="one") == copy
    within = threads.give_again(*threads.find("one"), thread_id=first.thread_id, roots=(ROOT,), key="one")
    assert (within.thread_id, within.number) == (first.thread_id, 3)
    assert len(threads.listed()) == 2
