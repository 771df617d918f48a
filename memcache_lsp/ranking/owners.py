"""Which file each point belongs to, for as many points as there are.

The latest are kept in a dict; whenever these are many they are packed into sorted arrays, where a point takes 12 bytes and
not 170. Must not import the manifest or the store.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterator
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

PACKED_POINTS = 100_000  # a project of fewer has a dict alone, which is faster by a microsecond a point
_NOBODY = -1


class Owner(Protocol):
    """What points belong to: its `points` are their ids, each at its place."""

    points: array[int]


R = TypeVar("R", bound=Owner)


class Owners(Generic[R]):
    """The owner of each point and the point's place there. For one thread at a time."""

    def __init__(self, packed_points: int = PACKED_POINTS) -> None:
        """Pack the latest points when they are more than `packed_points`."""
        self._packed_points = packed_points
        self._latest: dict[int, tuple[R, int]] = {}
        self._ids = array("q")  # sorted
        self._at = array("i")  # of each id its place in `_packed`
        self._packed: list[R] = []

    def add(self, owner: R) -> None:
        """Take an owner's points, whoever they belonged to."""
        self._latest.update((point, (owner, place)) for place, point in enumerate(owner.points))
        if len(self._latest) > self._packed_points:
            self._pack()

    def drop(self, owner: R) -> None:
        """Forget an owner's points."""
        for point in owner.points:
            self._latest.pop(point, None)
            at = self._find(point)
            if at is not None:
                self._at[at] = _NOBODY

    def get(self, point: int) -> tuple[R, int] | None:
        """Return a point's owner and the point's place there; None where it belongs to nobody."""
        latest = self._latest.get(point)
        if latest is not None or not self._ids:
            return latest
        at = self._find(point)
        owner = self._packed[self._at[at]] if at is not None and self._at[at] != _NOBODY else None
        return None if owner is None else (owner, owner.points.index(point))

    def getter(self) -> Callable[[int], tuple[R, int] | None]:
        """Return the fastest that does as `get`; to be used before anything is added or dropped."""
        return self.get if self._ids else self._latest.get

    def __contains__(self, point: int) -> bool:
        return self.get(point) is not None

    def items(self) -> Iterator[tuple[int, tuple[R, int]]]:
        """Return all points with what `get` says of them."""
        for point in sorted({*self._latest, *self._ids}):
            owned = self.get(point)
            if owned is not None:
                yield point, owned

    def _find(self, point: int) -> int | None:
        at = bisect_left(self._ids, point)
        return at if at < len(self._ids) and self._ids[at] == point else None

    def _pack(self) -> None:
        """Move the latest points into the arrays, and forget what belongs to nobody there."""
        mine = _array(self._ids, np.int64), _array(self._at, np.int32)
        kept = (mine[1] != _NOBODY) & ~np.isin(mine[0], np.fromiter(self._latest, np.int64, len(self._latest)))
        numbers: dict[int, int] = {}
        packed: list[R] = []
        used = np.zeros(len(self._packed) + 1, dtype=np.int32)  # the new number of each that is used still
        for old in np.unique(mine[1][kept]).tolist():
            used[old] = len(packed)
            packed.append(self._packed[old])
        latest = []
        for owner, _ in self._latest.values():
            number = numbers.get(id(owner))
            if number is None:
                number = numbers[id(owner)] = len(packed)
                packed.append(owner)
            latest.append(number)
        ids = np.concatenate([mine[0][kept], np.fromiter(self._latest, np.int64, len(latest))])
        at = np.concatenate([used[mine[1][kept]], np.array(latest, dtype=np.int32)])
        order = np.argsort(ids, kind="stable")
        self._ids, self._at = array("q", ids[order].tobytes()), array("i", at[order].tobytes())
        self._packed = packed
        self._latest = {}


def _array(values: array[int], kind: Any) -> NDArray[Any]:
    return np.frombuffer(values, dtype=kind) if values else np.zeros(0, dtype=kind)
