"""Own what is shown to the user instead of being returned: made beside the requests, under a bar of our own, then opened.

An editor may wait for the answer to `workspace/executeCommand` with everything else, so a command whose result is
opened anyway is answered at once. The document is a Markdown file in the program's state folder; where the editor opens
none, its beginning is a message. Must not import the engine.
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import logging
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

from memcache_lsp.errors import MemcacheError, UserError
from memcache_lsp.paths import state_dir
from memcache_lsp.protocol.parts import ProgressToken
from memcache_lsp.session.connection import ClientError
from memcache_lsp.session.context import ERROR, INFO, Context
from memcache_lsp.session.uris import from_path

KEPT_ANSWERS = 50
MAX_AT_ONCE = 8
_CREATE_S = 2.0  # for the editor to make a bar in
_MESSAGE_CHARACTERS = 4000
# What comes together with the answer that an editor waits for is not seen by jsonrpc.el, with which Emacs 28 has eglot,
# before something else comes: it leaves its filter with the answer.
_APART_S = 0.2

_numbers = itertools.count(1)
log = logging.getLogger(__name__)


def show_later(context: Context, make: Callable[[ProgressToken | None], Awaitable[str]]) -> None:
    """Begin to make a Markdown text, `make` being given the token of its bar if there is one, and show it at the end."""
    if len(context.shown_later) >= MAX_AT_ONCE:
        raise UserError(f"{MAX_AT_ONCE} answers are being made already: wait for one, or cancel one.")
    token = f"memcache/answer/{os.getpid()}/{context.id}/{next(_numbers)}"
    task = context.connection.spawn(_make_and_show(context, token, make))
    context.shown_later[token] = task
    task.add_done_callback(lambda _task: context.shown_later.pop(token, None))


async def _make_and_show(context: Context, token: str, make: Callable[[ProgressToken | None], Awaitable[str]]) -> None:
    await asyncio.sleep(_APART_S)
    try:
        markdown = await make(token if await _has_bar(context, token) else None)
        uri = from_path(await asyncio.to_thread(_keep, markdown))
    except MemcacheError as error:
        context.message(ERROR, str(error))
        return
    except Exception as error:
        context.message(ERROR, "The answer could not be made; the log of the engine tells more.")
        log.error("an answer that was to be shown failed with %s", type(error).__name__)  # noqa: TRY400 - no user text
        raise
    context.shown_later.pop(token, None)  # it is made; an editor may take its time to open it
    if not await context.show(uri):
        cut = markdown if len(markdown) <= _MESSAGE_CHARACTERS else markdown[:_MESSAGE_CHARACTERS] + "…"
        context.message(INFO, cut)


async def _has_bar(context: Context, token: str) -> bool:
    if not context.client.takes_progress:
        return False
    try:
        async with asyncio.timeout(_CREATE_S):
            await context.connection.ask("window/workDoneProgress/create", {"token": token})
    except (ClientError, TimeoutError):
        return False
    return True


def _keep(markdown: str) -> Path:
    """Write an answer into our own folder, and remove the oldest beyond `KEPT_ANSWERS`."""
    folder = state_dir() / "answers"
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / f"answer-{hashlib.blake2b(markdown.encode(), digest_size=8).hexdigest()}.md"
    path.touch(mode=0o600)
    path.write_text(markdown, encoding="utf-8")
    answers = sorted(folder.glob("answer-*.md"), key=lambda each: each.stat().st_mtime_ns, reverse=True)
    for old in answers[KEPT_ANSWERS:]:
        old.unlink(missing_ok=True)
    return path
