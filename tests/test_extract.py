"""The extract: true pieces of the evidence, the telling ones first."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memcache_lsp.extract import extract
from memcache_lsp.values import Hit, Span

RETRY = '''@backoff
def send_with_retry(self, message: Message,
                    attempts: int = 5) -> None:
    """Send a message, and try again up to five times when the server refuses it. Other errors pass.

    The delay doubles after each attempt.
    """
    for attempt in range(attempts):
        # The server needs a pause,
        # or it refuses everything.
        self.pause(2**attempt)
        self.deliver(message)
'''

GUIDE = """# Retries

Messages are sent again when the server
refuses them. The number of attempts
is set by `attempts`. Nothing else is retried.

- a list of things
- the delay doubles
"""

GO = """// Dial connects to the address and returns a session.
func Dial(address string) (*Session, error) {
	return dial(address, 0)
}
"""


def hit(text, *, symbol="", kind="function", language="python", start_line=1, path="a.py"):
    ends = text.count("\n") - text.endswith("\n")
    return Hit(path, Span(0, len(text), start_line, start_line + ends), text, kind, symbol, language, (), 1.0)


CODE_HIT = hit(RETRY, symbol="send_with_retry", start_line=20)
GUIDE_HIT = hit(GUIDE, symbol="Retries", kind="section", language="markdown", path="guide.md")


def test_a_definition_comes_with_its_first_sentence():
    best = extract("how does sendWithRetry send a message?", [CODE_HIT])[0]
    assert best.text.startswith("def send_with_retry")
    assert best.text.endswith("when the server refuses it.")
    assert (best.n, best.start_line, best.end_line) == (1, 21, 23)


def test_a_short_comment_above_comes_with_the_definition():
    best = extract("how to dial an address", [hit(GO, symbol="Dial", language="go", path="d.go")])[0]
    assert best.text == GO.split("\n\t", maxsplit=1)[0]
    assert (best.start_line, best.end_line) == (1, 2)


def test_documents_are_quoted_by_whole_sentences():
    texts = [quote.text for quote in extract("what sets the number of attempts?", [GUIDE_HIT])]
    assert texts[0] == "The number of attempts\nis set by `attempts`."


@pytest.mark.parametrize(
    ("question", "expected", "lines"),
    [
        ("does the delay double after an attempt?", "The delay doubles after each attempt.", (25, 25)),
        (
            "why a pause, why does it refuse everything?",
            "The server needs a pause,\n        # or it refuses everything.",
            (28, 29),
        ),
        ("who delivers?", "self.deliver(message)", (31, 31)),
    ],
)
def test_the_telling_line(question, expected, lines):
    best = extract(question, [CODE_HIT])[0]
    assert best.text == expected
    assert (best.start_line, best.end_line) == lines


def test_better_evidence_counts_more():
    quotes = extract("when does the delay double", [GUIDE_HIT, CODE_HIT])
    assert [quote.n for quote in quotes][:2] == [1, 2]


def test_evidence_that_shares_no_word_is_quoted_from_its_start():
    quotes = extract("zebra?", [GUIDE_HIT, CODE_HIT])
    assert quotes[1].text.startswith("def send_with_retry")
    assert len(quotes) == 2


def test_nothing_is_quoted_twice():
    quotes = extract("delay doubles", [GUIDE_HIT, hit(GUIDE, path="copy.md", kind="section", language="markdown")])
    assert len({quote.text for quote in quotes}) == len(quotes)


@given(
    st.text(st.sampled_from("abcdefg retry.\n\r\t\"'#*-/`:_(){}é"), max_size=300),
    st.text(max_size=40),
    st.sampled_from(["python", "markdown", "go", "text"]),
    st.sampled_from(["", "a", "retry", "B.retry"]),
)
def test_quotes_are_true_and_at_their_lines(text, question, language, symbol):
    source = hit(text, symbol=symbol, language=language, start_line=7)
    quotes = extract(question, [source])
    assert len(quotes) <= 5
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    for quote in quotes:
        assert quote.text.strip()
        assert quote.text in text
        shown = "\n".join(lines[quote.start_line - 7 : quote.end_line - 6])
        assert quote.text.replace("\r\n", "\n").replace("\r", "\n") in shown


def test_it_takes_milliseconds():
    hits = [hit(RETRY * 20, symbol="send_with_retry", path=f"{n}.py") for n in range(12)]
    extract("warm up the stemmer", hits)
    started = time.process_time()
    extract("how is a message sent again when the server refuses it?", hits)
    assert time.process_time() - started < 0.2  # 50 ms on a quiet machine, with room for a busy one
