"""What the embedding table is trained on and how: pairs out of files, the choice among them, vocabulary, a small training."""

import importlib.util
import json
import tarfile
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from bench.exclude import HASHES, excluded
from bench.training import evaluate, sources, table, training, vocabulary
from bench.training.comments import describe, first_sentence, split_comment
from bench.training.distil import Distilled, sif_weights
from bench.training.pairs import Pair, balance, extract, level, may_be_read, of_document, read, write
from memcache_lsp.embedding.static import DATA, StaticEmbedder
from memcache_lsp.values import Document

HAS_EXTRA = importlib.util.find_spec("sentence_transformers") is not None

DOCUMENTS = {
    "a.go": ("go", "// Open opens the named file for reading.\nfunc Open(name string) (*File, error) {\n\treturn open(name, 0)\n}\n"),
    "a.py": ("python", 'def read(path):\n    """Read all lines of a file.\n\n    :param path: where\n    """\n    return path.read_text().splitlines()\n'),
    "a.rs": ("rust", "/// Returns the number of bytes.\n#[inline]\npub fn len(&self) -> usize {\n    self.buffer.len() + self.extra\n}\n"),
    "a.java": ("java", "class A {\n/**\n * Closes the {@link Stream stream} at once.\n * @param now when\n */\nvoid close(int now) {\n  this.stream.shutdown(now);\n}\n}\n"),
    "a.cs": ("csharp", 'class A {\n/// <summary>Adds a row to the <see cref="Table"/>.</summary>\npublic void Add(Row row) {\n  this.rows.Insert(0, row);\n}\n}\n'),
    "a.lua": ("lua", "--- Split a string at each comma.\nlocal function split(text)\n  return text:gmatch('[^,]+')\nend\n"),
    "a.hs": ("haskell", "module A where\n\n-- | Fold a structure from the left.\nfoldLeft :: (b -> a -> b) -> b -> [a] -> b\nfoldLeft f z xs = foldl f z xs\n"),
    "a.ex": ("elixir", 'defmodule A do\n  @doc """\n  Sends a message to the process.\n  """\n  def tell(pid, message) do\n    GenServer.cast(pid, {:tell, message})\n  end\nend\n'),
    "a.sh": ("bash", "# Print the version and leave.\nversion() {\n  printf '%s\\n' \"$PROGRAM $VERSION\"\n  exit 0\n}\n"),
}  # fmt: skip
SAID = {
    "a.go": "Open opens the named file for reading.",
    "a.py": "Read all lines of a file.",
    "a.rs": "Returns the number of bytes.",
    "a.java": "Closes the Stream stream at once.",
    "a.cs": "Adds a row to the Table.",
    "a.lua": "Split a string at each comma.",
    "a.hs": "Fold a structure from the left.",
    "a.ex": "Sends a message to the process.",
    "a.sh": "Print the version and leave.",
}


@pytest.mark.parametrize("path", DOCUMENTS)
def test_a_definition_gives_what_is_said_of_it_and_its_code_without_that(path):
    language, text = DOCUMENTS[path]
    found = dict(of_document(Document(path, text, language)))
    assert SAID[path] in found
    code = found[SAID[path]]
    assert SAID[path].split(" the ")[0] not in code
    assert any(len(line) > 10 and line in code for line in text.splitlines()[-4:])


def test_a_heading_is_paired_with_what_stands_under_it():
    body = "Give the program a file and it reads every line, " * 5
    document = Document("a.md", f"# One\n\n## Reading big files\n\n{body}\n", "markdown")
    ((said, under),) = of_document(document)
    assert said == "Reading big files"
    assert under.strip() == body.strip()


@pytest.mark.parametrize(
    "comment",
    [
        "// Copyright 2020 The Authors. All rights reserved.",
        "// SPDX-License-Identifier: MIT",
        "# TODO: make this faster than it is",
        "// if (ready) { start(); }",
        "// x = compute(a, b);",
        "// ok",
        "// 0x01 0x02 0x03 0x04 ab cd ef",
        "/* eslint-disable no-unused-vars */",
        "/** {@inheritDoc} */",
        "",
    ],
)
def test_comments_that_say_nothing_of_the_code_are_left_out(comment):
    assert describe(comment) == ""


