"""Hold what a model's answers take against a bare llama.cpp loop, a follow-up against its first question, and a replay.

    python bench/answers.py [PART …] [--model NAME] [--pairs N] [--threads N]

Parts: bare, followup, replay; all of them where none is named. `bare` runs the library's own loop with its own settings
in a process of its own, one answer of ours and one of its in turn, on the same prompt with the same threads. NAME is a
model in the models folder or the path of a GGUF file. The exit code is 1 where a limit is broken.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from serving.figures import Figure, measure_parts, quantile

from memcache_lsp import models
from memcache_lsp.answering import answer
from memcache_lsp.conversation import Told, after
from memcache_lsp.events import Delta, Result
from memcache_lsp.generation import LlamaGenerator, load
from memcache_lsp.generator import Finished, StopFlag
from memcache_lsp.prompt import SYSTEM, Message
from memcache_lsp.values import Hit, Span

DEFAULT_MODEL = "smollm2-135m-instruct"
PAIRS = 6
THREADS = 2
CONTEXT = 2560
BARE_TOKENS = 1000  # of the prompts that are held against the bare loop
FIRST_TOKENS = 1500  # of the threads
WRITTEN = 48
FIRST_LIMIT, SPEED_LIMIT, FOLLOW_LIMIT = 1.10, 0.95, 0.25
READS_ALL = 1e6  # tokens a second, of a machine that reads any prompt in time
_SOURCES = Path(__file__).parent.parent / "memcache_lsp"
_BARE = """
import json, sys, time, llama_cpp
path, context, threads = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
model = llama_cpp.Llama(path, n_ctx=context, n_threads=threads, n_threads_batch=threads, verbose=False)
for line in sys.stdin:
    asked = json.loads(line)
    model.reset()
    began = time.perf_counter()
    times = []
    for token in model.generate(asked["tokens"], temp=0.0):
        times.append(time.perf_counter())
        if len(times) == asked["written"]:
            break
    print(json.dumps({"first_s": times[0] - began, "speed": (len(times) - 1) / (times[-1] - times[0])}), flush=True)
"""


@dataclass(frozen=True, slots=True)
class Took:
    """What an answer took: seconds to the first token, then tokens a second."""

    first_s: float
    speed: float


def texts() -> Iterator[str]:
    """Return different stretches of real code."""
    for path in sorted(_SOURCES.rglob("*.py"), key=lambda path: path.stat().st_size, reverse=True):
        yield path.read_text()


def cut(model: LlamaGenerator, text: str, tokens: int) -> str:
    """Return the beginning of a text that has about so many tokens."""
    lines = (text * 4).splitlines(keepends=True)
    low, high = 1, len(lines)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if model.count_tokens("".join(lines[:middle])) <= tokens else (low, middle - 1)
    return "".join(lines[:low])


def bare(model: LlamaGenerator, path: Path, args: argparse.Namespace) -> list[Figure]:
    """Answer prompts in turn with the bare loop."""
    child = subprocess.Popen(
        [sys.executable, "-c", _BARE, str(path), str(CONTEXT), str(args.threads)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={name: value for name, value in os.environ.items() if name != "GOMP_SPINCOUNT"},
    )
    assert child.stdin
    assert child.stdout

    def theirs(messages: Sequence[Message]) -> Took:
        tokens, _ = model._tokens(messages)  # noqa: SLF001 - the same prompt to the token
        print(json.dumps({"tokens": tokens, "written": WRITTEN}), file=child.stdin, flush=True)
        return Took(**json.loads(child.stdout.readline()))  # type: ignore[union-attr]

    prompts = [
        (Message("system", SYSTEM), Message("user", f"{cut(model, text, BARE_TOKENS)}\nTell at length what this does."))
        for text, _ in zip(texts(), range(args.pairs + 1), strict=False)
    ]
    pairs: list[tuple[Took, Took]] = []
    with child:
        for at, prompt in enumerate(prompts):
            ways: list[Callable[[Sequence[Message]], Took]] = [partial(ours, model), theirs]
            first = at % 2
            found = {way: ways[way](prompt) for way in (first, 1 - first)}
            pairs.append((found[0], found[1]))
        child.stdin.close()
    pairs = pairs[1:]  # the first has what is read from the disk
    firsts = [one.first_s / other.first_s for one, other in pairs]
    speeds = [one.speed / other.speed for one, other in pairs]
    return [
        Figure("first token, of the bare loop's time, p50 of pairs", quantile(firsts, 0.5), "", FIRST_LIMIT),
        Figure("first token, of the bare loop's time, worst pair", max(firsts), ""),
        Figure(
            "tokens a second, of the bare loop's, p50 of pairs", quantile(speeds, 0.5), "", SPEED_LIMIT, at_least=True
        ),
        Figure("tokens a second, of the bare loop's, worst pair", min(speeds), ""),
        Figure("first token of ours, p50", 1000 * quantile([one.first_s for one, _ in pairs], 0.5)),
        Figure("tokens a second of ours, p50", quantile([one.speed for one, _ in pairs], 0.5), "/s"),
    ]


def ours(model: LlamaGenerator, messages: Sequence[Message]) -> Took:
    """Answer as the program does, from the messages to the text."""
    began = time.perf_counter()
    first = end = 0.0
    for step in model.generate(messages, max_tokens=WRITTEN, stop=StopFlag()):
        if isinstance(step, str):
            first = first or time.perf_counter()
        elif isinstance(step, Finished):
            end, finished = time.perf_counter(), step
    return Took(first - began, (finished.answer_tokens - 1) / (end - first))


def hits_of(model: LlamaGenerator, text: str, tokens: int) -> list[Hit]:
    """Return a text as places that a search found, of about so many tokens in all."""
    lines = cut(model, text, tokens).splitlines()
    size = max(1, len(lines) // 6)
    found = []
    for at in range(0, len(lines), size + 1):  # a line between them, so that they are not merged
        piece = "\n".join(lines[at : at + size])
        found.append(
            Hit("src/file.py", Span(at, at + len(piece), at + 1, at + size), piece, "block", "", "python", (), 1.0)
        )
    return found


def asked(
    model: LlamaGenerator, question: str, hits: Sequence[Hit], told: Told | None, *, reads: float | None = READS_ALL
) -> tuple[float, Result]:
    """Answer by the program's own way from hits to events; return the time to the first text, and the result."""
    model.prompt_speed = reads
    began = time.perf_counter()
    first = 0.0
    earlier = after(told, 1 if told is None else 13)
    for event in answer(
        question, hits, found=len(hits), generator=model, stop=StopFlag(), earlier=earlier, max_tokens=WRITTEN
    ):
        if isinstance(event, Delta):
            first = first or time.perf_counter() - began
        if isinstance(event, Result):
            result = event
    return first, result


