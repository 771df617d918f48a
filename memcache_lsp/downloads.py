"""Own the ways to a model beside the package registry: a file of a model hub, and a plain URL.

Both go on where they were cut off, and can be cancelled. What arrives is checked by who asked (`fetching`). The hub's
library runs in a process of its own, for nothing else stops it. Must not import what loads a model.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from memcache_lsp.errors import ModelError, Stopped
from memcache_lsp.web import Stream, WebError, shown

Progress = Callable[[int, int], None]  # bytes done, bytes in all
Cancelled = Callable[[], bool]

POLL_S = 0.1
_STOP_S = 5.0
_SILENCE_S = 30.0
_TRIES = 5  # after a cut, as long as each brings something
_CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")

# Ends with the process that started it, which holds the other end of stdin.
_HUB = """
import json, os, sys, threading
threading.Thread(target=lambda: (os.read(0, 1), os._exit(75)), daemon=True).start()
def say(**what):
    print(json.dumps(what), flush=True)
def pick(names):
    whole = [n for n in names if n.lower().endswith(".gguf") and "-of-0" not in n and "mmproj" not in n.lower()]
    for kind in ("q4_k_m", "q4_k", "q4_1", "q4_0", "q5_k_m", "q8_0"):
        for name in whole:
            if kind in name.lower():
                return name
    return whole[0] if whole else None
try:
    from huggingface_hub import HfApi, constants, hf_hub_download
    from huggingface_hub.utils import get_session
    try:  # the library itself tries for half a minute
        get_session().head(constants.ENDPOINT, timeout=4)
    except Exception as error:
        say(error=f"it cannot be reached: {' '.join(str(error).split()) or type(error).__name__}"[:200])
        sys.exit(1)
    repo, file, known, folder = sys.argv[1:]
    revision = None
    if not known:
        info = HfApi().model_info(repo, files_metadata=True, timeout=10)
        files = {each.rfilename: each for each in info.siblings}
        file, revision = file or pick(sorted(files)), info.sha
        if file not in files:
            say(error="it holds no such GGUF file; there are " + (", ".join(n for n in files if n.endswith(".gguf"))[:300] or "none"))
            sys.exit(1)
        about = files[file]
        say(file=file, size=about.size, sha256=about.lfs.sha256 if about.lfs else None)
    say(path=hf_hub_download(repo, file, revision=revision, local_dir=folder))
except Exception as error:
    say(error=(" ".join(str(error).split()) or type(error).__name__)[:300])
    sys.exit(1)
