"""Read PDF by PDFium, page by page: text in its order, headings by the outline or by the size of letters.

The only module that imports pypdfium2; runs in the reader's process only, for PDFium is C++ that reads what strangers
wrote. Page numbers count sheets from 1, as viewers and `#page=` do.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

from memcache_lsp.reading.result import SCANNED, Course, Pages, Reading, UnreadableError

_MOST_CHARACTERS_OF_PAGE: Final = 100_000  # a poster or an attack; a page of a book has 3,000
_MOST_HEADINGS: Final = 20_000
_TITLE_LINES: Final = 3  # of a page that a title may run over
_LARGER: Final = 1.12  # than the letters of most text: a heading
_SAME: Final = 1.03  # sizes that differ by less are meant to be one
_LEVELS: Final = 4  # of headings told by their size
_RUNNING: Final = 0.2  # of all pages: a line at the edge of so many is a running head
_RUNNING_PAGES: Final = 4
_GAP: Final = 1.6  # of the usual distance between lines: a new paragraph
_FEW: Final = 8  # characters: a page without text
_SOFT_HYPHEN: Final = re.compile("[\x02\u00ad\ufffe]\r?\n|[\x02\u00ad\ufffe]")
_DIGITS: Final = re.compile(r"\d+|\b[ivxlc]+\b")
_LEADERS: Final = re.compile(r"(?:\. ?){2,}\s*[\divxlc]{1,6}$|(?:\. ?){5,}$")  # dots that lead to a page's number
_CONTENTS: Final = 0.3  # of a page's lines: all of it is a table of contents, which says all and explains nothing
_WORD: Final = re.compile(r"\w+")


@dataclass(slots=True)
class _Line:
    """A line of a page: its text, the size of its letters, its upper edge."""

    text: str
    size: float
    top: float


def read(data: bytes, spent: Callable[[], bool]) -> Reading:
    """Read a PDF; when the time is `spent`, what was read until then is returned and said."""
    import pypdfium2  # noqa: PLC0415 - a part of an extra, and 9 MB

    try:
        document = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        locked = "password" in str(error).lower() or "security" in str(error).lower()
        reason = "encrypted: it opens with a password only" if locked else "broken: it is no PDF that can be read"
        raise UnreadableError(reason) from None
    try:
        return _read(document, spent if isinstance(spent, Course) else Course(spent))
    finally:
        document.close()


def _read(document: Any, course: Course) -> Reading:
    pages: list[list[_Line]] = []
    failed = size = 0
    out = Pages()
    for number in range(len(document)):
        if course.spent() or size > out.limit or number == course.until:
            out.problems.append(f"only its first {number} of {len(document)} pages were read")
            break
        lines = None
        if number in course.without:
            out.problems.append(f"page {number + 1} is left out: {course.without[number]}")
        else:
            course.at(number)
            lines = _page(document, number)
        failed += lines is None
        pages.append(lines or [])
        size += sum(len(line.text) for line in pages[-1])
    course.at(-1)
    if not len(document):
        raise UnreadableError("empty: it has no pages")
    _drop_running(pages)
    scanned = sum(sum(len(line.text) for line in page) < _FEW for page in pages) - failed
    _drop_contents(pages)
    left_out = sum(page < len(pages) for page in course.without)
    if failed > left_out:
        out.problems.append(f"{failed - left_out} of its {len(pages)} pages cannot be read")
    if failed == len(pages):
        raise UnreadableError("broken: none of its pages can be read")
    if scanned == len(document):
        raise UnreadableError(f"{SCANNED}: none of its {len(pages)} pages holds text, only pictures")
    if scanned + failed == len(pages):
        told = (f"{scanned} of its {len(document)} pages hold no text, only pictures", *out.problems)
        raise UnreadableError(f"{SCANNED}: {'; '.join(told)}")
    if scanned > max(1, len(pages) // 10):
        out.problems.append(f"{SCANNED}: {scanned} of its {len(pages)} pages hold no text")
    _write(out, pages, _bookmarks(document))
    return out.reading()


def _page(document: Any, number: int) -> list[_Line] | None:
    """Return the lines of a page; None where it cannot be read."""
    import pypdfium2  # noqa: PLC0415

    try:
        page = document[number]
        text_page = page.get_textpage()
    except pypdfium2.PdfiumError:
        return None
    try:
        return list(_lines(text_page, pypdfium2.raw))
    finally:
        text_page.close()
        page.close()


def _lines(text_page: Any, raw: Any) -> Iterator[_Line]:
    """Yield the lines of a page with the size and place of a letter of each."""
    text = text_page.get_text_range(0, min(text_page.count_chars(), _MOST_CHARACTERS_OF_PAGE))
    text = _SOFT_HYPHEN.sub(lambda found: "\0" * len(found[0]), text)
    at = 0
    for whole in re.split("\r?\n", text):
        line = whole.replace("\0", "").rstrip()
        if line.strip():
            letter = at + len(whole) - len(whole.lstrip()) + min(1, len(line.strip()) - 1)
            char = raw.FPDFText_GetCharIndexFromTextIndex(text_page, letter)
            size, top = 0.0, 0.0
            if char >= 0:
                _, bottom, _, top = text_page.get_charbox(char, loose=True)
                size = raw.FPDFText_GetFontSize(text_page, char)
                size = abs(top - bottom) if size <= 1.5 else size  # scaled by the page's matrix
            yield _Line(line, round(size, 1), top)
        at += len(whole) + 2


def _drop_running(pages: Sequence[list[_Line]]) -> None:
    """Leave out heads and feet that stand on many pages, numbers apart."""
    edges: Counter[tuple[int, str]] = Counter()
    for page in pages:
        edges.update({(place, _shape(page[place].text)) for place in (0, -1) if page})
    least = max(_RUNNING_PAGES, _RUNNING * len(pages))
    for page in pages:
        for place in (-1, 0):
            if page and (edges[place, _shape(page[place].text)] >= least or page[place].text.strip().isdigit()):
                del page[place]


def _drop_contents(pages: Sequence[list[_Line]]) -> None:
    """Leave out tables of contents, whose longer titles go over several lines."""
    for page in pages:
        leading = sum(_LEADERS.search(line.text) is not None for line in page)
        is_contents = leading > _CONTENTS * len(page) and leading > _TITLE_LINES
        page[:] = [line for line in page if not is_contents and not _LEADERS.search(line.text)]


def _shape(line: str) -> str:
    return _DIGITS.sub("0", line.lower()).strip()


Bookmarks = dict[int, list[tuple[int, str]]]  # page, counted from 0, to level and title


def _bookmarks(document: Any) -> Bookmarks:
    found: Bookmarks = {}
    count = 0
    try:
        for mark in document.get_toc():
            dest = mark.get_dest()
            page = dest.get_index() if dest else None
            if page is not None:
                found.setdefault(page, []).append((mark.level + 1, mark.get_title()))
            count += 1
            if count >= _MOST_HEADINGS:
                break
    except (ValueError, RecursionError):  # an outline that is none
        return found
    return found


def _write(out: Pages, pages: Sequence[list[_Line]], bookmarks: Bookmarks) -> None:
    titles = [] if bookmarks else _titles(pages)
    for number, page in enumerate(pages):
        out.spot(page=number + 1)
        marks = _placed(page, bookmarks.get(number, [])) if bookmarks else titles[number]
        usual = _usual_gap(page)
        before: _Line | None = None
        for at, line in enumerate(page):
            if before is not None and (before.top - line.top > _GAP * usual or line.top > before.top + usual):
                out.blank()
            if at in marks:
                out.blank()
                out.mark(*marks[at])
            out.write(line.text)
            before = line
        out.blank()


def _placed(page: Sequence[_Line], marks: Sequence[tuple[int, str]]) -> dict[int, tuple[int, str]]:
    """Find the line of each bookmark's title on its page; where it is not there, the first line that is free."""
    placed: dict[int, tuple[int, str]] = {}
    start = 0
    for level, title in marks:
        wanted = _letters(title)
        at = next((at for at in range(start, len(page)) if _begins(page, at, wanted)), None)
        if at is None:
            at = start if start < len(page) else None
        if at is not None and at not in placed:
            placed[at] = (level, title)
            start = at + 1
    return placed


