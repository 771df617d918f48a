"""Owners of points, against a plain dict."""

from array import array
from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from memcache_lsp.ranking.owners import Owners


@dataclass(eq=False)
class Owner:
    points: array = field(default_factory=array)


POINTS = st.lists(st.integers(-(2**63), 2**63 - 1) | st.integers(0, 20), max_size=12, unique=True)
STEPS = st.lists(st.tuples(st.integers(0, 5), st.none() | POINTS), max_size=40)


@given(STEPS, st.integers(0, 20))
def test_they_are_those_of_a_dict(steps, packed_points):
    owners, wanted, there = Owners(packed_points=packed_points), {}, {}
    asked = {0, 7, 2**63 - 1}
    for name, points in steps:
        old = there.pop(name, None)
        if old is not None:
            owners.drop(old)
            wanted = {point: owned for point, owned in wanted.items() if owned[0] is not old}
        free = [point for point in points or () if point not in wanted]  # ids are made from what they belong to
        if points is not None:
            there[name] = Owner(array("q", free))
            owners.add(there[name])
            wanted |= {point: (there[name], place) for place, point in enumerate(free)}
        asked |= set(free)
        for point in asked:
            assert owners.get(point) == wanted.get(point)
            assert (point in owners) == (point in wanted)
    assert dict(owners.items()) == wanted


def test_many_points_are_packed():
    owners = Owners(packed_points=100)
    for number in range(100):
        owners.add(Owner(array("q", range(1000 * number, 1000 * number + 50))))
    assert len(owners._latest) <= 100
    assert owners.get(99_049)[1] == 49
    assert owners.get(99_050) is None
