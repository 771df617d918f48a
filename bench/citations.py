"""Check that every citation that is shown resolves, with files edited, moved and deleted on the way, and unsaved buffers.

    python bench/citations.py --data DIR --corpora DIR [--repo NAME …] [--seed N]

The data is that of bench/retrieval.py. Each repository is copied and indexed by the engine; each question is searched for,
and answered once by quotations and once by a generator that cites all it is shown with words of it; then the next question
goes on with it as a thread, and cites what either was shown. Meanwhile something
happens to the files that were found, drawn by chance from `HAPPENS`, either between the search and the sources or between
the sources and the citations, in a thread between the two questions or within the second; every second time it happens in a buffer that is not saved. A citation resolves if its file
or buffer is there, its lines are in it, one that is told fresh or moved says there what was read, and one that is fresh is
where it was. This is checked against the bytes of the files, by code of its own. The exit code is 1 where one does not.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import retrieval

from memcache_lsp.answering import answer
from memcache_lsp.config import ProjectSettings, UserSettings
from memcache_lsp.conversation import after
from memcache_lsp.documents import shown_text
from memcache_lsp.embedding import Embedder, open_embedder
from memcache_lsp.engine import Project, Setup, open_project
from memcache_lsp.events import Citation, Event, Result, Sources
from memcache_lsp.evidence import Evidence
from memcache_lsp.generator import Finished, Step, StopFlag
from memcache_lsp.prompt import Message
from memcache_lsp.redact import FILLER
from memcache_lsp.scopes import Scope
from memcache_lsp.texts import text_now
from memcache_lsp.values import Hit
from memcache_lsp.verifying import Read, Verifier, drawn

FOUND = 40
_LINE_END = re.compile(r"\r\n|\n|\r")

Rng = random.Random


def lines_of(text: str) -> list[str]:
    return _LINE_END.split(text)


def edited(text: str, rng: Rng) -> str:
    """Change, add and take away lines here and there."""
    lines = text.split("\n")
    for _ in range(rng.randint(1, 8)):
        at = rng.randrange(len(lines) + 1)
        what = rng.random()
        if what < 0.4:
            lines[at:at] = [f"added {rng.random()}"] * rng.randint(1, 5)
        elif what < 0.7:
            del lines[at : at + rng.randint(1, 4)]
        elif at < len(lines):
            lines[at] = f"{lines[at]} changed"
    return "\n".join(lines)


def swapped(text: str, rng: Rng) -> str:
    """Move a block of lines to another place."""
    lines = text.split("\n")
    first = rng.randrange(len(lines))
    block = lines[first : first + 40]
    rest = lines[:first] + lines[first + 40 :]
    at = rng.randrange(len(rest) + 1)
    return "\n".join(rest[:at] + block + rest[at:])


HAPPENS: dict[str, Callable[[str, Rng], str | None]] = {
    "nothing": lambda text, _: text,
    "lines above": lambda text, rng: "a new line\n" * rng.randint(1, 30) + text,
    "lines taken away above": lambda text, rng: "\n".join(text.split("\n")[rng.randint(1, 15) :]),
    "edited": edited,
    "swapped": swapped,
    "indented": lambda text, _: "".join(f"    {line}\n" for line in text.split("\n")),
    "other line ends": lambda text, _: text.replace("\r\n", "\n").replace("\n", "\r\n"),
    "cut": lambda text, rng: text[: rng.randrange(len(text) + 1)],
    "emptied": lambda _, __: "",
    "another text": lambda _, rng: "".join(f"another {rng.random()}\n" for _ in range(50)),
    "deleted": lambda _, __: None,  # a file that is moved away is the same
}


class Citing:
    """Cite everything, with words of it."""

    name, context_tokens, thought_tokens, prompt_speed = "citing", 8192, 0, 1e6

    def __init__(self, excerpts: tuple[Evidence, ...], rng: Rng) -> None:
        self._excerpts, self._rng = excerpts, rng

    def count_tokens(self, text: str) -> int:
        return len(text) // 4

    def prompt_tokens(self, messages: Any) -> int:
        return sum(self.count_tokens(message.text) for message in messages) + 8

    def known_tokens(self, messages: Any) -> int:
        return self.prompt_tokens(messages)

    def generate(self, _: tuple[Message, ...], **__: Any) -> Iterator[Step]:
        for excerpt in self._excerpts:
            line = self._rng.choice(excerpt.text.splitlines() or [""]).strip()[:200]
            yield f"{line} [{excerpt.n}].\n"
        yield " [77]"
        yield Finished("stop", 1, 0, 1, 0.1, 0.1)

    def close(self) -> None:
        pass


@dataclass
class World:
    """The files of a copied repository, with what happens to them and is taken back."""

    root: Path
    buffers: dict[str, str] = field(default_factory=dict)

    def read(self, path: str) -> str | None:
        if path in self.buffers:
            return shown_text(path, self.buffers[path])
        return text_now(self.root, path)

    def raw(self, path: str) -> str | None:
        """Return what is there, by other means than the program's."""
        if path in self.buffers:
            return self.buffers[path]
        file = self.root / path
        if not file.is_file():
            return None
        data = file.read_bytes()
        try:
            return data.decode("utf-8-sig")
        except UnicodeDecodeError:
            return data.decode("cp1252", "replace")

    @contextmanager
    def happening(self, paths: list[str], rng: Rng) -> Iterator[Callable[[], str]]:
        """Give what makes something happen to some files; it is taken back in the end."""
        before = {path: (self.root / path).read_bytes() for path in paths}

        def happen() -> str:
            name = rng.choice(list(HAPPENS))
            unsaved = rng.random() < 0.5
            for path in paths:
                now = HAPPENS[name](self.raw(path) or "", rng)
                if now is None:
                    (self.root / path).unlink()
                elif unsaved:
                    self.buffers[path] = now
                else:
                    (self.root / path).write_text(now, encoding="utf-8", newline="", errors="surrogatepass")
            return name

        try:
            yield happen
        finally:
            self.buffers.clear()
            for path, data in before.items():
                (self.root / path).write_bytes(data)


