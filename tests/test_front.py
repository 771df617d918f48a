"""The front as an editor meets it: a real process between pipes and a toy daemon."""

import array
import fcntl
import os
import random
import select
import signal
import subprocess
import sys
import termios

import pytest
from fronts import Editor, Home, encode, is_alive, wait_until

from memcache_lsp import front
from memcache_lsp.relay.memory import LOST, LOST_REQUEST


@pytest.fixture
def toys():
    home = Home()
    yield home
    home.close()


@pytest.fixture
def editor(toys):
    with Editor(toys) as editor:
        yield editor


def opened(uri, text, version=1):
    return {"textDocument": {"uri": uri, "languageId": "text", "version": version, "text": text}}


def test_relays(editor):
    assert editor.begin()["capabilities"] == {"positionEncoding": "utf-16"}
    assert editor.call("toy/echo", {"a": "ä\u2028", "n": [1, None]}) == {"a": "ä\u2028", "n": [1, None]}
    assert len(editor.call("toy/big", 3_000_000)) == 3_000_000


def test_the_daemon_asks_the_editor(editor):
    editor.begin()
    asked = editor.ask("toy/ask", {"method": "workspace/configuration", "params": {"items": []}})
    request = editor.notified("workspace/configuration")
    editor.send(id=request["id"], result=[7])
    assert editor.answer(asked)["result"] == {"editor said": [7]}


def test_any_split_of_the_bytes(editor):
    editor.begin()
    said = [{"jsonrpc": "2.0", "id": f"s{n}", "method": "toy/echo", "params": "é\r\n" * n} for n in range(60)]
    data, at, chance = b"".join(map(encode, said)), 0, random.Random(0)
    while at < len(data):
        size = chance.choice([1, 2, 7, 60, 500])
        editor.send_bytes(data[at : at + size])
        at += size
    for message in said:
        assert editor.answer(message["id"])["result"] == message["params"]
    assert editor.messages == []


def test_every_request_is_answered_once_whoever_dies(editor, toys):
    """The daemon is killed five times amid 500 requests."""
    editor.begin()
    for number in range(500):
        editor.ask("toy/echo", "x" * 1000, identity=f"k{number}")
        if number % 100 == 50:
            os.kill(toys.alive()[-1], signal.SIGKILL)
            editor.notified("window/showMessage")
    editor.call("toy/echo")
    for number in range(500):
        editor.answer(f"k{number}")
    assert editor.call("toy/echo", "last") == "last"
    assert [message for message in editor.messages if "id" in message] == []


@pytest.mark.parametrize(("shutdown", "code"), [(True, 0), (False, 1)])
def test_exit(editor, shutdown, code):
    editor.begin()
    if shutdown:
        assert editor.call("shutdown") is None
    editor.notify("exit")
    assert editor.rest() == ([], code)


@pytest.mark.parametrize(("shutdown", "code"), [(True, 0), (False, 1)])
def test_the_editor_closes_its_end(editor, shutdown, code):
    editor.begin()
    if shutdown:
        editor.call("shutdown")
    editor.process.stdin.close()
    assert editor.rest() == ([], code)


def test_what_was_said_before_the_end_is_answered(editor):
    for number, method in enumerate(("initialize", "shutdown")):
        editor.ask(method, {}, identity=number)
    editor.notify("exit")
    messages, code = editor.rest()
    assert [message["id"] for message in messages] == [0, 1]
    assert code == 0


def test_a_lost_daemon(editor, toys):
    first = editor.begin()["pid"]
    stalled = editor.ask("toy/stall")
    twice = editor.ask("toy/stall", identity="7")
    editor.heard()  # so both have reached it
    os.kill(first, signal.SIGKILL)
    for identity in (stalled, twice):
        assert editor.answer(identity)["error"] == {"code": -32803, "message": LOST_REQUEST}
    assert editor.notified("window/showMessage")["params"] == {"type": 2, "message": LOST}
    second = editor.heard()
    assert second["pid"] not in {first, None}
    assert second["initialize"] == {"processId": None, "capabilities": {}}
    assert second["heard"] == [{"jsonrpc": "2.0", "method": "initialized", "params": {}}]
    assert toys.alive() == [second["pid"]]
    assert editor.messages == []  # the answer to the second initialize is not the editor's


