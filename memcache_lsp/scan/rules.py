"""Ignore rules as git understands them: one file of patterns becomes one `RuleList`.

Owns the pattern language of gitignore(5), byte for byte what git's dir.c and wildmatch.c do with it, which
ready-made libraries miss in the corners (POSIX classes, `foo**/bar`, escapes in brackets, a trailing backslash) and
which this project needs entry by entry, since a folder that is ignored is never listed. Touches no file; must not
import anything of this package. A pattern comes from a project that may be hostile, so every expression here
matches in polynomial time: whatever cannot gain from backtracking is an atomic group.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

MAX_RULES = 100_000  # of one file; whoever writes more wants to keep us busy
MAX_PATTERN_BYTES = 4096

_SPECIAL = re.compile(rb"[*?\[\\]")
_CLASSES = {
    b"alnum": string.ascii_letters + string.digits,
    b"alpha": string.ascii_letters,
    b"blank": " \t",
    b"cntrl": "".join(map(chr, [*range(32), 127])),
    b"digit": string.digits,
    b"graph": string.ascii_letters + string.digits + string.punctuation,
    b"lower": string.ascii_lowercase,
    b"print": string.ascii_letters + string.digits + string.punctuation + " ",
    b"punct": string.punctuation,
    b"space": string.whitespace,
    b"upper": string.ascii_uppercase,
    b"xdigit": string.hexdigits,
}


@dataclass(frozen=True, slots=True)
class Rule:
    """One pattern; where several match, the one with the highest number decides."""

    number: int
    negated: bool
    folders_only: bool
    expression: bytes  # matches a name, or a path relative to the rule's folder; empty where a table knows it
    reason: str


_Table = dict[bytes, list[Rule]]


class _Expressions:
    """Rules that need a regular expression, with one union in front that settles the usual miss."""

    __slots__ = ("_compiled", "_rules", "_union")

    def __init__(self, rules: list[Rule]) -> None:
        self._rules = rules[::-1]
        joined = b"|".join(b"(?:" + rule.expression + b")" for rule in rules)
        self._union = re.compile(b"(?:" + joined + rb")\Z", re.DOTALL) if rules else None
        self._compiled: list[re.Pattern[bytes]] = []

    def best(self, subject: bytes, best: Rule | None, *, is_folder: bool) -> Rule | None:
        if self._union is None or not self._union.match(subject):
            return best
        if not self._compiled:
            self._compiled = [re.compile(rule.expression + rb"\Z", re.DOTALL) for rule in self._rules]
        for rule, compiled in zip(self._rules, self._compiled, strict=True):
            if best is not None and rule.number < best.number:
                return best
            if (is_folder or not rule.folders_only) and compiled.match(subject):
                return rule
        return best


class RuleList:
    """The rules of one file, which count for paths below one folder."""

    __slots__ = ("_base", "_is_quoted", "_names", "_path_patterns", "_paths", "_patterns", "_suffixes", "empty")

    def __init__(self, text: bytes, *, source: str, base: bytes = b"", is_quoted: bool = True) -> None:
        """Read the rules of the file `source`; `base` is the folder they count in, with its slash at the end.

        Reasons quote the pattern only where `is_quoted`: what lies outside the root is not the project's to show.
        """
        self._is_quoted = is_quoted
        self._base = len(base)
        self._names: _Table = {}
        self._suffixes: _Table = {}
        self._paths: _Table = {}
        patterns: list[Rule] = []
        path_patterns: list[Rule] = []
        for number, line in _pattern_lines(text):
            self._add(number, line, source, patterns, path_patterns)
        self._patterns = _Expressions(patterns)
        self._path_patterns = _Expressions(path_patterns)
        self.empty = not (self._names or self._suffixes or self._paths or patterns or path_patterns)

    def _add(self, number: int, line: bytes, source: str, patterns: list[Rule], path_patterns: list[Rule]) -> None:
        negated = line.startswith(b"!")
        pattern = line[1:] if negated else line
        folders_only = pattern.endswith(b"/")
        if folders_only:
            pattern = pattern[:-1]
        by_path = b"/" in pattern
        if by_path and pattern.startswith(b"/"):
            pattern = pattern[1:]
        if not pattern:
            return
        special = _SPECIAL.search(pattern)
        literal = special.start() if special else len(pattern)
        reason = f"ignored: {source} line {number}" + (f", {_shown(line)}" if self._is_quoted else "")
        plain = Rule(number, negated, folders_only, b"", reason)
        if special is None:
            (self._paths if by_path else self._names).setdefault(pattern, []).insert(0, plain)
        elif not by_path and pattern.startswith(b"*.") and not _SPECIAL.search(pattern, 1) and pattern.count(b".") == 1:
            self._suffixes.setdefault(pattern[1:], []).insert(0, plain)
        else:
            expression = translate(pattern, literal=literal)
            if expression is not None:
                rule = Rule(number, negated, folders_only, expression, reason)
                (path_patterns if by_path else patterns).append(rule)

    def match(self, path: bytes, name: bytes, *, is_folder: bool) -> Rule | None:
        """Return the rule that decides about `path` itself (not about what lies above it), if one does."""
        best = _newest(self._names.get(name), None, is_folder=is_folder)
        if self._suffixes:
            dot = name.rfind(b".")
            if dot >= 0:
                best = _newest(self._suffixes.get(name[dot:]), best, is_folder=is_folder)
        best = self._patterns.best(name, best, is_folder=is_folder)
        relative = path[self._base :]
        best = _newest(self._paths.get(relative), best, is_folder=is_folder)
        return self._path_patterns.best(relative, best, is_folder=is_folder)


def select(paths: Iterable[str], globs: Sequence[str]) -> list[str]:
    """Return the paths that the globs select, in gitignore's language; what decides nearest to the file counts."""
    rules = RuleList("\n".join(globs).encode("utf-8", "surrogateescape"), source="scope")
    return [path for path in paths if _is_selected(rules, path.encode("utf-8", "surrogateescape"))]


