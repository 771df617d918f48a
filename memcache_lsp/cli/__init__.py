"""The command line: arguments in, exit code out. Loads the engine only when a command needs it.

Exit codes: 0 done, 1 a problem told in one sentence on stderr, 2 wrong usage, 3 no answer or no hit, 130 stopped.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import importlib
import io
import os
import signal
import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from memcache_lsp import __version__
from memcache_lsp.errors import MemcacheError, Stopped, UsageError, UserError

_EPILOG = """exit codes: 0 done, 1 a problem told in one sentence, 2 wrong usage, 3 no answer or no hit, 130 stopped
Nothing leaves this machine, nothing listens, and nothing is written into the project."""


_EVAL_EPILOG = """A question is the first sentence of a doc comment, whose answer is its definition, or the message of a commit that
touched at most five files, whose answer are these. They are asked of an index of this run's own, in which the asked doc
comments are blank; the project's index stays as it is. The same project gets the same questions each time."""


_THREADS_EPILOG = """list marks the threads whose answers cite lines that changed since; again asks a question of the files as they are now;
replay computes an answer once more from its record, and tells whether the same came of it. Threads lie in the user's data
folder, the latest 1000 of the last 180 days and at most 64 MiB; `index --drop` forgets those of a project."""


_CACHES_EPILOG = """Files are indexed where they are, by the ignore rules that hold for projects. `search --cache NAME` searches a cache
alone, `--cache NAME --cache workspace` the project too. remove forgets what was indexed of it, unless a folder is open as a
project or part of another cache. A cache whose disk is not there is offline: it is kept, and back when the disk is."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message[:1].upper()}{message[1:]}; see {self.prog} --help.")


class _AnyOrder(_Parser):
    """Takes options between a name and paths too, as in `add NAME --reading PATH`."""

    _is_inside = False

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        if self._is_inside or "--" in (args or ()):
            return super().parse_known_args(args, namespace)
        self._is_inside = True
        try:
            return self.parse_known_intermixed_args(args, namespace)
        finally:
            self._is_inside = False


def _positive(text: str) -> int:
    value = int(text) if text.isascii() and text.isdigit() else 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number above 0")
    return value


def make_parser(only: str = "") -> argparse.ArgumentParser:
    """Return the parser of the whole command line, or of the one command that is used: to make them all takes 6 ms."""
    parser = _Parser(
        prog="memcache-lsp",
        description="Ask questions about your code and documents, answered on your own machine.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(
        dest="command", required=True, metavar="COMMAND", parser_class=_Parser, prog=parser.prog
    )
    for add in [_ADDING[only]] if only in _ADDING else _ADDING.values():
        add(commands)
    return parser


def _command(commands: Any, name: str, module: str, text: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name, help=text, description=text)
    parser.set_defaults(module=module)
    parser.add_argument("--json", action="store_true", help="print one JSON object per line and nothing else on stdout")
    return parser


def _add_root(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--root", metavar="DIR", help="the project (default: the current folder's project)")


def _add_engine(parser: argparse.ArgumentParser) -> None:
    _add_root(parser)
    parser.add_argument("--no-daemon", action="store_true", help="in this process, with an engine of its own")
    parser.set_defaults(cache=[])  # where there is no scope


def _add_scope(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("scope", "each may be given several times")
    group.add_argument(
        "--glob", action="append", default=[], metavar="GLOB", help="paths to search, as in a .gitignore"
    )
    group.add_argument("--language", action="append", default=[], metavar="NAME", help="python, rust, markdown, …")
    group.add_argument(
        "--cache",
        action="append",
        default=[],
        metavar="NAME",
        help="a named cache, in place of the project; `workspace` is the project",
    )
    group.add_argument("--kind", action="append", default=[], metavar="KIND", help="function, class, section, …")


def _add_index(commands: Any) -> None:
    parser = _command(commands, "index", "index", "Bring a project's index in step with its files.")
    _add_engine(parser)
    parser.add_argument(
        "--cache", action="append", default=[], metavar="NAME", help="a named cache, in place of the project"
    )
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--rebuild", action="store_true", help="forget the index first")
    group.add_argument(
        "--drop", action="store_true", help="forget everything that is kept of the project, its threads too"
    )


def _add_search(commands: Any) -> None:
    parser = _command(
        commands, "search", "search", "Find the places that a question in words, a name or a path is about."
    )
    _add_engine(parser)
    parser.add_argument("query", nargs="*", help="what to look for")
    parser.add_argument("--limit", type=_positive, default=10, metavar="N", help="hits at most (default 10)")
    parser.add_argument(
        "--batch", action="store_true", help='with --json: read {"id", "query"} lines on stdin, answer each with a line'
    )
    parser.add_argument("--explain", action="store_true", help="show what each signal brought to a hit's score")
    _add_scope(parser)


def _add_explain(commands: Any) -> None:
    parser = _command(commands, "explain", "explain", "Tell why a file is in the index, or why not.")
    _add_engine(parser)
    parser.add_argument("path", help="the file, seen from here or from the project's root; one of a cache, from here")


def _add_ask(commands: Any) -> None:
    parser = _command(commands, "ask", "ask", "Answer a question from the project, with the lines it comes from.")
    _add_engine(parser)
    parser.add_argument("question", nargs="*", help="the question")
    parser.add_argument("--thread", metavar="ID|last", help="go on with an earlier question, or with the last one")
    parser.add_argument(
        "--model", metavar="NAME|PATH", help="a fetched model's name or a GGUF file (default: the curated one)"
    )
    parser.add_argument("--no-model", action="store_true", help="answer with quotations alone")
    parser.add_argument(
        "--about",
        metavar="FILE[:FIRST[-LAST]]",
        help="ask about this file or these lines; without a question they are summed up or explained",
    )
    parser.add_argument(
        "--max-tokens", type=_positive, default=256, metavar="N", help="length of the answer at most (default 256)"
    )
    _add_scope(parser)


def _add_threads(commands: Any) -> None:
    parser = _command(
        commands, "threads", "threads", "List earlier questions and answers, show, repeat or delete one of them."
    )
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _THREADS_EPILOG
    _add_engine(parser)
    actions = ["list", "show", "again", "replay", "delete"]
    parser.add_argument("action", choices=actions, nargs="?", default="list")
    parser.add_argument(
        "id", nargs="?", metavar="ID|last", help="a thread, or one of its questions, such as t0a1b2c3d4e.2"
    )
    parser.add_argument("--all", action="store_true", help="with list: the threads of all projects")


def _add_status(commands: Any) -> None:
    parser = _command(
        commands, "status", "status", "Tell what is indexed, what is not and why, and what it takes on disk."
    )
    _add_root(parser)
    parser.add_argument("--all", action="store_true", help="list every file that is not indexed")
    parser = _command(commands, "doctor", "doctor", "Check the installation, the models, the index and the limits.")
    _add_root(parser)


def _add_eval(commands: Any) -> None:
    parser = _command(
        commands, "eval", "eval", "Judge the search on this project, by its own doc comments and commits."
    )
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _EVAL_EPILOG
    _add_root(parser)
    parser.add_argument("--questions", type=_positive, default=200, metavar="N", help="how many at most (default 200)")
    parser.add_argument(
        "--embedder", metavar="NAME", help="compare this embedder with the present one: a name, or a folder"
    )
    parser.add_argument("--worst", type=_positive, default=5, metavar="N", help="show the N worst answers (default 5)")


def _add_caches(commands: Any) -> None:
    parser = _command(
        commands, "caches", "caches", "List, add and remove folders and files that are searched beside the project."
    )
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _CACHES_EPILOG
    parser.set_defaults(action="list", no_daemon=False, reading=False, name="", paths=[])
    actions = parser.add_subparsers(dest="action", metavar="ACTION", parser_class=_AnyOrder)
    texts = {
        "list": "List the caches, what is indexed of them, and what failed.",
        "add": "Make a cache of folders and files, or add them to one, and index them.",
        "remove": "Remove a cache, or some places of it, and forget what was indexed.",
    }
    for name, text in texts.items():
        action = actions.add_parser(name, help=text, description=text)
        action.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="one JSON object per line")
        if name != "list":
            action.add_argument("name", metavar="NAME", help="the cache; a reading folder needs no name")
            action.add_argument("paths", nargs="*", metavar="PATH", help="folders and files; to remove by default all")
        if name == "add":
            action.add_argument("--no-daemon", action="store_true", help="in this process, with an engine of its own")
            action.add_argument(
                "--reading",
                action="store_true",
                help="a reading folder: new files in it are found within seconds and told to editors",
            )


def _add_models(commands: Any) -> None:
    parser = _command(
        commands, "models", "models", "List the models that are known to work; fetch, choose, remove one."
    )
    parser.add_argument(
        "action",
        choices=["list", "pull", "use", "unload", "remove"],
        nargs="?",
        default="list",
        help="list (the default), fetch, choose for answers, free the daemon's memory, delete",
    )
    parser.add_argument(
        "name",
        nargs="?",
        help="a model of the list; with pull also owner/repository[:file] of a hub, or a GGUF file's URL (#sha256=… checks"
        " it); with use also a path, or `default`",
    )


def _add_serve(commands: Any) -> None:
    text = "Serve an editor over stdin and stdout, as a language server."
    parser = commands.add_parser("serve", help=text, description=text)
    parser.set_defaults(module="serve")
    parser.add_argument("--stdio", action="store_true", help="what it does anyway")
    parser.add_argument("--clientProcessId", metavar="PID", help="is not needed: it ends when the editor's end closes")
    parser.add_argument("--no-daemon", action="store_true", help="in this process, with an engine of its own")
    text = "End the daemon that serves the editors and the commands."
    parser = commands.add_parser("stop", help=text, description=text)
    parser.set_defaults(module="serve")


_ASKING = ("index", "search", "explain")  # modules whose work is done by the daemon
_ADDING: dict[str, Callable[[Any], None]] = {
    "index": _add_index,
    "search": _add_search,
    "explain": _add_explain,
    "ask": _add_ask,
    "threads": _add_threads,
    "status": _add_status,  # and doctor
    "eval": _add_eval,
    "caches": _add_caches,
    "models": _add_models,
    "serve": _add_serve,  # and stop
}


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code; only a bug shows a traceback."""
    os.umask(0o077)  # what is made is the user's own
    _open_missing_streams()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a name or a snippet may hold what the terminal cannot show
    signal.signal(signal.SIGTERM, _stop)
    try:
        options = make_parser(next(iter(arguments), "")).parse_args(arguments)
        if options.module not in _ASKING or options.no_daemon or "MEMCACHE_LOG" in os.environ:
            _log_to_stderr()
        code = int(importlib.import_module(f"memcache_lsp.cli.{options.module}").run(options))
        sys.stdout.flush()
    except (KeyboardInterrupt, Stopped) as stop:
        return _told(str(stop) or "Stopped.", Stopped.exit_code)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the interpreter's last flush goes there
        return UserError.exit_code
    except MemcacheError as error:
        return _told(str(error), error.exit_code)
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            return _told(f"The disk is full{where}: free some space, then run the command again.", UserError.exit_code)
        return _told(f"The system refused: {error.strerror or error}{where}.", UserError.exit_code)
    return code


def _log_to_stderr() -> None:
    import logging  # noqa: PLC0415 - 5 ms, and who asks the daemon has nothing to log

    level = logging.getLevelNamesMapping().get(os.environ.get("MEMCACHE_LOG", "ERROR").upper(), logging.ERROR)
    logging.basicConfig(level=level, stream=sys.stderr)


def _open_missing_streams() -> None:
    """Give a process that was started without a stream an empty one."""
    if sys.stdin is None:
        sys.stdin = open(os.devnull)  # noqa: SIM115, PTH123 - it lives as long as the process
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115, PTH123 - the same


def _told(sentence: str, code: int) -> int:
    with contextlib.suppress(OSError):  # stderr may be closed
        print(f"memcache-lsp: {sentence}", file=sys.stderr)
    return code


def _stop(_signal: int, _frame: object) -> NoReturn:
    raise Stopped("Stopped; what is indexed so far is kept.")
