"""Own a home of the bench's own, and what the system tells of the processes that belong to it."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

SERVE = (sys.executable, "-m", "memcache_lsp", "serve")
PROGRAM = (sys.executable, "-m", "memcache_lsp")
_BENCH = Path(__file__).parent.parent
_STOP = "from memcache_lsp import rendezvous; rendezvous.stop()"
_START = "import sys; from memcache_lsp import rendezvous; rendezvous.ensure_daemon(sys.argv[1:]).close()"
_KINDS = {
    "memcache_lsp.daemon": "daemon",
    "index_child": "index worker",
    "model_child": "model worker",
    "serve": "front",
}
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Process:
    """A process of a home."""

    pid: int
    kind: str  # daemon, index worker, model worker, front, other

    def opened(self, folder: Path) -> list[str]:
        """Return what it has open or mapped of the files in a folder."""
        here = Path(f"/proc/{self.pid}")
        found = set()
        with contextlib.suppress(OSError):
            for each in (here / "fd").iterdir():
                with contextlib.suppress(OSError):
                    found.add(str(each.readlink()))
            for line in (here / "maps").read_text(errors="replace").splitlines():
                found.add(line.partition("/")[1] + line.partition("/")[2])
        return sorted(path for path in found if path.startswith(f"{folder}/") or path == str(folder))

    def cpu_s(self) -> float:
        """Return the processor time it took so far, 0 once it has gone."""
        try:
            fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return 0.0
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def running_ns(self) -> int | None:
        """Return what its threads ran so far, finer than `cpu_s`; None once it has gone."""
        try:
            tasks = list(Path(f"/proc/{self.pid}/task").iterdir())
        except OSError:
            return None
        total = 0
        for task in tasks:
            with contextlib.suppress(OSError):
                total += int((task / "schedstat").read_text().split()[0])
        return total

    def resident_mb(self) -> float:
        """Return its resident memory."""
        return _field_mb(Path(f"/proc/{self.pid}/status"), "VmRSS")

    def peak_mb(self) -> float:
        """Return the most resident memory that it had."""
        return _field_mb(Path(f"/proc/{self.pid}/status"), "VmHWM")

    def shared_out_mb(self) -> float:
        """Return its proportional memory: pages that several processes share are counted in shares."""
        return _field_mb(Path(f"/proc/{self.pid}/smaps_rollup"), "Pss")


def own_mb(process: int | str) -> float:
    """Return the memory that a process has to itself, the files that it maps apart."""
    return _field_mb(Path(f"/proc/{process}/status"), "RssAnon")


def _field_mb(path: Path, name: str) -> float:
    with contextlib.suppress(OSError):
        for line in path.read_text().splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1]) * 1024 / 1e6
    return 0.0


class Home:
    """All folders of the program below one that is removed in the end, with the daemon that lives there."""

    def __init__(self, model: Path | None = None, *, below: Path = Path("/tmp")) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="mc-", dir=below))  # short, for it holds a socket
        self.environment = {**os.environ, "MEMCACHE_HOME": str(self.folder), "PYTHONPATH": str(_BENCH)}
        self.environment.pop("PYTHONDONTWRITEBYTECODE", None)  # what is installed is compiled
        if model is not None:
            (self.folder / "config").mkdir(mode=0o700)
            (self.folder / "config" / "config.toml").write_text(f"model = '{model}'\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self.wait_gone(10)
        shutil.rmtree(self.folder)

    @property
    def indexes(self) -> Path:
        """Return the folder of the indexes."""
        return self.folder / "cache" / "indexes"

    @property
    def log(self) -> str:
        """Return what the daemon logged."""
        return "".join(path.read_text(errors="replace") for path in sorted(self.folder.rglob("daemon*.log*")))

    @contextlib.contextmanager
    def entered(self) -> Iterator[None]:
        """Make it the home of this process meanwhile."""
        before = os.environ.get("MEMCACHE_HOME")
        os.environ["MEMCACHE_HOME"] = str(self.folder)
        try:
            yield
        finally:
            if before is None:
                del os.environ["MEMCACHE_HOME"]
            else:
                os.environ["MEMCACHE_HOME"] = before

    def start(self, *command: str) -> None:
        """Start another daemon than the program's own; it is found by the fronts as that is."""
        subprocess.run([sys.executable, "-c", _START, *command], check=True, env=self.environment)

    def stop(self) -> None:
        """End the daemon, if there is one."""
        subprocess.run([sys.executable, "-c", _STOP], check=True, env=self.environment)

    def processes(self) -> list[Process]:
        """Return all processes that were started for this home; one that is dead but not reaped is none."""
        mark = f"MEMCACHE_HOME={self.folder}".encode()
        found = []
        for here in Path("/proc").glob("[1-9]*"):
            with contextlib.suppress(OSError):
                if mark in (here / "environ").read_bytes().split(b"\0"):
                    words = (here / "cmdline").read_bytes().decode(errors="replace")
                    found.append(
                        Process(int(here.name), next((k for part, k in _KINDS.items() if part in words), "other"))
                    )
        return found

    def one(self, kind: str) -> Process:
        """Return the only process of a kind."""
        found = [process for process in self.processes() if process.kind == kind]
        assert len(found) == 1, f"{len(found)} processes are a {kind}"
        return found[0]

    def wait_gone(self, timeout_s: float, *, but: str = "") -> float:
        """Wait until no process is left, but those of a kind; return the seconds, infinite where some stay."""
        began = time.perf_counter()
        while any(process.kind != but for process in self.processes()):
            if time.perf_counter() - began > timeout_s:
                return float("inf")
            time.sleep(0.005)
        return time.perf_counter() - began
