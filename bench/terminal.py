"""Own an Emacs in a terminal: its keys, its screen, and the picture of it."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import termios
import time
from collections.abc import Callable, Iterator, Mapping
from html import escape
from itertools import groupby
from pathlib import Path

import pyte

_PATIENCE_S = 120.0
_WIDTH, _HEIGHT, _MARGIN = 8.4, 18, 10
NO_BREAK = "\u00a0"  # a plain space is collapsed
_INK, _PAPER = "#d8dee9", "#1e222a"
_NAMED = {
    "black": "#1e222a", "red": "#e06c75", "green": "#98c379", "brown": "#e5c07b", "blue": "#61afef",
    "magenta": "#c678dd", "cyan": "#56b6c2", "white": "#e5e9f0",
}  # fmt: skip


class Terminal:
    """A program in a terminal; `close` ends an Emacs as its users do."""

    def __init__(
        self, *command: str | Path, folder: Path, environment: Mapping[str, str], columns: int = 100, lines: int = 40
    ) -> None:
        self.screen = pyte.Screen(columns, lines)
        self.ended = False
        self._stream = pyte.ByteStream(self.screen)
        words = [str(word) for word in command]
        self._pid, self._terminal = pty.fork()
        if self._pid == 0:
            os.chdir(folder)
            os.execvpe(words[0], words, {**environment, "TERM": "xterm-256color"})
        fcntl.ioctl(self._terminal, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    @property
    def text(self) -> str:
        """What is on the screen."""
        return "\n".join(self.screen.display)

    def keys(self, keys: str) -> None:
        """Type."""
        os.write(self._terminal, keys.encode())

    def until(self, condition: Callable[[str], object]) -> None:
        """Take what is drawn until the condition holds of the screen's text."""
        end = time.monotonic() + _PATIENCE_S
        while not condition(self.text):
            if self.ended or time.monotonic() > end:
                raise TimeoutError(f"it did not happen:\n{self.text}")
            self._more(0.1)

    def rest(self) -> None:
        """Take what is drawn until nothing comes for a moment."""
        while self._more(0.7):
            pass

    def close(self) -> float:
        """End it by C-x C-c, and return the seconds that took."""
        began = time.monotonic()
        self.keys("\x18\x03")
        while not self.ended:
            if time.monotonic() > began + _PATIENCE_S:
                raise TimeoutError(f"it does not end:\n{self.text}")
            self._more(0.1)
        os.waitpid(self._pid, 0)
        os.close(self._terminal)
        return time.monotonic() - began

    def _more(self, timeout_s: float) -> bool:
        if not select.select([self._terminal], [], [], timeout_s)[0]:
            return False
        try:
            data = os.read(self._terminal, 1 << 16)
        except OSError:  # what Linux says of a terminal that nobody has open
            data = b""
        self.ended = not data
        self._stream.feed(data)
        return bool(data)

    def picture(self) -> str:
        """Draw the screen as SVG."""
        width = self.screen.columns * _WIDTH + 2 * _MARGIN
        height = self.screen.lines * _HEIGHT + 2 * _MARGIN
        rows = "".join(part for row in range(self.screen.lines) for part in self._row(row))
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}" '
            f'font-family="DejaVu Sans Mono, Menlo, Consolas, monospace" font-size="14">'
            f'<rect width="100%" height="100%" rx="6" fill="{_PAPER}"/>{rows}</svg>\n'
        )

    def _row(self, row: int) -> Iterator[str]:
        cells = [self.screen.buffer[row][column] for column in range(self.screen.columns)]
        top, column = _MARGIN + row * _HEIGHT, 0
        for look, run in groupby(
            cells, key=lambda cell: (cell.fg, cell.bg, cell.bold, cell.italics, cell.underscore, cell.reverse)
        ):
            text = "".join(cell.data for cell in run)
            fg, bg, bold, italics, underscore, reverse = look
            ink, paper = _colour(fg, _INK), _colour(bg, _PAPER)
            if reverse:
                ink, paper = paper, ink
            left, length = _MARGIN + column * _WIDTH, len(text) * _WIDTH
            if paper != _PAPER:
                yield f'<rect x="{left:.1f}" y="{top}" width="{length:.1f}" height="{_HEIGHT}" fill="{paper}"/>'
            if text.strip():
                style = ' font-weight="bold"' * bold + ' font-style="italic"' * italics
                style += ' text-decoration="underline"' * underscore
                yield (
                    f'<text x="{left:.1f}" y="{top + 13}" fill="{ink}" textLength="{length:.1f}"{style}>'
                    f"{escape(text).replace(' ', NO_BREAK)}</text>"
                )
            column += len(text)


def _colour(name: str, default: str) -> str:
    if name == "default":
        return default
    return _NAMED.get(name.removeprefix("bright"), f"#{name}" if len(name) == 6 else default)
