"""Run a program in a terminal that is read instead of seen: type, wait for what the screen shows, draw it as SVG.

Used by the tests of editors and for the pictures of the README. Must not import memcache_lsp.
"""

from __future__ import annotations

import codecs
import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from xml.sax.saxutils import escape

import pyte

PATIENCE_S = 60.0
_MOMENT_S = 0.7
_COLOURS = {
    "black": "#1e2229", "red": "#e06c75", "green": "#98c379", "brown": "#e5c07b", "blue": "#61afef",
    "magenta": "#c678dd", "cyan": "#56b6c2", "white": "#dcdfe4", "brightblack": "#7f8694", "brightred": "#ff8890",
    "brightgreen": "#b5e890", "brightbrown": "#ffd68a", "brightblue": "#82c4ff", "brightmagenta": "#dd99f2",
    "brightcyan": "#7fdbe6", "brightwhite": "#ffffff",
}  # fmt: skip
_INK, _PAPER = "#dcdfe4", "#1e2229"
_CELL_WIDTH, _CELL_HEIGHT, _MARGIN = 8.4, 18, 12
# What asks or tells a terminal what pyte takes for something else: device strings, private modes but set and reset.
_UNKNOWN = re.compile(r"\x1bP.*?\x1b\\|\x1b\[[>=<][\d;]*[ -/]*[@-~]|\x1b\[\?[\d;]*[ -/]*[@-gi-km-~]", re.DOTALL)
_UNDERLINE = re.compile(r"(\x1b\[[\d;]*)4:\d([\d;]*m)")
_COLOURED_UNDERLINE = re.compile(r"\x1b\[58[:;][\d:;]*m|\x1b\[59m")
_OPEN = re.compile(r"\x1b(?:P[^\x1b]*\x1b?|\[[\d;:?<=>]*)?$")


class Terminal:
    """A program with a screen of its own; ended with the block."""

    def __init__(
        self, command: Sequence[str], *, cwd: Path, env: Mapping[str, str], columns: int = 120, rows: int = 36
    ) -> None:
        self.screen = pyte.Screen(columns, rows)
        self._stream = pyte.Stream(self.screen)
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._held = ""
        self.pid, self._fd = pty.fork()
        if self.pid == 0:
            os.chdir(cwd)
            os.execvpe(command[0], list(command), dict(env))
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.exit_code: int | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def type(self, text: str) -> None:
        """Send keys: text as it is, a carriage return for Enter."""
        os.write(self._fd, text.encode())

    def text(self) -> str:
        """Return what the screen shows."""
        return "\n".join(line.rstrip() for line in self.screen.display)

    def wait(self, what: str | Callable[[str], Any], *, patience_s: float = PATIENCE_S) -> str:
        """Wait until the screen shows a text, or until a function of the screen's text is true; return the text."""
        shows = (lambda text: what in text) if isinstance(what, str) else what
        end = time.monotonic() + patience_s
        while not shows(self.text()):
            if not self._read(end - time.monotonic()):
                raise AssertionError(f"it did not happen: {what}\n{self.text()}")
        return self.text()

    def rest(self) -> None:
        """Take what is drawn until nothing comes for a moment."""
        while self._read(_MOMENT_S):
            pass

    def wait_for_end(self, *, patience_s: float = PATIENCE_S) -> int:
        """Wait until the program ends; return its exit code."""
        end = time.monotonic() + patience_s
        while self._read(end - time.monotonic()):
            pass
        self.close()
        assert self.exit_code is not None
        return self.exit_code

    def close(self) -> None:
        """End the program where it has not ended."""
        if self.exit_code is None:
            ended, status = os.waitpid(self.pid, os.WNOHANG)
            if not ended:
                os.kill(self.pid, signal.SIGKILL)
                _, status = os.waitpid(self.pid, 0)
            self.exit_code = os.waitstatus_to_exitcode(status)
            os.close(self._fd)

    def svg(self) -> str:
        """Draw the screen."""
        width = self.screen.columns * _CELL_WIDTH + 2 * _MARGIN
        height = self.screen.lines * _CELL_HEIGHT + 2 * _MARGIN
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height}" width="{width:.0f}" '
            f'height="{height}" font-family="ui-monospace, DejaVu Sans Mono, Menlo, monospace" font-size="14">'
        )
        parts = [head, f'<rect width="100%" height="100%" rx="8" fill="{_PAPER}"/>']
        for row in range(self.screen.lines):
            parts.extend(self._row(row))
        return "\n".join([*parts, "</svg>", ""])

    def _row(self, row: int) -> Iterator[str]:
        top = _MARGIN + row * _CELL_HEIGHT
        for column, run in self._runs(row):
            text, style = "".join(cell.data for cell in run), run[0]
            ink, paper = _colour(style.fg, _INK), _colour(style.bg, _PAPER)
            if style.reverse:
                ink, paper = paper, ink
            left, width = _MARGIN + column * _CELL_WIDTH, len(run) * _CELL_WIDTH
            if paper != _PAPER:
                yield f'<rect x="{left:.1f}" y="{top}" width="{width:.1f}" height="{_CELL_HEIGHT}" fill="{paper}"/>'
            if text.strip():
                kind = ' font-weight="bold"' if style.bold else ""
                kind += ' font-style="italic"' if style.italics else ""
                kind += ' text-decoration="underline"' if style.underscore else ""
                yield (
                    f'<text x="{left:.1f}" y="{top + 13}" fill="{ink}" xml:space="preserve"{kind} '
                    f'textLength="{width:.1f}" lengthAdjust="spacingAndGlyphs">{escape(text)}</text>'
                )

    def _runs(self, row: int) -> Iterator[tuple[int, list[Any]]]:
        """Give stretches of cells that look alike, with the column where each begins."""
        cells = [self.screen.buffer[row][column] for column in range(self.screen.columns)]
        start = 0
        for column in range(1, len(cells) + 1):
            if column == len(cells) or cells[column]._replace(data="") != cells[start]._replace(data=""):
                yield start, cells[start:column]
                start = column

    def _read(self, timeout_s: float) -> bool:
        if timeout_s <= 0 or self.exit_code is not None or not select.select([self._fd], [], [], timeout_s)[0]:
            return False
        try:
            data = os.read(self._fd, 1 << 16)
        except OSError:  # Linux's way to say that the program has gone
            return False
        text = self._held + self._decoder.decode(data)
        held = _OPEN.search(text)
        self._held = held[0] if held else ""
        text = text[: held.start()] if held else text
        text = _COLOURED_UNDERLINE.sub("", _UNKNOWN.sub("", text))
        self._stream.feed(_UNDERLINE.sub(r"\g<1>4\g<2>", text))
        return bool(data)


def _colour(name: str, default: str) -> str:
    if name == "default":
        return default
    return _COLOURS.get(name) or f"#{name}"
