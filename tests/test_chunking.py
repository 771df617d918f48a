"""What holds for the chunks of any text, and how a text is cut."""

from __future__ import annotations

import re
import subprocess
import sys
import textwrap

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memcache_lsp.chunking.chunker import HARD_LIMIT, chunk
from memcache_lsp.chunking.lines import split_lines
from memcache_lsp.languages import LANGUAGES
from memcache_lsp.values import Document

LINE_END = re.compile(r"\r\n|\n|\r")


def check(text, language, *, deadline_s=5.0):
    """Chunk a text and hold the result against the promises of `chunk`."""
    chunked = chunk(Document("x", text, language), deadline_s=deadline_s)
    starts = [0, *(match.end() for match in LINE_END.finditer(text))]
    at = 0
    for one in chunked.chunks:
        span = one.span
        assert at <= span.start < span.end <= len(text), "sorted, disjoint, in range"
        assert not text[at : span.start].strip(), "nothing but white space is left out"
        assert one.text == text[span.start : span.end]
        assert one.text.strip()
        assert len(one.text) <= HARD_LIMIT
        assert starts[span.start_line - 1] <= span.start
        assert span.start_line == len(starts) or span.start < starts[span.start_line]
        assert starts[span.end_line - 1] < span.end
        assert span.end_line == len(starts) or span.end <= starts[span.end_line]
        for definition in one.definitions:
            assert span.start_line <= definition.line <= span.end_line
        at = span.end
    assert not text[at:].strip()
    return chunked


words = st.sampled_from(
    [
        *"(){}[]<>#*-=~`\"'\\/:;,.@$&|!%^+?",
        *("\n", "\r\n", "\r", "\n\n", "\f", "\u2028", "\x85", "\0", "\ud800", "\ufeff", "é", "😀", "\t", "    "),
        *("def f():", "class A", "function", "end", "fn x() ", "/*", "*/", "<!--", "-->", "```", '"""', "# h", "== "),
        *("<h1>", "</h1>", "<script>", "* a", "#+begin_src", "===", "---", "=begin", "module M", "let x = ", "<<EOF"),
    ]
)
texts = st.lists(words | st.text(max_size=8), max_size=120).map("".join)


@given(
    text=st.lists(st.sampled_from(["\r", "\n", "a", " ", "\x1c", "\x85", "\u2028", "\u3000", "\ud800", "😀"])).map(
        "".join
    )
)
def test_lines_and_their_weights_are_those_of_the_text(text):
    lines = split_lines(text)
    cut = LINE_END.split(text)
    assert [lines.line(i) for i in range(lines.count)] == cut
    assert [lines.weight(i, i) for i in range(lines.count)] == [len("".join(line.split())) for line in cut]


@settings(max_examples=400, deadline=None)
@given(text=texts, language=st.sampled_from(sorted(LANGUAGES)))
def test_promises_hold_for_any_text(text, language):
    check(text, language)


@settings(max_examples=150, deadline=None)
@given(text=st.text(max_size=400), repeats=st.integers(1, 60), language=st.sampled_from(["text", "markdown", "python"]))
def test_promises_hold_for_long_texts(text, repeats, language):
    check(text * repeats, language)


@pytest.mark.parametrize("language", sorted(LANGUAGES))
@pytest.mark.parametrize("opener", ["(", "[\n", "{", '"', "<div>", "- ", '"${', "if x:\n  "])
def test_deep_nesting_harms_nothing(language, opener):
    check(opener * 400, language, deadline_s=0.5)


def test_ten_thousand_parentheses():
    check("x = " + "(\n" * 10_000 + ")\n" * 10_000, "python")


def test_a_line_of_ten_megabytes():
    chunked = check("x = '" + "word " * 2_000_000 + "'\n", "python")
    assert len(chunked.chunks) < 4_000
    assert "split by lines" in chunked.problems[0]
    assert all(one.text.endswith((" ", "'")) for one in chunked.chunks), "cut between words"


def test_a_large_text_is_not_parsed():
    assert "1,000,000 characters" in check("def f(): pass\n" * 80_000, "python").problems[0]


def test_a_passed_deadline_is_a_problem_and_no_error():
    text = "def f():\n    return 1\n\n\n" * 20_000
    chunked = check(text, "python", deadline_s=0.001)
    assert chunked.problems == ("not parsed within 0.001 s, so it was split by lines",)
    assert not check("def f(): pass\n", "python").problems, "the parser is of use afterwards"


