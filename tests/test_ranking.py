"""What ranking reads from a path."""

import pytest

from memcache_lsp.ranking import _is_test


@pytest.mark.parametrize(
    ("path", "is_test"),
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
def test_which_files_are_tests(path, is_test):
    assert _is_test(path) is is_test
