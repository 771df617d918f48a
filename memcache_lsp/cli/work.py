"""What the commands share: which project, where its engine is, what the command line confines a search to.

The engine is the daemon's, started where none runs, so that commands and editors share one index and one model;
`--no-daemon` opens the project here, as does a platform without unix sockets. Loads nothing heavy by itself: most commands only wait for the daemon.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, TypeVar

from memcache_lsp import paths, rendezvous
from memcache_lsp.errors import UsageError, UserError
from memcache_lsp.reports import Progress, Report
from memcache_lsp.scopes import WORKSPACE, Scope
from memcache_lsp.session.uris import from_path

if TYPE_CHECKING:
    from memcache_lsp.config import ProjectSettings, UserSettings
    from memcache_lsp.events import Event
    from memcache_lsp.values import Hit

_POLL_S = 0.05

T = TypeVar("T")


class Engine(Protocol):
    """A project with its index, opened here or in the daemon."""

    def search(self, question: str, *, scope: Scope, limit: int) -> list[Hit]:
        """Return the best hits of what is indexed so far."""
        ...

    def why(self, path: str) -> tuple[bool, str]:
        """Tell whether a file is in the index, and why or why not."""
        ...

    def ask(self, asked: Asked, *, scope: Scope, options: argparse.Namespace) -> Generator[Event, None, None]:
        """Answer, the sources first; closing the generator stops the model."""
        ...

    def ask_again(self, thread_id: str, number: int, *, options: argparse.Namespace) -> Generator[Event, None, None]:
        """Answer the question of an earlier turn once more."""
        ...


class Waiting(Protocol):
    """An update that goes on, here or in the daemon."""

    report: Report | None
    is_first: bool  # nothing was indexed before it

    def wait(self, timeout_s: float | None, on_progress: Callable[[Progress], None] = ...) -> Report | None:
        """Wait for it; return its report, or None if it is still going on."""
        ...


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


def below(root: Path, name: str, *, cached: bool = False) -> str:
    """Return a path as the index knows it: as it is seen from here, or from the root as searches print it.

    With `cached` it may be a file of a cache instead, which is returned in full.
    """
    places = _meant(name, Path.cwd(), root)
    inside = [place for place in places if root in place.parents]
    if not inside and cached:
        from memcache_lsp.caches import Registry  # noqa: PLC0415 - only a file outside of the project needs it

        for place in places:
            if Registry().read().ground_at(place) is not None:
                return str(place)
    if not inside:
        raise UsageError(f"{name} lies outside of {root}: name a file of the project, or its project with --root.")
    place = next((place for place in inside if os.path.lexists(place)), inside[-1])
    return place.relative_to(root).as_posix()


class CachedFile(NamedTuple):
    """A file of a cache: its full path, that cache's name, and whether it lies in an indexed project, too."""

    path: str
    cache: str
    is_in_project: bool


def cached_file(options: argparse.Namespace) -> CachedFile | None:
    """Return the file that is named, where a cache holds it that is not the project itself."""
    from memcache_lsp.caches import Registry  # noqa: PLC0415 - as above

    registered = Registry().read()
    if options.root is not None or not registered.caches:
        return None
    found = ((place, registered.ground_at(place)) for place in _meant(options.path, root_of_caches()))
    place, ground = next(((place, ground) for place, ground in found if ground is not None), (None, None))
    if place is None or ground is None:
        return None
    root = None
    with contextlib.suppress(UserError):  # no project is here, and none is needed
        root = resolve_root(options)
    if root is not None and root == ground.root and not ground.part:
        return None  # they are one
    in_project = root is not None and root in place.parents and paths.index_dir(root).exists()
    return CachedFile(str(place), registered.grounds[ground].name, in_project)


def _meant(name: str, *folders: Path) -> list[Path]:
    """Return where a path leads that is seen from some folder, as it is and with the links above it followed."""
    if not name or "\0" in name:
        raise UsageError("The path is empty: name a file of the project.")
    places = [Path(os.path.abspath(folder / name)) for folder in folders]  # noqa: PTH100 - a link is no file
    return [*places, *(Path(os.path.realpath(place.parent)) / place.name for place in places)]


def place_of(root: Path, path: str) -> tuple[Path, str]:
    """Return the root and the path below it of what is shown as `path`: in full where it lies outside of the root."""
    whole = Path(path)
    return (whole.parent, whole.name) if whole.is_absolute() else (root, path)


def user_settings() -> UserSettings:
    """Read the user's settings; what is wrong with them is told where a project is opened."""
    from memcache_lsp import config  # noqa: PLC0415 - the daemon reads them itself

    return config.load_user_settings()[0]


def asks_project(options: argparse.Namespace) -> bool:
    """Tell whether the command is about the project, and not only about caches."""
    return not options.cache or WORKSPACE in options.cache or options.root is not None


def caches_of(options: argparse.Namespace) -> tuple[str, ...]:
    """Return the named caches that the command is about."""
    return tuple(dict.fromkeys(_clean(name) for name in options.cache if name != WORKSPACE))


