"""Read the commits of a project from its git, in a way that runs nothing the project's own configuration names.

The scan runs no git at all, for it looks at whatever folder an editor opens. Here the user has asked for it, and only
`git log` is run, with everything switched off by which a repository's configuration could run a command, reach the
network or wait: fsmonitor, hooks, pager, signatures, external diffs, text conversion, and the fetching of what a
partial clone lacks. Must not import anything of this package but errors.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from memcache_lsp.errors import UserError

MAX_COMMITS: Final = 4000  # the latest; older ones speak of code that is gone
_MAX_BYTES: Final = 32_000_000
_TIMEOUT_S: Final = 60.0
_MAX_COMPLAINT_BYTES: Final = 4096
_COMMIT, _FIELD = "\x1e", "\x1f"

_SAFE: Final = (
    "core.fsmonitor=false",
    f"core.hooksPath={os.devnull}",
    "core.pager=cat",
    f"core.attributesFile={os.devnull}",
    f"diff.orderFile={os.devnull}",  # a pipe would be waited for
    "diff.external=",
    "log.showSignature=false",  # it would run gpg.program
    "protocol.allow=never",
)
_LOG: Final = (
    "log", "-z", f"--max-count={MAX_COMMITS}", "--no-merges", "--no-color", "--no-ext-diff", "--no-textconv",
    "--no-renames", "--no-show-signature", "--no-mailmap", "--ignore-submodules=all", "--name-only",
    "--encoding=UTF-8", "--format=%x1e%s%x1f%b%x1f", "--relative", "HEAD", "--",
)  # fmt: skip
# What an environment could send git elsewhere with, as inside a hook.
_FOREIGN: Final = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_EXTERNAL_DIFF", "GIT_COMMON_DIR", "GIT_NAMESPACE")


class NoHistory(UserError):
    """There are no commits to be read; a clause of a sentence says why."""


@dataclass(frozen=True, slots=True)
class Commit:
    """What a commit says, and the paths below the root that it touches, as git names them."""

    subject: str
    body: str
    paths: tuple[str, ...]


def commits(root: Path) -> list[Commit]:
    """Return the latest commits that are no merges, newest first; raise NoHistory where there are none."""
    git = shutil.which("git")
    if git is None:
        raise NoHistory("git is not installed")
    settings = [part for setting in _SAFE for part in ("-c", setting)]
    output, complaint = _output([git, *settings, "--no-pager", *_LOG], root)
    found = parse(output)
    if not found:
        raise NoHistory(complaint or "it has no commits")
    return found


def parse(output: str) -> list[Commit]:
    """Take the output of the log apart; what does not fit its form is passed over."""
    found = []
    for record in output.split(_COMMIT)[1:]:
        subject, _, rest = record.partition(_FIELD)
        body, ended, names = rest.partition(_FIELD)
        if ended:
            paths = tuple(name for name in names.lstrip("\0").removeprefix("\n").split("\0") if name)
            found.append(Commit(subject.strip(), body.strip(), paths))
    return found


def _environment(environment: Mapping[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in environment.items() if name not in _FOREIGN}
    never = {"GIT_ALLOW_PROTOCOL": "none", "GIT_NO_LAZY_FETCH": "1"}
    return {**kept, **never, "GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}


def _output(command: list[str], root: Path) -> tuple[str, str]:
    """Run git for a while at most, and take so much of what it prints; return that, and why there is nothing."""
    with tempfile.TemporaryFile() as complaints:
        child = subprocess.Popen(
            command,
            cwd=root,
            env=_environment(os.environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=complaints,
        )
        timer = threading.Timer(_TIMEOUT_S, child.kill)
        timer.daemon = True  # an interrupted start must not keep the process
        try:
            timer.start()
            assert child.stdout is not None
            output = child.stdout.read(_MAX_BYTES)
        finally:  # also where the user interrupts
            timer.cancel()
            child.kill()
            child.wait()
            if child.stdout is not None:
                child.stdout.close()
        complaints.seek(0)
        told = complaints.read(_MAX_COMPLAINT_BYTES).decode("utf-8", "replace")
    return output.decode("utf-8", "replace"), _why(told)


def _why(told: str) -> str:
    """Return the clause in which git says why it gave up."""
    lines = told.strip().splitlines()
    fatal = [line for line in lines if line.startswith("fatal: ")]
    return (fatal or lines or [""])[0].removeprefix("fatal: ").partition(" (")[0].rstrip(".")[:200]
