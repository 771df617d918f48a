"""The engine that already runs: what the commands ask of a project goes to the daemon where there is one.

The daemon holds the indexes of the roots that editors have open, so the command line cannot open those itself; and a
warm engine answers in milliseconds. Speaks the protocol of the editors, one request at a time.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

from memcache_lsp import rendezvous
from memcache_lsp.documents import read_document
from memcache_lsp.errors import UserError
from memcache_lsp.indexing import Progress, Report
from memcache_lsp.session.uris import from_path, to_path
from memcache_lsp.tokens import content_terms, terms
from memcache_lsp.values import Document, Found, Hit, Scope, Skipped, Span

_MEET_S = 0.5
_ANSWER_S = 120.0
_POLL_S = 0.1
_WHOLE_LIMIT = 1000


def find(root: Path) -> RemoteProject | None:
    """Return the project as the daemon has it; None where no daemon runs."""
    if not rendezvous.supported():
        return None
    peer = rendezvous.connect(_MEET_S, role="cli")
    return RemoteProject(_Connection(peer), root) if peer else None


class RemoteProject:
    """A project in the daemon, with the methods of `engine.Project` that commands use."""

    def __init__(self, connection: _Connection, root: Path) -> None:
        self.root = root
        self.notices: list[str] = []
        self._connection = connection
        uri = from_path(root)
        params: dict[str, Any] = {
            "processId": None,
            "clientInfo": {"name": "memcache-lsp"},
            "rootUri": uri,
            "workspaceFolders": [{"uri": uri, "name": root.name}],
            "capabilities": {"experimental": {"memcache": {}}},
            "initializationOptions": {"memcache": {"indexOnStart": False}},  # `RemoteUpdating` starts it
        }
        connection.ask("initialize", params)
        connection.tell("initialized", {})

    def search(self, question: str, *, scope: Scope, limit: int, per_file: int | None = None) -> list[Hit]:
        """Return the best hits of what is indexed so far, with their text as it is in the files."""
        wanted = {"globs": scope.globs, "languages": scope.languages, "kinds": scope.kinds}
        params = {"query": question, "limit": min(limit, _WHOLE_LIMIT), "scope": wanted}
        hits = [self._hit(hit) for hit in self._connection.ask("memcache/search", params)["hits"]]
        seen: dict[str, int] = {}
        kept = []
        for hit in hits:
            seen[hit.path] = seen.get(hit.path, 0) + 1
            if hit.text and (per_file is None or seen[hit.path] <= per_file):
                kept.append(hit)
        return kept

    def knows_any(self, question: str) -> bool:
        """Tell whether any content word of the question is in what it finds."""
        asked = set(content_terms(question))
        hits = self.search(question, scope=Scope(), limit=20)
        return any(asked.intersection(terms(f"{hit.path} {hit.symbol} {hit.text}")) for hit in hits)

    def close(self) -> None:
        """Leave the daemon."""
        self._connection.close()

    def status(self) -> dict[str, Any]:
        """Return what the daemon says of the root."""
        status = self._connection.ask("memcache/status", {})
        return {**status["roots"][0], "quiescent": status["quiescent"]}

    def steer(self, action: str) -> None:
        """Start or rebuild the index."""
        self._connection.ask("memcache/index", {"action": action})

    def _hit(self, hit: dict[str, Any]) -> Hit:
        path = to_path(hit["location"]["uri"]) or self.root
        lines = hit["location"]["range"]
        first, end = lines["start"]["line"], lines["end"]["line"]
        text, start = self._text(path, first, end)
        return Hit(
            path=hit["path"],
            span=Span(start, start + len(text), first + 1, end),
            text=text,
            kind=hit["kind"],
            symbol=hit["symbol"],
            language=hit["language"],
            breadcrumb=(),
            score=hit["score"],
        )

    def _text(self, path: Path, first: int, end: int) -> tuple[str, int]:
        """Return the lines of a file as they may be shown, and where they begin; empty for a file that is gone."""
        relative = path.relative_to(self.root).as_posix()
        loaded = read_document(self.root, Found(relative, 0, 0))
        if isinstance(loaded.document, Skipped):
            return "", 0
        assert isinstance(loaded.document, Document)
        pieces = list(_with_ends(loaded.document.text))
        return "".join(pieces[first:end]).rstrip("\r\n"), sum(map(len, pieces[:first]))


class RemoteUpdating:
    """An update in the daemon, with the methods of `work.Updating`."""

    def __init__(self, project: RemoteProject, *, rebuild: bool = False) -> None:
        self._project = project
        self.report: Report | None = None
        project.steer("rebuild" if rebuild else "start")

    def wait(self, timeout_s: float | None, on_progress: Callable[[Progress], None] = lambda _: None) -> Report | None:
        """Wait until the daemon's index is in step; return what it did, or None if it is still at it."""
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        while self.report is None and (deadline is None or time.monotonic() < deadline):
            status = self._project.status()
            if status["quiescent"]:
                self._finish(status)
                break
            on_progress(Progress(status["files"]["done"], status["files"]["total"]))
            time.sleep(_POLL_S)
        return self.report

    def _finish(self, status: dict[str, Any]) -> None:
        if status["state"] in {"failed", "paused", "cancelled"}:
            why = status.get("message") or f"Its state is {status['state']}."
            raise UserError(f"The engine of your editors did not finish the index: {why}")
        counts = status.get("report") or {}
        failed = tuple(Skipped(f["path"], f["reason"]) for f in status["failed"])
        self.report = Report(**counts, failed=failed)


class _Connection:
    """Frames over a socket: requests in order, notifications, and an empty answer to whatever the server asks."""

    def __init__(self, peer: socket.socket) -> None:
        peer.settimeout(_ANSWER_S)
        self._peer = peer
        self._stream = peer.makefile("rb")
        self._ids = count(1)

    def ask(self, method: str, params: Any) -> Any:
        """Return the result of a request; UserError with the server's sentence."""
        number = next(self._ids)
        self._send({"id": number, "method": method, "params": params})
        try:
            for message in self._messages():
                if message.get("id") == number and "method" not in message:
                    if "error" in message:
                        raise UserError(str(message["error"].get("message")))
                    return message.get("result")
                if "id" in message and "method" in message:
                    self._send({"id": message["id"], "result": None})
        except OSError as error:
            raise UserError(f"The engine of your editors does not answer ({error}); try again.") from None
        raise UserError("The engine of your editors ended meanwhile; try again.")

    def tell(self, method: str, params: Any) -> None:
        """Send a notification."""
        self._send({"method": method, "params": params})

    def close(self) -> None:
        """Let go of the socket, which ends the session."""
        self._stream.close()
        self._peer.close()

    def _send(self, message: dict[str, Any]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self._peer.sendall(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))

    def _messages(self) -> Iterator[dict[str, Any]]:
        while True:
            length = 0
            while (line := self._stream.readline()) not in {b"\r\n", b""}:
                name, _, value = line.partition(b":")
                length = int(value) if name.lower() == b"content-length" else length
            if not line:
                return
            yield json.loads(self._stream.read(length))


def _with_ends(text: str) -> Iterator[str]:
    """Cut a text into lines as editors count them, each with its end."""
    begin = 0
    while begin < len(text):
        ends = [i for i in (text.find("\n", begin), text.find("\r", begin)) if i >= 0]
        end = min(ends, default=len(text) - 1)
        end += text.startswith("\r\n", end)
        yield text[begin : end + 1]
        begin = end + 1
