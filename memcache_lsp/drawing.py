"""What an answer draws on, of a session's roots: planned by its intent, searched for, held against the files as they are.

Converts between the specification's types and the engine's. Must not import the hub or what a connection is made of.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

from memcache_lsp import intents
from memcache_lsp.answering import EVIDENCE_PER_FILE, FOUND_HITS, refusal
from memcache_lsp.documents import shown_text
from memcache_lsp.editor import Editor
from memcache_lsp.errors import UserError
from memcache_lsp.evidence import DEFINING_HITS, Evidence, definition_of, joined_by, told_names
from memcache_lsp.finding import Placed, found_in
from memcache_lsp.intents import About, Plan, check_line
from memcache_lsp.keeper import Keeper
from memcache_lsp.languages import is_container
from memcache_lsp.lines import lines_of
from memcache_lsp.protocol import parts, spec, wire
from memcache_lsp.ranking.confidence import LEAST
from memcache_lsp.reading.result import Reading
from memcache_lsp.session.uris import to_path
from memcache_lsp.texts import ShownTexts, reading_now, text_now
from memcache_lsp.threads.asked import NOTHING, Before
from memcache_lsp.values import Hit
from memcache_lsp.verifying import drawn

Places = Mapping[str, tuple[Path, str]]  # the root of each path, and its path there


@dataclass(frozen=True, slots=True)
class Drawn:
    """What an answer may draw on: hits as the files are now, best first, and what a model reads of them."""

    question: str  # that the model is asked
    quoted: str  # that quotations are to answer
    hits: tuple[Hit, ...]
    excerpts: tuple[Evidence, ...]
    found: int  # hits in all
    places: Mapping[str, Path]  # of the hits' paths, and those of the thread
    where: Places  # the same as roots and paths below them
    read: ShownTexts
    refusal: str | None = None  # what is said in place of an answer; the hits are then its nearest misses


async def draw(editor: Editor, keepers: Sequence[Keeper], params: spec.AskParams, thread: Before = NOTHING) -> Drawn:
    """Find what an answer may draw on, as the thread goes on, and hold it against the files as they are now."""
    root, about = await _about(editor, params)
    plan = await asyncio.to_thread(intents.plan, params.intent, params.question, about)
    plan = plan.leaning(thread.for_search)
    places = thread.where
    found, answers = await _found(editor, keepers, plan, params.scope)
    hits = _taken(plan, root, found, places)
    if not hits and plan.or_else is not None:
        plan = plan.or_else
        found, answers = await _found(editor, keepers, plan, params.scope)
        hits = _taken(plan, root, found, places)
    read = _reader(editor.buffers, places)
    drawn = await asyncio.to_thread(_drawn, plan, hits, places, read)
    if drawn.hits and answers:
        return drawn
    return replace(drawn, refusal=await _refusal(keepers, misses=bool(drawn.hits)))


def _taken(plan: Plan, root: Path, found: Sequence[tuple[Path, Hit]], places: dict[str, tuple[Path, str]]) -> list[Hit]:
    """Return the evidence under paths that are told apart, and note where they lie."""
    labels = _labels(dict.fromkeys([*([root] if plan.own else ()), *(where for where, _ in found)]))

    def named(where: Path, hit: Hit) -> Hit:
        path = f"{labels[where]}/{hit.path}" if labels else hit.path
        while places.setdefault(path, (where, hit.path)) != (where, hit.path):
            path = f"{where.name}/{path}"  # it means something else in the thread
        return replace(hit, path=path)

    own = tuple(named(root, hit) for hit in plan.own)
    return replace(plan, own=own).taken([named(where, hit) for where, hit in found])


def _labels(roots: Collection[Path]) -> dict[Path, str]:
    """Return by which end of its path each of several roots is told from the others; nothing for one."""
    if len(roots) < 2:
        return {}
    for parts_told in count(1):
        labels = {root: "/".join(root.parts[-parts_told:]) for root in roots}
        if len(set(labels.values())) == len(roots):
            break
    return labels


async def _refusal(keepers: Sequence[Keeper], *, misses: bool) -> str:
    """Return the sentences of a no, with what is not indexed of the roots."""
    known = [status for keeper in keepers if (status := await keeper.status())]
    busy = [keeper.progress for keeper in keepers if not keeper.quiescent]
    return refusal(
        misses=misses,
        skipped=sum(len(status.skipped) for status in known),
        failed=sum(len(status.failed) for status in known),
        going_on=(sum(p.done for p in busy), sum(p.total for p in busy)) if busy else None,
    )


async def _about(editor: Editor, params: spec.AskParams) -> tuple[Path, About | None]:
    """Return the document that the user is at, as the editor has it, and the lines of it that are meant."""
    if params.text_document is None or (params.intent == "ask" and params.selection is None):
        return Path(), None
    try:
        root, path = await editor.placed(params.text_document.uri)
    except UserError:
        real = editor.real(to_path(params.text_document.uri) or Path())
        if real not in editor.buffers:
            if params.intent == "ask":
                return Path(), None
            raise
        root, path = real.parent, real.name  # an open document of no project, such as a library's
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
    if start != end:  # a cursor may be behind the last line end
        check_line(path, lines, start.line + 1)
    last = wire.last_line(selection)
    if start.line == last and start.line < len(lines):
        chosen = lines[start.line][start.character : end.character]
    else:
        chosen = "\n".join(lines[start.line : last + 1])
    return About(path, text, start.line + 1, last + 1, chosen)


async def _found(
    editor: Editor, keepers: Sequence[Keeper], plan: Plan, scope: parts.Scope | None
) -> tuple[list[tuple[Path, Hit]], bool]:
    """Return what is found in the roots that seem to answer, and True; where none does, what is nearest in all of them."""
    if not plan.query.strip():
        return [], True
    per_file = None if plan.used else EVIDENCE_PER_FILE
    found = await found_in(editor, keepers, plan.query, scope, limit=FOUND_HITS, per_file=per_file)
    found = sorted(found, key=lambda each: -each[1].score)
    if not plan.may_refuse:
        return await _joined(editor, keepers, plan, scope, found), True
    asked = (_confidence(editor, keeper, plan.query, found) for keeper in keepers)
    sure = dict(zip((keeper.root for keeper in keepers), await asyncio.gather(*asked), strict=True))
    kept = [(root, hit) for root, hit in found if sure[root] >= LEAST]
    return (await _joined(editor, keepers, plan, scope, kept), True) if kept else (found, False)


async def _joined(
    editor: Editor, keepers: Sequence[Keeper], plan: Plan, scope: parts.Scope | None, found: Sequence[Placed]
) -> list[Placed]:
    """Return hits with the definitions of what documents among the first of them name, wherever these are."""
    names = told_names([hit for _, hit in found]) if plan.joins else ()
    looks = (found_in(editor, keepers, name, scope, limit=DEFINING_HITS, per_file=1) for name in names)
    answers = dict(zip(names, await asyncio.gather(*looks), strict=True))
    definitions = {name: definition_of(name, hits, _hit) for name, hits in answers.items()}
    return joined_by(found, {name: each for name, each in definitions.items() if each is not None}, _hit)


def _hit(placed: Placed) -> Hit:
    return placed[1]


async def _confidence(editor: Editor, keeper: Keeper, query: str, found: Sequence[tuple[Path, Hit]]) -> float:
    """Return how likely it is that a root answers; one that cannot be asked does not."""
    hits = [hit for root, hit in found if root == keeper.root]
    if not hits:
        return 0.0
    work = keeper.confidence(query, hits, editor.overlay_of(keeper.root))
    return await editor.in_turn(keeper.root, work)


def _reader(buffers: Mapping[Path, str], places: Places) -> ShownTexts:
    """Return what reads a path as the editor has it, else from the disk."""

    def raw(path: str) -> Reading | None:
        root, below = places[path]
        text = None if is_container(below) else buffers.get(root / below)
        return reading_now(root, below) if text is None else Reading(text)

    return ShownTexts(raw)


def _drawn(plan: Plan, hits: Sequence[Hit], places: Places, read: ShownTexts) -> Drawn:
    evidence, excerpts = drawn(hits, read, limit=plan.limit, parted=plan.parted, spot=read.spot)
    paths = {path: root / below for path, (root, below) in places.items()}
    return Drawn(plan.question, plan.quoted, evidence, excerpts, len(hits), paths, places, read)
