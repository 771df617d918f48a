"""States of prompts that are kept: within the limit, the longest that fits, the oldest goes first."""

from hypothesis import given
from hypothesis import strategies as st

from memcache_lsp.generator import Batches
from memcache_lsp.prefixes import Prefix, Prefixes, joined, shared, singly


def prefix(*tokens, size=10):
    return Prefix(tokens, (), bytes(size))


def test_the_state_that_shares_most_is_taken_out():
    kept = Prefixes(100)
    for each in (prefix(1, 2, 9), prefix(1, 2, 3, 8), prefix(7)):
        kept.keep(each)
    assert kept.best((1, 2, 3, 4), least=2).tokens == (1, 2, 3, 8)
    assert kept.best((1, 2, 3, 4), least=3) is None
    assert len(kept) == 2


def test_a_state_that_goes_on_from_another_takes_its_place():
    kept = Prefixes(100)
    kept.keep(prefix(1, 2))
    kept.keep(prefix(1, 2, 3))
    assert len(kept) == 1


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 60)), max_size=20))
def test_the_limit_holds_and_the_oldest_goes_first(states):
    kept = Prefixes(100)
    for number, (token, size) in enumerate(states):
        kept.keep(Prefix((token, number), (), bytes(size)))
        assert kept.size_bytes <= 100
        assert kept.best((token, number), least=2) is not None
        kept.keep(Prefix((token, number), (), bytes(size)))


@given(st.lists(st.builds(Batches, st.integers(1, 3), st.integers(1, 4), st.integers(1, 2))))
def test_batches_are_written_shortly_without_loss(batches):
    assert singly(joined(singly(batches))) == singly(batches)


def test_shared():
    assert shared((1, 2, 3), (1, 2, 4, 5)) == 2
    assert shared((), (1,)) == 0
