"""The vector store: one contract, two implementations, each the only importer of its library.

Must not import the scan, the chunker, the manifest or the engine.
"""

from __future__ import annotations

from memcache_lsp.store.contract import FILE_KIND, Candidate, Candidates, Filter, Point, Query, Store, StoreBroken
from memcache_lsp.store.opening import Place

__all__ = ["FILE_KIND", "Candidate", "Candidates", "Filter", "Place", "Point", "Query", "Store", "StoreBroken"]
