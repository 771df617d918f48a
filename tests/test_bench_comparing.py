"""What the retrieval benchmark computes and writes beside the measuring: differences, tables, the plot, peers' forms."""

import json
import statistics
import struct
import subprocess
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from comparing import compared, model_folder, peers, plot, published, questions, rows, tables, with_rg, with_semble
from comparing.rows import Row

from memcache_lsp.embedding import static


def row(repo, scores, system="ours", **measured):
    return Row(
        system=system,
        repo=repo,
        language=measured.pop("language", "c"),
        scores=scores,
        kinds=measured.pop("kinds", ["semantic"] * len(scores)),
        unanswered=0,
        ndcg10=statistics.mean(scores),
        **measured,
    )


def many(system, scores, **measured):
    return [row(f"r{i:02}", [score], system, **measured) for i, score in enumerate(scores)]


@pytest.mark.parametrize(("few", "unit", "units"), [(True, "question", 9), (False, "repository", 12)])
def test_the_difference_is_paired_and_drawn_from_repositories_where_these_are_many(few, unit, units):
    number = 3 if few else 12
    ours = [row(f"r{i}", [0.5 + i / 100, 0.75, 1.0]) for i in range(number)]
    theirs = [row(f"r{i}", [0.25 + i / 100, 0.75, 1.0], "semble") for i in reversed(range(number))]
    found = compared.difference(ours, theirs)
    assert found.mean == pytest.approx(0.25 / 3)
    assert (found.unit, found.units) == (unit, units)
    assert (found.better, found.worse) == (number, 0)
    if few:  # a resample may have nothing of the question that is better, or nothing else
        assert found.low < found.mean < found.high
    else:  # every repository gains the same
        assert found.low == pytest.approx(found.mean) == pytest.approx(found.high)
    assert compared.difference(ours, theirs) == found


def test_the_interval_is_that_of_the_mean():
    chance = np.random.default_rng(7)
    gains = chance.normal(0.1, 0.2, 40)
    found = compared.difference(many("ours", 0.5 + gains), many("semble", [0.5] * 40))
    width = 1.96 * gains.std() / np.sqrt(40)
    assert found.mean == pytest.approx(gains.mean())
    assert found.low == pytest.approx(gains.mean() - width, abs=0.01)
    assert found.high == pytest.approx(gains.mean() + width, abs=0.01)


def test_only_what_both_were_asked_is_compared():
    ours = many("ours", [0.5] * 12)
    found = compared.difference(ours, many("semble", [0.25] * 11))
    assert (found.units, found.mean) == (11, 0.25)


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [([], 0.5, None), ([3], 0.95, 3), ([1, 2, 3, 4], 0.5, 2), (range(1, 101), 0.95, 95)],
)
def test_quantile(values, share, expected):
    assert compared.quantile(values, share) == expected


def test_a_sum_of_which_a_part_is_missing_is_none():
    assert compared.total([1.0, 2.0]) == 3
    assert compared.total([1.0, None]) is None
    assert compared.total([]) is None


def test_the_tables_set_system_beside_system():
    measured = {"index_s": 2.0, "change_s": 0.5, "query_ms": [1.0, 3.0], "peak_mb": 100.0}
    there = [
        row("a", [1.0, 0.5], kinds=["symbol", "semantic"], language="go", **measured),
        row("b", [0.5, 0.5], kinds=["semantic", "semantic"], **measured),
        row("b", [0.5, 0.0], "semble", kinds=["semantic", "semantic"], **measured | {"index_s": 1.0}),
        row("a", [0.5, 0.5], "semble", kinds=["symbol", "semantic"], language="go", **measured),
        row("a", [0.5, 0.0], "rg", kinds=["symbol", "semantic"], language="go", query_ms=[10.0, 10.0]),
        row("b", [0.0, 0.0], "rg", kinds=["semantic", "semantic"], query_ms=[10.0, 10.0]),
    ]
    told = tables.summarize(there).splitlines()
    for line in (
        "| memcache-lsp | 0.625 | 4.0 | 1.00 | 1.0 | 3.0 | 100 |",
        "| semble, hybrid with ranking | 0.375 | 3.0 | 1.00 | 1.0 | 3.0 | 100 |",
        "| ripgrep, a keyword at a time | 0.125 | – | – | 10.0 | 10.0 | – |",
        "| memcache-lsp ÷ semble | × 1.67 | × 1.33 | × 1.00 | × 1.00 | × 1.00 | × 1.00 |",
        "| semantic | 3 | 0.500 | 0.333 | 0.000 |",
        "| symbol | 1 | 1.000 | 0.500 | 0.500 |",
        "| go | 1 | 0.750 | 0.500 | 0.250 |",
        "| **all** | 2 | 0.625 | 0.375 | 0.125 |",
    ):
        assert line in told
    against = next(line for line in told if line.startswith("| semble, hybrid with ranking | +0.250 |"))
    assert against.endswith("| 2 of 4 | 0 |")


