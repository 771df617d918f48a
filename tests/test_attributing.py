"""Sentences that name no source get the one that bears them out, where that is clear, wherever the text was split."""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memcache_lsp.attributing import Attributor, marked
from memcache_lsp.evidence import Evidence

RETRY = "class RetryPolicy:\n    def next_delay(self, attempt):\n        # doubles with each attempt, up to limit_s\n        return min(self.limit_s, self.base_s * 2**attempt)\n"
STORE = "class ParcelStore:\n    timeout = 30\n    def save(self, parcel):\n        # writes each parcel to the journal before it is acknowledged\n"
EVIDENCE = [
    Evidence(1, "src/retry.py", 10, 13, RETRY, "RetryPolicy", "python"),
    Evidence(2, "src/store.py", 1, 4, STORE, "ParcelStore", "python"),
]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (
            "The delay doubles with each attempt, up to `limit_s`. `ParcelStore` writes each parcel to the journal.",
            "The delay doubles with each attempt, up to `limit_s`. [1] `ParcelStore` writes each parcel to the journal. [2]",
        ),
        (
            "- `RetryPolicy` has `next_delay`\n- `ParcelStore` has a timeout of 30",
            "- `RetryPolicy` has `next_delay` [1]\n- `ParcelStore` has a timeout of 30 [2]",
        ),
        ("The delay doubles with each attempt [2].", "The delay doubles with each attempt [2]."),  # said, right or not
        ("The delay doubles with each attempt. [1] Yes.", "The delay doubles with each attempt. [1] Yes."),
        ("`RetryPolicy` uses `kafka_client` to double the delay with each attempt.", None),  # an invention
        ("It waits 45 seconds and doubles the delay with each attempt.", None),
        ("It doubles.", None),
        ("This uses `limit_s`.", None),  # one name is in many texts
        ("This is `ParcelStore`.", "This is `ParcelStore`. [2]"),  # but what defines it is one
        ("The excerpts do not tell what `ParcelStore` and `RetryPolicy` cost.", None),
        (  # each has a part of it
            "It holds `RetryPolicy`, which doubles the delay with each attempt, and `ParcelStore`.",
            "It holds `RetryPolicy`, which doubles the delay with each attempt, and `ParcelStore`. [1, 2]",
        ),
        ("It holds `RetryPolicy` with its `next_delay`, and `KafkaStore`.", None),
        ("```python\nRetryPolicy().next_delay(attempt)\n```\n", None),
        ("Here is how: ```py\nRetryPolicy().next_delay(attempt)\n```\n", None),
        ("- ```py\n  `RetryPolicy` has `next_delay`\n  ```\n", None),
        ("~~~\n`RetryPolicy` has `next_delay`\n~~~\n", None),
        ("- ~~~py\n  `RetryPolicy` has `next_delay`\n  ~~~\n", None),
        ("So:\n\n    RetryPolicy().next_delay(attempt)\n", None),
        ("| `RetryPolicy` | `next_delay` |\n|---|---|\n| `ParcelStore` | a timeout of 30 |\n", None),
        ("`RetryPolicy` | `next_delay`\n--- | ---\n`ParcelStore` | a timeout of 30\n", None),
        ("## `RetryPolicy` and its `next_delay`\n", None),
        (
            "Here is how: ```py\nRetryPolicy().next_delay(attempt)\n```\n`RetryPolicy` has `next_delay`.",
            "Here is how: ```py\nRetryPolicy().next_delay(attempt)\n```\n`RetryPolicy` has `next_delay`. [1]",
        ),
        (
            "1. Call it:\n   ```py\n   next_delay(2)\n   ```\n    - `RetryPolicy` has `next_delay`.\n",
            "1. Call it:\n   ```py\n   next_delay(2)\n   ```\n    - `RetryPolicy` has `next_delay`. [1]\n",
        ),
        ("`RetryPolicy[0]` has `next_delay`.", "`RetryPolicy[0]` has `next_delay`. [1]"),
        ("", None),
    ],
)
def test_what_is_clearly_of_one_excerpt_is_said_to_be(text, shown):
    assert marked(text, EVIDENCE) == (text if shown is None else shown)


