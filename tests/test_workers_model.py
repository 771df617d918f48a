"""The model worker with real children: streaming, stopping, killing, idling, and nothing left behind."""

import asyncio
import os
import select
import signal
import subprocess
import sys
import time
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import pytest

from memcache_lsp.errors import ModelError, UserError
from memcache_lsp.events import Citation, Delta, Result, Sources, Stage
from memcache_lsp.programs import command_for
from memcache_lsp.values import Hit, Span
from memcache_lsp.workers.model import ModelWorker

TESTS = Path(__file__).parent
LINE = "The courier carries a parcel to its door and waits for an answer.\n"
BOUND_S = 20.0  # half a second by design; what is asked is that nobody waits for ever


def hits_of(mark, lines=1):
    text = f"def deliver_{mark}(parcel):\n    return send(parcel)\n" + LINE * lines
    return [Hit("src/a.py", Span(0, len(text), 1, 2 + lines), text, "function", "deliver", "python", (), 1.0)]


LONG = 8  # lines of evidence, which take about a second to read


def reaped(pid):
    """Tell whether nothing is left of a process, not even a zombie."""
    return not Path(f"/proc/{pid}").exists()


@asynccontextmanager
async def worker_of(tmp_path, **options):
    worker = ModelWorker(log=tmp_path / "log", **options)
    try:
        yield worker
    finally:
        pid = worker.pid
        await worker.close()
        assert pid is None or reaped(pid)


@pytest.fixture
def standin(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(TESTS))
    return lambda behaviour: command_for("workers_standins", behaviour)


async def events_of(worker, question="How is a parcel sent?", hits=None, **options):
    options.setdefault("max_tokens", 8)
    hits = hits_of("one") if hits is None else hits
    return [event async for event in worker.answer(question, hits, found=len(hits), **options)]


def test_the_events_of_an_answer_in_order(smollm2, tmp_path):
    async def run():
        async with worker_of(tmp_path) as worker:
            facts = await worker.load(smollm2, context_tokens=1024)
            assert (facts.path, facts.name, facts.context_tokens) == (smollm2, smollm2.stem, 1024)
            return await events_of(worker), worker.facts

    events, facts = asyncio.run(run())
    kinds = [type(event) for event in events if not isinstance(event, Citation)]
    assert kinds == sorted(kinds, key=[Sources, Stage, Delta, Result].index)
    assert events[0] == Sources(tuple(hits_of("one")))
    assert "".join(event.text for event in events if isinstance(event, Delta)) == events[-1].answer
    assert 0 < events[-1].usage.answer_tokens <= 8
    assert facts.prompt_speed > 0


def test_two_questions_in_turn_share_what_is_read(smollm2, tmp_path):
    async def run():
        async with worker_of(tmp_path) as worker:
            await worker.load(smollm2, context_tokens=1024)
            first, second = await asyncio.gather(events_of(worker), events_of(worker))
            again = await events_of(worker, "And who sends it?")
            return first[-1], second[-1], again[-1]

    first, second, again = asyncio.run(run())
    assert second.answer == first.answer
    assert second.usage.reused_tokens >= first.usage.prompt_tokens - 64
    assert again.usage.reused_tokens > first.usage.reused_tokens  # the evidence comes before the question


@pytest.mark.parametrize("stage", ["reading", "writing"])
def test_cancelled_again_and_again_the_process_stays_and_answers(smollm2, tmp_path, stage):
    async def run():
        async with worker_of(tmp_path, grace_s=BOUND_S) as worker:
            await worker.load(smollm2, context_tokens=2048)
            before = (await events_of(worker))[-1].answer
            pid = worker.pid
            for number in range(4):
                lines = LONG if stage == "reading" else 1
                events = worker.answer("Why?", hits_of(f"{stage}{number}", lines), found=1, max_tokens=200)
                async with aclosing(events):
                    async for event in events:
                        if isinstance(event, Delta) or (
                            stage == "reading" and isinstance(event, Stage) and 0 < event.percent < 100
                        ):
                            break
                assert isinstance(event, Delta) == (stage == "writing")
                began = time.monotonic()
                await worker.settled()
                assert time.monotonic() - began < BOUND_S
                assert worker.pid == pid
                assert worker.requests == 0
            assert (await events_of(worker))[-1].answer == before
            assert worker.pid == pid

    asyncio.run(run())


