"""Questions made of a project, what their answers are worth, and the command that asks them."""

import contextlib
import itertools
import json
import math
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import indexes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memcache_lsp import cli
from memcache_lsp.cli import eval as eval_command
from memcache_lsp.engine import open_project
from memcache_lsp.evaluating import comments, history, metrics, questions, trial
from memcache_lsp.evaluating.comments import DocComment
from memcache_lsp.evaluating.history import Commit
from memcache_lsp.evaluating.questions import Question, Target
from memcache_lsp.languages import LANGUAGES
from memcache_lsp.values import Document, Hit, Span


def document(text, language="python"):
    return Document(f"a.{language}", text, language)


# Doc comments

COMMENTS = {
    "python": ('@cached\ndef f(\n    a: dict[str, int],  # of all\n) -> int:\n    """Do this.\n\n    At once.\n    """\n    return 1\n', "Do this.\n\nAt once.", (1, 9)),
    "python one line": ("class A:\n    'Do this.'\n    b = 1\n", "Do this.", (1, 3)),
    "python comment": ("# Do this.\ndef f(): return {1: 'a'}\n", "Do this.", (1, 2)),
    "go": ("package a\n\n// F does this.\n// At once.\nfunc F() int {\n\treturn 1\n}\n", "F does this.\nAt once.", (3, 7)),
    "rust": ("/// Do this.\n#[inline]\npub fn f() -> u8 {\n    1\n}\n", "Do this.", (1, 5)),
    "java": ("class A {\n    /**\n     * Do this.\n     * @return one\n     */\n    @Override\n    int f() { return 1; }\n}\n", "Do this.\n@return one", (2, 7)),
    "haskell": ("module A where\n\n-- | Do this.\nf :: Int -> Int\nf x = x\n", "Do this.", (3, 5)),
    "lua": ("--- Do this.\nlocal function f()\n  return 1\nend\n", "Do this.", (1, 4)),
    "elixir": ('defmodule A do\n  @doc """\n  Do this.\n  """\n  @spec f() :: integer\n  def f do\n    1\n  end\nend\n', "Do this.", (2, 8)),
    "elisp": ('(defun f (a)\n  "Do \\"this\\"."\n  (+ a 1))\n', 'Do \\"this\\".', (1, 3)),
    "csharp": ("class A\n{\n    /// <summary>\n    /// Do this.\n    /// </summary>\n    [Obsolete]\n    int F() { return 1; }\n}\n", "<summary>\nDo this.\n</summary>", (3, 7)),
}  # fmt: skip


@pytest.mark.parametrize("name", COMMENTS)
def test_doc_comments_of_a_language(name):
    text, said, lines = COMMENTS[name]
    found = comments.doc_comments(document(text, name.split()[0]))
    assert [(c.text, c.start_line, c.end_line) for c in found] == [(said, *lines)]


@pytest.mark.parametrize(
    "text", ["def f():\n    return 1\n", "x = 1  # Of this file.\n", "", "def f(\n", '"""A module."""\n']
)
def test_what_is_no_doc_comment(text):
    assert comments.doc_comments(document(text)) == []


def test_only_what_is_meant_becomes_blank():
    text = '"""Module."""\n\ndef f():\n    """Do this."""\n\ndef g():\n    """Do that.\n\n    Twice.\n    """\n    return "Do that."\n'
    blank = comments.without(document(text), lambda comment: comment.name == "g").text
    assert blank == text.replace("Do that.\n", "        \n").replace("Twice.", "      ")


CODE = st.lists(
    st.sampled_from(["def f(a,", "):", "class A:", '    """Do', '"""', "'", "# x", "    /* b", "*/", "--[[ c", "]]",
                     "// d", "fn f() {", "}", "", "\r", '@doc """', "(defun f ()", '  "e"', "{- | g", "-}", "f = 1"]),
    max_size=14,
).map("\n".join)  # fmt: skip


