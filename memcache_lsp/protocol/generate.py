"""Write what is generated from the specification: `python -m memcache_lsp.protocol.generate [--check]`.

Run at the top of the repository. Owns which file has which writer; the writers are in `emit`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from memcache_lsp.protocol.emit import elisp, lua, page, typescript

FILES: Mapping[str, Callable[[], str]] = {
    "protocol.md": page.render,
    "vscode/src/protocol.ts": typescript.render,
    "neovim/lua/memcache/protocol.lua": lua.render,
    "emacs/memcache-protocol.el": elisp.render,
}


def outdated(folder: Path) -> list[str]:
    """Return the names of the generated files in a folder that are missing or not current."""
    return [name for name, render in FILES.items() if _read(folder / name) != render()]


def write(folder: Path) -> list[str]:
    """Bring the generated files in a folder up to date; return the names of those that changed."""
    names = outdated(folder)
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(FILES[name](), encoding="utf-8", newline="\n")
    return names


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the files or check them; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m memcache_lsp.protocol.generate", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 where a file is not current")
    parser.add_argument("--into", type=Path, default=Path("editors"), metavar="DIR", help="default: editors")
    options = parser.parse_args(arguments)
    if not options.into.is_dir():
        parser.error(f"{options.into} is not a folder: run this at the top of the repository, or name one by --into.")
    if not options.check:
        sys.stdout.writelines(f"{options.into / name} written\n" for name in write(options.into))
        return 0
    names = outdated(options.into)
    for name in names:
        sys.stderr.write(f"{options.into / name} is not current: run `python -m memcache_lsp.protocol.generate`.\n")
    return 1 if names else 0


def _read(path: Path) -> str | None:
    return path.read_bytes().decode("utf-8", "replace") if path.is_file() else None


if __name__ == "__main__":
    sys.exit(main())
