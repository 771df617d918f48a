"""The command line as its users meet it, with the daemon and without: the real process, its streams, its exit code."""

import contextlib
import functools
import json
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import confined
import pytest
from told import sentences

import memcache_lsp
from memcache_lsp import rendezvous

QUESTIONS = json.loads((Path(__file__).parent.parent / "examples" / "courier-questions.json").read_text())


MODES = {"daemon": (), "no-daemon": ("--no-daemon",)}
MODE = "daemon"  # of the test that runs


@pytest.fixture(autouse=True, params=MODES)
def mode(request, monkeypatch):
    monkeypatch.setattr(sys.modules[__name__], "MODE", request.param)
    return request.param


def command_line(command, *arguments):
    mode = MODES[MODE] if command in {"index", "search", "ask", "explain"} else ()
    return [sys.executable, "-m", "memcache_lsp", str(command), *mode, *map(str, arguments)]


def run(*arguments, code=0, stdin=None, cwd=None, without=None, **environment):
    command = command_line(*arguments)
    done = subprocess.run(
        confined.command(without, *command) if without else command,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=120,
        cwd=cwd,
        env=os.environ | environment,
    )
    assert done.returncode == code, done.stderr + done.stdout
    assert "Traceback" not in done.stderr
    return done


def lines(done):
    return [json.loads(line) for line in done.stdout.splitlines()]


