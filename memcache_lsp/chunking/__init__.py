"""Cut documents into chunks: the pieces that are embedded, searched and cited. `chunker.chunk` does it.

The package itself is empty but for the version, so that a run that has nothing to chunk loads none of it.
"""

from __future__ import annotations

from typing import Final

# A part of index keys: raise it with every change of what `chunk` returns for any text.
CHUNKER_VERSION: Final = "2"
