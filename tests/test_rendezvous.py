"""How clients find the daemon, start it, and end it: real processes, toy daemons."""

import asyncio
import contextlib
import os
import select
import signal
import socket
import stat
import struct
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from fronts import TOY, Home, is_alive, wait_until

from memcache_lsp import __version__, rendezvous
from memcache_lsp.errors import UserError
from memcache_lsp.rendezvous import handshake, listening, places

_CLIENT = """
import sys, socket, struct
from memcache_lsp import __version__, rendezvous
sys.stdin.read()
peer = rendezvous.ensure_daemon(sys.argv[2:], 120, version=sys.argv[1])
print(struct.unpack("3i", peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0])
"""


@pytest.fixture
def toys(monkeypatch):
    home = Home()
    monkeypatch.setenv("MEMCACHE_HOME", str(home.path))
    yield home
    home.close()


def pid_of(peer):
    with peer:
        return struct.unpack("3i", peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]


def toy(version):
    return ["/usr/bin/env", f"TOY_VERSION={version}", *TOY]


def at_once(versions):
    """Let clients of these versions look for a daemon at the same moment; return what each found."""
    begin, held = os.pipe()
    clients = [
        subprocess.Popen(
            [sys.executable, "-c", _CLIENT, version, *toy(version)], stdin=begin, stdout=subprocess.PIPE, text=True
        )
        for version in versions
    ]
    os.close(begin)
    os.close(held)  # all of them wait for this
    found = [client.communicate(timeout=200)[0] for client in clients]
    assert not any(client.returncode for client in clients)
    return [int(pid) for pid in found]


def test_fifty_cold_starts_end_with_one_daemon(toys):
    found = at_once(["0.1.0"] * 50)
    assert len(set(found)) == 1
    assert toys.started() == toys.alive() == found[:1]


def test_two_installed_versions_do_not_fight(toys):
    found = at_once(["0.2.0", "0.1.0"] * 8)
    newest = set(found[::2])
    assert len(newest) == 1  # all of the newer version found the same one
    assert toys.alive() == list(newest)
    assert set(at_once(["0.1.0", "0.2.0"])) == newest
    assert len(toys.started()) <= 2


def test_daemons_that_start_at_once_leave_one(toys):
    daemons = [subprocess.Popen(TOY, stderr=subprocess.PIPE, text=True) for _ in range(4)]
    wait_until(lambda: sum(daemon.poll() is None for daemon in daemons) == 1)
    with rendezvous.connect(20) as peer:
        alive = pid_of(peer)
    for daemon in daemons:
        if daemon.pid == alive:
            daemon.kill()
            daemon.communicate()
        else:
            assert f"Another memcache-lsp daemon (process {alive}) runs" in daemon.communicate()[1]


@pytest.mark.parametrize(
    ("one", "other", "newer"),
    [
        ("0.2.0", "0.1.0", True), ("0.10.0", "0.9.9", True), ("1.0", "0.9", True), ("0.1.0", "0.1.0", False),
        ("0.1.0", "0.2.0", False), ("0.1.0rc1", "0.1.0", False), ("0.1.0", "0.1.0rc1", False), ("0.1.0", "", True),
        ("x", "0.1.0", False), ("9" * 5000, "1", True),
        ("0.1.0+1700000001", "0.1.0+1700000000", True), ("0.1.0+1700000000", "0.1.0+1700000001", False),
        ("0.2.0+1700000000", "0.1.0+1700000001", True), ("0.1.0+1700000000", "0.2.0+1600000000", False),
        ("0.1.0+1700000000", "0.1.0", False), ("0.1.0", "0.1.0+1700000000", False), ("0.1.0+local", "0.1.0", False),
    ],
)  # fmt: skip
def test_newer(one, other, newer):
    assert handshake.is_newer(one, other) is newer


def test_a_build_is_as_new_as_its_latest_file(tmp_path, monkeypatch):
    (tmp_path / "part").mkdir()
    for name, time_s in (("a.py", 1_700_000_000), ("part/b.py", 1_700_000_005), ("part/data.bin", 1_700_000_009)):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (time_s, time_s))
    monkeypatch.setattr(places, "_PACKAGE", str(tmp_path))
    assert places.own_version() == f"{__version__}+1700000005"


def test_a_daemon_whose_program_was_removed_is_displaced(monkeypatch):
    with rendezvous.Listener() as listener:
        assert not listener.displaced()
        monkeypatch.setattr(listening, "is_installed", lambda: False)
        assert listener.displaced()


