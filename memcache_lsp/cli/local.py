"""The engine in this process, for `--no-daemon`: open the project, update it behind the command's back, ask it.

Must not be imported by a command that can do with the daemon: it loads everything.
"""

from __future__ import annotations

import argparse
import contextlib
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Self

from memcache_lsp import answering, evidence, explaining, intents, inventory
from memcache_lsp.caches import Ground, Registry, seen
from memcache_lsp.cli import talking, work
from memcache_lsp.embedding import open_embedder
from memcache_lsp.engine import MAX_FILES, Project, Setup, of_cache, open_project
from memcache_lsp.errors import Stopped, UserError
from memcache_lsp.events import Event
from memcache_lsp.finding import each_once, places_first
from memcache_lsp.protocol import spec, wire
from memcache_lsp.protocol.codec import parse
from memcache_lsp.ranking.confidence import LEAST
from memcache_lsp.reports import Progress, Report
from memcache_lsp.scopes import Scope
from memcache_lsp.session.uris import to_path
from memcache_lsp.status import read_status
from memcache_lsp.threads.asked import Before, before
from memcache_lsp.threads.disk import Threads
from memcache_lsp.values import Hit

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
    """Give the project and the caches that are asked, opened for one command, and their update."""
    with contextlib.ExitStack() as held:
        opened = []
        for setup in _setups(options, root, needed=needed):
            project = open_project(setup, purpose=f"memcache-lsp {options.command}", rebuild=rebuild)
            opened.append(held.enter_context(contextlib.closing(project)))
            for text in project.notices:
                work.notice(text)
        own = opened[0] if work.asks_project(options) else None
        updating = Updating(opened, own=own, question=question, needed=needed, max_files=most_files(options))
        yield LocalProject(root, opened), held.enter_context(updating)


def _setups(options: argparse.Namespace, root: Path, *, needed: bool) -> list[Setup]:
    """Return what is to be opened; what is offline is told, or raised where nothing is left or all is `needed`."""
    registered = Registry().read()
    setups = [load_setup(root)] if work.asks_project(options) else []
    if setups and (cache := registered.grounds.get(Ground(root))):  # its one index is that of the cache
        setups = [of_cache(setups[0], Ground(root), cache)]
    notes = []
    for name in work.caches_of(options):
        cache = registered.named(name)
        looked = replace(cache, places=tuple(map(seen, cache.places)))
        away = {place.folder: place for place in looked.places if place.away_since is not None}
        notes += [inventory.away(name, place) for place in away.values()]
        for ground in looked.grounds:
            if ground.root not in away and all((s.root, s.part) != (ground.root, ground.part) for s in setups):
                setups.append(of_cache(load_setup(ground.root), ground, cache))
    if notes and (needed or not setups):
        raise UserError(notes[0])
    for note in notes:
        work.notice(note)
    return setups