def test_a_run_without_us_has_no_ratio_and_no_difference():
    told = tables.summarize(many("rg", [0.5, 0.25], query_ms=[1.0]))
    assert "÷" not in told
    assert "bootstrap" not in told
    assert "| **all** | 2 | 0.375 |" in told


def test_what_is_published_is_quoted_for_its_repositories_alone(monkeypatch):
    monkeypatch.setattr(published, "_PART", published.digest(["r01", "r00"]))
    assert "CodeRankEmbed" in tables.summarize(many("ours", [0.5, 0.25]))
    assert "CodeRankEmbed" in plot.draw(many("ours", [0.5, 0.25], index_s=1.0))
    assert "CodeRankEmbed" not in tables.summarize(many("ours", [0.5, 0.25, 0.5]))


def test_rows_are_written_read_and_the_later_one_counts(tmp_path):
    first, second = tmp_path / "a.json", tmp_path / "b.json"
    rows.write(many("ours", [0.5, 0.25]), first)
    rows.write(many("ours", [1.0]) + many("rg", [0.5]), second)
    assert rows.read([first, second]) == [*many("ours", [1.0, 0.25]), *many("rg", [0.5])]


def test_the_plot_is_svg_whose_labels_stand_apart():
    systems = {"ours": 0.9, "semble": 0.82, "semble-bm25": 0.819, "semble-plain": 0.7, "rg": 0.6}
    there = [
        each
        for at, (name, quality) in enumerate(systems.items())
        for each in many(name, [quality] * 2, query_ms=[1.0 + at / 50], index_s=None if name == "rg" else 1.0)
    ]
    root = ET.fromstring(plot.draw(there))
    space = "{http://www.w3.org/2000/svg}"
    assert len(root.findall(f"{space}circle")) == 9  # ripgrep has no index
    texts = [each.text for each in root.findall(f"{space}text")]
    assert texts.count("memcache-lsp") == 2
    assert texts.count("ripgrep") == 1


def test_labels_get_out_of_each_others_way():
    marks = [(100.0, 100.0), (100.0, 104.0), (104.0, 100.0)]
    labels = plot.placed(marks, ["one system", "another one", "a third"], 0)
    assert not any(a.meets(b) for a in labels for b in labels if a is not b)


@pytest.mark.parametrize(
    ("low", "high", "expected"), [(0.5, 20, [0.5, 1, 2, 5, 10, 20]), (0.02, 90, [0.1, 1, 10]), (3, 4, [])]
)
def test_ticks(low, high, expected):
    assert plot.ticks(low, high) == pytest.approx(expected)


def test_our_table_becomes_a_folder_of_model2vec(tmp_path):
    folder = model_folder.write_model(static.DATA, tmp_path / "model")
    data = (folder / "model.safetensors").read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    entry = json.loads(data[8 : 8 + length])["embeddings"]
    assert length % 8 == 0
    assert entry["dtype"] == "F32"
    assert entry["data_offsets"] == [0, len(data) - 8 - length]
    table = np.frombuffer(data[8 + length :], dtype="<f4").reshape(entry["shape"])
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    assert len(tokenizer["model"]["vocab"]) == len(table)  # model2vec refuses anything else
    assert json.loads((folder / "config.json").read_text())["normalize"] is True

    word = next(word for word in tokenizer["model"]["vocab"] if word == "index")
    vector = table[tokenizer["model"]["vocab"][word]]
    ours = static.StaticEmbedder().embed([word])[0]
    assert vector / np.linalg.norm(vector) == pytest.approx(ours, abs=1e-6)


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("how are routes registered", ["routes", "registered"]),
        ("parse_args", ["parse_args"]),
        ("Where is the Parser, and the parser's Parser?", ["Parser", "parser"]),
        ("++", ["++"]),
    ],
)
def test_keywords(question, expected):
    assert with_rg.keywords(question) == expected