def followup(model: LlamaGenerator, path: Path, args: argparse.Namespace) -> list[Figure]:
    """Ask a question and go on with it: at once, after another thread has had the model, and by a daemon started since."""
    threads, resumed = [], []
    source = texts()
    for _ in range(args.pairs):
        first_s, first = asked(model, "What does this do?", hits_of(model, next(source), FIRST_TOKENS), None)
        new = hits_of(model, next(source), 600)
        next_s, _ = asked(model, "And where is it called?", new, first.told)
        asked(model, "What does this do?", hits_of(model, next(source), 400), None)
        later_s, later = asked(model, "And who calls it?", new[::-1], first.told)
        threads.append((first.usage.prompt_tokens, first_s, next_s, later_s, later.usage))
        began = time.perf_counter()
        with load(path, context_tokens=CONTEXT, threads=args.threads) as cold:  # it has not measured its speed, either
            loaded_s = time.perf_counter() - began
            cold_s, read = asked(cold, "And who calls it?", new, first.told, reads=None)
        resumed.append(((loaded_s + cold_s) / first_s, read.usage.prompt_tokens))
    ratio = [at_once / first for _, first, at_once, _, _ in threads]
    after_another = [later / first for _, first, _, later, _ in threads]
    return [
        Figure("first question: tokens, least", min(tokens for tokens, *_ in threads), "", 1300, at_least=True),
        Figure("follow-up's first text, of the first question's time, p50", quantile(ratio, 0.5), "", FOLLOW_LIMIT),
        Figure("follow-up's first text, of the first question's time, max", max(ratio), "", FOLLOW_LIMIT),
        Figure("the same after another thread, p50", quantile(after_another, 0.5), "", FOLLOW_LIMIT),
        Figure("the same after another thread, max", max(after_another), "", FOLLOW_LIMIT),
        Figure("the same by a cold daemon, its model loaded first, p50", quantile([s for s, _ in resumed], 0.5), ""),
        Figure("the same by a cold daemon, max", max(s for s, _ in resumed), ""),
        Figure("tokens that a cold daemon reads, most", max(tokens for _, tokens in resumed), ""),
        Figure("tokens that a follow-up reads, most", max(u.prompt_tokens - u.reused_tokens for *_, u in threads), ""),
        Figure("memory of the states that are kept", model._context.prefixes.size_bytes / 1e6, "MB"),  # noqa: SLF001
    ]


def replay(model: LlamaGenerator, _path: Path, args: argparse.Namespace) -> list[Figure]:
    """Compute answers once more, those of follow-ups among them, each from an empty context."""
    source = texts()
    said: list[Told] = []
    for _ in range(args.pairs):
        _, first = asked(model, "What does this do?", hits_of(model, next(source), 500), None)
        _, further = asked(model, "And where is it called?", hits_of(model, next(source), 300), first.told)
        said += [result.told for result in (first, further) if result.told]
    same = 0
    for told in said:
        assert told.computed is not None
        steps = model.replay(told.prompt, told.computed, max_tokens=told.max_tokens, stop=StopFlag())
        same += "".join(step for step in steps if isinstance(step, str)) == told.said
    return [Figure("answers that came again to the byte", same, f"of {len(said)}", len(said), at_least=True)]


PARTS: dict[str, Callable[[LlamaGenerator, Path, argparse.Namespace], list[Figure]]] = {
    "bare": bare,
    "followup": followup,
    "replay": replay,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--model", default=DEFAULT_MODEL, metavar="NAME", help=f"by default {DEFAULT_MODEL}")
    parser.add_argument("--pairs", type=int, default=PAIRS, metavar="N", help=f"by default {PAIRS}")
    parser.add_argument("--threads", type=int, default=THREADS, metavar="N", help=f"by default {THREADS}")
    args = parser.parse_args()
    if unknown := set(args.parts) - set(PARTS):
        parser.error(f"there is no part {', '.join(sorted(unknown))}")
    path = models.locate(args.model, relative=True)
    if path is None:
        raise SystemExit(f"There is no model {args.model}.")
    with load(path, context_tokens=CONTEXT, threads=args.threads) as model:
        return measure_parts(args.parts or PARTS, lambda name: PARTS[name](model, path, args))


if __name__ == "__main__":
    sys.exit(main())
