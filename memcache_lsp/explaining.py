"""Sentences that tell why a file is in the index or not, and what brought a hit to its place.

Pure: what is known comes in, words come out. Must not import the engine, the store or the scan.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from memcache_lsp.manifest import FileRecord
from memcache_lsp.preparing import FAILED, INDEXED
from memcache_lsp.reports import Skipped

_TOLD: Final = 3  # signals, of which the rest are in the numbers


def why(record: FileRecord | None, refusal: Skipped | None, *, is_open: bool) -> tuple[bool, str]:
    """Tell whether a file is in the index, and why or why not; `refusal` is what the gate says of it now.

    `is_open` says that its text in an editor is searched in place of the file's.
    """
    indexed = record is not None and record.status == INDEXED
    opened = " Its open text is searched in place of the file's." if is_open and refusal is None else ""
    if refusal is not None:
        if indexed:
            return True, f"It is indexed, and goes out with the next look at its folder: {refusal.reason}."
        return False, f"It is not indexed: {refusal.reason}."
    if record is None:
        return False, opened.strip() or "It may be indexed, and is not yet: the next look at its folder takes it in."
    if not indexed:
        what = "It failed" if record.status == FAILED else "It is not indexed"
        return False, f"{what}: {record.reason}.{opened}"
    count = max(0, len(record.point_ids) - 1)  # the last is the file's own
    pieces = f"{count} piece{'s' * (count != 1)}"
    notes = f", but {record.reason}" if record.reason else ""
    return True, f"It is indexed as {record.language}, in {pieces}{notes}.{opened}"


def why_elsewhere(*, indexed: bool) -> tuple[bool, str]:
    """Tell of a file in an index that others write."""
    there = "It is" if indexed else "It is not"
    return indexed, f"{there} in the index on the Qdrant server, which others bring in step."


def why_in_both(project: tuple[bool, str], cache: str, cached: tuple[bool, str]) -> tuple[bool, str]:
    """Join what a project tells of a file that it leaves out and what a cache tells that holds it, too."""
    indexed, reason = cached
    return indexed, f"{project[1]} In the cache {cache}, {reason[0].lower()}{reason[1:]}"


def placed(rank: int | None, searched: int, signals: Mapping[str, float]) -> str:
    """Say at which place a hit is, counted from 1, and which signals brought it there."""
    if rank is None:
        return f"The query does not find it among its first {searched} hits."
    told = sorted(signals.items(), key=lambda each: -each[1])
    ups = ", ".join(f"{name} {value:+.2f}" for name, value in told[:_TOLD] if value > 0)
    downs = ", ".join(f"{name} {value:+.2f}" for name, value in told if value < 0)
    return f"It is hit {rank} of the query: {'; '.join(filter(None, (ups, downs))) or 'no signal speaks for it'}."
