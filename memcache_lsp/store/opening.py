"""Which store holds an index, and where: the embedded one by default, else a Qdrant server that the user named.

Loads the library of the store in use and no other.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from memcache_lsp.store.contract import Store

LOCAL_FOLDERS = ("shard", "local")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a store keeps its points; without a url below `folder`."""

    folder: Path
    url: str = ""
    api_key: str = ""
    collection: str = "index"
    owner: str = ""  # which index writes the collection
    read_only: bool = False  # another index writes it; only for a server

    @property
    def label(self) -> str:
        """Name the place: points that lie under another label are not ours."""
        return f"{self.url} {self.collection}" if self.url else _embedded()

    def open(self, *, dimension: Callable[[], int], embedder: str) -> Store:
        """Open the store, or make it there."""
        if self.label == "edge":
            from memcache_lsp.store.edge import EdgeStore  # noqa: PLC0415

            return EdgeStore(self.folder / "shard", dimension=dimension)
        from memcache_lsp.store.client import ClientStore, connect  # noqa: PLC0415

        client = (
            connect(url=self.url, api_key=self.api_key or None) if self.url else connect(folder=self.folder / "local")
        )
        return ClientStore(
            client,
            collection=self.collection,
            dimension=dimension,
            owner=self.owner,
            embedder=embedder,
            local=not self.url,
            read_only=self.read_only,
        )

    def drop(self, *, embedder: str) -> None:
        """Delete the points on a server that are this index's own; what lies in the folder goes with the folder."""
        if self.url and not self.read_only:
            from memcache_lsp.store.client import ClientStore, connect  # noqa: PLC0415

            client = connect(url=self.url, api_key=self.api_key or None)
            store = ClientStore(
                client, collection=self.collection, dimension=lambda: 1, owner=self.owner, embedder=embedder
            )
            store.drop()
            store.close()


def _embedded() -> str:
    """Return "edge", or "local" on a platform that has no wheel of it."""
    return "edge" if importlib.util.find_spec("qdrant_edge") else "local"