@settings(deadline=None)  # the first example loads a grammar
@given(CODE, st.sampled_from(["python", "rust", "elixir", "elisp", "haskell", "lua", "php", "sql"]))
def test_blanks_keep_every_offset_and_line(text, language):
    whole = document(text, language)
    blank = comments.without(whole, lambda _: True).text
    assert len(blank) == len(text)
    assert all(now in {was, " "} for was, now in zip(text, blank, strict=True))
    for comment in comments.doc_comments(whole):
        assert 1 <= comment.start_line <= comment.end_line
        assert list(comment.spans) == sorted(comment.spans)
        assert all(not set("\r\n").intersection(text[start:end]) for start, end in comment.spans)


def test_every_language_with_a_grammar_can_be_read():
    for key, language in LANGUAGES.items():
        if language.grammar:
            comments.doc_comments(document("# a\n// b\nf = 1\n", key))


# Questions


@pytest.mark.parametrize(
    ("said", "asked"),
    [
        ("Move a parcel to the next stop. Then wait.", "Move a parcel to the next stop."),
        ("Move a parcel, e.g. by hand, to\nthe next stop.\n\nMore.", "Move a parcel, e.g. by hand, to the next stop."),
        ("<summary>\nMove a parcel along.\n</summary>", "Move a parcel along."),
        ("name moves a parcel along", "moves a parcel along"),
        ("Move a :class:`~a.Parcel` along the `route`.", "Move a a.Parcel along the route."),
        ("Move a {@link Parcel} along\n@param a the parcel", "Move a Parcel along"),
        ("- Move a parcel along", "Move a parcel along"),
        ("Does it.", None),
        ("Licensed under the terms of the GNU public licence.", None),
        ("TODO: move a parcel along the route", None),
        ("if parcel.moves: route[parcel] = {1: 2};", None),
        ("=============== ---- ===", None),
        ("Move " + "a parcel along the route " * 20, None),
        ("", None),
    ],
)
def test_a_doc_comment_becomes_a_question(said, asked):
    question = questions.of_comment("a.py", DocComment("name", 3, 9, said, ()))
    assert (question and question.text) == asked
    if question:
        assert (question.targets, question.comment) == ((Target("a.py", 3, 9),), said)


@pytest.mark.parametrize(
    ("subject", "body", "asked"),
    [
        ("Retry parcels that were refused", "", "Retry parcels that were refused"),
        ("fix(api): retry parcels that were refused (#12)", "", "retry parcels that were refused"),
        ("Retry refused parcels", "The courier gave up too early.\n\nMore.", "Retry refused parcels. The courier gave up too early."),
        ("Retry refused parcels (fixes #12)", "Signed-off-by: A B <a@b>", "Retry refused parcels"),
        ("Retry parcels that were refused again", "* a\n* b", "Retry parcels that were refused again"),
        ("Merge branch 'retry' into main of the parcels", "", None),
        ('Revert "Retry parcels that were refused"', "", None),
        ("Fix typo in the retry documentation", "", None),
        ("Bump requests from 1.2 to 1.3", "", None),
        ("Update all dependencies of the courier", "", None),
        ("Prepare release 1.2 of courier", "", None),
        ("chore: move retry tests around", "", None),
        ("Run black over courier package", "", None),
        ("wip", "", None),
        ("1.2.3", "", None),
    ],
)  # fmt: skip
def test_a_commit_becomes_a_question(subject, body, asked):
    question = questions.of_commit(Commit(subject, body, ("a.py", "b.py")), lambda _: True)
    assert (question and question.text) == asked
    if question:
        assert question.targets == (Target("a.py"), Target("b.py"))


@pytest.mark.parametrize(
    ("touched", "wanted"),
    [
        (("a.py",), ("a.py",)),
        (("a.py", "CHANGES.rst"), ("a.py",)),
        (("a.py", "b.py", "docs/changelog.md", "gone.py"), ("a.py", "b.py")),
        (("a.py", "gone1", "gone2"), None),
        (("gone.py",), None),
        (("CHANGES.rst",), None),
        ((), None),
        (tuple(f"{n}.py" for n in range(6)), None),
    ],
)
def test_a_commits_answer_is_what_it_touched_and_is_there(touched, wanted):
    commit = Commit("Retry parcels that were refused", "", touched)
    question = questions.of_commit(commit, lambda path: not path.startswith("gone"))
    assert (question and tuple(target.path for target in question.targets)) == wanted


def ask(kind, n):
    return Question(kind, f"what is {kind} {n}", (Target(f"{n}.py"),))


