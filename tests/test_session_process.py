"""The session over the standard streams of a process, and the watch over its event loop."""

import asyncio
import json
import logging
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from lsp import frame, process, run

from memcache_lsp.errors import Stopped
from memcache_lsp.session.watchdog import Watchdog

SERVER = """
import asyncio, os, subprocess, sys
sys.path.insert(0, sys.argv[1])
from memcache_lsp.session.stdio import Stdio
streams = Stdio()
print("printed by a library")
os.write(1, b"written by another one")
subprocess.run([sys.executable, "-c", "import sys; print(sys.stdin.read())"], check=True)
from memcache_lsp.session.session import serve
from session_backend import FakeBackend

async def main():
    await streams.open()
    return await serve(streams.reader, streams.writer, FakeBackend())

code = asyncio.run(main())
streams.close()
raise SystemExit(code)
"""
INITIALIZE = {"processId": None, "rootUri": None, "capabilities": {}}
COMMAND = (sys.executable, "-c", SERVER, str(Path(__file__).parent))


@run
async def test_the_standard_streams_carry_the_protocol_and_nothing_else():
    async with process(*COMMAND) as client:
        await client.initialize()
        assert (await client.request("memcache/status"))["health"] == "ok"
        await client.shutdown()
        assert await client.process.wait() == 0


@run
async def test_a_process_ends_with_its_input():
    async with process(*COMMAND) as client:
        await client.initialize()
        client.writer.write_eof()
        assert await client.process.wait() == 1


@run
async def test_everything_that_was_answered_is_written_before_the_end():
    async with process(*COMMAND) as client:
        await client.initialize()
        big = "x" * 3_000_000
        client.start("memcache/status", key=big)
        await client.wait_for(lambda: len(client.replies) == 2)
        client.send_bytes(frame(json.dumps({"jsonrpc": "2.0", "id": big, "method": "nothing"}).encode()))
        client.notify("exit")
        await client.ended()
        assert len(client.replies) == 3
        assert await client.process.wait() == 1


@run
async def test_standard_streams_may_be_files():
    messages = [
        {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"capabilities": {}}},
        {"jsonrpc": "2.0", "method": "exit"},
    ]
    with tempfile.TemporaryFile() as taken, tempfile.TemporaryFile() as given:
        taken.write(b"".join(frame(json.dumps(each).encode()) for each in messages))
        taken.seek(0)
        running = await asyncio.create_subprocess_exec(*COMMAND, stdin=taken, stdout=given)
        assert await running.wait() == 1
        given.seek(0)
        assert given.read().startswith(b"Content-Length: ")


@run
async def test_the_watchdog_logs_what_holds_the_loop(caplog):
    caplog.set_level(logging.WARNING)
    watchdog = Watchdog()
    watchdog.start()
    try:
        hold_the_loop(0.2, caplog)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    finally:
        watchdog.close()
    logged = [record.getMessage() for record in caplog.records]
    assert any("hold_the_loop" in line for line in logged)
    held_ms = max(
        int(found[1]) for line in logged if (found := re.match(r"the event loop was held for (\d+) ms", line))
    )
    assert held_ms >= 200
    assert held_ms == round(watchdog.longest_s * 1000)


def hold_the_loop(seconds, caplog):
    """Hold it until the watchdog, whose thread a busy machine may keep waiting, has seen it; never less than so long."""
    began = time.perf_counter()
    while (held_s := time.perf_counter() - began) < seconds or (held_s < 20 and "hold_the_loop" not in caplog.text):
        pass


@run
async def test_the_watchdog_wakes_up_with_the_loop(monkeypatch, caplog):
    monkeypatch.setattr("memcache_lsp.session.watchdog._AWAKE_S", 0.0)
    caplog.set_level(logging.WARNING)
    watchdog = Watchdog()
    watchdog.start()
    try:
        await asyncio.to_thread(wait_until_dormant, watchdog)
        hold_the_loop(0.2, caplog)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    finally:
        watchdog.close()
    assert any("hold_the_loop" in record.getMessage() for record in caplog.records)


def wait_until_dormant(watchdog):
    end = time.monotonic() + 10
    while not watchdog._dormant:
        assert time.monotonic() < end
        time.sleep(0.01)


@run
async def test_the_watchdog_does_not_spin_once_it_was_woken(monkeypatch):
    monkeypatch.setattr("memcache_lsp.session.watchdog._AWAKE_S", 0.0)
    watchdog = Watchdog()
    waits, wait = [], watchdog._wake.wait
    monkeypatch.setattr(watchdog._wake, "wait", lambda timeout=None: waits.append(timeout) or wait(timeout))

    def stay_awake_from_then_on():
        wait_until_dormant(watchdog)
        monkeypatch.setattr("memcache_lsp.session.watchdog._AWAKE_S", 60.0)

    watchdog.start()
    await asyncio.to_thread(stay_awake_from_then_on)
    before, began = len(waits), time.monotonic()
    await asyncio.sleep(0.2)
    watchdog.close()
    slept_s = time.monotonic() - began
    assert len(waits) - before <= 2 + slept_s / (0.05 / 3)


@run
async def test_a_loop_that_is_not_held_is_not_logged(caplog):
    caplog.set_level(logging.WARNING)
    watchdog = Watchdog(held_s=5.0)
    watchdog.start()
    for _ in range(100):
        await asyncio.sleep(0)
    watchdog.close()
    assert not caplog.records
    assert "select" not in vars(asyncio.get_running_loop()._selector)


def framed(method, number, params):
    return frame(json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params}).encode())


def test_told_to_stop_amid_writing_it_leaves_with_one_sentence(short_home, example):
    """A signal that comes anywhere is seen by the loop, not by whatever it calls just then."""
    command = [sys.executable, "-m", "memcache_lsp", "serve", "--no-daemon"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as server:
        server.stdin.write(framed("initialize", 1, INITIALIZE))
        for number in range(2, 2000):
            server.stdin.write(framed("memcache/status", number, {}))
        server.stdin.flush()
        assert server.stdout.read(1)  # it is at it
        server.send_signal(signal.SIGTERM)
        _, told = server.communicate(timeout=20)
    assert server.returncode == Stopped.exit_code
    assert b"Traceback" not in told
    assert told.splitlines()[-1] == b"memcache-lsp: Stopped; what is indexed so far is kept."