class LocalProject:
    """A project, caches or both that this process holds; what lies outside of `root` is shown by its full path."""

    def __init__(self, root: Path, projects: Sequence[Project]) -> None:
        self._root = root
        self._projects = projects

    def search(self, question: str, *, scope: Scope, limit: int) -> list[Hit]:
        """Return the best hits of what is indexed so far."""
        answers = ((p.root, p.search(question, scope=scope, limit=limit)) for p in self._projects)
        hits = places_first(each_once(answers)) if len(self._projects) > 1 else each_once(answers)
        return [self._shown(where, hit) for where, hit in hits[:limit]]

    def _shown(self, where: Path, hit: Hit) -> Hit:
        if where == self._root:
            return hit
        path = where / hit.path
        return replace(hit, path=path.relative_to(self._root).as_posix() if self._root in path.parents else str(path))

    def why(self, path: str) -> tuple[bool, str]:
        """Tell whether a file is in the index, and why or why not; one of a cache alone is named in full."""
        registered = Registry().read()
        ground = registered.ground_at(self._root / path)
        project = next((each for each in self._projects if Ground(each.root, each.setup.part) == ground), None)
        own = None if Path(path).is_absolute() else self._projects[0]
        told = own.why(path) if own else None
        if ground is None or project is None or project is own or (told and told[0]):
            return told or (False, f"{path} lies in no cache any more.")
        cached = project.why((self._root / path).relative_to(ground.root).as_posix())
        return explaining.why_in_both(told, registered.grounds[ground].name, cached) if told else cached

    def ask(self, asked: work.Asked, *, scope: Scope, options: argparse.Namespace) -> Generator[Event, None, None]:
        """Answer by the model where there is one, else by quotations."""
        with contextlib.closing(Threads()) as threads:
            before = talking.before_of(options, self._root, threads)
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
        root, selection, given = self._root, params.selection, params.scope
        below = path.relative_to(root).as_posix() if path and path.is_relative_to(root) else ""
        lines = (selection.start.line + 1, wire.last_line(selection) + 1) if selection and below else None
        scope = Scope(globs=given.globs, languages=given.languages, kinds=given.kinds) if given else Scope()
        return work.Asked(params.question, below, lines), scope

    def _talk(
        self, threads: Threads, before: Before, asked: work.Asked, scope: Scope, options: argparse.Namespace
    ) -> Generator[Event, None, None]:
        root = self._root

        def look(question: str) -> talking.Looked:
            plan = intents.plan(asked.intent, question, talking.about_of(root, asked)).leaning(before.for_search)
            found, answers = self._found(plan, scope)
            hits = plan.taken(found)
            if not hits and plan.or_else is not None:
                plan = plan.or_else.leaning(before.for_search)
                hits, answers = self._found(plan, scope)
            if not hits or not answers:
                return talking.Looked(plan, hits, self._refusal(misses=bool(hits)))
            return talking.Looked(plan, hits)

        yield from talking.Talk(options, root, threads, before).ask(asked.params(root, scope), look)

    def _found(self, plan: intents.Plan, scope: Scope) -> tuple[list[Hit], bool]:
        """Return what is found where something seems to answer, and True; where nothing does, what is nearest."""
        if not plan.query.strip():
            return [], True
        per_file = None if plan.used else answering.EVIDENCE_PER_FILE
        answers = [
            (p, p.search(plan.query, scope=scope, limit=answering.FOUND_HITS, per_file=per_file))
            for p in self._projects
        ]
        if plan.may_refuse:
            sure = [(p, hits) for p, hits in answers if hits and p.confidence(plan.query, hits) >= LEAST]
            return (self._joined(plan, self._merged(sure), scope), True) if sure else (self._merged(answers), False)
        return self._joined(plan, self._merged(answers), scope), True

    def _joined(self, plan: intents.Plan, found: Sequence[Hit], scope: Scope) -> list[Hit]:
        """Return hits with the definitions of what documents among the first of them name."""
        definitions = {}
        for name in evidence.told_names(found) if plan.joins else ():
            answers = [
                (p, p.search(name, scope=scope, limit=evidence.DEFINING_HITS, per_file=1)) for p in self._projects
            ]
            if (hit := evidence.definition_of(name, self._merged(answers), _itself)) is not None:
                definitions[name] = hit
        return evidence.joined_by(found, definitions, _itself)

    def _merged(self, answers: Sequence[tuple[Project, Sequence[Hit]]]) -> list[Hit]:
        found = each_once((project.root, hits) for project, hits in answers)
        return [self._shown(where, hit) for where, hit in sorted(found, key=lambda each: -each[1].score)]

    def _refusal(self, *, misses: bool) -> str:
        known = [status for p in self._projects if (status := read_status(p.root, p.setup.part))]
        skipped, failed = sum(len(s.skipped) for s in known), sum(len(s.failed) for s in known)
        return answering.refusal(misses=misses, skipped=skipped, failed=failed, going_on=None)


def _itself(hit: Hit) -> Hit:
    return hit


class Updating:
    """An update that runs in a thread while the command goes on; the exit of the block ends it."""

    def __init__(
        self,
        projects: Sequence[Project],
        *,
        own: Project | None,
        question: str | None,
        needed: bool,
        max_files: int | None,
    ) -> None:
        """`own` is the one that may hold no more than `max_files`."""
        self._projects = projects
        self._own = own
        self._question = question
        self._needed = needed
        self._max_files = max_files
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="update", daemon=True)
        self._failure: BaseException | None = None
        self.progress = self._before = Progress(0, 0)
        self.report: Report | None = None
        known = [status for p in projects if (status := read_status(p.root, p.setup.part))] if question else []
        self.is_first = not any(status.chunks for status in known)

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
            reports = []
            for project in self._projects:
                self._before = self.progress
                reports.append(
                    project.update(
                        on_progress=self._on_progress,
                        cancelled=self._stop.is_set,
                        asked=lambda: self._question,
                        max_files=self._max_files if project is self._own else None,  # a cache was named
                    )
                )
            self.report = _together(reports)
        except BaseException as error:  # noqa: BLE001 - handed to the thread that waits
            self._failure = error

    def _on_progress(self, progress: Progress) -> None:
        done, total = self._before.done, self._before.total  # of the indexes that are done
        self.progress = Progress(done + progress.done, total + progress.total)

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


def _together(reports: Sequence[Report]) -> Report:
    return Report(
        added=sum(each.added for each in reports),
        changed=sum(each.changed for each in reports),
        removed=sum(each.removed for each in reports),
        unchanged=sum(each.unchanged for each in reports),
        chunks=sum(each.chunks for each in reports),
        failed=tuple(failed for each in reports for failed in each.failed),
    )