def start(*arguments, **options):
    return subprocess.Popen(
        command_line(*arguments),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def test_help_and_version_load_nothing_heavy():
    heavy = ["numpy", "qdrant_edge", "tree_sitter", "tokenizers", "llama_cpp", "torch", "pygls", "rich", "sqlite3"]
    code = (
        "import sys, memcache_lsp, memcache_lsp.__main__ as m\n"
        "try:\n    m.sys.argv = ['memcache-lsp', '--help']; m.main()\nexcept SystemExit: pass\n"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.splitlines()[-1] == "[]"
    assert run("--version").stdout.strip() == f"memcache-lsp {memcache_lsp.__version__}"


@pytest.mark.parametrize("command", ["index", "search", "ask", "status", "doctor", "models", "eval", "explain"])
def test_every_command_has_help(command):
    assert "--json" in run(command, "--help").stdout


def test_index_counts(example):
    done = run("index", "--root", example)
    assert "files added" in done.stdout
    assert "0 files added" in run("index", "--root", example).stdout
    *progress, result = lines(run("index", "--root", example, "--json", "--rebuild"))
    assert result["type"] == "result"
    assert result["added"] > 10
    assert result["failed"] == []
    assert [p["done"] for p in progress] == sorted(p["done"] for p in progress)
    assert progress[-1]["done"] == progress[-1]["total"] == result["added"]


def test_search_indexes_by_itself_and_prints_places(example):
    done = run("search", "--root", example, "dead letters")
    first = done.stdout.splitlines()[0]
    place = first.split("  ")[0]
    path, span = place.rsplit(":", 1)
    begin, end = map(int, span.split("-"))
    shown = (example / path).read_text().splitlines()[begin - 1 : end]
    assert "dead" in "\n".join(shown).lower()


def test_search_json_prints_hits_and_nothing_else(example):
    found = lines(run("search", "--root", example, "--json", "--limit", "4", "how is a webhook signature checked"))
    hits = [hit for hit in found if not hit.pop("partial", False)]
    assert len(hits) == 4
    for hit in hits:
        assert list(hit) == [
            "path",
            "startLine",
            "endLine",
            "score",
            "symbol",
            "kind",
            "language",
            "breadcrumb",
            "snippet",
        ]
        text = (example / hit["path"]).read_text().splitlines()
        assert hit["snippet"].splitlines()[0].strip() in text[hit["startLine"] - 1]
        assert 1 <= hit["startLine"] <= hit["endLine"] <= len(text)
    assert "webhooks" in hits[0]["path"]


def test_search_explains_its_hits(example):
    arguments = ("search", "--root", example, "--explain", "how is a webhook signature checked")
    hits = [hit for hit in lines(run(*arguments, "--json")) if not hit.get("partial")]
    for hit in hits:
        assert hit["signals"]
        assert sum(hit["signals"].values()) == pytest.approx(hit["score"], abs=1e-3)
        assert 0 not in hit["signals"].values()
    shown = run(*arguments).stdout
    assert shown.count(" = ") >= len(hits)
    name, value = max(hits[0]["signals"].items(), key=lambda signal: signal[1])
    assert f"{hits[0]['score']:8.3f} = {name} {value:+.3f}" in shown


@pytest.fixture
def odd(example):
    """Return a project with a file for each fate."""
    (example / ".gitignore").write_text("/ignored.py\n/build/\n")
    (example / "build").mkdir()
    for name in ("ignored.py", "build/made.py", "fine.py"):
        (example / name).write_text("def okapi():\n    return 1\n")
    (example / "uv.lock").write_text("version = 1\n")
    (example / "data.py").write_bytes(b"a = 1\0\0\1\2")
    (example / "long.py").write_text("x = [" + "1, " * 30_000 + "]\n" + "y = 2\n" * 70_000)
    (example / "link.py").symlink_to("fine.py")
    return example


@pytest.mark.parametrize(
    ("path", "indexed", "reason"),
    [
        ("fine.py", True, "It is indexed as python, in 1 piece."),
        ("ignored.py", False, "It is not indexed: ignored: .gitignore line 1, /ignored.py."),
        ("build/made.py", False, "It is not indexed: ignored: .gitignore line 2, /build/."),
        ("uv.lock", False, "It is not indexed: lock file: written by a package manager."),
        ("data.py", False, "It is not indexed: binary: its content is not text."),
        ("link.py", False, "It is not indexed: link: symbolic links are not followed."),
        ("gone.py", False, "It is not indexed: missing: there is no such file."),
        ("docs", False, "It is not indexed: folder: only files are indexed."),
    ],
)
def test_explain_tells_why_a_file_is_indexed_or_not(odd, path, indexed, reason):
    told = lines(run("explain", "--root", odd, "--json", path))
    assert told == [{"path": path, "indexed": indexed, "reason": reason}]


def test_explain_tells_what_was_left_out(odd):
    told = run("explain", "--root", odd, "long.py").stdout
    assert re.fullmatch(
        r"long\.py: It is indexed as python, in \d+ pieces, but a line of more than 20,000 characters, "
        r"so it was split by lines\.\n",
        told,
    )


def test_explain_takes_paths_as_they_are_seen(odd, tmp_path):
    below = odd / "courier"
    for path, cwd in (("retry.py", below), ("courier/retry.py", below), (below / "retry.py", tmp_path)):
        told = lines(run("explain", "--root", odd, "--json", path, cwd=cwd))
        assert (told[0]["path"], told[0]["indexed"]) == ("courier/retry.py", True)
    assert "lies outside" in run("explain", "--root", odd, "../other.py", code=2, cwd=odd).stderr
    assert "is empty" in run("explain", "--root", odd, "", code=2).stderr


def test_search_takes_its_scope(example):
    hits = lines(run("search", "--root", example, "--json", "retry", "--glob", "docs/", "--language", "markdown"))
    assert {hit["path"] for hit in hits} == {"docs/retries.md"}
    assert run("search", "--root", example, "--json", "retry", "--kind", "macro", code=3).stdout == ""


def test_batch_answers_each_query_with_a_line(example):
    run("index", "--root", example)
    queries = [{"id": 1, "query": "retry"}, {"id": "x", "query": "zzz qqq"}, {"id": None, "query": ""}]
    answers = lines(
        run("search", "--root", example, "--json", "--batch", stdin="\n".join(map(json.dumps, queries)) + "\n\n")
    )
    assert [answer["id"] for answer in answers] == [1, "x", None]
    assert answers[0]["hits"]
    assert answers[2]["hits"] == []
    done = run("search", "--root", example, "--json", "--batch", stdin='{"id": 1}\n', code=1)
    assert "Line 1 of the batch" in done.stderr


@pytest.mark.parametrize("entry", [q for q in QUESTIONS if q["path"] is None], ids=lambda q: q["question"])
def test_what_is_not_in_the_project_is_said_so(example, entry):
    done = run("ask", "--root", example, "--no-model", entry["question"], code=3)
    assert "Nothing in the index" in done.stdout


def test_the_right_place_is_among_the_sources(example):
    """Most of the example's questions have their one right place in the first five hits."""
    run("index", "--root", example)
    queries = [q for q in QUESTIONS if q["path"]]
    stdin = "".join(json.dumps({"id": i, "query": q["question"]}) + "\n" for i, q in enumerate(queries))
    answers = lines(run("search", "--root", example, "--json", "--batch", "--limit", "5", stdin=stdin))
    found = 0
    for query, answer in zip(queries, answers, strict=True):
        text = (example / query["path"]).read_text().splitlines()
        found += any(
            hit["path"] == query["path"] and query["contains"] in "\n".join(text[hit["startLine"] - 1 : hit["endLine"]])
            for hit in answer["hits"]
        )
    assert found >= 0.75 * len(queries)


def test_ask_without_a_model_quotes_the_evidence(example):
    done = run("ask", "--root", example, "--no-model", "what happens to a parcel that fails too often?")
    assert done.stdout.startswith("Sources\n  [1] ")
    assert "[1]" in done.stdout.split("\n\n", 1)[1]
    assert "Cited" in done.stdout


def test_ask_says_once_that_there_is_no_model(example):
    done = run("ask", "--root", example, "what happens to a parcel that fails too often?")
    assert done.stderr.count("models pull") == 1


def test_ask_json_is_the_protocols_events(example):
    events = lines(
        run("ask", "--root", example, "--json", "--no-model", "what happens to a parcel that fails too often?")
    )
    kinds = [event["type"] for event in events]
    assert kinds[0] == "sources"
    assert kinds[-1] == "result"
    assert {"delta", "citation"} <= set(kinds)
    result = events[-1]
    assert result["finishReason"] == "extract"
    assert result["answer"] == "".join(event["text"] for event in events if event["type"] == "delta")
    for citation in result["citations"]:
        text = (example / citation["path"]).read_text().splitlines()
        quoted = "\n".join(text[citation["startLine"] - 1 : citation["endLine"]])
        assert quoted.strip()


def test_ask_streams_an_answer_from_a_model(example, smollm2):
    events = lines(
        run("ask", "--root", example, "--json", "--model", smollm2, "--max-tokens", "24", "how are retries delayed")
    )
    assert events[0]["type"] == "sources"
    assert sum(event["type"] == "delta" for event in events) > 3
    result = events[-1]
    assert result["finishReason"] in {"stop", "length"}
    assert 0 < result["usage"]["answerTokens"] <= 24
    assert result["evidence"]["read"] >= 1


def test_ask_stops_while_the_prompt_is_read(example, smollm2):
    run("index", "--root", example)
    process = start("ask", "--root", example, "--json", "--model", smollm2, "how are retries delayed")
    for line in process.stdout:
        if json.loads(line)["type"] == "stage":
            break
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert '"result"' not in out
    assert run("search", "--root", example, "retry").stdout  # the lock is free, the index whole


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_indexing_stops_when_told(tmp_path, sent):
    root = tmp_path / "big"
    root.mkdir()
    for number in range(1500):
        (root / f"m{number}.py").write_text(
            "\n".join(f"def f{i}_{number}(a):\n    return a + {i}\n" for i in range(40))
        )
    process = start("index", "--root", root, "--json")
    process.stdout.readline()
    process.send_signal(sent)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    (told,) = sentences(err)
    assert told in {"memcache-lsp: Stopped; what is indexed so far is kept.", "memcache-lsp: Stopped."}


def test_a_killed_index_is_repaired_by_the_next_command(tmp_path, mode):
    root = tmp_path / "big"
    root.mkdir()
    for number in range(400):
        (root / f"m{number}.py").write_text(
            "\n".join(f"def f{i}_{number}(a):\n    return a + {i}\n" for i in range(30))
        )
    process = start("index", "--root", root, "--json")
    for line in process.stdout:
        if json.loads(line)["done"] > 0:
            break
    os.kill(process.pid if mode == "no-daemon" else rendezvous.holder(), signal.SIGKILL)
    process.communicate(timeout=30)
    assert "unfinished" in run("status", "--root", root).stdout
    result = lines(run("index", "--root", root, "--json"))[-1]
    assert result["added"] + result["unchanged"] + result["changed"] == 400
    assert result["unchanged"] > 0
    assert lines(run("status", "--root", root, "--json"))[0]["files"] == 400


def test_a_closed_pipe_ends_the_command_quietly(example):
    process = start("search", "--root", example, "--limit", "50", "--json", "parcel")
    process.stdout.close()
    assert process.wait(60) == 1
    assert process.stderr.read() == ""
    process.stderr.close()


BAD_INPUT = {
    "no such root": (["search", "--root", "{tmp}/none", "x"], 1, "There is no folder"),
    "a root that is a file": (["search", "--root", "{tmp}/file", "x"], 1, "is a file"),
    "an empty question": (["ask", "--root", "{tmp}", "  "], 2, "question is empty"),
    "no question": (["ask", "--root", "{tmp}"], 2, "question is empty"),
    "an empty query": (["search", "--root", "{tmp}", ""], 2, "query is empty"),
    "an unknown command": (["serch"], 2, "--help"),
    "a bad number": (["search", "--limit", "0", "x"], 2, "whole number above 0"),
    "a batch without json": (["search", "--batch", "x"], 2, "--json"),
    "two ways of no model": (["ask", "--root", "{tmp}", "--model", "x", "--no-model", "q"], 2, "exclude each other"),
    "a model that is not there": (["ask", "--root", "{tmp}", "--model", "nothing", "q"], 1, "There is no model"),
    "a model that is no model": (["ask", "--root", "{tmp}", "--model", "{tmp}/file", "def"], 1, "GGUF"),
    "an unknown model to pull": (["models", "pull", "gpt"], 2, "takes one of"),
}


@pytest.mark.parametrize("name", BAD_INPUT)
def test_bad_input_gets_one_sentence(tmp_path, name):
    arguments, code, expected = BAD_INPUT[name]
    (tmp_path / "file").write_text("def x():\n    pass\n")
    done = run(*(a.format(tmp=tmp_path) for a in arguments), code=code)
    assert expected in done.stderr
    (told,) = sentences(done.stderr)
    assert told.startswith("memcache-lsp: ")
    assert "Traceback" not in done.stderr


WRONG_SETTINGS = {
    "threads": ("threads = 100000", "threads must be"),
    "context": ("context_tokens = 1", "context_tokens must be"),
    "server": ('qdrant_url = "http://[bad"', "qdrant_url"),
    "embedder": ('embedder = "no/such"', "embedder"),
}


@pytest.mark.parametrize("name", WRONG_SETTINGS)
def test_a_bad_setting_is_told(example, name):
    line, expected = WRONG_SETTINGS[name]
    config = Path(os.environ["MEMCACHE_HOME"]) / "config" / "config.toml"
    config.parent.mkdir(exist_ok=True)
    config.write_text(line + "\n")
    code = 1 if name in {"server", "embedder"} else 0
    if not code:
        run("index", "--root", example)
    done = run("search", "--root", example, "retry", code=code, HF_HUB_OFFLINE="1")
    assert expected in done.stderr
    assert len(sentences(done.stderr)) == 1


def test_a_process_without_streams_ends_quietly(example):
    run("index", "--root", example)
    program = f'"{sys.executable}" -m memcache_lsp'
    own = " ".join(MODES[MODE])
    for command in ("search --json retry >&-", "search retry - <&-", "search --json --batch <&-", "index --json >&-"):
        done = subprocess.run(
            ["bash", "-c", f'{program} {command} {own} --root "$0"', str(example)], capture_output=True, text=True
        )
        assert "Traceback" not in done.stderr, command


def test_arguments_that_are_no_text_are_borne(example):
    for option in ("--glob", "--language", "--kind"):
        command = map(os.fsencode, command_line("search", "--root", example))
        done = subprocess.run([*command, option.encode(), b"\xff", b"retry\xff"], capture_output=True)
        assert done.returncode in {2, 3}
        assert b"Traceback" not in done.stderr


def test_a_pipe_is_no_model(example, tmp_path):
    os.mkfifo(tmp_path / "model.gguf")
    done = run("ask", "--root", example, "--model", tmp_path / "model.gguf", "retry", code=1)
    assert "not a GGUF file" in done.stderr


def test_a_deleted_project_can_be_forgotten(example):
    run("index", "--root", example)
    shutil.rmtree(example)
    assert "Forgot" in run("index", "--root", example, "--drop").stdout


def test_our_own_folders_are_not_indexed(example):
    home = example / "own [folder]"
    home.mkdir()
    for _ in range(2):
        result = lines(run("index", "--root", example, "--json", MEMCACHE_HOME=str(home)))[-1]
    assert (result["added"], result["changed"]) == (0, 0)
    run("stop", MEMCACHE_HOME=str(home))


def test_lines_are_counted_as_editors_count_them(tmp_path):
    text = 'import os\n\x0c\ndef formfeed_one():\n    x = "a\u2028b"\n    y = 2\n    return "giraffe"\n'
    (tmp_path / "a.py").write_text(text)
    hit = lines(run("search", "--root", tmp_path, "--json", "formfeed_one"))[0]
    assert hit["snippet"] in text
    shown = run("search", "--root", tmp_path, "formfeed_one").stdout
    assert '6      return "giraffe"' in shown


def test_a_long_ignore_file_counts(tmp_path):
    (tmp_path / ".gitignore").write_text("".join(f"pattern{n}*/**/x{n}\n" for n in range(30_000)) + "private.txt\n")
    (tmp_path / "private.txt").write_text("hush zebrafish\n")
    assert {h["path"] for h in lines(run("search", "--root", tmp_path, "--json", "zebrafish"))} <= {".gitignore"}


def test_control_characters_of_a_project_do_not_reach_the_terminal(tmp_path):
    (tmp_path / "evil.md").write_text(
        "# Title \x1b]0;pwned\x07\n\nzebra \x1b[2J crossing \u202e\n" + "More words.\n" * 100
    )
    for arguments in (["search", "zebra"], ["ask", "--no-model", "zebra crossing"]):
        out = run(*arguments, "--root", tmp_path).stdout
        assert "zebra" in out
        assert not set("\x1b\x07\u202e") & set(out)


def test_on_a_terminal_the_answer_goes_to_stdout_whole(example, smollm2):
    """With stderr a terminal, where the bar is drawn, and stdout a pipe; and with both."""
    run("index", "--root", example)
    master, slave = pty.openpty()
    arguments = ["ask", "--root", example, "--model", smollm2, "--max-tokens", "12", "how are retries delayed"]
    process = subprocess.Popen(command_line(*arguments), stdout=subprocess.PIPE, stderr=slave, text=True)
    os.close(slave)
    drawn = b""
    with contextlib.suppress(OSError):  # the terminal is gone with the process
        while piece := os.read(master, 4096):
            drawn += piece
    os.close(master)
    out = process.stdout.read()
    process.stdout.close()
    assert process.wait(60) == 0
    sources, answer = out.split("\n\n", 1)
    assert sources.startswith("Sources")
    assert len(answer.split("\n\nCited")[0].split()) > 3
    assert b"Reading the evidence" in drawn


def test_the_home_folder_is_indexed_only_when_named(tmp_path):
    done = run("search", "x", code=1, cwd=tmp_path, HOME=str(tmp_path))
    assert f"--root {tmp_path}" in done.stderr


def test_an_empty_project_has_no_hits(tmp_path):
    run("search", "--root", tmp_path, "anything", code=3)
    assert "Nothing in the index" in run("ask", "--root", tmp_path, "anything", code=3).stdout


def test_status_tells_how_much_the_latest_answer_read(example):
    run("ask", "--root", example, "--no-model", "what happens to a parcel that fails too often?")
    told = re.search(r"the latest answer read (\d+) of the (\d+) places", run("status", "--root", example).stdout)
    assert (told is not None) == (MODE == "daemon")
    assert told is None or 0 < int(told[1]) <= int(told[2])


def test_status_names_what_is_not_indexed(example):
    assert "not indexed yet" in run("status", "--root", example).stdout
    (example / ".env").write_text("KEY=1\n")
    (example / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n\0\0")
    run("index", "--root", example)
    out = run("status", "--root", example, "--all").stdout
    assert ".env" in out
    assert "picture.png" in out
    status = lines(run("status", "--root", example, "--json"))[0]
    assert status["files"] > 10
    assert status["failed"] == []


def test_drop_forgets_the_project(example):
    run("index", "--root", example)
    assert "Forgot" in run("index", "--root", example, "--drop").stdout
    assert "not indexed yet" in run("status", "--root", example).stdout


def test_doctor_checks_and_advises(example):
    out = run("doctor", "--root", example).stdout
    assert f"memcache-lsp {memcache_lsp.__version__}" in out
    assert "models pull" in out
    assert "is not indexed" in out
    config = Path(os.environ["MEMCACHE_HOME"]) / "config" / "config.toml"
    config.parent.mkdir(exist_ok=True)
    config.write_text("nonsense = 1\n")
    assert "nonsense" in run("doctor", "--root", example, code=1).stdout


def test_another_embedder_is_named_in_the_settings(example, minilm):
    run("index", "--root", example)
    config = Path(os.environ["MEMCACHE_HOME"]) / "config" / "config.toml"
    config.parent.mkdir(exist_ok=True)
    config.write_text(f"embedder = {json.dumps(str(minilm))}\n")
    done = run("search", "--root", example, "--json", "what happens to a parcel that fails too often")
    assert "embedder changed" in done.stderr
    assert any("retries" in hit["path"] for hit in lines(done))
    config.write_text('embedder = "no/such-model"\n')
    code = 1 if MODE == "no-daemon" else 0  # the daemon has the index open as it was
    failed = run("search", "--root", example, "parcel", code=code, HF_HUB_OFFLINE="1")
    assert "no/such-model cannot be loaded" in failed.stderr
    assert len(sentences(failed.stderr)) == 1


def test_models_lists_what_is_here(example):
    assert "qwen2.5-coder-0.5b-instruct" in run("models").stdout
    names = [row["name"] for row in lines(run("models", "list", "--json"))]
    assert "smollm2-135m-instruct" in names


def test_a_secret_is_never_shown_or_stored(example):
    secret = "ghp_" + "a1B2c3D4e5F6g7H8i9J0" + "k1L2m3N4o5P6q7R8"
    (example / "courier" / "leak.py").write_text(f'TOKEN = "{secret}"\n\n\ndef leak_token():\n    return TOKEN\n')
    done = run("search", "--root", example, "--json", "leak_token")
    assert any(hit["path"] == "courier/leak.py" for hit in lines(done))
    assert secret not in done.stdout
    for path in Path(os.environ["MEMCACHE_HOME"]).rglob("*"):
        if path.is_file():
            assert secret.encode() not in path.read_bytes()


def test_a_bad_file_costs_only_itself(tmp_path):
    """Everything that breaks tools of this kind, in one project that is then searched."""
    user = functools.partial(run, without="privileges")  # root would read what is unreadable
    root = tmp_path / "hostile"
    root.mkdir()
    (root / "good.py").write_text("def find_the_needle():\n    return 1\n")
    (root / "random.py").write_bytes(os.urandom(5000))
    (root / "long.js").write_text("x = [" + "1," * 5_000_000 + "]")
    (root / "huge_line.txt").write_text("word " * 150_000)
    (root / "latin.py").write_bytes("# caf\xe9 needle_latin\nx = 1\n".encode("latin-1"))
    (root / "deep.py").write_text("(" * 20_000 + ")" * 20_000)
    (root / "deep.json").write_text("[" * 50_000 + "]" * 50_000)
    (root / "broken.py").write_text("def (:\n  class class\n" * 50)
    (root / "nul.py").write_bytes(b"x = 1\0\n")
    (root / "surrogate.py").write_bytes(b"x = '\xed\xa0\x80'\n")
    (root / "empty.py").write_bytes(b"")
    (root / "blank.py").write_text("\n \n\t\n")
    (root / "separators.py").write_text("a = 1\x0c\x0bb = 2\u2028c = 3\u2029\x85d = 4\r\ne = 5\rf = 6\n")
    os.mkfifo(root / "pipe.py")
    (root / "loop").symlink_to(root)
    (root / "dangling.py").symlink_to(root / "nowhere.py")
    (root / "self.py").symlink_to(root / "self.py")
    with open(os.fsencode(root) + b"/bad\xff\xfename.py", "w") as file:
        file.write("x = 1\n")
    deep = root
    for _ in range(300):
        deep /= "d"
        deep.mkdir()
    (deep / "bottom.py").write_text("def at_the_bottom():\n    pass\n")
    (root / "unreadable.py").write_text("x = 1\n")
    (root / "unreadable.py").chmod(0)
    result = lines(user("index", "--root", root, "--json"))[-1]
    assert result["failed"] == []
    hit = lines(user("search", "--root", root, "--json", "--limit", "1", "find_the_needle"))[0]
    assert (hit["path"], hit["startLine"]) == ("good.py", 1)
    assert "bottom.py" in lines(user("search", "--root", root, "--json", "--limit", "1", "at_the_bottom"))[0]["path"]
    assert lines(user("search", "--root", root, "--json", "--limit", "1", "needle_latin"))[0]["path"] == "latin.py"
    status = lines(user("status", "--root", root, "--json"))[0]
    named = {skipped["path"] for skipped in status["skipped"]}
    assert {"random.py", "long.js", "pipe.py", "loop", "dangling.py", "self.py", "nul.py", "unreadable.py"} <= named
    assert any("bad" in path for path in named)


def test_ask_about_a_file_or_lines_of_it(example):
    whole = lines(run("ask", "--root", example, "--json", "--no-model", "--about", "courier/queue.py"))
    assert {item["path"] for item in whole[0]["items"]} == {"courier/queue.py"}
    part = lines(run("ask", "--root", example, "--json", "--no-model", "--about", "courier/retry.py:51-60"))
    first = part[0]["items"][0]
    assert (first["path"], first["startLine"], first["endLine"]) == ("courier/retry.py", 51, 60)
    for result in (whole[-1], part[-1]):
        assert result["finishReason"] == "extract"
        assert result["citations"]
        assert {citation["status"] for citation in result["citations"]} == {"fresh"}
        assert result["unsupported"] == []


@pytest.mark.parametrize(
    ("about", "code", "told"),
    [
        ("courier/retry.py:9-3", 2, "FIRST-LAST"),
        ("nothing.py", 1, "There is no text"),
        ("/etc/passwd", 2, "outside"),
        ("courier/retry.py:99999", 1, "There is no line 99999 in courier/retry.py: it has"),
    ],
)
def test_ask_about_what_is_not_there(example, about, code, told):
    done = run("ask", "--root", example, "--no-model", "--about", about, code=code)
    assert told in done.stderr
    assert len(sentences(done.stderr)) == 1


def test_ask_what_calls_some_lines_finds_callers(example):
    text = (example / "courier/retry.py").read_text().splitlines()
    at = next(n for n, line in enumerate(text, 1) if "def from_settings" in line)
    command = ("ask", "--root", example, "--json", "--no-model", "--about", f"courier/retry.py:{at}")
    items = lines(run(*command, "What calls this?"))[0]["items"]
    assert "courier/dispatcher.py" in {item["path"] for item in items}
    for item in items:
        text = (example / item["path"]).read_text().splitlines()[item["startLine"] - 1 : item["endLine"]]
        assert any("from_settings" in line and "def " not in line for line in text)


def test_what_calls_a_name_lists_its_uses(example):
    events = lines(run("ask", "--root", example, "--json", "--no-model", "what calls from_settings?"))
    items = events[0]["items"]
    assert all("from_settings" in item["snippet"] for item in items)
    assert "courier/dispatcher.py" in {item["path"] for item in items}
