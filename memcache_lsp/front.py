"""The process that an editor starts: a relay between its standard streams and the daemon.

Owns the streams, the socket and the exit code; what a session is made of is `relay.memory`. Messages pass as the bytes
they came in. One thread, and buffers with a limit: who does not read is not read from. Must not import anything beyond
the standard library, for the editor waits for it.

Where frames end nobody can tell any more, bytes pass as they are, the daemon says what is wrong, and its end is ours.

**Invariant:** a session outlives its daemon: pending requests are answered with an error, and the next request finds
or starts a daemon that knows the session.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import sys
import time
from collections.abc import Callable, Sequence

from memcache_lsp import rendezvous
from memcache_lsp.errors import UsageError, UserError
from memcache_lsp.relay.frames import Kind, Piece, Splitter, frame
from memcache_lsp.relay.large import Large
from memcache_lsp.relay.memory import LOST_REQUEST, Memory, Message, failure

_CHUNK_BYTES = 64 * 1024
_HELD_BYTES = 256 * 1024  # more that waits for a reader, and the writer waits
_EDITOR_FRAME_BYTES = 8 * 1024 * 1024  # a larger one passes in parts, and only its id is remembered
_DAEMON_FRAME_BYTES = 64 * 1024 * 1024
_PARTING_S = 0.8  # for what is under way when the editor leaves; all ends within a second
_GREETING_S = 15.0
_KNOWN = ("--stdio", "--clientProcessId")


def run(
    arguments: Sequence[str], *, command: Sequence[str] | None = None, editor_in: int = 0, editor_out: int = 1
) -> int:
    """Relay until the editor leaves; return the exit code, 0 where it asked for shutdown before.

    `command` starts the daemon, the package's own where none is given.
    """
    unknown = unknown_arguments(arguments)
    if unknown:
        raise UsageError(f"`memcache-lsp serve` knows no {unknown[0]}; see memcache-lsp serve --help.")
    front = _Front(lambda: rendezvous.ensure_daemon(command), editor_in, editor_out)
    try:
        return front.run()
    finally:
        front.close()


def unknown_arguments(arguments: Sequence[str]) -> list[str]:
    """Return the arguments that are none of a front's; the process id may be an argument of its own."""
    values = {at + 1 for at, argument in enumerate(arguments) if argument == "--clientProcessId"}
    return [
        argument
        for at, argument in enumerate(arguments)
        if argument.partition("=")[0] not in _KNOWN and not (at in values and argument.isdigit())
    ]


def main(arguments: Sequence[str]) -> int:
    """Run from the command line: what is wrong is one sentence."""
    try:
        return run(arguments)
    except UserError as error:
        print(f"memcache-lsp: {error}", file=sys.stderr)  # noqa: T201 - the process has no other voice
        return error.exit_code


class _Gone(Exception):
    """The editor does not read any more."""


