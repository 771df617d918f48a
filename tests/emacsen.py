"""Start real Emacsen: in batch, in a window, or in a terminal whose screen and keys are ours."""

import contextlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import papers
from terminal import Terminal

ROOT = Path(__file__).parent.parent
CLIENT = ROOT / "editors" / "emacs"
SERVER = f"{sys.executable}\n-m\nmemcache_lsp\nserve"


def found():
    """Return every Emacs there is, by its version."""
    folders = [*os.environ["PATH"].split(os.pathsep), ROOT / ".venv" / "newer-emacs" / "bin"]
    programs = {path for folder in folders for path in Path(folder).glob("emacs*") if path.is_file()}
    versions = {}
    for program in sorted(programs):
        told = subprocess.run([program, "-Q", "--version"], capture_output=True, text=True, timeout=20, check=False)
        if told.stdout.startswith("GNU Emacs "):
            versions.setdefault(told.stdout.split()[2], str(program))
    return versions


def succeeds(program, *arguments):
    """Tell whether an Emacs with these arguments ends well."""
    return subprocess.run([program, "-Q", *arguments], capture_output=True, timeout=20, check=False).returncode == 0


def make_home(home, *, model=None):
    """Fill a home of the server's own, and return a copy of the example project beside it."""
    if model is not None:
        (home / "config").mkdir()
        (home / "config" / "config.toml").write_text(f'model = "{model}"\n')
    for name in ("courier", "courier-fresh"):
        project = home / "projects" / name
        shutil.copytree(ROOT / "examples" / "courier", project)
        (project / ".git").mkdir()
    fill(home / "projects" / "papers")
    (home / "projects" / "pages").mkdir()
    return home / "projects" / "courier"


def fill(folder):
    """Fill a folder with documents of several kinds, one of them broken."""
    folder.mkdir()
    long = [f"Entry {n} of the register is about ship {n * 7} and its cargo of timber and rope." for n in range(40)]
    second = ["The narwhal", "The narwhal has a tusk, which is a tooth.", *long]
    manual = papers.pdf(["The register", *long], second, marks=[("The register", 0), ("The narwhal", 1)])
    (folder / "manual.pdf").write_bytes(manual)
    (folder / "broken.pdf").write_bytes(b"no PDF")
    cells = (
        ("markdown", "\n".join(long)),
        ("markdown", "\n".join(["# The dugong", "The dugong grazes on seagrass.", *long])),
    )
    (folder / "notes.ipynb").write_bytes(papers.notebook(*cells))
    (folder / "walrus.md").write_text("# The walrus\n\nThe walrus dives for molluscs.\n")
    (folder / "mail.eml").write_text("Subject: The okapi\n\nThe okapi browses leaves at dusk.\n")


def environment(project):
    """Return what the tests in Emacs Lisp want to know."""
    return {
        **os.environ,
        "MEMCACHE_TEST_PROJECT": str(project),
        "MEMCACHE_TEST_SERVER": SERVER,
        "HOME": str(project.parent),
        "PYTHONPATH": str(ROOT),
    }


def batch(program, *arguments, project=None, folder=CLIENT, path=(CLIENT, CLIENT / "test")):
    """Run an Emacs in batch and return what it printed; its failure is ours."""
    done = subprocess.run(
        [program, "-Q", "--batch", "--eval", "(setq load-prefer-newer t)", *(word for each in path for word in ("-L", each)), *arguments],
        env=environment(project) if project else None, cwd=folder, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=280, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-8000:]
    return done.stdout


@contextlib.contextmanager
def window_system():
    """Start an X server that nobody sees, and yield what names it."""
    read, write = os.pipe()
    with subprocess.Popen(
        ["Xvfb", "-displayfd", str(write), "-screen", "0", "1400x900x24", "-nolisten", "tcp", "-noreset"],
        pass_fds=[write], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    ) as server:  # fmt: skip
        os.close(write)
        with os.fdopen(read) as told:
            number = told.readline().strip()
        try:
            assert number, "Xvfb did not start"
            yield f":{number}"
        finally:
            server.terminate()


def window(program, *arguments, project, display, **more):
    """Run an Emacs in a window of a display until it ends by itself; return what it printed."""
    env = {**environment(project), "DISPLAY": display, "GDK_BACKEND": "x11", **more}
    done = subprocess.run(
        [program, "-Q", *map(str, arguments)], env=env, cwd=CLIENT, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=280, check=False,
    )  # fmt: skip
    assert done.returncode in {0, 1}, done.stdout[-8000:]
    return done.stdout


def terminal(program, *arguments, project):
    """Start an Emacs in a terminal."""
    env = {**environment(project), "TERM": "xterm-256color"}
    command = [program, "-Q", "-nw", *map(str, arguments)]
    return Terminal(command, cwd=project, env=env, columns=100, rows=40)