def test_two_editors_lose_one_daemon_and_share_the_next(toys):
    with Editor(toys) as one, Editor(toys) as other:
        assert one.begin()["pid"] == other.begin()["pid"]
        one.ask("toy/die")
        for editor in (one, other):
            editor.notified("window/showMessage")
        assert one.heard()["pid"] == other.heard()["pid"]
        assert len(toys.alive()) == 1


def test_one_editor_is_killed_and_the_other_works(toys):
    with Editor(toys) as one, Editor(toys) as other:
        pid = one.begin()["pid"]
        other.begin()
        one.ask("toy/stall")
        one.process.kill()
        assert other.heard()["pid"] == pid


def test_open_buffers_come_along(editor):
    editor.begin()
    editor.notify("textDocument/didOpen", opened("file:///a", "one\ntwo\n"))
    editor.notify("textDocument/didOpen", opened("file:///gone", "x"))
    editor.notify("textDocument/didClose", {"textDocument": {"uri": "file:///gone"}})
    change = {"range": {"start": {"line": 1, "character": 0}, "end": {"line": 1, "character": 3}}, "text": "𝒳2"}
    editor.notify(
        "textDocument/didChange", {"textDocument": {"uri": "file:///a", "version": 2}, "contentChanges": [change]}
    )
    editor.notify("$/setTrace", {"value": "messages"})
    lose(editor)
    # What is typed while there is no daemon counts too.
    change = {"range": {"start": {"line": 1, "character": 2}, "end": {"line": 1, "character": 3}}, "text": "3"}
    editor.notify(
        "textDocument/didChange", {"textDocument": {"uri": "file:///a", "version": 3}, "contentChanges": [change]}
    )
    methods = {message["method"]: message["params"] for message in editor.heard()["heard"]}
    assert methods == {
        "initialized": {},
        "$/setTrace": {"value": "messages"},
        "textDocument/didOpen": opened("file:///a", "one\n𝒳3\n", 3),
    }


def lose(editor):
    editor.ask("toy/die")
    editor.notified("window/showMessage")


def test_workspace_folders_come_along(editor):
    editor.begin(rootUri="file:///one", workDoneToken="t")
    added = {"uri": "file:///two", "name": "two"}
    editor.notify("workspace/didChangeWorkspaceFolders", {"event": {"added": [added], "removed": []}})
    lose(editor)
    assert editor.heard()["initialize"] == {
        "processId": None, "capabilities": {}, "rootUri": "file:///one",
        "workspaceFolders": [{"uri": "file:///one", "name": "one"}, added],
    }  # fmt: skip


def test_progress_of_a_lost_daemon_is_ended(editor):
    editor.begin()
    asked = editor.ask("toy/die", ["p", 1])
    begun = [editor.notified("$/progress")["params"] for _ in range(2)]
    ended = [editor.notified("$/progress")["params"] for _ in range(2)]
    assert [(p["token"], p["value"]["kind"]) for p in begun + ended] == [
        ("p", "begin"), (1, "begin"), ("p", "end"), (1, "end"),
    ]  # fmt: skip
    assert "error" in editor.answer(asked)


def test_late_answers_to_a_lost_daemon_are_dropped(editor):
    editor.begin()
    editor.ask("toy/ask", {"method": "workspace/configuration"})
    late = editor.notified("workspace/configuration")["id"]
    lose(editor)
    asked = editor.ask("toy/ask", {"method": "workspace/configuration"})
    request = editor.notified("workspace/configuration")["id"]
    assert request != late  # both daemons count from one
    editor.send(id=late, result="late")
    editor.send(id=request, result="in time")
    assert editor.answer(asked)["result"] == {"editor said": "in time"}


def test_registrations_of_a_lost_daemon_are_taken_back(editor):
    editor.begin()
    registrations = [{"id": "r1", "method": "workspace/didChangeWatchedFiles", "registerOptions": {}}]
    editor.ask("toy/ask", {"method": "client/registerCapability", "params": {"registrations": registrations}})
    editor.notified("client/registerCapability")
    lose(editor)
    request = editor.notified("client/unregisterCapability")
    assert request["params"] == {"unregisterations": [{"id": "r1", "method": "workspace/didChangeWatchedFiles"}]}
    editor.send(id=request["id"], result=None)
    assert [message["method"] for message in editor.heard()["heard"]] == ["initialized"]


def test_half_a_frame_of_a_lost_daemon_is_not_passed_on(editor):
    editor.begin()
    assert editor.answer(editor.ask("toy/half"))["error"]["message"] == LOST_REQUEST
    editor.heard()


