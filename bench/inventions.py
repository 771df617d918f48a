"""Plant inventions in true sentences, and count which of them are marked, and which true ones are.

    python bench/inventions.py --corpora DIR [--show]

True are the sentences of bench/judged_answers.json that were read by eye and not found untrue, and sentences of comments
and documents from the excerpts that those answers were given. An excerpt is what a source's lines hold in DIR, which has
the repositories by name. In each sentence something is planted that no excerpt of its answer says, by `PLANTS`; the sentence goes
with the citation of its excerpt. The exit code is 1 where fewer than nine of ten plants are marked, or more than one of
twenty true sentences.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from judged import verdict_of

from memcache_lsp.evidence import Evidence
from memcache_lsp.lines import lines_of
from memcache_lsp.sentences import sentences
from memcache_lsp.supporting import Support

HERE = Path(__file__).parent
SEED = 9
FROM_FILES = 400  # sentences of comments and documents
LEAST_CAUGHT, MOST_FALSE = 0.9, 0.05
_MARK = re.compile(r"\s*\[\d+\]")
_NAME = re.compile(r"[A-Za-z][a-z0-9]*(?:_[a-z0-9]+)+|[A-Za-z][a-z0-9]+(?:[A-Z][a-z0-9]+)+")
_PROSE = re.compile(r"^\s*(?://+|#+|\*+|--+|;+|///)?\s*([A-Z][^\n]{40,160}[.])\s*$")

Rng = random.Random
Plant = Callable[[str, Rng], str | None]


def _with(said: str, clause: str) -> str:
    """Put a clause before the stop."""
    return re.sub(r"[.!?]?\s*$", f" {clause}.", said, count=1)


def changed_name(said: str, rng: Rng) -> str | None:
    """Change one part of a name that is there."""
    found = list(_NAME.finditer(said))
    if not found:
        return None
    name = rng.choice(found)
    parts = re.findall(r"[A-Z]?[a-z0-9]+|_", name[0])
    at = rng.choice([n for n, part in enumerate(parts) if part != "_"])
    other = rng.choice(["broker", "ledger", "quorum", "parcel", "voucher"])
    parts[at] = other.capitalize() if parts[at][0].isupper() else other
    return said[: name.start()] + "".join(parts) + said[name.end() :]


def cut_name(said: str, rng: Rng) -> str | None:
    """Leave of a name a piece that is no name."""
    found = [each for each in _NAME.finditer(said) if len(each[0]) > 8]
    if not found:
        return None
    name = rng.choice(found)
    return said[: name.start()] + name[0][: len(name[0]) - 3] + said[name.end() :]


def changed_number(said: str, rng: Rng) -> str | None:
    """Change a number that is there."""
    found = list(re.finditer(r"(?<![\w.\[])\d{2,}(?![\w\]])", _MARK.sub("", said)))
    if not found:
        return None
    number = rng.choice(found)
    said = _MARK.sub("", said)
    return said[: number.start()] + str(int(number[0]) + rng.randint(3171, 8999)) + said[number.end() :]


PLANTS: dict[str, Plant] = {
    "a name changed": changed_name,
    "a name cut short": cut_name,
    "a number changed": changed_number,
    "a name added": lambda said, rng: _with(said, rng.choice(["by `flush_ledger`", "through QuorumBroker", "via `voucherFor()`"])),
    "a number added": lambda said, rng: _with(said, f"after {rng.choice([7351, 4817, 9263])} tries"),
    "a decimal added": lambda said, rng: _with(said, f"within {rng.choice(['13.57', '17.39'])} seconds"),
    "a file added": lambda said, rng: _with(said, rng.choice(["in `lib/ledger.py`", "in quorum.go", "as `src/voucher/index.ts` has it"])),
    "an acronym added": lambda said, rng: _with(said, rng.choice(["over AMQP", "by the SOAP gateway", "with a CRDT"])),
    "behind a no": lambda said, rng: rng.choice(
        ["The excerpts do not say it all, but", "No information is missing:", "It does not explain more, however"]
    ) + f" `flush_ledger` is where {said[0].lower()}{said[1:]}",
    "a no about code": lambda said, _: _with(said, "and does not provide `flush_ledger`"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Said:
    """A sentence without its marks, the excerpt that it cites, None where it cites none, all excerpts, and whether it is so."""

    text: str
    n: int | None
    evidence: tuple[Evidence, ...]
    true: bool = True


def excerpts_of(answer: Any, root: Path) -> tuple[Evidence, ...]:
    found = []
    for n, source in enumerate(answer["sources"], 1):
        path, _, span = source.rpartition(":")
        first, last = map(int, span.split("-"))
        lines = lines_of((root / path).read_text("utf-8", "replace"))[first - 1 : last]
        found.append(Evidence(n, path, first, last, "\n".join(lines), "", "text"))
    return tuple(found)


def judged(questions: Sequence[Any], answers: Any, verdicts: Any, corpora: Path) -> Iterator[Said]:
    """Give the sentences that were read by eye."""
    for question in questions:
        verdict = verdict_of(question, answers, verdicts)
        if verdict is None or verdict["verdict"] == "refused" or answers[question["id"]]["finish"] == "no_answer":
            continue
        answer = answers[question["id"]]
        evidence = excerpts_of(answer, corpora / question["repo"])[: answer["read"]]
        for number, each in enumerate(sentences(answer["answer"])):
            said = answer["answer"][each.start : each.end]
            cited = re.search(r"\[(\d+)\]", said)
            n = int(cited[1]) if cited and int(cited[1]) <= len(evidence) else None
            if "```" not in said:
                yield Said(_MARK.sub("", said).strip(), n, evidence, number not in verdict.get("untrue", ()))


def written(known: Sequence[Said], rng: Rng) -> list[Said]:
    """Return sentences of comments and documents from the excerpts."""
    found = {}
    for each in known:
        for excerpt in each.evidence:
            for line in lines_of(excerpt.text):
                if prose := _PROSE.match(line):
                    found[prose[1]] = Said(prose[1], excerpt.n, each.evidence)
    return rng.sample(list(found.values()), min(FROM_FILES, len(found)))


def marked(said: str, true: Said) -> bool:
    """Tell whether a sentence is marked, with the citation of the true one."""
    support = Support(true.evidence)
    text = said.rstrip(".") + (f" [{true.n}]." if true.n else ".")
    return bool((*support.feed(text), *support.finish()))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpora", type=Path, required=True, help="folder of the repositories, by name")
    parser.add_argument("--show", action="store_true", help="print what comes out wrong")
    args = parser.parse_args()
    questions, answers, verdicts = (
        json.loads((HERE / name).read_text()) for name in ("judged.json", "judged_answers.json", "judged_verdicts.json")
    )
    rng = Rng(SEED)
    read = list(
        judged(
            questions["questions"] if isinstance(questions, dict) else questions,
            answers["answers"],
            verdicts,
            args.corpora,
        )
    )
    eyed, untrue = [each for each in read if each.true], [each for each in read if not each.true]
    print(
        f"untrue sentences of answers read by eye: {sum(marked(each.text, each) for each in untrue)} of {len(untrue)} marked"
    )
    groups = {"answers read by eye": eyed, "comments and documents": written(eyed, rng)}
    planted, caught = Counter[str](), Counter[str]()
    false = 0
    for name, group in groups.items():
        wrong = [each for each in group if marked(each.text, each)]
        false += len(wrong)
        print(f"true sentences of {name}: {len(wrong)} of {len(group)} marked")
        for each in wrong if args.show else ():
            print(f"  false alarm: {each.text} [{each.n}]")
        for kind, plant in PLANTS.items():
            for each in group:
                said = plant(each.text, rng)
                if said is None or said == each.text:
                    continue
                planted[kind] += 1
                caught[kind] += marked(said, each)
                if args.show and not marked(said, each) and planted[kind] % 10 == 0:
                    print(f"  missed, {kind}: {said} [{each.n}]")
    print("\n| planted | sentences | marked |\n|---|---|---|")
    for kind in PLANTS:
        print(f"| {kind} | {planted[kind]} | {caught[kind] / max(1, planted[kind]):.1%} |")
    share, alarms = caught.total() / planted.total(), false / sum(map(len, groups.values()))
    print(f"| all | {planted.total()} | {share:.1%} |\n\nfalse alarms: {alarms:.1%}")
    return 0 if share >= LEAST_CAUGHT and alarms <= MOST_FALSE else 1


if __name__ == "__main__":
    sys.exit(main())
