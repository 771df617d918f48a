"""The pairs that are trained on: what a comment says, and the code that it stands at.

Extraction uses the project's own reader and chunker, so that training sees definitions as the index does. Headings of
documents with what stands under them are pairs too, since documents are searched by the same table.
"""

from __future__ import annotations

import gzip
import json
import re
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from hashlib import blake2b
from pathlib import Path, PurePosixPath
from typing import Final

from bench.exclude import excluded
from bench.training.comments import describe, first_sentence, split_comment
from bench.training.sources import Source, members
from memcache_lsp.chunking import headings, syntax
from memcache_lsp.chunking.lines import Lines, split_lines
from memcache_lsp.chunking.outline import Node, nest
from memcache_lsp.documents import decode, make_document
from memcache_lsp.languages import LANGUAGES
from memcache_lsp.values import Document

LANGUAGE_CAP: Final = 34_000  # pairs of one language; 19 languages and prose are some 600,000 at most
SOURCE_CAP: Final = 4_000  # of one language in one source, before the languages are balanced
SCARCE_CAP: Final = 30_000  # the same where few sources have the language
SCARCE: Final = frozenset(("kotlin", "scala", "swift", "zig", "elixir", "csharp", "lua"))
MAX_CODE: Final = 1_500  # characters, about a chunk
_MIN_CODE: Final = 40
_MAX_FILE: Final = 150_000
_PROSE: Final = ("markdown", "rst")
_SAME: Final = {"tsx": "typescript", "markdown": "prose", "rst": "prose"}
CODE: Final = frozenset(
    "python javascript typescript tsx go rust c cpp csharp java kotlin scala swift ruby php elixir haskell lua zig bash".split()
)
_EXTENSIONS: Final = sorted(ext for key in (*CODE, *_PROSE) for ext in LANGUAGES[key].extensions)
WANTED: Final = re.compile(rf"(?:{'|'.join(map(re.escape, _EXTENSIONS))})$", re.IGNORECASE)
_OTHERS: Final = re.compile(  # other people's code, a program's, tests, declarations without bodies, lists of changes
    r"(?:^|/)(?:vendor|vendored|_vendor|third[-_]?party|3rdparty|node_modules|external|externals|extern|deps|bundled?|dist"
    r"|cjs|umd|bower_components|pods|\.git|debian|tests?|specs?|__tests__|testing|testdata|fixtures|locales?|i18n)/|(?:change(?:s|log)|news|history|releases?)[^/]*$|\.min\.|\.d\.[cm]?ts$|\.pb\.|_pb2|_generated",
    re.IGNORECASE,
)  # fmt: skip
_COMMENT: Final = re.compile(r"^[ \t]*(?:///?|/?\*|#(?![!\[]|include|define)|--|\"\"\"|'''|@\w*doc|\{-)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Pair:
    """A training example."""

    source: str
    language: str
    text: str
    code: str

    @property
    def order(self) -> bytes:
        """Give a key that shuffles, the same on every machine."""
        return blake2b(f"{self.text}\n{self.code}".encode("utf-8", "replace"), digest_size=8).digest()


def may_be_read(path: str) -> bool:
    """Tell whether a file in an archive is the project's own: no vendored code, no project of the benchmark."""
    below = PurePosixPath(path).parts[1:]  # the first part is the archive's own folder
    return not _OTHERS.search("/".join(below)) and not any(
        excluded(part if i < len(below) - 1 else PurePosixPath(part).stem) for i, part in enumerate(below)
    )


def extract(source: Source, archive: Path) -> list[Pair]:
    """Return the pairs of a source, at most a cap's worth in each language, from files in a shuffled order."""
    files = [
        (blake2b(path.encode("utf-8", "replace"), digest_size=8).digest(), path, data)
        for path, data in members(archive, WANTED)
        if len(data) <= _MAX_FILE and may_be_read(path if source.registry != "pypi" else f"wheel/{path}")
    ]
    pairs: list[Pair] = []
    counts: Counter[str] = Counter()
    seen: set[bytes] = set()
    for _, path, data in sorted(files):
        text = decode(data)
        document = make_document(path, text) if text is not None else None
        if not isinstance(document, Document) or document.language not in (*CODE, *_PROSE):
            continue
        language = _SAME.get(document.language, document.language)
        if counts[language] >= (SCARCE_CAP if language in SCARCE else SOURCE_CAP):
            continue
        for said, code in of_document(document):
            key = blake2b(" ".join(code.split()).encode("utf-8", "replace"), digest_size=8).digest()
            if key not in seen:
                seen.add(key)
                counts[language] += 1
                pairs.append(Pair(source.key, language, said, code))
    return pairs


def of_document(document: Document) -> Iterator[tuple[str, str]]:
    """Give the pairs of one document."""
    lines = split_lines(document.text)
    if document.language in _PROSE:
        yield from _of_sections(lines, document.language)
        return
    if 25 * len(_COMMENT.findall(document.text)) < lines.count or syntax.is_hazardous(document.text, document.language):
        return
    grammar = "cpp" if document.path.endswith(".h") else LANGUAGES[document.language].grammar
    outline = syntax.outline(document.text, grammar or document.language, deadline_s=2)
    if outline is None:
        return
    yield from _of_head(lines, document.language)
    for node in nest(outline.items)[1]:
        yield from _of_definition(lines, node, document.language)


def _of_definition(lines: Lines, node: Node, language: str) -> Iterator[tuple[str, str]]:
    item = node.item
    block = [lines.line(i) for i in range(item.first, min(item.last, item.first + 400) + 1)]
    comment, code = split_comment(block, language)
    said = describe(comment)
    code = _cut(code)
    if said and len("".join(code.split())) >= _MIN_CODE:
        yield _shorten(said), "\n".join(filter(None, (" ".join(node.breadcrumb), code)))


def _of_head(lines: Lines, language: str) -> Iterator[tuple[str, str]]:
    """Pair what a file says of itself with how it begins."""
    block = [lines.line(i) for i in range(min(lines.count, 120))]
    if language == "python":
        found = re.match(r"(?:\s*#[^\n]*\n|\s*\n)*\s*[rRuU]?(\"\"\"|''')(.*?)\1", lines.text[:8000], re.DOTALL)
        comment, code = (found[2], lines.text[found.end() : found.end() + 4000]) if found else ("", "")
    else:
        comment, code = split_comment(block, "")
    said = describe(comment)
    code = _cut(code.strip("\n"))
    if said and len("".join(code.split())) >= 4 * _MIN_CODE:
        yield said, code


def _of_sections(lines: Lines, language: str) -> Iterator[tuple[str, str]]:
    outline = headings.outline(lines, language)
    for item in outline.items if outline else ():
        body = _cut(
            "\n".join(lines.line(i) for i in range(item.name_line + 1, min(item.last, item.name_line + 60) + 1))
        )
        if len(re.findall(r"[A-Za-z]{2,}", item.name)) >= 2 and len("".join(body.split())) >= 4 * _MIN_CODE:
            yield item.name, body


def _cut(code: str) -> str:
    """Cut code at the end of a line."""
    return code if len(code) <= MAX_CODE else code[:MAX_CODE].rpartition("\n")[0] or code[:MAX_CODE]


def _shorten(said: str) -> str:
    """Leave every other description its first sentence only: questions are short more often than comments are."""
    return first_sentence(said) if blake2b(said.encode(), digest_size=1).digest()[0] & 1 else said


def balance(pairs: Iterable[Pair], *, cap: int = LANGUAGE_CAP) -> list[Pair]:
    """Choose at most `cap` pairs of each language, by as even a share of its sources as can be; drop what comes twice."""
    by_language: dict[str, dict[str, list[Pair]]] = defaultdict(lambda: defaultdict(list))
    seen: Counter[str] = Counter()
    for pair in sorted(pairs, key=lambda pair: (pair.order, pair.source)):
        said, code = f"t {pair.text.lower()}", f"c {' '.join(pair.code.split())}"
        seen[said] += 1
        seen[code] += 1
        if seen[said] <= 2 and seen[code] == 1:  # "Returns the name." tells nothing of a hundredth method
            by_language[pair.language][pair.source].append(pair)
    chosen: list[Pair] = []
    for sources in by_language.values():
        share = level([len(found) for found in sources.values()], cap)
        chosen += [pair for found in sources.values() for pair in found[:share]]
    return sorted(chosen, key=lambda pair: (pair.source, pair.language, pair.order))


def level(sizes: list[int], cap: int) -> int:
    """Return the most that each may give, so that all together give at most `cap`."""
    left = cap
    for i, size in enumerate(sorted(sizes)):
        share = left // (len(sizes) - i)
        if size > share:
            return share
        left -= size
    return max(sizes, default=0)


def write(pairs: Iterable[Pair], path: Path) -> None:
    """Write pairs to a file, a line each, complete or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".part")
    with gzip.GzipFile(partial, "wb", compresslevel=4, mtime=0) as file:
        for pair in pairs:
            file.write((json.dumps(asdict(pair)) + "\n").encode())
    partial.rename(path)


def read(path: Path) -> list[Pair]:
    """Read what `write` wrote."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [Pair(**json.loads(line)) for line in file]


def collect(sources: Iterable[Source], archives: Iterable[Path], cache: Path) -> list[Pair]:
    """Return the pairs of all sources, each kept in `cache` once it was read."""
    everything: list[Pair] = []
    for source, archive in zip(sources, archives, strict=True):
        kept = cache / "pairs" / f"{source.sha256[:16]}.jsonl.gz"
        if not kept.exists():
            began = time.monotonic()
            found = extract(source, archive)
            write(found, kept)
            print(f"{source.key}: {len(found):,} pairs, {time.monotonic() - began:.0f} s", file=sys.stderr)
        everything += read(kept)
    return everything
