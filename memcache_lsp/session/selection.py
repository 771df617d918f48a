"""Own what editors without a client of ours can do with a selection: explain it, ask about it or what calls it, sum up its file.

The answer is a Markdown file in the program's state folder, opened by the editor, or a message where it opens none.
Must not import the engine.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from memcache_lsp.paths import state_dir
from memcache_lsp.protocol.codec import InvalidParams, parse
from memcache_lsp.protocol.spec import AskParams
from memcache_lsp.session.asking import ask_whole
from memcache_lsp.session.context import INFO, Context
from memcache_lsp.session.lsp import Handler, Server, types
from memcache_lsp.session.markdown import to_markdown
from memcache_lsp.session.positions import Position as Place
from memcache_lsp.session.uris import from_path

EXPLAIN, ASK = "memcache.explainSelection", "memcache.askSelection"
CALLERS, SUMMARIZE = "memcache.callersOfSelection", "memcache.summarizeFile"
_QUESTIONS = {"explain": "Explain this.", "callers": "What calls this?", "summarize": "Summarize this file."}
KEPT_ANSWERS = 50
_KIND = "memcache"
_MESSAGE_CHARACTERS = 4000
_QUESTION_CHARACTERS = 1000
_IS_QUESTION = re.compile(r"\w.*\?\s*$", re.DOTALL)


async def code_action(ls: Server, params: types.CodeActionParams) -> list[dict[str, Any]] | None:
    """Offer what can be done with the selection."""
    wanted = params.context.only
    if not ls.context.settings.code_actions or params.range.start == params.range.end:
        return None
    if wanted is not None and not any(only in {"", _KIND} for only in wanted):
        return None
    offered = (
        ("Explain", EXPLAIN, "explain"),
        ("Ask about this", ASK, "ask"),
        ("What calls this?", CALLERS, "callers"),
        ("Summarize this file", SUMMARIZE, "summarize"),
    )
    return [_action(ls.context, *each, params) for each in offered]


def _action(context: Context, title: str, command: str, intent: str, params: types.CodeActionParams) -> dict[str, Any]:
    start, end = params.range.start, params.range.end
    about = {
        "textDocument": {"uri": params.text_document.uri},
        "selection": {
            "start": {"line": start.line, "character": start.character},
            "end": {"line": end.line, "character": end.character},
        },
    }
    if intent == "summarize":
        del about["selection"]
    if context.client.is_ours:  # its own command asks the user for the question
        call = {"title": title, "command": "memcache.ask", "arguments": [{"intent": intent, **about}]}
    else:
        call = {"title": title, "command": command, "arguments": [about]}
    return {"title": title, "kind": _KIND, "command": call} if context.client.takes_action_literals else call


async def _explain(context: Context, arguments: Any) -> dict[str, Any]:
    return await _answer(context, _params(arguments, _fixed("explain")))


async def _callers(context: Context, arguments: Any) -> dict[str, Any]:
    return await _answer(context, _params(arguments, _fixed("callers")))


async def _summarize(context: Context, arguments: Any) -> dict[str, Any]:
    return await _answer(context, _params(arguments, _fixed("summarize"), whole=True))


def _fixed(intent: str) -> dict[str, Any]:
    return {"intent": intent, "question": _QUESTIONS[intent]}


async def _ask(context: Context, arguments: Any) -> dict[str, Any]:
    """Ask about a selection; one that is a question itself is the question."""
    params = _params(arguments, {"intent": "ask", "question": "What is this for, and what uses it?"})
    text = _selected(context, params).strip()
    if len(text) <= _QUESTION_CHARACTERS and _IS_QUESTION.search(text):
        return await _answer(context, AskParams(question=text, text_document=params.text_document))
    return await _answer(context, params)


COMMANDS: Mapping[str, Callable[[Context, Any], Awaitable[dict[str, Any]]]] = {
    EXPLAIN: _explain,
    ASK: _ask,
    CALLERS: _callers,
    SUMMARIZE: _summarize,
}


def _params(arguments: Any, fixed: dict[str, Any], *, whole: bool = False) -> AskParams:
    """Read the arguments; without a selection only where the `whole` file is meant."""
    if not isinstance(arguments, list | tuple) or len(arguments) != 1 or not isinstance(arguments[0], dict):
        raise InvalidParams("The arguments must be a list of one object with textDocument and selection.")
    params = parse(AskParams, {**arguments[0], **fixed})
    if whole and params.text_document is None:
        raise InvalidParams("textDocument is missing: it must be a document.")
    if params.selection is None and not whole:
        raise InvalidParams("selection is missing: it must be a range.")
    return params


def _selected(context: Context, params: AskParams) -> str:
    buffer = context.documents.get(params.text_document.uri) if params.text_document else None
    if buffer is None or params.selection is None:
        return ""
    ends = (params.selection.start, params.selection.end)
    start, end = (buffer.content.offset(Place(at.line, at.character), context.client.encoding) for at in ends)
    return buffer.content.text[start:end]


async def _answer(context: Context, params: AskParams) -> dict[str, Any]:
    result, sources = await ask_whole(context, params)
    markdown = to_markdown(result, sources=sources, title=params.question)
    uri = from_path(await asyncio.to_thread(_keep, markdown))
    context.connection.spawn(_show(context, uri, markdown))  # an editor may open nothing before it has its answer
    return {"markdown": markdown, "uri": uri}


async def _show(context: Context, uri: str, markdown: str) -> None:
    if not await context.show(uri):
        text = markdown if len(markdown) <= _MESSAGE_CHARACTERS else markdown[:_MESSAGE_CHARACTERS] + "…"
        context.connection.notify("window/showMessage", {"type": INFO, "message": text})


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


HANDLERS: dict[str, Handler] = {types.TEXT_DOCUMENT_CODE_ACTION: code_action}
