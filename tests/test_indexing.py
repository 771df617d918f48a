"""The order in which files are read: what is asked about first, and small portions first."""

from hypothesis import given
from hypothesis import strategies as st

from memcache_lsp.indexing import batches, relevance_to
from memcache_lsp.values import Found


def found(*paths, size=100):
    return [Found(path, size, 0) for path in paths]


def in_order(files, asked=lambda: None):
    return [file.path for batch in batches(files, asked) for file in batch]


@given(st.lists(st.integers(0, 300_000), max_size=200), st.lists(st.sampled_from([None, "a 1", "file 7"]), max_size=20))
def test_every_file_comes_once_and_no_batch_is_large(sizes, questions):
    files = [Found(f"a/file{number}.py", size, 0) for number, size in enumerate(sizes)]
    asked = iter(questions)
    made = list(batches(files, lambda: next(asked, None)))
    assert sorted(file.path for batch in made for file in batch) == sorted(file.path for file in files)
    for batch in made:
        assert batch
        assert len(batch) <= 64
        assert sum(file.size_bytes for file in batch[:-1]) < 200_000  # the last one may be of any size


def test_without_a_question_the_order_stays():
    assert in_order(found("b.py", "a.py", "c.py")) == ["b.py", "a.py", "c.py"]


def test_files_whose_path_speaks_of_the_question_come_first():
    files = found("a/show.py", "lib/b.py", "retry/other.py", "x/retry_policy.go", "z/policies.py")
    order = in_order(files, lambda: "how does the retry policy work")
    assert order == ["x/retry_policy.go", "z/policies.py", "retry/other.py", "a/show.py", "lib/b.py"]


def test_words_that_say_nothing_count_for_nothing():
    relevance = relevance_to("how does this parser do it")
    assert [relevance(file) for file in found("show/doer.py", "this/it.py", "this/parsing.py")] == [0, 0, 2]


def test_a_question_that_comes_later_counts_for_the_rest():
    files = found("a.py", "b.py", "c.py", "queue.py", "d.py", size=13_000)  # each a first batch of its own
    asked = iter([None, "queue"])
    assert in_order(files, lambda: next(asked, "queue")) == ["a.py", "queue.py", "b.py", "c.py", "d.py"]


def test_after_a_question_the_portions_are_small_again():
    files = found(*(f"{number}.py" for number in range(40)), size=5_000)
    asked = iter([None, None, "12"])
    sizes = [len(batch) for batch in batches(files, lambda: next(asked, "12"))]
    assert sizes[:2] == [3, 5]
    assert sizes[2] == 3
