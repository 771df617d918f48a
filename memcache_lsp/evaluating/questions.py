"""Questions whose right answer is known: made of doc comments and of commit messages, without those that ask nothing.

Pure: texts in, questions out, the same for the same texts. Must not import the store, the scan or the engine.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

from memcache_lsp.evaluating.comments import DocComment
from memcache_lsp.evaluating.history import Commit
from memcache_lsp.languages import LANGUAGES, language_of
from memcache_lsp.tokens import STOP_WORDS, words

DOCSTRING, COMMIT = "docstring", "commit"
KINDS: Final = (DOCSTRING, COMMIT)
MAX_FILES: Final = 5  # of a commit: one that touches more is about no place

_MIN_WORDS, _MAX_CHARACTERS = 3, 300
_MIN_LETTERS = 0.8  # of what is not blank; tables, code and rulers have fewer


@dataclass(frozen=True, slots=True)
class Target:
    """A right answer: lines of a file, or with no lines the file."""

    path: str
    start_line: int = 0
    end_line: int = 0

    def is_shown(self, path: str, start_line: int, end_line: int) -> bool:
        """Tell whether these lines show some of it."""
        if path != self.path:
            return False
        return not self.start_line or (start_line <= self.end_line and end_line >= self.start_line)


@dataclass(frozen=True, slots=True)
class Question:
    """A question, and all that is a right answer to it."""

    kind: str
    text: str
    targets: tuple[Target, ...]
    comment: str = ""  # the whole text of the doc comment it is made of


def of_comment(path: str, comment: DocComment) -> Question | None:
    """Make a question of a doc comment's first sentence; None where that asks nothing."""
    text = _first_sentence(comment.text)
    first, _, rest = text.partition(" ")
    if first.strip("`*():,") == comment.name:  # `NewRouter returns …` would be asked for by its name
        text = rest
    if not _is_good(text):
        return None
    return Question(DOCSTRING, text, (Target(path, comment.start_line, comment.end_line),), comment.text)


def of_commit(commit: Commit, is_there: Callable[[str], bool]) -> Question | None:
    """Make a question of a commit's message; None where that asks nothing, or where the commit is about no place."""
    if len(commit.paths) > 2 * MAX_FILES or _CHORE.search(commit.subject):
        return None
    text = _PREFIX.sub("", _REFERENCE.sub(" ", commit.subject))
    first_line = commit.body.split("\n", 1)[0].strip()
    if first_line and not _TRAILER.match(first_line) and len(text) + len(first_line) < _MAX_CHARACTERS:
        text = f"{text.rstrip(' .…')}. {_REFERENCE.sub(' ', first_line)}"
    text = " ".join(text.split())
    if not _is_good(text):
        return None
    paths = [path for path in commit.paths if not _JOURNAL.search(path) and is_there(path)]
    if not 0 < len(paths) <= MAX_FILES or 2 * len(paths) < len(commit.paths):
        return None
    return Question(COMMIT, text, tuple(map(Target, paths)))


def distinct(questions: Iterable[Question]) -> list[Question]:
    """Leave out what is asked in the same words of several places: none of them is the one right answer."""
    questions = list(questions)
    count = Counter(question.text.lower() for question in questions)
    return [question for question in questions if count[question.text.lower()] == 1]