def _begins(page: Sequence[_Line], at: int, wanted: str) -> bool:
    here = _letters("".join(line.text for line in page[at : at + _TITLE_LINES]))
    first = _letters(page[at].text)
    return bool(wanted) and bool(first) and wanted in here and (wanted.startswith(first) or wanted in first)


def _letters(text: str) -> str:
    return "".join(_WORD.findall(text.lower()))


def _titles(pages: Sequence[list[_Line]]) -> list[dict[int, tuple[int, str]]]:
    """Find on each page the lines at which a title in letters larger than those of most text begins, with its level from 1.

    Sizes that stand once, as on a cover, are left out beside ones that come again, but for the largest: the title.
    """
    weight: Counter[float] = Counter()
    for page in pages:
        for line in page:
            weight[line.size] += len(line.text)
    if not weight:
        return [{} for _ in pages]
    body = weight.most_common(1)[0][0]
    total = sum(weight.values())
    groups: list[list[float]] = []
    for size in sorted((size for size in weight if size > body * _LARGER), reverse=True):
        if groups and groups[-1][-1] < size * _SAME:
            groups[-1].append(size)
        else:
            groups.append([size])
    groups = [group for group in groups if sum(weight[size] for size in group) < total / 10]
    level_of = {size: level for level, group in enumerate(groups, 1) for size in group}
    found = [_titled(page, level_of) for page in pages]
    times = Counter(level for titles in found for level, _ in titles.values())
    recur = any(count > 1 for count in times.values())
    kept = [level for level in range(1, len(groups) + 1) if not recur or times[level] > 1 or level == 1]
    rank = {level: n for n, level in enumerate(kept[:_LEVELS], 1)}
    return [{at: (rank[level], title) for at, (level, title) in titles.items() if level in rank} for titles in found]


def _titled(page: Sequence[_Line], levels: Mapping[float, int]) -> dict[int, tuple[int, str]]:
    """Find the lines of a page at which a title in large letters begins, which may run over a few of them."""
    found: dict[int, tuple[int, str]] = {}
    begin = 0
    for end in range(1, len(page) + 1):
        last = page[end - 1]
        level = levels.get(last.size)
        if end < len(page) and levels.get(page[end].size) == level and last.top - page[end].top < _GAP * last.size:
            continue
        title = " ".join(line.text.strip() for line in page[begin:end])
        if level is not None and end - begin <= _TITLE_LINES and _is_title(title):
            found[begin] = (level, title)
        begin = end
    return found


def _is_title(text: str) -> bool:
    """Tell a title from what else is set in large letters: labels of a figure begin small, a formula has few letters."""
    return len(text) < 120 and not text[0].islower() and sum(character.isalpha() for character in text) > 2


def _usual_gap(page: Sequence[_Line]) -> float:
    gaps = sorted(a.top - b.top for a, b in pairwise(page) if a.top > b.top)
    return gaps[len(gaps) // 2] if gaps else 1.0
