"""What is read out of a file, and how a reader puts it together. Imports values only."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from memcache_lsp.values import Heading, Spot, Spots

MOST_CHARACTERS: Final = 3_000_000  # of one file's text: a book of a thousand pages
SCANNED: Final = "scanned"  # the category of a document whose pages are pictures
_LINE: Final = 16  # characters that a line counts for at least: it costs memory however short it is
_LINE_END: Final = re.compile(r"\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0e-\x1f\x7f\ufeff\ufffe\uffff]")
_MAX_TITLE: Final = 200


class UnreadableError(Exception):
    """A file that cannot be read; the message says why, as a reason of the index: category, colon, words."""


@dataclass(frozen=True, slots=True)
class Reading:
    """The text of a file. Without `headings` they are looked for in it; without `spots` its lines are the file's."""

    text: str
    headings: tuple[Heading, ...] | None = None
    spots: Spots | None = None
    problems: tuple[str, ...] = ()  # what of it was not read and why, a part of a sentence each

    def plain(self) -> dict[str, Any]:
        """Return it as JSON takes it."""
        return asdict(self)


def reading_of(plain: Mapping[str, Any]) -> Reading:
    """Return what `plain` gave; ValueError, KeyError or TypeError for anything else."""
    text, headings, spots = plain["text"], plain["headings"], plain["spots"]
    if not isinstance(text, str):
        raise TypeError("text")
    return Reading(
        text,
        None if headings is None else tuple(Heading(**each) for each in headings),
        None if spots is None else tuple((int(line), Spot(**spot)) for line, spot in spots),
        tuple(map(str, plain["problems"])),
    )


@dataclass(frozen=True, slots=True)
class Course:
    """How far a reader may go, and whom it tells where it is. Pages are counted from 0."""

    spent: Callable[[], bool]
    at: Callable[[int], None] = lambda _page: None  # told before each page, and -1 behind the last
    without: Mapping[int, str] = field(default_factory=dict)  # pages that are left out, and what is wrong with them
    until: int | None = None  # the first page of which, and of those behind it, nothing is read

    def __call__(self) -> bool:
        """Tell whether the time is spent."""
        return self.spent()


@dataclass(slots=True)
class Pages:
    """A text that a reader writes line by line, up to a limit."""

    limit: int = MOST_CHARACTERS
    lines: list[str] = field(default_factory=list)
    headings: list[Heading] = field(default_factory=list)
    spots: list[tuple[int, Spot]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    size: int = 0

    @property
    def full(self) -> bool:
        """Tell whether nothing more is taken in."""
        return self.size >= self.limit

    def spot(self, *, page: int = 0, cell: int = 0) -> None:
        """Say where what follows lies."""
        self.spots.append((len(self.lines) + 1, Spot(page, cell)))

    def heading(self, level: int, title: str) -> None:
        """Write a heading as a paragraph of its own."""
        title = " ".join(_CONTROL.sub("", title).split())
        if title:
            self.blank()
            self.mark(level, title)
            self.write(title)
            self.blank()

    def mark(self, level: int, title: str) -> None:
        """Say that the next line is a heading."""
        title = " ".join(_CONTROL.sub("", title).split())[:_MAX_TITLE]
        if title and not (self.headings and self.headings[-1].first == len(self.lines)):
            self.headings.append(Heading(level, title, len(self.lines), len(self.lines)))

    def blank(self) -> None:
        """End the paragraph."""
        if self.lines and self.lines[-1]:
            self.lines.append("")
            self.size += _LINE

    def write(self, text: str) -> None:
        """Write lines."""
        if self.full:
            return
        for line in _LINE_END.split(_CONTROL.sub("", text[: self.limit - self.size])):
            self.lines.append(line.rstrip())
            self.size += max(len(line) + 1, _LINE)
            if self.full:
                break

    def reading(self, *, headings: bool = True) -> Reading:
        """Return what was written; with `headings` false they are looked for in the text."""
        if self.full:
            self.problems.append(f"only its first {self.limit:,} characters are indexed")
        spots = self.spots if self.spots and self.spots[0][0] == 1 else [(1, Spot()), *self.spots]
        told = tuple(self.headings) if headings else None
        return Reading("\n".join(self.lines), told, tuple(spots), tuple(self.problems))
