"""What is kept of a question and its answer, and its form on disk.

Values that hold everything by which an answer can be shown again, gone on from, judged and computed again. Must not
import a database.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from memcache_lsp.conversation import Told
from memcache_lsp.events import Citation, Delta, Result, Timings, Unsupported, Usage
from memcache_lsp.evidence import Evidence
from memcache_lsp.generator import Batches, Computed
from memcache_lsp.prompt import Message
from memcache_lsp.values import Hit, Span, Spot

Said = Delta | Citation | Unsupported

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a path of an answer lies: the root, and the path below it."""

    root: str
    path: str


@dataclass(frozen=True, slots=True)
class Cited:
    """Lines that an answer cites, with the text that they had; `stale` where that was not what the model had read."""

    n: int
    place: Place
    start_line: int
    end_line: int
    text: str
    stale: bool = False
    spot: Spot | None = None
    at: int | None = None  # where its bracket stands in the answer


@dataclass(frozen=True, slots=True)
class Record:
    """What an answer was made of: the model, what it was told, the hashes of the evidence. It takes the likeliest token."""

    model: str  # its file
    sha256: str
    evidence: tuple[str, ...]
    told: Told
    sampling: str = "greedy"
    seed: int = 0  # no choice is left to chance


@dataclass(frozen=True, slots=True)
class Turn:
    """A question and its answer."""

    number: int  # within the thread
    question: str
    asked_at: float
    first: int  # number of its first source
    sources: tuple[Hit, ...]
    said: tuple[Said, ...]  # in the order in which it came
    result: Result  # without `told`, which is in the record
    cited: tuple[Cited, ...]
    places: Mapping[str, Place] = field(default_factory=dict)
    record: Record | None = None
    replaces: int | None = None  # the turn whose question was asked again
    asked: Mapping[str, Any] = field(default_factory=dict)  # the parameters of the request


@dataclass(frozen=True, slots=True)
class Thread:
    """Questions that belong together; without its turns where they were not asked for."""

    id: str
    title: str
    updated_at: float
    roots: tuple[str, ...]
    turns: tuple[Turn, ...] = ()


def present(turns: Sequence[Turn]) -> list[Turn]:
    """Return the turns that were not asked again."""
    replaced = {turn.replaces for turn in turns}
    return [turn for turn in turns if turn.number not in replaced]


def digest(*parts: str) -> str:
    """Return a name for some texts."""
    return hashlib.sha256(json.dumps(parts).encode("utf-8", "surrogatepass")).hexdigest()


def packed(turn: Turn) -> bytes:
    """Return a turn as it is written."""
    return zlib.compress(json.dumps(dataclasses.asdict(turn), separators=(",", ":")).encode(), 1)


def unpacked(data: bytes) -> Turn:
    """Read a turn; ValueError, KeyError or TypeError where it is none."""
    try:
        plain = json.loads(zlib.decompress(data))
    except zlib.error as error:
        raise ValueError(str(error)) from None
    said = tuple(_made(_SAID[each["type"]], each) for each in plain.pop("said"))
    places = {path: Place(**place) for path, place in plain.pop("places").items()}
    return _made(Turn, {**plain, "said": said, "places": places})


_SAID: dict[str, type[Any]] = {"delta": Delta, "citation": Citation, "unsupported": Unsupported}
_PARTS: dict[type, dict[str, type]] = {
    Turn: {"sources": Hit, "result": Result, "cited": Cited, "record": Record},
    Hit: {"span": Span, "spot": Spot},
    Citation: {"spot": Spot},
    Cited: {"place": Place, "spot": Spot},
    Record: {"told": Told},
    Told: {"prompt": Message, "read": Evidence, "computed": Computed},
    Computed: {"prompt": Batches, "answer": Batches},
    Result: {"citations": Citation, "unsupported": Unsupported, "usage": Usage, "timings": Timings},
}


def _made(kind: type[T], plain: Mapping[str, Any]) -> T:
    """Make a value of what JSON made of it; what a later version added is left out."""
    parts = _PARTS.get(kind, {})
    known = {each.name for each in dataclasses.fields(kind)}  # type: ignore[arg-type]
    return kind(**{name: _value(parts.get(name), value) for name, value in plain.items() if name in known})


def _value(kind: type | None, value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_value(kind, each) for each in value)
    if kind is not None and isinstance(value, dict):
        return _made(kind, value)
    return value
