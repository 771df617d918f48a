"""The engine in the daemon: what the commands ask of a project goes to it as an editor's requests do.

Speaks the protocol of the editors over the daemon's socket, one request at a time. Must not import the engine.
"""

from __future__ import annotations

import argparse
import contextlib
import select
import socket
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

from memcache_lsp import rendezvous
from memcache_lsp.cli import work
from memcache_lsp.errors import UserError
from memcache_lsp.events import NO_EVIDENCE, Citation, Delta, Event, Result, Sources, Stage, Timings, Unsupported, Usage
from memcache_lsp.front import frame
from memcache_lsp.lines import offsets_of
from memcache_lsp.relay.frames import Splitter
from memcache_lsp.session.uris import from_path, to_path
from memcache_lsp.values import Hit, Progress, Report, Scope, Skipped, Span, Spot

_MEET_S = 0.5
_ANSWER_S = 120.0  # without a word from the daemon
_POLL_S = 0.5
_MOST_HITS = 1000
_CHUNK_BYTES = 64 * 1024
_FRAME_BYTES = 64 * 1024 * 1024
_TOKEN = "ask"  # noqa: S105 - of progress

Message = dict[str, Any]

QUIET: Message = {"indexOnStart": False}  # the command says when
_PRESSING = ("failed", "offline", "cancelled", "paused", "unindexed", "ready")


def find(root: Path | None = None) -> Connection | None:
    """Return a session with the daemon, where one runs."""
    peer = rendezvous.connect(_MEET_S, role="cli") if rendezvous.supported() else None
    return Connection(peer, root, QUIET) if peer else None


def join(root: Path, options: argparse.Namespace) -> RemoteProject:
    """Return the project as the daemon has it; the daemon is started where none runs."""
    settings = QUIET
    if options.command == "ask":
        own_model = options.no_model or options.model is not None
        settings = {**QUIET, "answerTokens": options.max_tokens, "useModel": not own_model}
        if options.model is not None:  # what the daemon finds is answered and kept here
            settings["keepThreads"] = False
    asks_project = work.asks_project(options)
    connection = Connection(rendezvous.ensure_daemon(role="cli"), root if asks_project else None, settings)
    return RemoteProject(
        connection,
        root,
        named=options.root is not None,
        explains=options.command == "search" and options.explain,
        asks_project=asks_project,
        caches=work.caches_of(options),
    )


class Connection:
    """A session: requests in order, notifications, and an empty answer to whatever the server asks."""

    def __init__(self, peer: socket.socket, root: Path | None, settings: dict[str, Any]) -> None:
        peer.setblocking(False)
        self._peer = peer
        self._frames = Splitter(_FRAME_BYTES)
        self._arrived: deque[Message] = deque()
        self._ids = count(1)
        self._changed = False  # told since the last request began
        uri = from_path(root) if root else None
        params: Message = {
            "processId": None,
            "clientInfo": {"name": "memcache-lsp"},
            "rootUri": uri,
            "workspaceFolders": [{"uri": uri, "name": root.name}] if root else [],
            "capabilities": {"general": {"positionEncodings": ["utf-32"]}, "experimental": {"memcache": {}}},
            "initializationOptions": {"memcache": settings},
        }
        self.ask("initialize", params)
        self._send({"method": "initialized", "params": {}})

    def ask(self, method: str, params: Message) -> Any:
        """Return the result of a request; UserError with the server's sentence."""
        return next(value for kind, value in self.stream(method, params) if kind == "result")

    def stream(self, method: str, params: Message) -> Iterator[tuple[str, Any]]:
        """Yield what comes for a request: ("partial", value) on the token, then ("result", value)."""
        number = next(self._ids)
        self._changed = False
        self._send({"id": number, "method": method, "params": params})
        while True:
            message = self._next(_ANSWER_S)
            if message is None:
                raise UserError("The memcache-lsp daemon does not answer: end it with `memcache-lsp stop`, try again.")
            if message.get("method") == "$/progress" and message["params"]["token"] == _TOKEN:
                yield "partial", message["params"]["value"]
            if message.get("id") == number and "method" not in message:
                if "error" in message:
                    raise UserError(str(message["error"].get("message")))
                yield "result", message.get("result")
                return

    def wait_for_change(self, timeout_s: float) -> None:
        """Wait until the server says that its status is another than when the last request began, or for so long."""
        deadline = time.monotonic() + timeout_s
        while not self._changed and (left := deadline - time.monotonic()) > 0:
            self._next(left)

    def close(self) -> None:
        """Let go of the socket, which ends the session and what it asked for."""
        self._peer.close()

    def _next(self, timeout_s: float) -> Message | None:
        """Return the next message, None if none came; requests of the server are answered with nothing."""
        deadline = time.monotonic() + timeout_s
        while not self._arrived:
            if not select.select([self._peer], [], [], max(0.0, deadline - time.monotonic()))[0]:
                return None
            try:
                data = self._peer.recv(_CHUNK_BYTES)
            except OSError:
                data = b""
            if not data:
                raise UserError("The memcache-lsp daemon ended meanwhile: run the command again.")
            self._arrived += filter(None, (piece.message() for piece in self._frames.feed(data)))
        message = self._arrived.popleft()
        self._changed = self._changed or message.get("method") == "memcache/didChangeStatus"
        if "id" in message and "method" in message:
            self._send({"id": message["id"], "result": None})
        return message

    def _send(self, message: Message) -> None:
        self._peer.settimeout(_ANSWER_S)
        try:
            self._peer.sendall(frame({"jsonrpc": "2.0", **message}))
        except OSError:
            raise UserError("The memcache-lsp daemon ended meanwhile: run the command again.") from None
        finally:
            self._peer.setblocking(False)


