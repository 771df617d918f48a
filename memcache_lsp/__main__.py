"""Run the command line: `python -m memcache_lsp`."""

from __future__ import annotations

import os
import sys


def main() -> int:
    """Run the command line and return its exit code."""
    if sys.path and sys.path[0] in {"", os.getcwd()}:  # noqa: PTH109 - as Python itself writes it
        del sys.path[0]  # `python -m` puts the project there, whose files must never be imported
    try:
        from memcache_lsp.cli import run  # noqa: PLC0415 - keeps importing this module free

        return run(sys.argv[1:])
    except KeyboardInterrupt:  # before or after the command line could say so
        return 130


if __name__ == "__main__":
    sys.exit(main())