@pytest.mark.parametrize(
    ("comments_", "commits", "wanted", "taken"),
    [(50, 50, 20, (10, 10)), (50, 3, 20, (17, 3)), (3, 50, 20, (3, 17)), (3, 4, 20, (3, 4)), (0, 0, 20, (0, 0)), (9, 9, 1, (0, 1))],
)  # fmt: skip
def test_a_sample_takes_of_both_kinds(comments_, commits, wanted, taken):
    there = [ask("docstring", n) for n in range(comments_)] + [ask("commit", n) for n in range(commits)]
    sample = questions.sample(there, wanted)
    assert tuple(sum(q.kind == kind for q in sample) for kind in questions.KINDS) == taken
    assert questions.sample(there[::-1], wanted) == sample


def test_a_sample_hardly_changes_with_the_project():
    there = [ask("docstring", n) for n in range(100)]
    before = questions.sample(there[1:], 20)
    assert len(set(before) & set(questions.sample(there, 20))) >= 19


def test_what_is_asked_of_two_places_is_not_asked():
    twice = Question("docstring", "What is it", (Target("b.py"),))
    there = [ask("docstring", 1), Question("docstring", "what IS it", (Target("a.py"),)), twice]
    assert questions.distinct(there) == there[:1]


# What answers are worth


def test_ndcg_by_hand():
    assert metrics.ndcg([0], 1) == 1
    assert metrics.ndcg([], 1) == metrics.ndcg([], 0) == metrics.ndcg([10], 1) == 0
    assert metrics.ndcg([1], 1) == pytest.approx(1 / math.log2(3))
    assert metrics.ndcg([0, 2], 2) == pytest.approx((1 + 1 / 2) / (1 + 1 / math.log2(3)))


def test_an_interval_holds_the_mean_and_narrows():
    few, many = (metrics.mean([0.0, 1.0] * n) for n in (10, 1000))
    assert few.low < 0.5 < few.high
    assert many.high - many.low < (few.high - few.low) / 5
    assert many.high - many.low == pytest.approx(2 * 1.96 * 0.5 / math.sqrt(2000), rel=0.1)  # as theory has it
    assert metrics.mean([1.0] * 9) == metrics.Mean(1, 1, 1)
    assert math.isnan(metrics.mean([1.0, 0.0]).low)


def hit(path, first, last):
    return Hit(path, Span(0, 0, first, last), "", "block", "", "python", (), 1.0)


def test_a_targets_rank_is_that_of_the_first_hit_that_shows_it():
    question = Question("docstring", "?", (Target("a.py", 5, 9),))
    hits = [hit("b.py", 1, 99), hit("a.py", 1, 4), hit("a.py", 9, 12), hit("a.py", 5, 5)]
    answer = trial.score(question, hits, ms=1)
    assert (answer.rank, answer.ndcg10) == (3, pytest.approx(0.5))
    elsewhere = trial.score(question, hits[:2], ms=1)
    assert (elsewhere.rank, elsewhere.ndcg10, elsewhere.has_file) == (None, 0, True)
    assert not trial.score(question, hits[:1], ms=1).has_file
    files = Question("commit", "?", (Target("a.py"), Target("c.py")))
    assert trial.score(files, hits, ms=1).rank == 2
    assert trial.score(files, [], ms=1).rank is None


# Git


def git(root, *arguments):
    identity = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgSign=false")
    subprocess.run(["git", "-C", root, *identity, *arguments], check=True, capture_output=True)


def commit(root, message, **files):
    for name, text in files.items():
        (Path(root) / name.replace("_", ".")).write_text(text)
    git(root, "add", ".")
    git(root, "commit", "-m", message)


@pytest.fixture
def repository(tmp_path):
    root = tmp_path / "of ours"
    root.mkdir()
    git(root, "init", "--initial-branch=main")
    return root


def test_commits_are_read_newest_first(repository):
    commit(repository, "One thing\n\nof two\nlines", a_py="1")
    (repository / "in").mkdir()
    (repository / "in" / 'é\n"b.py').write_text("")
    commit(repository, "Another thing", a_py="2")
    git(repository, "commit", "--allow-empty", "-m", "Nothing")
    assert history.commits(repository) == [
        Commit("Nothing", "", ()),
        Commit("Another thing", "", ("a.py", 'in/é\n"b.py')),
        Commit("One thing", "of two\nlines", ("a.py",)),
    ]
    assert history.commits(repository / "in")[1].paths == ('é\n"b.py',)


