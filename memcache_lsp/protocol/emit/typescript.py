"""Write the TypeScript definitions: types, names of methods and commands, codes of errors. Imports the specification."""

from __future__ import annotations

from collections.abc import Iterator

from memcache_lsp.protocol import spec
from memcache_lsp.protocol.codec import (
    Choice,
    Field,
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
    yield f"// {NOTICE}"
    yield ""
    yield "/** Version of these methods. */"
    yield f"export const protocolVersion = {spec.VERSION};"
    yield ""
    yield "/** The name under `capabilities.experimental`. */"
    yield f'export const capability = "{CAPABILITY}";'
    yield from _names()
    for cls in every_type():
        yield ""
        yield from _interface(cls)
    yield ""
    yield "/** The partial results of an answer, told apart by their type. */"
    yield f"export type AskPartial = {' | '.join(cls.__name__ for cls in METHODS[0].partials)};"
    yield from _maps()


def _names() -> Iterator[str]:
    yield from _constants("Method", "Names of the methods.", ((m.short, m.name, m.doc) for m in METHODS))
    commands = ((m.short, m.command, m.doc) for m in METHODS if m.command)
    yield from _constants("Command", "Names for `workspace/executeCommand`.", commands)
    yield ""
    yield "/** Methods that are specified and not there yet. */"
    later = ", ".join(f"Method.{m.short}" for m in METHODS if m.later)
    yield f"export const notYet: readonly string[] = [{later}];"
    yield ""
    yield "/** Codes of the errors that requests end with. */"
    yield "export const ErrorCode = {"
    for error in ERRORS:
        yield f"  /** {error.doc} */"
        yield f"  {error.name}: {error.code},"
    yield "} as const;"


def _constants(name: str, doc: str, entries: Iterator[tuple[str, str | None, str]]) -> Iterator[str]:
    yield ""
    yield f"/** {doc} */"
    yield f"export const {name} = {{"
    for key, value, entry_doc in entries:
        yield f"  /** {entry_doc} */"
        yield f'  {key}: "{value}",'
    yield "} as const;"


def _interface(cls: type) -> Iterator[str]:
    yield f"/** {cls.__doc__} */"
    fields = fields_of(cls)
    if not fields:
        yield f"export type {cls.__name__} = Record<string, never>;"
        return
    yield f"export interface {cls.__name__} {{"
    for field in fields:
        yield f"  /** {field.doc} */"
        yield f"  readonly {field.json_name}{_mark(field)}: {_type(field.shape)};"
    yield "}"


def _maps() -> Iterator[str]:
    yield ""
    yield "/** What each request takes and gives; `partial` is never where there are no partial results. */"
    yield "export interface Requests {"
    for method in METHODS:
        if method.result:
            partial = "AskPartial" if method.partial else "never"
            shape = f"params: {method.params.__name__}; result: {method.result.__name__}; partial: {partial}"
            yield f'  "{method.name}": {{ {shape} }};'
    yield "}"
    yield ""
    yield "/** What each notification from the server carries. */"
    yield "export interface Notifications {"
    for method in METHODS:
        if not method.result:
            yield f'  "{method.name}": {method.params.__name__};'
    yield "}"


def _mark(field: Field) -> str:
    return "" if field.required else "?"


_PLAIN = {Text: "string", Whole: "number", Number: "number", Flag: "boolean", Token: "number | string"}


def _type(shape: Shape) -> str:
    match shape:
        case Text() | Whole() | Number() | Flag() | Token():
            return _PLAIN[type(shape)]
        case Choice():
            return " | ".join(f'"{value}"' for value in shape.values)
        case ListOf():
            return f"readonly {_type(shape.item)}[]"
        case MapOf():
            return f"Readonly<Record<string, {_type(shape.item)}>>"
        case Record():
            return shape.cls.__name__
        case OneOf():
            return " | ".join(record.cls.__name__ for record in shape.records)