def test_none_is_there(toys):
    assert rendezvous.connect(5) is None
    assert rendezvous.holder() is None
    assert rendezvous.stop() is False


def test_a_daemon_is_apart_from_who_started_it(toys):
    pid = pid_of(rendezvous.ensure_daemon(TOY))
    assert os.getsid(pid) == pid
    assert os.readlink(f"/proc/{pid}/cwd") == "/"
    assert [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in range(3)] == ["/dev/null", *[str(rendezvous.log_path())] * 2]
    assert rendezvous.holder() == pid
    assert b"MEMCACHE_HOME" in Path(f"/proc/{pid}/environ").read_bytes()


def test_what_a_killed_daemon_left_is_replaced(toys):
    first = pid_of(rendezvous.ensure_daemon(TOY))
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: not is_alive(first))
    assert rendezvous.socket_path().is_socket()
    assert rendezvous.holder() is None
    assert pid_of(rendezvous.ensure_daemon(TOY)) != first
    assert len(toys.alive()) == 1


def test_stop(toys):
    pid = pid_of(rendezvous.ensure_daemon(TOY))
    assert rendezvous.stop(20) is True  # asked, not killed: its socket goes with it
    wait_until(lambda: not is_alive(pid))
    assert not rendezvous.socket_path().exists()
    assert rendezvous.stop() is False


def test_a_daemon_that_hangs_is_named_and_can_be_stopped(toys):
    pid = pid_of(rendezvous.ensure_daemon(TOY))
    os.kill(pid, signal.SIGSTOP)
    with pytest.raises(UserError, match=rf"\(process {pid}\) does not answer: end it with `memcache-lsp stop`"):
        rendezvous.ensure_daemon(TOY, 0.3)
    assert rendezvous.stop(0.3) is True
    wait_until(lambda: not is_alive(pid))
    assert pid_of(rendezvous.ensure_daemon(TOY)) != pid


def test_a_daemon_that_never_listens_is_ended(toys):
    started = toys.path / "pid"
    command = ["/bin/sh", "-c", 'echo $$ > "$0"; exec sleep 1000', str(started)]
    with pytest.raises(UserError, match=r"did not start in time: see .*daemon\.log"):
        rendezvous.ensure_daemon(command, 5)  # the shell writes its line within that
    wait_until(lambda: not is_alive(int(started.read_text())))


def test_a_command_that_is_not_there(toys):
    with pytest.raises(UserError, match="cannot be started .*: /no/such"):
        rendezvous.ensure_daemon(["/no/such"])


def test_who_starts_a_daemon_may_be_killed(toys):
    """The lock of the start is the kernel's: it does not stay with who is no more."""
    code = (
        "from memcache_lsp.rendezvous import places\nwith places.starting() as mine: print(mine, flush=True); input()"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as starter:
        assert starter.stdout.readline() == b"True\n"
        with places.starting() as mine:
            assert not mine
        with pytest.raises(UserError, match="did not start within"):
            rendezvous.ensure_daemon(TOY, 0.2)
        starter.kill()
        starter.wait()
    assert pid_of(rendezvous.ensure_daemon(TOY)) in toys.alive()


def test_a_long_path(toys, monkeypatch):
    deep = toys.path / ("d" * 90) / ("e" * 90)
    deep.mkdir(parents=True)
    monkeypatch.setenv("MEMCACHE_HOME", str(deep))
    pid = pid_of(rendezvous.ensure_daemon(TOY))
    assert (deep / "runtime" / "1.sock").is_socket()
    for link in Path("/tmp").glob("mc-*/d"):
        with contextlib.suppress(OSError):  # another process had it, and has taken it away
            assert link.readlink() != deep / "runtime"
    assert rendezvous.stop()
    wait_until(lambda: not is_alive(pid))


def test_only_the_user_gets_in(toys):
    folder = rendezvous.socket_path().parent
    folder.chmod(0o777)
    pid_of(rendezvous.ensure_daemon(TOY))
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert [stat.S_IMODE(path.stat().st_mode) for path in sorted(folder.iterdir())] == [0o600] * 3
    assert stat.S_IMODE(rendezvous.log_path().stat().st_mode) == 0o600


def test_the_kernel_tells_the_user_at_the_other_end():
    one, other = socket.socketpair()
    with one, other:
        assert handshake._peer_uid(one) == os.getuid()
        assert handshake.is_own(one)


def test_a_client_refuses_another_users_daemon(toys, monkeypatch):
    pid_of(rendezvous.ensure_daemon(TOY))
    monkeypatch.setattr(handshake, "_peer_uid", lambda _: os.getuid() + 1)
    with pytest.raises(UserError, match="another user's process: remove it"):
        rendezvous.ensure_daemon(TOY)


class Accepting:
    """A listener in a loop in a thread, so that its parts can be replaced."""

    def __enter__(self):
        self.listener, self.found = rendezvous.Listener(patience_s=0), []
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_until_complete, args=(self._accept(),))
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.loop.call_soon_threadsafe(self.task.cancel)
        self.thread.join()
        self.loop.close()
        for peer, _ in self.found:
            peer.close()

    async def _accept(self):
        self.task = asyncio.current_task()
        try:
            while True:
                self.found.append(await self.listener.accept())
        except asyncio.CancelledError:
            self.listener.close()
            await asyncio.sleep(0)  # for what was cancelled


