"""What the front remembers of an editor's session, so that it can outlive the daemon.

Told of every message that passes, it knows which requests of the editor are pending, what a new daemon has to be told,
and what the editor has to be told when a daemon is lost. Pure: messages in, messages out. Must not import anything beyond
the standard library.

**Invariant:** a request of the editor is answered once: by the daemon that got it, or by `lost`.
"""

from __future__ import annotations

import json
from typing import Any

from memcache_lsp.errors import UserError
from memcache_lsp.relay.buffers import LIMIT_CHARACTERS, Buffers

LOST = "The memcache-lsp engine stopped; your next request starts it again."
LOST_REQUEST = (
    "The memcache-lsp engine stopped before it could answer; it starts again with the next request: try again."
)

_FOLDERS = 4096
_LATEST_CHARACTERS = 1024 * 1024
_LATEST = ("workspace/didChangeConfiguration", "$/setTrace")  # of these a new daemon needs the last one
_SHUT_DOWN_CODE = -32600  # InvalidRequest
_WARNING = 2  # of MessageType

Message = dict[str, Any]
_Request = tuple[Any, str]  # id and method


class Memory:
    """What was said in one session."""

    def __init__(self, *, limit_characters: int = LIMIT_CHARACTERS) -> None:
        self.initialize: Message | None = None  # the first request for it, answered or not
        self.answered = False  # `initialize` was, with a result
        self.shut_down = False
        self._initialized = False
        self._encoding = "utf-16"
        self._buffers = Buffers(limit_characters)
        self._folders: list[Message] | None = None
        self._latest: dict[str, Message] = {}
        self._generation = 0  # of the daemon
        self._pending: dict[str, list[_Request]] = {}  # of the editor, by the JSON of the id; one may be there twice
        self._asked: dict[str, Any] = {}  # ids of the daemon's own by the JSON of what the editor got as id
        self._progress: dict[str, Any] = {}  # tokens
        self._registered: dict[str, Message] = {}

    def from_editor(self, message: Message) -> Message | None:
        """Take a message of the editor; return it, changed if it has to be, or None where it is for nobody any more."""
        method = message.get("method")
        if not isinstance(method, str):
            return self._response(message)
        if "id" not in message:
            self._notification(method, message.get("params"), message)
        elif (key := _key(message["id"])) is not None:
            self._pending.setdefault(key, []).append((message["id"], method))
            if method == "initialize" and self.initialize is None:
                self.initialize = message
            self.shut_down |= method == "shutdown"
        return message

    def from_daemon(self, message: Message) -> Message:
        """Take a message of the daemon; return it, changed if it has to be."""
        method = message.get("method")
        if not isinstance(method, str):
            self._answer(message)
        elif "id" in message:
            return self._request(method, message)
        elif method == "$/progress":
            self._progressed(message.get("params"))
        return message

    def awaits_initialize(self) -> bool:
        """Tell whether the editor waits for the answer to its first request."""
        return self.initialize is not None and not self.answered

    def refuse(self, message: Message, why: str, code: int = UserError.rpc_code) -> Message:
        """Return the answer to a request that no daemon will get."""
        self._forget(message)
        return failure(message["id"], code, why)

    def without_daemon(self, request: Message) -> Message:
        """Return the answer to a request after the shutdown, for which no daemon is started."""
        if request["method"] == "shutdown":
            self._forget(request)
            return _last_answer((request["id"], "shutdown"))
        return self.refuse(request, "The session is shut down.", _SHUT_DOWN_CODE)

    def warning(self) -> Message | None:
        """Return what the user has to be told of a lost daemon; None where the editor has not begun or is done."""
        if self.shut_down or not self.answered:
            return None
        return _call("window/showMessage", {"type": _WARNING, "message": LOST})

    def lost(self, *, retried: bool = False) -> list[Message]:
        """Forget a daemon; return what the editor has to be told. `retried` says that `initialize` is sent again."""
        kept = {}
        if retried and self.initialize is not None and (key := _key(self.initialize["id"])) is not None:
            kept = {key: [self._pending.pop(key)[0]]}
        told = [_last_answer(request) for requests in self._pending.values() for request in requests]
        end = {"kind": "end", "message": "stopped"}
        told += [_call("$/progress", {"token": token, "value": end}) for token in self._progress.values()]
        self._generation += 1
        if self._registered:  # the next daemon registers afresh
            gone = {"unregisterations": list(self._registered.values())}  # spelled so by the protocol
            told.append({"id": self._own_id("unregister"), **_call("client/unregisterCapability", gone)})
        for of_that_daemon in (self._pending, self._asked, self._progress, self._registered):
            of_that_daemon.clear()
        self._pending.update(kept)
        return told

    def greeting(self) -> Message | None:
        """Return what a new daemon is asked first, its answer being for us; None where the editor has not begun."""
        if self.initialize is None or not self.answered:
            return None
        params = self.initialize.get("params")
        if isinstance(params, dict):
            params = {key: value for key, value in params.items() if key != "workDoneToken"}
            if self._folders is not None:
                params["workspaceFolders"] = self._folders
        return {**self.initialize, "id": self._own_id("initialize"), "params": params}

    def situation(self) -> list[Message]:
        """Return what a new daemon is told after that."""
        if not self._initialized:
            return []
        opened = [_call("textDocument/didOpen", params) for params in self._buffers.reopening(self._encoding)]
        return [_call("initialized", {}), *self._latest.values(), *opened]

    def _own_id(self, purpose: str) -> str:
        return f"memcache-front-{purpose}-{self._generation}"

    def _response(self, message: Message) -> Message | None:
        key = _key(message.get("id"))
        if key in self._asked:
            return {**message, "id": self._asked.pop(key)}
        return message if self._generation == 0 else None  # else it answers a daemon that is gone

    def _notification(self, method: str, params: Any, message: Message) -> None:
        if method == "initialized":
            self._initialized = True
        elif method == "textDocument/didOpen":
            self._buffers.opened(params)
        elif method == "textDocument/didChange":
            self._buffers.changed(params, self._encoding)
        elif method == "textDocument/didClose":
            self._buffers.closed(params)
        elif method == "workspace/didChangeWorkspaceFolders":
            self._folders_changed(params)
        elif method in _LATEST and len(json.dumps(message)) <= _LATEST_CHARACTERS:
            self._latest[method] = message

    def _folders_changed(self, params: Any) -> None:
        event = _member(params, "event")
        folders = self._folders if self._folders is not None else self._first_folders()
        gone = {_json(_member(folder, "uri")) for folder in _list(_member(event, "removed"))}
        added = [folder for folder in _list(_member(event, "added")) if isinstance(folder, dict)]
        gone |= {_json(folder.get("uri")) for folder in added}
        kept = [folder for folder in folders if _json(folder.get("uri")) not in gone]
        self._folders = [*kept, *added][:_FOLDERS]

    def _first_folders(self) -> list[Message]:
        params = _member(self.initialize, "params")
        folders = _member(params, "workspaceFolders")
        if isinstance(folders, list):
            return [folder for folder in folders if isinstance(folder, dict)]
        uri = _member(params, "rootUri")
        return [{"uri": uri, "name": uri.rpartition("/")[2]}] if isinstance(uri, str) else []

    def _answer(self, message: Message) -> None:
        if not self._forget(message) or not self.awaits_initialize():
            return
        assert self.initialize is not None
        if _key(message.get("id")) == _key(self.initialize["id"]):
            if "result" in message:
                self.answered = True
                encoding = _member(_member(message["result"], "capabilities"), "positionEncoding")
                self._encoding = encoding if encoding in ("utf-8", "utf-32") else "utf-16"
            else:
                self.initialize = None  # refused: another one may come

    def _request(self, method: str, message: Message) -> Message:
        key = _key(message["id"])
        if key is None:
            return message
        params = message.get("params")
        for registration in _list(_member(params, "registrations")) if method == "client/registerCapability" else []:
            if isinstance(registration, dict) and {"id", "method"} <= registration.keys():
                short = {"id": registration["id"], "method": registration["method"]}
                self._registered[_json(registration["id"])] = short
        for gone in _list(_member(params, "unregisterations")) if method == "client/unregisterCapability" else []:
            self._registered.pop(_json(_member(gone, "id")), None)
        # A daemon counts from the start again, while the editor may still answer what the last one asked.
        shown = message["id"] if self._generation == 0 else f"{self._generation}:{key}"
        self._asked[_json(shown)] = message["id"]
        return message if self._generation == 0 else {**message, "id": shown}

    def _progressed(self, params: Any) -> None:
        kind, token = _member(_member(params, "value"), "kind"), _member(params, "token")
        if kind == "begin":
            self._progress[_json(token)] = token
        elif kind == "end":
            self._progress.pop(_json(token), None)

    def _forget(self, answer: Message) -> bool:
        key = _key(answer.get("id"))
        requests = self._pending.get(key) if key is not None else None
        if key is None or not requests:
            return False
        requests.pop(0)
        if not requests:
            del self._pending[key]
        return True


def _last_answer(request: _Request) -> Message:
    identity, method = request
    if method == "shutdown":  # there is nothing left to be shut down
        return {"jsonrpc": "2.0", "id": identity, "result": None}
    return failure(identity, UserError.rpc_code, LOST_REQUEST)


def _call(method: str, params: Any) -> Message:
    return {"jsonrpc": "2.0", "method": method, "params": params}


def failure(identity: Any, code: int, why: str) -> Message:
    """Return a response that is an error."""
    return {"jsonrpc": "2.0", "id": identity, "error": {"code": code, "message": why}}


def _key(identity: Any) -> str | None:
    """Return what tells a request's id from others, 1 from "1"; None for what is no id."""
    return _json(identity) if isinstance(identity, (int, str)) and not isinstance(identity, bool) else None


def _json(value: Any) -> str:
    return json.dumps(value)


def _member(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, dict) else None


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
