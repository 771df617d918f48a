"""Own a question's way through one connection: what streams to the client, and what its answer holds.

Must not import the engine or a model.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from typing import TypeVar

from memcache_lsp.protocol.codec import to_json
from memcache_lsp.protocol.parts import Cited, Range, Stretch
from memcache_lsp.protocol.parts import Position as Place
from memcache_lsp.protocol.spec import (
    AskCitation,
    AskDelta,
    AskParams,
    AskPartial,
    AskResult,
    AskSources,
    AskStage,
    AskUnsupported,
    ThreadsParams,
    ThreadsResult,
)
from memcache_lsp.session.context import Context, Work
from memcache_lsp.session.positions import Encoding, Position, Text

_STAGES = {  # shares of the whole
    "waiting": (0, 0),
    "loading": (0, 20),
    "reading": (20, 80),
    "thinking": (80, 80),
    "writing": (80, 100),
}


async def ask(context: Context, params: AskParams) -> AskResult:
    """Answer a question; partial results go to the client's token, and are then not in the result."""
    result, _ = await ask_whole(context, params)
    if params.partial_result_token is None:
        return in_units(context, result)
    return replace(result, answer=None, citations=None, unsupported=None)


async def ask_whole(context: Context, params: AskParams) -> tuple[AskResult, AskSources]:
    """Answer a question, and return answer, citations and sources whatever was streamed; stretches count characters."""
    return await _whole(context, params, context.backend.ask(context.id, _counted(context, params)))


async def ask_again(context: Context, params: ThreadsParams) -> AskResult:
    """Answer the question of a turn once more, streaming as `ask` does."""
    result, _ = await _whole(context, params, context.backend.ask_again(context.id, params))
    if params.partial_result_token is None:
        return in_units(context, result)
    return replace(result, answer=None, citations=None, unsupported=None)


async def _whole(
    context: Context, params: AskParams | ThreadsParams, answer: AsyncGenerator[AskPartial | AskResult]
) -> tuple[AskResult, AskSources]:
    stream = _Stream(context, params)
    sources, result = AskSources(items=()), None
    async with context.work(params.work_done_token, "Answering") as work, aclosing(answer) as events:
        async for event in events:
            match event:
                case AskResult():
                    result = event
                case _:
                    sources = event if isinstance(event, AskSources) else sources
                    stream.send(event)
                    _show(work, event)
    if result is None:
        raise RuntimeError("an answer ended without a result")
    return result, sources


def in_units(context: Context, result: AskResult) -> AskResult:
    """Give the stretches and marks of an answer, counted in characters, in the client's units."""
    text, units = result.answer or "", context.client.encoding.units
    told = result.unsupported and tuple(
        Stretch(start=units(text[: each.start]), end=units(text[: each.end])) for each in result.unsupported
    )
    return replace(result, unsupported=told, citations=result.citations and _marked(context, text, result.citations))


def threads_in_units(context: Context, result: ThreadsResult) -> ThreadsResult:
    """Give the marks of the answers of threads in the client's units."""
    return replace(
        result,
        threads=tuple(
            replace(
                thread,
                turns=thread.turns
                and tuple(
                    replace(turn, citations=_marked(context, turn.answer, turn.citations)) for turn in thread.turns
                ),
            )
            for thread in result.threads
        ),
    )


T = TypeVar("T", bound=Cited)


def _marked(context: Context, text: str, citations: tuple[T, ...]) -> tuple[T, ...]:
    units = context.client.encoding.units
    return tuple(each if each.at is None else replace(each, at=units(text[: each.at])) for each in citations)


class _Stream:
    """The partial results of one question, as the client gets them."""

    def __init__(self, context: Context, params: AskParams | ThreadsParams) -> None:
        self._context = context
        self._token = params.partial_result_token
        self._text = ""

    def send(self, event: AskPartial) -> None:
        if self._token is None:
            return
        if isinstance(event, AskDelta):
            self._text += event.text
        elif isinstance(event, AskUnsupported):
            units = self._context.client.encoding.units
            event = replace(event, start=units(self._text[: event.start]), end=units(self._text[: event.end]))
        elif isinstance(event, AskCitation):
            (event,) = _marked(self._context, self._text, (event,))
        self._context.progress(self._token, to_json(event), droppable=isinstance(event, AskStage))


def _show(work: Work, event: AskPartial) -> None:
    if isinstance(event, AskStage):
        low, high = _STAGES[event.stage]
        work.report(event.stage, low + (high - low) * event.percent // 100)


def _counted(context: Context, params: AskParams) -> AskParams:
    """Give the selection in characters, which the backend counts in; of a file that is not open the lines hold."""
    buffer = context.documents.get(params.text_document.uri) if params.text_document else None
    if params.selection is None or buffer is None:
        return params
    selection, encoding = params.selection, context.client.encoding
    start = _in_characters(buffer.content, selection.start, encoding)
    end = _in_characters(buffer.content, selection.end, encoding)
    return replace(params, selection=Range(start=start, end=max(start, end, key=lambda at: (at.line, at.character))))


def _in_characters(text: Text, place: Place, encoding: Encoding) -> Place:
    offset = text.offset(Position(place.line, place.character), encoding)
    found = text.position(offset, Encoding.UTF32)
    return Place(line=found.line, character=found.column)
