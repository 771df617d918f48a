"""Ask the program questions whose answers were read by eye, and print how many were right.

    python bench/judged.py ask --corpora DIR [--repo NAME …] [--model NAME] [--reads N] [--threads N] [FILES]
    python bench/judged.py sheet [--all] [FILES]
    python bench/judged.py table [FILES]
    python bench/judged.py files --corpora DIR --kept FILE [--repo NAME …] [--model NAME] [--each N] [--show]

FILES are --questions, --answers and --verdicts; by default those beside this command. `ask` answers the questions one
after another by the real program, with one daemon in a home of its own, and writes each answer down as it comes: after
a kill it goes on where it was. DIR holds the repositories by name, NAME is a model in the models folder or the path of
a GGUF file. The model is taken to read N tokens a second, so that it gets as much evidence on a busy machine as on a
quiet one. `sheet` prints the answers that nobody judged yet, with what a right one says and each sentence's number.

A verdict is kept under the digest of the question and its answer: `verdict` (right, partly, wrong, refused), `why` where
it is not right, and `untrue`, the numbers of the sentences that are not so. An answer that is another one than was judged
counts as not judged, and the exit code of `table` is 1 then.

`files` sums up N files of each repository and explains a piece of each, and counts the answers that cite something. What
the model says is kept in FILE under the digest of its prompt, so that a second run asks it only where the prompt is
another one. The exit code is 1 where fewer than nine of ten summaries cite something.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from serving.home import PROGRAM, Home

from memcache_lsp import models
from memcache_lsp.answering import answer
from memcache_lsp.documents import decoded_text, shown_text
from memcache_lsp.events import Result
from memcache_lsp.evidence import gathered
from memcache_lsp.generation import LlamaGenerator, load
from memcache_lsp.generator import Finished, Step, StopFlag
from memcache_lsp.intents import Intent, about_lines, parts_of, plan
from memcache_lsp.languages import language_of
from memcache_lsp.prompt import Message
from memcache_lsp.sentences import sentences

MODEL = "qwen2.5-coder-0.5b-instruct"
READS = 130.0  # tokens a second, as two quiet cores read of the default model (136 by `bench/busy.py`)
THREADS = 2  # always as many, since what they compute differs with their number
VERDICTS = ("right", "partly", "wrong", "refused")
NOT_JUDGED = "not judged"
NO_ANSWER = "none"  # the kind of question that the project does not answer
EACH = 4  # files of a repository
FILE_BYTES = range(600, 24_000)
LEAST_CITING = 0.9  # of the summaries
CONTEXT = 4096
KINDS: dict[str, Intent] = {"summaries": "summarize", "explanations": "explain"}
_HERE = Path(__file__).parent
_MARK = re.compile(r"\[\s*\d+(?:\s*[,;–-]\s*\d+)*\s*\]")  # noqa: RUF001 - models write the dash too

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Said:
    """A sentence of an answer."""

    number: int
    text: str
    cites: bool
    marked: bool  # as not borne out by what it cites


def digest(question: str, answer: str) -> str:
    """Return under what a verdict is kept."""
    return hashlib.sha256(f"{question}\0{answer}".encode()).hexdigest()[:16]


def said(answer: Json) -> list[Said]:
    """Return the sentences of an answer; a refusal has none."""
    if answer["finish"] == "no_answer":
        return []
    text, marked = answer["answer"], answer["unsupported"]
    found = []
    for number, each in enumerate(sentences(text)):
        stretch = text[each.start : each.end]
        mark = any(start < each.end and each.start < end for start, end in marked)
        found.append(Said(number, stretch, _MARK.search(stretch) is not None, mark))
    return found


def verdict_of(question: Json, answers: Json, verdicts: Json) -> Json | None:
    """Return the verdict of the answer that a question has now."""
    answer = answers.get(question["id"])
    if answer is None or answer["question"] != question["question"]:
        return None
    found: Json | None = verdicts.get(digest(answer["question"], answer["answer"]))
    return found


def rows(questions: Sequence[Json], answers: Json, verdicts: Json, by: str) -> Iterator[str]:
    """Give a table's lines, a row for each repository or kind, and one for all."""
    yield f"| {by} | questions | {' | '.join(VERDICTS)} | {NOT_JUDGED} |"
    yield "|---" * (len(VERDICTS) + 3) + "|"
    for name in [*dict.fromkeys(each[by] for each in questions), "**all**"]:
        own = [each for each in questions if name in (each[by], "**all**")]
        found = (verdict_of(each, answers, verdicts) for each in own)
        count = Counter(NOT_JUDGED if each is None else each["verdict"] for each in found)
        told = " | ".join(str(count[each]) for each in (*VERDICTS, NOT_JUDGED))
        yield f"| {name} | {len(own)} | {told} |"