def problem(world: World, citation: Citation, was: Citation, excerpts: tuple[Evidence, ...]) -> str:
    """Tell why a citation does not resolve, nothing where it does; `was` is what the answer meant."""
    text = world.raw(citation.path)
    if text is None:
        return "no file"
    now = lines_of(text)
    if not 1 <= citation.start_line <= citation.end_line <= len(now):
        return "lines that are not there"
    if citation.status == "stale":
        return ""
    if citation.status == "fresh" and (citation.start_line, citation.end_line) != (was.start_line, was.end_line):
        return "fresh, but elsewhere"
    own_first = sorted(excerpts, key=lambda e: e.n != was.n)
    read = next(e for e in own_first if e.path == was.path and e.start_line <= was.start_line <= e.end_line)
    wanted = lines_of(read.text)[was.start_line - read.start_line : was.end_line - read.start_line + 1]
    there = now[citation.start_line - 1 : citation.end_line]
    same = [a == b or b.strip() in a or FILLER * 4 in b for a, b in zip(there, wanted, strict=False)]
    return "" if len(there) == len(wanted) and all(same) else "another text"


def answered(
    world: World, question: str, hits: list[Hit], rng: Rng, *, model: bool, early: bool, tell: Counter[str]
) -> None:
    """Answer a question while something happens to the files, and check what is cited."""
    paths = sorted({hit.path for hit in hits[:20]})
    with world.happening(paths, rng) as happen:
        what = happen() if early else ""
        read: Read = partial(World.read, world)
        evidence, excerpts = drawn(hits, read)
        verifier = Verifier(excerpts, read)
        generator = Citing(excerpts, rng) if model else None
        run = answer(question, evidence, found=len(hits), generator=generator, stop=StopFlag(), excerpts=excerpts)
        for event in run:
            if isinstance(event, Sources) and not early:
                what = happen()
            check(world, event, verifier, excerpts, what, tell)