def test_a_daemon_that_dies_at_initialize_is_tried_twice(toys):
    toys.switch("die-at-initialize")
    with Editor(toys) as editor:
        editor.ask("initialize", {})
        messages, code = editor.rest()
        assert [message["id"] for message in messages] == [1]
        assert messages[0]["error"]["code"] == -32803
        assert code == 1
        assert b"stopped twice at the start" in editor.process.stderr.read()
    assert len(toys.started()) == 2


def test_a_daemon_that_dies_once_at_initialize_is_not_noticed(toys):
    toys.switch("die-at-initialize")
    toys.switch("but-only-once")
    with Editor(toys) as editor:
        assert editor.begin()["pid"] == toys.alive()[0]
        editor.heard()
        assert editor.messages == []
    assert len(toys.started()) == 2


def test_no_daemon_can_be_started(toys):
    toys.switch("fail")
    with Editor(toys) as editor:
        editor.ask("initialize", {})
        messages, code = editor.rest()
        assert code == 1
        assert [message["id"] for message in messages] == [1]
        said = editor.process.stderr.read().decode()
        log = toys.path / "state" / "daemon.log"
        assert said == f"memcache-lsp: {messages[0]['error']['message']}\n"
        assert str(log) in said
        assert "this daemon does not start" in log.read_text()


def test_no_daemon_can_be_started_again(editor, toys):
    editor.begin()
    toys.switch("fail")
    lose(editor)
    error = editor.call("toy/echo", 1)
    assert error["code"] == -32803
    assert "daemon.log" in error["message"]
    toys.switch("fail", on=False)
    assert editor.call("toy/echo", 1) == 1  # the next one tries again


def test_shutdown_starts_no_daemon(editor, toys):
    editor.begin()
    lose(editor)
    assert editor.call("shutdown") is None
    assert editor.call("toy/echo")["code"] == -32600
    editor.notify("exit")
    assert editor.rest()[1] == 0
    assert len(toys.started()) == 1


