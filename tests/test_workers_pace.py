"""How much of its time the indexing leaves to others, and when a child counts as stuck."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memcache_lsp.stall import Sight, look, stalled
from memcache_lsp.workers.pace import on_battery, pace, present_pace, rest_s

LOADS = st.floats(0, 1000)
CORES = st.integers(1, 256)


@pytest.mark.parametrize(
    ("battery", "load", "cores", "expected"),
    [
        (False, 0.0, 4, 0.0),
        (False, 1.0, 4, 0.0),  # that is the indexing itself
        (False, 3.0, 4, 0.25),
        (False, 5.0, 4, 0.5),
        (False, 50.0, 4, 0.5),
        (True, 0.0, 4, 0.5),
        (True, 50.0, 4, 0.75),
    ],
)
def test_the_share_of_rest(battery, load, cores, expected):
    assert pace(battery, load, cores) == pytest.approx(expected)


@given(st.booleans(), LOADS, LOADS, CORES)
def test_more_load_never_means_less_rest_and_there_is_always_some_work(battery, load, more, cores):
    low, high = sorted((load, more))
    assert 0 <= pace(battery, low, cores) <= pace(battery, high, cores) <= 0.75
    assert pace(False, low, cores) <= pace(True, low, cores)


def supply(folder, **files):
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name).write_text(f"{text}\n", encoding="ascii")


@pytest.mark.parametrize(
    ("supplies", "expected"),
    [
        ({}, False),
        ({"AC": {"type": "Mains", "online": "1"}}, False),
        ({"AC": {"type": "Mains", "online": "1"}, "BAT0": {"type": "Battery", "status": "Charging"}}, False),
        ({"AC": {"type": "Mains", "online": "0"}, "BAT0": {"type": "Battery", "status": "Discharging"}}, True),
        ({"BAT0": {"type": "Battery", "status": "Discharging", "scope": "System"}}, True),
        ({"mouse": {"type": "Battery", "status": "Discharging", "scope": "Device"}}, False),
        ({"BAT0": {"type": "Battery"}}, False),
    ],
)
def test_on_battery(tmp_path, supplies, expected):
    for name, files in supplies.items():
        supply(tmp_path / "power" / name, **files)
    assert on_battery(tmp_path / "power") is expected


def test_the_present_pace_is_one():
    assert 0 <= present_pace() <= 0.75


@pytest.mark.parametrize(
    ("wall_s", "cpu_s", "runnable", "expected"),
    [
        (29, 0, False, False),
        (31, 0, False, True),  # it waits for something that does not come, or is stopped
        (31, 30, True, True),  # it computes without end
        (31, 2, True, False),  # it would go on if it could
        (299, 29, True, False),
        (301, 2, True, True),
    ],
)
def test_stalled(wall_s, cpu_s, runnable, expected):
    assert stalled(wall_s=wall_s, cpu_s=cpu_s, runnable=runnable, deadline_s=30) is expected


def test_look_at_a_process():
    seen = look(os.getpid())
    assert seen.runnable
    assert seen.cpu_s == pytest.approx(sum(os.times()[:2]), abs=0.5)
    assert look(None) == look(2**22 + 1) == Sight(0.0, False)


def test_a_name_with_brackets_and_blanks(tmp_path):
    fields = ["S", *["0"] * 10, "150", "50", *["0"] * 20]
    for stat, state in ((tmp_path / "7" / "stat", "S"), (tmp_path / "7" / "task" / "7" / "stat", "R")):
        stat.parent.mkdir(parents=True)
        stat.write_text(f"7 (a) R (b c) {' '.join([state, *fields[1:]])}\n", encoding="ascii")
    assert look(7, tmp_path) == Sight(200 / os.sysconf("SC_CLK_TCK"), True)


def test_a_share_of_the_time_is_slept_and_never_long():
    assert rest_s(1.0, 0.0) == 0.0
    assert rest_s(1.0, 0.5) == pytest.approx(1.0)
    assert rest_s(0.1, 1.0) == pytest.approx(1.9)  # not for ever
    assert rest_s(60.0, 0.5) == 2.0
