"""What the commands share: open the project, keep its index in step behind the command's back, tell how far it is."""

from __future__ import annotations

import argparse
import contextlib
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol, Self, TypeVar

from memcache_lsp import config, paths
from memcache_lsp.chunking.outline import KINDS
from memcache_lsp.cli import remote
from memcache_lsp.embedding import open_embedder
from memcache_lsp.engine import Project, Setup, open_project
from memcache_lsp.errors import Stopped, UsageError, UserError
from memcache_lsp.indexing import Progress, Report
from memcache_lsp.languages import LANGUAGES
from memcache_lsp.values import Hit, Scope

_POLL_S = 0.05

T = TypeVar("T")


def resolve_root(options: argparse.Namespace) -> Path:
    """Return the project's root: `--root` literally, or the current folder's project."""
    if options.root == "":
        raise UsageError("--root is empty: name a folder, or leave it out.")
    if options.root is not None:
        return paths.check_root(Path(options.root), explicit=True)
    try:
        here = Path.cwd()
    except FileNotFoundError:
        raise UserError("The current folder was deleted: change to another, or name the project with --root.") from None
    return paths.check_root(paths.project_root(here), explicit=False)


def user_settings() -> config.UserSettings:
    """Read the user's settings; what is wrong with them is told where a project is opened."""
    return config.load_user_settings()[0]


def load_setup(root: Path, *, named: bool) -> Setup:
    """Read the settings, report what is wrong with them on stderr, and open the embedder."""
    user, user_problems = config.load_user_settings()
    project, project_problems = config.load_project_settings(root)
    for problem in (*user_problems, *project_problems):
        notice(problem)
    return Setup(root=root, user=user, project=project, embedder=open_embedder(user.embedder or None), named=named)


@contextlib.contextmanager
def opened(options: argparse.Namespace, *, rebuild: bool = False) -> Iterator[Project]:
    """Open the project for one command."""
    setup = load_setup(resolve_root(options), named=options.root is not None)
    project = open_project(setup, purpose=f"memcache-lsp {options.command}", rebuild=rebuild)
    for text in project.notices:
        notice(text)
    with contextlib.closing(project):
        yield project


class Searchable(Protocol):
    """A project, opened here or in the daemon."""

    def search(self, question: str, *, scope: Scope, limit: int, per_file: int | None = None) -> list[Hit]:
        """Return the best hits of what is indexed so far."""
        ...

    def knows_any(self, question: str) -> bool:
        """Tell whether any content word of the question is known."""
        ...


class Waiting(Protocol):
    """An update that goes on, here or in the daemon."""

    report: Report | None

    def wait(self, timeout_s: float | None, on_progress: Callable[[Progress], None] = ...) -> Report | None:
        """Wait for it; return its report, or None if it is still going on."""
        ...


@contextlib.contextmanager
def at(
    options: argparse.Namespace, *, question: str | None = None, needed: bool = False, rebuild: bool = False
) -> Iterator[tuple[Searchable, Waiting]]:
    """Give the project and the update that brings its index in step: in the daemon where one runs, else here."""
    root = resolve_root(options)
    there = remote.find(root)
    if there is not None:
        with contextlib.closing(there):
            yield there, remote.RemoteUpdating(there, rebuild=rebuild)
        return
    with (
        opened(options, rebuild=rebuild) as project,
        Updating(project, question=question, needed=needed) as updating,
    ):
        yield project, updating


def notice(text: str) -> None:
    """Print one line for people, never on stdout."""
    print(f"memcache-lsp: {text}", file=sys.stderr, flush=True)


def scope_of(options: argparse.Namespace) -> Scope:
    """Return the scope that the command line names; UsageError for a language or kind that does not exist."""
    languages = tuple(name.lower() for name in options.language)
    kinds = tuple(name.lower() for name in options.kind)
    for what, names, known in (("language", languages, (*LANGUAGES, "text")), ("kind", kinds, sorted(KINDS))):
        for name in names:
            if name not in known:
                raise UsageError(f"There is no {what} {name!r}: there are {', '.join(known)}.")
    return Scope(globs=tuple(map(_clean, options.glob)), languages=languages, kinds=kinds)


def _clean(text: str) -> str:
    """Return an argument whose bytes may not have been text."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def text_of(words: list[str], what: str) -> str:
    """Return a question given as words, on the command line or, as `-`, on standard input."""
    text = sys.stdin.read() if words == ["-"] else " ".join(words)
    if not text.strip():
        raise UsageError(f"The {what} is empty: write it behind the command, in quotes.")
    return _clean(text.strip())


def interruptible(action: Callable[[], T]) -> T:
    """Do something that cannot be interrupted in a thread, so that Ctrl-C need not wait for it."""
    outcome: list[T | BaseException] = []

    def act() -> None:
        try:
            outcome.append(action())
        except BaseException as error:  # noqa: BLE001 - handed to the thread that waits
            outcome.append(error)

    thread = threading.Thread(target=act, daemon=True)
    thread.start()
    while thread.is_alive():
        thread.join(_POLL_S)
    if isinstance(outcome[0], BaseException):
        raise outcome[0]
    return outcome[0]


class Updating:
    """An update that runs in a thread while the command goes on; the exit of the block ends it.

    Where the command can do without it (`needed` is False), an update that fails with a sentence for the user is told
    as a notice and counts as done: what is indexed can still be searched.
    """

    def __init__(self, project: Project, *, question: str | None = None, needed: bool = False) -> None:
        self._needed = needed
        self._project = project
        self._question = question
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
                on_progress=self._on_progress, cancelled=self._stop.is_set, question=self._question
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
            notice(f"{self._failure} This is from what is indexed.")
            self._failure, self.report = None, Report()
        if self._failure is not None:
            raise self._failure
        return self.report
