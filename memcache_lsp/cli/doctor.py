"""`memcache-lsp doctor`: check the installation, the models, the index and the limits, and say what to do about each."""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from memcache_lsp import __version__, config, models, paths, reporting, web
from memcache_lsp.cli import render, work
from memcache_lsp.embedding import open_embedder
from memcache_lsp.errors import MemcacheError
from memcache_lsp.status import read_status

OK, NOTE, WRONG = "ok", "note", "wrong"
_LOW_DISK_BYTES = 1_000_000_000
_MANY_WATCHES = 65_536


_PACKAGES = (
    "filelock", "lsprotocol", "numpy", "PyStemmer", "pygls", "qdrant-edge-py", "tokenizers", "tree-sitter",
    "tree-sitter-language-pack",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was checked; `advice` says what to do, where there is something to do."""

    level: str
    what: str
    advice: str = ""


def run(options: argparse.Namespace) -> int:
    """Run the command; exit 1 if something is wrong."""
    findings = list(_check(options))
    for finding in findings:
        if options.json:
            render.print_json({"level": finding.level, "what": finding.what, "advice": finding.advice})
        else:
            print(f"{finding.level:6} {finding.what}{f': {finding.advice}' if finding.advice else ''}")
    return 1 if any(f.level == WRONG for f in findings) else 0


def _check(options: argparse.Namespace) -> Iterator[Finding]:
    for section in (_installation, _settings, _embedder, _models, _folders, _limits):
        try:
            yield from section()
        except MemcacheError as error:
            yield Finding(WRONG, str(error))
    try:
        yield from _index(work.resolve_root(options))
    except MemcacheError as error:
        yield Finding(WRONG, str(error))


def _installation() -> Iterator[Finding]:
    yield Finding(
        OK, f"memcache-lsp {__version__}, Python {platform.python_version()}, {platform.platform(terse=True)}"
    )
    for package in _PACKAGES:
        try:
            yield Finding(OK, f"{package} {metadata.version(package)}")
        except metadata.PackageNotFoundError:
            yield Finding(WRONG, f"{package} is missing", "pip install --force-reinstall memcache-lsp")
    extras = (
        ("llama_cpp", "llama", "answers in sentences"),
        ("sentence_transformers", "transformers", "other embedders"),
        ("qdrant_client", "qdrant", "a Qdrant server"),
    )
    for module, extra, use in extras:
        if not importlib.util.find_spec(module):
            yield Finding(NOTE, f"no {extra} extra", f"for {use}: pip install 'memcache-lsp[{extra}]'")
        elif module != "llama_cpp" or _imports(module):  # the others are plain Python, and torch takes seconds
            yield Finding(OK, f"the {extra} extra ({use})")
        else:
            advice = f"pip install --force-reinstall 'memcache-lsp[{extra}]'"
            yield Finding(WRONG, f"the {extra} extra is installed but does not load", advice)


def _imports(module: str) -> bool:
    """Tell whether a library loads, in a process of its own, since some print or crash when they do not."""
    command = [sys.executable, "-P", "-c", f"import {module}"]
    return subprocess.run(command, capture_output=True, timeout=120, check=False).returncode == 0


def _settings() -> Iterator[Finding]:
    _, problems = config.load_user_settings()
    for problem in problems:
        yield Finding(WRONG, problem)
    if not problems:
        yield Finding(OK, f"settings in {paths.config_dir() / paths.USER_SETTINGS}")


def _embedder() -> Iterator[Finding]:
    user, _ = config.load_user_settings()
    embedder = open_embedder(user.embedder or None)
    length = float((embedder.embed_query("retry a failed request") ** 2).sum())
    if abs(length - 1) < 0.01:
        yield Finding(OK, f"embedder {embedder.id}, {embedder.dimension} dimensions")
    else:
        yield Finding(WRONG, f"embedder {embedder.id} gives no unit vectors", "reinstall memcache-lsp")


def _models() -> Iterator[Finding]:
    found = [model for model in models.installed() if model.path.suffix == ".gguf"]
    for model in found:
        yield Finding(OK, f"model {model.name}, {render.size(model.size_bytes)}")
    user, _ = config.load_user_settings()
    chosen = models.chosen(user)
    for sentence in reporting.outside(user):
        yield Finding(NOTE, sentence.rstrip("."))
    match chosen:
        case None:
            name = models.DEFAULT.name
            yield Finding(NOTE, "no default model, so answers are quotations", f"memcache-lsp models pull {name}")
        case models.Endpoint():
            yield from _endpoint(chosen)
        case models.Program():
            yield Finding(OK, f"answers come from the program {chosen.path}")
        case _:
            yield Finding(OK, f"answers come from {chosen.stem}")


def _endpoint(endpoint: models.Endpoint) -> Iterator[Finding]:
    from memcache_lsp.endpoint import EndpointGenerator  # noqa: PLC0415 - seldom needed

    if endpoint.url.startswith("http:") and not web.is_loopback(endpoint.url):
        yield Finding(NOTE, "what is sent to that server can be read on its way", "use https, or a tunnel")
    with contextlib.closing(EndpointGenerator(endpoint)) as met:  # what is wrong is told by its error
        yield Finding(OK, f"the model server has {met.name}. {' '.join(met.notes)}".rstrip("."))


def _folders() -> Iterator[Finding]:
    for name, folder in (("cache", paths.cache_dir()), ("data", paths.data_dir())):
        free = shutil.disk_usage(folder).free
        what = f"{name} folder {folder}, {render.size(free)} free"
        if free < _LOW_DISK_BYTES:
            yield Finding(WRONG, what, "free some space, an index takes about five times its source")
        elif folder.stat().st_mode & 0o077:
            yield Finding(WRONG, what, f"others can read it: chmod 700 {folder}")
        else:
            yield Finding(OK, what)


def _limits() -> Iterator[Finding]:
    try:
        import resource  # noqa: PLC0415 - not on Windows
    except ImportError:
        return
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files < 256:
        yield Finding(WRONG, f"only {files} open files allowed", "ulimit -n 1024")
    else:
        yield Finding(OK, f"{files} open files allowed")
    watches = Path("/proc/sys/fs/inotify/max_user_watches")
    if watches.exists() and int(watches.read_text()) < _MANY_WATCHES:
        count = watches.read_text().strip()
        yield Finding(
            NOTE, f"only {count} folders can be watched", f"sysctl fs.inotify.max_user_watches={_MANY_WATCHES}"
        )


def _index(root: Path) -> Iterator[Finding]:
    _, problems = config.load_project_settings(root)
    for problem in problems:
        yield Finding(WRONG, problem)
    try:
        status = read_status(root)
    except MemcacheError as error:
        yield Finding(WRONG, f"the index of {root} cannot be read ({error})", f"memcache-lsp index --root {root}")
        return
    if status is None:
        yield Finding(NOTE, f"{root} is not indexed", f"memcache-lsp index --root {root}")
        return
    yield Finding(
        OK, f"index of {root}: {status.indexed} files, {status.chunks} chunks, {render.size(status.size_bytes)}"
    )
    if status.holder:
        yield Finding(NOTE, f"the index is in use by {status.holder}")
    elif status.unfinished:
        yield Finding(NOTE, "the last process was ended while it wrote", "the next command repairs the index")
    for failed in status.failed:
        yield Finding(WRONG, f"{failed.path}: {failed.reason}", "exclude it in .memcacheignore, or report it")
