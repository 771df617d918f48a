"""Own what editors without a client of ours can do with a selection: explain it, ask about it or what calls it, sum up its file.

The answer is shown when it is there, see `showing`. Must not import the engine.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from memcache_lsp.protocol.codec import InvalidParams, parse
from memcache_lsp.protocol.parts import ProgressToken
from memcache_lsp.protocol.spec import AskParams
from memcache_lsp.session.asking import ask_whole
from memcache_lsp.session.context import Context
from memcache_lsp.session.lsp import Handler, Server, types
from memcache_lsp.session.markdown import to_markdown
from memcache_lsp.session.positions import Position as Place
from memcache_lsp.session.showing import show_later

EXPLAIN, ASK = "memcache.explainSelection", "memcache.askSelection"
CALLERS, SUMMARIZE = "memcache.callersOfSelection", "memcache.summarizeFile"
_QUESTIONS = {"explain": "Explain this.", "callers": "What calls this?", "summarize": "Summarize this file."}
_KIND = "memcache"
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


def _explain(context: Context, arguments: Any) -> None:
    _answer(context, _params(arguments, _fixed("explain")))


def _callers(context: Context, arguments: Any) -> None:
    _answer(context, _params(arguments, _fixed("callers")))


def _summarize(context: Context, arguments: Any) -> None:
    _answer(context, _params(arguments, _fixed("summarize"), whole=True))


def _fixed(intent: str) -> dict[str, Any]:
    return {"intent": intent, "question": _QUESTIONS[intent]}


def _ask(context: Context, arguments: Any) -> None:
    """Ask about a selection; one that is a question itself is the question."""
    params = _params(arguments, {"intent": "ask", "question": "What is this for, and what uses it?"})
    text = _selected(context, params).strip()
    if len(text) <= _QUESTION_CHARACTERS and _IS_QUESTION.search(text):
        _answer(context, AskParams(question=text, text_document=params.text_document))
    else:
        _answer(context, params)


COMMANDS: Mapping[str, Callable[[Context, Any], None]] = {
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


def _answer(context: Context, params: AskParams) -> None:
    async def make(token: ProgressToken | None) -> str:
        result, sources = await ask_whole(context, replace(params, work_done_token=token, partial_result_token=None))
        return to_markdown(result, sources=sources, title=params.question)

    show_later(context, make)


HANDLERS: dict[str, Handler] = {types.TEXT_DOCUMENT_CODE_ACTION: code_action}