def test_where_there_is_no_history_it_is_said_why(tmp_path, repository, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    with pytest.raises(history.NoHistory, match="not a git repository"):
        history.commits(tmp_path)
    with pytest.raises(history.NoHistory, match="HEAD"):
        history.commits(repository)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(history.NoHistory, match="not installed"):
        history.commits(repository)


@pytest.mark.parametrize("output", ["", "\x1e", "\x1ea\x1fb", "abc\x1f\x1f\0", "\x1e\x1f\x1f\x1f\0\0"])
def test_a_log_of_another_form_is_no_error(output):
    assert all(isinstance(each, Commit) for each in history.parse(output))


def test_a_hostile_configuration_runs_nothing(repository, tmp_path):
    mark = tmp_path / "ran"
    trap = tmp_path / "trap"
    trap.write_text(f"#!/bin/sh\ntouch '{mark}'\n")
    trap.chmod(0o755)
    (repository / ".gitattributes").write_text("* diff=evil filter=evil\n")
    commit(repository, "Retry parcels that were refused", a_py="1")
    tree = subprocess.run(
        ["git", "-C", repository, "cat-file", "commit", "HEAD"], capture_output=True, text=True
    ).stdout
    head, _, message = tree.partition("\n\n")
    signed = f"{head}\ngpgsig -----BEGIN PGP SIGNATURE-----\n \n -----END PGP SIGNATURE-----\n\n{message}"
    made = subprocess.run(["git", "-C", repository, "hash-object", "-t", "commit", "-w", "--stdin"],
                          input=signed, capture_output=True, text=True, check=True).stdout.strip()  # fmt: skip
    git(repository, "update-ref", "HEAD", made)
    for key in ("core.fsmonitor", "core.pager", "pager.log", "core.sshCommand", "diff.external", "diff.evil.command",
                "diff.evil.textconv", "filter.evil.clean", "filter.evil.smudge", "gpg.program", "core.editor",
                "core.alternateRefsCommand", "uploadpack.packObjectsHook", "alias.log"):  # fmt: skip
        git(repository, "config", key, f"!{trap}" if key.startswith("alias") else str(trap))
    git(repository, "config", "core.hooksPath", str(tmp_path))
    git(repository, "config", "log.showSignature", "true")
    git(repository, "config", "log.diffMerges", "on")
    mark.unlink(missing_ok=True)
    git(repository, "log", "-1")  # what it does to who is not careful
    assert mark.exists()
    mark.unlink()
    assert history.commits(repository) == [Commit("Retry parcels that were refused", "", (".gitattributes", "a.py"))]
    assert not mark.exists()


def test_a_partial_clone_fetches_nothing(repository, tmp_path):
    """Objects that are missing end the log; its remote could be any command."""
    mark = tmp_path / "ran"
    commit(repository, "Retry parcels that were refused", a_py="1")
    commit(repository, "Retry parcels that were refused twice", a_py="2")
    tree = subprocess.run(
        ["git", "-C", repository, "rev-parse", "HEAD~1^{tree}"], capture_output=True, text=True
    ).stdout
    git(repository, "config", "remote.origin.url", f"ext::touch {mark}")
    git(repository, "config", "remote.origin.promisor", "true")
    git(repository, "config", "extensions.partialClone", "origin")
    git(repository, "config", "protocol.ext.allow", "always")
    git(repository, "config", "core.repositoryFormatVersion", "1")
    (repository / ".git" / "objects" / tree[:2] / tree[2:].strip()).unlink()
    subprocess.run(["git", "-C", repository, "log", "--name-only"], capture_output=True)
    assert mark.exists()  # what it does to who is not careful
    mark.unlink()
    with pytest.raises(history.NoHistory):
        history.commits(repository)
    assert not mark.exists()


# Trials

DISPATCH = '''def dispatch(parcel):
    """Hand a parcel over to whichever courier drives nearest."""
    return min(parcel.couriers, key=distance)


def weigh(parcel):
    """Round the mass of everything inside up to kilograms."""
    return -(-parcel.grams // 1000)
'''


@pytest.fixture
def project(repository):
    commit(repository, "Let late parcels overtake the others in the queue", dispatch_py=DISPATCH)
    commit(repository, "Count stamps before an envelope is closed", stamps_py="def stamps(envelope):\n    return 3\n")
    return repository


def test_the_asked_words_are_in_no_index(project, tmp_path):
    setup = indexes.setup(project)
    gathered = trial.gather(setup, 10, max_files=None, show=lambda _: None)
    assert {(q.kind, q.text) for q in gathered.questions} == {
        ("docstring", "Hand a parcel over to whichever courier drives nearest."),
        ("docstring", "Round the mass of everything inside up to kilograms."),
        ("commit", "Let late parcels overtake the others in the queue"),
        ("commit", "Count stamps before an envelope is closed"),
    }
    asked = [q for q in gathered.questions if q.text.startswith("Hand")]
    folder, quiet = tmp_path / "index", lambda _: None
    answers = trial.judge(setup, asked, folder, max_files=None, indexing=quiet, asking=quiet)
    assert [answer.question for answer in answers] == asked
    with contextlib.closing(open_project(setup, purpose="a test", folder=folder)) as opened:
        points, files = indexes.dump(opened)
    assert sorted(files) == ["dispatch.py", "stamps.py"]
    whole = "\n".join(payload.get("text", "") for payload in points.values())
    assert "whichever courier" not in whole
    assert "def dispatch(parcel)" in whole
    assert "Round the mass" in whole  # nobody asked for it


# The command


def run(*arguments, code=0, **options):
    command = [sys.executable, "-m", "memcache_lsp", "eval", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, **options)
    assert done.returncode == code, done.stderr + done.stdout
    assert "Traceback" not in done.stderr
    return done


def lines(text):
    return [json.loads(line) for line in text.splitlines()]


def test_it_tells_what_the_search_is_worth(project, home):
    first, *answers, result = lines(run("--root", project, "--json").stdout)
    assert first == {
        "type": "questions", "count": {"docstring": 2, "commit": 2}, "found": {"docstring": 2, "commit": 2}
    }  # fmt: skip
    assert [answer["type"] for answer in answers] == ["answer"] * 4
    by_text = {answer["question"]: answer for answer in answers}
    weigh = by_text["Round the mass of everything inside up to kilograms."]
    assert weigh["wanted"] == [{"path": "dispatch.py", "startLine": 6, "endLine": 8}]
    stamps = by_text["Count stamps before an envelope is closed"]
    assert (stamps["wanted"], stamps["rank"], stamps["ndcg10"]) == ([{"path": "stamps.py"}], 1, 1)
    assert list(result["kinds"]) == ["docstring", "commit", "all"]
    mean = sum(answer["ndcg10"] for answer in answers) / 4
    assert result["kinds"]["all"]["ndcg10"] == {"mean": pytest.approx(mean, abs=1e-4), "low": None, "high": None}
    assert result["kinds"]["all"]["hit1"] == sum(answer["rank"] == 1 for answer in answers) / 4
    assert not (home / "cache" / "eval").exists()


def test_it_asks_no_more_than_it_is_told(project):
    first, *_ = lines(run("--root", project, "--json", "--questions", "3").stdout)
    assert first["count"] == {"docstring": 1, "commit": 2}


def test_it_leaves_the_users_index_alone(project):
    with indexes.opened(project) as opened:
        opened.update()
        before = indexes.dump(opened)
        run("--root", project)  # though another process holds it
        opened.update()
        assert indexes.dump(opened) == before
    assert (project / "dispatch.py").read_text() == DISPATCH
    assert sorted(path.name for path in project.iterdir()) == [".git", "dispatch.py", "stamps.py"]


def test_it_says_how_few_questions_there_are(project, tmp_path):
    done = run("--root", project)
    assert "Only 4 questions" in done.stderr
    assert "too few" in done.stdout
    assert "NDCG@10" in done.stdout
    plain = tmp_path / "plain"
    plain.mkdir()
    (plain / "a.py").write_text("a = 1\n")
    done = run("--root", plain, code=1, env={**os.environ, "GIT_CEILING_DIRECTORIES": str(tmp_path)})
    assert "No questions are made of commits: not a git repository" in done.stderr
    assert "No question can be made of this project" in done.stderr
    assert done.stdout == ""


def test_it_does_without_git(project, tmp_path):
    done = run("--root", project, env={**os.environ, "PATH": str(tmp_path)})
    assert "No questions are made of commits: git is not installed." in done.stderr
    assert "2 of 2 docstrings and 0 of 0 commits" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--embedder", ""], "--embedder is empty"),
        (["--embedder", "static-code-256"], "is the present embedder"),
        (["--questions", "0"], "no whole number"),
    ],
)
def test_bad_input_gets_one_sentence(project, arguments, sentence):
    done = run("--root", project, *arguments, code=2)
    assert sentence in done.stderr
    assert done.stderr.count("\n") == 1


