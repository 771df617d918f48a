"""Models on this machine: what is listed, what `use` chooses and where that is kept, what is removed and fetched."""

import asyncio
import json
import subprocess
import sys
import threading

import model_server
import pytest
from session_backend import session
from test_downloads import DATA, model, server  # noqa: F401 - fixtures

from memcache_lsp import models, paths, shelf
from memcache_lsp.config import UserSettings
from memcache_lsp.errors import Stopped, UserError
from memcache_lsp.fetches import Fetches
from memcache_lsp.protocol.spec import Model, ModelsResult

NOTHING = UserSettings()


@pytest.fixture
def own():
    path = models.models_dir() / "own.gguf"
    path.write_bytes(b"GGUF own")
    return path


def run(*arguments):
    command = [sys.executable, "-m", "memcache_lsp", "models", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def test_every_curated_model_is_listed_with_what_one_must_know():
    rows = {row.name: row for row in shelf.listed(NOTHING)}
    for curated in models.CURATED:
        row = rows[curated.name]
        assert row.licence
        assert row.memory_bytes > row.size_bytes > 0
        assert row.sources[-1].startswith("package registry")
        assert not row.fetched
        if curated.use == "answer":
            assert len(row.sha256) == 64
            assert row.sources[0].startswith("hub")


def test_what_does_not_fit_into_memory_is_told(monkeypatch):
    monkeypatch.setattr(shelf.machine, "free_memory_bytes", lambda: 900_000_000)
    fits = {row.name: row.fits for row in shelf.listed(NOTHING)}
    assert fits["qwen2.5-coder-0.5b-instruct"]
    assert not fits["qwen2.5-coder-1.5b-instruct"]


def test_use_chooses_a_model_and_leaves_config_toml_alone(own):
    config = paths.config_dir() / "config.toml"
    config.write_text("# mine\nthreads = 2\n")
    shelf.use("own", NOTHING, paths=False)
    assert models.chosen(NOTHING) == own
    assert next(row for row in shelf.listed(NOTHING) if row.name == "own").used
    assert config.read_text() == "# mine\nthreads = 2\n"
    shelf.use("default", NOTHING, paths=False)
    assert models.chosen(NOTHING) is None


@pytest.mark.parametrize("setting", ["model", "endpoint"])
def test_use_says_so_where_config_toml_decides(own, setting):
    with pytest.raises(UserError, match=f"config.toml sets {setting}"):
        shelf.use("own", UserSettings(**{setting: "http://127.0.0.1:1"}), paths=True)
    assert models.used() is None


def test_a_path_is_chosen_on_the_command_line_only(own, tmp_path):
    program = model_server.program(tmp_path / "x.llamafile")
    with pytest.raises(UserError, match="models use"):
        shelf.use(str(program), NOTHING, paths=False)
    shelf.use(str(program), NOTHING, paths=True)
    assert models.chosen(NOTHING) == models.Program(program)


@pytest.mark.parametrize("name", ["nowhere", models.DEFAULT.name, "all-minilm-l6-v2", "/nowhere/x.gguf"])
def test_what_is_not_here_or_writes_no_answers_is_not_chosen(name):
    with pytest.raises(UserError):
        shelf.use(name, NOTHING, paths=True)
    assert models.used() is None


def test_a_chosen_model_that_is_removed_is_chosen_no_more(own):
    shelf.use("own", NOTHING, paths=False)
    shelf.remove("own")
    assert not own.exists()
    assert models.chosen(NOTHING) is None
    with pytest.raises(UserError, match="no fetched model own"):
        shelf.remove("own")


@pytest.mark.parametrize("name", ["../config/config", "", ".", "..", "/etc/passwd"])
def test_nothing_but_a_model_is_removed(own, name):
    (paths.config_dir() / "config.gguf").write_text("")
    with pytest.raises(UserError):
        shelf.remove(name)
    assert own.exists()


def test_the_command_line(own, tmp_path):
    rows = [json.loads(line) for line in run("list", "--json").stdout.splitlines()]
    assert {
        "name",
        "use",
        "sizeBytes",
        "memoryBytes",
        "fits",
        "licence",
        "sha256",
        "sources",
        "installed",
        "used",
    } <= set(rows[0])
    assert "own answers from now on" in run("use", "own").stdout
    assert any(line.startswith("in use") and "own" in line for line in run().stdout.splitlines())
    assert json.loads(run("unload", "--json").stdout) == {"type": "result", "unloaded": False}
    (tmp_path / "other.gguf").write_bytes(b"GGUF")
    assert json.loads(run("use", tmp_path / "other.gguf", "--json").stdout)["name"] == str(tmp_path / "other.gguf")
    assert "own was removed" in run("remove", "own").stdout
    for arguments, code in ((("remove", "own"), 1), (("use",), 2), (("pull",), 2), (("unload", "own"), 2)):
        done = run(*arguments)
        assert done.returncode == code
        assert done.stderr.count("\n") == 1


def test_doctor_tells_of_the_endpoint():
    with model_server.serving() as there:
        (paths.config_dir() / "config.toml").write_text(f'endpoint = "{there.url}"\nendpoint_key = "hidden"\n')
        command = [sys.executable, "-m", "memcache_lsp", "doctor"]
        told = subprocess.run(command, capture_output=True, text=True, timeout=120).stdout
        assert f"are sent to the model server {there.url}" in told
        assert "the model server has tiny" in told
        assert "hidden" not in told
    assert "cannot be reached" in subprocess.run(command, capture_output=True, text=True, timeout=120).stdout


# In the daemon


def fetching_of(monkeypatch, model):  # noqa: F811
    monkeypatch.setattr(models, "CURATED", (model,))
    return Fetches()


def test_a_fetch_tells_its_progress_on_the_loop(server, model, monkeypatch):  # noqa: F811
    seen = []

    async def talk():
        fetches = fetching_of(monkeypatch, model)
        loop_thread = threading.current_thread()
        await fetches.fetch(
            "TINY", lambda done, total: seen.append((done, total, threading.current_thread() is loop_thread))
        )
        await fetches.close()

    asyncio.run(talk())
    assert model.path().read_bytes() == DATA
    assert seen[-1] == (len(DATA), len(DATA), True)


@pytest.mark.parametrize("how", ["cancel", "close"])
def test_a_fetch_stops_with_who_asked_for_it(server, model, monkeypatch, how):  # noqa: F811
    server.stalled = True

    async def talk():
        fetches = fetching_of(monkeypatch, model)
        task = asyncio.create_task(fetches.fetch("tiny", lambda _done, _total: None))
        await asyncio.to_thread(server.half_sent.wait, 30)
        if how == "cancel":
            task.cancel()
        else:
            await fetches.close()
        with pytest.raises((asyncio.CancelledError, Stopped)):
            await task
        assert await asyncio.to_thread(server.client_gone.wait, 20)
        await fetches.close()

    asyncio.run(talk())
    assert not model.path().exists()


@pytest.mark.parametrize("name", ["people/other", "http://127.0.0.1:9/x.gguf", "/x.gguf", ""])
def test_a_request_can_fetch_curated_models_only(name):
    async def talk():
        with pytest.raises(UserError, match="memcache-lsp models pull"):
            await Fetches().fetch(name, lambda _done, _total: None)

    asyncio.run(talk())


def test_the_editor_is_shown_the_progress():
    async def talk():
        async with session() as client:

            async def models(session_id, params, on_progress):
                assert (params.action, params.name) == ("pull", "tiny")
                on_progress(1_000_000, 4_000_000)
                on_progress(4_000_000, 4_000_000)
                row = Model(
                    name="tiny",
                    size_bytes=4,
                    fetched=True,
                    used=True,
                    use="answer",
                    memory_bytes=5,
                    fits=True,
                    note="small",
                )
                return ModelsResult(models=(row,))

            client.backend.models = models
            params = {"action": "pull", "name": "tiny", "workDoneToken": "w"}
            result = await client.request("memcache/models", params)
            assert result["models"][0]["name"] == "tiny"
            values = client.progress("w")
            assert [value["kind"] for value in values] == ["begin", "report", "report", "end"]
            assert [value.get("percentage") for value in values] == [0, 25, 100, None]
            assert "1 of 4 MB" in values[1]["message"]
            told = await client.execute("memcache.models", params)
            assert told["models"] == result["models"]
            assert told["markdown"] == "- tiny, 0 MB, in use: small\n"

    asyncio.run(talk())
