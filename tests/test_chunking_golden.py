"""What the chunker makes of one small source per language; `UPDATE_GOLDEN=1 pytest` writes the files anew."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest

from memcache_lsp.chunking import CHUNKER_VERSION
from memcache_lsp.chunking.chunker import KINDS, chunk
from memcache_lsp.languages import LANGUAGES, language_of
from memcache_lsp.values import Chunk, Document

GOLDEN = Path(__file__).parent / "golden" / "chunks"
UPDATE = bool(os.environ.get("UPDATE_GOLDEN"))
NAMED_IN_THE_README = (
    "python javascript typescript tsx go rust c cpp csharp java kotlin scala swift ruby php elixir haskell lua zig bash "
    "elisp ocaml ocaml_interface sql html css markdown rst org toml yaml json"
).split()


def source(language: str) -> Path:
    (path,) = (GOLDEN / language).glob("input.*")
    return path


def read(language: str) -> Document:
    path = source(language)
    with path.open(encoding="utf-8", newline="") as file:
        text = file.read()
    return Document(path.name, text, language_of(path.name, text.partition("\n")[0]))


def row(chunk: Chunk) -> dict[str, object]:
    return {
        "lines": [chunk.span.start_line, chunk.span.end_line],
        "kind": chunk.kind,
        "symbol": chunk.symbol,
        "breadcrumb": list(chunk.breadcrumb),
        "definitions": [f"{one.line}: {one.kind} {one.name}" for one in chunk.definitions],
    }


def rendered(language: str) -> str:
    rows = [row(chunk) for chunk in chunk(read(language)).chunks]
    lines = []
    for one in rows:
        definitions = one.pop("definitions")
        inner = "".join(f"\n      {json.dumps(text, ensure_ascii=False)}," for text in definitions)[:-1]
        head = json.dumps(one, ensure_ascii=False)[1:-1]
        lines.append(f'  {{{head},\n    "definitions": [{inner}]}}')
    return "[\n" + ",\n".join(lines) + "\n]\n"


ALL = sorted(path.name for path in GOLDEN.iterdir() if path.is_dir())


@pytest.mark.parametrize("language", ALL)
def test_golden(language):
    path = GOLDEN / language / "expected.json"
    found = rendered(language)
    if UPDATE:
        path.write_text(found, encoding="utf-8")
    assert json.loads(found) == json.loads(path.read_text(encoding="utf-8"))


def test_a_changed_golden_file_needs_a_new_chunker_version():
    """Indexes are keyed by the version, so output that differs under the same version would be served stale."""
    path = GOLDEN / "version.json"
    digest = hashlib.sha256("".join(rendered(language) for language in ALL).encode()).hexdigest()
    versions = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    if UPDATE and CHUNKER_VERSION not in versions:
        path.write_text(json.dumps({CHUNKER_VERSION: digest}) + "\n", encoding="utf-8")
        versions = {CHUNKER_VERSION: digest}
    assert versions == {CHUNKER_VERSION: digest}, "raise CHUNKER_VERSION, then run UPDATE_GOLDEN=1 pytest"


@pytest.mark.parametrize("language", NAMED_IN_THE_README)
def test_every_named_language_is_read_by_its_syntax(language):
    document = read(language)
    chunked = chunk(document)
    assert document.language == language
    assert not chunked.problems
    assert sum(len(chunk.definitions) for chunk in chunked.chunks) >= 4
    assert {one.kind for chunk in chunked.chunks for one in chunk.definitions} - {"block"}


@pytest.mark.parametrize("language", sorted(key for key, row in LANGUAGES.items() if row.grammar))
def test_every_grammar_has_a_golden_file(language):
    assert language in ALL


@pytest.mark.parametrize("language", ALL)
def test_names_stand_where_definitions_say(language):
    document = read(language)
    lines = document.text.split("\n")
    for one in chunk(document).chunks:
        assert one.kind in KINDS
        for definition in one.definitions:
            assert definition.kind in KINDS
            assert one.span.start_line <= definition.line <= one.span.end_line
            if one.kind != "section":
                assert definition.name.split()[-1] in " ".join(lines[definition.line - 1 : definition.line + 3])