def _is_selected(rules: RuleList, path: bytes) -> bool:
    is_folder = False
    while path:
        rule = rules.match(path, path.rpartition(b"/")[2], is_folder=is_folder)
        if rule is not None:
            return not rule.negated
        path, is_folder = path.rpartition(b"/")[0], True
    return False


def _newest(rules: list[Rule] | None, best: Rule | None, *, is_folder: bool) -> Rule | None:
    for rule in rules or ():
        if is_folder or not rule.folders_only:
            return rule if best is None or rule.number > best.number else best
    return best


def _pattern_lines(text: bytes) -> list[tuple[int, bytes]]:
    found = []
    for number, raw in enumerate(text.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        line = raw.removesuffix(b"\r")
        if not line or line.startswith(b"#") or b"\0" in line or len(line) > MAX_PATTERN_BYTES:
            continue
        line = _without_trailing_spaces(line)
        if line:
            found.append((number, line))
        if len(found) == MAX_RULES:
            break
    return found


def _without_trailing_spaces(line: bytes) -> bytes:
    stripped = line.rstrip(b" ")
    if len(stripped) == len(line):
        return line
    backslashes = len(stripped) - len(stripped.rstrip(b"\\"))
    return stripped + b" " if backslashes % 2 else stripped


def _shown(line: bytes) -> str:
    text = line[:80].decode("utf-8", "backslashreplace")
    return text if text.isprintable() else text.encode("unicode_escape").decode("ascii")


def translate(pattern: bytes, *, literal: int = 0) -> bytes | None:
    """Translate a glob of git's into an expression without its end mark, or None where it can never match.

    `literal` is the length of the part before the first special character. Git compares that part by itself, and so
    takes stars right after it as the beginning of a path component (`foo**/bar` matches `foo1/2/bar`).
    """
    groups: list[list[bytes]] = [[b""]]  # of fixed parts, with a star between each two
    openings: list[bytes] = [b""]
    at = 0
    while at < len(pattern):
        char = pattern[at : at + 1]
        if char == b"*":
            after = at + len(pattern[at:]) - len(pattern[at:].lstrip(b"*"))
            opening, after = _stars(pattern, at, after, literal=literal)
            if opening is None:
                groups[-1].append(b"")
            else:
                groups.append([b""])
                openings.append(opening)
            at = after
            continue
        fixed, at = _fixed(pattern, at)
        if fixed is None:
            return None
        groups[-1][-1] += fixed
    last = len(groups) - 1
    return b"".join(
        _group(opening, parts, final=at == last)
        for at, (opening, parts) in enumerate(zip(openings, groups, strict=True))
    )


def _stars(pattern: bytes, start: int, after: int, *, literal: int) -> tuple[bytes | None, int]:
    starts_component = start in {0, literal} or pattern[start - 1 : start] == b"/"
    if after - start == 1 or not starts_component:
        return None, after
    if after == len(pattern):
        return b".*", after
    if pattern[after : after + 1] == b"/":
        return b"(?:.*?/)??", after + 1
    if pattern[after : after + 2] == b"\\/":
        return b".*?", after
    return None, after


def _group(opening: bytes, parts: list[bytes], *, final: bool) -> bytes:
    """Join parts by stars; all but what the end of the path decides is atomic, for the first fit is the best one."""
    joined = opening + parts[0]
    for at, part in enumerate(parts[1:], 2):
        joined += b"[^/]*" + part if at == len(parts) else b"(?>[^/]*?" + part + b")"
    return joined if final else b"(?>" + joined + b")"


def _fixed(pattern: bytes, at: int) -> tuple[bytes | None, int]:
    char = pattern[at : at + 1]
    if char == b"?":
        return b"[^/]", at + 1
    if char == b"[":
        return _bracket(pattern, at + 1)
    if char == b"\\":
        at += 1
        char = pattern[at : at + 1]
        if not char:
            return None, at
    return re.escape(char), at + 1


def _bracket(pattern: bytes, at: int) -> tuple[bytes | None, int]:  # noqa: C901, PLR0912 - one loop, as in wildmatch.c
    """Read a bracket expression whose first byte is at `at`; follows wildmatch.c step by step."""
    negated = pattern[at : at + 1] in {b"!", b"^"}
    at += negated
    members: set[int] = set()
    previous = 0
    first = True
    while first or pattern[at : at + 1] != b"]":
        first = False
        if at >= len(pattern):
            return None, at
        char = pattern[at]
        following = pattern[at + 1 : at + 2]
        if char == ord("-") and previous and following not in {b"", b"]"}:
            at += 2 if following == b"\\" else 1
            if at >= len(pattern):
                return None, at
            members.update(range(previous, pattern[at] + 1))
            char = 0
        elif char == ord("[") and following == b":":
            closing = pattern.find(b"]", at + 2)
            if closing < 0:
                return None, at
            if closing - at - 3 < 0 or pattern[closing - 1 : closing] != b":":
                members.add(char)
            else:
                class_members = _CLASSES.get(pattern[at + 2 : closing - 1])
                if class_members is None:
                    return None, at
                members.update(class_members.encode())
                at, char = closing, 0
        else:
            if char == ord("\\"):
                at += 1
                if at >= len(pattern):
                    return None, at
                char = pattern[at]
            members.add(char)
        previous = char
        at += 1
    chosen = (set(range(1, 256)) - members if negated else members) - {ord("/")}
    if not chosen:
        return None, at
    return b"[" + b"".join(b"\\x%02x" % member for member in sorted(chosen)) + b"]", at + 1
