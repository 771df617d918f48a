"""Compare tables as candidate finders: NDCG@10 of their vectors alone, over annotated questions on real repositories.

    python -m bench.training.evaluate --data DIR --corpora DIR [--kept FILE] TABLE [TABLE …]

Data and corpora are those of bench/retrieval.py; a TABLE is a folder as memcache_lsp/data has one. All tables see the
same chunks in one run, made as the index makes them; a file counts as its best chunk. The last column is the mean
difference of repositories to the first table, with a 95 % interval by bootstrap over repositories. It tells two tables
apart; nothing is tuned on single questions by it.
"""

from __future__ import annotations

import argparse
import json
import pickle
import statistics
import time
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from bench.retrieval import K, from_top, load, ndcg
from memcache_lsp.chunking import CHUNKER_VERSION, chunker
from memcache_lsp.documents import read_document
from memcache_lsp.embedding.static import StaticEmbedder
from memcache_lsp.preparing import embedded_text
from memcache_lsp.scan import Scanner
from memcache_lsp.values import Document


class Table(Protocol):
    """What is compared."""

    def embed(self, texts: list[str], /) -> NDArray[np.float32]:
        """Return unit vectors."""
        ...


@dataclass(frozen=True, slots=True)
class Place:
    """A chunk's place, as `bench.retrieval.covers` reads a hit, and its text."""

    path: str
    start_line: int
    end_line: int
    text: str


def places(root: Path) -> list[Place]:
    """Return the chunks of a repository as the index makes them."""
    found: list[Place] = []
    scanner = Scanner(root)
    for file in scanner.scan().found:
        document = read_document(root, file, limits=scanner.limits).document
        if not isinstance(document, Document):
            continue
        found += [
            Place(file.path, chunk.span.start_line, chunk.span.end_line, embedded_text(chunk))
            for chunk in chunker.chunk(document).chunks
        ]
    return found


def best_files(scores: NDArray[np.float32], chunks: list[Place]) -> list[dict[str, Any]]:
    """Return the best chunk of each of the first files, as hits."""
    hits: dict[str, dict[str, Any]] = {}
    for i in np.argsort(-scores, kind="stable"):
        place = chunks[i]
        if place.path not in hits:
            hits[place.path] = {"path": place.path, "startLine": place.start_line, "endLine": place.end_line}
            if len(hits) == K:
                break
    return list(hits.values())


def score(repo: dict[str, Any], chunks: list[Place], table: Table) -> float:
    """Return a repository's mean NDCG@10."""
    rows = table.embed([place.text for place in chunks])
    asked = table.embed([query["query"] for query in repo["queries"]])
    scores = []
    for query, vector in zip(repo["queries"], asked, strict=True):
        hits = [hit | {"path": from_top(repo, hit["path"])} for hit in best_files(rows @ vector, chunks)]
        scores.append(ndcg(hits, query.get("relevant", []) + query.get("secondary", [])))
    return statistics.mean(scores)


def interval(differences: list[float]) -> tuple[float, float]:
    """Return the 95 % bootstrap interval of a mean."""
    drawn = np.random.default_rng(0).choice(differences, (10_000, len(differences))).mean(axis=1)
    low, high = np.quantile(drawn, (0.025, 0.975))
    return float(low), float(high)


def chunks_of(repos: list[dict[str, Any]], corpora: Path, kept: Path | None) -> dict[str, list[Place]]:
    """Return the chunks of all repositories, kept in a file from one run to the next where one is named."""
    if kept and kept.exists():
        version, plain = pickle.loads(kept.read_bytes())
        if version == CHUNKER_VERSION:
            return {name: [Place(*fields) for fields in rows] for name, rows in plain.items()}
    made = {repo["name"]: places((corpora / repo["name"] / repo["top"]).resolve()) for repo in repos}
    if kept:
        plain = {name: [astuple(place) for place in rows] for name, rows in made.items()}
        kept.write_bytes(pickle.dumps((CHUNKER_VERSION, plain)))
    return made


def compare(repos: list[dict[str, Any]], chunks: dict[str, list[Place]], tables: dict[str, Table]) -> dict[str, Any]:
    """Return each table's scores by repository, and what it takes to embed all chunks."""
    results: dict[str, Any] = {}
    for name, table in tables.items():
        began = time.perf_counter()
        scores = {repo["name"]: score(repo, chunks[repo["name"]], table) for repo in repos}
        results[name] = {"scores": scores, "seconds": time.perf_counter() - began}
    return results


def summarize(repos: list[dict[str, Any]], results: dict[str, Any]) -> str:
    """Return the comparison as Markdown."""
    names = list(results)
    lines = [f"| | {' | '.join(names)} |", f"|---{'|---' * len(names)}|"]
    for language in sorted({repo["language"] for repo in repos}):
        mine = [repo["name"] for repo in repos if repo["language"] == language]
        cells = [f"{statistics.mean(results[name]['scores'][repo] for repo in mine):.3f}" for name in names]
        lines.append(f"| {language} | {' | '.join(cells)} |")
    means = [statistics.mean(results[name]["scores"].values()) for name in names]
    lines.append(f"| **all** | {' | '.join(f'**{mean:.3f}**' for mean in means)} |")
    lines.append(f"| seconds | {' | '.join(format(results[name]['seconds'], '.1f') for name in names)} |")
    first = results[names[0]]["scores"]
    for name in names[1:]:
        differences = [results[name]["scores"][repo] - first[repo] for repo in first]
        low, high = interval(differences)
        lines.append(f"\n{name} against {names[0]}: {statistics.mean(differences):+.4f} ({low:+.4f} to {high:+.4f})")
    return "\n".join(lines)


def main() -> None:
    """Compare tables from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of repos.json and annotations/")
    parser.add_argument("--corpora", type=Path, required=True, help="folder of the repositories, by name")
    parser.add_argument("--kept", type=Path, help="file to keep the chunks in for the next run")
    parser.add_argument("--out", type=Path, help="write everything as JSON here")
    parser.add_argument("tables", nargs="+", type=Path)
    args = parser.parse_args()
    repos = [repo for repo in load(args.data, None) if (args.corpora / repo["name"]).is_dir()]
    chunks = chunks_of(repos, args.corpora, args.kept)
    tables: dict[str, Table] = {folder.name: StaticEmbedder(folder) for folder in args.tables}
    results = compare(repos, chunks, tables)
    print(f"{len(repos)} repositories, {sum(map(len, chunks.values())):,} chunks\n")
    print(summarize(repos, results))
    if args.out:
        args.out.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
