"""Write the Lua definitions: annotations of types, names of methods and commands. Imports the specification."""

from __future__ import annotations

from collections.abc import Iterator

from memcache_lsp.protocol import spec
from memcache_lsp.protocol.codec import (
    Choice,
    Flag,
    ListOf,
    MapOf,
    Number,
    OneOf,
    Record,
    Shape,
    Text,
    Token,
    Whole,
    fields_of,
)
from memcache_lsp.protocol.emit.order import NOTICE, every_type
from memcache_lsp.protocol.methods import CAPABILITY, ERRORS, METHODS


def render() -> str:
    """Return the whole file."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield f"-- {NOTICE}"
    for cls in every_type():
        yield ""
        yield f"---{cls.__doc__}"
        yield f"---@class memcache.{cls.__name__}"
        for field in fields_of(cls):
            mark = "" if field.required else "?"
            yield f"---@field {field.json_name}{mark} {_type(field.shape)} {field.doc}"
    yield ""
    yield "---The partial results of an answer, told apart by their type."
    yield f"---@alias memcache.AskPartial {'|'.join(f'memcache.{cls.__name__}' for cls in METHODS[0].partials)}"
    yield ""
    yield "local M = {}"
    yield ""
    yield "---Version of these methods."
    yield f"M.version = {spec.VERSION}"
    yield ""
    yield "---The name under `capabilities.experimental`."
    yield f'M.capability = "{CAPABILITY}"'
    yield ""
    yield "---Names of the methods."
    yield from _table("methods", ((m.short, f'"{m.name}"', m.doc) for m in METHODS))
    yield "---Names for `workspace/executeCommand`."
    yield from _table("commands", ((m.short, f'"{m.command}"', m.doc) for m in METHODS if m.command))
    yield "---Methods that are specified and not there yet."
    yield from _table("not_yet", ((f'["{m.name}"]', "true", m.doc) for m in METHODS if m.later))
    yield "---Codes of the errors that requests end with."
    yield from _table("errors", ((error.name, str(error.code), error.doc) for error in ERRORS))
    yield "return M"


def _table(name: str, entries: Iterator[tuple[str, str, str]]) -> Iterator[str]:
    yield f"M.{name} = {{"
    for key, value, doc in entries:
        yield f"\t---{doc}"
        yield f"\t{key} = {value},"
    yield "}"
    yield ""


_PLAIN = {Text: "string", Whole: "integer", Number: "number", Flag: "boolean", Token: "integer|string"}


def _type(shape: Shape) -> str:
    match shape:
        case Text() | Whole() | Number() | Flag() | Token():
            return _PLAIN[type(shape)]
        case Choice():
            return "|".join(f'"{value}"' for value in shape.values)
        case ListOf():
            return f"{_type(shape.item)}[]"
        case MapOf():
            return f"table<string, {_type(shape.item)}>"
        case Record():
            return f"memcache.{shape.cls.__name__}"
        case OneOf():
            return "|".join(f"memcache.{record.cls.__name__}" for record in shape.records)