@pytest.mark.parametrize(
    ("comment", "said"),
    [
        ("/// Sorts the list.\n///\n/// # Examples\n/// ```\n/// sort(x)\n/// ```", "Sorts the list."),
        ("/**\n * @brief Draws a straight line.\n * @param x where\n */", "Draws a straight line."),
        ("# Finds the user.\n#\n# @return [User]", "Finds the user."),
        ("-- | Maps over 'Left' values.", "Maps over 'Left' values."),
        ("/* Frees the memory. */", "Frees the memory."),
        ("// See https://example.org/x for the whole protocol.", "See for the whole protocol."),
    ],
)
def test_marks_and_lists_of_parameters_are_taken_off(comment, said):
    assert describe(comment) == said


def test_the_first_sentence():
    assert first_sentence("Opens e.g. a file. Then reads it.") == "Opens e.g. a file."


def test_a_comment_after_code_is_no_doc_comment():
    assert split_comment(["int x; // the count", "int y;"], "c") == ("", "int x; // the count\nint y;")


@pytest.mark.parametrize("name", ["golang-github-zzz-nothing", "my-project", "pylib", ""])
def test_names_that_are_nobodys_may_be_used(name):
    assert not excluded(name)


def test_a_name_is_known_in_every_dress(monkeypatch):
    import hashlib

    from bench import exclude

    known = frozenset({hashlib.sha256(b"memcache-bench:zzzdemo").hexdigest()[:16]})
    monkeypatch.setattr(exclude, "HASHES", known)
    exclude.excluded.cache_clear()
    try:
        for name in ("zzzdemo", "zzz-demo", "libzzzdemo", "python3-zzz_demo", "ZzzDemo2", "golang-github-zzz-demo.v3"):
            assert exclude.excluded(name), name
        assert not exclude.excluded("zzz-other-demo")
        assert not may_be_read("top/src/zzzdemo/a.py")
        assert not may_be_read("top/src/zzzdemo.py")
        assert may_be_read("zzzdemo/src/a.py")  # the top is the project itself, whose name was looked at
    finally:
        monkeypatch.undo()
        exclude.excluded.cache_clear()


def test_no_source_of_the_list_is_a_project_of_the_benchmark():
    listed = sources.read_list()
    assert len(HASHES) > 90
    assert len(listed) > 100
    assert [source.name for source in listed if excluded(source.name)] == []
    assert all(len(source.sha256) == 64 and source.licence for source in listed)
    assert len({source.key for source in listed}) == len(listed)


@pytest.mark.parametrize(
    "path", ["x/vendor/a.go", "x/third_party/a.c", "x/node_modules/b/a.js", "x/a.min.js", "x/a.d.ts", "x/tests/a.py"]
)
def test_other_peoples_and_generated_files_are_not_read(path):
    assert not may_be_read(path)
    assert may_be_read("x/src/core/a.go")


def archive(folder: Path, files: dict[str, str]) -> tuple[sources.Source, Path]:
    path = folder / "demo_1.orig.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        for name, text in files.items():
            info = tarfile.TarInfo(f"demo-1/{name}")
            info.size = len(text.encode())
            tar.addfile(info, BytesIO(text.encode()))
    return sources.Source("debian", "demo", "1-1", path.name, sources.sha256(path), "MIT"), path


def test_pairs_of_an_archive(tmp_path):
    files = {path: text for path, (_, text) in DOCUMENTS.items()}
    source, path = archive(
        tmp_path, {**files, "copy.go": files["a.go"], "vendor/b.go": files["a.go"].replace("Open", "X")}
    )
    found = extract(source, path)
    assert sorted(pair.language for pair in found) == sorted(language for language, _ in DOCUMENTS.values())
    write(found, tmp_path / "x" / "pairs.jsonl.gz")
    assert read(tmp_path / "x" / "pairs.jsonl.gz") == found