def root_of(options: argparse.Namespace) -> Path:
    """Return the project's root, or where no project is asked the current folder, below which paths are shown."""
    return resolve_root(options) if asks_project(options) else root_of_caches()


def root_of_caches() -> Path:
    """Return the folder below which paths are shown where no project is asked."""
    try:
        return Path(os.path.realpath(Path.cwd()))
    except FileNotFoundError:
        return Path("/")


def load_settings(root: Path | None) -> tuple[UserSettings, ProjectSettings]:
    """Read all settings, and report what is wrong with them on stderr."""
    from memcache_lsp import config  # noqa: PLC0415 - the daemon reads them itself

    user, user_problems = config.load_user_settings()
    project, project_problems = config.load_project_settings(root) if root else (config.ProjectSettings(), ())
    for problem in (*user_problems, *project_problems):
        notice(problem)
    return user, project


class Asked(NamedTuple):
    """A question, and the file that it is about, if it is about one; `lines` are 1-based and inclusive."""

    question: str
    path: str = ""
    lines: tuple[int, int] | None = None

    @property
    def intent(self) -> Literal["ask", "explain", "summarize"]:
        """Return what is wanted: of a whole file its parts are read, of some lines also what they use."""
        if not self.path:
            return "ask"
        return "explain" if self.lines else "summarize"

    def params(self, root: Path, scope: Scope) -> dict[str, Any]:
        """Return the parameters of `memcache/ask` that say the same."""
        params: dict[str, Any] = {"question": self.question, "intent": self.intent, "scope": scope_params(scope)}
        if self.path:
            params["textDocument"] = {"uri": from_path(root / self.path)}
        if self.lines:
            first, last = self.lines
            params["selection"] = {"start": {"line": first - 1, "character": 0}, "end": {"line": last, "character": 0}}
        return params


@contextlib.contextmanager
def at(
    options: argparse.Namespace, *, question: str | None = None, needed: bool = False, rebuild: bool = False
) -> Iterator[tuple[Engine, Waiting]]:
    """Give the project and the update that brings its index in step.

    Where the command can do without the update (`needed` is False), one that fails with a sentence for the user is
    told as a notice: what is indexed can still be searched. `question` says what is to be indexed first.
    """
    root = root_of(options)
    if options.no_daemon or not rendezvous.supported():
        from memcache_lsp.cli import local  # noqa: PLC0415 - loads the whole engine

        with local.at(options, root, question=question, needed=needed, rebuild=rebuild) as here:
            yield here
        return
    project = root if asks_project(options) else None
    if paths.has_settings(project):
        load_settings(project)  # the daemon reads them too, and tells nobody what is wrong
    from memcache_lsp.cli import remote  # noqa: PLC0415 - each branch loads what it needs and no more

    with contextlib.closing(remote.join(root, options)) as there:
        yield there, remote.RemoteUpdating(there, question=question, needed=needed, rebuild=rebuild)


def notice(text: str) -> None:
    """Print one line for people, never on stdout."""
    print(f"memcache-lsp: {text}", file=sys.stderr, flush=True)


def scope_params(scope: Scope) -> dict[str, list[str]]:
    """Return a scope as the protocol has it."""
    return {
        "globs": list(scope.globs),
        "languages": list(scope.languages),
        "kinds": list(scope.kinds),
        "caches": list(scope.caches),
    }


def _check_named(languages: tuple[str, ...], kinds: tuple[str, ...]) -> None:
    from memcache_lsp.chunking.outline import KINDS  # noqa: PLC0415 - seldom asked
    from memcache_lsp.languages import LANGUAGES  # noqa: PLC0415

    for what, names, known in (("language", languages, (*LANGUAGES, "text")), ("kind", kinds, sorted(KINDS))):
        for name in names:
            if name not in known:
                raise UsageError(f"There is no {what} {name!r}: there are {', '.join(known)}.")


def scope_of(options: argparse.Namespace) -> Scope:
    """Return the scope that the command line names; UsageError for a language or kind that does not exist."""
    languages = tuple(name.lower() for name in options.language)
    kinds = tuple(name.lower() for name in options.kind)
    if languages or kinds:
        _check_named(languages, kinds)
    own = (WORKSPACE,) if options.cache and asks_project(options) else ()
    caches = (*caches_of(options), *own)
    return Scope(globs=tuple(map(_clean, options.glob)), languages=languages, kinds=kinds, caches=caches)


def _clean(text: str) -> str:
    """Return an argument whose bytes may not have been text."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def text_of(words: list[str], what: str) -> str:
    """Return a question given as words, on the command line or, as `-`, on standard input."""
    text = sys.stdin.read() if words == ["-"] else " ".join(words)
    if not text.strip():
        raise UsageError(f"The {what} is empty: write it behind the command, in quotes.")
    from memcache_lsp.pasted import shortened  # noqa: PLC0415 - only questions are

    return shortened(_clean(text.strip()))


def interruptible(action: Callable[[], T]) -> T:
    """Do something that cannot be interrupted in a thread, so that Ctrl-C need not wait for it."""
    import threading  # noqa: PLC0415 - seldom needed

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
