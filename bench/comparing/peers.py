"""Own the environment of the peers: what pip installs for them, below .bench and never into the project's own."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / ".bench" / "peers"


class Missing(Exception):
    """A peer cannot be had here; the message tells why in a few words."""


def python() -> Path:
    """Return the interpreter of the peers' environment, which is made where there is none."""
    interpreter = FOLDER / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    if not interpreter.exists():
        made = subprocess.run([sys.executable, "-m", "venv", FOLDER], check=False, capture_output=True, text=True)
        if made.returncode:
            shutil.rmtree(FOLDER, ignore_errors=True)
            raise Missing(f"no environment could be made in {FOLDER}: {_last_line(made.stdout + made.stderr)}")
    return interpreter


def install(requirement: str) -> Path:
    """Return the folder of the environment's programs, where a pinned package is installed from wheels alone."""
    interpreter = python()
    name, _, version = requirement.partition("==")
    ask = f"import sys, importlib.metadata as m; sys.exit(m.version({name!r}) != {version!r})"
    if subprocess.run([interpreter, "-I", "-c", ask], check=False, stderr=subprocess.DEVNULL).returncode:
        print(f"Installing {requirement} into {FOLDER}.", file=sys.stderr, flush=True)
        pip = [interpreter, "-m", "pip", "--disable-pip-version-check", "--quiet", "install", "--only-binary=:all:"]
        done = subprocess.run([*pip, requirement], check=False, capture_output=True, text=True)
        if done.returncode:
            raise Missing(f"pip did not install {requirement}: {_last_line(done.stderr)}")
    return interpreter.parent


def _last_line(text: str) -> str:
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "it told no reason")