def test_two_embedders_are_compared_question_by_question(tmp_path, monkeypatch, capsys):
    """One that knows nothing must come out worse, and surely so."""
    for number, (verb, noun) in enumerate(itertools.product(VERBS, NOUNS)):
        text = f'def f{number}():\n    """{verb[0]} the {noun[0]} with great care."""\n    return {verb[1]}_{noun[1]}\n'
        (tmp_path / f"m{number}.py").write_text(text)
    opened = {"": indexes.embedder(), "mute": Mute()}
    monkeypatch.setattr(eval_command, "open_embedder", lambda name: opened[name or ""])
    arguments = ["eval", "--root", str(tmp_path), "--embedder", "mute"]
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert cli.run([*arguments, "--json"]) == 0
    told = lines(capsys.readouterr().out)
    results = [line["kinds"]["all"] for line in told if line["type"] == "result"]
    change = told[-1]["kinds"]["all"]
    assert told[-1]["type"] == "difference"
    assert told[-1]["to"] == "mute"
    assert change["mean"] == pytest.approx(results[1]["ndcg10"]["mean"] - results[0]["ndcg10"]["mean"], abs=2e-4)
    assert change["high"] < 0
    assert cli.run(arguments) == 0
    assert re.search(r"all +-0\.\d+ +-0\.\d+ … -0\.\d+ +worse", capsys.readouterr().out)


