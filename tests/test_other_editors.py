"""The set-ups of examples/editors: their servers start and answer, by standard methods alone; eglot is driven for real."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import needs
import neovims
import pytest
import terminal
from lsp import process, run

from memcache_lsp.session.uris import to_path

EXAMPLES = neovims.TOP / "examples" / "editors"
QUESTION = "what happens to a parcel that fails too often?"
# What each editor's client says of itself, as far as the server goes by it.
CAPABILITIES = {
    "helix": {
        "workspace": {"configuration": True, "didChangeWatchedFiles": {"dynamicRegistration": True}},
        "window": {"workDoneProgress": True, "showDocument": {"support": True}},
        "textDocument": {"codeAction": {"codeActionLiteralSupport": {"codeActionKind": {"valueSet": [""]}}}},
    },
    "kakoune": {
        "workspace": {"configuration": True},
        "window": {"workDoneProgress": True},  # and no showDocument: answers come as messages
        "textDocument": {"codeAction": {"codeActionLiteralSupport": {"codeActionKind": {"valueSet": [""]}}}},
    },
    "sublime": {
        "workspace": {"configuration": True},
        "window": {"workDoneProgress": True, "showDocument": {"support": True}},
        "textDocument": {"codeAction": {"codeActionLiteralSupport": {"codeActionKind": {"valueSet": [""]}}}},
    },
}


def sublime(name):
    """Read one of Sublime Text's files: JSON with comments and with commas after the last element."""
    text = re.sub(r"^\s*//.*$", "", (EXAMPLES / name).read_text(), flags=re.MULTILINE)
    return json.loads(re.sub(r",(\s*[}\]])", r"\1", text))


def servers():
    """Return the command line of the server in each editor's file."""
    helix = tomllib.loads((EXAMPLES / "helix-languages.toml").read_text())
    server = helix["language-server"]["memcache"]
    assert all(language["language-servers"][-1] == "memcache" for language in helix["language"])
    block = re.search(r"lsp_servers %\{\n(.*?)\n    \}", (EXAMPLES / "kakrc").read_text(), re.DOTALL)[1]
    kakoune = tomllib.loads("\n".join(line.strip() for line in block.splitlines()))["memcache-lsp"]
    client = sublime("LSP.sublime-settings")["clients"]["memcache"]
    return {
        "helix": [server["command"], *server["args"]],
        "kakoune": [kakoune["command"], *kakoune["args"]],
        "sublime": client["command"],
    }


def shown(client):
    """Return what the server had shown, as a document or as a message."""
    files = [params["uri"] for method, params in client.requests if method == "window/showDocument"]
    said = [params["message"] for method, params in client.notifications if method == "window/showMessage"]
    return "".join([*(Path(to_path(uri)).read_text() for uri in files), *said])


@pytest.mark.parametrize("editor", CAPABILITIES)
def test_a_set_up_starts_the_server_which_answers_by_standard_methods(editor, short_home, example):
    neovims.index(example)
    program, *arguments = servers()[editor]
    assert program == "memcache-lsp"
    commands = [("memcache.ask", {"question": QUESTION})]
    if editor == "sublime":
        commands = [
            (each["args"]["command_name"], *each["args"]["command_args"])
            for each in sublime("memcache.sublime-commands")
        ]
    path = example / "courier" / "retry.py"

    @run
    async def talk():
        async with process(sys.executable, "-m", "memcache_lsp", *arguments, cwd=example) as client:
            client.answers["window/showDocument"] = {"success": True}
            result = await client.initialize(example, capabilities=CAPABILITIES[editor])
            assert result["capabilities"]["workspaceSymbolProvider"]
            item = {"uri": path.as_uri(), "languageId": "python", "version": 1, "text": path.read_text()}
            client.notify("textDocument/didOpen", {"textDocument": item})
            symbols = await client.request("workspace/symbol", {"query": "how long does a retry wait"})
            assert "retr" in symbols[0]["location"]["uri"]
            where = {"start": {"line": 31, "character": 0}, "end": {"line": 60, "character": 0}}
            about = {"textDocument": {"uri": path.as_uri()}, "range": where, "context": {"diagnostics": []}}
            explain = (await client.request("textDocument/codeAction", about))[0]["command"]
            assert await client.execute(explain["command"], *explain["arguments"]) is None
            await client.wait_for(lambda: "retry.py" in shown(client))
            for command, argument in commands:
                assert command in result["capabilities"]["executeCommandProvider"]["commands"]
                told = await client.execute(command, argument)
                assert told["markdown"] if not argument.get("show") else told is None
            await client.wait_for(lambda: editor != "sublime" or "There are no caches yet." in shown(client))
            await client.shutdown()

    talk()