def test_malformed_messages_reach_the_daemon(editor):
    editor.begin()
    for body in (b"{", b"[]", b'"x"', b"\xff", b"[" * 100_000):
        editor.send_bytes(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        assert editor.answer(None)["error"]["message"] == "no message"
    assert editor.call("toy/echo", 2) == 2


@pytest.mark.parametrize("header", [b"nonsense\r\n\r\n", b"Content-Length: -1\r\n\r\n", b"Content-Type: x\r\n\r\n"])
def test_where_the_boundary_is_lost_the_session_ends(editor, toys, header):
    pid = editor.begin()["pid"]
    editor.send_bytes(header)
    messages, code = editor.rest()
    assert code == 1
    assert is_alive(pid)
    if b"-1" not in header:
        assert messages[-1]["error"]["message"] == "no boundary"


def test_odd_headers_are_frames(editor):
    editor.begin()
    body = b'{"jsonrpc":"2.0","id":"x","method":"toy/stall"}'
    editor.send_bytes(
        b"content-LENGTH : %d\r\nContent-Type: a\r\nContent-Length: %d\n\n%b" % (len(body), len(body), body)
    )
    lose(editor)
    assert editor.answer("x")["error"]["message"] == LOST_REQUEST  # so it was read


def test_a_large_message_passes_in_parts(editor):
    editor.begin()
    size = 1 << 28
    editor.send_bytes(b"Content-Length: %d\r\n\r\n" % size)
    part = b" " * (1 << 20)
    for _ in range(size // len(part)):
        for at in range(0, len(part), 1 << 16):
            editor.send_bytes(part[at : at + (1 << 16)])
    assert editor.call("toy/echo", 3) == 3
    assert peak_mb(editor) < 60


def test_a_large_message_whose_daemon_is_lost_is_dropped(editor):
    pid = editor.begin()["pid"]
    half = b" " * (10 << 20)
    editor.send_bytes(b"Content-Length: %d\r\n\r\n" % (2 * len(half)))
    for _ in range(2):  # the second fills the pipe, so the first has been read
        editor.send_bytes(half[: 1 << 16])
    os.kill(pid, signal.SIGKILL)
    editor.notified("window/showMessage")
    for _ in range(2 << 16, 2 * len(half), 1 << 16):
        editor.send_bytes(half[: 1 << 16])
    assert editor.call("toy/echo", 4) == 4


@pytest.mark.parametrize("when", ["while it passes", "while it is worked at"])
def test_a_large_request_whose_daemon_is_lost_is_answered(editor, when):
    pid = editor.begin()["pid"]
    filler = b" " * (10 << 20)
    body = b'{"jsonrpc":"2.0","params":{"a":"%b"},"id":"large","method":"toy/stall"}' % filler
    editor.send_bytes(b"Content-Length: %d\r\n\r\n" % len(body))
    pieces = [body[at : at + (1 << 16)] for at in range(0, len(body), 1 << 16)]
    for piece in pieces[:2]:  # the second fills the pipe, so the first has been read
        editor.send_bytes(piece)
    if when == "while it passes":
        os.kill(pid, signal.SIGKILL)
        editor.notified("window/showMessage")
    for piece in pieces[2:]:
        editor.send_bytes(piece)
    if when == "while it is worked at":
        lose(editor)
    assert editor.answer("large")["error"]["message"] == LOST_REQUEST
    assert editor.call("toy/echo", 4) == 4


def test_an_editor_that_does_not_read_costs_little(editor):
    """The daemon has 200 MB for it; the front holds what fits its buffers and stops reading."""
    editor.begin()
    for _ in range(100):
        editor.ask("toy/big", 2_000_000)
    wait_until(lambda: waiting_bytes(editor.process.stdout) == 1 << 16)  # all that a pipe holds
    for number in range(2, 102):
        assert len(editor.answer(number)["result"]) == 2_000_000
    assert peak_mb(editor) < 60


def test_a_daemon_that_does_not_read_costs_little(editor):
    """The editor can write no more; what it sends goes on when the daemon is gone."""
    pid = editor.begin()["pid"]
    editor.ask("toy/deaf")
    stdin = editor.process.stdin.fileno()
    os.set_blocking(stdin, False)
    note = encode({"jsonrpc": "2.0", "method": "note", "params": "x" * 60_000})
    written = 0
    while written < 50 << 20 and select.select([], [stdin], [], 1)[1]:  # a second of silence: it reads no more
        written += os.write(stdin, note[written % len(note) :])
    assert written < 20 << 20
    assert peak_mb(editor) < 60
    os.kill(pid, signal.SIGKILL)
    editor.notified("window/showMessage")
    os.set_blocking(stdin, True)
    editor.send_bytes(note[written % len(note) :])
    assert editor.call("toy/echo", 5) == 5


def waiting_bytes(pipe):
    """Return how much lies in a pipe."""
    count = array.array("i", [0])
    fcntl.ioctl(pipe, termios.FIONREAD, count)
    return count[0]


def peak_mb(editor):
    with open(f"/proc/{editor.process.pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1000


def test_imports_the_standard_library_only(toys):
    code = (
        "import sys; from memcache_lsp import front; front.run([], command=sys.argv[1:]);"
        "names = {name.partition('.')[0] for name in sys.modules} - set(sys.stdlib_module_names);"
        "sys.stderr.write(repr(sorted(n for n in names if n[0] != '_')));"
        "sys.stderr.write(repr(sorted(set(sys.modules) & {'asyncio', 'dataclasses', 'logging'})))"
    )
    with Editor(toys, code=code) as editor:
        editor.begin()
        editor.notify("exit")
        editor.rest()
        assert editor.process.stderr.read() == b"['memcache_lsp'][]"


@pytest.mark.parametrize(
    ("arguments", "unknown"),
    [
        ([], []),
        (["--stdio"], []),
        (["--stdio", "--clientProcessId=12"], []),
        (["--clientProcessId", "12", "--stdio"], []),
        (["--clientProcessId", "x"], ["x"]),
        (["12"], ["12"]),
        (["--socket=1"], ["--socket=1"]),
    ],
)
def test_what_editors_add_to_the_command_is_taken(arguments, unknown):
    assert front.unknown_arguments(arguments) == unknown


@pytest.mark.parametrize(
    "arguments",
    [
        ["--stdio", "--no-daemon"],
        ["--no-daemon", "--stdio"],
        ["serve", "--no-daemon", "--clientProcessId=1"],
        ["--clientProcessId", "1", "--stdio", "--no-daemon"],
    ],
)
def test_what_editors_add_is_taken_without_a_daemon_too(arguments):
    command = [sys.executable, "-m", "memcache_lsp", *arguments]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1, done.stderr  # it ended with its input
    assert "memcache-lsp:" not in done.stderr
