"""The files of a table as memcache_lsp/data has them: int8 rows with a scale each, tokenizer, facts, model card.

Owns the card's words and figures. Writes nothing else.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from bench.training.distil import DIMENSION, SOURCE, WEIGHTS_SHA256, Rows
from bench.training.pairs import Pair
from bench.training.sources import LIST, Source, sha256

NAME: Final = "static-code-256"
OUT: Final = Path(__file__).resolve().parents[2] / "memcache_lsp" / "data" / NAME

_CARD: Final = """# {name}

A static embedding table for code and its documents: {rows:,} tokens by {dimension} dimensions, int8 with a scale per row,
{size_mb:.1f} MB. The vector of a text is the sum of its tokens' rows, brought to unit length; its first 128 or 64
dimensions serve by themselves. It needs numpy and tokenizers, no torch.

- **Method:** begun from a distillation of sentence-transformers/all-MiniLM-L6-v2 (weights with sha256
  `{weights}`, from the package {source}); each token's output without
  context, PCA to {dimension} dimensions, SIF weights. {words:,} words of code that it would cut into pieces were added, and
  identifiers are cut at camelCase. Then trained on {pairs:,} pairs of (comment or heading, the code or text under it) by
  MultipleNegativesRankingLoss in MatryoshkaLoss, each batch from one source, so that the wrong answers are near ones.
- **Made by:** `python -m bench.training --cache DIR`, which makes these files again.
- **Sources:** {sources} packages of Debian, npm and PyPI, each with version, sha256 and the licence it states in
  `bench/training/sources.json` (sha256 of that file: `{list_sha256}`). No project that the benchmark uses is among them;
  `bench/exclude.py` holds this, also for folders inside of a package.
- **Pairs by language:** {languages}.
- **Licences of the sources:** {licences}. The table holds weights, none of their text.
- **Licence:** Apache-2.0, as the model that it begins from.
- **sha256 of `table.npy`:** `{table_sha256}`
- **sha256 of `tokenizer.json`:** `{tokenizer_sha256}`
- **Limits:** English comments; word order is lost; unknown scripts get no vector. It is made to find candidates beside a
  lexical search, not to rank alone.
"""


def quantize(rows: Rows) -> NDArray[np.void]:
    """Return the table: a record per row, a float32 scale and int8 values whose product is the row."""
    scale = np.abs(rows).max(axis=1) / 127
    table = np.zeros(len(rows), dtype=[("scale", "<f4"), ("row", "i1", (rows.shape[1],))])
    table["scale"] = scale
    table["row"] = np.rint(rows / np.where(scale > 0, scale, 1)[:, None])
    return table


def write(rows: Rows, tokenizer: dict[str, Any], out: Path) -> dict[str, Any]:
    """Write what the embedder reads, and return its facts."""
    out.mkdir(parents=True, exist_ok=True)
    np.save(out / "table.npy", quantize(rows))
    text = json.dumps(tokenizer, ensure_ascii=False, separators=(",", ":"))
    (out / "tokenizer.json").write_text(text, "utf-8")
    facts = {
        "name": NAME,
        "dimension": rows.shape[1],
        "table_sha256": sha256(out / "table.npy"),
        "tokenizer_sha256": sha256(out / "tokenizer.json"),
    }
    (out / "model.json").write_text(json.dumps(facts, indent=1) + "\n", "utf-8")
    return facts


def write_card(
    out: Path, facts: dict[str, Any], *, pairs: Sequence[Pair], sources: Sequence[Source], words: int
) -> None:
    """Write the model card."""
    counts = Counter(pair.language for pair in pairs)
    licences = Counter(family(source.licence) for source in sources)
    rows = len(json.loads((out / "tokenizer.json").read_text("utf-8"))["model"]["vocab"])
    card = _CARD.format(
        **facts,
        rows=rows,
        size_mb=sum(path.stat().st_size for path in out.iterdir() if path.suffix != ".md") / 1e6,
        weights=WEIGHTS_SHA256,
        source=" ".join(SOURCE),
        words=words,
        pairs=len(pairs),
        sources=len(sources),
        list_sha256=sha256(LIST),
        languages=", ".join(f"{language} {count:,}" for language, count in counts.most_common()),
        licences=", ".join(f"{name} {count}" for name, count in licences.most_common()),
    )
    assert facts["dimension"] == DIMENSION
    (out / "MODEL_CARD.md").write_text(card, "utf-8")


def family(licence: str) -> str:
    """Return the family of the licence that a package states first."""
    first = licence.lower()
    families = {
        "AGPL": "agpl affero", "LGPL": "lgpl lesser", "GPL": "gpl gnu", "Apache": "apache", "BSD": "bsd", "MPL": "mpl mozilla",
        "MIT": "mit expat isc x11", "Boost": "boost bsl", "CC0 or public domain": "cc0 public unlicense",
    }  # fmt: skip
    for name, marks in families.items():
        if any(mark in first.partition(";")[0] for mark in marks.split()):
            return name
    return "others"
