"""Run the command line: `python -m memcache_lsp`."""

from __future__ import annotations

import os
import sys


def _is_front(arguments: list[str]) -> bool:
    """Tell whether an editor starts a relay, which must cost no more than it has to."""
    return arguments[:1] == ["serve"] and not {"--no-daemon", "-h", "--help"}.intersection(arguments)


def _completed(arguments: list[str]) -> list[str]:
    """Return the arguments with the command that an editor left out: `--stdio`, in whatever company, is `serve`."""
    left_out = "--stdio" in arguments and all(argument.startswith("-") for argument in arguments[:1])
    return ["serve", *arguments] if left_out else arguments


def _leave(code: int) -> None:
    """End at once where all that was done is done: to take the interpreter apart takes 13 ms of every command."""
    threading = sys.modules.get("threading")
    if "memcache_lsp.engine" in sys.modules or (threading is not None and threading.active_count() > 1):
        return
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (OSError, ValueError):  # as the interpreter would say it
        return
    os._exit(code)


def main() -> int:
    """Run the command line and return its exit code."""
    if sys.path and sys.path[0] in {"", os.getcwd()}:  # noqa: PTH109 - as Python itself writes it
        del sys.path[0]  # `python -m` puts the project there, whose files must never be imported
    try:
        arguments = _completed(sys.argv[1:])
        if _is_front(arguments):
            from memcache_lsp import front  # noqa: PLC0415 - and nothing else

            return front.main(arguments[1:])
        from memcache_lsp.cli import run  # noqa: PLC0415 - keeps importing this module free

        code = run(arguments)
    except KeyboardInterrupt:  # before or after the command line could say so
        return 130
    _leave(code)
    return code


if __name__ == "__main__":
    sys.exit(main())
