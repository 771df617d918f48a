"""Show the main job on a real project: fetch one, index it, ask it a question, stream the answer with its sources.

The project is a source distribution, fetched with pip by its pinned version and hash, unpacked, never installed or run.
DEMO_MODEL names another curated model to answer; with DEMO_MODEL=none the answer is quoted, and no model is fetched.
"""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

PROJECT, VERSION = "flask", "3.1.2"
SHA256 = "bf656c15c80190ed628ad08cdfd3aaa35beb087855e2f494910aa3774cc4fd87"
QUESTION = "Where does Flask look for templates?"
MODEL = "qwen2.5-coder-0.5b-instruct"
FOLDER = Path(".demo")


def fetch() -> Path:
    """Return the unpacked project's folder."""
    target = FOLDER / f"{PROJECT}-{VERSION}"
    if target.exists():
        return target
    print(f"Fetching the source of {PROJECT} {VERSION} …", flush=True)
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=FOLDER) as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        command += ["--no-binary", PROJECT, "--dest", folder, f"{PROJECT}=={VERSION}"]
        subprocess.run(command, check=True)
        archive = next(Path(folder).glob("*.tar.gz"))
        if hashlib.sha256(archive.read_bytes()).hexdigest() != SHA256:
            sys.exit(f"{archive.name} is not the file this demo was made for: its sha256 differs.")
        with tarfile.open(archive) as tar:
            tar.extractall(folder, filter="data")
        shutil.move(Path(folder) / target.name, target)
    return target


def run(*arguments: str) -> None:
    """Run the program's own command line and show the command."""
    print(f"\n$ memcache-lsp {shlex.join(arguments)}", flush=True)
    program = Path(sys.executable).with_name("memcache-lsp")
    code = subprocess.run([program, *arguments], check=False).returncode
    if code:
        sys.exit(code)


def main() -> None:
    root = str(fetch())
    model = os.environ.get("DEMO_MODEL", MODEL)
    run("index", "--root", root)
    run("search", "--root", root, "--limit", "3", "templates of a blueprint")
    if model == "none":
        run("ask", "--root", root, "--no-model", QUESTION)
        return
    run("models", "pull", model)
    run("ask", "--root", root, *([] if model == MODEL else ["--model", model]), QUESTION)


if __name__ == "__main__":
    main()
