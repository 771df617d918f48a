"""The set-ups for Kakoune in a real one, in a terminal: with what kakoune-lsp defines played by the test, and without it."""

import os
import re
import shutil
import sys
import tomllib
from pathlib import Path

import needs
import neovims
import pytest
import terminal

EXAMPLES = neovims.TOP / "examples" / "editors"
# What the set-up uses of kakoune-lsp, which Debian has not; its own default for Python among it.
KAKOUNE_LSP = """#!/bin/sh
cat <<'END'
declare-option str lsp_servers
define-command lsp-if-no-servers -params 1.. %{
    evaluate-commands %sh{ if [ -z "$kak_opt_lsp_servers" ]; then printf '%s ' "$@"; fi }
}
hook global User LSPDefaultConfig=python %{
    set-option buffer lsp_servers %{
        [pylsp]
        root_globs = [".git"]
    }
}
define-command lsp-enable-window %{ nop }
define-command lsp-workspace-symbol-incr %{ echo symbols are searched }
define-command lsp-code-actions %{ echo actions are offered }
END
"""


@pytest.fixture
def kakoune(short_home, example, tmp_path):
    """Return what starts Kakoune with a set-up of the examples."""
    program = shutil.which("kak")
    if program is None:
        needs.missing("there is no Kakoune: apt-get install kakoune")
    neovims.index(example)
    folder = tmp_path / "user"
    (folder / ".config" / "kak").mkdir(parents=True)
    (folder / "bin").mkdir()
    (folder / "bin" / "kak-lsp").write_text(KAKOUNE_LSP)
    (folder / "bin" / "kak-lsp").chmod(0o755)
    programs = (folder / "bin", Path(sys.executable).parent, os.environ["PATH"])
    env = neovims.environment(folder) | {"PATH": os.pathsep.join(map(str, programs)), "TMPDIR": str(folder)}
    del env["XDG_CONFIG_HOME"]

    def start(name):
        shutil.copy(EXAMPLES / name, folder / ".config" / "kak" / "kakrc")
        return terminal.Terminal([program, "courier/retry.py"], cwd=example, env=env, columns=110, rows=30)

    return start


def end(running):
    running.type(":kill!\r")
    running.wait_for_end()


def test_the_server_is_added_once_to_those_of_the_file_type(kakoune, tmp_path):
    told = tmp_path / "servers.toml"
    with kakoune("kakrc") as running:
        running.wait("Retry policy")
        running.type(f":echo -to-file {told} %opt{{lsp_servers}}\r:echo it is told\r")
        running.wait("it is told")
        running.type(" s")
        running.wait("symbols are searched")
        running.type(" a")
        running.wait("actions are offered")
        end(running)
    servers = tomllib.loads("\n".join(line.strip() for line in told.read_text().splitlines()))
    assert list(servers) == ["pylsp", "memcache-lsp"]
    assert [servers["memcache-lsp"]["command"], *servers["memcache-lsp"]["args"]] == ["memcache-lsp", "serve"]


def test_without_a_language_client_it_searches_and_asks(kakoune):
    with kakoune("memcache.kak") as running:
        running.wait("Retry policy")
        running.type(" sdead letters of the queue\r")
        shown = running.wait(lambda text: re.search(r"^ ?\S+:\d+:1: ", text, re.MULTILINE))
        path, line = re.search(r"^ ?(\S+):(\d+):1: ", shown, re.MULTILINE).groups()
        running.type("gg\r")
        running.wait(lambda text: f"{path} {line}:1" in text)

        running.type(" awhat happens to a parcel that fails too often?\r")
        running.wait("Cited")
        running.type("ge<a-/>^\\S+:\\d+:1: \\[\r".replace("<a-/>", "\x1b/"))
        running.type("\r")
        running.wait(lambda text: re.search(r"\S+\.\S+ \d+:1 .*client0@", text) and "*memcache*" not in text)

        running.type(" s--retry\r")  # which is no option
        running.wait(lambda text: "*memcache*" in text and re.search(r"^ ?\S+:\d+:1: ", text, re.MULTILINE))
        end(running)