VERBS = [("Erase", "delete"), ("Print", "show"), ("Purchase", "buy"), ("Begin", "start"), ("Repair", "fix")]
NOUNS = [("automobile", "car"), ("picture", "image"), ("error", "mistake"), ("weapon", "gun"), ("physician", "doctor")]


class Mute:
    """An embedder to which all texts are the same."""

    id, dimension = "mute", 4

    def embed(self, texts):
        return np.full((len(texts), 4), 0.5, dtype=np.float32)

    def embed_query(self, _text):
        return np.full(4, 0.5, dtype=np.float32)


def test_ctrl_c_stops_it_and_leaves_nothing(project, tmp_path, home):
    begun = tmp_path / "begun"
    fake = tmp_path / "bin" / "git"
    fake.parent.mkdir()
    os.mkfifo(begun)
    fake.write_text(f"#!/bin/sh\necho begun > '{begun}'\nexec sleep 100\n")
    fake.chmod(0o755)
    environment = {**os.environ, "PATH": f"{fake.parent}:{os.environ['PATH']}"}
    command = [sys.executable, "-m", "memcache_lsp", "eval", "--root", str(project)]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        begun.read_text()
        assert (home / "cache" / "eval").is_dir()
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=30)
    assert process.returncode == 130
    assert told.count("\n") == 1
    assert not (home / "cache" / "eval").exists()


def test_ctrl_c_while_it_asks_leaves_nothing(project, monkeypatch, home):
    def interrupted(*_arguments, **_options):
        assert list((home / "cache" / "eval" / "0").iterdir())
        raise KeyboardInterrupt

    monkeypatch.setattr(trial, "score", interrupted)
    assert cli.run(["eval", "--root", str(project)]) == 130
    assert not (home / "cache" / "eval").exists()


def test_what_a_kill_left_is_gone_after_the_next_run(project, home):
    left = home / "cache" / "eval" / "0"
    left.mkdir(parents=True)
    (left / "manifest.sqlite").write_text("half a file")
    run("--root", project)
    assert not left.parent.exists()