class RemoteProject:
    """A project in the daemon, or caches, or both; without a project `root` is what paths are shown below of."""

    def __init__(
        self,
        connection: Connection,
        root: Path,
        *,
        named: bool,
        explains: bool = False,
        asks_project: bool = True,
        caches: tuple[str, ...] = (),
    ) -> None:
        self._asks_project = asks_project
        self._caches = caches
        self._told: set[str] = set()  # what is offline
        self.connection = connection
        self._root = root
        self._named = named
        self._explains = explains  # hits carry their signals

    def search(self, question: str, *, scope: Scope, limit: int) -> list[Hit]:
        """Return the best hits of what is indexed so far; their text is the first lines."""
        params = {
            "query": question,
            "limit": min(limit, _MOST_HITS),
            "scope": work.scope_params(scope),
            "explain": self._explains,
        }
        found = self.connection.ask("memcache/search", params)
        for note in found.get("notes", ()):
            self.notice(note)
        return [self._hit(hit) for hit in found["hits"]]

    def why(self, path: str) -> tuple[bool, str]:
        """Tell whether a file is in the index, and why or why not."""
        document = {"textDocument": {"uri": from_path(self._root / path)}}
        told = self.connection.ask("memcache/explain", document)
        return told["indexed"], told["reason"]

    def ask(self, asked: work.Asked, *, scope: Scope, options: argparse.Namespace) -> Generator[Event, None, None]:
        """Answer by the daemon's model; a model that the command names is loaded here, and reads what was found there."""
        if options.model is None:
            thread = {"threadId": self._thread(options.thread)} if options.thread else {}
            yield from self._stream("memcache/ask", {**asked.params(self._root, scope), **thread})
            return
        from memcache_lsp.cli import talking  # noqa: PLC0415 - loads the model's library
        from memcache_lsp.intents import Plan  # noqa: PLC0415 - seldom needed
        from memcache_lsp.threads.disk import Threads  # noqa: PLC0415 - the same

        plain = asked.intent == "ask"
        with contextlib.closing(Threads()) as threads:
            before = talking.before_of(options, self._root, threads)

            def look(question: str) -> talking.Looked:
                wanted = replace(asked, question=before.for_search(question) if plain else question)
                answered = list(self._stream("memcache/ask", wanted.params(self._root, scope)))
                shown = (event.items for event in answered if isinstance(event, Sources))
                hits = [whole for items in shown for whole in map(self._whole, items) if whole.text]
                plan = Plan(question, "", question if plain else "", parted=asked.intent == "summarize")
                last = answered[-1]
                refused = isinstance(last, Result) and last.finish_reason == "no_answer"
                return talking.Looked(plan, hits, last.answer if refused and isinstance(last, Result) else None)

            params = asked.params(self._root, scope)
            yield from talking.Talk(options, self._root, threads, before).ask(params, look)

    def ask_again(self, thread_id: str, number: int, *, options: argparse.Namespace) -> Generator[Event, None, None]:
        """Answer the question of a turn once more, by the daemon's model."""
        del options  # no model can be named
        turn = {"threadId": thread_id, "turnId": f"{thread_id}.{number}"}
        yield from self._stream("memcache/threads", {"action": "askAgain", **turn})

    def _thread(self, name: str) -> str:
        """Return the thread of a name, or the one that was asked in last."""
        if name != "last":
            return name
        threads = self.connection.ask("memcache/threads", {"action": "list"})["threads"]
        if not threads:
            raise UserError("There is no thread yet: ask a question without --thread first.")
        return str(threads[0]["threadId"])

    def _stream(self, method: str, params: Message) -> Iterator[Event]:
        params = {**params, "partialResultToken": _TOKEN}
        said: list[str] = []
        cited: list[Citation] = []
        doubtful: list[Unsupported] = []
        for kind, value in self.connection.stream(method, params):
            if kind == "result":
                result = _result(value.get("asked", value), "".join(said), tuple(cited))
                yield replace(result, unsupported=tuple(doubtful))
                return
            match value["type"]:
                case "sources":
                    yield Sources(tuple(map(self._hit, value["items"])), value["first"])
                case "stage":
                    yield Stage(value["stage"], value["percent"])
                case "delta":
                    said.append(value["text"])
                    yield Delta(value["seq"], value["text"])
                case "citation":
                    cited.append(self._citation(value))
                    yield cited[-1]
                case "unsupported":
                    doubtful.append(Unsupported(value["start"], value["end"]))
                    yield doubtful[-1]

    def steer(self, action: str) -> None:
        """Start, rebuild or drop the index."""
        root = {"root": from_path(self._root)} if self._named else {}
        if self._asks_project:
            self.connection.ask("memcache/index", {"action": action, **root})
        for name in self._caches:
            try:
                self.connection.ask("memcache/index", {"action": action, "cache": name})
            except UserError as error:  # the others can be asked
                if not self._asks_project and len(self._caches) == 1:
                    raise
                self.notice(str(error))

    def notice(self, text: str) -> None:
        """Print a line for people once."""
        if text not in self._told:
            self._told.add(text)
            work.notice(text)

    def status(self) -> Message:
        """Return what the daemon says of what is asked, as of one root."""
        status = self.connection.ask("memcache/status", {})
        own = status["roots"][:1] if self._asks_project else []
        rows = [*own, *(row for row in status["caches"] if row["name"] in self._caches)]
        indexing = any(row["state"] == "indexing" for row in rows[len(own) :])
        return _together(rows) | {"quiescent": not indexing and (not own or status["quiescent"])}

    def close(self) -> None:
        """Leave the daemon."""
        self.connection.close()

    def _place(self, location: Message) -> tuple[str, int, int]:
        """Return path, first and last line of a location, which is of whole lines."""
        path = to_path(location["uri"]) or self._root
        lines = location["range"]
        below = path.relative_to(self._root).as_posix() if path.is_relative_to(self._root) else str(path)
        return below, lines["start"]["line"] + 1, lines["end"]["line"]

    def _hit(self, hit: Message) -> Hit:
        path, first, last = self._place(hit["location"])
        return Hit(
            path=path,
            span=Span(0, len(hit["snippet"]), first, last),
            text=hit["snippet"],
            kind=hit["kind"],
            symbol=hit["symbol"],
            language=hit["language"],
            breadcrumb=tuple(hit.get("breadcrumb", ())),
            score=hit["score"],
            signals=hit.get("signals", {}),
            spot=_spot(hit["location"]),
        )

    def _citation(self, cited: Message) -> Citation:
        path, first, last = self._place(cited["location"])
        return Citation(cited["n"], path, first, last, cited["status"], _spot(cited["location"]))

    def _whole(self, hit: Hit) -> Hit:
        """Return a hit with its whole text as it may be shown; empty where its file is gone."""
        from memcache_lsp.texts import text_now  # noqa: PLC0415 - seldom needed

        text = text_now(*work.place_of(self._root, hit.path)) or ""
        first, last = hit.span.start_line, hit.span.end_line
        start, end = offsets_of(text, first, last)
        return replace(hit, text=text[start:end], span=Span(start, end, first, last))