def test_a_daemon_refuses_another_users_client(toys, monkeypatch):
    monkeypatch.setattr(listening, "is_own", lambda _: False)
    with Accepting() as daemon:
        assert rendezvous.connect(5) is None
        assert daemon.found == []


@pytest.mark.parametrize(
    "said",
    [
        b"\n", b"{}\n", b"[]\n", b"nonsense\n", b'{"memcache": 1}\n', b'{"memcache": {"version": 1, "role": "lsp"}}\n',
        b'{"memcache": {"version": "1", "role": "root"}}\n', b"x" * 5000, b"[" * 4000 + b"\n", b"\xff\n",
        b'{"memcache": {"version": "1", "role": "lsp"}}\nContent-Length: 1\r\n',
    ],
)  # fmt: skip
def test_who_does_not_greet_is_sent_away(toys, said):
    with Accepting() as daemon, socket.socket(socket.AF_UNIX) as peer:
        peer.settimeout(20)
        peer.connect(str(rendezvous.socket_path()))
        peer.sendall(said)
        with pytest.raises(ConnectionResetError) if len(said) > 4096 else pytest.MonkeyPatch.context():
            assert peer.recv(1) == b""
        assert daemon.found == []


def test_who_says_nothing_delays_nobody(toys):
    with Accepting() as daemon, socket.socket(socket.AF_UNIX) as silent:
        silent.connect(str(rendezvous.socket_path()))
        with rendezvous.connect(20, role="cli", version="0.3"):
            wait_until(lambda: daemon.found)
        assert [hello for _, hello in daemon.found] == [("0.3", "cli")]


def test_frames_follow_the_handshake_untouched(toys):
    with Accepting() as daemon, rendezvous.connect(20) as peer:
        wait_until(lambda: daemon.found)
        server = daemon.found[0][0]
        server.send(b"from the daemon")
        peer.send(b"from the client")
        select.select([server], [], [], 20)
        assert (server.recv(99), peer.recv(99)) == (b"from the client", b"from the daemon")


def test_a_second_listener_is_told_of_the_first(toys):
    with rendezvous.Listener(patience_s=0) as first:
        with pytest.raises(UserError, match=rf"process {os.getpid()}\) runs"):
            rendezvous.Listener(patience_s=0)
        assert not first.displaced()
    rendezvous.Listener(patience_s=0).close()


def test_a_listener_that_leaves_is_not_found_and_keeps_the_lock(toys):
    with rendezvous.Listener(patience_s=0) as leaving:
        leaving.leave()
        assert rendezvous.connect(5) is None
        assert not rendezvous.socket_path().exists()
        assert rendezvous.holder() == os.getpid()
        with pytest.raises(UserError, match="runs"):
            rendezvous.Listener(patience_s=0)
    assert rendezvous.holder() is None


def test_a_displaced_listener_leaves_the_others_socket_alone(toys):
    path = rendezvous.socket_path()
    with rendezvous.Listener(patience_s=0) as listener:
        path.unlink()
        assert listener.displaced()
        path.touch()
        assert listener.displaced()
    assert path.exists()


def test_a_long_log_is_put_aside(toys):
    rendezvous.log_path().write_bytes(b"x" * 5_000_001)
    pid_of(rendezvous.ensure_daemon(TOY))
    assert rendezvous.log_path().stat().st_size == 0
    assert rendezvous.log_path().with_suffix(".log.1").stat().st_size == 5_000_001
