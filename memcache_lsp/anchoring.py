"""Find lines that were read in a text as it is now: where they were, elsewhere, or what stands there in their place.

Pure. Lines are 1-based and inclusive. Must not import anything of this package.

**Invariant:** the lines that are returned are in the text; where it says "fresh" or "moved" they say what was read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

Status = Literal["fresh", "moved", "stale"]
REMARKS: dict[Status, str] = {"fresh": "", "moved": "(moved meanwhile)", "stale": "(changed meanwhile: read it again)"}

_WINDOW_LINES = 400  # around the old place, in which changed lines are compared
_LEAST_KEPT = 0.25  # of the lines that were read; what keeps less is another text


@dataclass(frozen=True, slots=True)
class Anchor:
    """Where some lines are now."""

    start_line: int
    end_line: int
    status: Status


def anchored(now: Sequence[str], read: Sequence[str], *, first: int, start: int, end: int) -> Anchor | None:
    """Find the lines `start` to `end` of a text of which `read`, from line `first` on, was read; None where it is gone.

    The first and the last line that were read may be a part of theirs.
    """
    cited = read[start - first : end - first + 1]
    if not cited or not any(line.strip() for line in cited):
        return None
    if _is_at(now, cited, start - 1):
        return Anchor(start, end, "fresh")
    for block, before in ((read, start - first), (cited, 0)):  # the whole that was read is less often there twice
        at = _nearest(now, block, start - 1 - before)
        if at is not None:
            return Anchor(at + before + 1, at + before + len(cited), "moved")
    return _changed(now, read, first=first, start=start, end=end)


def _is_at(now: Sequence[str], block: Sequence[str], at: int) -> bool:
    if at < 0 or at + len(block) > len(now):
        return False
    last = len(block) - 1
    for step, line in enumerate(block):
        there = now[at + step]
        if there == line:
            continue
        if (step == 0 and there.endswith(line) and line.strip()) or (
            step == last and there.startswith(line) and line.strip()
        ):
            continue
        return False
    return True


def _nearest(now: Sequence[str], block: Sequence[str], wanted: int) -> int | None:
    """Find the place of a block of lines that is nearest to where it was, by its rarest whole line."""
    inner = list(enumerate(block))[1:-1] or list(enumerate(block))[-1:]
    counts = Counter(now)
    rare = min(((counts[line], step) for step, line in inner if line.strip()), default=None)
    if rare is not None and len(block) > 2:
        step = rare[1]
        places = [at - step for at, line in enumerate(now) if line == block[step]]
    else:
        places = list(range(len(now)))
    return min((at for at in places if _is_at(now, block, at)), key=lambda at: abs(at - wanted), default=None)


def _changed(now: Sequence[str], read: Sequence[str], *, first: int, start: int, end: int) -> Anchor | None:
    """Find what stands where the lines were, by those around them that are still there."""
    pairs = _kept(now, read, first)
    lines = sum(1 for line in read if line.strip())
    if not pairs or len(pairs) < _LEAST_KEPT * lines:
        return None
    low, high = start - first, end - first
    inside = [pair for pair in pairs if low <= pair[0] <= high]
    before = max((place for step, place in pairs if step < low), default=-1)
    after = min((place for step, place in pairs if step > high), default=len(now))
    if inside:
        (first_step, begin), (last_step, finish) = inside[0], inside[-1]
        begin = max(before + 1, begin - (first_step - low))
        finish = min(after - 1, finish + (high - last_step))
    else:  # between the neighbours that are still there lies what the lines have become
        begin = before + 1 if before >= 0 else max(0, after - (high - low + 1))
        finish = min(after - 1, begin + high - low)
    begin = min(begin, len(now) - 1)
    return Anchor(begin + 1, max(begin, finish) + 1, "stale")


def _kept(now: Sequence[str], read: Sequence[str], first: int) -> list[tuple[int, int]]:
    """Pair the lines that were read, counted from 0, with those of now that are the same, both in order."""
    shift = _shift(now, read, first)
    low = max(0, first - 1 + shift - _WINDOW_LINES)
    window = [line.strip() for line in now[low : first - 1 + shift + len(read) + _WINDOW_LINES]]
    wanted = [line.strip() for line in read]
    blocks = SequenceMatcher(None, wanted, window, autojunk=False).get_matching_blocks()
    return [
        (block.a + step, low + block.b + step)
        for block in blocks
        for step in range(block.size)
        if wanted[block.a + step]
    ]


def _shift(now: Sequence[str], read: Sequence[str], first: int) -> int:
    """Tell how far most of the lines have moved that are there once only."""
    then, there = Counter(map(str.strip, read)), Counter(map(str.strip, now))
    places = {line.strip(): at for at, line in enumerate(now)}
    moved = Counter(
        places[key] - (first - 1 + at)
        for at, key in enumerate(map(str.strip, read))
        if key and then[key] == 1 and there[key] == 1
    )
    return max(moved, key=lambda by: (moved[by], -abs(by)), default=0)