def test_a_source_that_changed_is_refused(tmp_path):
    source, path = archive(tmp_path, {"a.go": "package a\n"})
    (tmp_path / "debian").mkdir()
    path = path.rename(tmp_path / "debian" / path.name)
    assert sources.fetch(source, tmp_path) == path
    path.write_bytes(b"other")
    with pytest.raises(sources.Unusable, match="not the file"):
        sources.fetch(source, tmp_path)


@given(st.lists(st.integers(0, 50), max_size=8), st.integers(0, 200))
def test_a_level_shares_evenly_and_wastes_nothing(sizes, cap):
    share = level(sizes, cap)
    given_out = sum(min(size, share) for size in sizes)
    assert given_out <= cap
    more = sum(min(size, share + 1) for size in sizes)
    assert more > cap or given_out == sum(sizes)


def test_balance_drops_what_comes_twice_and_caps_a_language():
    many = [Pair("a", "go", f"says {i}", f"code {i}") for i in range(50)]
    few = [Pair("b", "go", f"tells {i}", f"other {i}") for i in range(5)]
    again = [Pair("c", "go", "says 1", "code 1"), *(Pair("d", "lua", "the same words", f"x = {i}") for i in range(9))]
    chosen = balance([*many, *few, *again], cap=20)
    assert len([pair for pair in chosen if pair.language == "go"]) == 20
    assert len([pair for pair in chosen if pair.source == "b"]) == 5
    assert len([pair for pair in chosen if pair.language == "lua"]) == 2
    assert balance(reversed([*many, *few, *again]), cap=20) == chosen


TOKENS = ["[UNK]", "open", "file", "http", "server", "the", "##s", "str", "##ct", "##ub", "st"]
FULL = json.loads((DATA / "tokenizer.json").read_text())
BERT = FULL["normalizer"]["normalizers"][-1]


def small() -> Distilled:
    rows = np.random.default_rng(0).normal(size=(len(TOKENS), 256)).astype(np.float32)
    rows[0] = 0
    return Distilled(TOKENS, rows, FULL | {"normalizer": BERT})


def test_words_of_many_sources_get_rows_that_begin_as_their_pieces():
    pairs = [Pair(f"s{i}", "c", "open the file", "int openFile(Struct stub) { HttpServer }") for i in range(8)]
    pairs.append(Pair("s0", "c", "oneOnly " * 50, "zzz"))
    tokens, rows, tokenizer = vocabulary.extend(small(), pairs)
    assert set(tokens) - set(TOKENS) == {"struct", "stub", "int"}
    made = Tokenizer.from_str(json.dumps(tokenizer))
    assert made.encode("openFile HTTPServer Struct", add_special_tokens=False).tokens == [
        "open", "file", "http", "server", "struct",
    ]  # fmt: skip
    first = small().rows
    assert np.allclose(rows[tokens.index("stub")], first[TOKENS.index("st")] + first[TOKENS.index("##ub")])


def test_frequent_tokens_weigh_less():
    weights = sif_weights(["the", "of", "rare", "日"])
    assert weights[0] < weights[1] < weights[2] < weights[3]


def test_a_written_table_is_read_back_nearly_as_it_was(tmp_path):
    given_rows = small().rows
    table.write(given_rows, vocabulary.tokenizer_of(small().tokenizer, TOKENS), tmp_path)
    (vector,) = StaticEmbedder(tmp_path).embed(["open the HttpServer files"])
    wanted = sum(given_rows[TOKENS.index(t)] for t in ("open", "the", "http", "server", "file", "##s"))
    assert vector @ (wanted / np.linalg.norm(wanted)) > 0.999


def test_batches_hold_every_pair_once_and_one_source_each(monkeypatch):
    monkeypatch.setattr(training, "BATCH", 10)
    monkeypatch.setattr(training, "SMALLEST_BATCH", 4)
    pairs = [Pair(f"s{i % 3}", "go", str(i), str(i)) for i in range(100)] + [
        Pair(f"t{i}", "go", "x", "y") for i in range(7)
    ]
    made = list(training.batches(pairs, 1))
    assert sorted(i for batch in made for i in batch) == list(range(107))
    mixed = [batch for batch in made if len({pairs[i].source for i in batch}) > 1]
    assert len(mixed) == 2
    assert list(training.batches(pairs, 1)) == made != list(training.batches(pairs, 2))


