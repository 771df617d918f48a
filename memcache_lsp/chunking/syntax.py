r"""Read a text by its grammar: definitions by the language's query, and the lines where statements begin.

The only module that imports tree_sitter and tree_sitter_language_pack, inside functions, for both take time to load.
Owns the queries in `queries/NAME.scm`, one for each grammar. In them `@name` is a definition's name, `@scope` what
qualifies it, `@lead` a comment, decorator or annotation that belongs to what follows on the next line, and any kind of
`outline.KINDS` the definition itself, which reaches to `@end` where that is another node. Where several patterns match
one `@name`, they are one definition, of the kind that the earliest of them gives.

Offsets stay inside: tree-sitter counts UTF-8 bytes and knows `\n` only, so a lone `\r` is handed over as `\n`, and what
leaves this module are rows, which then are lines as `lines` counts them.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from operator import itemgetter
from typing import TYPE_CHECKING, Final

from memcache_lsp.chunking.outline import KINDS, Item, Outline

if TYPE_CHECKING:
    from tree_sitter import Language, Node, Query, Tree

MAX_CHARACTERS: Final = 1_000_000  # beyond, and beyond a line of this many, data or minified code is the likely case
MAX_LINE_CHARACTERS: Final = 20_000
_DESCEND_BYTES: Final = 1500  # nodes below are not cut, so their children need no look
_MAX_BREAK_LEVEL: Final = 40
_MAX_NAME: Final = 200
_MATCH_LIMIT: Final = 10_000  # started and not finished matches; bounds what a hostile file can cost

_MARKS: Final = {
    "ruby": ":",
    "bash": "=",
    "powershell": "$",
}  # around a name where it is a symbol, or the word of an alias

# Some scanners write past their buffer, and so end the process, when constructs nest this deep: yaml from 254 levels
# of indentation, perl from 83 strings inside each other's interpolation, kotlin from 1,025. No real file does.
_YAML_DEEP: Final = re.compile(r"^[ \t]{200}|(?:[-?:][ \t]+){50}", re.MULTILINE)
_INTERPOLATION: Final = re.compile(r"[$@]\{|\}")
_MAX_INTERPOLATIONS: Final = {"perl": 40, "kotlin": 500}

_LONE_CR: Final = re.compile("\r(?!\n)")
# what stands between the names of a qualified definition, where the grammar does not take it apart
_QUALIFIERS: Final = {
    "cpp": re.compile(r"::(?![^:]*::operator\b)"),
    "lua": re.compile(r"[.:]"),
    "perl": re.compile(r"::"),
    "julia": re.compile(r"\."),
}
_TEMPLATE_ARGUMENTS: Final = re.compile(r"<[^<>]*>")
_INHERITS: Final = re.compile(r"^; inherits: (\w+)$", re.MULTILINE)
_STEPWISE: Final = frozenset(("haskell", "erlang", "elixir"))  # a function is several equations of one name in a row


@dataclass(frozen=True, slots=True)
class Grammar:
    """A loaded grammar with its compiled query."""

    name: str
    language: Language
    query: Query
    has_predicates: bool


@cache
def load(name: str) -> Grammar:
    """Load a grammar and compile its query, once in a process."""
    from tree_sitter import Query  # noqa: PLC0415 - see the module's docstring
    from tree_sitter_language_pack import get_language  # noqa: PLC0415

    language = get_language(name)  # type: ignore[arg-type]
    source = query_source(name)
    return Grammar(name, language, Query(language, source), has_predicates="(#" in source)


def query_source(name: str) -> str:
    """Read a grammar's query, with what it inherits before it."""
    text = (files(__package__) / "queries" / f"{name}.scm").read_text(encoding="utf-8")
    inherited = _INHERITS.search(text)
    return f"{query_source(inherited[1])}\n{text}" if inherited else text


def is_hazardous(text: str, name: str) -> bool:
    """Tell whether a text nests so deep that the grammar's scanner could end the process."""
    if name == "yaml":
        return _YAML_DEEP.search(text) is not None
    limit = _MAX_INTERPOLATIONS.get(name)
    depth = 0
    for match in _INTERPOLATION.finditer(text) if limit else ():
        depth = max(0, depth - 1) if match[0] == "}" else depth + 1
        if limit and depth > limit:
            return True
    return False


def outline(text: str, name: str, *, deadline_s: float) -> Outline | None:
    """Outline a text by a grammar; None when the deadline passes first."""
    grammar = load(name)
    data = _LONE_CR.sub("\n", text).replace("\0", " ").encode("utf-8", "replace")
    stop_at = time.monotonic() + deadline_s
    tree = _parse(grammar, data, stop_at)
    if tree is None:
        return None
    found = _matches(grammar, tree, stop_at)
    if found is None:
        return None
    leads = _leading_rows([node for _, captures in found for node in captures.get("lead", ())], data)
    items = _items(grammar, found, leads, data)
    if name in _STEPWISE:
        items = _join_equations(items)
    return Outline(tuple(items), _breaks(tree.root_node, leads))


def _parse(grammar: Grammar, data: bytes, stop_at: float) -> Tree | None:
    """Parse within a deadline.

    Only a parse by callback can be stopped, but tree-sitter 0.26.1 crashes where anything (`node.text`, a predicate)
    asks such a tree for its text. So where predicates need it, the bytes are parsed again on top of the first tree,
    which takes about a tenth of the time. Two threads that use one parser end the process, so each parse has its own.
    """
    from tree_sitter import Parser  # noqa: PLC0415 - see the module's docstring

    parser = Parser(grammar.language)
    view = memoryview(data)
    started = time.monotonic()
    try:
        tree = parser.parse(
            lambda offset, _: view[offset:],
            progress_callback=lambda _offset, _has_error: time.monotonic() > stop_at,
        )
    except ValueError:  # how the binding says that the callback stopped it
        return None
    if not grammar.has_predicates:
        return tree
    if 2 * time.monotonic() - started > stop_at:
        return None  # the second parse cannot be stopped, and full of errors it takes as long as the first
    return parser.parse(data, tree)


