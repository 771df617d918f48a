"""Own the form in which model2vec, and so semble, loads a static table: safetensors, tokenizer and configuration.

Written with numpy alone, so that the project needs neither library.
"""

from __future__ import annotations

import json
import shutil
import struct
from pathlib import Path

import numpy as np

_ALIGNMENT = 8


def write_model(table: Path, out: Path) -> Path:
    """Write the table of a folder of memcache_lsp/data (int8 rows with a scale each) as a folder of model2vec's.

    The rows become float32, the tokenizer stays; vectors are brought to unit length, and the unknown token is left out by
    both. What differs is that ours cuts identifiers as its tokenizer says and looks at a text's first 16,384 characters.
    """
    stored = np.load(table / "table.npy", mmap_mode="r", allow_pickle=False)
    rows = stored["row"].astype(np.float32) * stored["scale"][:, None]
    out.mkdir(parents=True, exist_ok=True)
    (out / "model.safetensors").write_bytes(safetensors(rows))
    shutil.copyfile(table / "tokenizer.json", out / "tokenizer.json")
    facts = {
        "model_type": "model2vec",
        "architectures": ["StaticModel"],
        "hidden_dim": rows.shape[1],
        "normalize": True,
    }
    (out / "config.json").write_text(json.dumps(facts))
    return out


def safetensors(rows: np.ndarray) -> bytes:
    """Return float32 rows as a safetensors file: the header's length, the header as JSON, the values."""
    values = np.ascontiguousarray(rows, dtype="<f4").tobytes()
    entry = {"dtype": "F32", "shape": list(rows.shape), "data_offsets": [0, len(values)]}
    header = json.dumps({"embeddings": entry}).encode()
    header += b" " * (-len(header) % _ALIGNMENT)
    return struct.pack("<Q", len(header)) + header + values