def test_a_mark_comes_with_the_next_sentence_and_nothing_else_waits():
    attributor = Attributor(EVIDENCE)
    shown = [attributor.feed(piece) for piece in ("The delay", " doubles with each attempt", ".", " ", "It", " is so.")]
    assert shown == ["The delay", " doubles with each attempt", ".", "", " [1] It", " is so."]


words = [
    "The delay ",
    "doubles ",
    "with each attempt",
    ". ",
    ".",
    "\n",
    " ",
    "[1]",
    " [2]",
    "`limit_s`",
    "`",
    "```",
    "- ",
    "[",
    "e.g. ",
    "T",
    "\n```py\n",
    "~~~",
    "    ",
    "| ",
]


@given(st.lists(st.sampled_from(words), max_size=30), st.data())
def test_any_split_gives_the_same(parts, data):
    text = "".join(parts)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=10)))
    attributor = Attributor(EVIDENCE)
    shown = "".join(attributor.feed(text[a:b]) for a, b in pairwise([0, *cuts, len(text)])) + attributor.finish()
    assert shown == marked(text, EVIDENCE)
    if " [1]" not in text:
        assert shown.replace(" [1]", "") == text


def test_what_most_excerpts_hold_points_to_none():
    parts = [
        Evidence(n, f"src/{n}/tree.py", n, n, f"def walk_{n}(tree): # of nodes, data and structures\n", "", "python")
        for n in range(1, 6)
    ]
    assert marked("The file `tree.py` holds tree data structures of nodes.", parts).endswith("nodes.")
    assert marked("In `tree.py` the nodes of a tree are walked by `walk_3` and by `walk_4`.", parts).endswith("[3, 4]")


PARTS = [
    Evidence(1, "src/tree.py", 1, 2, "import os\n", "", "python"),
    Evidence(2, "src/tree.py", 3, 4, "def walk(tree): # over the nodes of a tree\n", "walk", "python"),
    Evidence(
        3, "src/tree.py", 5, 6, "def prune(tree): # cut the nodes of a tree that are withered\n", "prune", "python"
    ),
    Evidence(4, "src/tree.py", 7, 8, "def graft(tree): # add nodes to a tree in spring\n", "graft", "python"),
]


@pytest.mark.parametrize(
    ("said", "numbers"),
    [
        ("The file `src/tree.py` has functions for the nodes of a tree.", " [2]"),
        ("It has `walk` for the nodes of a tree, spring and withered leaves, buds and blossom.", " [2, 3, 4]"),
        ("The file `src/tree.py` is a module.", ""),  # its path is not in its lines
        ("It works on trees.", ""),  # one word is there by chance
        ("It has functions for the nodes of a tree and for `Forest`.", ""),
        ("It waters the nodes of a tree with compost, manure and rain.", ""),
    ],
)
def test_what_is_said_of_a_file_has_the_part_of_it_that_says_so(said, numbers):
    assert marked(said, PARTS) == said + numbers
    elsewhere = [replace(each, path=f"src/{each.n}.py") for each in PARTS]
    assert marked(said, elsewhere) == said


def test_a_name_that_most_excerpts_hold_points_to_what_defines_it():
    texts = [
        "class DigestAuth:\n    ...\n",
        "def __call__(self): # DigestAuth\n",
        "def handle_401(self): # DigestAuth\n",
    ]
    symbols = ["DigestAuth", "DigestAuth.__call__", "DigestAuth.handle_401"]
    parts = [
        Evidence(n, "auth.py", n, n, text, symbol, "python")
        for n, (text, symbol) in enumerate(zip(texts, symbols, strict=True), 1)
    ]
    assert marked("`DigestAuth` answers by `handle_401`.", parts) == "`DigestAuth` answers by `handle_401`. [1, 3]"
    assert marked("The class `DigestAuth` is defined with a `__call__`.", parts).endswith("[1, 2]")
    assert marked("`DigestAuth` is a class of `auth.py`.", parts) == "`DigestAuth` is a class of `auth.py`. [1]"
    assert marked("It is a part of `auth.py`.", parts) == "It is a part of `auth.py`."
