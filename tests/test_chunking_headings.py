"""What is a heading, and what only looks like one."""

from __future__ import annotations

import pytest

from memcache_lsp.chunking.headings import outline
from memcache_lsp.chunking.lines import split_lines


def titles(text, language):
    found = outline(split_lines(text), language)
    return [(item.name, item.name_line + 1, item.last + 1) for item in found.items]


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("markdown", "# A\ntext\n## B\n# C", ["A", "B", "C"]),
        ("markdown", "```\n# no\n```\n# yes", ["yes"]),
        ("markdown", "````\n```\n# no\n````\n# yes", ["yes"]),
        ("markdown", "```\n# no, never closed", []),
        ("markdown", "~~~ sh\n```\n# no\n~~~\n# yes", ["yes"]),
        ("markdown", "`` ``` `` # no\n# yes", ["yes"]),
        ("markdown", "    # code\n#no space\n####### seven", []),
        ("markdown", "Title\n=====\nSub\n---", ["Title", "Sub"]),
        ("markdown", "---\ntitle: x\n---\n# A", ["A"]),
        ("markdown", "- item\n---\n\n---\n| a |\n---", []),
        ("markdown", "<!--\n# no\n-->\n# yes", ["yes"]),
        ("markdown", "# The `code` of [Ada](x.md) ##", ["The code of Ada"]),
        ("markdown", "#", []),
        ("rst", "A\n=\n\nB\n-\n\nC\n=\n", ["A", "B", "C"]),
        ("rst", "===\nTop\n===\n\nSub\n===\n", ["Top", "Sub"]),
        ("rst", "text\n\n----\n\ntext", []),
        ("rst", "    indented\n    ========\n", []),
        ("rst", "== ==\na  b\n== ==\n", []),
        ("org", "* A\n** TODO [#B] B :tag:\n*bold*\n", ["A", "B"]),
        ("org", "#+BEGIN_SRC\n* no\n#+END_SRC\n* yes", ["yes"]),
        ("html", "<h1>A</h1>\n<!-- <h2>no</h2> -->\n<h2\nid=b>B <b>C</b></h2>", ["A", "B C"]),
        ("html", "<script>'<h1>no</h1>'</script><pre><h1>no</h1></pre>", []),
        (
            "latex",
            "\\section{A \\emph{b}}\n\\begin{verbatim}\n\\section{no}\n\\end{verbatim}\n\\chapter*{C}",
            ["A b", "C"],
        ),
    ],
)
def test_headings(language, text, expected):
    assert [name for name, _, _ in titles(text, language)] == expected


def test_sections_nest_and_end_before_the_next_of_their_level():
    assert titles("# A\n\n## B\nb\n\n### C\n\n## D\n\n# E\n", "markdown") == [
        ("A", 1, 9),
        ("B", 3, 7),
        ("C", 6, 7),
        ("D", 8, 9),
        ("E", 10, 11),
    ]


def test_a_level_of_rst_is_where_its_style_first_appears():
    assert titles("A\n~\n\nB\n=\n\nC\n~\n", "rst") == [("A", 1, 6), ("B", 4, 6), ("C", 7, 9)]


def test_languages_without_headings_have_no_outline():
    assert outline(split_lines("# A"), "python") is None
