"""The engine in the daemon: what the commands ask of a project goes to it as an editor's requests do.

Must not import the engine, nor at its top what only questions and hits need.
"""

from __future__ import annotations

import argparse
import contextlib
import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from memcache_lsp import rendezvous
from memcache_lsp.cli import work
from memcache_lsp.cli.connection import QUIET, TOKEN, Connection, Message
from memcache_lsp.errors import UserError
from memcache_lsp.reports import Progress, Report, Skipped
from memcache_lsp.scopes import Scope
from memcache_lsp.session.uris import from_path

if TYPE_CHECKING:
    from memcache_lsp.events import Event
    from memcache_lsp.values import Hit

_POLL_S, _POLL_CACHES_S = 0.5, 0.1
_MOST_HITS = 1000
_PRESSING = ("failed", "offline", "cancelled", "paused", "unindexed", "ready")


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
        from memcache_lsp.cli import heard  # noqa: PLC0415 - as in `_stream`

        return [heard.hit_of(self._root, hit) for hit in found["hits"]]

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
        from memcache_lsp import events, intents  # noqa: PLC0415 - seldom needed
        from memcache_lsp.cli import heard, talking  # noqa: PLC0415 - loads the model's library
        from memcache_lsp.threads.disk import Threads  # noqa: PLC0415 - the same

        plain = asked.intent == "ask"
        with contextlib.closing(Threads()) as threads:
            before = talking.before_of(options, self._root, threads)

            def look(question: str) -> talking.Looked:
                wanted = asked._replace(question=before.for_search(question) if plain else question)
                answered = list(self._stream("memcache/ask", wanted.params(self._root, scope)))
                shown = (event.items for event in answered if isinstance(event, events.Sources))
                hits = [
                    whole for items in shown for whole in (heard.whole(self._root, hit) for hit in items) if whole.text
                ]
                plan = intents.plan(asked.intent, question, talking.about_of(self._root, asked))
                last = answered[-1]
                refused = isinstance(last, events.Result) and last.finish_reason == "no_answer"
                return talking.Looked(plan, hits, last.answer if refused and isinstance(last, events.Result) else None)

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
        from memcache_lsp.cli import heard  # noqa: PLC0415 - to read hits and answers takes 20 ms to load

        return heard.events(self.connection.stream(method, {**params, "partialResultToken": TOKEN}), self._root)

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

    def wait_for_rest(self, timeout_s: float) -> None:
        """Wait until nothing is being indexed, or for so long; of caches nothing is told, so these are asked often."""
        self.connection.wait_for_rest(min(timeout_s, _POLL_CACHES_S) if self._caches else timeout_s)

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
            left = _POLL_S if deadline is None else min(_POLL_S, deadline - time.monotonic())
            self._project.wait_for_rest(left)
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
            if deadline is not None and time.monotonic() >= deadline:
                break
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