_Match = tuple[int, "dict[str, list[Node]]"]


def _matches(grammar: Grammar, tree: Tree, stop_at: float) -> list[_Match] | None:
    """Run the query, without its progress callback, with which tree-sitter 0.26.1 crashes on every call."""
    from tree_sitter import QueryCursor  # noqa: PLC0415 - see the module's docstring

    found = QueryCursor(grammar.query, match_limit=_MATCH_LIMIT).matches(tree.root_node)
    return None if time.monotonic() > stop_at else found


def _leading_rows(nodes: list[Node], data: bytes) -> set[int]:
    """Give the rows that a comment or decorator fills, which go with what follows them."""
    rows: set[int] = set()
    for node in nodes:
        start = node.start_byte
        if data[data.rfind(b"\n", 0, start) + 1 : start].strip():
            continue  # it trails behind code
        rows.update(range(node.start_point.row, _last_row(node) + 1))
    return rows


def _last_row(node: Node) -> int:
    """Give the last row on which a node has text; some grammars let it end at the start of the next line."""
    row, column = node.end_point
    return max(row - 1, node.start_point.row) if column == 0 else row


def _items(grammar: Grammar, found: list[_Match], leads: set[int], data: bytes) -> list[Item]:
    """Make items of the matches; those that share their name's place are one, of the earliest pattern's kind."""
    items: dict[int, Item] = {}
    for _, captures in sorted(found, key=itemgetter(0)):
        kind = next((capture for capture in captures if capture in KINDS), None)
        if kind is None or "name" not in captures:
            continue
        node, name_node = captures[kind][0], captures["name"][0]
        if name_node.start_byte in items:
            items[name_node.start_byte] = _widen(items[name_node.start_byte], node)
            continue
        end = captures["end"][0] if "end" in captures else node
        scopes = [_text(data, scope) for scope in captures.get("scope", ())]
        name, scope = _name(grammar.name, kind, _text(data, name_node), scopes)
        if name:
            row = name_node.start_point.row
            items[name_node.start_byte] = Item(
                node.start_byte, end.end_byte, node.start_point.row, _last_row(end), name, kind, row, scope
            )
    return sorted((_lead(item, leads) for item in items.values()), key=lambda item: (item.start, -item.end))


def _widen(item: Item, node: Node) -> Item:
    return replace(
        item,
        start=min(item.start, node.start_byte),
        end=max(item.end, node.end_byte),
        first=min(item.first, node.start_point.row),
        last=max(item.last, _last_row(node)),
    )


def _lead(item: Item, leads: set[int]) -> Item:
    first = item.first
    while first - 1 in leads:
        first -= 1
    return item if first == item.first else replace(item, first=first)


def _text(data: bytes, node: Node) -> str:
    return data[node.start_byte : min(node.end_byte, node.start_byte + 4 * _MAX_NAME)].decode("utf-8", "replace")


def _name(grammar: str, kind: str, text: str, scopes: list[str]) -> tuple[str, tuple[str, ...]]:
    """Clean a name and take its qualifiers off: `Foo::bar` is `bar` in the scope `Foo`."""
    name = " ".join(text.split()).strip("\"'`" + _MARKS.get(grammar, ""))[:_MAX_NAME]
    if name.startswith("(") and name.endswith(")"):
        name = name[1:-1].strip()  # an operator of Haskell or OCaml
    if kind == "impl":
        name = _plain(name)
    qualifier = _QUALIFIERS.get(grammar)
    if qualifier and kind != "module":
        *before, name = qualifier.split(name if "operator" in name else _plain(name))
        scopes = [*scopes, *before]
    return name.strip(), tuple(filter(None, (_plain(" ".join(scope.split())).strip("*& ") for scope in scopes)))


def _plain(name: str) -> str:
    """Take type arguments off, from the innermost outwards."""
    while (shorter := _TEMPLATE_ARGUMENTS.sub("", name)) != name:
        name = shorter
    return name[:_MAX_NAME]


def _join_equations(items: list[Item]) -> list[Item]:
    """Join definitions of one name that follow each other without another between: the clauses of a function."""
    joined: list[Item] = []
    for item in items:
        before = joined[-1] if joined else None
        same = before and (before.name, before.kind, before.scope) == (item.name, item.kind, item.scope)
        if before and same and item.start >= before.end:
            joined[-1] = replace(before, end=item.end, last=item.last)
        else:
            joined.append(item)
    return joined


def _breaks(root: Node, leads: set[int]) -> dict[int, int]:
    """Find where nodes begin that are part of a long node: each row with its depth, comments with what follows."""
    breaks: dict[int, int] = {}
    stack = [(root, 0)]
    while stack:
        node, level = stack.pop()
        row_before = -1
        for child in node.children:
            row = child.start_point.row
            if child.is_named and row != row_before:
                top = row
                while top - 1 in leads:
                    top -= 1
                breaks[top] = min(level, breaks.get(top, level))
            row_before = row
            if child.end_byte - child.start_byte > _DESCEND_BYTES and level < _MAX_BREAK_LEVEL:
                stack.append((child, level + 1))
    return breaks
