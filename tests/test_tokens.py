"""That the quick ways of counting words find the words that the plain way finds."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from memcache_lsp.memo import Memo
from memcache_lsp.tokens import pieces, query_vector, term_ids, terms, words, words_of

TEXTS = st.text(
    alphabet=st.one_of(st.characters(), st.sampled_from("aAbBZ09__$$(). \n\t\x00\x0b'\u0301\u00a0éÉ—漢\ud800"))
)


@given(TEXTS)
def test_words_of_the_pieces_are_those_of_the_text(text):
    assert [word for piece in pieces(text) for word in words_of(piece)] == words(text)


@given(TEXTS)
def test_ids_of_the_pieces_are_those_of_the_texts_terms(text):
    expected = [query_vector([term]).indices[0] for term in terms(text)]
    assert term_ids(pieces(text)) == expected
    assert term_ids(pieces(text)) == expected  # as they are remembered


def test_a_memo_is_bounded_and_keeps_no_long_words():
    made = []
    memo = Memo(lambda word: made.append(word) or len(word), most=3, longest=4)
    assert [memo[word] for word in (b"a", b"bb", b"a", b"longer", b"longer")] == [1, 2, 1, 6, 6]
    assert made == [b"a", b"bb", b"longer", b"longer"]
    assert [memo[word] for word in (b"c", b"d", b"a")] == [1, 1, 1]
    assert len(memo) <= 3
