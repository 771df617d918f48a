"""A llamafile: started on a loopback port with a key of its own, ready when it says so, ended with whoever started it."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import model_server
import pytest

from memcache_lsp import llamafile, models
from memcache_lsp.config import UserSettings
from memcache_lsp.errors import ModelError, ServerError
from memcache_lsp.generator import StopFlag
from memcache_lsp.models import Program
from memcache_lsp.prompt import Message
from memcache_lsp.workers.model import ModelWorker

ASKED = (Message("user", "How long does a retry wait?"),)


@pytest.fixture
def note(tmp_path, monkeypatch):
    path = tmp_path / "note"
    monkeypatch.setenv("MODEL_SERVER_NOTE", str(path))
    return path


def gone(pid):
    """Wait until nothing but perhaps a zombie is left of a process that is not our child."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except FileNotFoundError:
            return True
        time.sleep(0.01)
    return False


def text_of(model):
    return "".join(s for s in model.generate(ASKED, max_tokens=8, stop=StopFlag()) if isinstance(s, str))


def test_it_answers_on_loopback_to_who_has_the_key(tmp_path, note):
    model = llamafile.start(Program(model_server.program(tmp_path / "tiny.llamafile"), ("-x", "1")), threads=1)
    started = json.loads(note.read_text())
    arguments = started["arguments"]
    assert arguments[:4] == ["--server", "--nobrowser", "--host", "127.0.0.1"]
    assert arguments[-2:] == ["-x", "1"]
    assert "--threads" in arguments
    key_file = Path(arguments[arguments.index("--api-key-file") + 1])
    assert not key_file.parent.exists()  # it was read
    key = model._wanted.key
    assert len(key) >= 32
    assert key not in Path(f"/proc/{started['pid']}/cmdline").read_text()
    assert text_of(model) == "".join(model_server.WORDS)
    port = arguments[arguments.index("--port") + 1]
    with pytest.raises(HTTPError, match="401"):
        urlopen(Request(f"http://127.0.0.1:{port}/v1/models"))
    model.close()
    assert gone(started["pid"])
    with socket.socket() as probe, pytest.raises(OSError):
        probe.connect(("127.0.0.1", int(port)))
    model.close()


def test_llama_server_gets_no_options_that_it_does_not_know(tmp_path, note):
    llamafile.start(Program(model_server.program(tmp_path / "llama-server"))).close()
    assert json.loads(note.read_text())["arguments"][0] == "--host"


@pytest.mark.parametrize("name", ["KILL", "ABRT"])
def test_one_that_ends_as_without_memory_is_told_as_that(tmp_path, name):
    path = tmp_path / "x.llamafile"
    path.write_text(f"#!/bin/sh\nkill -{name} $$\n")
    path.chmod(0o700)
    with pytest.raises(ModelError, match=r"lack of memory.*smaller model"):
        llamafile.start(Program(path))


@pytest.mark.parametrize("text", ["exit 3", "echo no such model >&2; exit 1", "exec /nowhere/at/all"])
def test_what_does_not_start_is_one_sentence_at_once(tmp_path, monkeypatch, text):
    monkeypatch.setattr(llamafile, "LISTEN_S", 60.0)
    path = tmp_path / "x.llamafile"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o700)
    began = time.monotonic()
    with pytest.raises(ModelError, match="does not start as a server") as caught:
        llamafile.start(Program(path))
    assert time.monotonic() - began < 20
    assert "\n" not in str(caught.value)
    assert "exit 3" not in text or "exit code 3" in str(caught.value)
    assert "no such" not in text or "no such model" in str(caught.value)


def test_what_the_kernel_does_not_know_is_run_by_the_shell(tmp_path):
    path = model_server.program(tmp_path / "x.llamafile")
    path.write_text(path.read_text().removeprefix("#!/bin/sh\n"))
    model = llamafile.start(Program(path))
    assert text_of(model) == "".join(model_server.WORDS)
    model.close()


