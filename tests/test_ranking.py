"""The order of hits: what each signal does, to files of which everything else is the same."""

import numpy as np
import pytest
from ranking import found, order, row, scored, signals

from memcache_lsp.ranking import WEIGHTS, Question, rank
from memcache_lsp.ranking.places import is_test, place_of
from memcache_lsp.ranking.words import class_of, senses
from memcache_lsp.store import Filter


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("tests/helper.py", True),
        ("src/Test/Helper.java", True),
        ("pkg/__tests__/a.js", True),
        ("test_queue.py", True),
        ("queue_test.go", True),
        ("src/queue.test.ts", True),
        ("src/queue.spec.ts", True),
        ("queue-test.js", True),
        ("queue_spec.rb", True),
        ("FooTest.java", True),
        ("FooTests.cs", True),
        ("HTTPTest.kt", True),
        ("TestFoo.java", True),
        ("FooSpec.scala", True),
        ("testHelpers.js", True),
        ("test2.py", True),
        ("test", True),
        ("conftest.py", True),
        ("src/latest.py", False),
        ("contest.js", False),
        ("Fastest.java", False),
        ("src/attest.rs", False),
        ("contests.py", False),
        ("testament.md", False),
        ("Specification.java", False),
        ("inspect.py", False),
        ("docs/spec.md", False),
        ("rpm/queue.spec", False),
        ("contest/latest/main.py", False),
    ],
)
def test_which_files_are_tests(path, expected):
    assert is_test(path) is expected


@pytest.mark.parametrize(
    ("question", "better", "worse"),
    [
        ("session management", "src/sessions.py", "src/helpers.py"),  # its name is asked for
        ("how are templates rendered", "src/templating.py", "src/helpers.py"),  # in another form of the word
        ("web socket handshake", "src/websocket.py", "src/helpers.py"),  # written as one
        ("websocket handshake", "src/web_socket.py", "src/web_helpers.py"),  # or split
        ("read the configuration", "src/settings.py", "src/helpers.py"),  # said in another word
        ("routing", "src/routing/mod.rs", "src/other/mod.rs"),  # the folder's name, for a file that speaks for it
        ("parse the header", "src/parser/header.py", "src/writer/header.py"),  # a folder's name
        ("queue", "src/queue.py", "src/queue_pool_worker.py"),  # every word of the name is asked for
        ("router middleware", "src/router_base.py", "src/middleware_base.py"),  # the first word is the subject
        ("retry a job", "src/runner.py", "tests/runner.py"),  # a test
        ("retry a job", "src/runner.py", "examples/runner.py"),  # an example
        ("retry a job", "src/runner.py", "vendor/runner.py"),  # somebody else's
        ("retry a job", "src/v4/runner.ts", "src/v3/runner.ts"),  # an older version
        ("retry a job in v3", "src/v3/runner.ts", "src/v4/runner.ts"),  # unless it is asked for
        ("retry a job", "src/runner.c", "src/runner.h"),  # a header beside its source
        ("retry a job", "runner.py", "a/b/c/d/runner.py"),  # deep
        ("retry a job", "src/runner.py", "docs/runner.md"),  # a document
    ],
)
def test_a_path_decides_between_files_that_say_the_same(question, better, worse):
    languages = {"md": "markdown", "rs": "rust", "ts": "typescript", "c": "c", "h": "c"}
    rows = [row(path, language=languages.get(path.rpartition(".")[2], "python")) for path in (worse, better)]
    assert order(question, rows)[0] == better
    assert order(question, rows[::-1])[0] == better


def test_tests_are_not_held_back_from_questions_about_tests():
    rows = [row("tests/test_runner.py"), row("src/runner.py")]
    assert "test" not in signals("how do the tests mock the runner", rows)["tests/test_runner.py"]


def test_documents_are_under_no_rule_for_code():
    found_for = signals(
        "retry a job", [row("tests/examples/v1/deep/plan.md", language="markdown"), row("tests/v2/a.py")]
    )
    assert not found_for["tests/examples/v1/deep/plan.md"].keys() & {"test", "aside", "older", "depth", "header"}


def test_a_document_that_says_more_is_first():
    code, text = row("src/a.py"), row("docs/upgrading.md", language="markdown")
    answer = found(
        [(text, 0, 9.0), (text, 1, 8.0), (code, 0, 1.0)],
        file=[(text, 9.0), (code, 1.0)],
        name=[(text, 5.0)],
        dense=[(text, 0, 0.8), (code, 0, 0.2)],
    )
    assert order("upgrading from an older release", [code, text], answer)[0] == "docs/upgrading.md"


def test_what_the_store_found_decides_where_paths_do_not():
    one, two = row("src/aaa.py"), row("src/bbb.py")
    for answer in (
        found([(two, 0, 2.0), (one, 0, 1.0)]),
        found(file=[(two, 2.0), (one, 1.0)]),
        found(name=[(two, 2.0), (one, 1.0)]),
        found(dense=[(two, 0, 0.9), (one, 0, 0.3)]),
        found([(two, 0, 1.0), (two, 1, 1.0), (one, 0, 1.0)]),  # more of the best chunks
    ):
        assert order("retry a job", [one, two], answer)[0] == "src/bbb.py"


def test_the_mean_of_a_files_vectors_counts():
    rows = [row("src/aaa.py", mean=(127, 0)), row("src/bbb.py", mean=(0, 127))]
    assert order("retry", rows, meaning=np.array([0, 1], dtype=np.float32))[0] == "src/bbb.py"


