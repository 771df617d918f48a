"""The engine in this process, for `--no-daemon`: open the project, update it behind the command's back, ask it.

Must not be imported by a command that can do with the daemon: it loads everything.
"""

from __future__ import annotations

import argparse
import contextlib
import threading
import time
from collections.abc import Callable, Generator, Iterator
from functools import partial
from pathlib import Path
from typing import Self

from memcache_lsp import answering, intents
from memcache_lsp.answering import Event
from memcache_lsp.cli import generating, work
from memcache_lsp.documents import ShownTexts, raw_text_now, text_now
from memcache_lsp.embedding import open_embedder
from memcache_lsp.engine import MAX_FILES, Project, Setup, open_project
from memcache_lsp.errors import Stopped, UserError
from memcache_lsp.lines import lines_of
from memcache_lsp.ranking.confidence import LEAST
from memcache_lsp.status import read_status
from memcache_lsp.values import Hit, Progress, Report, Scope

_POLL_S = 0.05


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
        path = generating.model_path(options)
        plan = intents.plan(asked.intent, asked.question, self._about(asked))
        found = self._found(plan, scope)
        hits = plan.taken(found)
        if not hits and plan.or_else is not None:
            plan = plan.or_else
            found = hits = self._found(plan, scope)
        if not hits or (plan.may_refuse and self._project.confidence(plan.query, found) < LEAST):
            yield from answering.refused(hits, found=len(found), why=self._refusal(misses=bool(hits)))
            return
        read = ShownTexts(partial(raw_text_now, self._project.setup.root))
        yield from generating.answer(plan, hits, options, path, read=read)

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
