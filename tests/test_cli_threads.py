"""Threads on the command line, with the daemon and without: gone on from, listed, shown, asked again, replayed, deleted."""

import json
import os
import subprocess
import sys

import pytest

QUESTION = "how are retries delayed"


@pytest.fixture(params=[(), ("--no-daemon",)], ids=["daemon", "no-daemon"])
def call(request, example):
    def run(command, *arguments, code=0):
        words = [sys.executable, "-m", "memcache_lsp", command, *request.param, "--root", str(example), *arguments]
        done = subprocess.run(words, capture_output=True, text=True, timeout=120)
        assert done.returncode == code, done.stderr + done.stdout
        assert "Traceback" not in done.stderr
        return done

    return run


def lines(done):
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_thread_from_its_first_question_to_its_end(call, example):
    first = lines(call("ask", "--json", "--no-model", QUESTION))[-1]
    events = lines(call("ask", "--json", "--no-model", "--thread", "last", "and where is it called"))
    assert events[-1]["threadId"] == first["threadId"]
    assert events[0]["first"] > 1
    assert min(citation["n"] for citation in events[-1]["citations"]) >= events[0]["first"]
    assert "RetryPolicy" in {item["symbol"].partition(".")[0] for item in events[0]["items"]}

    (listed,) = lines(call("threads", "--json"))
    assert (listed["threadId"], listed["title"], listed["stale"]) == (first["threadId"], QUESTION, False)
    path = example / first["citations"][0]["path"]
    path.write_text("nothing of it is left\n")
    assert lines(call("threads", "--json"))[0]["stale"]
    shown = lines(call("threads", "show", "last", "--json"))
    assert [turn["question"] for turn in shown] == [QUESTION, "and where is it called"]
    assert shown[0]["stale"]

    again = lines(call("threads", "again", first["turnId"], "--json"))[-1]
    assert again["turnId"] not in {turn["turnId"] for turn in shown}
    assert "no model wrote this answer" in call("threads", "replay", "last", code=1).stderr.lower()
    assert QUESTION in call("threads", "delete", "last").stdout
    assert "no thread" in call("threads", "show", first["threadId"], code=1).stderr


def test_the_model_goes_on_and_is_replayed(call, smollm2):
    folder = f"{os.environ['MEMCACHE_HOME']}/config"
    os.makedirs(folder, mode=0o700, exist_ok=True)
    with open(f"{folder}/config.toml", "w") as file:
        file.write(f"model = {json.dumps(str(smollm2))}\n")
    first = lines(call("ask", "--json", "--max-tokens", "16", QUESTION))[-1]
    again = lines(call("ask", "--json", "--max-tokens", "16", QUESTION))[-1]
    assert (again["cached"], again["answer"], again["turnId"]) == (True, first["answer"], first["turnId"])
    call("ask", "--json", "--max-tokens", "16", "--thread", first["threadId"], "and where is it called")
    for number in (1, 2):
        replayed = lines(call("threads", "replay", f"{first['threadId']}.{number}", "--json"))[-1]
        assert replayed["identical"]


def test_drop_forgets_the_threads_too(call):
    call("ask", "--no-model", QUESTION)
    assert "Forgot" in call("index", "--drop").stdout
    assert call("threads").stdout == ""


@pytest.mark.parametrize("words", [("show",), ("list", "t1"), ("show", "t0000000000"), ("delete", "last")])
def test_what_cannot_be_done_is_one_sentence(call, words):
    done = call("threads", *words, code=2 if words in {("show",), ("list", "t1")} else 1)
    assert done.stderr.count("\n") == 1
