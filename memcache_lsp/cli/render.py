"""What people see: hits with coloured snippets, progress bars on a terminal, plain lines in a pipe. Owns rich."""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from memcache_lsp.indexing import Progress
from memcache_lsp.protocol.wire import snippet
from memcache_lsp.values import Hit

_PLAIN_EVERY_S = 2.0
_BAR_AFTER_S = 0.3  # a bar that is gone at once only flickers


def print_json(value: dict[str, Any]) -> None:
    """Print one JSON object as a line on stdout, at once."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def print_hits(hits: Sequence[Hit]) -> None:
    """Print hits for people: place, symbol, snippet with the lines' numbers; in colour on a terminal."""
    if not sys.stdout.isatty():
        for hit in hits:
            print(f"{place(hit)}  {_label(hit)}".rstrip())
            for number, line in enumerate(snippet(hit).splitlines(), start=hit.span.start_line):
                print(f"{number:6}  {line}".rstrip())
            print()
        sys.stdout.flush()
        return
    from rich.console import Console  # noqa: PLC0415
    from rich.syntax import Syntax  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    console = Console(highlight=False)
    for hit in hits:
        console.print(Text.assemble((place(hit), "bold cyan"), "  ", (_label(hit), "green")))
        console.print(
            Syntax(
                snippet(hit),
                _LEXERS.get(hit.language, hit.language),
                theme="ansi_dark",
                line_numbers=True,
                start_line=hit.span.start_line,
                background_color="default",
                word_wrap=False,
            )
        )
        console.print()


_LEXERS = {"emacs-lisp": "elisp", "restructuredtext": "rst", "csharp": "c#"}


def place(hit: Hit) -> str:
    """Return a hit's place as editors and terminals open it: `path:line-line`."""
    return f"{hit.path}:{hit.span.start_line}-{hit.span.end_line}"


def _label(hit: Hit) -> str:
    return f"{hit.kind} {hit.symbol}".strip() if hit.symbol else hit.kind


@contextlib.contextmanager
def progress_bar(title: str, unit: str) -> Iterator[Callable[[Progress], None]]:
    """Give a function that shows progress on stderr: a bar with remaining time on a terminal, else a line now and then."""
    if not sys.stderr.isatty():
        yield _plain(title, unit)
        return
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn  # noqa: PLC0415
    from rich.progress import Progress as Bar  # noqa: PLC0415

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(unit),
        TimeRemainingColumn(compact=True),
    )
    bar = Bar(*columns, console=Console(stderr=True), transient=True)
    task = bar.add_task(title, total=None)
    began = time.monotonic()

    def show(progress: Progress) -> None:
        if progress.total and time.monotonic() - began > _BAR_AFTER_S:
            bar.start()
            bar.update(task, completed=progress.done, total=progress.total)

    try:
        yield show
    finally:
        bar.stop()


def _plain(title: str, unit: str) -> Callable[[Progress], None]:
    last = time.monotonic()

    def show(progress: Progress) -> None:
        nonlocal last
        if progress.total and time.monotonic() - last > _PLAIN_EVERY_S:
            last = time.monotonic()
            print(f"{title}: {progress.done} of {progress.total} {unit}", file=sys.stderr, flush=True)

    return show


def size(size_bytes: float) -> str:
    """Return a size for people."""
    for unit in ("bytes", "kB", "MB"):
        if size_bytes < 1000:
            return f"{size_bytes:.0f} {unit}"
        size_bytes /= 1000
    return f"{size_bytes:.1f} GB"
