"""Measure how soon an answer without any model is there, on a warm index of 20,000 chunks and more."""

from __future__ import annotations

import math
from pathlib import Path

from serving.ask import CHUNKS, FILES
from serving.editor import Asked, Editor
from serving.figures import Figure, spread
from serving.home import Home
from serving.projects import fill, questions

QUESTIONS = 100
LIMIT_MS = 300


async def measure(*, scratch: Path, model: Path, corpus: Path | None) -> list[Figure]:
    """Return the part's figures; the model is there and not asked."""
    root = fill(scratch / "project", FILES, corpus)
    with Home(model) as home:
        editor = await Editor.open(home, root, quotations=True)
        status = await editor.settled()
        chunks = status["roots"][0]["chunks"]
        await editor.call("memcache/search", {"query": "the first opens the store"})
        took = [await quoted_ms(editor, question) for question in questions(root, QUESTIONS)]
        await editor.leave()
    return [
        Figure("chunks in the index", chunks, "", CHUNKS, at_least=True),
        *spread(
            "question to its whole answer in quotations", took, limits={"max": LIMIT_MS}, shown=("p50", "p95", "max")
        ),
    ]


async def quoted_ms(editor: Editor, question: str) -> float:
    """Return the time to the end of an answer, infinite where it is none in quotations."""
    asked = Asked(editor, question)
    result = await asked.reply.result()
    return asked.reply.took_ms if result["finishReason"] == "extract" else math.inf
