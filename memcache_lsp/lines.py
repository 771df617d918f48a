"""Lines as editors count them: they end at CRLF, LF or CR and at nothing else. Imports nothing of this package."""

from __future__ import annotations

import re

_LINE_END = re.compile(r"\r\n|\n|\r")


def lines_of(text: str) -> list[str]:
    """Split a text into its lines, without line ends; no last empty line."""
    lines = _LINE_END.split(text)
    return lines[:-1] if len(lines) > 1 and not lines[-1] else lines
