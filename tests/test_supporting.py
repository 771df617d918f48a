"""Sentences that what they cite does not bear out are told, wherever the text was split."""

import random
from itertools import pairwise

import inventions
import pytest
from hypothesis import given
from hypothesis import strategies as st

from memcache_lsp.evidence import Evidence
from memcache_lsp.supporting import Support

RETRY = "def next_delay(self, attempt):\n    # doubles with each attempt, up to the limit\n    return min(self.limit_s, self.base_s * 2**attempt)\n"
STORE = "class ParcelStore:\n    timeout = 30\n    def save(self, parcel): ...\n"
EVIDENCE = [
    Evidence(1, "src/retry.py", 10, 12, RETRY, "Retry.next_delay", "python"),
    Evidence(3, "src/store.py", 1, 3, STORE, "ParcelStore", "python"),
]


def told(text, evidence=EVIDENCE):
    support = Support(evidence)
    return [text[each.start : each.end] for each in (*support.feed(text), *support.finish())]


@pytest.mark.parametrize(
    "text",
    [
        "The delay doubles with each attempt, up to `limit_s` [1].",
        "`Retry.next_delay` computes it from base_s [1]. `ParcelStore` has a timeout of 30 [3].",
        "It is in src/retry.py [1].",
        "1. The delay doubles [1].\n2. The timeout is 30 [3].",
        "The excerpts do not tell how the broker authenticates.",
        "Yes.",
        "",
        "```python\nself.base_s * 2**attempt\n```\n",
        "The timeout is 30 [1, 3].",
        "The excerpts do not mention how RabbitMQ or `kafka_client` is used.",
        "There is no information about the AMQP broker in the provided code.",
        "It doubles, but the excerpts don't say when `kafka_client` stops [1].",
        "It is in `retry.py`, on lines 10 to 12 [1].",
        "The `delays` double with each `Attempt` [1].",
        "This is OK for an API [1].",
    ],
)
def test_what_is_there_is_borne_out(text):
    assert told(text) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The delay is read from `retry_coroutine` [1].", ["The delay is read from `retry_coroutine` [1]."]),
        ("It doubles [1]. The timeout is 45 [3].", ["The timeout is 45 [3]."]),
        ("The timeout is 30 [1]. It doubles [1].", ["The timeout is 30 [1]."]),  # there, but not in what is cited
        ("RabbitMQ handles it. It doubles [1].", ["RabbitMQ handles it."]),
        (
            "Credentials authenticate the message broker cluster [1].",
            ["Credentials authenticate the message broker cluster [1]."],
        ),
        ("It uses 1.5 seconds. [1] It doubles.", ["It uses 1.5 seconds. [1]"]),
        ("- It calls send_mail() [1]\n- It doubles [1]\n", ["- It calls send_mail() [1]"]),
        ("```\nfrom kafka_client import Broker\n```\nIt doubles [1].", ["```\nfrom kafka_client import Broker\n```"]),
        (
            "1. So:\n   ```py\n   self.base_s\n   ```\n2. It is `kafka_client` [1].\nIt doubles [1].",
            ["2. It is `kafka_client` [1]."],
        ),
        ("So: ```py\nself.base_s\n```\nIt is `kafka_client` [1].\nIt doubles [1].", ["It is `kafka_client` [1]."]),
        ("It does not provide `kafka_client` [1].", ["It does not provide `kafka_client` [1]."]),
        (
            "The excerpts do not tell it all, but `kafka_client` retries [1].",
            ["The excerpts do not tell it all, but `kafka_client` retries [1]."],
        ),
        (
            "No information is missing: kafka_client retries [1].",
            ["No information is missing: kafka_client retries [1]."],
        ),
        ("It doubles over AMQP [1].", ["It doubles over AMQP [1]."]),
        ("`next_del` doubles [1].", ["`next_del` doubles [1]."]),
        ("`delay_next` doubles [1].", ["`delay_next` doubles [1]."]),
        ("It is in `lib/retry.py` [1].", ["It is in `lib/retry.py` [1]."]),
        ("It is in next.py [1].", ["It is in next.py [1]."]),
        ("It waits 30.2 s [1, 3].", ["It waits 30.2 s [1, 3]."]),
        ("It is on line 99 [1].", ["It is on line 99 [1]."]),
        ("Number [9] is no source of backoff_jitter.", ["Number [9] is no source of backoff_jitter."]),
    ],
)
def test_what_is_not_there_is_told(text, expected):
    assert told(text) == expected


TRUE = (
    "The delay of `next_delay` doubles with each attempt, up to `limit_s` [1].",
    "`ParcelStore` has a timeout of 30 and can save a parcel [3].",
)


@pytest.mark.parametrize("kind", inventions.PLANTS)
@pytest.mark.parametrize("true", TRUE)
def test_what_is_planted_in_a_true_sentence_is_told(kind, true):
    assert told(true) == []
    for seed in range(5):
        said = inventions.PLANTS[kind](true, random.Random(seed))
        if said is not None:
            assert told(said) == [said]


def test_every_plant_is_planted():
    for plant in inventions.PLANTS.values():
        assert any(plant(true, random.Random(0)) for true in TRUE)


def test_without_evidence_nothing_is_borne_out():
    assert told("It doubles.", []) == ["It doubles."]


pieces = st.lists(
    st.sampled_from(
        [
            "It ",
            "doubles",
            ". ",
            ".",
            " ",
            "\n",
            "[1]",
            "[",
            "3]",
            "`limit_s`",
            "foo_bar",
            "45",
            "```",
            "\n  ```\n",
            "~~~",
            "- ",
            "2. ",
            "e.g. ",
            "Xy ",
            "!",
            ")",
            "*",
        ]
    ),
    max_size=30,
)


@given(pieces, st.data())
def test_any_split_gives_the_same(parts, data):
    text = "".join(parts)
    whole = Support(EVIDENCE)
    expected = [*whole.feed(text), *whole.finish()]
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=10)))
    support = Support(EVIDENCE)
    found = [each for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True) for each in support.feed(text[a:b])]
    assert [*found, *support.finish()] == expected
    for one, other in pairwise(expected):
        assert one.end <= other.start
