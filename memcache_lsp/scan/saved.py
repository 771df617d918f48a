"""The folder that a browser puts beside a page which it saves whole: the pictures, styles and scripts of that page.

Owns what such folders are called. A browser names one by the page and its word for "files" in the user's language; a
folder is taken for one only where the page lies beside it. Standard library only.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

REASON: Final = "saved page: a browser keeps here what the page beside it is shown with"
_PAGES: Final = (".html", ".htm", ".xhtml")
_WORDS: Final = (
    "_files .files _file -Dateien -filer _archivos _arquivos _bestanden _bylos _datoteke _dosyalar _elemei _failid "
    "_fails _fajlovi _ficheiros _fichiers _fitxategiak _fitxers _pliki _soubory _tiedostot"
).split()
_ENDS: Final = tuple(os.fsencode(word) for word in _WORDS)


def pages_of(folder: bytes) -> Iterator[bytes]:
    """Return the names that the page of a folder may have, by the folder's name."""
    for end in _ENDS:
        if folder.endswith(end) and len(folder) > len(end):
            yield from (folder[: -len(end)] + os.fsencode(page) for page in _PAGES)


def with_folders(root: Path, paths: Iterable[str]) -> Iterator[str]:
    """Return paths, and behind a page that may have come or gone the folder beside it, if there is one."""
    for path in paths:
        yield path
        stem, dot, end = path.rpartition(".")
        if dot + end in _PAGES:
            yield from (stem + word for word in _WORDS if os.path.isdir(f"{root}/{stem}{word}"))  # noqa: PTH112 - many


def is_beside_page(path: str) -> bool:
    """Tell whether a file lies in what is called like such a folder, whose page a browser may write last."""
    return any(part.endswith(tuple(_WORDS)) for part in path.split("/")[:-1])
