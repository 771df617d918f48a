"""Measure how soon a reading folder takes a new page in, and that a cache which is removed leaves nothing.

    python bench/reading.py [--pages N] [--others N] [--check]

An editor's session watches a folder with N other pages. Then pages come one at a time, by turns as browsers save them:
written under another name and renamed, written in place, written in pieces with a pause that is shorter than the
wait, and whole: a folder of scripts, styles and frames, then the page that they belong to. Each is searched for by a word of its own until it is found at its last line, so a piece of it does not count. In
the end the cache is removed, and every file of the program's folders is looked through for the words and the folder's
name. With `--check` the exit code is 1 where a limit is broken.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from serving.editor import Editor
from serving.figures import Figure, measure_parts, spread
from serving.home import Home

LIMIT_S = 5.0
_POLL_S = 0.05
_PIECE_S = 0.3
_PARTS = 8
_FILLER = "Pages that one reads hold many words that are of no use to anybody. " * 40
_SYLLABLES = ("zor", "mip", "quel", "vant", "drub", "flee", "gost", "hix", "jaln", "kerp")


def word(number: int) -> str:
    """Return a word that no other page has."""
    return "".join(_SYLLABLES[int(digit)] for digit in f"{number:04}")


def page(number: int) -> str:
    return f"# Page {number}\n\n{_FILLER}\n\n## The last section\n\nIt ends with {word(number)}.\n"


async def renamed(path: Path, text: str) -> None:
    part = path.with_name(f"{path.name}.part")
    part.write_text(text)
    part.rename(path)


async def in_place(path: Path, text: str) -> None:
    path.write_text(text)


async def in_pieces(path: Path, text: str) -> None:
    with path.open("w") as file:
        for half in (text[: len(text) // 2], text[len(text) // 2 :]):
            file.write(half)
            file.flush()
            await asyncio.sleep(_PIECE_S)


async def whole(path: Path, text: str) -> None:
    """Save a page with what it is shown with, the page last."""
    beside = path.with_name(f"{path.stem}_files")
    beside.mkdir()
    for part in range(_PARTS):
        (beside / f"part{part}.js").write_text(f"function shown{part}() {{ return {part} }}\n" * 20)
        (beside / f"frame{part}.html").write_text(f"<html><body><p>{_FILLER}</p></body></html>")
    (beside / "look.css").write_text("p { margin: 0 }\n" * 20)
    blocks = "\n".join(
        f"<h2>{part[3:]}</h2>" if part.startswith("## ") else f"<p>{part}</p>" for part in text.split("\n\n")
    )
    path.with_suffix(".html").write_text(f"<!doctype html>\n<html><body>\n{blocks}\n</body></html>\n")


WAYS = (renamed, in_place, in_pieces, whole)


async def found_after_s(editor: Editor, number: int) -> float:
    """Return the seconds from now until a search finds a page at its last line, infinite beyond a minute."""
    began = time.perf_counter()
    params = {"query": word(number), "limit": 3, "scope": {"caches": ["reading"]}}
    while time.perf_counter() - began < 60:
        hits = (await editor.call("memcache/search", params))["hits"]
        if any(word(number) in hit["snippet"] for hit in hits):
            return time.perf_counter() - began
        await asyncio.sleep(_POLL_S)
    return float("inf")


async def measure(home: Home, folder: Path, pages: int) -> tuple[list[float], list[str], int]:
    """Return how long each page took from its last write on, what the editor was told of, and how many files did tell of them."""
    editor = await Editor.open(home, quotations=True)
    told: list[str] = []
    editor.hears["memcache/didReadDocument"] = lambda news: told.append(news["uri"])
    add = {"action": "add", "name": "reading", "uris": [folder.as_uri()], "reading": True}
    await editor.call("memcache/caches", add)
    while (await editor.call("memcache/caches", {"action": "list"}))["caches"][0]["state"] != "ready":
        await asyncio.sleep(0.1)
    took = []
    for number in range(pages):
        await WAYS[number % len(WAYS)](folder / f"saved {number}.md", page(number))
        took.append(await found_after_s(editor, number))
    await asyncio.sleep(1)
    before = len(left_over(home, folder, pages))
    await editor.call("memcache/caches", {"action": "remove", "name": "reading"})
    await editor.leave()
    return took, told, before


def left_over(home: Home, folder: Path, pages: int) -> list[Path]:
    """Return the files of the program that still say anything of what was removed, but for its log."""
    words = [word(number).encode() for number in range(pages)] + [str(folder).encode(), folder.name.encode()]
    files = (path for path in home.folder.rglob("*") if path.is_file() and "log" not in path.name)
    return [path for path in files if any(each in path.read_bytes() for each in words)]


def figures(pages: int, others: int) -> Callable[[str], Iterator[Figure]]:
    def all_of(_part: str) -> Iterator[Figure]:
        with Home() as home, tempfile.TemporaryDirectory(prefix="read-pages-") as made:
            folder = Path(made)
            for number in range(others):
                (folder / f"old {number}.md").write_text(f"# Old page {number}\n\n{_FILLER}\n")
            took, told, before = asyncio.run(measure(home, folder, pages))
            yield from spread("new page found", took, limits={"p95": LIMIT_S}, shown=("p50", "p95", "max"), unit="s")
            saved = {path.as_uri() for path in folder.iterdir() if path.name.startswith("saved ") and path.is_file()}
            yield Figure("pages that the editor was told of", len(saved.intersection(told)), "", pages, at_least=True)
            yield Figure("other files that it was told of", len(set(told) - saved), "", 1)
            home.stop()
            left = left_over(home, folder, pages)
            for path in left:
                print(f"left over: {path}", file=sys.stderr)
            yield Figure("files that told of it before it was removed", before, "", 1, at_least=True)
            yield Figure("files that still tell of it", len(left), "", 1)
            indexes = list(home.indexes.glob("*/*"))
            yield Figure("indexes that are left", len(indexes), "", 1)

    return all_of


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=int, default=20, metavar="N")
    parser.add_argument("--others", type=int, default=500, metavar="N")
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    code = measure_parts(["reading folder"], figures(options.pages, options.others))
    return code if options.check else 0


if __name__ == "__main__":
    sys.exit(main())
