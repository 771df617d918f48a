"""What the tests of rendezvous and front share: a short home with toy daemons, and an editor."""

import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TOY = [sys.executable, str(Path(__file__).parent / "toy_daemon.py")]
_FRONT = "import sys; from memcache_lsp import front; sys.exit(front.run([], command=sys.argv[1:]))"
PATIENCE_S = 20


class Home:
    """A folder for sockets (pytest's own may be too long), and every daemon that was started in it."""

    def __init__(self):
        self.path = Path(tempfile.mkdtemp(prefix="mc-", dir="/tmp"))

    def switch(self, name, on=True):
        """Tell daemons what to do wrong; see toy_daemon.mode."""
        (self.path / name).touch() if on else (self.path / name).unlink()

    def started(self):
        """Return the process of every daemon that was ever started, also of those that gave way."""
        starts = self.path / "starts"
        return [int(line) for line in starts.read_text().split()] if starts.exists() else []

    def alive(self):
        return [pid for pid in self.started() if is_alive(pid)]

    def close(self):
        for pid in self.alive():
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not self.alive())
        shutil.rmtree(self.path)


def is_alive(pid):
    """Tell whether a process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_until(condition):
    """Wait for what another process does and tells nobody."""
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        select.select([], [], [], 0.01)


class Editor:
    """A front, and what an editor says to it."""

    def __init__(self, home, *, command=None, code=_FRONT):
        environment = {**os.environ, "MEMCACHE_HOME": str(home.path), "PYTHONDEVMODE": "1"}
        self.process = subprocess.Popen(
            [sys.executable, "-c", code, *(TOY if command is None else command)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, bufsize=0,
        )  # fmt: skip
        self.messages, self._buffer, self._count = [], b"", 0

    def send_bytes(self, data):
        self.process.stdin.write(data)

    def send(self, **message):
        self.send_bytes(encode({"jsonrpc": "2.0", **message}))

    def notify(self, method, params=None):
        self.send(method=method, params=params)

    def ask(self, method, params=None, identity=None):
        """Send a request and return its id."""
        self._count += 1
        identity = self._count if identity is None else identity
        self.send(id=identity, method=method, params=params)
        return identity

    def receive(self, matches):
        """Return the first message, of those that nobody took yet, that matches."""
        end = time.monotonic() + PATIENCE_S
        while True:
            for message in self.messages:
                if matches(message):
                    self.messages.remove(message)
                    return message
            if not self._more(end - time.monotonic()):
                raise AssertionError(f"no such message; there are {self.messages}")

    def answer(self, identity):
        return self.receive(lambda m: "method" not in m and m.get("id") == identity)

    def call(self, method, params=None):
        answer = self.answer(self.ask(method, params))
        return answer.get("result", answer.get("error"))

    def notified(self, method):
        return self.receive(lambda m: m.get("method") == method)

    def begin(self, **params):
        """Do what every editor does first; return the answer."""
        result = self.call("initialize", {"processId": None, "capabilities": {}, **params})
        self.notify("initialized", {})
        return result

    def heard(self):
        return self.call("toy/heard")

    def rest(self):
        """Return what comes until the front ends, and its code."""
        while self._more(PATIENCE_S):
            pass
        return self.messages, self.process.wait(PATIENCE_S)

    def close(self):
        self.process.stdin.close()
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(PATIENCE_S)
        self.process.stdout.close()
        self.process.stderr.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _more(self, timeout_s):
        if not select.select([self.process.stdout], [], [], max(0, timeout_s))[0]:
            return False
        data = os.read(self.process.stdout.fileno(), 1 << 16)
        self._buffer += data
        while (at := self._buffer.find(b"\r\n\r\n")) >= 0:
            end = at + 4 + int(self._buffer[:at].rpartition(b":")[2])
            if len(self._buffer) < end:
                break
            self.messages.append(json.loads(self._buffer[at + 4 : end]))
            self._buffer = self._buffer[end:]
        return bool(data)


def encode(message):
    body = json.dumps(message).encode()
    return b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