def _together(rows: list[Message]) -> Message:
    """Return what is said of several indexes as if they were one."""
    if len(rows) == 1:
        return rows[0]
    states = {row["state"] for row in rows}
    reports = [row["report"] for row in rows if row.get("report")]
    return {
        "state": next((state for state in _PRESSING if state in states), "indexing"),
        "files": {name: sum(row["files"][name] for row in rows) for name in ("done", "total")},
        "chunks": sum(row["chunks"] for row in rows),
        "failed": [failed for row in rows for failed in row["failed"]],
        "message": " ".join(row["message"] for row in rows if row.get("message")) or None,
        "report": {name: sum(report[name] for report in reports) for name in reports[0]} if reports else None,
    }


def _spot(location: Message) -> Spot | None:
    return Spot(location.get("page", 0), location.get("cell", 0)) if location.get("extracted") else None


def _result(value: Message, answer: str, citations: tuple[Citation, ...]) -> Result:
    usage, timings = value["usage"], value["timings"]
    return Result(
        answer=answer or (NO_EVIDENCE if value["finishReason"] == "no_answer" else ""),
        citations=citations,
        finish_reason=value["finishReason"],
        evidence_read=value["evidence"]["read"],
        evidence_found=value["evidence"]["found"],
        usage=Usage(usage["promptTokens"], usage["reusedTokens"], usage["answerTokens"]),
        timings=Timings(timings["firstTextSeconds"], timings["totalSeconds"]),
        message=value.get("message"),
        thread_id=value["threadId"],
        turn_id=value["turnId"],
        cached=value["cached"],
    )


