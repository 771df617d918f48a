"""What a path alone tells of a file: its stem, its folders, whether it is a test, an example, an older version.

Pure; everything here is made from the path again wherever it is needed, so nothing of it is stored. Must not import the
store or read a file.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from memcache_lsp.languages import LANGUAGES
from memcache_lsp.ranking.words import classes
from memcache_lsp.tokens import parts_of

# Files that are called so speak for their folder.
_FOLDER_STEMS = frozenset({"index", "mod", "__init__", "lib", "init"})
_TEST_FOLDERS = frozenset(
    {"test", "tests", "testing", "spec", "specs", "__tests__", "__mocks__", "testdata", "fixtures"}
)
_TEST_WORDS = frozenset({"test", "tests", "conftest"})
_ASIDE = frozenset(
    "example examples sample samples demo demos bench benches benchmark benchmarks "
    "vendor third_party thirdparty node_modules external deps extern".split()
)
_ASIDE_NAMES = frozenset({"example", "examples", "sample", "samples", "demo", "demos"})
_VERSION = re.compile(r"(?:v|version|ver)?[-_]?(\d{1,4})", re.IGNORECASE)
_K1, _B = 1.2, 0.5  # of BM25
_FOLDERS = 4  # the last ones; those above are the same for all files
HEADERS = (".h", ".hpp", ".hh")
SOURCES = (".c", ".cc", ".cpp", ".cxx", ".m")


@dataclass(frozen=True, slots=True)
class Place:
    """What a path tells. The classes are those of `words`, in order."""

    stem: tuple[str, ...]
    folders: Mapping[str, float]  # BM25's weight of each class of the last folders, without its rarity
    path: Mapping[str, float]  # the same of the whole path
    folder: str  # the path of its folder
    depth: int
    is_document: bool
    is_test: bool
    is_aside: bool  # an example, a benchmark, somebody else's code
    versions: tuple[tuple[str, int], ...]  # of folders that are called after one, each with the folder around it


def place_of(path: str, language: str) -> Place:
    """Read a path."""
    *folders, name = path.split("/")
    own, stem = list(folders), name.lstrip(".").split(".")[0]
    if stem.lower() in _FOLDER_STEMS and own:
        stem = own.pop()
    known = LANGUAGES.get(language)
    return Place(
        stem=tuple(dict.fromkeys(classes(stem))) or (stem.lower(),),
        folders=_weighted([each for folder in own[-_FOLDERS:] for each in classes(folder)], average_length=3.0),
        path=_weighted(classes(path), average_length=6.0),
        folder="/".join(folders),
        depth=len(folders),
        is_document=known is not None and known.is_document,
        is_test=is_test(path),
        is_aside=not _ASIDE.isdisjoint(folder.lower() for folder in folders)
        or not _ASIDE_NAMES.isdisjoint(parts_of(name.partition(".")[0])),
        versions=tuple(_versions(folders)),
    )


def _weighted(found: list[str], *, average_length: float) -> dict[str, float]:
    """Return BM25's weights of term frequency; the average is a constant, so that a file's weights are its own."""
    norm = _K1 * (1 - _B + _B * len(found) / average_length)
    return {each: count * (_K1 + 1) / (count + norm) for each, count in Counter(found).items()}


def _versions(folders: list[str]) -> list[tuple[str, int]]:
    found = []
    for at, folder in enumerate(folders):
        if match := _VERSION.fullmatch(folder):
            found.append(("/".join(folders[:at]), int(match[1])))
    return found


def is_test(path: str) -> bool:
    """Tell a test by its folder, or by a whole word of its name: `latest.py` and `contest.js` are none."""
    *folders, name = path.split("/")
    parts = parts_of(name.rpartition(".")[0] or name)
    return (
        not _TEST_FOLDERS.isdisjoint(folder.lower() for folder in folders)
        or not _TEST_WORDS.isdisjoint(parts)
        or "spec" in parts[1:]  # a name that begins with it is a specification's
    )
