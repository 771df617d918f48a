"""The values that the parts of the engine hand to each other: frozen, without behaviour that needs a library.

Imports nothing of this package. Lines are 1-based and inclusive; offsets count characters of a document's
decoded text (line ends as they are in the file), ends exclusive; paths are relative to the project's root, POSIX.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of a document: `text[start:end]`, which touches lines `start_line` to `end_line`."""

    start: int
    end: int
    start_line: int
    end_line: int


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a place lies in a file whose text was read out of it, so that the lines are that text's and not the file's.

    0 means none: the format has no pages, or no cells.
    """

    page: int = 0
    cell: int = 0


Spots = tuple[tuple[int, Spot], ...]  # the line from which on each holds, in order; of line 1 first


def spot_at(spots: Spots | None, line: int) -> Spot | None:
    """Return the spot of a line; None where lines are the file's own."""
    if spots is None:
        return None
    at = bisect_right(spots, line, key=lambda each: each[0])
    return spots[at - 1][1] if at else Spot()


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading: `level` 1 is the outermost, `first` the first of its lines, `line` that of its title; counted from 0."""

    level: int
    title: str
    first: int
    line: int


@dataclass(frozen=True, slots=True)
class Document:
    """A file as it is indexed: decoded or read out, secrets replaced by filler of the same length."""

    path: str
    text: str
    language: str  # a key of languages.LANGUAGES, or "text"
    headings: tuple[Heading, ...] | None = None  # where its reader knows them; else they are looked for in the text
    spots: Spots | None = None  # None: the lines of the text are those of the file


@dataclass(frozen=True, slots=True)
class Definition:
    """A name that a chunk defines."""

    name: str  # as written, unqualified
    kind: str  # function, method, class, type, constant, section, …
    line: int


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a document that is searched and cited as one: `text` is the document's text at `span`."""

    span: Span
    text: str
    kind: str  # kind of its first definition; "section" in documents, "block" where no definition starts
    symbol: str  # qualified name of that definition ("Class.method"), heading of a section, or ""
    breadcrumb: tuple[str, ...]  # enclosing names, outermost first, without the file
    definitions: tuple[Definition, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """A file that the scan offers to the index."""

    path: str
    size_bytes: int
    mtime_ns: int
    ctime_ns: int = 0  # changes with a rename onto the path too


@dataclass(frozen=True, slots=True)
class Hit:
    """A chunk that a search found."""

    path: str
    span: Span
    text: str
    kind: str
    symbol: str
    language: str
    breadcrumb: tuple[str, ...]
    score: float  # comparable within one search of one index only
    signals: Mapping[str, float] = field(default_factory=dict, compare=False)  # what each brought to the score
    spot: Spot | None = None  # where it begins; None: the lines are the file's own
    tops: Mapping[str, float] = field(
        default_factory=dict, compare=False
    )  # what 1 is of signals that are a share of the best
