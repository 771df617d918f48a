"""Own the projects that are measured: copies of real files, or files made for it; and questions about them."""

from __future__ import annotations

import random
import re
import shutil
from pathlib import Path

from speed import make_project

_LARGEST_BYTES = 200_000
_NAME = re.compile(rb"\b[A-Za-z][A-Za-z]*(?:_[A-Za-z]+)+\b|\b[a-z]+(?:[A-Z][a-z]+)+\b")
_QUESTIONS = (
    "How does {} work together with {}, and where is the result used?",
    "Where is {} set, and what happens to {} when it fails?",
    "What calls {}?",
    "Why would {} be needed before {} is read?",
    "{} {}",
)


def fill(folder: Path, files: int, corpus: Path | None) -> Path:
    """Make a project of so many files, the same each time: of a corpus chosen by chance, without one written for it."""
    if corpus is None:
        make_project(folder, files)
        return folder
    found = sorted(path for path in corpus.rglob("*") if is_wanted(path, corpus))
    if len(found) < files:
        raise SystemExit(f"{corpus} has {len(found)} files, and {files} are needed: name a larger one.")
    for path in random.Random(1).sample(found, files):
        copy = folder / path.relative_to(corpus)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
    return folder


def is_wanted(path: Path, corpus: Path) -> bool:
    """Tell whether a file of a corpus may be part of a project."""
    hidden = any(part.startswith(".") for part in path.relative_to(corpus).parts)
    return not hidden and path.is_file() and not path.is_symlink() and 0 < path.stat().st_size <= _LARGEST_BYTES


def questions(root: Path, count: int) -> list[str]:
    """Return different questions that name what is defined or used in the project, the same each time."""
    rng = random.Random(2)
    files = sorted(path for path in root.rglob("*.*") if path.is_file())
    asked: dict[str, None] = {}
    while len(asked) < count:
        names = sorted({name.decode() for name in _NAME.findall(rng.choice(files).read_bytes())})
        if len(names) > 1:
            asked[rng.choice(_QUESTIONS).format(*rng.sample(names, 2))] = None
    return list(asked)


def copied(folder: Path, example: str = "courier") -> Path:
    """Copy one of the small example projects."""
    return shutil.copytree(Path(__file__).parent.parent.parent / "examples" / example, folder / example)
