"""What is free on the machine, from the kernel's accounts, and what is chosen for a model by it."""

import os
import subprocess
import sys
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memcache_lsp import machine
from memcache_lsp.errors import ModelError
from memcache_lsp.generation import llama, load
from memcache_lsp.generation.library import library
from memcache_lsp.generator import StopFlag
from memcache_lsp.machine import FreeCores, Look, busy_seconds, context_that_fits, threads_for
from memcache_lsp.prompt import Message

STAT = """cpu  999 999 999 999 999 0 0 0 0 0
cpu0 100 7000 50 9000 10 5 3 2 0 0
cpu1 200 8000 60 9000 10 0 0 0 0 0
cpu10 5000 0 0 0 0 0 0 0 0 0
intr 1 2 3
procs_running 3
"""


def test_work_that_is_nice_and_cores_of_others_do_not_count():
    assert busy_seconds(STAT, 0.01, frozenset({0, 1})) == pytest.approx(1.6 + 2.6)
    assert busy_seconds(STAT, 0.01, frozenset({1})) == pytest.approx(2.6)
    assert busy_seconds("", 0.01, frozenset({0})) == 0


@pytest.mark.parametrize(
    ("cores", "others", "threads"),
    [
        (1, 0.0, 1), (1, 5.0, 1), (2, 0.0, 2), (2, 0.3, 2), (2, 1.0, 1), (2, 1.33, 1), (2, 2.0, 1),
        (8, 0.2, 8), (8, 4.0, 4), (8, 20.0, 1), (64, 1.0, 63),
    ],
)  # fmt: skip
def test_threads_for(cores, others, threads):
    assert threads_for(cores, others) == threads


@given(st.integers(1, 256), st.floats(0, 300), st.floats(0, 300))
def test_more_work_of_others_never_means_more_threads(cores, one, other):
    low, high = sorted((one, other))
    assert 1 <= threads_for(cores, high) <= threads_for(cores, low) <= cores


class Clocks:
    """Cores whose work is made up."""

    def __init__(self, monkeypatch):
        self.at = self.busy = self.own = 0.0
        self.runs = 1
        monkeypatch.setattr(machine.time, "monotonic", lambda: self.at)

    def go_on(self, seconds, *, own, others):
        self.at += seconds
        self.own += own * seconds
        self.busy += (own + others) * seconds

    def free(self, cores):
        return FreeCores(cores, look=lambda: Look(self.at, self.busy, self.own), running=lambda: self.runs)


def test_the_first_step_follows_who_runs_and_the_next_what_was_done(monkeypatch):
    clocks = Clocks(monkeypatch)
    free = clocks.free(2)
    assert free.begin() == 2
    clocks.go_on(0.05, own=2, others=0)
    assert free.now() == 2
    clocks.go_on(0.3, own=1, others=1)
    assert free.now() == 1  # others came
    clocks.go_on(0.3, own=0.67, others=1.33)
    assert free.now() == 1
    clocks.go_on(0.1, own=1, others=0)
    assert free.now() == 1  # too soon to tell
    clocks.go_on(0.3, own=1, others=0)
    assert free.now() == 2  # they left
    clocks.runs = 3
    assert free.begin() == 1


def test_a_short_burst_before_the_start_is_not_seen_as_work():
    counts = iter([3, 1, 2])
    assert FreeCores(2, look=lambda: None, running=lambda: next(counts)).begin() == 2


def test_without_accounts_all_cores_count_as_free():
    free = FreeCores(4, look=lambda: None, running=lambda: None)
    assert free.begin() == free.now() == 4


def test_the_machine_is_looked_at():
    if not os.path.exists("/proc/stat"):
        pytest.skip("there is no /proc here")
    before = machine.look()
    while machine.look().own_s - before.own_s < 0.05:
        pass
    assert machine.look().busy_s >= before.busy_s
    assert machine.running() >= 1
    assert 1 <= machine.cores() <= os.cpu_count()
    assert machine.free_memory_bytes() > 0


