"""The table of our methods: what each takes and gives, its command, and whether it is there yet.

Owns names, directions, the capability and the errors a client meets. Must not import anything beyond the standard
library, errors, `codec` and the types.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from memcache_lsp.errors import UserError
from memcache_lsp.protocol import spec
from memcache_lsp.protocol.codec import InvalidParams, parse

CAPABILITY = "memcache"  # in `capabilities.experimental`, of the client and of the server


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """One method of ours."""

    name: str
    doc: str
    params: type
    result: type | None = None  # None: a notification, from the server to the client
    partial: Any = None  # union of the types of its partial results
    later: bool = False  # specified, not there yet

    @property
    def short(self) -> str:
        """Return the name without its prefix."""
        return self.name.partition("/")[2]

    @property
    def kind(self) -> Literal["request", "notification"]:
        return "request" if self.result else "notification"

    @property
    def command(self) -> str | None:
        """Return the name for `workspace/executeCommand`."""
        return f"memcache.{self.short}" if self.result else None

    @property
    def partials(self) -> tuple[type, ...]:
        return get_args(self.partial)


METHODS = (
    Method(
        name="memcache/ask",
        doc="Answer a question from the project, its sources first, then the text, each claim linked to its lines.",
        params=spec.AskParams,
        result=spec.AskResult,
        partial=spec.AskPartial,
    ),
    Method(
        name="memcache/search",
        doc="Find places by words, names and meaning, in what is indexed so far and in open buffers as they are.",
        params=spec.SearchParams,
        result=spec.SearchResult,
    ),
    Method(
        name="memcache/similar",
        doc="Find places that resemble a stretch of a document.",
        params=spec.SimilarParams,
        result=spec.SearchResult,
    ),
    Method(
        name="memcache/explain",
        doc="Tell why a document is or is not indexed, or what ranked a hit.",
        params=spec.ExplainParams,
        result=spec.ExplainResult,
    ),
    Method(
        name="memcache/status",
        doc="Tell what the server is at.",
        params=spec.StatusParams,
        result=spec.StatusResult,
    ),
    Method(
        name="memcache/index",
        doc="Start, pause, resume, cancel or redo the indexing of a root.",
        params=spec.IndexParams,
        result=spec.IndexResult,
    ),
    Method(
        name="memcache/threads",
        doc="List, read and delete earlier questions and answers, or ask one again.",
        params=spec.ThreadsParams,
        result=spec.ThreadsResult,
        partial=spec.AskPartial,
    ),
    Method(
        name="memcache/caches",
        doc="List, add and remove folders and files that are searched beside the project.",
        params=spec.CachesParams,
        result=spec.CachesResult,
    ),
    Method(
        name="memcache/models",
        doc="List, fetch, choose, unload and remove language models.",
        params=spec.ModelsParams,
        result=spec.ModelsResult,
    ),
    Method(
        name="memcache/didChangeStatus",
        doc="Tell the client that the server's health or quiescence changed.",
        params=spec.DidChangeStatusParams,
    ),
    Method(
        name="memcache/didChangeThread",
        doc="Tell the client that citations of an answer no longer hold.",
        params=spec.DidChangeThreadParams,
    ),
    Method(
        name="memcache/didReadDocument",
        doc="Tell the client that a reading folder took a new document in.",
        params=spec.DidReadDocumentParams,
    ),
)

BY_NAME = {method.name: method for method in METHODS}
BY_COMMAND = {method.command: method for method in METHODS if method.command}


@dataclass(frozen=True, slots=True)
class ErrorCode:
    """An error a client may meet."""

    code: int
    name: str
    doc: str


ERRORS = (
    ErrorCode(-32700, "ParseError", "The frame's body is not JSON; the id is null."),
    ErrorCode(-32600, "InvalidRequest", "It is JSON, but not a request; batches are not served."),
    ErrorCode(-32601, "MethodNotFound", "There is no such method."),
    ErrorCode(-32602, "InvalidParams", "The parameters do not fit; the message is one sentence that names the field."),
    ErrorCode(-32603, "InternalError", "A bug; the log has more."),
    ErrorCode(-32002, "ServerNotInitialized", "A request came before `initialize` was answered."),
    ErrorCode(-32800, "RequestCancelled", "The client cancelled the request; the model is stopped."),
    ErrorCode(-32803, "RequestFailed", "It could not be done; the message is one sentence that tells what to do."),
)


class NotYet(UserError):
    """A method is specified and not there yet."""


def not_yet(method: Method) -> NotYet:
    """Return the error that a method answers with until it is there."""
    return NotYet(f"{method.name} is not there yet: a later version of memcache-lsp brings it.")


def command_params(method: Method, arguments: Sequence[Any] | None) -> Any:
    """Read the arguments of `workspace/executeCommand`: none, or one object; raises InvalidParams."""
    if arguments is not None and (not isinstance(arguments, list | tuple) or len(arguments) > 1):
        raise InvalidParams(f"The arguments of {method.command} must be a list of one object.")
    return parse(method.params, arguments[0] if arguments else None)


def asks_to_show(arguments: Sequence[Any] | None) -> bool:
    """Tell whether a command is to open its Markdown as a document instead of returning it."""
    return any(isinstance(each, dict) and each.get("show") is True for each in arguments or ())


def declares_capability(capabilities: Any) -> bool:
    """Tell whether a client's capabilities have `experimental.memcache`: true, or an object."""
    experimental = capabilities.get("experimental") if isinstance(capabilities, dict) else None
    declared = experimental.get(CAPABILITY) if isinstance(experimental, dict) else None
    return declared is True or isinstance(declared, dict | list)


def server_capability() -> dict[str, Any]:
    """Return what stands under `experimental.memcache` in the server's capabilities."""
    return {"version": spec.VERSION, "methods": [method.name for method in METHODS if not method.later]}