def eglot_environment(example, tmp_path):
    """Return an Emacs that has eglot, and its variables: a project, a home, and the server in its path."""
    emacs = shutil.which("emacs")
    if emacs is None:
        needs.missing("there is no Emacs")
    libraries = subprocess.run(
        [emacs, "--batch", "--eval", "(progn (require 'package) (package-initialize) (require 'eglot))"],
        capture_output=True, check=False,
    )  # fmt: skip
    if libraries.returncode:
        needs.missing("this Emacs has no eglot: apt-get install elpa-eglot")
    neovims.index(example)
    (example / "operations.txt").write_text("What a depot does when a parcel fails too often.\n")
    programs = str(Path(sys.executable).parent)
    assert shutil.which("memcache-lsp", path=programs), "the package is not installed beside this Python"
    return emacs, neovims.environment(tmp_path) | {"PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}


def test_plain_eglot_in_a_terminal(short_home, example, tmp_path):
    emacs, env = eglot_environment(example, tmp_path)
    set_up = json.dumps(str(EXAMPLES / "memcache-eglot.el"))
    quiet = "(setq native-comp-deferred-compilation nil vc-handled-backends nil)"  # a new home has nothing compiled
    (tmp_path / ".emacs").write_text(f"{quiet}\n(package-initialize)\n(load {set_up})\n(menu-bar-mode -1)\n")
    (example / ".git").mkdir()
    with terminal.Terminal([emacs, "-nw", "operations.txt"], cwd=example, env=env, columns=110, rows=40) as running:
        running.wait("What a depot does")
        running.type("\x1bxeglot\r")
        running.wait("[eglot:courier]")

        running.type("\x1bxxref-find-apropos\r")
        running.wait("Search for pattern")
        running.type("what happens to dead letters\r")
        running.wait(lambda text: "*xref*" in text and "courier/queue.py" in text and "def dead_letters" in text)
        running.type("n\r")
        running.wait(lambda text: re.search(r"queue\.py +\S+ L132", text))

        running.type("\x18boperations.txt\r\x181\x18h\x1bxeglot-code-actions\r")
        running.wait("Pick an action (default Explain):")
        running.type("\r")
        # The answer is a message, for this eglot cannot be told to open a document; the next message takes its place.
        running.type("\x18b*Messages*\r")
        running.wait(lambda text: "](file://" in text.replace("\\\n", ""))  # long lines go on in the next row
        running.type("\x1bxmemcache-eglot-ask\ra question\r")
        running.wait("Start eglot in this buffer first")

        running.type("\x18boperations.txt\r\x1bxmemcache-eglot-ask\r")
        running.wait("Ask:")
        running.type("what happens to a parcel that fails too often?\r")
        running.wait(lambda text: "*memcache*" in text and re.search(r"\[\d+\]\n", text) and "## Cited" in text)


def test_plain_eglot_searches_acts_and_asks(short_home, example, tmp_path):
    emacs, env = eglot_environment(example, tmp_path)
    command = [emacs, "--batch", "-l", str(neovims.TOP / "tests" / "eglot" / "drive.el")]
    done = subprocess.run(command, cwd=example, env=env, capture_output=True, text=True, check=False, timeout=240)
    assert done.returncode == 0, done.stderr[-6000:]
    assert "driven" in done.stdout