class RemoteUpdating:
    """An update in the daemon."""

    def __init__(self, project: RemoteProject, *, question: str | None, needed: bool, rebuild: bool) -> None:
        self._project = project
        self._needed = needed
        self._done = self._total = 0
        self.report: Report | None = None
        project.steer("rebuild" if rebuild else "start")
        self.is_first = bool(question) and not project.status()["chunks"]
        if self.is_first and question:  # so that what it asks for is indexed first
            project.search(question, scope=Scope(), limit=1)

    def wait(self, timeout_s: float | None, on_progress: Callable[[Progress], None] = lambda _: None) -> Report | None:
        """Wait until the daemon's index is in step; return what it did, or None if it is still at it."""
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        while self.report is None:
            status = self._project.status()
            if status["quiescent"]:
                self.report = self._reported(status)
                total = self._total or self.report.added + self.report.changed
                on_progress(Progress(total, total))
                break
            # what is told of an index that is being made again may still be of the one before
            self._done = max(self._done, status["files"]["done"])
            self._total = max(self._done, status["files"]["total"])
            on_progress(Progress(self._done, self._total))
            left = _POLL_S if deadline is None else min(_POLL_S, deadline - time.monotonic())
            if left <= 0:
                break
            self._project.connection.wait_for_change(left)
        return self.report

    def _reported(self, status: Message) -> Report:
        failed = tuple(Skipped(f["path"], f["reason"]) for f in status["failed"])
        if status["state"] == "ready" or (status["state"] == "offline" and not self._needed):
            if status.get("message"):
                self._project.notice(status["message"])
            return Report(**(status.get("report") or {}), failed=failed)
        why = status.get("message") or f"Indexing is {status['state']}: another editor said so."
        if self._needed or not status["chunks"]:
            raise UserError(why)
        work.notice(f"{why} This is from what is indexed.")
        return Report(failed=failed)