def test_what_was_read_before_a_cancel_is_not_read_again(smollm2, tmp_path):
    async def run():
        async with worker_of(tmp_path, grace_s=BOUND_S) as worker:
            await worker.load(smollm2, context_tokens=2048)
            await events_of(worker)
            hits = hits_of("long", LONG)
            events = worker.answer("Why?", hits, found=1)
            async with aclosing(events):
                async for event in events:
                    if isinstance(event, Stage) and event.percent >= 50:
                        break
            return (await events_of(worker, "Why?", hits))[-1].usage

    usage = asyncio.run(run())
    assert usage.reused_tokens >= usage.prompt_tokens * 0.4


def test_a_cancelled_task_stops_the_model_too(smollm2, tmp_path):
    async def run():
        async with worker_of(tmp_path, grace_s=BOUND_S) as worker:
            await worker.load(smollm2)
            pid = worker.pid
            task = asyncio.create_task(events_of(worker, hits=hits_of("long", LONG), max_tokens=200))
            await asyncio.sleep(0)  # the new tasks run until they wait
            began = time.monotonic()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await worker.settled()
            assert time.monotonic() - began < BOUND_S
            assert worker.pid == pid
            assert (await events_of(worker))[-1].answer

    asyncio.run(run())


def test_a_cancelled_waiter_leaves_the_queue(standin, tmp_path):
    async def run():
        async with worker_of(tmp_path, command=standin("deaf")) as worker:
            await worker.load(tmp_path / "model")
            first = worker.answer("hang", [], found=0)
            assert await anext(first) == Delta(0, "hang")
            waiters = [asyncio.create_task(events_of(worker, f"waiter {n}", [])) for n in range(3)]
            await asyncio.sleep(0)  # the new tasks run until they wait
            assert worker.requests == 4
            waiters[1].cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiters[1]
            assert worker.requests == 3
            await first.aclose()
            assert await waiters[0] == [Delta(0, "waiter 0")]
            assert await waiters[2] == [Delta(0, "waiter 2")]
            assert worker.requests == 0

    asyncio.run(run())


@pytest.mark.parametrize("behaviour", ["deaf", "freeze"])
def test_a_model_that_does_not_listen_is_killed_in_time(standin, tmp_path, behaviour):
    async def run():
        async with worker_of(tmp_path, command=standin(behaviour)) as worker:
            await worker.load(tmp_path / "model")
            pid = worker.pid
            events = worker.answer("hang", [], found=0)
            await anext(events)
            began = time.monotonic()
            await events.aclose()
            assert worker.pid == pid  # who leaves does not wait for the end
            await worker.settled()
            assert 0.3 < time.monotonic() - began < BOUND_S
            assert worker.pid is None
            events = worker.answer("again", [], found=0)
            assert await anext(events) == Delta(0, "again")
            assert worker.pid != pid
            await events.aclose()

    asyncio.run(run())


def test_a_model_that_falls_silent_is_given_up(standin, tmp_path):
    async def run():
        async with worker_of(tmp_path, command=standin("freeze")) as worker:
            await worker.load(tmp_path / "model")
            pid = worker.pid
            events = worker.answer("question", [], found=0)
            assert await anext(events) == Delta(0, "question")
            patience_s, worker._silence_s = worker._silence_s, 0.5  # to load may take longer
            with pytest.raises(UserError, match="does not answer any more"):
                await anext(events)
            assert worker.pid is None
            worker._silence_s = patience_s
            await worker.load(tmp_path / "model")
            assert worker.pid != pid

    asyncio.run(run())


def test_an_answer_is_by_the_model_that_it_names_whatever_others_had_loaded_meanwhile(standin, tmp_path):
    async def run():
        async with worker_of(tmp_path, command=standin("freeze")) as worker:
            await worker.load(tmp_path / "mine", context_tokens=512)
            await worker.load(tmp_path / "theirs")
            events = worker.answer("question", [], found=0, model=tmp_path / "mine")
            assert await anext(events) == Delta(0, "question")
            assert (worker._link.loaded.path, worker._link.loaded.context_tokens) == (tmp_path / "mine", 512)
            await events.aclose()

    asyncio.run(run())


