"""A follow-up is searched for with what its thread is about; a question that stands alone is left as it is."""

import pytest

from memcache_lsp.threads.followup import Asked, for_search

EARLIER = (
    Asked("Where is the webhook signed?", ("sign_payload",)),
    Asked("How are retries delayed?", ("RetryPolicy.delay",)),
)


@pytest.mark.parametrize(
    ("question", "added"),
    [
        ("and where is it called?", ["RetryPolicy.delay", "sign_payload", "retries", "delayed"]),
        ("Why?", ["RetryPolicy.delay", "sign_payload", "retries", "delayed"]),
        ("What about the tests?", ["RetryPolicy.delay", "sign_payload", "retries", "delayed"]),
        ("Who calls RetryPolicy.delay?", []),
        ("How does the session cookie get saved at the end of a request?", []),
        ("and what does RateLimiter do?", []),
    ],
)
def test_what_is_searched_for(question, added):
    assert for_search(question, EARLIER) == " ".join((question, *added))


def test_without_a_thread_nothing_is_added():
    assert for_search("and where is it called?", ()) == "and where is it called?"


def test_a_row_of_follow_ups_keeps_its_subject():
    earlier = (*EARLIER, Asked("and why is that?"), Asked("Why?"))
    assert "RetryPolicy.delay" in for_search("and where is it called?", earlier)


def test_the_same_question_is_searched_for_alike():
    assert len({for_search("why is it so?", EARLIER) for _ in range(5)}) == 1
