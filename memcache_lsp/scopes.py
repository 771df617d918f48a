"""What a search is confined to. Named tuples, as in `reports`, for the same reason. Imports nothing of this package."""

from __future__ import annotations

from typing import NamedTuple

WORKSPACE = "workspace"  # the implicit cache, in the list of a scope


class Scope(NamedTuple):
    """What a search is confined to; empty means everything."""

    globs: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    caches: tuple[str, ...] = ()  # which indexes are asked; none of them need know
