"""Train a table of token vectors on pairs, with sentence-transformers. The only module that trains, and imports torch to.

The loss is MultipleNegativesRankingLoss inside MatryoshkaLoss: in a batch, each description has to find its own code
among all the others', by the whole vector and by its beginnings. A batch comes from one source and one language, so
that the others are hard to tell apart, as a repository's chunks are.
"""

from __future__ import annotations

import json
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from bench.training.distil import Rows
from bench.training.pairs import Pair

DIMENSIONS: Final = (256, 128, 64)
BATCH: Final = 512
SMALLEST_BATCH: Final = 64  # of one source; less goes together with its language's rest
MAX_TOKENS: Final = 256  # of a side
SEED: Final = 20


@dataclass(frozen=True, slots=True)
class Plan:
    """How long and how fast to train."""

    epochs: int = 2
    rate: float = 1.5e-2  # of Adam, warmed up over a tenth, then falling to nothing
    temperature: float = 20.0
    checkpoint_steps: int = 100


@dataclass(frozen=True, slots=True)
class Bags:
    """Texts as token numbers, one after the other."""

    ids: NDArray[np.int32]
    starts: NDArray[np.int64]  # one more than there are texts

    def take(self, indices: Sequence[int]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the token numbers of some texts, and where each begins."""
        parts = [self.ids[self.starts[i] : self.starts[i + 1]] for i in indices]
        lengths = np.array([len(part) for part in parts])
        return np.concatenate(parts).astype(np.int64), np.concatenate([[0], lengths.cumsum()[:-1]])


def bags(tokenizer: Tokenizer, texts: Sequence[str]) -> Bags:
    """Tokenize texts; unknown tokens are left out, as the embedder does."""
    parts: list[NDArray[np.int32]] = []
    for start in range(0, len(texts), 4096):
        for encoding in tokenizer.encode_batch(list(texts[start : start + 4096]), add_special_tokens=False):
            ids = np.array(encoding.ids, dtype=np.int32)
            parts.append(ids[ids > 0][:MAX_TOKENS])
    lengths = np.array([len(part) for part in parts])
    return Bags(np.concatenate(parts), np.concatenate([[0], lengths.cumsum()]))


def batches(pairs: Sequence[Pair], seed: int) -> Iterator[list[int]]:
    """Give the pairs' numbers in batches, each of one source and language as far as that goes, in random order."""
    random = np.random.default_rng(seed)
    groups: dict[tuple[str, str], list[int]] = defaultdict(list)
    for i, pair in enumerate(pairs):
        groups[pair.source, pair.language].append(i)
    made: list[list[int]] = []
    rest: dict[str, list[int]] = defaultdict(list)
    for (_, language), group in groups.items():
        order = [group[i] for i in random.permutation(len(group))]
        for start in range(0, len(order), BATCH):
            part = order[start : start + BATCH]
            if len(part) >= SMALLEST_BATCH:
                made.append(part)
            else:
                rest[language] += part
    for left in rest.values():
        made += [left[start : start + BATCH] for start in range(0, len(left), BATCH)]
    yield from (made[i] for i in random.permutation(len(made)))


def train(pairs: Sequence[Pair], rows: Rows, tokenizer: dict[str, Any], cache: Path, plan: Plan | None = None) -> Rows:
    """Return the trained rows; one thread and one seed, so the same machine gives the same rows.

    A run that ended early goes on from its last checkpoint in `cache`, which belongs to these pairs and this tokenizer.
    """
    import torch

    plan = plan or Plan()
    torch.manual_seed(SEED)
    torch.set_num_threads(1)
    made = Tokenizer.from_str(json.dumps(tokenizer))
    texts = _kept(cache / "text.npz", made, [pair.text for pair in pairs])
    codes = _kept(cache / "code.npz", made, [pair.code for pair in pairs])
    weights, loss = _loss(made, rows, plan)
    optimizer = torch.optim.Adam([weights], lr=plan.rate)
    order = [batch for epoch in range(plan.epochs) for batch in batches(pairs, SEED + epoch)]
    checkpoint = cache / f"checkpoint-{plan.epochs}-{plan.rate:g}-{plan.temperature:g}.pt"
    first = _resume(checkpoint, weights, optimizer)
    began, seen = time.monotonic(), 0.0
    for step in range(first, len(order)):
        for group in optimizer.param_groups:
            group["lr"] = plan.rate * _schedule(step / len(order))
        value = loss([_features(texts.take(order[step])), _features(codes.take(order[step]))], torch.empty(0))
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        seen += value.item()
        if (step + 1) % plan.checkpoint_steps == 0:
            said = f"step {step + 1} of {len(order)}, loss {seen / plan.checkpoint_steps:.4f}"
            print(f"{said}, {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
            seen = 0.0
            _save(checkpoint, step + 1, weights, optimizer)
    trained: Rows = weights.detach().numpy().copy()
    trained[0] = 0  # the unknown token, which no text is given
    return trained


def _loss(tokenizer: Tokenizer, rows: Rows, plan: Plan) -> tuple[Any, Any]:
    """Return the table's weights, and the loss of a batch's two sides."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.losses import MatryoshkaLoss, MultipleNegativesRankingLoss
    from sentence_transformers.models import StaticEmbedding

    table = StaticEmbedding(tokenizer, embedding_weights=torch.from_numpy(rows.copy()))
    model = SentenceTransformer(modules=[table], device="cpu")
    inner = MultipleNegativesRankingLoss(model, scale=plan.temperature)
    return table.embedding.weight, MatryoshkaLoss(model, inner, list(DIMENSIONS))


def _features(bag: tuple[NDArray[np.int64], NDArray[np.int64]]) -> dict[str, Any]:
    import torch

    return {"input_ids": torch.from_numpy(bag[0]), "offsets": torch.from_numpy(bag[1])}


def _save(path: Path, step: int, weights: Any, optimizer: Any) -> None:
    import torch

    partial = path.with_suffix(".part")
    torch.save({"step": step, "weights": weights.detach(), "optimizer": optimizer.state_dict()}, partial)
    partial.replace(path)


def _resume(path: Path, weights: Any, optimizer: Any) -> int:
    import torch

    if not path.exists():
        return 0
    state = torch.load(path, weights_only=True)
    with torch.no_grad():
        weights.copy_(state["weights"])
    optimizer.load_state_dict(state["optimizer"])
    return int(state["step"])


def _schedule(done: float) -> float:
    return min(done / 0.1, (1 - done) / 0.9)


def _kept(path: Path, tokenizer: Tokenizer, texts: list[str]) -> Bags:
    if not path.exists():
        made = bags(tokenizer, texts)
        np.savez(path, ids=made.ids, starts=made.starts)
    with np.load(path) as arrays:
        return Bags(arrays["ids"], arrays["starts"])
