"""Own what every worker process does about itself: its pipes, its priority, its end when its owner ends.

Runs in the child only. Must import nothing heavy, so that a child is ready to be told what to do in no time.
"""

from __future__ import annotations

import ctypes
import faulthandler
import logging
import os
import queue
import signal
import sys
import threading
import traceback
from contextlib import suppress
from pathlib import Path

from memcache_lsp.workers.channel import Channel

_log = logging.getLogger(__name__)

_PR_SET_PDEATHSIG = 1
_NICEST = 19
_IO_IDLE = 3 << 13  # IOPRIO_PRIO_VALUE(IOPRIO_CLASS_IDLE, 0)
_IOPRIO_SET = {"x86_64": 251, "aarch64": 30, "riscv64": 30, "loongarch64": 30}  # numbers of the system call


def begin() -> Channel:
    """Prepare this process for its work and return the channel to its owner.

    From here on, whatever prints goes to the log that is stderr.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the owner, who tells us
    faulthandler.enable()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(process)d %(levelname)s %(name)s %(message)s")
    if sys.platform == "linux":
        _end_with_owner()
        _prefer_as_victim()
    _no_core_file()
    return _take_stdio()


def _take_stdio() -> Channel:
    """Keep the pipes for the channel, and leave nothing at the numbers that libraries read and print to."""
    reader = os.fdopen(os.dup(0), "rb")
    writer = os.fdopen(os.dup(1), "wb")
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    os.dup2(2, 1)
    return Channel(reader, writer)


def _end_with_owner() -> None:
    """Have the kernel kill us when the thread that started us ends, busy, stopped or stuck as we may be.

    That thread is the one that reads our answers (`child.Child`), and lives as long as we do. An owner that ended
    before this call is noticed by the end of the pipe.
    """
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _prefer_as_victim() -> None:
    """Where memory runs out, have the kernel end this process and not the owner, which can start another one."""
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("500", encoding="ascii")


def _no_core_file() -> None:
    """Leave no image of memory behind: it would hold the user's texts."""
    with suppress(ImportError, OSError, ValueError):
        import resource  # noqa: PLC0415 - not on every platform

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def stand_back() -> None:
    """Take the processor and the disk only when nobody else wants them, from now on.

    On Linux each thread has a priority of its own, which those that it starts inherit. Processes of different sessions share the processor by session first where Linux groups them so (autogroup), and
    nice counts inside of a session only; a worker is a session of its own, so that group is made nice as well.
    """
    if sys.platform != "linux":
        with suppress(AttributeError, OSError):
            os.nice(_NICEST)
        return
    with suppress(OSError):
        Path("/proc/self/autogroup").write_text(str(_NICEST), encoding="ascii")
    number = _IOPRIO_SET.get(os.uname().machine)
    for folder in list(Path("/proc/self/task").iterdir()):
        thread = int(folder.name)
        with suppress(OSError):  # it has ended
            os.setpriority(os.PRIO_PROCESS, thread, _NICEST)
        if number is not None:
            ctypes.CDLL(None).syscall(number, 1, thread, _IO_IDLE)  # 1: of one thread


def inbox(channel: Channel) -> queue.SimpleQueue[object]:
    """Return a queue of what the owner sends; this process ends at once when the owner goes."""
    arrived: queue.SimpleQueue[object] = queue.SimpleQueue()
    threading.Thread(target=_receive, args=(channel, arrived), name="receive", daemon=True).start()
    return arrived


def _receive(channel: Channel, arrived: queue.SimpleQueue[object]) -> None:
    while True:
        try:
            arrived.put(channel.receive())
        except (EOFError, OSError):
            os._exit(0)  # nobody is there to read what we do, and it may go on for long


def log_failure(error: BaseException) -> None:
    """Log where an error came from without its message, which may quote the user's texts."""
    frames = "".join(traceback.format_tb(error.__traceback__))
    _log.error("%s\n%s", type(error).__name__, frames)
