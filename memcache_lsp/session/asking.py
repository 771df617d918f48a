"""Own a question's way through one connection: what streams to the client, and what its answer holds.

Must not import the engine or a model.
"""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import replace

from memcache_lsp.protocol.codec import to_json
from memcache_lsp.protocol.parts import Position as Place
from memcache_lsp.protocol.parts import Range, Stretch
from memcache_lsp.protocol.spec import AskDelta, AskParams, AskPartial, AskResult, AskSources, AskStage, AskUnsupported
from memcache_lsp.session.context import Context, Work
from memcache_lsp.session.positions import Encoding, Position, Text

_STAGES = {"waiting": (0, 0), "loading": (0, 20), "reading": (20, 80), "writing": (80, 100)}  # shares of the whole


async def ask(context: Context, params: AskParams) -> AskResult:
    """Answer a question; partial results go to the client's token, and are then not in the result."""
    result, _ = await ask_whole(context, params)
    if params.partial_result_token is None:
        return in_units(context, result)
    return replace(result, answer=None, citations=None, unsupported=None)


async def ask_whole(context: Context, params: AskParams) -> tuple[AskResult, AskSources]:
    """Answer a question, and return answer, citations and sources whatever was streamed; stretches count characters."""
    stream = _Stream(context, params)
    sources, result = AskSources(items=()), None
    async with (
        context.work(params.work_done_token, "Answering") as work,
        aclosing(context.backend.ask(context.id, _counted(context, params))) as events,
    ):
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
    """Give the stretches of an answer, counted in characters, in the client's units."""
    if not result.unsupported:
        return result
    text, units = result.answer or "", context.client.encoding.units
    told = (Stretch(start=units(text[: each.start]), end=units(text[: each.end])) for each in result.unsupported)
    return replace(result, unsupported=tuple(told))


class _Stream:
    """The partial results of one question, as the client gets them."""

    def __init__(self, context: Context, params: AskParams) -> None:
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