class _Front:
    def __init__(self, find: Callable[[], socket.socket], editor_in: int, editor_out: int) -> None:
        self._find = find
        self._in, self._out = editor_in, editor_out
        self._memory = Memory()
        self._daemon: socket.socket | None = None
        self._refused: UserError | None = None  # why there was none at the start
        self._from_editor = Splitter(_EDITOR_FRAME_BYTES)
        self._from_daemon = Splitter(_DAEMON_FRAME_BYTES)
        self._to_editor, self._to_daemon = bytearray(), bytearray()
        self._dropping = False  # the rest of a large frame whose daemon is gone
        self._why_dropped: UserError | None = None  # where there was none to begin with
        self._large = Large()  # the frame of the editor that passes in parts
        self._retried = False
        self._deadline: float | None = None  # the editor left, and by then so do we
        self._code: int | None = None

    def run(self) -> int:
        try:
            self._daemon = self._joined()  # before the editor asks: it always will
        except UserError as error:
            self._refused = error
        try:
            while self._code is None or self._to_editor:
                if self._deadline is not None and (self._left() <= 0 or not (self._daemon or self._to_editor)):
                    break
                self._step()
        except _Gone:
            pass
        if self._code is None:
            return 0 if self._memory.shut_down else 1
        return self._code

    def close(self) -> None:
        if self._daemon is not None:
            self._daemon.close()
            self._daemon = None

    def _left(self) -> float:
        return 0.0 if self._deadline is None else self._deadline - time.monotonic()

    def _step(self) -> None:
        reading: list[int | socket.socket] = []
        writing: list[int | socket.socket] = [self._out] if self._to_editor else []
        if self._deadline is None and self._code is None and len(self._to_daemon) < _HELD_BYTES:
            reading.append(self._in)
        if self._daemon is not None:
            if len(self._to_editor) < _HELD_BYTES:
                reading.append(self._daemon)
            if self._to_daemon:
                writing.append(self._daemon)
        timeout_s = None if self._deadline is None else max(0.0, self._left())
        readable, writable, _ = select.select(reading, writing, [], timeout_s)
        if self._out in writable:
            self._write_editor()
        if self._daemon is not None and self._daemon in writable:
            self._write_daemon()
        if self._daemon is not None and self._daemon in readable:
            self._read_daemon()
        if self._in in readable:
            self._read_editor()

    # The editor's side

    def _read_editor(self) -> None:
        try:
            data = os.read(self._in, _CHUNK_BYTES)
        except OSError:
            data = b""
        if not data:
            self._to_daemon += self._from_editor.rest()
            self._part()
        for piece in self._from_editor.feed(data):
            if self._deadline is None and self._code is None:
                self._pass_on(piece)

    def _write_editor(self) -> None:
        try:  # a pipe that can be written takes as many bytes without blocking
            count = os.write(self._out, self._to_editor[: select.PIPE_BUF])
        except OSError as error:
            raise _Gone from error
        del self._to_editor[:count]

    def _tell(self, message: Message) -> None:
        self._to_editor += frame(message)

    def _pass_on(self, piece: Piece) -> None:
        if piece.kind in {Kind.MORE, Kind.LAST}:
            self._pass_part(piece)
            return
        if piece.kind is Kind.FIRST:
            self._large, self._why_dropped = Large(), None
        message = piece.message()
        if message is None:
            self._send(piece, piece.data, None)
            return
        told = self._memory.from_editor(message)
        if told is None:
            return
        data = piece.data if told is message else frame(told)
        if not isinstance(message.get("method"), str) or "id" not in message:
            if self._daemon is not None:
                self._to_daemon += data
            if message.get("method") == "exit":
                self._part()
        elif self._memory.shut_down and self._daemon is None:
            self._tell(self._memory.without_daemon(message))
        else:
            self._send(piece, data, message)

    def _pass_part(self, piece: Piece) -> None:
        """Pass a part of a large frame on; at its end it is known which request it was."""
        self._large.pass_on(piece.data)
        if not self._dropping:
            self._to_daemon += piece.data
        if piece.kind is Kind.MORE:
            return
        request = self._large.request()
        if request is not None and self._dropping:
            why = self._why_dropped
            self._tell(failure(request["id"], UserError.rpc_code, str(why) if why else LOST_REQUEST))
        elif request is not None and request["method"] != "initialize":  # without its parameters it is of no use
            self._memory.from_editor(request)
        elif self._why_dropped is not None:
            self._tell(failure(None, self._why_dropped.rpc_code, str(self._why_dropped)))
        self._dropping = False

    def _send(self, piece: Piece | None, data: bytes, request: Message | None) -> None:
        """Pass on what needs a daemon."""
        try:
            self._need_daemon()
        except UserError as error:
            self._refuse(piece, request, error)
        else:
            self._to_daemon += data

    def _refuse(self, piece: Piece | None, request: Message | None, error: UserError) -> None:
        if request is not None:
            self._tell(self._memory.refuse(request, str(error), error.rpc_code))
            if request is self._memory.initialize:
                self._give_up(str(error))
        elif piece is not None and piece.kind is Kind.RAW:
            self._give_up(str(error))
        elif piece is not None and piece.kind is Kind.FIRST:
            self._dropping, self._why_dropped = True, error
        else:
            self._tell(failure(None, error.rpc_code, str(error)))

    # The daemon's side

    def _need_daemon(self) -> None:
        if self._daemon is not None:
            return
        if self._refused is not None:
            refused, self._refused = self._refused, None
            raise refused
        daemon = self._joined()
        greeting = self._memory.greeting()
        try:
            if greeting is not None:
                self._greet(daemon, greeting)
        except (OSError, UserError) as error:
            daemon.close()
            raise UserError(
                f"The memcache-lsp engine was started again but does not answer: see {rendezvous.log_path()}."
            ) from error
        self._daemon = daemon
        for message in self._memory.situation() if greeting is not None else ():
            self._to_daemon += frame(message)

    def _joined(self) -> socket.socket:
        daemon = self._find()
        daemon.setblocking(False)
        self._from_daemon = Splitter(_DAEMON_FRAME_BYTES)
        return daemon

    def _greet(self, daemon: socket.socket, greeting: Message) -> None:
        """Ask a new daemon to initialize and wait until it has; the editor has its answer already."""
        deadline = time.monotonic() + _GREETING_S
        daemon.settimeout(_GREETING_S)
        daemon.sendall(frame(greeting))
        greeted = False
        while not greeted:
            daemon.settimeout(max(0.001, deadline - time.monotonic()))
            data = daemon.recv(_CHUNK_BYTES)
            if not data:
                raise ConnectionResetError
            for piece in self._from_daemon.feed(data):
                message = piece.message()
                if message is not None and "method" not in message and message.get("id") == greeting["id"]:
                    if "result" not in message:
                        raise ConnectionAbortedError
                    greeted = True
                else:
                    self._answer_on(piece)
        daemon.setblocking(False)

    def _read_daemon(self) -> None:
        assert self._daemon is not None
        try:
            data = self._daemon.recv(_CHUNK_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        for piece in self._from_daemon.feed(data):
            self._answer_on(piece)
        if not data:
            self._lose_daemon()

    def _write_daemon(self) -> None:
        assert self._daemon is not None
        try:
            count = self._daemon.send(self._to_daemon[:_CHUNK_BYTES])
        except BlockingIOError:
            return
        except OSError:
            self._to_daemon.clear()  # what it said before its end is still to be read
            return
        del self._to_daemon[:count]
        self._half_close()

    def _answer_on(self, piece: Piece) -> None:
        message = piece.message()
        told = message if message is None else self._memory.from_daemon(message)
        self._to_editor += piece.data if told is message or told is None else frame(told)

    def _lose_daemon(self) -> None:
        self.close()
        self._to_daemon.clear()
        self._dropping = self._from_editor.within
        if self._from_editor.raw or self._from_daemon.raw or self._from_daemon.within:
            self._end(1)  # what comes next would be read amid another frame
        first = self._memory.initialize
        retried = (
            first is not None and self._memory.awaits_initialize() and not self._retried and self._deadline is None
        )
        for message in self._memory.lost(retried=retried):
            self._tell(message)
        if self._deadline is not None:
            return
        if first is not None and self._memory.awaits_initialize():
            if not retried:
                self._give_up(f"The memcache-lsp engine stopped twice at the start: see {rendezvous.log_path()}.")
                return
            self._retried = True
            self._send(None, frame(first), first)
        elif warning := self._memory.warning():
            self._tell(warning)

    # The end

    def _part(self) -> None:
        """Let what is under way arrive, for a moment."""
        self._deadline = time.monotonic() + _PARTING_S
        self._half_close()

    def _half_close(self) -> None:
        if self._deadline is not None and self._daemon is not None and not self._to_daemon:
            with contextlib.suppress(OSError):
                self._daemon.shutdown(socket.SHUT_WR)

    def _give_up(self, why: str) -> None:
        sys.stderr.write(f"memcache-lsp: {why}\n")
        self._end(1)

    def _end(self, code: int) -> None:
        self._code = code
        self._deadline = time.monotonic() + _PARTING_S
