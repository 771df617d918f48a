"""What a client said of itself in `initialize`.

Reads only what is used, and reads it leniently: an editor may send capabilities that are newer than any list of them.
Must not import the engine.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from memcache_lsp.protocol.codec import InvalidParams
from memcache_lsp.protocol.methods import declares_capability
from memcache_lsp.session.positions import Encoding
from memcache_lsp.session.uris import to_path

_REGISTERED = ("didChangeWatchedFiles", "didChangeConfiguration")


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """The facts about a client that decide what it gets."""

    name: str = ""
    encoding: Encoding = Encoding.UTF16
    roots: tuple[Path, ...] = ()
    options: Any = None
    trace: str = "off"
    is_ours: bool = False  # knows our methods, and gets JSON where others get Markdown
    registrations: frozenset[str] = frozenset()  # methods that may be registered later
    gives_configuration: bool = False
    takes_progress: bool = False
    shows_documents: bool = False
    takes_action_literals: bool = False


def read_client(params: Any) -> Client:
    """Read the parameters of `initialize`; raises InvalidParams where they are none."""
    able = params.get("capabilities") if isinstance(params, dict) else None
    if not isinstance(able, dict) and able != []:  # Lua's empty table
        raise InvalidParams("initialize must have an object with capabilities.")
    name = _at(params, "clientInfo", "name")
    return Client(
        name=name[:100] if isinstance(name, str) else "",
        encoding=_encoding(_at(able, "general", "positionEncodings")),
        roots=_roots(params),
        options=params.get("initializationOptions"),
        trace=trace if (trace := params.get("trace")) in ("messages", "verbose") else "off",
        is_ours=declares_capability(able),
        registrations=frozenset(
            f"workspace/{each}" for each in _REGISTERED if _at(able, "workspace", each, "dynamicRegistration") is True
        ),
        gives_configuration=_at(able, "workspace", "configuration") is True,
        takes_progress=_at(able, "window", "workDoneProgress") is True,
        shows_documents=_at(able, "window", "showDocument", "support") is True,
        takes_action_literals=isinstance(_at(able, "textDocument", "codeAction", "codeActionLiteralSupport"), dict),
    )


def _at(value: Any, *names: str) -> Any:
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _encoding(offered: Any) -> Encoding:
    """Choose the first that the client offers and we know; without an offer it is UTF-16."""
    known = {each.value for each in Encoding}
    names = [name for name in offered if isinstance(name, str) and name in known] if isinstance(offered, list) else []
    return Encoding(names[0]) if names else Encoding.UTF16


def _roots(params: dict[str, Any]) -> tuple[Path, ...]:
    folders = params.get("workspaceFolders")
    if isinstance(folders, list) and folders:
        return folder_paths(folders)
    uri, path = params.get("rootUri"), params.get("rootPath")
    if isinstance(uri, str):
        return folder_paths([{"uri": uri}])
    return (Path(path),) if isinstance(path, str) and Path(path).is_absolute() and "\0" not in path else ()


def folder_paths(folders: list[Any]) -> tuple[Path, ...]:
    """Return the paths of workspace folders, those that have one on this machine, each once."""
    uris = [uri for folder in folders if isinstance(uri := _at(folder, "uri"), str)]
    return tuple(dict.fromkeys(path for uri in uris if (path := to_path(uri)) is not None))
