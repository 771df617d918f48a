"""What an answer draws on, of a session's roots: planned by its intent, searched for, held against the files as they are.

Converts between the specification's types and the engine's. Must not import the hub or what a connection is made of.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from memcache_lsp import intents
from memcache_lsp.answering import EVIDENCE_PER_FILE, FOUND_HITS
from memcache_lsp.documents import shown_text, text_now
from memcache_lsp.editor import Editor
from memcache_lsp.errors import UserError
from memcache_lsp.evidence import Evidence
from memcache_lsp.finding import found_in
from memcache_lsp.intents import About, Plan
from memcache_lsp.keeper import Keeper
from memcache_lsp.lines import lines_of
from memcache_lsp.protocol import parts, spec
from memcache_lsp.values import Hit
from memcache_lsp.verifying import Read, drawn

Places = Mapping[str, tuple[Path, str]]  # the root of each path, and its path there


@dataclass(frozen=True, slots=True)
class Drawn:
    """What an answer may draw on: hits as the files are now, best first, and what a model reads of them."""

    question: str  # that the model is asked
    quoted: str  # that quotations are to answer
    hits: tuple[Hit, ...]
    excerpts: tuple[Evidence, ...]
    found: int  # hits in all
    places: Mapping[str, Path]  # of the hits' paths
    read: Read


async def draw(editor: Editor, keepers: Sequence[Keeper], params: spec.AskParams) -> Drawn:
    """Find what an answer may draw on, and hold it against the files as they are now."""
    root, about = await _about(editor, params)
    plan = await asyncio.to_thread(intents.plan, params.intent, params.question, about)
    found = await _found(editor, keepers, plan, params.scope)
    several = len({where for where, _ in found} | ({root} if plan.own else set())) > 1
    places: dict[str, tuple[Path, str]] = {}

    def named(where: Path, hit: Hit) -> Hit:
        path = f"{where.name}/{hit.path}" if several else hit.path
        places[path] = where, hit.path
        return replace(hit, path=path)

    own = tuple(named(root, hit) for hit in plan.own)
    hits = replace(plan, own=own).taken([named(where, hit) for where, hit in found])
    read = _reader(editor.buffers, places)
    return await asyncio.to_thread(_drawn, plan, hits, places, read)


async def _about(editor: Editor, params: spec.AskParams) -> tuple[Path, About | None]:
    """Return the document that the user is at, as the editor has it, and the lines of it that are meant."""
    if params.text_document is None or (params.intent == "ask" and params.selection is None):
        return Path(), None
    try:
        root, path = editor.placed(params.text_document.uri)
    except UserError:
        if params.intent == "ask":
            return Path(), None
        raise
    buffer = editor.buffers.get(root / path)
    text = await asyncio.to_thread(text_now, root, path) if buffer is None else shown_text(path, buffer)
    if text is None:
        raise UserError(f"There is no text in {path} any more: open a file that is there.")
    return root, _about_lines(path, text, params.selection)


def _about_lines(path: str, text: str, selection: parts.Range | None) -> About:
    lines = lines_of(text)
    if selection is None:
        return About(path, text, 1, len(lines))
    start, end = selection.start, selection.end
    last = end.line if end.character or end.line == start.line else end.line - 1
    if start.line == last and start.line < len(lines):
        chosen = lines[start.line][start.character : end.character]
    else:
        chosen = "\n".join(lines[start.line : last + 1])
    return About(path, text, start.line + 1, last + 1, chosen)


async def _found(
    editor: Editor, keepers: Sequence[Keeper], plan: Plan, scope: parts.Scope | None
) -> list[tuple[Path, Hit]]:
    if not plan.query.strip():
        return []
    if plan.may_refuse:
        asked = (editor.in_turn(k.root, k.knows_any(plan.query)) for k in keepers)
        known = await asyncio.gather(*asked, return_exceptions=True)
        keepers = [k for k, knows in zip(keepers, known, strict=True) if knows is True]
    per_file = None if plan.used else EVIDENCE_PER_FILE
    found = await found_in(editor, keepers, plan.query, scope, limit=FOUND_HITS, per_file=per_file)
    return sorted(found, key=lambda each: -each[1].score)


def _reader(buffers: Mapping[Path, str], places: Places) -> Read:
    """Return what reads a path as the editor has it, else from the disk."""

    def read(path: str) -> str | None:
        root, below = places[path]
        text = buffers.get(root / below)
        return text_now(root, below) if text is None else shown_text(below, text)

    return read


def _drawn(plan: Plan, hits: Sequence[Hit], places: Places, read: Read) -> Drawn:
    evidence, excerpts = drawn(hits, read, limit=plan.limit, parted=plan.parted)
    paths = {path: root / below for path, (root, below) in places.items()}
    return Drawn(plan.question, plan.quoted, evidence, excerpts, len(hits), paths, read)
