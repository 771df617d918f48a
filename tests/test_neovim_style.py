"""The Lua sources are formatted by StyLua, and every one of them can be loaded."""

import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import needs
import neovims

EDITOR = neovims.TOP / "editors" / "neovim"
SOURCES = sorted(path for folder in (EDITOR, neovims.SCRIPTS) for path in folder.rglob("*.lua"))
GENERATED = EDITOR / "lua" / "memcache" / "protocol.lua"
STYLUA = Path(os.environ.get("MEMCACHE_NODE", sys.prefix)) / "node_modules" / "@johnnymorganz" / "stylua"


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
