"""What is known of a text before it is cut: its definitions, and the lines where a cut does least harm.

Owns the closed set of kinds. An outline is made from a syntax tree (`syntax`) or from headings (`headings`) and read
by `split`, which therefore knows neither. Must never import tree-sitter.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

# Every kind that a definition or a chunk can have, the only place where they are listed.
KINDS: Final = frozenset(
    (
        "function",
        "method",
        "class",
        "struct",
        "enum",
        "interface",
        "trait",
        "type",
        "module",  # also: namespace, package
        "impl",  # members added to a type elsewhere: impl, extension, instance; opens a breadcrumb, defines no name
        "constant",
        "variable",
        "field",  # a variable of a class, also: property, enum member
        "macro",
        "section",  # under a heading
        "rule",  # CSS, make
        "table",  # SQL, TOML
        "key",  # TOML, YAML, JSON
        "test",
        "block",  # no definition
    )
)

CONTAINERS: Final = frozenset(
    ("class", "struct", "enum", "interface", "trait", "type", "module", "impl", "section", "table", "rule", "key")
)
MEMBERS_ARE_METHODS: Final = frozenset(("class", "struct", "enum", "interface", "trait", "impl"))


@dataclass(frozen=True, slots=True)
class Item:
    """A definition and its place; lines count from 0, `last` is inclusive.

    `first` is the line of its leading comment or decorator. `start` and `end` are what nesting goes by: any offsets
    that grow with the text. `scope` holds names that qualify it where it is written (`Foo::bar`, a Go receiver).
    """

    start: int
    end: int
    first: int
    last: int
    name: str
    kind: str
    name_line: int
    scope: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Outline:
    """The definitions of a text, and the levels of the lines before which it may be cut (0 is the best)."""

    items: tuple[Item, ...] = ()
    breaks: Mapping[int, int] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(slots=True, eq=False)
class Node:
    """An item in its tree."""

    item: Item
    kind: str
    breadcrumb: tuple[str, ...]
    children: list[Node] = field(default_factory=list)

    @property
    def path(self) -> tuple[str, ...]:
        """Give the names that enclose what is inside."""
        return (*self.breadcrumb, self.item.name)


MAX_DEPTH: Final = 24  # deeper definitions are still listed, but open no chunk of their own


def nest(items: tuple[Item, ...]) -> tuple[list[Node], list[Node]]:
    """Give the outermost items with their children, and all items in the order of their names' lines."""
    roots: list[Node] = []
    everything: list[Node] = []
    stack: list[Node] = []
    for item in sorted(items, key=lambda item: (item.start, -item.end)):
        while stack and item.start >= stack[-1].item.end:
            stack.pop()
        parent = stack[-1] if stack else None
        node = Node(item, _kind(item, parent), (*(parent.path if parent else ()), *item.scope))
        everything.append(node)
        if len(stack) >= MAX_DEPTH:
            continue
        (parent.children if parent else roots).append(node)
        stack.append(node)
    everything.sort(key=lambda node: node.item.name_line)
    return roots, everything


def _kind(item: Item, parent: Node | None) -> str:
    """Refine a kind by where it stands and how it is written."""
    if item.kind == "function" and (item.scope or (parent and parent.kind in MEMBERS_ARE_METHODS)):
        return "method"
    if item.kind == "variable" and parent and parent.kind in MEMBERS_ARE_METHODS:
        return "field"
    if item.kind == "variable" and item.name.isupper() and len(item.name) > 1:
        return "constant"
    return item.kind
