"""What a question is taken for, and what is read from it."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ranking import found, row, scored, signals

from memcache_lsp.ranking import Question, rank
from memcache_lsp.ranking.question import ERROR, IDENTIFIER, PATH, TRACE, WORDS

PYTHON = """Traceback (most recent call last):
  File "/srv/site/app/main.py", line 3, in <module>
    run()
  File "/srv/site/app/jobs/runner.py", line 14, in run
    retry(job)
  File "/usr/lib/python3.11/asyncio/tasks.py", line 520, in wait
    return fut.result()
RetryFailed: no attempt left
"""
NODE = """TypeError: Cannot read properties of undefined (reading 'id')
    at Router.match (/srv/app/src/router.js:41:9)
    at handle (/srv/app/src/server.js:12:3)
"""
RUST = """thread 'main' panicked at src/queue.rs:77:5:
attempt to subtract with overflow
   0: queue::pop
             at ./src/queue.rs:77:5
"""
JAVA = """java.lang.IllegalStateException: closed
\tat com.acme.Pool.take(Pool.java:88)
\tat com.acme.Main.main(Main.java:10)
"""


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("how are jobs retried", WORDS),
        ("session management", WORDS),
        ("Retry", IDENTIFIER),
        ("retry_forever", IDENTIFIER),
        ("pkg.module.Retry", IDENTIFIER),
        ("Foo::bar()", IDENTIFIER),
        ("@decorator", IDENTIFIER),
        ("src/app/jobs.py", PATH),
        ("jobs.py:14", PATH),
        ("app/jobs", PATH),
        ("TypeError: Cannot read properties of undefined", ERROR),
        ('fatal: bad object "HEAD"', ERROR),
        ("error handling in the router", WORDS),
        (PYTHON, TRACE),
        (NODE, TRACE),
        (RUST, TRACE),
        (JAVA, TRACE),
    ],
)
def test_what_a_question_is(text, kind):
    assert Question.of(text).kind == kind


def test_a_trace_names_its_files_the_nearest_first():
    frames = Question.of(PYTHON).named
    assert [(each.path, each.line) for each in frames][1:] == [
        ("srv/site/app/jobs/runner.py", 14),
        ("srv/site/app/main.py", 3),
    ]
    assert frames[0].weight > frames[1].weight > frames[2].weight
    assert [each.path for each in Question.of(NODE).named] == ["srv/app/src/router.js", "srv/app/src/server.js"]
    assert Question.of(JAVA).named[0].path == "Pool.java"


def test_a_trace_is_searched_for_its_message_and_functions_and_not_its_paths():
    terms = Question.of(PYTHON).terms
    assert {"attempt", "retryfailed"} <= set(terms)
    assert not {"home", "work", "lib", "usr"} & set(terms)


@pytest.mark.parametrize("trace", [PYTHON, NODE, RUST, JAVA])
def test_the_files_of_a_trace_come_first_at_their_lines(trace):
    rows = {
        PYTHON: row("app/jobs/runner.py", chunks=4),
        NODE: row("src/router.js", language="javascript", chunks=9),
        RUST: row("src/queue.rs", language="rust", chunks=9),
        JAVA: row("src/main/java/com/acme/Pool.java", language="java", chunks=12),
    }
    line = {PYTHON: 14, NODE: 41, RUST: 77, JAVA: 88}[trace]
    wanted, other = rows[trace], row("src/attempt.py")
    ranked = rank(Question.of(trace), scored(trace, [other], found([(other, 0, 9.0)]), others=[wanted]), limit=5)
    assert ranked[0].path == wanted.path
    assert ranked[0].id == wanted.points[(line - 1) // 10]  # the files here have a chunk each ten lines


def test_a_path_asks_for_that_file():
    rows = [row("src/jobs/queue.py"), row("lib/queue.py"), row("src/queue_jobs.py")]
    for question in ("lib/queue.py", "./lib/queue.py", "what does lib/queue.py do", "lib/queue.py:12"):
        ranked = rank(Question.of(question), scored(question, rows), limit=5)
        assert ranked[0].path == "lib/queue.py", question
        assert "named" not in signals(question, rows)["src/jobs/queue.py"]


def test_a_name_alone_may_mean_several_files():
    rows = [row("src/queue.py"), row("lib/queue.py"), row("src/other.py")]
    brought = signals("queue.py", rows)
    assert [path for path, each in brought.items() if "named" in each] == sorted(["src/queue.py", "lib/queue.py"])


def test_an_error_is_no_place():
    assert Question.of("ValueError: queue is empty").shortness == 0
    assert Question.of("queue").shortness == pytest.approx(1, abs=0.01)


def test_length_is_no_cliff():
    values = [Question.of(" ".join(f"word{n}" for n in range(count))).shortness for count in range(1, 40)]
    assert values == sorted(values, reverse=True)
    assert max(a - b for a, b in pairwise(values)) < 0.2
    assert values[-1] < 0.01


def test_names_of_a_sentence():
    assert Question.of("how does zod.string use ZodType and parse_it in `coerce` and make()?").names == (
        "ZodType",
        "parse_it",
        "string",
        "coerce",
        "make",
    )
    assert Question.of("what is in src/queue.py").names == ()


@given(st.text())
def test_any_text_is_a_question(text):
    question = Question.of(text)
    assert 0 <= question.shortness <= 1
    assert isinstance(question.terms, list)
    assert len(question.named) <= 40
    assert question.symbol is not None
    assert question.names is not None
    assert question.joined is not None
