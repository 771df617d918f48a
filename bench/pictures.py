"""Make the pictures of editors/emacs anew: a real Emacs in a terminal, a real server, a real answer.

    python bench/pictures.py [--emacs PROGRAM] [--model NAME]

They show examples/courier in a home of its own. The model is one that `memcache-lsp models pull` fetched.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from serving.home import PROGRAM, SERVE, Home
from terminal import Terminal

from memcache_lsp import models

ROOT = Path(__file__).parent.parent
CLIENT = ROOT / "editors" / "emacs"
QUESTION = "how is a webhook signature checked?"
SETUP = """(progn (setq memcache-command '({server}) inhibit-startup-screen t split-width-threshold 100)
 (setq-default truncate-lines t) (menu-bar-mode -1) (load-theme 'modus-vivendi t) (global-memcache-mode)
 (global-set-key (kbd "C-c m") 'memcache-command-map))"""


def start(emacs: str, project: Path) -> Terminal:
    """Start an Emacs with the client, at a file of the project."""
    server = " ".join(f'"{word}"' for word in SERVE)
    setup = ("-L", str(CLIENT), "-l", "memcache", "--eval", SETUP.format(server=server))
    command = [emacs, "-Q", "-nw", *setup, str(project / "courier" / "dispatcher.py")]
    environment = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor"}
    return Terminal(command, cwd=project, env=environment, columns=132, rows=36)


def draw(emacs: str, project: Path) -> None:
    """Make the pictures."""
    terminal = start(emacs, project)
    terminal.wait(lambda text: "dispatcher.py" in text)
    terminal.type("\x03ma")
    terminal.wait(lambda text: "Ask about" in text)
    terminal.type(f"{QUESTION}\r")
    terminal.wait(lambda text: "places read" in text)
    terminal.rest()
    terminal.type("\x1b>p")  # the last citation; its lines are shown beside it
    terminal.rest()
    (CLIENT / "answer.svg").write_text(terminal.svg())
    terminal.type("q\x03ms")
    terminal.wait(lambda text: "Search courier:" in text)
    terminal.type("webhook signature")
    terminal.wait(lambda text: re.search(r"webhooks\.py", text))
    terminal.rest()
    (CLIENT / "search.svg").write_text(terminal.svg())
    terminal.type("\x07\x18\x03")
    terminal.wait_for_end()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--emacs", default="emacs", metavar="PROGRAM")
    parser.add_argument("--model", default="qwen2.5-coder-0.5b-instruct", metavar="NAME")
    args = parser.parse_args()
    model = models.locate(args.model)
    if model is None:
        parser.error(f"{args.model} is not there: `memcache-lsp models pull {args.model}` fetches it")
    with tempfile.TemporaryDirectory() as scratch, Home(model) as home, home.entered():
        project = Path(shutil.copytree(ROOT / "examples" / "courier", Path(scratch) / "courier"))
        (project / ".git").mkdir()
        subprocess.run([*PROGRAM, "index"], cwd=project, check=True)  # a first question would be early
        draw(args.emacs, project)
    return 0


if __name__ == "__main__":
    sys.exit(main())