@pytest.mark.filterwarnings("ignore:.*")  # of the training libraries themselves
@pytest.mark.skipif(not HAS_EXTRA, reason="needs sentence-transformers")
def test_training_brings_descriptions_to_their_code(tmp_path):
    words = ["open", "file", "http", "server"]
    pairs = [Pair("s", "go", a, b) for a, b in zip(words, [*words[2:], *words[:2]], strict=True)] * 20
    tokenizer = vocabulary.tokenizer_of(small().tokenizer, TOKENS)
    rows = training.train(pairs, small().rows, tokenizer, tmp_path, training.Plan(epochs=60, rate=0.05))
    rows = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)
    near = [rows[TOKENS.index(pair.text)] @ rows[TOKENS.index(pair.code)] for pair in pairs[:4]]
    assert min(near) > 0.5
    assert not rows[0].any()


@pytest.mark.filterwarnings("ignore:.*")
@pytest.mark.skipif(not HAS_EXTRA, reason="needs sentence-transformers")
def test_a_training_that_ended_early_goes_on_to_the_same_table(tmp_path, monkeypatch):
    pairs = [Pair("s", "go", TOKENS[1 + i % 5], TOKENS[1 + (i + 2) % 5]) for i in range(20)]
    plan = training.Plan(epochs=40, rate=0.01, checkpoint_steps=3)
    tokenizer = vocabulary.tokenizer_of(small().tokenizer, TOKENS)
    whole, parted = tmp_path / "whole", tmp_path / "parted"
    whole.mkdir()
    parted.mkdir()
    schedule = training._schedule

    def stop(done):
        if done >= 0.5:
            raise KeyboardInterrupt
        return schedule(done)

    with monkeypatch.context() as patch:
        patch.setattr(training, "_schedule", stop)
        with pytest.raises(KeyboardInterrupt):
            training.train(pairs, small().rows, tokenizer, parted, plan)
    went_on = training.train(pairs, small().rows, tokenizer, parted, plan)
    assert np.array_equal(went_on, training.train(pairs, small().rows, tokenizer, whole, plan))


def test_a_file_counts_as_its_best_chunk():
    chunks = [evaluate.Place(f"{i // 3}.py", i, i, "") for i in range(60)]
    scores = np.zeros(60, dtype=np.float32)
    scores[[31, 4, 32, 3]] = [0.9, 0.8, 0.7, 0.6]
    hits = evaluate.best_files(scores, chunks)
    assert [(hit["path"], hit["startLine"]) for hit in hits[:2]] == [("10.py", 31), ("1.py", 4)]
    assert len(hits) == 10 == len({hit["path"] for hit in hits})


def test_tables_are_compared_on_the_same_chunks(tmp_path):
    (tmp_path / "corpora/demo").mkdir(parents=True)
    for path, (_, text) in DOCUMENTS.items():
        (tmp_path / "corpora/demo" / path).write_text(text)
    queries = [
        {"query": "split a string", "relevant": ["a.lua"]},
        {"query": "close the stream", "relevant": ["a.java"]},
    ]
    repos = [{"name": "demo", "language": "mixed", "top": ".", "queries": queries}]
    chunks = evaluate.chunks_of(repos, tmp_path / "corpora", tmp_path / "kept")
    assert evaluate.chunks_of(repos, tmp_path / "nowhere", tmp_path / "kept") == chunks

    class Blind:
        def embed(self, texts):
            return np.zeros((len(texts), 4), dtype=np.float32)

    results = evaluate.compare(repos, chunks, {"ours": StaticEmbedder(), "blind": Blind()})
    assert results["ours"]["scores"]["demo"] == 1
    assert results["blind"]["scores"]["demo"] < 1
    assert "blind against ours: -" in evaluate.summarize(repos, results)


def test_interval_holds_the_mean():
    low, high = evaluate.interval([0.1, 0.2, 0.3, 0.2])
    assert low < 0.2 < high
