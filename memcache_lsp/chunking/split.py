"""Cut a text into pieces along its outline: whole definitions, long ones split, small neighbours merged.

Owns all sizes. Works on lines only: every piece is a run of whole lines, and only a single line beyond the hard limit
is cut inside. Must never import tree-sitter.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from memcache_lsp.chunking.lines import Lines
from memcache_lsp.chunking.outline import CONTAINERS, Node, Outline, nest
from memcache_lsp.values import Chunk, Definition, Span

HARD_LIMIT: Final = 3000  # characters; no chunk is longer
TARGET_WEIGHT: Final = 1500  # characters that are not white space; neighbours are merged up to here
WHOLE_WEIGHT: Final = 2000  # a definition without definitions inside stays whole up to here
ALONE_LINES: Final = 12  # a definition of so many lines is merged with no other
ALONE_SECTION_LINES: Final = 8
CRUMB_WEIGHT: Final = 40  # a closing brace, one import, a bare namespace line: no chunk of its own
CRUMB_LINES: Final = 3


@dataclass(frozen=True, slots=True)
class Piece:
    """Lines that belong together. `node` is the definition they are, or are a part of; `rank` says how much."""

    first: int
    last: int
    node: Node | None
    rank: int  # 3: the definition or a part of its body; 2: between a container's members; 1: none
    alone: bool = False


def split(lines: Lines, outline: Outline) -> tuple[Chunk, ...]:
    """Cut a text into chunks: in order, without overlap, every line that is not blank in one of them."""
    roots, named = nest(outline.items)
    splitter = _Splitter(lines, outline.breaks)
    pieces = splitter.region(0, lines.count - 1, roots, None)
    return tuple(_emit(lines, pieces, named))


class _Splitter:
    """Walks the tree of definitions; the state is the text and its breaks, both read-only."""

    def __init__(self, lines: Lines, breaks: Mapping[int, int]) -> None:
        self._lines = lines
        self._breaks = breaks
        self._break_lines = sorted(breaks)

    def region(self, first: int, last: int, children: Iterable[Node], owner: Node | None) -> list[Piece]:
        """Cut the lines of a definition (or of the whole text) around the definitions inside it."""
        pieces: list[Piece] = []
        at = first
        for child in children:
            low, high = max(child.item.first, at), min(child.item.last, last)
            if high < low:
                continue  # shares its lines with a neighbour, whose piece lists it
            if low > at:
                pieces += self._rest(at, low - 1, owner, is_head=at == first)
            if self._is_whole(low, high, child):
                alone = high - low + 1 >= (ALONE_SECTION_LINES if child.kind == "section" else ALONE_LINES)
                pieces.append(Piece(low, high, child, 3, alone=alone))
            else:
                inner = self.region(low, high, child.children, child)
                pieces += [replace(piece, alone=True) for piece in inner]
            at = high + 1
        if at <= last:
            pieces += self._rest(at, last, owner, is_head=at == first)
        return self._glue(self._merge(pieces))

    def _is_whole(self, first: int, last: int, node: Node) -> bool:
        """Keep what fits in one piece; a module or section is rather a place than a thing, and gives its members."""
        is_place = node.kind in {"module", "section"} and bool(node.children) and last - first >= ALONE_SECTION_LINES
        return not is_place and self._fits(first, last, node)

    def _fits(self, first: int, last: int, node: Node | None) -> bool:
        weight = TARGET_WEIGHT if node is None or node.children else WHOLE_WEIGHT
        return self._lines.size(first, last) <= HARD_LIMIT and self._lines.weight(first, last) <= weight

    def _rest(self, first: int, last: int, owner: Node | None, *, is_head: bool) -> Iterator[Piece]:
        """Give the lines between definitions: a header, statements, a closing brace."""
        rank = 2 if owner else 1
        if owner and (is_head or owner.kind not in CONTAINERS):
            rank = 3
        trimmed = self._lines.trim(first, last)
        if trimmed is None:
            return
        if self._fits(*trimmed, owner):
            yield Piece(*trimmed, owner, rank)
            return
        for low, high in self._pack(self._cut(*trimmed)):
            yield Piece(low, high, owner, rank, alone=True)

    def _cut(self, first: int, last: int) -> Iterator[tuple[int, int]]:
        """Cut lines at their best breaks, again where a part is still too long, at worst into single lines."""
        stack = [(first, last)]
        while stack:
            low, high = stack.pop()
            if low == high or self._fits(low, high, None):
                yield low, high
                continue
            cuts = self._best_breaks(low, high)
            bounds = [low, *cuts, high + 1]
            parts = [(bounds[i], bounds[i + 1] - 1) for i in range(len(bounds) - 1)]
            stack.extend(reversed(parts))

    def _best_breaks(self, first: int, last: int) -> list[int]:
        """Give the lines of the lowest level inside a run; else after blank lines; else every line."""
        inside = self._break_lines[bisect_right(self._break_lines, first) : bisect_right(self._break_lines, last)]
        if inside:
            best = min(self._breaks[line] for line in inside)
            return [line for line in inside if self._breaks[line] == best]
        lines = range(first + 1, last + 1)
        after_blank = [line for line in lines if self._lines.is_blank(line - 1) and not self._lines.is_blank(line)]
        return after_blank or list(lines)

    def _pack(self, parts: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
        """Join parts that follow each other while they fit."""
        held: tuple[int, int] | None = None
        for part in parts:
            if held and self._fits(held[0], part[1], None):
                held = (held[0], part[1])
                continue
            if held:
                yield held
            held = part
        if held:
            yield held

    def _merge(self, pieces: list[Piece]) -> list[Piece]:
        """Merge small neighbours under one parent."""
        merged: list[Piece] = []
        for piece in pieces:
            before = merged[-1] if merged else None
            if before and not before.alone and not piece.alone and self._fits(before.first, piece.last, None):
                merged[-1] = _join(before, piece)
            else:
                merged.append(piece)
        return merged

    def _glue(self, pieces: list[Piece]) -> list[Piece]:
        """Give crumbs to a neighbour: what closes something to the one before, what opens it to the next."""
        out: list[Piece] = []
        ahead: Piece | None = None
        for index, piece in enumerate(pieces):
            if ahead:
                piece = replace(piece, first=ahead.first)  # noqa: PLW2901 - the piece grows by the crumb before it
                ahead = None
            if not self._is_crumb(piece):
                out.append(piece)
                continue
            after = pieces[index + 1] if index + 1 < len(pieces) else None
            opens = after is not None and self._opens(piece)
            if opens and after and self._lines.size(piece.first, after.last) <= HARD_LIMIT:
                ahead = piece
            elif out and self._lines.size(out[-1].first, piece.last) <= HARD_LIMIT:
                out[-1] = replace(out[-1], last=piece.last)
            elif after and self._lines.size(piece.first, after.last) <= HARD_LIMIT:
                ahead = piece
            else:
                out.append(piece)
        return out

    def _opens(self, piece: Piece) -> bool:
        text = "".join(self._lines.line(line) for line in range(piece.first, piece.last + 1))
        return any(character.isalnum() for character in text) and text.split()[0] not in {"end", "done", "fi", "esac"}

    def _is_crumb(self, piece: Piece) -> bool:
        if piece.node is not None and piece.rank == 3 and not piece.node.children:
            return False
        short = piece.last - piece.first < CRUMB_LINES
        return short and self._lines.weight(piece.first, piece.last) < CRUMB_WEIGHT


def _join(before: Piece, after: Piece) -> Piece:
    main = before if before.rank >= after.rank else after
    return Piece(before.first, after.last, main.node, main.rank)


def _emit(lines: Lines, pieces: Iterable[Piece], named: list[Node]) -> Iterator[Chunk]:
    """Turn pieces into chunks."""
    name_lines = [node.item.name_line for node in named]
    for piece in pieces:
        trimmed = lines.trim(piece.first, piece.last)
        if trimmed is None:
            continue
        first, last = trimmed
        inside = named[bisect_left(name_lines, piece.first) : bisect_right(name_lines, piece.last)]
        spans = list(_spans(lines, first, last))
        for span in spans:
            text = lines.text[span.start : span.end]
            here = inside if len(spans) == 1 else [node for node in inside if node.item.name in text]
            yield _chunk(span, text, piece.node, here)


def _spans(lines: Lines, first: int, last: int) -> Iterator[Span]:
    """Give the span of some lines; a line beyond the hard limit gives several, cut at spaces where there are some."""
    start, end = lines.starts[first], lines.ends[last]
    if end - start <= HARD_LIMIT:
        yield Span(start, end, first + 1, last + 1)
        return
    while start < end:
        stop = min(start + HARD_LIMIT, end)
        if stop < end:
            space = lines.text.rfind(" ", start + HARD_LIMIT * 9 // 10, stop)
            stop = space + 1 if space > 0 else stop
        if lines.text[start:stop].strip():
            yield Span(start, stop, first + 1, last + 1)
        start = stop


def _chunk(span: Span, text: str, node: Node | None, inside: list[Node]) -> Chunk:
    """Name a chunk after its definition, which comes first in its list when its name stands in it."""
    inside = [other for other in inside if other.kind != "impl"]
    if node in inside:
        inside = [node, *(other for other in inside if other is not node)]
    definitions = tuple(
        dict.fromkeys(Definition(other.item.name, other.kind, other.item.name_line + 1) for other in inside)
    )
    if node is None:
        return Chunk(span, text, "block", "", (), definitions)
    symbol = node.item.name if node.kind == "section" else ".".join(node.path)
    return Chunk(span, text, node.kind, symbol, node.breadcrumb, definitions)