def test_a_worker_that_is_dropped_warns_and_leaves_no_process(standin, tmp_path):
    async def run():
        worker = ModelWorker(command=standin("deaf"), log=tmp_path / "log")
        await worker.load(tmp_path / "model")
        link = worker._link
        worker._idle_timer.cancel()  # it would keep the worker
        worker._idle_timer = None
        held = [worker]
        del worker
        with pytest.warns(ResourceWarning, match="not closed"):
            held.clear()
        await asyncio.wait_for(link.gone.wait(), 10)
        assert reaped(link.pid)

    asyncio.run(run())


def test_a_load_that_hangs_can_be_cancelled(standin, tmp_path):
    async def run():
        async with worker_of(tmp_path, command=standin("hang-at-load")) as worker:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.3):
                    await worker.load(tmp_path / "model")
            await worker.settled()
            assert worker.pid is None

    asyncio.run(run())


def test_a_process_that_dies_midway_is_one_sentence_and_the_next_request_works(standin, tmp_path):
    async def run():
        async with worker_of(tmp_path, command=standin("die")) as worker:
            await worker.load(tmp_path / "model")
            for _ in range(2):
                events = worker.answer("question", [], found=0)
                assert await anext(events) == Delta(0, "question")
                with pytest.raises(UserError, match=r"process ended unexpectedly \(exit code 7\): ask again"):
                    await anext(events)

    asyncio.run(run())


@pytest.mark.parametrize(
    ("behaviour", "likely"), [("SIGKILL", True), ("SIGABRT", True), ("SIGSEGV", False), ("garbage", False)]
)
def test_a_process_that_ends_as_one_without_memory_is_told_as_that(standin, tmp_path, behaviour, likely):
    async def run():
        async with worker_of(tmp_path, command=standin(behaviour)) as worker:
            await worker.load(tmp_path / "model")
            with pytest.raises(UserError, match=r"process ended unexpectedly \(signal \d+\)") as caught:
                [event async for event in worker.answer("question", [], found=0)]
            assert ("lack of memory" in str(caught.value)) == likely
            assert ("smaller model" in str(caught.value)) == likely

    asyncio.run(run())


KINDS = {"sources": Sources, "reading": Stage, "writing": Delta}


async def killed_at(worker, kind, events):
    async for event in events:
        if isinstance(event, kind) and worker.pid:
            os.kill(worker.pid, signal.SIGKILL)


@pytest.mark.parametrize("moment", ["idle", *KINDS])
def test_killed_at_any_moment_it_comes_back(smollm2, tmp_path, moment):
    async def run():
        async with worker_of(tmp_path) as worker:
            await worker.load(smollm2)
            pid = worker.pid
            if moment == "idle":
                os.kill(pid, signal.SIGKILL)
                await worker._link.gone.wait()
                assert worker.pid is None
            else:
                lines = 1 if moment == "writing" else LONG
                with pytest.raises(UserError, match=r"signal 9"):
                    await killed_at(worker, KINDS[moment], worker.answer("Why?", hits_of("kill", lines), found=1))
            assert reaped(pid)
            assert isinstance((await events_of(worker))[-1], Result)
            assert worker.pid != pid

    asyncio.run(run())


def test_it_ends_when_idle_and_comes_back_with_its_model(smollm2, tmp_path):
    async def run():
        async with worker_of(tmp_path, idle_s=0.05) as worker:
            await worker.load(smollm2)
            link = worker._link
            await asyncio.wait_for(link.gone.wait(), 10)
            assert worker.pid is None
            assert worker.facts is None
            assert isinstance((await events_of(worker))[-1], Result)

    asyncio.run(run())


def test_a_model_is_loaded_once_and_replaced_by_another(smollm2, tmp_path):
    async def run():
        async with worker_of(tmp_path) as worker:
            await worker.load(smollm2)
            pid = worker.pid
            await events_of(worker)
            await worker.load(smollm2)
            assert (await events_of(worker))[-1].usage.reused_tokens > 100  # it was not loaded again
            assert (await worker.load(smollm2, context_tokens=1024)).context_tokens == 1024
            assert worker.pid == pid

    asyncio.run(run())


