"""Measure how soon sources come on a warm index of 20,000 chunks and more, and how soon unsaved text is found."""

from __future__ import annotations

import contextlib
import math
import string
import time
from collections.abc import Sequence
from pathlib import Path

from serving.editor import Asked, Editor, Refused
from serving.figures import Figure, spread
from serving.home import Home
from serving.projects import fill, questions

FILES, CHUNKS = 4000, 20_000
QUESTIONS = 30
LIMIT_MS = 300
LONG_LINES = 5000
_LETTERS = string.ascii_lowercase
_SHOWN = ("p50", "p95", "max")


async def measure(*, scratch: Path, model: Path, corpus: Path | None) -> list[Figure]:
    """Return the part's figures."""
    root = fill(scratch / "project", FILES, corpus)
    with Home(model) as home:
        short, long = buffers(root)
        long[0].write_text(long[1], encoding="utf-8")
        editor = await Editor.open(home, root)
        status = await editor.settled()
        chunks = status["roots"][0]["chunks"]
        await editor.call("memcache/search", {"query": "the first opens the store"})
        alone = [await sources_ms(editor, question) for question in questions(root, QUESTIONS)]
        beside = await while_answering(editor, questions(root, 2 * QUESTIONS)[QUESTIONS:])
        typed = {
            buffer: [await typed_ms(editor, root, buffer, n) for n in range(QUESTIONS)] for buffer in (short, long)
        }
        await editor.leave()
    limits = {"max": LIMIT_MS}
    return [
        Figure("chunks in the index", chunks, "", CHUNKS, at_least=True),
        *spread("question to its sources", alone, limits=limits, shown=_SHOWN),
        *spread("question to its sources while another is answered", beside, limits=limits, shown=_SHOWN),
        *(
            figure
            for buffer, times in typed.items()
            for place, what in enumerate(("the first change to", "a later change to"))
            for figure in spread(
                f"{what} a buffer of {lines_of(buffer)} lines found",
                [each[place] for each in times],
                limits=limits,
                shown=_SHOWN,
            )
        ),
    ]


async def sources_ms(editor: Editor, question: str) -> float:
    """Ask, wait for sources that are some, and take the question back."""
    asked = Asked(editor, question)
    sources = await asked.reaches("sources", "loading", "reading", "writing", "delta")
    editor.cancel(asked.reply)
    with contextlib.suppress(Refused):
        await asked.reply.result()
    first = next((value for _, value in asked.events if value["type"] == "sources"), None)
    return asked.came_ms("sources") if sources and first and first["items"] else math.inf


async def while_answering(editor: Editor, asked: Sequence[str]) -> list[float]:
    """Measure the sources of questions that have to wait for the model, which is at another one all the time."""
    waits: list[float] = []
    answering: Asked | None = None
    for question in asked:
        if answering is None or answering.reply.done:
            answering = Asked(editor, "How is all of this built, and how do its parts work together?")
            await answering.reaches("reading", "writing", "delta")
        wait = await sources_ms(editor, question)
        if not answering.reply.done:
            waits.append(wait)
    if answering is not None and not answering.reply.done:
        editor.cancel(answering.reply)
    return waits


def buffers(root: Path) -> tuple[tuple[Path, str], tuple[Path, str]]:
    """Return a file of middle length and one that many files in a row were pasted into."""
    files = sorted((path for path in root.rglob("*.py")), key=lambda path: (path.stat().st_size, path))
    middle = files[len(files) // 2]
    pasted, lines, place = [], 0, len(files) // 2 + 1
    while lines < LONG_LINES:
        text = files[place].read_text(errors="replace")
        pasted.append(text)
        lines += text.count("\n")
        place = (place + 1) % len(files)
    long = "".join(pasted).splitlines(keepends=True)[:LONG_LINES]
    return (middle, middle.read_text(errors="replace")), (middle.with_name("pasted.py"), "".join(long))


def lines_of(buffer: tuple[Path, str]) -> int:
    """Count the lines of a buffer."""
    return buffer[1].count("\n")


async def typed_ms(editor: Editor, root: Path, buffer: tuple[Path, str], number: int) -> list[float]:
    """Open a file and type twice, each time a function with a name of its own; infinite where it is not found."""
    path, text = buffer
    uri = path.as_uri()
    document = {"uri": uri, "languageId": "python", "version": 1, "text": text}
    editor.tell("textDocument/didOpen", {"textDocument": document})
    await editor.call("memcache/search", {"query": "what stands here before anything is typed", "limit": 1})
    at = {"line": lines_of(buffer) // 2, "character": 0}
    took = []
    for version, animal in enumerate(("zebra", "giraffe"), start=2):
        word = f"{animal}{_LETTERS[number % 26]}{_LETTERS[number // 26]}crossing"
        typed = f"\n\ndef {word}(street):\n    return street\n\n\n"
        changes = [{"range": {"start": at, "end": at}, "text": typed}]
        place = {"uri": uri, "version": version}
        sent = time.perf_counter()
        editor.tell("textDocument/didChange", {"textDocument": place, "contentChanges": changes})
        reply = editor.begin("memcache/search", {"query": word, "limit": 5})
        hits = (await reply.result())["hits"]
        found = hits and hits[0]["origin"] == "buffer" and hits[0]["path"] == path.relative_to(root).as_posix()
        took.append(1000 * (reply.came - sent) if found else math.inf)
    editor.tell("textDocument/didClose", {"textDocument": {"uri": uri}})
    return took