def sample(questions: Sequence[Question], wanted: int) -> list[Question]:
    """Take so many, of each kind the same number where there are enough, by a hash of what they say.

    So the choice is the same in each run, and a change elsewhere in the project leaves it as it is.
    """
    comments, commits = (sorted((q for q in questions if q.kind == kind), key=_order) for kind in KINDS)
    of_comments = comments[: max(wanted // 2, wanted - len(commits))]
    return [*of_comments, *commits[: wanted - len(of_comments)]]


def is_code(path: str) -> bool:
    """Tell from a path whether a file may have doc comments."""
    language = LANGUAGES.get(language_of(path))
    return language is not None and not language.is_document and language.grammar is not None


def hashed(text: str) -> bytes:
    """Return what an order is made of that looks like chance and is always the same."""
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()


def _order(question: Question) -> tuple[bytes, str]:
    return hashed(f"{question.text}\0{question.targets[0].path}"), question.targets[0].path


_TAG: Final = re.compile(r"[ \t]*(?:[@\\][a-z]|:\w+[ :]|[-=~*_#]{3,}|>>>|```|<(?:param|returns|remarks|example)\b)")
_XML: Final = re.compile(r"</?[A-Za-z][^<>]*>")
_ROLE: Final = re.compile(
    r":[\w:+.-]+:`~?([^`<]*?)(?:\s*<[^`>]*>)?`|\{@\w+\s+([^{}]*)\}|\[`?([^\[\]`]+)`?\](?:\([^()]*\))?"
)
_SENTENCE: Final = re.compile(r"(.*?(?<!e\.g)(?<!i\.e)(?<!etc)[.!?])(?:\s|$)")


def _first_sentence(text: str) -> str:
    lines: list[str] = []
    for line in text.splitlines():
        plain = _XML.sub(" ", line)
        if _TAG.match(line) or (lines and not plain.strip()):
            break
        lines += plain.split()
    plain = _ROLE.sub(lambda match: next(filter(None, match.groups()), ""), " ".join(lines)).replace("`", "")
    plain = plain.lstrip("*-|:#+ ")  # of lists, rulers and boxes
    sentence = _SENTENCE.match(plain)
    return sentence[1] if sentence else plain


_POOR: Final = re.compile(
    r"copyright|licen[sc]e|spdx|\b(?:todo|fixme|xxx|hack|noqa|pragma|nolint|eslint|pylint|prettier|clang-format|"
    r"call-seq|args:|auto-?generated|do not edit|inheritdoc|@ts-\w+|see above|same as)\b|type: ?ignore|https?://",
    re.IGNORECASE,
)


def _is_good(text: str) -> bool:
    """Tell whether a text is words that ask for something."""
    solid = [c for c in text if not c.isspace()]
    if not solid or len(text) > _MAX_CHARACTERS or _POOR.search(text) or text.endswith((";", "{", "}", "=", ",")):
        return False
    if sum(map(str.isalpha, solid)) < _MIN_LETTERS * len(solid):
        return False
    telling = {w.lower() for w in words(text) if w.lower() not in STOP_WORDS and len(w) > 2 and not w.isdigit()}
    return len(telling) >= _MIN_WORDS


_CHORE: Final = re.compile(
    r"^(?:merge|revert|release|bump|fixup!|squash!|amend!|wip\b|initial commit|first commit|init\b|v?\d+\.\d+|version\b|"
    r"prepar\w+ (?:for )?(?:the )?(?:next )?(?:release|version|\d)|(?:chore|build|ci|style|release)(?:\([^)]*\))?!?:|"
    r"(?:apply|run|fix|reformat\w*|format\w*|lint\w*)\b.{0,20}\b(?:black|ruff|isort|flake8|prettier|eslint|gofmt|rustfmt|lint\w*|"
    r"format\w*|pre-commit|whitespace|indentation|code style)\b)|"
    r"\btypos?\b|\b(?:spelling|whitespace)\b|\[(?:pre-commit\.ci|skip ci|ci skip|bot)\]|"
    r"\b(?:bump|updat\w+|upgrad\w+|pin\w*)\b.{0,30}\b(?:version|versions|dependenc\w+|deps|requirements|lock ?file|submodules?|"
    r"changelog|change ?log|changes|news|copyright|readme|pre-commit|hooks?)\b|\bfrom v?\d+\.\d\S* to v?\d",
    re.IGNORECASE,
)
_PREFIX: Final = re.compile(r"^(?:feat|fix|docs?|perf|refactor|tests?)(?:\([^)]*\))?!?: *", re.IGNORECASE)
_REFERENCE: Final = re.compile(
    r"\((?:see |fix(?:es)? |closes? |refs? )?(?:GH-|#)\d+\)|\b(?:fix(?:e[sd])?|close[sd]?|resolve[sd]?|refs?|see|issue|pr)\s*:?\s*"
    r"(?:GH-|#)\d+|(?:GH-|#)\d+|https?://\S+|\s*\[[a-z]+ ?[a-z]*\]$",
    re.IGNORECASE,
)
_TRAILER: Final = re.compile(
    r"[A-Z][\w-]*(?:-[Bb]y|-[Ii]d|ted-[Oo]n)?: |[*+-] |\(cherry picked|git-svn-id|[-=#]{3,}|\W*$"
)
_JOURNAL: Final = re.compile(
    r"(?:^|/)(?:change(?:s|log)?|news|history|releases?|release[-_ ]?notes?)(?:\.\w+)?$", re.IGNORECASE
)
