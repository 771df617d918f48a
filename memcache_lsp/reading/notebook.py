"""Read Jupyter notebooks: a Markdown text with the code between fences, and the number of each cell. Standard library only."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, Final

from memcache_lsp.reading.result import Pages, Reading, UnreadableError

_MOST_OUTPUT_LINES: Final = 20  # of a cell: what is printed is rarely what is asked for
_MOST_BYTES: Final = 24 * 1024 * 1024
_MOST_OUTPUT: Final = 2000
_FENCE: Final = re.compile(r"^\s*(`{3,})", re.MULTILINE)
_ESCAPE: Final = re.compile(r"\x1b\[[0-9;]*m")


def read(data: bytes, spent: Callable[[], bool]) -> Reading:
    """Read a notebook; cells count from 1, all kinds of them."""
    if len(data) > _MOST_BYTES:
        raise UnreadableError(f"too large: a notebook of more than {_MOST_BYTES:,} bytes is data")
    try:
        book = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise UnreadableError("broken: it is no notebook that can be read") from error
    sheets = book.get("worksheets") if isinstance(book, dict) else None  # until version 3
    cells = sheets[0].get("cells") if isinstance(sheets, list) and sheets and isinstance(sheets[0], dict) else None
    cells = book.get("cells", cells) if isinstance(book, dict) else None
    if not isinstance(cells, list):
        raise UnreadableError("broken: it is no notebook that can be read")
    language = _language(book)
    out = Pages()
    for number, cell in enumerate(cells, start=1):
        if spent() or out.full:
            out.problems.append(f"only its first {number - 1} of {len(cells)} cells were read")
            break
        if isinstance(cell, dict):
            _cell(out, number, cell, language)
    if not out.lines:
        raise UnreadableError("empty: its cells hold no text")
    return out.reading(headings=False)


def _cell(out: Pages, number: int, cell: dict[str, Any], language: str) -> None:
    text = _joined(cell.get("source", cell.get("input"))).strip("\n")
    out.blank()
    out.spot(cell=number)
    if not text.strip():
        return
    kind = cell.get("cell_type")
    if kind == "heading":
        level = cell.get("level")
        out.write(f"{'#' * (level if isinstance(level, int) and 0 < level < 7 else 1)} {text}")
    elif kind == "code":
        _fenced(out, language, text)
        outputs = cell.get("outputs")
        said = "\n".join(filter(None, map(_said, outputs if isinstance(outputs, list) else ())))
        if said.strip():
            _fenced(out, "", "\n".join(said[:_MOST_OUTPUT].split("\n")[:_MOST_OUTPUT_LINES]).strip("\n"))
    else:
        out.write(text)


def _fenced(out: Pages, language: str, text: str) -> None:
    fence = max(("```", *(found[1] + "`" for found in _FENCE.finditer(text))), key=len)
    out.write(f"{fence}{language}\n{text}\n{fence}")


def _said(output: Any) -> str:
    """Return what a cell printed, or its value as text."""
    if not isinstance(output, dict):
        return ""
    data = output.get("data")
    plain = data.get("text/plain") if isinstance(data, dict) else None
    return _ESCAPE.sub("", _joined(output.get("text") or plain))


def _joined(source: Any) -> str:
    if isinstance(source, list):
        return "".join(part for part in source if isinstance(part, str))
    return source if isinstance(source, str) else ""


def _language(book: dict[str, Any]) -> str:
    metadata = book.get("metadata")
    info = metadata.get("language_info") if isinstance(metadata, dict) else None
    name = info.get("name") if isinstance(info, dict) else None
    return name if isinstance(name, str) and name.isalnum() else "python"
