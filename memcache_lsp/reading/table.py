"""Read tables (CSV, TSV): the line of headers and a few rows, in their places. Standard library only."""

from __future__ import annotations

import re
from typing import Final

from memcache_lsp.reading.result import Reading

HEAD_BYTES: Final = 64 * 1024  # of the file: what is behind is not even decoded
_ROWS: Final = 20
_LONGEST: Final = 4000
_LINE_END: Final = re.compile(r"\r\n|\n|\r")


def read(text: str) -> Reading:
    """Keep what tells what the table is about; data is for other tools."""
    lines = _LINE_END.split(text)[: _ROWS + 1]
    return Reading("\n".join(line[:_LONGEST] for line in lines).rstrip(), ())
