"""The daemon's log: it stays small however long the daemon runs."""

import logging
import os

from memcache_lsp.daemon import RollingLog


def test_the_log_begins_anew_once_it_is_large_and_loses_no_line_of_the_last(tmp_path):
    path = tmp_path / "daemon.log"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    logger = logging.Logger("rolling")  # noqa: LOG001 - of this test alone
    logger.addHandler(RollingLog(path, descriptors=(descriptor,), limit_bytes=1000))
    for number in range(1000):
        logger.info("line %d", number)
        os.write(descriptor, b"printed by a library\n") if number == 999 else None
    os.close(descriptor)
    before, now = path.with_suffix(".log.1"), path
    assert sorted(each.name for each in tmp_path.iterdir()) == ["daemon.log", "daemon.log.1"]
    assert before.stat().st_size < 1100
    assert now.stat().st_size < 1100
    lines = (before.read_text() + now.read_text()).splitlines()
    assert lines.pop() == "printed by a library"
    first = int(lines[0].split()[1])
    assert lines == [f"line {number}" for number in range(first, 1000)]


def test_a_log_that_is_not_the_file_of_that_name_is_left_alone(tmp_path):
    path, other = tmp_path / "daemon.log", tmp_path / "elsewhere"
    path.write_text("x")
    descriptor = os.open(other, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    logger = logging.Logger("rolling")  # noqa: LOG001 - of this test alone
    logger.addHandler(RollingLog(path, descriptors=(descriptor,), limit_bytes=10))
    logger.info("much longer than ten bytes")
    os.close(descriptor)
    assert path.read_text() == "x"
    assert other.read_text() == "much longer than ten bytes\n"
