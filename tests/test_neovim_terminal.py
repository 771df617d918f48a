"""The README's Neovim section as a new user follows it: in a terminal, with its set-up, keys and a model."""

import os
import re
import shutil
import sys
from pathlib import Path

import neovims
import pytest
import terminal

README = neovims.TOP / "README.md"
SOURCE = r"- \[1\] `(\S+):(\d+)-\d+`"
# Short answers, and the first of them is held back once it is being written.
TEST_LINES = """
_G.gate = dofile(vim.env.TEST_TOP .. '/tests/neovim/gate.lua')
gate.shut_after('delta')
local cmd = gate.before(vim.lsp.config.memcache.cmd)
vim.lsp.config('memcache', { cmd = cmd, settings = { memcache = { answerTokens = 64 } } })
"""


@pytest.fixture
def neovim(short_home, example, smollm2, tmp_path):
    """Return a Neovim in a terminal, with nothing but the README's lines as its configuration."""
    neovims.configure(short_home, smollm2)
    neovims.index(example)
    section = README.read_text().partition("\n### Neovim\n")[2]
    lines = re.search(r"```lua\n(.*?)```", section, re.DOTALL)[1].replace("/path/to/memcache-lsp", str(neovims.TOP))
    folder = tmp_path / "user"
    (folder / "config" / "nvim").mkdir(parents=True)
    (folder / "config" / "nvim" / "init.lua").write_text(lines + TEST_LINES)
    programs = str(Path(sys.executable).parent)
    assert shutil.which("memcache-lsp", path=programs), "the package is not installed beside this Python"
    env = neovims.environment(folder) | {"PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}
    command = [neovims.executable(), "courier/retry.py"]
    with terminal.Terminal(command, cwd=example, env=env, columns=110, rows=44) as running:
        running.wait("Retry policy")
        yield running


def test_a_new_user_asks_stops_follows_up_opens_and_searches(neovim):
    neovim.type("\\a")
    neovim.wait("Ask:")
    neovim.type("what happens to a parcel that fails too often?\r")
    neovim.wait("# what happens to a parcel that fails too often?")
    shown = neovim.wait("**Sources**")
    assert re.search(SOURCE, shown)
    neovim.wait("writing …")
    neovim.type("\x03")
    neovim.wait("stopped")
    neovim.type(":lua gate.open()\r")

    neovim.type(":Memcache ask and how long is the pause between attempts?\r")
    neovim.wait("# and how long is the pause between attempts?")
    neovim.wait(lambda text: re.search(r"\d+ of \d+ places read, [\d.]+ s", text))

    neovim.type("G?^- \\[1\\]\r")
    shown = neovim.wait("[2/2]")  # the second of two such lines
    path, line = re.findall(SOURCE, shown)[-1]
    neovim.type("\r")
    neovim.wait(lambda text: re.search(rf"{re.escape(path)} +{line},\d", text))

    neovim.type("\\s")
    neovim.wait("memcache://search")
    neovim.type("webhook signature")
    neovim.wait(
        lambda text: "webhook signature" in text and "searching …" not in text and "courier/webhooks.py:" in text
    )
    neovim.type("\r")
    neovim.wait(lambda text: "memcache://search" not in text and "class NotGenuine" in text)
    neovim.type(":qall!\r")
    assert neovim.wait_for_end() == 0
