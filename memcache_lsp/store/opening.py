"""Which store holds an index, and where: the embedded one by default, else a Qdrant server that the user named.

Loads the library of the store in use and no other.
"""

from __future__ import annotations

import importlib.util
import shutil
from dataclasses import dataclass
from pathlib import Path

from memcache_lsp.store.contract import Store


@dataclass(frozen=True, slots=True)
class Place:
    """Where a store keeps its points; without a url below `folder`."""

    folder: Path
    url: str = ""
    api_key: str = ""
    collection: str = "index"
    read_only: bool = False  # somebody else writes; only for a server

    @property
    def label(self) -> str:
        """Name the place: points that lie under another label are not ours."""
        return f"{self.url} {self.collection}" if self.url else _embedded()

    def open(self, *, dimension: int) -> Store:
        """Open the store, or make it there."""
        if self.label == "edge":
            from memcache_lsp.store.edge import EdgeStore  # noqa: PLC0415

            return EdgeStore(self.folder / "shard", dimension=dimension)
        from memcache_lsp.store.client import ClientStore, connect  # noqa: PLC0415

        if not self.url:
            client = connect(folder=self.folder / "local")
            return ClientStore(client, collection=self.collection, dimension=dimension, local=True)
        return ClientStore(
            connect(url=self.url, api_key=self.api_key or None),
            collection=self.collection,
            dimension=dimension,
            local=False,
            read_only=self.read_only,
        )

    def drop(self) -> None:
        """Delete all points."""
        for name in ("shard", "local"):
            shutil.rmtree(self.folder / name, ignore_errors=True)
        if self.url and not self.read_only:
            from memcache_lsp.store.client import connect, delete_collection  # noqa: PLC0415

            delete_collection(connect(url=self.url, api_key=self.api_key or None), self.collection)


def _embedded() -> str:
    """Return "edge", or "local" on a platform that has no wheel of it."""
    return "edge" if importlib.util.find_spec("qdrant_edge") else "local"