def test_what_crashes_a_scanner_is_not_parsed():
    for text, language in (("- " * 300, "yaml"), ('"${' * 100, "perl"), ('"${' * 2000, "kotlin")):
        assert "nested deeper" in check(text, language).problems[0]


def test_a_syntax_error_costs_only_its_surroundings():
    found = check("def good():\n    pass\n\ndef bad(:\n    ((\n\ndef last():\n    pass\n", "python")
    assert "good" in {definition.name for one in found.chunks for definition in one.definitions}


def names(chunked):
    return [one.symbol for one in chunked.chunks]


def long_function(name, lines=14):
    return f"def {name}(value):\n" + "".join(f"    value = value + {number}\n" for number in range(lines))


def test_small_neighbours_are_merged_and_long_ones_stand_alone():
    small = "def {0}():\n    return 1\n\n\n"
    text = small.format("a") + small.format("b") + long_function("c") + "\n\n" + long_function("d")
    chunked = check(text, "python")
    assert names(chunked) == ["a", "c", "d"]
    assert [definition.name for definition in chunked.chunks[0].definitions] == ["a", "b"]


def test_a_long_class_gives_its_methods_and_a_long_method_its_statements():
    body = textwrap.indent(long_function("small"), "    ")
    big = textwrap.indent(long_function("big", 150), "    ")
    chunked = check(f'class Outer:\n    """Doc."""\n\n{body}\n    # About big.\n    @cached\n{big}', "python")
    first, *parts = chunked.chunks
    assert (first.symbol, first.breadcrumb) == ("Outer.small", ("Outer",))
    assert {definition.name for definition in first.definitions} == {"Outer", "small"}
    assert len(parts) >= 2
    assert {(one.symbol, one.kind, one.breadcrumb) for one in parts} == {("Outer.big", "method", ("Outer",))}
    assert parts[0].text.lstrip().startswith("# About big.")
    assert [one.definitions != () for one in parts] == [True] + [False] * (len(parts) - 1)


def test_line_ends_are_as_in_editors():
    text = "a = 1\rb = 2\r\nc = '\u2028\f'\n\n\n" + long_function("f")
    chunked = check(text, "python")
    assert [(one.name, one.line) for one in chunked.chunks[0].definitions][:3] == [("a", 1), ("b", 2), ("c", 3)]
    assert chunked.chunks[-1].definitions[0].line == 6


def test_characters_outside_ascii_move_nothing():
    text = "# 😀é\n" * 5 + "ä = '😀'\n\n\n" + long_function("naïve")
    assert check(text, "python").chunks[-1].definitions[0].name == "naïve"


def test_chunks_of_text_follow_its_paragraphs():
    paragraph = "\n".join(["Words that say something, again and again."] * 25)
    chunked = check("\n\n".join([paragraph] * 4), "text")
    assert [one.text for one in chunked.chunks] == [paragraph] * 4


def test_a_header_of_cpp_is_read_as_cpp():
    found = check("#pragma once\nnamespace a {\nclass B {\n public:\n  void c();\n};\n}\n", "c")
    assert {one.name: one.kind for one in found.chunks[0].definitions} == {"a": "module", "B": "class", "c": "method"}
    assert check("int f(void) { int class = 1; return class; }\n", "c").chunks[0].symbol == "f"


def test_an_unknown_language_is_split_by_lines():
    assert check("a\n\nb\n", "no such language").chunks[0].kind == "block"


def test_an_empty_text_has_no_chunks():
    assert check("", "python").chunks == check(" \n\t\n", "markdown").chunks == ()


def test_the_package_is_imported_without_the_parser():
    program = "import sys, memcache_lsp.chunking; sys.exit(any(name.startswith('tree_sitter') for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_threads_may_chunk_at_the_same_time():
    program = """
        import sys, threading
        from memcache_lsp.chunking import syntax

        def many():
            for _ in range(20):
                assert len(syntax.outline(text, "python", deadline_s=60).items) == 200

        sys.setswitchinterval(1e-6)
        text = "def first(a):\\n    return [a, f(a)]\\n\\n" * 200
        threads = [threading.Thread(target=many) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
