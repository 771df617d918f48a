"""Read HTML as a person would: the text that is the page's own, its headings, and not what is around it on every page.

A scanner of its own, for it has to be linear on any text, know the line of each word, and take whatever people call
HTML. Standard library only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from html import unescape
from itertools import islice
from typing import Final

_TOKEN: Final = re.compile(r"<!--|<(?P<end>/?)(?P<name>[a-zA-Z][a-zA-Z0-9:-]{0,40})(?=[\s/>])|<[!?]")
_ATTRIBUTE: Final = re.compile(
    r"([a-zA-Z-]{1,40})\s{0,10}=\s{0,10}(?:\"([^\"]{0,500})|'([^']{0,500})|([^\s>\"']{1,200}))"
)
_HIDDEN: Final = frozenset("script style template noscript svg math iframe object head select textarea button".split())
_AROUND: Final = frozenset("nav aside footer form menu dialog".split())
_BLOCKS: Final = frozenset(
    "address article aside blockquote body caption center dd details div dl dt fieldset figcaption figure footer form "
    "h1 h2 h3 h4 h5 h6 header hr html legend li main nav ol p pre section summary table tbody td tfoot th thead title "
    "tr ul br".split()
)
_VOID: Final = frozenset("area base br col embed hr img input link meta param source track wbr".split())
_CELLS: Final = frozenset(("td", "th", "dt", "dd"))
_AROUND_ROLES: Final = frozenset("navigation banner contentinfo search complementary menu menubar dialog".split())
_AROUND_NAMES: Final = re.compile(
    r"(?:^|[\s_-])(?:nav|navbar|navigation|navheader|navfooter|sidebar|sphinxsidebar|menu|menubar|breadcrumbs?|footer|"
    r"cookie|cookies|banner|toc|related|share|social|comments?|advert|ads|skip-link|headerlink|site-header|toolbar|"
    r"pagination|mw-editsection|catlinks|printfooter)(?:$|[\s_-])",
    re.IGNORECASE,
)
_HEADINGS: Final = {f"h{level}": level for level in range(1, 7)}
_MOST_ATTRIBUTES: Final = 4000  # characters of a tag that are looked at
_PIECE: Final = 1 << 16
_MOST_DEPTH: Final = 10_000
_MOST_BLOCKS: Final = 150_000  # no text has more lines than that, by `result.MOST_CHARACTERS`
_LINKED: Final = 0.6  # of a block's text: it is a list of links
_MAIN_SHARE: Final = 0.3  # of all text: what is marked as the page's own is believed
_OWN_SHARE: Final = 0.05  # of all text that a page's own has at least
_SIBLINGS: Final = frozenset(("p", "li", "td", "th", "tr", "dt", "dd", "option"))  # each ends the one before it
_LINE_END: Final = re.compile(r"\r\n|\n|\r")


@dataclass(slots=True)
class Block:
    """A run of text between two tags that end a line: the text of each of its lines, and how much of it is links."""

    parts: list[tuple[int, str]] = field(default_factory=list)  # line, counted from 0, and text
    level: int = 0  # of a heading
    linked: int = 0
    size: int = 0
    around: bool = False  # it lies in what is around the page's own text
    main: bool = False  # it lies in what is marked as the page's own
    literal: bool = False
    item: bool = False

    @property
    def text(self) -> str:
        """Return it as one line."""
        lines: dict[int, str] = {}
        for line, part in self.parts:
            lines[line] = lines.get(line, "") + part
        return " ".join(" ".join(lines.values()).split())


def blocks(text: str) -> list[Block]:
    """Return the blocks of a page that are its own, in order."""
    found = list(islice((block for block in _Scanner(text).blocks() if block.size), _MOST_BLOCKS))
    kept = [block for block in found if not block.around]
    if sum(block.size for block in kept) < _OWN_SHARE * sum(block.size for block in found):
        kept = found  # what begins around the text was never closed, or the page is nothing else
    main = [block for block in kept if block.main]
    if sum(block.size for block in main) > _MAIN_SHARE * sum(block.size for block in kept):
        kept = main
    return _without_lists_of_links(kept)


def _without_lists_of_links(found: Sequence[Block]) -> list[Block]:
    """Leave out runs of blocks that are nothing but links: a table of contents, a bar of buttons."""
    kept: list[Block] = []
    run: list[Block] = []
    for block in [*found, Block(size=1)]:
        if block.parts and not block.level and block.linked > _LINKED * block.size:
            run.append(block)
            continue
        if len(run) < 3:
            kept += run
        run = []
        kept.append(block)
    return kept[:-1]


@dataclass(slots=True)
class _Open:
    """An element that is open."""

    name: str
    hidden: bool
    around: bool
    main: bool


class _Scanner:
    """Goes through a text once."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._open: list[_Open] = []
        self._counts: dict[str, int] = {}
        self._line = 0
        self._block = Block()
        self._links = self._literals = 0

    def blocks(self) -> Iterator[Block]:
        """Yield every block, those without text too."""
        text, at = self._text, 0
        while at < len(text):
            found = _TOKEN.search(text, at)
            if found is None:
                self._say(text[at:])
                break
            self._say(text[at : found.start()])
            at = found.start()
            name = (found["name"] or "").lower()
            if not name:
                at = self._skip(at, "-->" if found[0] == "<!--" else ">")
                continue
            end = text.find(">", found.end())
            end = len(text) if end < 0 else end + 1
            if name in _BLOCKS:
                yield self._next()
            self._tag(name, text[found.end() : min(end, found.end() + _MOST_ATTRIBUTES)], closes=bool(found["end"]))
            self._line += _lines(text[at:end])
            at = end
            if name in {"script", "style"} and not found["end"]:
                at = self._skip(at, f"</{name}")
        yield self._next()

    def _skip(self, at: int, mark: str) -> int:
        """Go behind the next mark, or to it where it is a tag."""
        end = _find(self._text, mark, at)
        after = len(self._text) if end < 0 else end + (0 if mark.startswith("</") else len(mark))
        self._line += _lines(self._text[at:after])
        return after

    def _next(self) -> Block:
        block = self._block
        top = self._open[-1] if self._open else None
        self._block = Block(around=bool(top and top.around), main=bool(top and top.main), literal=self._literals > 0)
        return block

    def _tag(self, name: str, told: str, *, closes: bool) -> None:
        if closes:
            self._close(name)
        elif name not in _VOID and not told.endswith("/>"):
            self._enter(name, told)
        top = self._open[-1] if self._open else None
        block = self._block
        if name in _BLOCKS:
            block.around, block.main = bool(top and top.around), bool(top and top.main)
            block.literal = self._literals > 0
            block.item = name == "li" and not closes
            block.level = 0 if closes else _HEADINGS.get(name, 0)

    def _enter(self, name: str, told: str) -> None:
        if name in _SIBLINGS and self._open and self._open[-1].name == name:
            self._close(name)
        if len(self._open) >= _MOST_DEPTH:
            return
        top = self._open[-1] if self._open else _Open("", hidden=False, around=False, main=False)
        attributes = {found[1].lower(): found[2] or found[3] or found[4] or "" for found in _ATTRIBUTE.finditer(told)}
        role = attributes.get("role", "").lower()
        named = f"{attributes.get('class', '')} {attributes.get('id', '')}"
        is_page = name in {"html", "body", "main", "article"}
        around = not is_page and (
            name in _AROUND or role in _AROUND_ROLES or (name not in _HEADINGS and bool(_AROUND_NAMES.search(named)))
        )
        hidden = name in _HIDDEN or attributes.get("aria-hidden") == "true" or " hidden" in f"{told} ".lower()[:200]
        main = name in {"main", "article"} or role == "main"
        self._open.append(_Open(name, top.hidden or hidden, top.around or around, top.main or main))
        self._counts[name] = self._counts.get(name, 0) + 1
        self._links += name == "a"
        self._literals += name == "pre"

    def _close(self, name: str) -> None:
        """Close an element and all that were opened in it and never closed."""
        if not self._counts.get(name):
            return
        while self._open:
            top = self._open.pop()
            self._counts[top.name] -= 1
            self._links -= top.name == "a"
            self._literals -= top.name == "pre"
            if top.name == name:
                return

    def _say(self, raw: str) -> None:
        """Take text in, line by line, and in pieces, for what is made of one takes many times its size."""
        if not raw:
            return
        if len(raw) > _PIECE:
            for start in range(0, len(raw), _PIECE):
                self._say(raw[start : start + _PIECE])
            return
        count = _lines(raw)
        block, top = self._block, self._open[-1] if self._open else None
        is_shown = top is None or not (top.hidden or (top.around and not block.around))  # a mark for links in a heading
        if is_shown and not raw.isspace():
            for step, part in enumerate(_LINE_END.split(raw)):
                said = unescape(part)
                said = said if block.literal else re.sub(r"\s+", " ", said)
                block.parts.append((self._line + step, said))
                size = len(said.strip())
                block.size += size
                block.linked += size if self._links else 0
        elif is_shown and block.parts:
            block.parts.append((self._line + count, raw if block.literal and not count else " "))
        self._line += count


def _lines(text: str) -> int:
    return text.count("\n") + text.count("\r") - text.count("\r\n")


def _find(text: str, mark: str, at: int) -> int:
    """Find a mark whatever its case."""
    if mark.isascii() and not mark.startswith("</"):
        return text.find(mark, at)
    found = re.compile(re.escape(mark), re.IGNORECASE).search(text, at)
    return found.start() if found else -1
