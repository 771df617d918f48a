"""How a program of this package is started as a process of its own. Imports the standard library only."""

from __future__ import annotations

import os
import sys
import sysconfig
from pathlib import Path


def command_for(module: str, *arguments: str) -> list[str]:
    """Return the command that runs a module of this package, never one that lies in the current folder."""
    return [sys.executable, "-P", "-m", module, *arguments]


def environment() -> dict[str, str]:
    """Return an environment in which a child imports this very package, also where it is not installed but lies in a folder."""
    folder = str(Path(__file__).resolve().parent.parent)
    environment = dict(os.environ)
    if folder not in {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}:
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, (folder, environment.get("PYTHONPATH", ""))))
    return environment