def sums(questions: Sequence[Json], answers: Json, verdicts: Json) -> Iterator[str]:
    """Tell of the sentences, of their marks, of refusals and of what was read."""
    count: Counter[str] = Counter()
    for each in questions:
        verdict = verdict_of(each, answers, verdicts)
        if verdict is None:
            continue
        for sentence in said(answers[each["id"]]):
            untrue = sentence.number in verdict.get("untrue", ())
            count.update(shown=1, cited=sentence.cites, untrue=untrue)
            count.update(marked=sentence.marked, both=sentence.marked and untrue)
        known = "unknown" if each["kind"] == NO_ANSWER else "known"
        count.update([known, f"{known} {verdict['verdict']}"])
    yield f"{count['shown']} sentences shown, {count['cited']} with a citation, {count['untrue']} not so"
    yield f"{count['marked']} marked as not borne out, of which {count['both']} are not so"
    yield f"{count['known refused']} refused of {count['known']} questions that have an answer"
    yield f"{count['unknown refused']} refused of {count['unknown']} questions that have none"
    asked = [answers[each["id"]] for each in questions if each["id"] in answers]
    read_tokens = sorted(each["promptTokens"] for each in asked if each["finish"] != "no_answer")
    if read_tokens:
        yield f"{read_tokens[len(read_tokens) // 2]} tokens of prompt at p50, {read_tokens[-1]} at most"


def table(args: argparse.Namespace) -> int:
    """Print what the verdicts tell."""
    questions, answers, verdicts = read(args.questions), answers_of(args), read(args.verdicts, {})
    if args.repo:
        questions = [each for each in questions if each["repo"] in args.repo]
    for by in ("repo", "kind"):
        print("\n".join(rows(questions, answers, verdicts, by)), end="\n\n")
    print("\n".join(sums(questions, answers, verdicts)))
    left = [each["id"] for each in questions if verdict_of(each, answers, verdicts) is None]
    if left:
        print(f"Not judged: {', '.join(left)}. See `sheet`.", file=sys.stderr)
    return 1 if left else 0


def sheet(args: argparse.Namespace) -> int:
    """Print answers as one reads them to judge."""
    questions, answers, verdicts = read(args.questions), answers_of(args), read(args.verdicts, {})
    for each in questions:
        answer, verdict = answers.get(each["id"]), verdict_of(each, answers, verdicts)
        if answer is None or (verdict and not args.all) or (args.repo and each["repo"] not in args.repo):
            continue
        print(f"## {each['id']} {digest(answer['question'], answer['answer'])} ({each['kind']}, {answer['finish']})")
        print(f"{each['question']}\nRight: {each['expect']}  {' '.join(each['paths'])}")
        for sentence in said(answer):
            print(f"  {sentence.number}{' ?' if sentence.marked else ''} {sentence.text}")
        print(
            "".join(f"  [{c['n']}] {c['path']}:{c['startLine']}-{c['endLine']}\n" for c in answer["citations"]), end=""
        )
        print("".join(f"  read [{n}] {place}\n" for n, place in enumerate(answer["sources"], 1)), end="")
        print(f"  Verdict: {verdict['verdict']} {verdict.get('why', '')}\n" if verdict else "")
    return 0


def ask(args: argparse.Namespace) -> int:
    """Ask what has no answer yet."""
    model = models.locate(args.model, relative=True)
    if model is None:
        raise SystemExit(f"There is no model {args.model}: fetch it with `memcache-lsp models pull {args.model}`.")
    questions, answers = read(args.questions), answers_of(args)
    missing = [each for each in questions if answers.get(each["id"], {}).get("question") != each["question"]]
    todo = [each for each in missing if not args.repo or each["repo"] in args.repo]
    if absent := {each["repo"] for each in todo if not (args.corpora / each["repo"]).is_dir()}:
        raise SystemExit(
            f"There is no {', '.join(sorted(absent))} in {args.corpora}: name the folder of all repositories."
        )
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the daemon in the home is ended then as well
    with Home(model) as home:
        with (home.folder / "config" / "config.toml").open("a") as settings:
            settings.write(f"threads = {args.threads}\n")
        home.start(sys.executable, "-P", "-m", "serving.paced", str(args.reads))
        for repo in dict.fromkeys(each["repo"] for each in todo):
            run(home, "index", "--json", "--root", str(args.corpora / repo))
        for each in todo:
            answers[each["id"]] = one(home, each, args.corpora)
            write(args.answers, {"model": model.stem, "reads": args.reads, "answers": answers})
            print(f"{each['id']}: {answers[each['id']]['seconds']:.0f} s", flush=True)
    return 0


