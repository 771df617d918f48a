"""Messages between a worker and its owner: whole, in order, and an end that is noticed; the child as its owner sees it."""

import os
import pickle
import queue
import signal
import struct
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memcache_lsp.programs import command_for
from memcache_lsp.workers import child as child_module
from memcache_lsp.workers.channel import LARGEST_BYTES, Channel
from memcache_lsp.workers.child import Child, Ended, log_path


@pytest.fixture
def pair():
    ends = []
    for _ in range(2):
        reader, writer = os.pipe()
        ends.append((os.fdopen(reader, "rb"), os.fdopen(writer, "wb")))
    (read_a, write_b), (read_b, write_a) = ends
    first, second = Channel(read_a, write_a), Channel(read_b, write_b)
    yield first, second
    first.close()
    second.close()


def sent(data):
    """Return what a channel makes of raw bytes and the end after them."""
    reader, writer = os.pipe()
    with os.fdopen(writer, "wb") as end:
        end.write(data)
    with open(os.devnull, "wb") as nothing:
        channel = Channel(os.fdopen(reader, "rb"), nothing)
        messages = []
        try:
            while True:
                messages.append(channel.receive())
        except EOFError:
            return messages
        finally:
            channel.close()


def frame(value):
    data = pickle.dumps(value)
    return struct.pack("!Q", len(data)) + data


def test_messages_arrive_whole_and_in_order(pair):
    first, second = pair
    big = [os.urandom(1 << 20), "ü" * 1000, None, {"a": (1, 2)}]
    thread = threading.Thread(target=lambda: [first.send(message) for message in big])
    thread.start()
    assert [second.receive() for _ in big] == big
    thread.join()


def test_messages_of_several_threads_do_not_mix(pair):
    first, second = pair
    threads = [threading.Thread(target=first.send, args=(bytes([n]) * 300_000,)) for n in range(8)]
    for thread in threads:
        thread.start()
    received = [second.receive() for _ in threads]
    assert sorted(received) == [bytes([n]) * 300_000 for n in range(8)]
    for thread in threads:
        thread.join()


@given(st.data())
def test_a_cut_stream_gives_the_whole_messages_and_the_end(data):
    messages = data.draw(st.lists(st.one_of(st.text(), st.binary(), st.integers()), max_size=5))
    frames = [frame(message) for message in messages]
    stream = b"".join(frames)
    cut = data.draw(st.integers(0, len(stream)))
    whole = 0
    while whole < len(frames) and len(b"".join(frames[: whole + 1])) <= cut:
        whole += 1
    assert sent(stream[:cut]) == messages[:whole]


@pytest.mark.parametrize(
    "garbage", [b"\xff" * 100, struct.pack("!Q", LARGEST_BYTES + 1), struct.pack("!Q", 4) + b"abcd", b"text\n" * 20]
)
def test_what_is_no_message_is_the_end(garbage):
    assert sent(frame("good") + garbage + frame("lost")) == ["good"]


def ended(command, tmp_path, *, before=lambda child: None):
    delivered = queue.SimpleQueue()
    child = Child(command, deliver=delivered.put, log=tmp_path / "log")
    before(child)
    assert child.join(20)
    messages = []
    while not delivered.empty():
        messages.append(delivered.get())
    return child, messages


@pytest.mark.parametrize(
    ("program", "code", "how"),
    [
        ("pass", 0, "exit code 0"),
        ("raise SystemExit(3)", 3, "exit code 3"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", -11, "signal 11"),
        ("import os, threading; os.close(1); threading.Event().wait()", -9, "signal 9"),  # it closed its pipe and stays
        ("print('x' * 1000, flush=True); import threading; threading.Event().wait()", -9, "signal 9"),
    ],
)
def test_how_a_child_ended(tmp_path, program, code, how):
    child, messages = ended([sys.executable, "-c", program], tmp_path)
    assert messages == [Ended(code, killed=code == -signal.SIGKILL)]
    assert messages[0].how == how
    assert not Path(f"/proc/{child.pid}").exists()
    child.kill()  # of what is gone: nothing happens
    child.send("late")


def test_a_child_killed_before_it_is_started(tmp_path):
    _, messages = ended(
        [sys.executable, "-c", "import threading; threading.Event().wait()"], tmp_path, before=Child.kill
    )
    assert messages == [Ended(-signal.SIGKILL, killed=True)]


def test_a_child_that_does_not_read_blocks_nobody(tmp_path):
    program = "import threading; threading.Event().wait()"

    def flood(child):
        for _ in range(4):
            child.send(b"x" * (1 << 20))
        child.kill()

    _, messages = ended([sys.executable, "-c", program], tmp_path, before=flood)
    assert messages == [Ended(-signal.SIGKILL, killed=True)]


def test_a_child_without_a_program(tmp_path):
    child, messages = ended([str(tmp_path / "nothing")], tmp_path)
    assert [type(message) for message in messages] == [Ended]
    assert child.pid is None


def test_a_module_in_the_current_folder_is_not_run(tmp_path, monkeypatch):
    """The current folder may be a project that nobody trusts."""
    (tmp_path / "json.py").write_text("raise SystemExit('hostile')", encoding="utf-8")
    (tmp_path / "memcache_lsp").mkdir()
    (tmp_path / "memcache_lsp" / "__init__.py").write_text("raise SystemExit('hostile')", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PYTHONPATH", raising=False)
    command = command_for("memcache_lsp.workers.index_child", "1")
    delivered = queue.SimpleQueue()
    child = Child(command, deliver=delivered.put, log=tmp_path / "log")
    assert not child.join(0.5)  # it waits to be told what to do
    child.kill()
    assert child.join(10)
    assert b"hostile" not in (tmp_path / "log").read_bytes()


def test_a_long_log_is_put_aside(monkeypatch):
    monkeypatch.setattr(child_module, "LOG_BYTES", 10)
    log_path().write_text("short", encoding="utf-8")
    assert log_path().exists()
    log_path().write_text("longer than ten bytes", encoding="utf-8")
    assert not log_path().exists()
    assert log_path().with_suffix(".log.1").read_text(encoding="utf-8") == "longer than ten bytes"