def gone_on(
    world: World,
    asked: tuple[str, list[Hit]],
    then: tuple[str, list[Hit]],
    rng: Rng,
    *,
    early: bool,
    tell: Counter[str],
) -> None:
    """Go on with a thread while something happens to the files of both questions, and check what the second answer cites."""
    paths = sorted({hit.path for _, hits in (asked, then) for hit in hits[:20]})
    with world.happening(paths, rng) as happen:
        read: Read = partial(World.read, world)
        evidence, excerpts = drawn(asked[1], read)
        citing = Citing(excerpts, rng)
        *_, result = answer(
            asked[0], evidence, found=len(asked[1]), generator=citing, stop=StopFlag(), excerpts=excerpts
        )
        if not isinstance(result, Result):
            raise TypeError("an answer ended without a result")
        earlier = after(result.told, 1 + len(evidence))
        what = happen() if early else ""
        evidence, excerpts = drawn(then[1], read)
        verifier = Verifier(excerpts, read, earlier=earlier.read, first=earlier.next_number)
        numbered = tuple(replace(each, n=each.n + earlier.next_number - 1) for each in excerpts)
        known = (*earlier.read, *numbered)
        run = answer(
            then[0], evidence, found=len(then[1]), generator=Citing(known, rng), stop=StopFlag(), excerpts=excerpts,
            earlier=earlier,
        )  # fmt: skip
        for event in run:
            if isinstance(event, Sources) and not early:
                what = happen()
            if isinstance(event, Result):
                tell["earlier"] += sum(each.n < earlier.next_number for each in event.citations)
            check(world, event, verifier, known, what, tell)


def check(
    world: World, event: Event, verifier: Verifier, excerpts: tuple[Evidence, ...], what: str, tell: Counter[str]
) -> None:
    meant = (event,) if isinstance(event, Citation) else event.citations if isinstance(event, Result) else ()
    for was in meant:
        shown = verifier.checked([was])
        tell["dropped"] += not shown
        for citation in shown:
            tell["shown"] += 1
            tell[citation.status] += 1
            why = problem(world, citation, was, excerpts)
            if why:
                tell["wrong"] += 1
                print(f"{why} ({what}): {citation} {was}", file=sys.stderr)


def measure(repo: Any, corpora: Path, scratch: Path, embedder: Embedder, seed: int, tell: Counter[str]) -> None:
    top = shutil.copytree(corpora / repo["name"], scratch / repo["name"], symlinks=True)
    root = (top / repo["top"]).resolve()
    os.environ["MEMCACHE_HOME"] = str(scratch / "home")
    rng = random.Random(f"{seed} {repo['name']}")
    setup = Setup(root=root, user=UserSettings(), project=ProjectSettings(), embedder=embedder)
    project: Project = open_project(setup, purpose="bench/citations.py")
    try:
        project.update(max_files=None)
        world = World(root)
        before: tuple[str, list[Hit]] | None = None
        for query in repo["queries"]:
            hits = project.search(query["query"], scope=Scope(), limit=FOUND, per_file=3)
            for model in (True, False):
                for early in (True, False):
                    answered(world, query["query"], hits, rng, model=model, early=early, tell=tell)
            for early in (True, False) if before and hits else ():
                gone_on(world, before, (query["query"], hits), rng, early=early, tell=tell)
                tell["follow-ups"] += 1
            before = (query["query"], hits) if hits else None
            tell["questions"] += 1
    finally:
        project.close()
        shutil.rmtree(scratch / repo["name"])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of repos.json and annotations/")
    parser.add_argument("--corpora", type=Path, required=True, help="folder of the repositories, by name")
    parser.add_argument("--repo", action="append", help="only this repository; may be given several times")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    tell: Counter[str] = Counter()
    embedder = open_embedder()
    began = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="mc-bench-") as folder:
        for repo in retrieval.load(args.data, args.repo):
            if (args.corpora / repo["name"]).is_dir():
                measure(repo, args.corpora, Path(folder).resolve(), embedder, args.seed, tell)
    if not tell["shown"]:
        print("Nothing was cited: see --help for what --data and --corpora must hold.", file=sys.stderr)
        return 1
    resolve = 1 - tell["wrong"] / tell["shown"]
    states = ", ".join(f"{tell[each]} {each}" for each in ("fresh", "moved", "stale"))
    print(
        f"{tell['questions']} questions, four answers each, and {tell['follow-ups']} follow-ups, {time.perf_counter() - began:.0f} s"
    )
    print(f"{tell['shown']} citations shown ({states}), {tell['dropped']} dropped; {resolve:.2%} resolve")
    print(f"{tell['earlier']} of the follow-ups' citations were of what an earlier question was shown")
    return 0 if tell["wrong"] == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