def one(home: Home, question: Json, corpora: Path) -> Json:
    """Ask one question, and return what is kept of its answer."""
    began = time.perf_counter()
    events = run(home, "ask", "--json", "--root", str(corpora / question["repo"]), question["question"])
    seconds = time.perf_counter() - began
    sources = next(each["items"] for each in events if each["type"] == "sources")
    result = next(each for each in events if each["type"] == "result")
    return {
        "question": question["question"],
        "answer": result["answer"],
        "finish": result["finishReason"],
        "citations": result["citations"],
        "unsupported": [[each["start"], each["end"]] for each in result["unsupported"]],
        "sources": [f"{each['path']}:{each['startLine']}-{each['endLine']}" for each in sources[:12]],
        "read": result["evidence"]["read"],
        "promptTokens": result["usage"]["promptTokens"],
        "answerTokens": result["usage"]["answerTokens"],
        "firstTextSeconds": result["timings"]["firstTextSeconds"],
        "seconds": round(seconds, 2),
    }


def run(home: Home, *arguments: str) -> list[Json]:
    """Run a command of the program; return the lines that it prints."""
    done = subprocess.run([*PROGRAM, *arguments], capture_output=True, text=True, env=home.environment, check=False)
    if done.returncode not in (0, 3):
        raise SystemExit(f"memcache-lsp {arguments[0]} failed: {done.stderr.strip()}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def files(args: argparse.Namespace) -> int:
    """Sum up files, and count the answers that cite something."""
    path = models.locate(args.model, relative=True)
    if path is None:
        raise SystemExit(f"There is no model {args.model}: fetch it with `memcache-lsp models pull {args.model}`.")
    count: Counter[str] = Counter()
    with load(path, context_tokens=CONTEXT, threads=args.threads) as model:
        generator = Kept(model, args.kept, args.reads)
        repos = args.repo or dict.fromkeys(each["repo"] for each in read(args.questions))
        found = [(repo, name) for repo in repos for name in chosen_files(args.corpora / repo, args.each)]
        for kind, intent in KINDS.items():
            for repo, name in found:
                told = about_file(generator, args.corpora / repo, name, intent)
                tell_of(kind, f"{repo}/{name}", told, count, show=args.show)
    for kind in KINDS:
        share = (
            f"{count[f'{kind} cited']} of {count[f'{kind} sentences']} sentences cite, {count[f'{kind} marked']} marked"
        )
        print(f"{kind}: {count[f'{kind} citing']} of {count[kind]} cite something; {share}")
    return 0 if count["summaries citing"] >= LEAST_CITING * count["summaries"] else 1


def chosen_files(root: Path, number: int) -> list[str]:
    """Draw files of known languages by chance, the same ones each time."""
    found = [each for each in sorted(root.rglob("*")) if each.is_file() and not each.is_symlink()]
    names = [str(each.relative_to(root)) for each in found if each.stat().st_size in FILE_BYTES]
    known = [name for name in names if not name.startswith(".") and language_of(name) not in ("text", "json", "csv")]
    return random.Random(root.name).sample(known, min(number, len(known)))


def about_file(generator: Kept, root: Path, name: str, intent: Intent) -> Result:
    """Ask for a summary of a file, or for an explanation of its longest piece."""
    text = shown_text(name, decoded_text(name, (root / name).read_bytes()) or "")
    first, last, question = 1, 1_000_000, "Summarize this file."
    if intent == "explain":
        longest = max(parts_of(name, text), key=lambda part: len(part.text)).span
        first, last, question = longest.start_line, longest.end_line, "Explain this."
    way = plan(intent, question, about_lines(name, text, first, last))
    excerpts = gathered(way.own, parted=way.parted)
    run = answer(way.question, way.own, found=1, generator=generator, stop=StopFlag(), excerpts=excerpts)
    *_, result = run
    assert isinstance(result, Result)
    return result


def tell_of(kind: str, name: str, told: Result, count: Counter[str], *, show: bool) -> None:
    """Count what an answer cites."""
    text = told.answer
    parts = [each for each in sentences(text) if not each.is_code]
    cited = [_MARK.search(text[each.start : each.end]) is not None for each in parts]
    marked = [any(u.start < e.end and e.start < u.end for u in told.unsupported) for e in parts]
    count.update({kind: 1, f"{kind} citing": int(bool(told.citations)), f"{kind} sentences": len(parts)})
    count.update({f"{kind} cited": sum(cited), f"{kind} marked": sum(marked)})
    if show or not told.citations:
        print(f"## {kind} {name} {'' if told.citations else 'cites nothing'}")
        for each, is_marked in zip(parts, marked, strict=True):
            print(f"  {'?' if is_marked else ' '} {text[each.start : each.end]}")
    sys.stdout.flush()


class Kept:
    """A model that says again what it said to the same prompt."""

    def __init__(self, model: LlamaGenerator, path: Path, reads: float) -> None:
        self.name, self.context_tokens, self.prompt_speed = model.name, model.context_tokens, reads
        self.count_tokens, self.prompt_tokens, self.known_tokens = (
            model.count_tokens,
            model.prompt_tokens,
            model.known_tokens,
        )
        self.thought_tokens, self.notes = model.thought_tokens, model.notes
        self._model, self._path = model, path
        self._said: Json = read(path, {})

    def generate(self, messages: Sequence[Message], *, max_tokens: int, stop: StopFlag) -> Iterator[Step]:
        """Give what is kept, else ask the model and keep it."""
        key = hashlib.sha256(repr((self.name, messages, max_tokens)).encode()).hexdigest()[:16]
        if key not in self._said:
            steps = list(self._model.generate(messages, max_tokens=max_tokens, stop=stop))
            said = "".join(step for step in steps if isinstance(step, str))
            reason = next(step.finish_reason for step in steps if isinstance(step, Finished))
            self._said[key] = {"said": said, "reason": reason}
            write(self._path, self._said)
        kept = self._said[key]
        yield kept["said"]
        yield Finished(kept["reason"], 1, 0, 1, 1.0, 1.0)

    def close(self) -> None:
        """Leave the model open for who opened it."""


def read(path: Path, default: Any = None) -> Any:
    """Return what a file holds, the default where there is none."""
    if default is not None and not path.exists():
        return default
    return json.loads(path.read_text())


def answers_of(args: argparse.Namespace) -> Json:
    """Return the answers by the questions' ids."""
    found: Json = read(args.answers, {}).get("answers", {})
    return found


def write(path: Path, value: Any) -> None:
    """Replace a file whole, so that a kill leaves the old one or the new."""
    beside = path.with_suffix(".new")
    beside.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n")
    beside.replace(path)


def parse(arguments: Iterable[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, work in (("ask", ask), ("sheet", sheet), ("table", table), ("files", files)):
        command = commands.add_parser(name, help=work.__doc__)
        command.set_defaults(work=work)
        command.add_argument("--questions", type=Path, default=_HERE / "judged.json")
        command.add_argument("--answers", type=Path, default=_HERE / "judged_answers.json")
        command.add_argument("--repo", action="append", help="only this repository; may be given several times")
        if name in ("sheet", "table"):
            command.add_argument("--verdicts", type=Path, default=_HERE / "judged_verdicts.json")
        if name == "sheet":
            command.add_argument("--all", action="store_true", help="those that are judged, too")
        if name == "files":
            command.add_argument("--kept", type=Path, required=True, help="file of what the model said")
            command.add_argument("--each", type=int, default=EACH, help=f"files of a repository, by default {EACH}")
            command.add_argument("--show", action="store_true", help="print all answers")
        if name in ("ask", "files"):
            command.add_argument("--corpora", type=Path, required=True, help="folder of the repositories, by name")
            command.add_argument("--model", default=MODEL, help=f"by default {MODEL}")
            command.add_argument("--reads", type=float, default=READS, help=f"tokens a second, by default {READS}")
            command.add_argument("--threads", type=int, default=THREADS, help=f"by default {THREADS}")
    return parser.parse_args(None if arguments is None else list(arguments))


def main(arguments: Iterable[str] | None = None) -> int:
    args = parse(arguments)
    code: int = args.work(args)
    return code


if __name__ == "__main__":
    sys.exit(main())
