"""Own the methods of our own, `memcache/*`, and the commands that stand for them in editors without a client of ours.

Must not import the engine. What a method takes and gives is in `protocol.methods`; here is only who does it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from memcache_lsp.protocol.codec import InvalidParams, parse, to_json
from memcache_lsp.protocol.methods import BY_COMMAND, METHODS, Method, asks_to_show, command_params, not_yet
from memcache_lsp.protocol.parts import ProgressToken
from memcache_lsp.protocol.spec import (
    AskParams,
    CachesParams,
    CachesResult,
    ExplainParams,
    ExplainResult,
    IndexParams,
    IndexResult,
    ModelsParams,
    ModelsResult,
    SearchParams,
    SearchResult,
    SimilarParams,
    StatusParams,
    StatusResult,
    ThreadsParams,
    ThreadsResult,
)
from memcache_lsp.session.asking import ask, ask_again, ask_whole, in_units, threads_in_units
from memcache_lsp.session.backend import MANY_HITS
from memcache_lsp.session.context import Context
from memcache_lsp.session.lsp import Handler, Server, types
from memcache_lsp.session.markdown import to_markdown
from memcache_lsp.session.selection import COMMANDS as SELECTION_COMMANDS
from memcache_lsp.session.showing import show_later

_MB = 1_000_000


async def _search(context: Context, params: SearchParams) -> SearchResult:
    return await context.backend.search(context.id, params)


async def _similar(context: Context, params: SimilarParams) -> SearchResult:
    return await context.backend.similar(context.id, params)


async def _explain(context: Context, params: ExplainParams) -> ExplainResult:
    return await context.backend.explain(context.id, params)


async def _status(context: Context, params: StatusParams) -> StatusResult:
    return await context.backend.status(context.id, params)


async def _index(context: Context, params: IndexParams) -> IndexResult:
    async with context.work(params.work_done_token, "Indexing"):
        return await context.backend.index(context.id, params)


async def _threads(context: Context, params: ThreadsParams) -> ThreadsResult:
    if params.action == "askAgain":
        asked = await ask_again(context, params)
        got = await context.backend.threads(context.id, replace(params, action="get"))
        return replace(threads_in_units(context, got), asked=asked)
    async with context.work(params.work_done_token, "Looking into threads"):
        return threads_in_units(context, await context.backend.threads(context.id, params))


async def _caches(context: Context, params: CachesParams) -> CachesResult:
    async with context.work(params.work_done_token, "Looking after caches"):
        return await context.backend.caches(context.id, params)


async def _models(context: Context, params: ModelsParams) -> ModelsResult:
    title = f"Fetching {params.name}" if params.action == "pull" else "Looking after models"
    async with context.work(params.work_done_token, title) as work:

        def show(done: int, total: int) -> None:
            work.report(f"{done // _MB} of {total // _MB} MB", done * 100 // max(1, total))

        return await context.backend.models(context.id, params, show)


_DOERS: Mapping[str, Callable[[Context, Any], Awaitable[Any]]] = {
    "memcache/ask": ask,
    "memcache/search": _search,
    "memcache/similar": _similar,
    "memcache/explain": _explain,
    "memcache/status": _status,
    "memcache/index": _index,
    "memcache/threads": _threads,
    "memcache/caches": _caches,
    "memcache/models": _models,
}


async def _call(method: Method, ls: Server, params: Any) -> Any:
    """Serve a method under its own name."""
    return await _as_json(await _do(method, ls.context, parse(method.params, params)))


async def _do(method: Method, context: Context, params: Any) -> Any:
    doer = _DOERS.get(method.name)
    if doer is None:
        raise not_yet(method)
    await context.roots_known.wait()  # what is asked after a folder was added is asked of it too
    return await doer(context, params)


async def execute_command(ls: Server, params: types.ExecuteCommandParams) -> Any:
    """Serve a method, or an action on a selection, as a command."""
    if params.command in SELECTION_COMMANDS:
        SELECTION_COMMANDS[params.command](ls.context, params.arguments)
        return None  # it is shown when it is there
    method = BY_COMMAND.get(params.command)
    if method is None:
        raise InvalidParams(f"There is no command {params.command[:100]!r}.")
    taken = command_params(method, params.arguments)
    if not ls.context.client.is_ours and asks_to_show(params.arguments):
        show_later(ls.context, lambda token: _shown(method, ls.context, taken, token))
        return None
    async with _on_token(ls.context, method, taken, params.work_done_token) as given:
        if ls.context.client.is_ours:
            return await _as_json(await _do(method, ls.context, given))
        return await _as_markdown(method, ls.context, given)


async def _shown(method: Method, context: Context, params: Any, token: ProgressToken | None) -> str:
    async with _on_token(context, method, params, token) as given:
        return str((await _as_markdown(method, context, given))["markdown"])


@asynccontextmanager
async def _on_token(context: Context, method: Method, params: Any, token: ProgressToken | None) -> AsyncGenerator[Any]:
    """Show the body's work on a command's own token: by the method, where it can tell how far it is."""
    if hasattr(params, "work_done_token"):
        yield params if params.work_done_token is not None else replace(params, work_done_token=token)
        return
    async with context.work(token, method.short.capitalize()):
        yield params


async def _as_json(result: Any) -> Any:
    """Give a result as JSON, one of many hits from a thread, for it would hold the loop."""
    if isinstance(result, SearchResult) and len(result.hits) > MANY_HITS:
        return await asyncio.to_thread(to_json, result)
    return to_json(result)


async def _as_markdown(method: Method, context: Context, params: Any) -> dict[str, Any]:
    """Give the result together with itself as text to be shown; an answer is whole there, streamed or not."""
    if isinstance(params, AskParams):
        result, sources = await ask_whole(context, params)
        return {"markdown": to_markdown(result, sources=sources), **to_json(in_units(context, result))}
    result = await _do(method, context, params)
    return {"markdown": to_markdown(result), **to_json(result)}


def command_names(*, ours: bool) -> list[str]:
    """Return the commands to advertise: none to a client that has commands of its own under these names."""
    return [] if ours else [*(name for name, method in BY_COMMAND.items() if not method.later), *SELECTION_COMMANDS]


def _handler(method: Method) -> Handler:
    async def handle(ls: Server, params: Any) -> Any:
        return await _call(method, ls, params)

    return handle


HANDLERS: dict[str, Handler] = {
    **{method.name: _handler(method) for method in METHODS if method.result is not None},
    types.WORKSPACE_EXECUTE_COMMAND: execute_command,
}