"""


class Request:
    """One fetch: the name of the model, the folder it goes to, who is told of it, and who may cancel it."""

    def __init__(self, name: str, folder: Path, on_progress: Progress, cancelled: Cancelled) -> None:
        self.name = name
        self.folder = folder
        self._on_progress = on_progress
        self._cancelled = cancelled
        self._told = 0

    def check(self) -> None:
        """Raise Stopped once the fetch is cancelled."""
        if self._cancelled():
            raise Stopped(f"The fetch of {self.name} was stopped; what is complete of it is kept for the next time.")

    def check_room(self, needed_bytes: int) -> None:
        """Raise a ModelError where the disk has no room for so much."""
        free = shutil.disk_usage(self.folder).free
        if free < needed_bytes:
            raise ModelError(
                f"{self.name} needs {needed_bytes / 1e6:,.0f} MB in {self.folder} while it is fetched, and "
                f"{free / 1e6:,.0f} MB are free; make room or set MEMCACHE_HOME to a folder elsewhere."
            )

    def tell(self, done: int, total: int) -> None:
        """Tell the progress, which never goes back, whatever the source."""
        self._told = max(self._told, done)
        self._on_progress(self._told, total)


@dataclass(frozen=True, slots=True)
class Arrived:
    """A file that was downloaded, and what its source says of it."""

    path: Path
    sha256: str | None = None


def from_hub(repo: str, file: str, folder: Path, request: Request, *, size_bytes: int | None = None) -> Arrived:
    """Download a file of a repository into a folder of its own, where it goes on after a cut.

    With `size_bytes` the file is known and is not looked up; an empty `file` means a good one of the repository.
    ModelError with the hub's own words.
    """
    folder.mkdir(exist_ok=True, mode=0o700)
    command = [sys.executable, "-P", "-c", _HUB, repo, file, "known" if size_bytes else "", str(folder)]
    environment = os.environ | {
        "HF_HUB_DISABLE_XET": "1",  # its own protocol; it cannot go on after a cut
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "HF_HUB_ETAG_TIMEOUT": "5",
        "HF_HUB_DOWNLOAD_TIMEOUT": "20",
        "HF_HOME": str(folder / "home"),
        **({"HF_TOKEN_PATH": path} if (path := _token_path()) else {}),
    }
    told, has_room = folder / "told", False
    with told.open("wb") as stream:
        child = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=stream, stderr=subprocess.DEVNULL, cwd=folder, env=environment
        )
        try:
            while child.poll() is None:
                with suppress(subprocess.TimeoutExpired):
                    child.wait(POLL_S)
                request.check()
                total = size_bytes or _told(told).get("size")
                if total and not has_room:
                    request.check_room(total - bytes_under(folder))
                    has_room = True
                if total:
                    request.tell(min(bytes_under(folder), total), total)
        finally:
            end(child)
    said = _told(told)
    if child.returncode or "path" not in said:
        raise ModelError(str(said.get("error", f"its library ended with code {child.returncode}")).rstrip("."))
    return Arrived(Path(said["path"]), said.get("sha256"))


def _token_path() -> str:
    """Return where the user's own login lies, which the hub's library would look for in a home of our choice."""
    if given := os.environ.get("HF_TOKEN_PATH"):
        return given
    home = os.environ.get("HF_HOME") or os.path.expanduser("~/.cache/huggingface")  # noqa: PTH111
    return os.path.join(home, "token")  # noqa: PTH118


def _told(path: Path) -> dict[str, Any]:
    """Return all that the child said so far."""
    said: dict[str, Any] = {}
    for line in path.read_text("utf-8", "replace").splitlines():
        with suppress(ValueError):
            said |= json.loads(line)
    return said


def from_url(url: str, partial: Path, request: Request) -> None:
    """Download a URL to `partial`, from where an earlier try was cut off."""
    before = -1
    for _ in range(_TRIES):
        have = partial.stat().st_size if partial.exists() else 0
        if have == before:
            break
        before = have
        try:
            if _goes_on(url, partial, request):
                return
        except WebError as error:
            if error.failure == "unreachable":
                raise ModelError(
                    f"{shown(url)} cannot be reached ({error.why}): check the address and the network."
                ) from error
    raise ModelError(f"{shown(url)} was cut off; run the same command again, which goes on where it stopped.")


def _goes_on(url: str, partial: Path, request: Request) -> bool:
    """Take what comes of one request; tell whether the file is whole."""
    mark = partial.with_suffix(".tag")
    have = partial.stat().st_size if partial.exists() else 0
    tag = mark.read_text("utf-8") if mark.exists() else ""
    headers = {"Range": f"bytes={have}-", "If-Range": tag} if have and tag else {}

    def stopped() -> bool:
        request.check()  # which raises, with a sentence of its own
        return False

    with Stream("GET", url, headers=headers, stopped=stopped, silence_s=_SILENCE_S, follow=True) as stream:
        start, total = _place(stream, have)
        if stream.status == 416:
            partial.unlink()
            return False
        if stream.status not in {200, 206} or start is None:
            raise ModelError(f"{shown(url)} cannot be fetched (status {stream.status}): check the address.")
        if url.startswith("https:") and not stream.url.startswith("https:"):
            raise ModelError(f"{shown(url)} leads to an address without https: give another one.")
        mark.write_text(_tag(stream), "utf-8")
        if total:
            request.check_room(total - start)
        done = start
        with partial.open("r+b" if start else "wb") as file:
            file.seek(start)
            file.truncate()
            for chunk in stream:
                file.write(chunk)
                done += len(chunk)
                request.tell(done, total or done)
            file.flush()
            os.fsync(file.fileno())
    mark.unlink(missing_ok=True)
    return total is None or done == total


def _place(stream: Stream, have: int) -> tuple[int | None, int | None]:
    """Return where in the file the body begins, and the size of the whole, None where that is not told or is wrong."""
    if stream.status == 206:
        found = _CONTENT_RANGE.fullmatch(stream.headers.get("content-range", ""))
        if found is None or int(found[1]) != have:
            return None, None
        return have, int(found[2]) if found[2] != "*" else None
    length = stream.headers.get("content-length", "")
    return 0, int(length) if length.isdigit() else None


def _tag(stream: Stream) -> str:
    """Return what tells this state of the file from others; a weak tag does not."""
    tag = stream.headers.get("etag", "")
    return tag if tag and not tag.startswith("W/") else stream.headers.get("last-modified", "")


def end(child: subprocess.Popen[bytes]) -> None:
    """Make sure that a child is gone."""
    if child.poll() is None:
        child.terminate()
        try:
            child.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
    if child.stdin is not None:
        child.stdin.close()


def bytes_under(folder: Path) -> int:
    """Add up the files under a folder in which another process works."""
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                total += (Path(parent) / name).stat().st_size
    return total
