"""Nothing leaves the machine: the command line works where the kernel refuses every internet socket."""

import errno
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import confined
import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the block is made of Linux's seccomp")

QUESTION = "how are retries delayed"


def run(what, *arguments):
    return subprocess.run(confined.command(what, *arguments), capture_output=True, text=True, timeout=120)


def without_network(*arguments):
    done = run("network-deadly", sys.executable, "-m", "memcache_lsp", *arguments)
    assert done.returncode == 0, done.stderr + done.stdout
    return [json.loads(line) for line in done.stdout.splitlines()]


OPEN_SOCKET = """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
print(libc.socket({family}, {kind}, 0) >= 0, ctypes.get_errno())
"""


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
def test_the_block_holds_for_calls_from_c(family, kind):
    code = OPEN_SOCKET.format(family=int(family), kind=int(kind))
    assert run("network-refused", sys.executable, "-c", code).stdout.split() == ["False", str(errno.EPERM)]
    assert run("network-deadly", sys.executable, "-c", code).returncode == -signal.SIGSYS


def test_the_block_holds_for_children_of_children():
    code = OPEN_SOCKET.format(family=int(socket.AF_INET), kind=int(socket.SOCK_STREAM))
    parent = "import subprocess, sys; print(subprocess.run([sys.executable, '-c', sys.argv[1]]).returncode)"
    assert run("network-deadly", sys.executable, "-c", parent, code).stdout.strip() == str(-signal.SIGSYS)
    with socket.create_server(("127.0.0.1", 0)) as server:
        connect = f"exec 3<>/dev/tcp/127.0.0.1/{server.getsockname()[1]}"
        assert subprocess.run(["bash", "-c", connect]).returncode == 0
        assert run("network-refused", "bash", "-c", f"bash -c '{connect}'").returncode != 0


def test_the_block_leaves_everything_else():
    code = "import socket; socket.socket(socket.AF_UNIX).close(); socket.socketpair(); print('open')"
    assert run("network-deadly", sys.executable, "-c", code).stdout == "open\n"


def test_the_block_does_not_outlive_its_command():
    run("network-deadly", "true")
    socket.socket(socket.AF_INET).close()


def test_indexes_searches_and_quotes_without_network(example):
    assert without_network("index", "--root", example, "--json")[-1]["added"] > 10
    assert without_network("search", "--root", example, "--json", QUESTION)
    result = without_network("ask", "--root", example, "--json", "--no-model", QUESTION)[-1]
    assert result["finishReason"] == "extract"
    assert result["citations"]


def test_lists_models_without_network(example):
    assert len(without_network("models", "list", "--json")) >= 4
    assert "daemon" in without_network("status", "--root", example, "--json")[0]


def test_judges_without_network(example):
    assert without_network("eval", "--root", example, "--json")[-1]["kinds"]["docstring"]["count"] > 10


def test_answers_from_a_model_without_network(example, smollm2):
    events = without_network("ask", "--root", example, "--json", "--model", smollm2, "--max-tokens", "8", QUESTION)
    assert events[0]["type"] == "sources"
    assert events[-1]["finishReason"] in {"stop", "length"}


def test_indexes_with_another_embedder_without_network(example, minilm):
    config = Path(os.environ["MEMCACHE_HOME"]) / "config" / "config.toml"
    config.parent.mkdir(exist_ok=True)
    config.write_text(f"embedder = {json.dumps(str(minilm))}\n")
    hits = without_network("search", "--root", example, "--json", "what happens to a parcel that fails too often")
    assert any("retries" in hit["path"] for hit in hits if "partial" not in hit)
    status = without_network("status", "--root", example, "--json")[0]
    assert status["embedder"].startswith("sentence-transformers:")
