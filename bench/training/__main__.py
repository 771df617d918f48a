"""Train the table of memcache_lsp/data again.

    python3 -m venv VENV && VENV/bin/pip install torch==2.13.0 && VENV/bin/pip install . sentence-transformers
    VENV/bin/python -m bench.training --cache DIR [--out DIR]

All steps, each kept in the cache folder and not done twice: download the sources of sources.json (some GB), take their
pairs, distil the table that training begins with, give it a vocabulary that knows code, train, write int8 rows and the
model card. Takes an hour or two on one core. Sums in another order give other last bits, so everything runs in one
thread.
"""

from __future__ import annotations

import argparse
import json
import os
from hashlib import sha256
from pathlib import Path


def main() -> None:
    """Run all steps."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache", type=Path, required=True, help="folder that keeps what was downloaded and made")
    parser.add_argument("--out", type=Path, help="default: the package's data folder")
    args = parser.parse_args()
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS"):
        os.environ[variable] = "1"
    os.environ["HF_HUB_OFFLINE"] = "1"
    run(args.cache.resolve(), args.out)


def run(cache: Path, out: Path | None) -> None:
    """Run all steps with their results kept in `cache`."""
    from bench.training import distil, pairs, sources, table, training, vocabulary  # after the threads are set

    listed = sources.read_list()
    sources.prepare(cache)
    archives = [sources.fetch(source, cache) for source in listed]
    chosen = pairs.balance(pairs.collect(listed, archives, cache))
    print(f"{len(chosen):,} pairs of {len({pair.source for pair in chosen})} sources")
    distilled = distil.distil(cache)
    tokens, rows, tokenizer = vocabulary.extend(distilled, chosen)
    # a folder for what depends on exactly these pairs and tokens
    key = sha256(json.dumps([tokens, [pair.order.hex() for pair in chosen]]).encode()).hexdigest()[:16]
    kept = cache / "training" / key
    kept.mkdir(parents=True, exist_ok=True)
    trained = training.train(chosen, rows, tokenizer, kept)
    folder = out or table.OUT
    facts = table.write(trained, tokenizer, folder)
    words = len(tokens) - len(distilled.tokens)
    table.write_card(folder, facts, pairs=chosen, sources=listed, words=words)
    print(f"{len(tokens):,} tokens in {folder}")


if __name__ == "__main__":
    main()