def test_a_containers_limits_count(monkeypatch, tmp_path):
    monkeypatch.setattr(machine, "_CGROUP", tmp_path)
    monkeypatch.setattr(machine.os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    assert machine.cores() == 8
    (tmp_path / "cpu.max").write_text("max 100000\n")
    assert machine.cores() == 8
    (tmp_path / "cpu.max").write_text("150000 100000\n")
    assert machine.cores() == 2
    for name, text in (("max", "1000\n"), ("current", "700\n"), ("stat", "anon 1\ninactive_file 200\n")):
        (tmp_path / f"memory.{name}").write_text(text)
    assert machine.free_memory_bytes() == 500


@pytest.mark.parametrize(("wanted", "free", "tokens"), [(4096, 10**9, 4096), (4096, 2048 * 100, 2048), (4096, 0, 512)])
def test_a_context_is_halved_until_it_fits(wanted, free, tokens):
    assert context_that_fits(wanted, 512, token_bytes=100, free_bytes=free) == tokens


# The model in this process


def test_a_model_that_is_larger_than_what_is_free_is_refused_at_once(smollm2, monkeypatch):
    monkeypatch.setattr(machine, "free_memory_bytes", lambda: 50_000_000)
    with pytest.raises(ModelError, match=r"not enough memory.*smaller model\.") as caught:
        load(smollm2)
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(sys.platform != "linux", reason="only there the memory of a process is limited")
@pytest.mark.parametrize("spare_mb", [5, 60, 130], ids=["no C++ object", "no mapping", "no context"])
def test_llama_that_gets_no_memory_says_so_in_one_sentence(smollm2, spare_mb):
    """It is not the file that is wrong, so another one is not what to fetch."""
    code = f"""
import resource
from pathlib import Path
from memcache_lsp.errors import ModelError
from memcache_lsp.generation import load
from memcache_lsp.generation.library import library
library()
has = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (has + {spare_mb} * 1_000_000, resource.RLIM_INFINITY))
try:
    load(Path({str(smollm2)!r}), threads=1)
except ModelError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout == (
        "There is not enough memory for the model smollm2-135m-instruct: close other programs, or name a smaller model.\n"
    ), done.stderr


def test_a_context_that_memory_has_no_room_for_is_made_smaller_and_this_is_told(smollm2, monkeypatch):
    monkeypatch.setattr(machine, "free_memory_bytes", lambda: 196_000_000)
    with load(smollm2) as model:
        assert model.context_tokens == 4096
        assert model._token_bytes() == 2 * 2 * 30 * 3 * 64
    monkeypatch.setattr(llama, "_check_memory", lambda _path: None)
    monkeypatch.setattr(machine, "free_memory_bytes", lambda: 125_000_000)
    with load(smollm2) as model:
        assert model.context_tokens == 1024
        assert "room" in model.notes[0]
    with load(smollm2, context_tokens=4096) as model:
        assert model.context_tokens == 1024
        assert model.notes[0] == "A context of 1024 tokens, not 4096 as set, for memory has no room for more."
    with load(smollm2, context_tokens=1024) as model:
        assert model.notes[0] == "A context of 1024 tokens, as set."


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (
            {},
            ("A context of 4096 tokens, as more takes too long to read.", "As many of {n} cores as are free, compute."),
        ),
        (
            {"context_tokens": 512, "threads": 1},
            ("A context of 512 tokens, as set.", "1 of {n} cores, as set, compute."),
        ),
        ({"context_tokens": 100_000}, ("A context of 8192 tokens, all that the model was trained for.", None)),
    ],
)
def test_what_was_chosen_is_told(smollm2, options, told):
    with load(smollm2, **options) as model:
        for note, expected in zip(model.notes, told, strict=True):
            assert expected is None or note == expected.format(n=machine.cores())


def test_threads_follow_what_is_free_unless_they_are_set(smollm2):
    class Free:
        def __init__(self):
            self.counts = iter([1, 2, 1, *([2] * 100)])

        def begin(self):
            return next(self.counts)

        now = begin

    for options, seen in (({}, [1, 2, 1, 2]), ({"threads": 1}, [1])):
        with load(smollm2, context_tokens=512, **options) as model:
            model._context.free = Free()
            used = []
            decode = model._api.llama_decode

            def count(context, batch, model=model, used=used, decode=decode):
                used.append(model._api.llama_n_threads(context))
                return decode(context, batch)

            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(model._api, "llama_decode", count)
                list(model.generate((Message("user", "Name three colours."),), max_tokens=6, stop=StopFlag()))
            changes = [at for n, at in enumerate(used) if n == 0 or used[n - 1] != at]
            assert changes == seen[-len(changes) :]
            assert len(changes) == (1 if options else 3)


class TestGpu:
    """A GPU that is made up: llama.cpp as it is, which fails where layers are put onto it."""

    @pytest.fixture
    def gpu(self, monkeypatch):
        api = library().api
        asked = []
        real = api.llama_model_load_from_file

        def load_from_file(path, parameters):
            asked.append(parameters.n_gpu_layers)
            return None if parameters.n_gpu_layers and self.full else real(path, parameters)

        monkeypatch.setattr(api, "llama_supports_gpu_offload", lambda: True)
        monkeypatch.setattr(api, "llama_model_load_from_file", load_from_file)
        self.full = False
        return asked

    def test_all_layers_go_there_where_there_is_room(self, smollm2, gpu):
        with load(smollm2, context_tokens=256) as model:
            assert gpu == [999]
            assert model.notes[0] == "The GPU computes all layers."

    def test_without_room_the_processor_computes_and_says_so(self, smollm2, gpu):
        self.full = True
        with load(smollm2, context_tokens=256) as model:
            assert gpu == [999, 0]
            assert "no room" in model.notes[0]
            done = list(model.generate((Message("user", "Hi."),), max_tokens=2, stop=StopFlag()))
            assert done[-1].answer_tokens

    def test_a_context_that_has_no_room_there_is_no_end_either(self, smollm2, gpu, monkeypatch):
        api = library().api
        real = api.llama_init_from_model
        tries = iter([None])
        monkeypatch.setattr(api, "llama_init_from_model", lambda *a: next(tries) if len(gpu) == 1 else real(*a))
        with load(smollm2, context_tokens=256) as model:
            assert "no room" in model.notes[0]

    def test_the_users_number_goes_before(self, smollm2, gpu):
        with load(smollm2, context_tokens=256, gpu_layers=0) as model:
            assert gpu == [0]
            assert not any("GPU" in note for note in model.notes)

    def test_a_broken_file_is_told_as_such(self, tmp_path, gpu):
        (tmp_path / "x.gguf").write_bytes(b"GGUF\x03\x00\x00\x00" + b"\xff" * 64)
        with pytest.raises(ModelError, match="cannot load"):
            load(tmp_path / "x.gguf")


def test_looks_from_another_thread_are_of_the_whole_process():
    found = []
    thread = threading.Thread(target=lambda: found.append(machine.look()))
    thread.start()
    thread.join()
    assert found[0] is None or found[0].own_s > 0
