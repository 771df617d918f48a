"""Write the protocol page: for those who write a client. Imports the specification."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

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
    tag_of,
    to_json,
)
from memcache_lsp.protocol.emit.order import NOTICE, every_type
from memcache_lsp.protocol.examples import EXAMPLES
from memcache_lsp.protocol.methods import ERRORS, METHODS, Method, not_yet

_WIDTH = 100
_INTRODUCTION = f"""\
# The protocol

<!-- {NOTICE} -->

memcache-lsp is a language server: JSON-RPC over stdio as LSP has it, started by `memcache-lsp serve`. Beside the
standard methods it has methods of its own, named `memcache/…`; this page is about those. Version {spec.VERSION}.

TypeScript types (`vscode/src/protocol.ts`), Lua annotations (`neovim/lua/memcache/protocol.lua`) and elisp accessors
(`emacs/memcache-protocol.el`) are generated from the same specification.

## Declare yourself

A client that knows these methods says so in `initialize`:

```json
{{"capabilities": {{"experimental": {{"memcache": true}}}}}}
```

It then gets the notifications below, and results as they are described here. The server answers with
`capabilities.experimental.memcache`, an object with the `version` of this protocol and the `methods` that are there.

A client that does not say so can call every request as a command, by `workspace/executeCommand` with the parameters as
the only argument: `{{"command": "memcache.search", "arguments": [{{"query": "retry delay"}}]}}`. Its results carry a field
`markdown` besides their own: the result as text to be shown. These commands are advertised only to such clients.

With `"show": true` beside the parameters a command is answered with null at once; its Markdown is made beside it and
then opened through `window/showDocument`, or shown as a message where the client opens no documents. That is for editors
that drop a command's result, or wait for it with everything else. `memcache.explainSelection` and
`memcache.askSelection`, which the code actions call with `{{"textDocument": …, "selection": …}}`, always do so. Meanwhile
a work-done bar of the server's own shows how far it is and can be cancelled; a failure is a message. Without `show`, the
`workDoneToken` of `workspace/executeCommand` shows the work.

## What holds everywhere

- Every request is answered exactly once.
- A field marked "no" under "needed" may be left out; null means the same. Fields that are not known are ignored.
  Results leave out what there is nothing to say about, and never hold null.
- Positions and offsets count units of the position encoding that was negotiated in `initialize`.
- Partial results come by `$/progress` with the client's `partialResultToken`, before the result, in order. They are told
  apart by the field `type`.
- `$/cancelRequest` is answered at once with the error RequestCancelled, and stops the model. What was streamed until
  then stays valid.
- Error messages are one sentence for the user, to be shown as they are.
- URIs of files are `file:` URIs. Paths are relative to their root and have forward slashes.
"""


def render() -> str:
    """Return the whole page."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield _INTRODUCTION
    yield from _overview()
    for method in METHODS:
        yield from _method(method)
    yield "## Shared types"
    yield ""
    own = {cls for method in METHODS for cls in (method.params, method.result, *method.partials)}
    for cls in every_type():
        if cls not in own and cls is not spec.MarkdownResult:
            yield f"### {cls.__name__}"
            yield ""
            yield cls.__doc__ or ""
            yield ""
            yield from _fields(cls)
    yield "## Errors"
    yield ""
    yield "| code | name | meaning |"
    yield "|---|---|---|"
    for error in ERRORS:
        yield f"| {error.code} | {error.name} | {error.doc} |"


def _overview() -> Iterator[str]:
    yield "## The methods"
    yield ""
    yield "| method | what it does | there |"
    yield "|---|---|---|"
    for method in METHODS:
        there = "not yet" if method.later else "yes"
        yield f"| [`{method.name}`](#{_anchor(method.name)}) | {method.doc} | {there} |"
    yield ""


def _method(method: Method) -> Iterator[str]:
    yield f"## {method.name}"
    yield ""
    if method.result:
        yield f"{method.doc} A request; as a command, `{method.command}`."
    else:
        yield f"{method.doc} A notification from the server, to clients that declared themselves."
    yield ""
    if method.later:
        yield f"Specified, not there yet. Until then it ends with the error RequestFailed: *{not_yet(method)}*"
        yield ""
    yield f"**Parameters.** {method.params.__doc__}"
    yield ""
    yield from _fields(method.params)
    if method.result:
        yield f"**Result.** {method.result.__doc__}"
        yield ""
        yield from _fields(method.result)
    yield from _partials(method)
    yield from _example(method)


def _partials(method: Method) -> Iterator[str]:
    if method.partial and method is not METHODS[0]:
        yield f"**Partial results**: those of [`{METHODS[0].name}`](#{_anchor(METHODS[0].name)})."
        yield ""
        return
    for cls in method.partials:
        yield f"**Partial result `{tag_of(cls)}`.** {cls.__doc__}"
        yield ""
        yield from _fields(cls)


def _fields(cls: type) -> Iterator[str]:
    fields = fields_of(cls)
    if not fields:
        return
    yield "| field | type | needed | meaning |"
    yield "|---|---|---|---|"
    for field in fields:
        needed = "yes" if field.required else f"no{_default(field.default)}"
        yield f"| `{field.json_name}` | {_type(field.shape)} | {needed} | {field.doc} |"
    yield ""


def _default(value: Any) -> str:
    return "" if value is None or value == () else f", `{json.dumps(value)}`"


def _example(method: Method) -> Iterator[str]:
    example = EXAMPLES[method.name]
    yield "Example:"
    yield ""
    yield "```json"
    number = {"id": 1} if method.result else {}
    yield _message({**number, "method": method.name, "params": to_json(example.params, defaults=False)})
    for partial in example.partials:
        progress = {"token": example.params.partial_result_token, "value": to_json(partial)}
        yield _message({"method": "$/progress", "params": progress})
    if method.result:
        yield _message({"id": 1, "result": to_json(example.result)})
    yield "```"
    yield ""


def _message(body: dict[str, Any]) -> str:
    return _laid_out({"jsonrpc": "2.0", **body}, indent="")


def _laid_out(value: Any, *, indent: str) -> str:
    """Write JSON on one line where it fits, else each of its parts on a line of its own."""
    short = json.dumps(value, ensure_ascii=False)
    if len(indent) + len(short) <= _WIDTH or not isinstance(value, dict | list):
        return short
    inner = f"{indent}  "
    if isinstance(value, list):
        parts = [_laid_out(item, indent=inner) for item in value]
    else:
        parts = [f"{json.dumps(name)}: {_laid_out(item, indent=inner)}" for name, item in value.items()]
    first, last = "[]" if isinstance(value, list) else "{}"
    return f"{first}\n{inner}" + f",\n{inner}".join(parts) + f"\n{indent}{last}"


def _anchor(name: str) -> str:
    return name.replace("/", "").lower()


_PLAIN = {Number: "number", Flag: "boolean", Token: "string or integer"}
_TOLD = 9999  # greater limits are of no interest


def _type(shape: Shape) -> str:
    match shape:
        case Text():
            return "URI" if shape.uri else "string"
        case Whole():
            return f"integer, {shape.least} to {shape.most}" if shape.most <= _TOLD else "integer"
        case Number() | Flag() | Token():
            return _PLAIN[type(shape)]
        case Choice():
            return " \\| ".join(f'`"{value}"`' for value in shape.values)
        case ListOf():
            return f"list of {_type(shape.item)}"
        case MapOf():
            return f"object of {_type(shape.item)}s"
        case Record():
            return f"[{shape.cls.__name__}](#{shape.cls.__name__.lower()})"
        case OneOf():
            return " \\| ".join(_type(record) for record in shape.records)
