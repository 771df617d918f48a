"""What people see: hits with coloured snippets, progress bars on a terminal, plain lines in a pipe. Owns rich."""

from __future__ import annotations

import contextlib
import json
import re
import sys
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from memcache_lsp.lines import lines_of, snippet
from memcache_lsp.reports import Progress

if TYPE_CHECKING:
    from memcache_lsp.values import Hit, Spot

_PLAIN_EVERY_S = 2.0
_BAR_AFTER_S = 0.3  # a bar that is gone at once only flickers


def print_json(value: dict[str, Any]) -> None:
    """Print one JSON object as a line on stdout, at once."""
    sys.stdout.write(json.dumps(value) + "\n")  # ASCII, for some take U+2028 for the end of a line
    sys.stdout.flush()


def print_hits(hits: Sequence[Hit], *, explain: bool = False) -> None:
    """Print hits for people: place, symbol, snippet with the lines' numbers; in colour on a terminal.

    With `explain`, also what each signal brought to the score.
    """
    if not sys.stdout.isatty():
        for hit in hits:
            print(f"{place(hit)}  {label(hit)}")
            for number, line in enumerate(_lines(hit), start=hit.span.start_line):
                print(f"{number:6}  {line}".rstrip())
            if explain:
                print(signals(hit))
            print()
        sys.stdout.flush()
        return
    from rich.console import Console  # noqa: PLC0415
    from rich.syntax import Syntax  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    console = Console(highlight=False)
    for hit in hits:
        console.print(Text.assemble((place(hit), "bold cyan"), "  ", (label(hit), "green")), soft_wrap=True)
        console.print(
            Syntax(
                "\n".join(_lines(hit)),
                _LEXERS.get(hit.language, hit.language),
                theme="ansi_dark",
                line_numbers=True,
                start_line=hit.span.start_line,
                background_color="default",
            )
        )
        if explain:
            console.print(Text(signals(hit), "dim"), soft_wrap=True)
        console.print()


def signals(hit: Hit) -> str:
    """Return what each signal brought to a hit's score, the most first."""
    told = sorted(hit.signals.items(), key=lambda each: -each[1])
    return f"{hit.score:8.3f} = {', '.join(f'{name} {value:+.3f}' for name, value in told)}"


def _lines(hit: Hit) -> list[str]:
    """Return the lines of a hit's snippet as editors count them, without what is no text."""
    return [printable(line) for line in lines_of(snippet(hit.text))]


_LEXERS = {"csharp": "c#"}  # where pygments knows a language by another name


def place(hit: Hit) -> str:
    """Return a hit's place as editors and terminals open it: `path:line-line`, or `path:p. 12`."""
    return printable(place_of(hit.path, hit.span.start_line, hit.span.end_line, hit.spot))


def place_of(path: str, first: int, last: int, spot: Spot | None) -> str:
    """Return a place for people: by page or cell where the file is no text, whose lines nobody sees."""
    if spot is None:
        return f"{path}:{first}-{last}"
    if spot.page:
        return f"{path}:p. {spot.page}"
    return f"{path}:cell {spot.cell}" if spot.cell else path


def label(hit: Hit) -> str:
    """Return what a hit is, in words: its kind and name."""
    return printable(f"{hit.kind} {hit.symbol}".strip() if hit.symbol else hit.kind).replace("\n", " ")


class Bar:
    """Progress on stderr: a bar with remaining time on a terminal, else a line now and then; nothing if it is quick."""

    def __init__(self, title: str, unit: str) -> None:
        self._title = title
        self._unit = unit
        self._began = self._told = time.monotonic()
        self._bar: Any = None
        self._stopped = False

    def show(self, progress: Progress) -> None:
        """Show how far the work is."""
        now = time.monotonic()
        if not progress.total or self._stopped:
            return
        if sys.stderr.isatty():
            if self._bar is None and now - self._began > _BAR_AFTER_S:
                self._bar, self._task = _rich_bar(self._title, self._unit)
            if self._bar is not None:
                self._bar.update(self._task, completed=progress.done, total=progress.total)
        elif now - self._told > _PLAIN_EVERY_S:
            self._told = now
            print(f"{self._title}: {progress.done} of {progress.total} {self._unit}", file=sys.stderr, flush=True)

    def stop(self) -> None:
        """Take the bar away for good: what is printed next must not be mixed with it."""
        self._stopped = True
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


@contextlib.contextmanager
def progress_bar(title: str, unit: str) -> Iterator[Bar]:
    """Give a bar that is gone at the end of the block."""
    bar = Bar(title, unit)
    try:
        yield bar
    finally:
        bar.stop()


def _rich_bar(title: str, unit: str) -> tuple[Any, Any]:
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn  # noqa: PLC0415
    from rich.progress import Progress as RichProgress  # noqa: PLC0415

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(unit),
        TimeRemainingColumn(compact=True),
    )
    # rich would else take stdout over and send the streamed answer to stderr
    bar = RichProgress(
        *columns, console=Console(stderr=True), transient=True, redirect_stdout=False, redirect_stderr=False
    )
    bar.start()
    return bar, bar.add_task(title, total=None)


# What a file or a model could send to move the cursor, set the title, or turn text around: C0 and C1 controls but for
# tab and line ends, DEL, and the bidirectional controls of Unicode.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def printable(text: str) -> str:
    """Return a text of the project or the model as it may go to a terminal."""
    return _UNPRINTABLE.sub("\ufffd", text)


def size(size_bytes: float) -> str:
    """Return a size for people."""
    for unit in ("bytes", "kB", "MB"):
        if size_bytes < 1000:
            return f"{size_bytes:.0f} {unit}"
        size_bytes /= 1000
    return f"{size_bytes:.1f} GB"
