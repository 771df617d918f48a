"""Own a llamafile or llama-server of the user's: started on a loopback port with a random key, ended with us.

Nobody else can use it, and nothing but this machine reaches it. It ends with `stop`, and on Linux also when the process
that started it is killed. Must not read settings or projects.
"""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from contextlib import suppress
from pathlib import Path

from memcache_lsp import paths
from memcache_lsp.endpoint import EndpointGenerator
from memcache_lsp.errors import ModelError
from memcache_lsp.models import Endpoint, Program
from memcache_lsp.web import Short, WebError

READY_S = 120.0  # a large file from a slow disk
LISTEN_S = 10.0  # it listens before it loads the file; what does not in this time is something else
_POLL_S = 0.05
_STOP_S = 1.0

# Becomes the program, which the kernel kills when the thread that started it ends; what has no format that the kernel
# knows is the shell's, as llamafiles are on systems that do not know them.
_TETHER = """
import ctypes, os, signal, sys
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)
if os.getppid() != int(sys.argv[1]):
    sys.exit(1)
try:
    os.execv(sys.argv[2], sys.argv[2:])
except OSError as error:
    if error.errno != 8:
        sys.exit(f"it cannot be executed: {error.strerror}")
    os.execv("/bin/sh", ["/bin/sh", *sys.argv[2:]])
"""


def start(
    program: Program, *, context_tokens: int | None = None, threads: int | None = None, ready_s: float = READY_S
) -> EndpointGenerator:
    """Start the program and wait until its model answers; a ModelError where it ends or does not get ready.

    To be called in a thread that lives as long as the generator: the kernel ends the program with it.
    """
    server = _Server(program, context_tokens, threads)
    try:
        server.wait(ready_s)
        server.forget_key()
        return EndpointGenerator(server.endpoint, on_close=server.stop)
    except BaseException:
        server.stop()
        raise


class _Server:
    def __init__(self, program: Program, context_tokens: int | None, threads: int | None) -> None:
        self._name = program.path.name
        self._said: deque[str] = deque(maxlen=20)
        key = secrets.token_urlsafe(24)
        self._folder = tempfile.TemporaryDirectory(prefix="key-", dir=paths.runtime_dir())
        key_file = Path(self._folder.name) / "key"
        key_file.write_text(key, "utf-8")  # an argument could be read by all users; the folder is ours alone
        port = _free_port()
        called = f"The server of {self._name}"
        self.endpoint = Endpoint(f"http://127.0.0.1:{port}", "", key, context_tokens, called)
        command = [str(program.path), *_server_option(program), "--host", "127.0.0.1", "--port", str(port)]
        command += ["--api-key-file", str(key_file)]
        command += ["--ctx-size", str(context_tokens)] if context_tokens else []
        command += ["--threads", str(threads)] if threads else []
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", _TETHER, str(os.getpid()), *command, *program.arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        self._listener = threading.Thread(target=self._listen, name="llamafile's words", daemon=True)
        self._listener.start()

    def wait(self, ready_s: float) -> None:
        """Wait until it serves its model to who has the key."""
        short = Short(self.endpoint.url, {"Authorization": f"Bearer {self.endpoint.key}"})
        began, listens = time.monotonic(), False
        try:
            while self._process.poll() is None:
                try:
                    reply = short.ask("GET", f"{self.endpoint.api}/models", timeout_s=1.0)
                    listens = True
                    if reply.status == 200 and _up(short, self.endpoint):
                        return
                except WebError as error:
                    listens = listens or error.failure != "unreachable"
                waited = time.monotonic() - began
                if not listens and waited > LISTEN_S:
                    raise ModelError(
                        f"{self._name} takes no connections after {LISTEN_S:.0f} s: name a llamafile or llama-server as"
                        " model, or correct model_arguments in config.toml."
                    )
                if waited > ready_s:
                    raise ModelError(f"{self._name} is not ready after {ready_s:.0f} s: name a smaller model.")
                time.sleep(_POLL_S)
        finally:
            short.close()
        self._listener.join(_STOP_S)
        if self._process.returncode in {-signal.SIGKILL, -signal.SIGABRT}:
            raise ModelError(
                f"{self._name} ended by signal {-self._process.returncode} while it started, most likely for lack of memory:"
                " close other programs, name a smaller model, or set a smaller context_tokens in config.toml."
            )
        why = self._said[-1].rstrip(".")[:200] if self._said else f"exit code {self._process.returncode}"
        raise ModelError(
            f"{self._name} does not start as a server ({why}): correct model or model_arguments in config.toml."
        )

    def forget_key(self) -> None:
        """Remove the file with the key, which the program has read."""
        self._folder.cleanup()

    def stop(self) -> None:
        """End the program and all that it started; may be called twice."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            if self._process.poll() is None:
                with suppress(OSError):
                    os.killpg(self._process.pid, number)
                with suppress(subprocess.TimeoutExpired):
                    self._process.wait(_STOP_S)
        self._listener.join(_STOP_S)
        self._folder.cleanup()

    def _listen(self) -> None:
        assert self._process.stderr is not None
        with self._process.stderr as stream:
            for line in stream:
                if words := " ".join(line.decode("utf-8", "replace").split()):
                    self._said.append(words)


def _up(short: Short, endpoint: Endpoint) -> bool:
    """Tell whether the model is loaded, where the server tells: llama-server lists it before it is."""
    return short.ask("GET", f"{endpoint.root}/health", timeout_s=1.0).status != 503


def _server_option(program: Program) -> list[str]:
    """Return what makes a llamafile a server; llama-server is nothing else."""
    return [] if "llama-server" in program.path.name else ["--server", "--nobrowser"]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
