"""Own how a worker and its owner talk: pickled values over a pair of pipes, each after its length.

Only ever between this program and a child that it started itself, for a pickle can run anything. Must import nothing
but the standard library.
"""

from __future__ import annotations

import os
import pickle
import struct
import threading
from typing import BinaryIO

LARGEST_BYTES = 1 << 29  # a length beyond this is no length: something else was written to the pipe

_LENGTH = struct.Struct("!Q")


class Channel:
    """One end of the pipes. Any thread may send; one at a time may receive."""

    def __init__(self, reader: BinaryIO, writer: BinaryIO) -> None:
        self._reader = reader
        self._writer = writer
        self._lock = threading.Lock()

    def send(self, message: object) -> None:
        """Send a value; blocks while the pipe is full, OSError when nobody reads it any more."""
        data = pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL)
        left = memoryview(_LENGTH.pack(len(data)) + data)
        with self._lock:
            while left:
                left = left[os.write(self._writer.fileno(), left) :]

    def receive(self) -> object:
        """Wait for the next value; EOFError when the other side has gone or says what cannot be understood."""
        (length,) = _LENGTH.unpack(self._read(_LENGTH.size))
        if length > LARGEST_BYTES:
            raise EOFError("no message")
        data = self._read(length)
        try:
            return pickle.loads(data)  # noqa: S301 - from a process of our own
        except Exception as error:
            raise EOFError("no message") from error

    def close(self) -> None:
        """Close both pipes; nobody may be sending or receiving."""
        self._writer.close()
        self._reader.close()

    def _read(self, size: int) -> bytes:
        data = self._reader.read(size)
        if len(data) < size:
            raise EOFError("the pipe was closed")
        return data