@pytest.mark.parametrize(("behaviour", "told"), [("never", "takes no connections after 5 s"), ("loads", "not ready")])
def test_what_never_gets_ready_is_ended(tmp_path, note, monkeypatch, behaviour, told):
    monkeypatch.setattr(llamafile, "LISTEN_S", 5.0 if behaviour == "never" else 60.0)  # it is started within that
    program = Program(model_server.program(tmp_path / "x.llamafile", behaviour=behaviour))
    with pytest.raises(ModelError, match=told):
        llamafile.start(program, ready_s=60.0 if behaviour == "never" else 5.0)
    assert gone(json.loads(note.read_text())["pid"])


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel does it on Linux")
@pytest.mark.parametrize("behaviour", ["never", "loads"])
def test_a_stop_ends_what_is_still_loading(tmp_path, note, behaviour):
    program = Program(model_server.program(tmp_path / "x.llamafile", behaviour=behaviour))

    async def run():
        worker = ModelWorker(log=tmp_path / "log")
        loading = asyncio.create_task(worker.load(program))
        while not (note.exists() and note.read_text()):
            await asyncio.sleep(0.01)
        loading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await loading
        await worker.settled()
        assert await asyncio.to_thread(gone, json.loads(note.read_text())["pid"])
        await worker.close()

    asyncio.run(run())


def test_one_that_is_killed_is_one_sentence(tmp_path, note):
    model = llamafile.start(Program(model_server.program(tmp_path / "x.llamafile")))
    os.kill(json.loads(note.read_text())["pid"], signal.SIGKILL)
    with pytest.raises(ServerError, match=r"The server of x\.llamafile"):
        text_of(model)
    model.close()


OWNER = """
import sys
from pathlib import Path
from memcache_lsp import llamafile
from memcache_lsp.models import Program
model = llamafile.start(Program(Path(sys.argv[1])))
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel does it on Linux")
def test_it_ends_when_its_owner_is_killed(tmp_path, note):
    path = model_server.program(tmp_path / "x.llamafile")
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with owner:
        assert owner.stdout.readline() == "ready\n"
        owner.kill()
        owner.wait()
    assert gone(json.loads(note.read_text())["pid"])


class TestChosen:
    def test_an_executable_is_a_program_and_a_gguf_file_is_not(self, tmp_path):
        program, model = tmp_path / "a.llamafile", tmp_path / "b.gguf"
        for path, head in ((program, b"MZqFpD"), (model, b"GGUF")):
            path.write_bytes(head + b"\0" * 64)
            path.chmod(0o700)
        assert models.chosen(UserSettings(model=str(program), model_arguments=("-m", "~"))) == Program(
            program, ("-m", os.path.expanduser("~"))
        )
        assert models.chosen(UserSettings(model=str(model))) == model
        program.chmod(0o600)
        assert models.chosen(UserSettings(model=str(program))) == program

    def test_an_endpoint_goes_before(self, monkeypatch):
        user = UserSettings(endpoint="http://127.0.0.1:1", endpoint_key="a", endpoint_model="m", model="nowhere")
        monkeypatch.delenv("MEMCACHE_ENDPOINT_KEY", raising=False)
        assert models.chosen(user) == models.Endpoint("http://127.0.0.1:1", "m", "a")
        monkeypatch.setenv("MEMCACHE_ENDPOINT_KEY", "b")
        assert models.chosen(user).key == "b"
        assert "'a'" not in repr(user)

    def test_nothing_set_is_nothing(self):
        assert models.chosen(UserSettings()) is None


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel does it on Linux")
def test_it_is_unloaded_when_idle_and_started_again(tmp_path, note):
    program = Program(model_server.program(tmp_path / "x.llamafile"))

    async def run():
        worker = ModelWorker(idle_s=0.2, log=tmp_path / "log")
        pids = []
        for _ in range(2):
            facts = await worker.load(program)
            assert (facts.path, facts.name) == (program, "tiny")
            pids.append(json.loads(note.read_text())["pid"])
            assert await asyncio.to_thread(gone, pids[-1])
            assert worker.facts is None
        assert pids[0] != pids[1]
        await worker.close()

    asyncio.run(run())
