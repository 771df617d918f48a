"""Own what is taken from pygls and lsprotocol: the table of handlers, typed parameters, the server's capabilities.

One `LanguageServer` serves one connection. pygls's transport, dispatch, cancellation, workspace and exit are not used,
see ARCHITECTURE.md for why; the rules of JSON-RPC are in `connection`. The only importer of pygls and lsprotocol.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from enum import Enum
from functools import cache
from typing import Any

import cattrs
from lsprotocol import converters, types
from pygls.capabilities import ServerCapabilitiesBuilder
from pygls.lsp.server import LanguageServer
from pygls.protocol import LanguageServerProtocol

from memcache_lsp import __version__
from memcache_lsp.protocol.codec import InvalidParams
from memcache_lsp.session.context import Context

__all__ = ["NAME", "Handler", "Server", "converter", "is_notification", "to_json", "typed", "types", "warm"]

NAME = "memcache-lsp"

log = logging.getLogger(__name__)
logging.getLogger("pygls").setLevel(logging.WARNING)  # it logs what users type

Handler = Callable[..., Awaitable[Any]]


class _Protocol(LanguageServerProtocol):
    """pygls's protocol without its own handlers, which know one client and end the process."""

    def _register_builtin_features(self) -> None:
        pass

    def _send_data(self, data: Any) -> None:
        raise AssertionError(f"only a connection sends, and not {type(data).__name__}")


class Server(LanguageServer):
    """The handlers of one connection; they get it as their first argument, `ls`."""

    context: Context  # once the client has initialized

    def __init__(self, handlers: Mapping[str, Handler]) -> None:
        super().__init__(NAME, __version__, protocol_cls=_Protocol, converter_factory=converter)
        for method, handler in handlers.items():
            self.feature(method, _OPTIONS.get(method))(handler)

    def handler(self, method: str) -> Handler | None:
        """Return the handler of a method."""
        found: Handler | None = self.protocol.fm.features.get(method)
        return found

    def capabilities(self, *, encoding: str, commands: list[str]) -> dict[str, Any]:
        """Return what to tell a client about this server."""
        builder = ServerCapabilitiesBuilder(
            types.ClientCapabilities(),
            set(self.protocol.fm.features),
            self.protocol.fm.feature_options,
            commands,
            types.TextDocumentSyncKind.Incremental,
            None,
            encoding,
        )
        told: dict[str, Any] = to_json(builder.build())  # type: ignore[no-untyped-call]
        return told


_OPTIONS: dict[str, Any] = {
    types.TEXT_DOCUMENT_CODE_ACTION: types.CodeActionOptions(code_action_kinds=["memcache"]),
    types.TEXT_DOCUMENT_DID_SAVE: types.SaveOptions(include_text=False),
}


def warm(handlers: Mapping[str, Handler], methods: Iterable[str]) -> None:
    """Make what the first session would wait for: pygls and cattrs write code for each type that they meet first."""
    Server(handlers).capabilities(encoding="utf-16", commands=[""])
    for method in methods:
        with contextlib.suppress(InvalidParams):
            typed(method, {})


@cache
def converter() -> cattrs.Converter:
    """Return the one way between JSON and lsprotocol's types; it takes no number for a text and no text for a number."""
    made = converters.get_converter(cattrs.Converter(detailed_validation=False))
    for kind in (str, int, bool):
        made.register_structure_hook(kind, _strict)
    return made


def is_notification(method: str) -> bool:
    """Tell whether a standard method must not be answered."""
    return method in types.METHOD_TO_TYPES and types.METHOD_TO_TYPES[method][1] is None


def typed(method: str, params: Any) -> Any:
    """Read the parameters of a standard method; those of others are left as they are."""
    kind: Any = types.METHOD_TO_TYPES.get(method, (None, None, None))[2]
    if kind is None:
        return params
    try:
        return converter().structure({} if params is None else params, kind)
    except Exception as error:  # noqa: BLE001 - cattrs raises whatever it meets on its way
        log.debug("%s: %s in its parameters", method, type(error).__name__)
    # Raised out here, so that no garbage in cycles is left: collecting that holds the event loop.
    raise InvalidParams(f"The parameters of {method} are not what LSP says they are.")


def to_json(value: Any) -> Any:
    """Give a value of lsprotocol's types as JSON."""
    return converter().unstructure(value)


def _strict(value: Any, kind: type) -> Any:
    if issubclass(kind, Enum):  # which subclass these types, and bring their hook
        return kind(value)
    if kind is int and isinstance(value, float) and value.is_integer():  # some editors write 20.0
        return int(value)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise TypeError(f"not {kind.__name__}")
    return value
