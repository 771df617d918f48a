"""The benches that try to break the daemon: each run short, and their judgement by table."""

import runpy
import subprocess
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).parent.parent / "bench"


def run_bench(script, *arguments):
    return subprocess.run([sys.executable, BENCH / script, *arguments], capture_output=True, text=True, timeout=200)


@pytest.mark.parametrize("way", [[], ["--socket"]])
def test_the_fuzzer_finds_nothing_wrong_with_the_real_daemon(way):
    done = run_bench("fuzz.py", "--frames", "600", "--huge", "1", *way)
    assert done.returncode == 0, done.stdout
    assert "the daemon is alive" in done.stdout
    assert "\n600 frames in" in done.stdout
    assert "0 things wrong" in done.stdout


def test_fronts_that_start_at_once_have_one_daemon():
    done = run_bench("cold.py", "--fronts", "6", "--times", "1")
    assert done.returncode == 0, done.stdout
    assert "by 1 daemon, 1 of them there: good" in done.stdout


ATTACKS = ("headers_without_end", "leaves_within_initialize", "a_killed_front", "questions_of_a_megabyte")


def test_a_hostile_client_is_measured():
    done = run_bench("hostile.py", "--times", "2", *ATTACKS)
    rows = [line for line in done.stdout.splitlines() if line.startswith(tuple(f"| {name}" for name in ATTACKS))]
    assert len(rows) == len(ATTACKS), done.stderr
    broken = [
        line for line in done.stdout.splitlines() if ": " in line and " p95 " not in line
    ]  # other load is no fault
    assert [line for line in broken if line.startswith((*ATTACKS, "the daemon", "logged"))] == []


def test_a_broken_limit_is_told(monkeypatch):
    monkeypatch.syspath_prepend(BENCH)
    row_of = runpy.run_path(str(BENCH / "hostile.py"))["Row"]

    def broken(**changed):
        good = {"peak_mb": 99.0, "first_mb": 9.0, "last_mb": 9.0, "trips_ms": [1.0], "files": 0, "sessions": 0}
        return row_of(**{"name": "x", "took_s": 1.0, "failed": "", **good, **changed}).broken()

    assert broken() == []
    assert broken(peak_mb=301.0) == ["301 MB more"]
    assert broken(last_mb=50.0) == ["41 MB more with each time"]
    assert broken(trips_ms=[1.0] * 9 + [500.0] * 9) == ["p95 500 ms"]
    assert broken(files=1, sessions=2) == ["1 files left open", "2 sessions left"]
    assert broken(failed="the client failed") == ["the client failed"]