def test_an_identifier_asks_for_its_definition():
    user, owner = row("src/aaa.py", names=["other"]), row("src/zzz.py", names=["Retry"])
    answer = found([(user, 0, 3.0), (owner, 0, 2.0)])
    for question in ("Retry", "pkg.Retry", "pkg::Retry", "retry()", "Retry(limit=3)"):
        assert order(question, [user, owner], answer)[0] == "src/zzz.py", question


def test_a_definition_is_found_whatever_the_store_found():
    owner = row("src/zzz.py", names=["retry_forever"])
    other = row("src/aaa.py")
    assert "src/zzz.py" in order("what does retry_forever do", [other], others=[owner])


def test_a_type_counts_more_than_a_member():
    member, kind = row("src/aaa.py", names=[("Retry", 60, 0)]), row("src/bbb.py", names=[("Retry", 100, 0)])
    assert order("Retry", [member, kind])[0] == "src/bbb.py"


def test_names_that_a_sentence_mentions_count():
    rows = [row("src/aaa.py"), row("src/bbb.py", names=["redirect"])]
    for question in ("how res.redirect builds the header", "what `redirect` sends", "when is redirect() called"):
        assert order(question, rows)[0] == "src/bbb.py", question


def test_what_good_files_use_is_good():
    best = row("src/engine.py", used=["make_backoff"])
    rows = [best, row("src/aaa.py"), row("src/bbb.py", names=["make_backoff"])]
    answer = found([(best, 0, 5.0), (rows[1], 0, 1.0), (rows[2], 0, 1.0)])
    brought = signals("the engine retries", rows, answer)
    assert brought["src/bbb.py"]["references"] > 0
    assert "references" not in brought["src/aaa.py"]


def test_a_name_that_many_files_define_is_no_reference():
    best = row("src/engine.py", used=["close"])
    rows = [best, *(row(f"src/{name}.py", names=["close"]) for name in "abc")]
    brought = signals("the engine retries", rows, found([(each, 0, 1.0) for each in rows]))
    assert all("references" not in each for each in brought.values())


def test_names_of_files_fade_as_questions_get_longer():
    rows = [row("src/session.py"), row("src/other.py")]
    short = signals("session storage", rows)["src/session.py"]
    long = signals(
        "What keeps the session of a visitor from being lost when several workers answer requests at once while one of "
        "them restarts and the storage behind them all is slow to reply",
        rows,
    ).get("src/session.py", {})
    assert short["whole_stem"] == pytest.approx(WEIGHTS["whole_stem"].weight, rel=0.02)
    assert long.get("subject", 0.0) < short["whole_stem"] / 20


def test_a_hit_tells_what_brought_it_there():
    rows = [row("src/session.py"), row("tests/session.py")]
    every = scored("session", rows)
    for each in rank(Question.of("session"), every, limit=5):
        if each.id in {rows[0].points[0], rows[1].points[0]}:
            assert sum(each.signals.values()) == pytest.approx(each.score, abs=0.05)
            assert set(each.signals) <= set(WEIGHTS)


def test_one_place_of_each_file_comes_first():
    one, two = row("src/aaa.py", chunks=3), row("src/bbb.py")
    answer = found([(one, 2, 9.0), (one, 0, 8.0), (two, 1, 1.0)])
    ranked = rank(Question.of("retry a job"), scored("retry a job", [one, two], answer), limit=10)
    assert [each.id for each in ranked] == [one.points[2], two.points[1], one.points[0]]
    assert ranked[0].score > ranked[2].score


def test_the_place_that_defines_the_name_is_shown():
    owner = row("src/aaa.py", names=[("Retry", 100, 1)])
    answer = found([(owner, 0, 3.0), (owner, 1, 2.5)])
    ranked = rank(Question.of("Retry"), scored("Retry", [owner], answer), limit=10)
    assert ranked[0].id == owner.points[1]


def test_a_filter_by_kind_lets_in_files_of_found_chunks_only():
    one, two = row("src/aaa.py"), row("src/retry.py", names=["Retry"])
    answer = found([(one, 0, 1.0)], file=[(two, 9.0)])
    every = scored("Retry", [one, two], answer)
    assert {each.path for each in every.rows} == {"src/aaa.py", "src/retry.py"}
    from ranking import table

    from memcache_lsp.ranking import score

    every = score(Question.of("Retry"), answer, table(one, two), meaning=None, wanted=Filter(kinds=("function",)))
    assert [each.path for each in every.rows] == ["src/aaa.py"]


def test_every_signal_tells_its_reason():
    for name, signal in WEIGHTS.items():
        assert signal.reason, name
        assert signal.weight, name


def test_words_of_one_root_are_one_class():
    assert class_of("resolver") == class_of("resolution") == class_of("resolve")
    assert class_of("parser") == class_of("parsing")
    assert class_of("registry") == class_of("register")
    assert class_of("session") != class_of("section")


def test_senses_hold_other_words_only():
    assert class_of("settings") in senses([class_of("config")])
    assert class_of("config") not in senses([class_of("config")])


def test_a_place_is_read_from_the_path():
    place = place_of("packages/zod/src/v3/index.ts", "typescript")
    assert place.stem == ("v", "3")
    assert place.versions == (("packages/zod/src", 3),)
    assert place_of("README.md", "markdown").is_document
    assert place_of("third_party/x/y.c", "c").is_aside
