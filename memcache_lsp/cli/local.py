"""The engine in this process, for `--no-daemon`: open the project, update it behind the command's back, ask it.

Must not be imported by a command that can do with the daemon: it loads everything.
"""

from __future__ import annotations

import argparse
import contextlib
import threading
import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Self

from memcache_lsp import answering, intents
from memcache_lsp.answering import Event
from memcache_lsp.cli import talking, work
from memcache_lsp.embedding import open_embedder
from memcache_lsp.engine import MAX_FILES, Project, Setup, open_project
from memcache_lsp.errors import Stopped, UserError
from memcache_lsp.lines import lines_of
from memcache_lsp.protocol import spec, wire
from memcache_lsp.protocol.codec import parse
from memcache_lsp.ranking.confidence import LEAST
from memcache_lsp.session.uris import to_path
from memcache_lsp.status import read_status
from memcache_lsp.texts import text_now
from memcache_lsp.threads.asked import Before, before
from memcache_lsp.threads.disk import Threads
from memcache_lsp.values import Hit, Progress, Report, Scope

_POLL_S = 0.05
_SCOPE = ("globs", "languages", "kinds")


def load_setup(root: Path) -> Setup:
    """Read the settings and open the embedder."""
    user, project = work.load_settings(root)
    return Setup(root=root, user=user, project=project, embedder=open_embedder(user.embedder or None))


def most_files(options: argparse.Namespace) -> int | None:
    """Return how many files the project may have: however large a root is that was named, it is meant."""
    return MAX_FILES if options.root is None else None


@contextlib.contextmanager
def at(
    options: argparse.Namespace, root: Path, *, question: str | None, needed: bool, rebuild: bool
) -> Iterator[tuple[LocalProject, Updating]]:
    """Give the project, opened for one command, and its update."""
    opened = open_project(load_setup(root), purpose=f"memcache-lsp {options.command}", rebuild=rebuild)
    for text in opened.notices:
        work.notice(text)
    with (
        contextlib.closing(opened),
        Updating(opened, question=question, needed=needed, max_files=most_files(options)) as updating,
    ):
        yield LocalProject(opened), updating


class LocalProject:
    """A project that this process holds."""

    def __init__(self, project: Project) -> None:
        self._project = project

    def search(self, question: str, *, scope: Scope, limit: int) -> list[Hit]:
        """Return the best hits of what is indexed so far."""
        return self._project.search(question, scope=scope, limit=limit)

    def why(self, path: str) -> tuple[bool, str]:
        """Tell whether a file is in the index, and why or why not."""
        return self._project.why(path)

    def ask(self, asked: work.Asked, *, scope: Scope, options: argparse.Namespace) -> Generator[Event, None, None]:
        """Answer by the model where there is one, else by quotations."""
        with contextlib.closing(Threads()) as threads:
            before = talking.before_of(options, self._project.setup.root, threads)
            yield from self._talk(threads, before, asked, scope, options)

    def ask_again(self, thread_id: str, number: int, *, options: argparse.Namespace) -> Generator[Event, None, None]:
        """Answer the question of a turn once more."""
        with contextlib.closing(Threads()) as threads:
            thread = threads.get(thread_id)
            turn = next(turn for turn in thread.turns if turn.number == number)
            params = parse(spec.AskParams, {"question": turn.question, **turn.asked})
            asked, scope = self._asked_again(params)
            yield from self._talk(threads, before(thread, again=number), asked, scope, options)

    def _asked_again(self, params: spec.AskParams) -> tuple[work.Asked, Scope]:
        """Return what was asked, as far as the command line can say it."""
        path = to_path(params.text_document.uri) if params.text_document else None
        root, selection, given = self._project.setup.root, params.selection, params.scope
        below = path.relative_to(root).as_posix() if path and path.is_relative_to(root) else ""
        lines = (selection.start.line + 1, wire.last_line(selection) + 1) if selection and below else None
        scope = Scope(globs=given.globs, languages=given.languages, kinds=given.kinds) if given else Scope()
        return work.Asked(params.question, below, lines), scope

    def _talk(
        self, threads: Threads, before: Before, asked: work.Asked, scope: Scope, options: argparse.Namespace
    ) -> Generator[Event, None, None]:
        root = self._project.setup.root

        def look(question: str) -> talking.Looked:
            plan = intents.plan(asked.intent, question, self._about(asked)).leaning(before.for_search)
            found = self._found(plan, scope)
            hits = plan.taken(found)
            if not hits and plan.or_else is not None:
                plan = plan.or_else.leaning(before.for_search)
                found = hits = self._found(plan, scope)
            if not hits or (plan.may_refuse and self._project.confidence(plan.query, found) < LEAST):
                return talking.Looked(plan, hits, self._refusal(misses=bool(hits)))
            return talking.Looked(plan, hits)

        yield from talking.Talk(options, root, threads, before).ask(asked.params(root, scope), look)

    def _found(self, plan: intents.Plan, scope: Scope) -> list[Hit]:
        if not plan.query.strip():
            return []
        per_file = None if plan.used else answering.EVIDENCE_PER_FILE
        return self._project.search(plan.query, scope=scope, limit=answering.FOUND_HITS, per_file=per_file)

    def _refusal(self, *, misses: bool) -> str:
        known = read_status(self._project.setup.root)
        skipped, failed = (len(known.skipped), len(known.failed)) if known else (0, 0)
        return answering.refusal(misses=misses, skipped=skipped, failed=failed, going_on=None)

    def _about(self, asked: work.Asked) -> intents.About | None:
        if not asked.path:
            return None
        text = text_now(self._project.setup.root, asked.path)
        if text is None:
            raise UserError(f"There is no text in {asked.path}: name a file of the project.")
        first, last = asked.lines or (1, len(lines_of(text)))
        return intents.about_lines(asked.path, text, first, last)


class Updating:
    """An update that runs in a thread while the command goes on; the exit of the block ends it."""

    def __init__(self, project: Project, *, question: str | None, needed: bool, max_files: int | None) -> None:
        self._project = project
        self._question = question
        self._needed = needed
        self._max_files = max_files
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="update", daemon=True)
        self._failure: BaseException | None = None
        self.progress = Progress(0, 0)
        self.report: Report | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        while self._thread.is_alive():  # an impatient second Ctrl-C must not leave a thread that writes
            with contextlib.suppress(KeyboardInterrupt):
                self._thread.join()

    def _run(self) -> None:
        try:
            self.report = self._project.update(
                on_progress=self._on_progress,
                cancelled=self._stop.is_set,
                asked=lambda: self._question,
                max_files=self._max_files,
            )
        except BaseException as error:  # noqa: BLE001 - handed to the thread that waits
            self._failure = error

    def _on_progress(self, progress: Progress) -> None:
        self.progress = progress

    def wait(self, timeout_s: float | None, on_progress: Callable[[Progress], None] = lambda _: None) -> Report | None:
        """Wait for the update, interruptibly; return its report, or None if it is still going on."""
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        while self._thread.is_alive() and (deadline is None or time.monotonic() < deadline):
            self._thread.join(_POLL_S)
            on_progress(self.progress)
        if isinstance(self._failure, UserError) and not isinstance(self._failure, Stopped) and not self._needed:
            work.notice(f"{self._failure} This is from what is indexed.")
            self._failure, self.report = None, Report()
        if self._failure is not None:
            raise self._failure
        return self.report