def test_ripgrep_s_files_are_ordered_by_keywords_and_then_matches():
    found = [with_rg.counts_of(b"./a.c\x003\n./b c.c\x001\n"), with_rg.counts_of(b"./b c.c\x001\n./d:1.c\x004\n"), {}]
    assert found[1] == {"b c.c": 1, "d:1.c": 4}
    assert with_rg.order(found) == ["b c.c", "d:1.c", "a.c"]


REPO = {"name": "r", "language": "c", "top": "src"}


def test_the_file_to_change_is_one_that_answers_and_is_left_as_it_was(tmp_path):
    for name, size in (("a.c", 10), ("b.c", 20), ("c.c", 30), ("other.c", 25)):
        (tmp_path / name).write_text("x" * size)
    targets = ["src/a.c", {"path": "src/b.c", "start_line": 1, "end_line": 2}, "src/c.c", "src/gone.c"]
    repo = REPO | {"queries": [{"query": "q", "relevant": targets[:2], "secondary": targets[2:]}]}
    path = questions.file_to_change(repo, tmp_path)
    assert path == tmp_path / "b.c"
    with questions.changed(path):
        assert path.read_text().startswith("x" * 20 + "\n#")
    assert path.read_text() == "x" * 20
    assert questions.file_to_change(repo, tmp_path / "elsewhere") is None


CHILD = """
import json, sys
work = json.loads(sys.stdin.readline())
hits = [[{"path": "a.c", "startLine": 1, "endLine": 9}] for _ in work["queries"]]
modes = {name: {"hits": hits, "ms": [1.0] * len(hits)} for name in work["modes"]}
print(json.dumps({"files": 3, "chunks": 7, "index_s": 0.5, "modes": modes}), flush=True)
if sys.argv[-1].endswith("whole"):
    sys.stdin.readline()
    print(json.dumps({"change_s": 0.25, "peak_mb": 80.0, "text": open(sys.argv[-1] + "/a.c").read()}), flush=True)
"""


@pytest.fixture
def semble(tmp_path, monkeypatch):
    """Let a stand-in speak for semble's process: it ends early but for a folder named `whole`."""
    import sys

    (tmp_path / "child.py").write_text(CHILD)
    monkeypatch.setattr(with_semble, "_CHILD", tmp_path / "child.py")
    return with_semble.Semble(sys.executable, tmp_path / "model", tmp_path / "cache")


def test_semble_gives_a_row_for_each_mode(semble, tmp_path):
    repo = REPO | {"queries": [{"query": "q", "relevant": ["src/a.c"]}, {"query": "p", "relevant": ["src/b.c"]}]}
    (tmp_path / "whole").mkdir()
    (tmp_path / "whole" / "a.c").write_text("int a;\n")
    found = with_semble.run(semble, repo, tmp_path / "whole", "warm")
    assert [each.system for each in found] == ["semble", "semble-bm25", "semble-plain"]
    assert {(each.ndcg10, each.index_s, each.change_s, each.peak_mb, each.files) for each in found} == {
        (0.5, 0.5, 0.25, 80.0, 3)
    }
    assert rows.problems(["r"], found) == []


def test_semble_that_dies_is_told(semble, tmp_path, monkeypatch):
    repo = REPO | {"queries": [{"query": "q", "relevant": ["src/a.c"]}]}
    found = with_semble.run(semble, repo, tmp_path, "warm")
    assert [each.change_s for each in found] == [None] * 3
    (tmp_path / "child.py").write_text("import sys; sys.exit(3)")
    found = with_semble.run(semble, repo, tmp_path, "warm")
    assert [each.ndcg10 for each in found] == [0] * 3
    assert rows.problems(["r"], found)[:2] == ["r was not indexed by semble", "1 queries of r had no answer by semble"]


def test_a_peer_that_pip_cannot_install_is_missing(tmp_path, monkeypatch):
    class Failed:
        returncode, stdout, stderr = 1, "", "ERROR: No matching distribution found\n\n"

    monkeypatch.setattr(peers, "FOLDER", tmp_path)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: Failed)
    with pytest.raises(peers.Missing, match="No matching distribution found"):
        peers.install("semble==0.0.0")
    (tmp_path / "bin").mkdir(parents=True)
    (tmp_path / "bin" / "python").touch()
    with pytest.raises(peers.Missing, match="pip did not install semble==0.0.0: ERROR: No matching"):
        peers.install("semble==0.0.0")