def test_what_cannot_be_loaded_is_told_as_in_process(smollm2, tmp_path):
    async def run():
        async with worker_of(tmp_path) as worker:
            with pytest.raises(ModelError, match="No model is loaded"):
                await events_of(worker)
            await worker.load(smollm2)
            with pytest.raises(ModelError, match=r"There is no model at .*nothing.gguf"):
                await worker.load(tmp_path / "nothing.gguf")
            assert isinstance((await events_of(worker))[-1], Result)  # by the model that was there

    asyncio.run(run())


def test_a_process_that_cannot_be_started(tmp_path):
    async def run():
        async with worker_of(tmp_path, command=[str(tmp_path / "nothing")]) as worker:
            with pytest.raises(UserError, match="ended unexpectedly"):
                await worker.load(tmp_path / "model")

    asyncio.run(run())


def test_no_evidence_no_model(smollm2, tmp_path):
    async def run():
        async with worker_of(tmp_path) as worker:
            await worker.load(smollm2)
            return await events_of(worker, hits=[])

    assert asyncio.run(run())[-1].finish_reason == "no_answer"


def test_close_ends_what_runs_and_what_waits(standin, tmp_path):
    async def run():
        worker = ModelWorker(command=standin("deaf"), log=tmp_path / "log")
        await worker.load(tmp_path / "model")
        pid = worker.pid
        events = worker.answer("hang", [], found=0)
        await anext(events)
        waiter = asyncio.create_task(events_of(worker, "waiter", []))
        await asyncio.sleep(0)  # the new task runs until it waits
        assert worker.requests == 2
        began = time.monotonic()
        await worker.close()
        assert time.monotonic() - began < BOUND_S
        assert reaped(pid)
        with pytest.raises(UserError, match="the server ends"):
            await anext(events)
        with pytest.raises(UserError, match="the server ends"):
            await waiter

    asyncio.run(run())


def test_a_big_question_to_a_frozen_process_holds_nobody_up(standin, tmp_path):
    async def run():
        async with worker_of(tmp_path, command=standin("freeze")) as worker:
            await worker.load(tmp_path / "model")
            os.kill(worker.pid, signal.SIGSTOP)
            task = asyncio.create_task(events_of(worker, "x" * (1 << 22), []))  # more than a pipe holds
            began = time.monotonic()
            await asyncio.sleep(0)  # the new tasks run until they wait
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await worker.settled()
            assert time.monotonic() - began < BOUND_S
            assert worker.pid is None

    asyncio.run(run())


OWNER = """
import asyncio, sys
from pathlib import Path
from memcache_lsp.workers.model import ModelWorker
sys.path.insert(0, sys.argv[3])
from test_workers_model import hits_of, LONG, Stage

async def run():
    worker = ModelWorker(log=Path(sys.argv[2]))
    await worker.load(Path(sys.argv[1]))
    async for event in worker.answer("Why?", hits_of("owner", LONG), found=1, max_tokens=200):
        if isinstance(event, Stage) and event.percent:
            print(worker.pid, flush=True)
            if sys.argv[4] == "freeze":
                import os, signal
                os.kill(worker.pid, signal.SIGSTOP)

asyncio.run(run())
"""


@pytest.mark.parametrize("state", ["busy", "freeze"])
def test_it_ends_with_its_owner(smollm2, tmp_path, monkeypatch, state):
    monkeypatch.setenv("PYTHONPATH", str(TESTS.parent))
    arguments = [str(smollm2), str(tmp_path / "log"), str(TESTS), state]
    with subprocess.Popen(
        [sys.executable, "-c", OWNER, *arguments], stdout=subprocess.PIPE, text=True, cwd=tmp_path
    ) as owner:
        pid = int(owner.stdout.readline())
        fd = os.pidfd_open(pid)
        owner.kill()
    try:
        assert select.select([fd], [], [], 10)[0]
    finally:
        os.close(fd)
