"""Measure how soon an answer that was kept comes again, and how soon an editor hears that cited lines changed."""

from __future__ import annotations

import asyncio
import math
import time
from pathlib import Path
from typing import Any

from serving.editor import Asked, Editor
from serving.figures import Figure, spread
from serving.home import Home
from serving.projects import fill, questions

FILES = 1000
ANSWERS = 5
REPEATS = 10
EDITS = 10
CACHED_LIMIT_MS, FLAG_LIMIT_MS = 50, 1000
_PATIENCE_S = 5.0
_SHOWN = ("p50", "max")


async def measure(*, scratch: Path, model: Path, corpus: Path | None) -> list[Figure]:
    """Return the part's figures."""
    root = fill(scratch / "project", FILES, corpus)
    with Home(model) as home:
        editor = await Editor.open(home, root, answer_tokens=32)
        await editor.settled()
        answered = [await asked(editor, question) for question in questions(root, ANSWERS)]
        cached = []
        for _ in range(REPEATS):
            for question, first in answered:
                again = Asked(editor, question)
                result = await again.reply.result()
                cached.append(again.reply.took_ms if result["cached"] and said(again) == said(first) else math.inf)
        flags = [await flagged_ms(editor, await quoted(home, root, n), on_disk=bool(n % 2)) for n in range(EDITS)]
        await editor.leave()
    return [
        *spread("a kept answer, from the question to its end", cached, limits={"max": CACHED_LIMIT_MS}, shown=_SHOWN),
        *spread("saved edit to the flag", flags[1::2], limits={"max": FLAG_LIMIT_MS}, shown=_SHOWN),
        *spread("typed edit to the flag", flags[::2], limits={"max": FLAG_LIMIT_MS}, shown=_SHOWN),
    ]


async def asked(editor: Editor, question: str) -> tuple[str, Asked]:
    """Have a question answered by the model."""
    first = Asked(editor, question)
    await first.reply.result()
    return question, first


def said(asked: Asked) -> list[dict[str, Any]]:
    """Return what was streamed of an answer; stages are of the work, not of the answer."""
    return [value for _, value in asked.events if value["type"] != "stage"]


async def quoted(home: Home, root: Path, number: int) -> dict[str, Any]:
    """Answer a question by quotations, which cite for certain; return where."""
    editor = await Editor.open(home, root, quotations=True)
    found = questions(root, ANSWERS + EDITS)[ANSWERS + number]
    result = await editor.call("memcache/ask", {"question": found})
    await editor.leave()
    return {"turnId": result["turnId"], **result["citations"][0]["location"]}


async def flagged_ms(editor: Editor, cited: dict[str, Any], *, on_disk: bool) -> float:
    """Change a cited line, on disk or in an open buffer, and wait for the flag of its answer."""
    heard = asyncio.get_running_loop().create_future()

    def hear(params: dict[str, Any]) -> None:
        if params["turnId"] == cited["turnId"] and params["stale"] and not heard.done():
            heard.set_result(time.perf_counter())

    editor.hears["memcache/didChangeThread"] = hear
    path = Path(cited["uri"].removeprefix("file://"))
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines(keepends=True)
    at = cited["range"]["start"]["line"]
    lines[at] = f"# {lines[at].strip()} was here\n"
    changed = "".join(lines)
    if not on_disk:
        document = {"uri": cited["uri"], "languageId": "python", "version": 1, "text": text}
        editor.tell("textDocument/didOpen", {"textDocument": document})
        await editor.status()
    began = time.perf_counter()
    if on_disk:
        path.write_text(changed, encoding="utf-8")
    else:
        place = {"uri": cited["uri"], "version": 2}
        editor.tell("textDocument/didChange", {"textDocument": place, "contentChanges": [{"text": changed}]})
    try:
        async with asyncio.timeout(_PATIENCE_S):
            took = 1000 * (await heard - began)
    except TimeoutError:
        took = math.inf
    if not on_disk:
        editor.tell("textDocument/didClose", {"textDocument": {"uri": cited["uri"]}})
    return took
