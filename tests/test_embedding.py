"""What every embedder promises, held over both implementations; then what only the static table promises."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import shutil
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from memcache_lsp import vouching
from memcache_lsp.embedding import DEFAULT, Embedder, open_embedder
from memcache_lsp.embedding.static import DATA, StaticEmbedder
from memcache_lsp.errors import ModelError

TEXTS = [
    "def retry(times): ...",
    "open a file and read its lines",
    "",
    "naïve café — über",
    "日本語のテキスト",
    "\x00 a\x00b \x1f",
    "\ud800 lone \udfff",
    "word " * 60_000,
    "x" * 500_000,
    "[SEP] [UNK] [CLS] ##ing",
    " \t\r\n\f\v ",
]
HAS_EXTRA = importlib.util.find_spec("sentence_transformers") is not None


@pytest.fixture(scope="session")
def static() -> StaticEmbedder:
    return StaticEmbedder()


def tiny_transformer(folder, seed=7):
    """Save a real sentence-transformers model of random weights over a vocabulary of the test's own."""
    import torch
    from transformers import BertConfig, BertModel

    letters = "abcdefghijklmnopqrstuvwxyz"
    tokens = [
        "[PAD]",
        "[UNK]",
        "[CLS]",
        "[SEP]",
        "[MASK]",
        "open",
        "file",
        "read",
        "line",
        *letters,
        *(f"##{c}" for c in letters),
    ]
    torch.manual_seed(seed)
    config = BertConfig(
        vocab_size=len(tokens), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32
    )
    BertModel(config).save_pretrained(folder)
    files = {
        "vocab.txt": "\n".join(tokens) + "\n",
        "tokenizer_config.json": '{"tokenizer_class": "BertTokenizer", "do_lower_case": true}',
        "sentence_bert_config.json": '{"max_seq_length": 64}',
        "1_Pooling/config.json": '{"word_embedding_dimension": 16, "pooling_mode_mean_tokens": true}',
        "modules.json": json.dumps(
            [
                {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{name}"}
                for i, (path, name) in enumerate([("", "Transformer"), ("1_Pooling", "Pooling")])
            ]
        ),
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    return folder


@pytest.fixture(scope="session")
def transformer_folder(tmp_path_factory):
    return tiny_transformer(tmp_path_factory.mktemp("transformer"))


@pytest.fixture(params=["static", "transformer"] if HAS_EXTRA else ["static"])
def embedder(request) -> Embedder:
    if request.param == "static":
        return request.getfixturevalue("static")
    return open_embedder(str(request.getfixturevalue("transformer_folder")))


class TestContract:
    def test_shape_and_type(self, embedder):
        vectors = embedder.embed(TEXTS)
        assert vectors.shape == (len(TEXTS), embedder.dimension)
        assert vectors.dtype == np.float32

    def test_nothing_gives_no_rows(self, embedder):
        assert embedder.embed([]).shape == (0, embedder.dimension)

    def test_rows_are_finite_and_of_unit_length_or_zero(self, embedder):
        lengths = np.linalg.norm(embedder.embed(TEXTS), axis=1)
        assert np.all((np.abs(lengths - 1) < 1e-5) | (lengths == 0))
        assert abs(lengths[0] - 1) < 1e-5
        assert abs(lengths[1] - 1) < 1e-5

    def test_same_text_same_row(self, embedder):
        assert np.array_equal(embedder.embed(TEXTS), embedder.embed(TEXTS))

    def test_batch_equals_one_by_one(self, embedder):
        batch = embedder.embed(TEXTS)
        for row, text in zip(batch, TEXTS, strict=True):
            assert np.allclose(row, embedder.embed([text])[0], atol=1e-5)

    def test_query_is_a_vector(self, embedder):
        vector = embedder.embed_query("open a file")
        assert vector.shape == (embedder.dimension,)
        assert vector.dtype == np.float32
        assert abs(np.linalg.norm(vector) - 1) < 1e-5

    def test_different_texts_differ(self, embedder):
        first, second = embedder.embed(["open a file", "read a line"])
        assert not np.allclose(first, second)

    def test_id_is_not_empty_and_on_one_line(self, embedder):
        assert embedder.id
        assert embedder.id.isprintable()


def test_static_is_the_default_and_its_id_is_stable(static):
    for name in (None, DEFAULT):
        assert open_embedder(name).id == static.id


def test_batch_is_bitwise_equal_to_one_by_one(static):
    batch = static.embed(TEXTS)
    assert all(np.array_equal(row, static.embed([text])[0]) for row, text in zip(batch, TEXTS, strict=True))


def test_only_texts_without_known_tokens_are_zero(static):
    zero = [text for text, row in zip(TEXTS, static.embed(TEXTS), strict=True) if not row.any()]
    assert zero == ["", "x" * 500_000, " \t\r\n\f\v "]


@pytest.mark.parametrize(
    ("text", "near", "far"),
    [
        ("open a file", "read from disk", "cook pasta"),
        ("http request routing", "dispatch urls to handlers", "matrix multiplication"),
        ("delete user account", "remove a member", "draw a circle"),
        ("authentication", "def check_password(user, login):", "def draw_line(x0, y0, x1, y1):"),
        ("compress data", "zip archive", "windows and doors"),
    ],
)
def test_related_phrases_are_nearer(static, text, near, far):
    query = static.embed_query(text)
    near_cosine, far_cosine = static.embed([near, far]) @ query
    assert near_cosine > far_cosine + 0.1


SNIPPETS = st.text(
    alphabet=st.one_of(st.characters(codec="utf-8"), st.sampled_from("aAbBZ09_(). \n\t\x00\x0b'\u0301\u00a0éÉ"))
)


@settings(deadline=None)  # the first call loads the table
@given(SNIPPETS)
def test_words_and_marks_give_what_the_whole_tokenizer_gives(text):
    tokenizer, embedder = _tokenizer_and_embedder()
    whole = embedder._sum([i for i in tokenizer.encode(text, add_special_tokens=False).ids if i])
    length = np.linalg.norm(whole)
    expected = whole / length if length > 0 else whole
    assert np.allclose(embedder.embed([text])[0], expected, atol=1e-5)
    assert np.allclose(embedder.embed([text])[0], expected, atol=1e-5)  # and from the cache


_LOADED: list[tuple[Tokenizer, StaticEmbedder]] = []


def _tokenizer_and_embedder():
    if not _LOADED:
        _LOADED.append((Tokenizer.from_file(str(DATA / "tokenizer.json")), StaticEmbedder()))
    return _LOADED[0]


@pytest.mark.parametrize("name", ["HttpServer", "httpServer", "HTTPServer", "http_server", "http.Server"])
def test_names_are_cut_into_their_words(static, name):
    words, whole = static.embed(["http server", name])
    assert words @ whole > (0.9 if "_" in name or "." in name else 0.9999)


def test_cache_of_words_is_bounded(static, monkeypatch):
    monkeypatch.setattr("memcache_lsp.embedding.static._MAX_CACHED_WORDS", 10)
    embedder = StaticEmbedder()
    text = " ".join(f"word{i}" for i in range(100))
    assert np.array_equal(embedder.embed([text]), static.embed([text]))
    assert len(embedder._words) <= 10


def test_files_are_what_the_model_card_says():
    facts = json.loads((DATA / "model.json").read_text())
    card = (DATA / "MODEL_CARD.md").read_text()
    for file, key in (("table.npy", "table_sha256"), ("tokenizer.json", "tokenizer_sha256")):
        assert hashlib.sha256((DATA / file).read_bytes()).hexdigest() == facts[key]
        assert facts[key] in card
    assert facts["name"] == DEFAULT
    assert "Apache-2.0" in card


def test_weights_stay_small():
    assert sum(p.stat().st_size for p in DATA.iterdir()) < 16_000_000


def test_id_changes_with_the_files(tmp_path, static):
    shutil.copytree(DATA, tmp_path / "other")
    facts = json.loads((DATA / "model.json").read_text())
    (tmp_path / "other" / "model.json").write_text(json.dumps(facts | {"table_sha256": "0" * 64}))
    assert StaticEmbedder(tmp_path / "other").id != static.id


@pytest.mark.parametrize("damage", ["table.npy", "tokenizer.json", "model.json"])
@pytest.mark.parametrize("how", ["missing", "cut"])
def test_damaged_installation_is_one_sentence(tmp_path, damage, how):
    shutil.copytree(DATA, tmp_path / "other")
    file = tmp_path / "other" / damage
    if how == "missing":
        file.unlink()
    else:
        file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(ModelError, match="reinstall"):
        StaticEmbedder(tmp_path / "other").embed(["x"])


def test_opening_the_default_loads_no_heavy_library():
    import subprocess

    code = (
        "import sys; from memcache_lsp.embedding import open_embedder; assert 'numpy' not in sys.modules; open_embedder();"
        "bad = {'torch', 'transformers', 'sentence_transformers', 'huggingface_hub'} & set(sys.modules); assert not bad, bad"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_missing_extra_is_one_sentence(monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "sentence_transformers" else find(name)
    )
    with pytest.raises(ModelError, match=r"pip install 'memcache-lsp\[transformers\]'"):
        open_embedder("some/model")


@pytest.mark.parametrize("seed", range(4))
def test_fingerprint_sees_changed_weights_and_names(tmp_path, seed):
    from memcache_lsp.embedding.transformer import fingerprint

    random = np.random.default_rng(seed)
    weights = random.bytes(3_000_000)
    (tmp_path / "model.safetensors").write_bytes(weights)
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "README.md").write_text("words")
    seen = [fingerprint(tmp_path)]
    assert fingerprint(tmp_path) == seen[0]
    (tmp_path / "README.md").write_text("other words")
    assert fingerprint(tmp_path) == seen[0]
    (tmp_path / "model.safetensors").write_bytes(random.bytes(3_000_000))
    seen.append(fingerprint(tmp_path))
    (tmp_path / "config.json").write_text("{ }")
    seen.append(fingerprint(tmp_path))
    (tmp_path / "config.json").rename(tmp_path / "config2.json")
    seen.append(fingerprint(tmp_path))
    assert len(set(seen)) == 4


@pytest.fixture
def extra(monkeypatch):
    """Pretend that the extra is there, for what is decided before it is imported."""
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: find("json") if name == "sentence_transformers" else find(name)
    )


def test_a_folder_that_is_not_there_is_one_sentence(extra, tmp_path):
    with pytest.raises(ModelError, match="check the path"):
        open_embedder(str(tmp_path / "none"))


def test_a_curated_embedder_that_was_not_pulled_says_how_to(extra):
    with pytest.raises(ModelError, match="models pull all-minilm-l6-v2"):
        open_embedder("all-MiniLM-L6-v2")


def test_a_local_model_is_not_loaded_for_its_id(extra, tmp_path):
    (tmp_path / "config.json").write_text("{}")
    before = set(sys.modules)
    assert open_embedder(str(tmp_path)).id.startswith("sentence-transformers:")
    assert not {"torch", "sentence_transformers"} & (set(sys.modules) - before)


@pytest.fixture
def evil(tmp_path, monkeypatch):
    """Be in a project that holds models of its own, whose code must not run."""
    for name in ("all-minilm-l6-v2", "some/model", "sentence-transformers/other"):
        folder = tmp_path / name
        folder.mkdir(parents=True)
        (folder / "modules.json").write_text('[{"idx": 0, "name": "0", "path": "", "type": "evil.Evil"}]')
        (folder / "evil.py").write_text("raise SystemExit('it was run')\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_curated_name_never_means_a_folder_of_the_project(extra, evil, home, monkeypatch):
    with pytest.raises(ModelError, match="models pull"):
        open_embedder("all-minilm-l6-v2")
    pulled = home / "data/models/all-minilm-l6-v2"
    pulled.mkdir(parents=True)
    (pulled / "config.json").write_text("{}")
    with pytest.raises(ModelError, match="is not the all-minilm-l6-v2 that its name promises"):
        open_embedder("all-minilm-l6-v2")
    monkeypatch.setattr(vouching, "check", lambda _: None)
    assert open_embedder("all-minilm-l6-v2")._folder.samefile(pulled)


@pytest.mark.parametrize("name", ["some/model", "other"])
def test_a_name_of_the_hub_never_means_a_folder_of_the_project(extra, evil, name, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ModelError, match="cannot be loaded"):
        open_embedder(name)


@pytest.mark.parametrize("name", ["./some/model", "some/../some/model", "../x", "."])
def test_a_relative_folder_is_refused(extra, evil, name):
    with pytest.raises(ModelError, match="write it in full|cannot be loaded"):
        open_embedder(name)


def test_a_folder_whose_parts_are_code_of_its_own_is_refused(extra, evil):
    embedder = open_embedder(str(evil / "some/model"))
    with pytest.raises(ModelError, match=r"would run code of its own \(evil\.Evil\)"):
        embedder.embed(["a"])


if HAS_EXTRA:

    def test_two_models_have_two_ids(transformer_folder, tmp_path):
        other = tiny_transformer(tmp_path / "other", seed=8)
        assert open_embedder(str(other)).id != open_embedder(str(transformer_folder)).id

    def test_a_copy_of_a_model_has_the_same_id(transformer_folder, tmp_path):
        copy = shutil.copytree(transformer_folder, tmp_path / "copy")
        assert open_embedder(str(copy)).id == open_embedder(str(transformer_folder)).id

    @pytest.mark.parametrize("damage", ["model.safetensors", "config.json", "modules.json"])
    def test_a_damaged_model_is_one_sentence(transformer_folder, tmp_path, damage):
        copy = shutil.copytree(transformer_folder, tmp_path / "copy")
        (copy / damage).write_bytes(b"rubbish")
        embedder = open_embedder(str(copy))
        with pytest.raises(ModelError, match="cannot be loaded") as caught:
            embedder.embed(["a"])
        assert "\n" not in str(caught.value)

    def test_an_unknown_model_of_the_hub_is_one_sentence_when_offline(monkeypatch):
        import huggingface_hub.constants

        monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
        with pytest.raises(ModelError, match="cannot be loaded") as caught:
            open_embedder("nobody/no-such-model")
        assert "\n" not in str(caught.value)

    def test_minilm_reads_what_a_phrase_means(minilm):
        embedder = open_embedder(str(minilm))
        assert embedder.dimension == 384
        near, far = embedder.embed(["dispatch urls to handlers", "matrix multiplication"]) @ embedder.embed_query(
            "http routing"
        )
        assert near > far + 0.2
