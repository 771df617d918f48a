"""The reader's program: take a file's bytes, return its text, file after file, until the owner hangs up.

    python -m memcache_lsp.reading.child CPU_S DATA_BYTES

It holds itself to so much processor time a file and so much memory in all, opens no file, and ends with its owner.
Started by `owner.Reader` only.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from memcache_lsp.reading.formats import read_container
from memcache_lsp.reading.result import Course, UnreadableError

HEAD: Final = struct.Struct("<II")  # lengths of a JSON text and of the bytes behind it
PAGE: Final = 1  # in place of a length of bytes: the other is the number of the page that comes, from 1
_PAGE_S: Final = 3  # of processor time for one page
_SOFT: Final = 0.6  # of the processor time: then a reader returns what it has
_LOOK_S: Final = 0.3  # how long it may outlive its owner


def main(arguments: list[str]) -> None:
    """Serve the owner at the other end of standard input."""
    cpu_s, data_bytes = int(arguments[0]), int(arguments[1])
    _limit("RLIMIT_CORE", 0)
    logging.disable(logging.CRITICAL)  # libraries quote what they read
    threading.Thread(target=_end_with_owner, args=(os.getppid(),), daemon=True).start()
    with socket.socket(fileno=os.dup(0)) as channel:
        null = os.open(os.devnull, os.O_RDWR)
        for number in (0, 1, 2):
            os.dup2(null, number)
        while head := _received(channel, HEAD.size):
            told, size = HEAD.unpack(head)
            asked = json.loads(_received(channel, told))
            _limit("RLIMIT_DATA", size + data_bytes)
            told = _answer(asked, _received(channel, size), min(cpu_s, asked["cpu_s"]), channel)
            answer = json.dumps(told).encode("utf-8", "surrogatepass")
            channel.sendall(HEAD.pack(len(answer), 0) + answer)
    os._exit(0)


def _received(channel: socket.socket, size: int) -> bytes:
    """Return the next bytes from the owner, held once: a file may be most of what this process may use."""
    data = channel.recv(size, socket.MSG_WAITALL) if size else b""
    while len(data) < size and (more := channel.recv(size - len(data), socket.MSG_WAITALL)):
        data += more
    return data


def _answer(asked: dict[str, Any], data: bytes, cpu_s: float, channel: socket.socket) -> dict[str, Any]:
    began = time.process_time()
    last = int(began + cpu_s) + 1
    _limit("RLIMIT_CPU", last)

    def spent() -> bool:
        return time.process_time() - began > _SOFT * cpu_s

    def at(page: int) -> None:
        _limit("RLIMIT_CPU", last if page < 0 else min(last, int(time.process_time()) + _PAGE_S))
        channel.sendall(HEAD.pack(page + 1, PAGE))

    try:
        without = {int(page): str(why) for page, why in asked["without"].items()}
        course = Course(spent, at, without, asked["until"])
        return {"reading": read_container(asked["path"], data, course).plain()}
    except UnreadableError as error:
        return {"why": str(error)}
    except MemoryError:
        return {"why": "too large inside: it takes too much memory to be read", "worn": True}
    except RecursionError:
        return {"why": "broken: it is nested too deeply to be read"}
    except Exception as error:  # noqa: BLE001 - the file boundary
        return {"why": f"broken: it could not be read ({type(error).__name__})"}


def _limit(name: str, value: int) -> None:
    with suppress(ImportError, AttributeError, OSError, ValueError):
        import resource  # noqa: PLC0415 - not on every platform

        which = getattr(resource, name)
        resource.setrlimit(which, (value, resource.getrlimit(which)[1]))


def _end_with_owner(owner: int, *, alive: Callable[[], int] = os.getppid) -> None:
    """Leave when the owner does, busy as the reader may be; the kernel's own word for it goes by threads."""
    while alive() == owner:
        time.sleep(_LOOK_S)
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])
