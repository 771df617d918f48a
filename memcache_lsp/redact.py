"""Replace likely secrets in text by filler of the same length, so that every offset and line stays.

Owns the patterns of secrets. The same redaction serves whatever is embedded, stored, shown or logged. Touches no
file; must not import anything of this package.

Text comes from projects that may be hostile, so no pattern backtracks far: repetitions are bounded, or start only
where no character of their own kind goes before. Length counts characters. Redacting twice changes nothing.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

REDACTOR_VERSION = 3  # raise it when the same text comes out another way: indexes are made again
FILLER = "*"

_ROUNDS = 8  # filling one secret can lay bare another; more rounds than this only hostile text needs
_PEM_REACH = 20_000
_LINE_END = re.compile(r"[\r\n]+")


@dataclass(frozen=True, slots=True)
class Redacted:
    """A text without its likely secrets, and how many there were."""

    text: str
    count: int


def redact(text: str, language: str = "") -> Redacted:
    """Replace likely secrets by filler; line ends stay where they are.

    The language, a key of the table of languages, tells whether a value without quotes is a literal or an expression.
    """
    count = 0
    for _ in range(_ROUNDS):
        spans = _joined(sorted(_secrets(text, language)))
        if not spans:
            break
        count += len(spans)
        parts: list[str] = []
        at = 0
        for start, end in spans:
            parts += (text[at:start], _filler(text[start:end]))
            at = end
        text = "".join(parts) + text[at:]
    return Redacted(text, count)


def _filler(secret: str) -> str:
    filled, at = "", 0
    for line_end in _LINE_END.finditer(secret):
        filled += FILLER * (line_end.start() - at) + line_end[0]
        at = line_end.end()
    return filled + FILLER * (len(secret) - at)


def _joined(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    joined: list[tuple[int, int]] = []
    for start, end in spans:
        if joined and start < joined[-1][1]:
            joined[-1] = joined[-1][0], max(end, joined[-1][1])
        else:
            joined.append((start, end))
    return joined


# Tokens that tell by their form what they are: what must occur in a text, and the whole form. The left boundary
# counts filler as part of a word, or filling a neighbour would bring a new token about.
_LEFT = r"(?<![A-Za-z0-9_*-])"
_RIGHT = r"(?![A-Za-z0-9_*-])"
_TOKENS: tuple[tuple[str, str], ...] = (
    ("AKIA", r"AKIA[A-Z0-9]{16}" + _RIGHT),
    ("ASIA", r"ASIA[A-Z0-9]{16}" + _RIGHT),
    ("ghp_", r"ghp_[A-Za-z0-9]{36,255}"),
    ("gho_", r"gho_[A-Za-z0-9]{36,255}"),
    ("ghu_", r"ghu_[A-Za-z0-9]{36,255}"),
    ("ghs_", r"ghs_[A-Za-z0-9]{36,255}"),
    ("ghr_", r"ghr_[A-Za-z0-9]{36,255}"),
    ("github_pat_", r"github_pat_[A-Za-z0-9_]{22,255}"),
    ("glpat-", r"glpat-[A-Za-z0-9_.-]{20,255}"),
    ("glrt-", r"glrt-[A-Za-z0-9_.-]{20,255}"),
    ("gldt-", r"gldt-[A-Za-z0-9_-]{20,255}"),
    ("glptt-", r"glptt-[A-Za-z0-9_-]{20,255}"),
    ("glcbt-", r"glcbt-[A-Za-z0-9_-]{20,255}"),
    ("xox", r"xox[abeoprs]-[A-Za-z0-9-]{10,255}"),
    ("xapp-", r"xapp-[0-9]-[A-Za-z0-9-]{10,255}"),
    ("k_live_", r"(?:sk|rk|pk)_live_[A-Za-z0-9]{16,255}"),
    ("k_test_", r"(?:sk|rk)_test_[A-Za-z0-9]{16,255}"),
    ("whsec_", r"whsec_[A-Za-z0-9+/=]{24,255}"),
    ("AIza", r"AIza[A-Za-z0-9_-]{35}" + _RIGHT),
    ("ya29.", r"ya29\.[A-Za-z0-9_-]{20,1024}"),
    ("GOCSPX-", r"GOCSPX-[A-Za-z0-9_-]{28}" + _RIGHT),
    ("npm_", r"npm_[A-Za-z0-9]{36}" + _RIGHT),
    ("pypi-AgE", r"pypi-AgE[A-Za-z0-9_-]{40,1024}"),
    ("sk-", r"sk-ant-[A-Za-z0-9_-]{20,255}"),
    ("sk-", r"sk-(?:proj|svcacct|admin|None|or-v1)-[A-Za-z0-9_-]{20,255}"),
    ("sk-", r"sk-[A-Za-z0-9]{32,255}"),
    ("hf_", r"hf_[A-Za-z0-9]{30,255}"),
    ("dop_v1_", r"dop_v1_[a-f0-9]{64}"),
    ("dapi", r"dapi[a-f0-9]{32}" + _RIGHT),
    ("shpat_", r"shpat_[a-fA-F0-9]{32}"),
    ("SG.", r"SG\.[A-Za-z0-9_-]{16,32}\.[A-Za-z0-9_-]{30,64}"),
    ("AGE-SECRET-KEY-1", r"AGE-SECRET-KEY-1[A-Z0-9]{58}"),
    ("eyJ", r"eyJ[A-Za-z0-9_-]{8,4096}\.eyJ[A-Za-z0-9_-]{8,8192}\.[A-Za-z0-9_-]{10,2048}"),
)
_FORMS = tuple((needle, re.compile(_LEFT + form)) for needle, form in _TOKENS)

_PEM = re.compile(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_KEY_TEXT = re.compile(r"\\[nr]|([A-Za-z0-9+/=]{16,})")
_KEY_LINE = re.compile(r"^[ \t]*([A-Za-z0-9+/=]+)[ \t]*\r?$", re.MULTILINE)
_LONG_RUN = re.compile(r"[A-Za-z0-9+/]{40}")

_URL = re.compile(r"://([^\s:@/'\"<>`*]{0,64}):([^\s@/'\"<>`]{1,256})@")
_SLACK_HOOK = re.compile(r"hooks\.slack\.com/services/([A-Za-z0-9/]{20,80})")
_ACCOUNT_KEY = re.compile(r"AccountKey=([A-Za-z0-9+/]{60,120}={0,2})")
_BEARER = re.compile(r"(?:[Bb]earer|BEARER|[Bb]asic|[Tt]oken) {1,4}([A-Za-z0-9._~+/=-]{16,2048})")

# Parts of names whose literal values are secrets, lower-case; the identifier may go on behind them.
_NAMES = (
    "passw",
    "passphrase",
    "pwd",
    "secret",
    "token",
    "credential",
    "apikey",
    "api_key",
    "api-key",
    "accesskey",
    "access_key",
    "access-key",
    "authkey",
    "auth_key",
    "privatekey",
    "private_key",
    "signing_key",
    "encryption_key",
)
# from the end of such a part: the rest of the identifier, perhaps a type, an assignment, the value; what follows a
# quoted name and a comma (`define("DB_PASSWORD", "…")`) or an opening parenthesis (`setPassword("…")`) is one in quotes
_ASSIGNED = re.compile(
    r"""(?P<rest>[A-Za-z0-9_-]{0,40})
    (?:['"]?\]?[ \t]{0,20}(?::[ \t]{0,4}[A-Za-z][A-Za-z0-9_.|\[\] ]{0,40}?)?(?:=>|:=|=|:)
    |['"][ \t]{0,20}(?P<comma>,)|(?P<call>\())[ \t]{0,20}
    (?:[bru]?"(?P<double>[^"\r\n]{8,512})"|[bru]?'(?P<single>[^'\r\n]{8,512})'|`(?P<back>[^`\r\n]{8,512})`
    |(?P<bare>[A-Za-z0-9+/=_~!@\#%^&.-]{16,256}+)(?=[\s,;]|\Z))""",
    re.VERBOSE,
)
# Where literals need no quotes, short ones are taken too: up to the end of the line, or after a mere `=` to the next
# blank. In prose that holds for the assignments of a shell alone.
_PLAIN_LANGUAGES = frozenset({"ini", "yaml", "dockerfile", "bash", "make"})
_PROSE_LANGUAGES = frozenset({"", "text", "markdown", "rst", "org"})
_PLAIN_VALUE = r"[A-Za-z0-9+/_~!@\#%^&.?$-]{6,256}+={0,2}+"
_PLAIN = re.compile(
    rf"""(?P<rest>[A-Za-z0-9_.-]{{0,40}})(?:
    =["']?(?P<word>{_PLAIN_VALUE})(?=["']?(?:\s|\Z))
    |['"]?[ \t]{{0,20}}(?::?=|:[ \t])[ \t]{{0,20}}["']?(?P<line>{_PLAIN_VALUE})(?=["']?[ \t]{{0,20}}(?:[,;}}\r\n]|[ \t]\#|\Z)))""",
    re.VERBOSE,
)
_IN_PROSE = re.compile(r"(?P<rest>[A-Z0-9_]{0,40})=(?P<word>" + _PLAIN_VALUE + r")(?=\s|\Z)")
_QUANTITY = re.compile(r"[0-9.]+[A-Za-z%]{1,5}")

# Where names and values stand otherwise: an element of XML, a part of a connection string, user and password in base64.
_ELEMENT = re.compile(
    r"<[A-Za-z0-9_.:-]{0,40}(?:" + "|".join(_NAMES) + r")(?P<rest>[A-Za-z0-9_.-]{0,40})>(?P<value>[^<>\r\n]{6,256})</",
    re.IGNORECASE,
)
_CONNECTION = re.compile(
    r"""[;"'][ \t]{0,4}(?:[Pp]assword|PASSWORD|[Pp]wd|PWD)[ \t]{0,4}=[ \t]{0,4}([^;"'\s{}<>]{6,128})[;"']"""
)
_BASIC_AUTH = re.compile(
    r"""\b_?auth["']?[ \t]{0,20}[:=][ \t]{0,20}["']?([A-Za-z0-9+/]{8,1024}={0,2})(?![A-Za-z0-9+/=])"""
)
_DOTTED = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+")
_LISTED = re.compile(r"[sS0-9]")  # ("tokens", "name2") and ("token2vec", "Token2Vec") list names
_SETS = re.compile(r"_*(?:set|with|using|use|add|change|update|default)", re.IGNORECASE)

# a tokenizer, the place or the kind of a secret, and what was computed from one are no secrets
_HARMLESS_REST = re.compile(
    r"iz|ur[il]|path|file|name|type|kind|sha|digest|expir|header|prefix|regex|endpoint", re.IGNORECASE
)
_PLACEHOLDER = re.compile(
    r"\$[({A-Za-z]|\{\{|#\{|%[(s]|<|>|\*{3}|\.{3}|x{4}|X{4}|0{6}|123456|abcdef|"
    r"example|sample|dummy|changeme|change_me|change-me|placeholder|your|insert|replace|redact|todo|fixme",
    re.IGNORECASE,
)
_WORDS = re.compile(r"[A-Za-z]*(?:[ _./:\\-]+[A-Za-z]+)*[ _./:\\-]*[0-9]{0,3}[ .:!?]*")


def _secrets(text: str, language: str) -> Iterator[tuple[int, int]]:
    for needle, form in _FORMS:
        if needle in text:
            for match in form.finditer(text):
                yield match.span()
    if "PRIVATE KEY" in text:
        yield from _private_keys(text)
    yield from _values(text, "://", _URL, 2, _is_password)
    yield from _values(text, "hooks.slack.com", _SLACK_HOOK, 1, _is_unpredictable)
    yield from _values(text, "AccountKey=", _ACCOUNT_KEY, 1, _is_unpredictable)
    if "earer " in text or "uthorization" in text:
        yield from _values(text, " ", _BEARER, 1, _is_unpredictable)
    yield from _values(text, "auth", _BASIC_AUTH, 1, _is_basic_auth)
    lowered = text.replace("\u0130", "I").lower()  # no other character becomes two when lowered
    if "password" in lowered or "pwd" in lowered:  # the form begins with what is in every text
        yield from _values(text, ";", _CONNECTION, 1, _is_connection_password)
    if "</" in text:
        for match in _ELEMENT.finditer(text):
            if not _HARMLESS_REST.search(match["rest"]) and _is_secret(match["value"]):
                yield match.span("value")
    yield from _assigned(text, lowered, language)


def _values(
    text: str, needle: str, form: re.Pattern[str], group: int, wanted: Callable[[str], bool]
) -> Iterator[tuple[int, int]]:
    if needle in text:
        for match in form.finditer(text):
            if wanted(match[group]):
                yield match.span(group)


def _private_keys(text: str) -> Iterator[tuple[int, int]]:
    """Find the key between the marks; code that only speaks of the marks has no such long run of base64."""
    marks = list(_PEM.finditer(text))
    for begin, following in zip(marks, [*marks[1:], None], strict=False):
        start = begin.end()
        reach = min(following.start() if following else len(text), start + _PEM_REACH)
        end = text.find("-----END", start, reach)
        end = reach if end < 0 else end
        if _LONG_RUN.search(text, start, end):
            for part in _KEY_TEXT.finditer(text, start, end):
                if part[1]:
                    yield part.span(1)
            for part in _KEY_LINE.finditer(text, start, end):
                yield part.span(1)


def _assigned(text: str, lowered: str, language: str) -> Iterator[tuple[int, int]]:
    """Find literal values that are given to names such as password, api_key or token."""
    plain = _PLAIN if language in _PLAIN_LANGUAGES else _IN_PROSE if language in _PROSE_LANGUAGES else None
    for name in _NAMES:
        at = lowered.find(name)
        while at >= 0:
            end = at + len(name)
            span = _quoted_or_long(text, at, end)
            if not span and plain and (plain is _PLAIN or text[at:end].isupper()):
                span = _plain_value(text, end, plain)
            if span and not lowered.endswith("publickey", 0, at):
                yield span
            at = lowered.find(name, end)


def _quoted_or_long(text: str, at: int, end: int) -> tuple[int, int] | None:
    """Return where the value lies that is given to the name which has its secret part from `at` to `end`."""
    match = _ASSIGNED.match(text, end)
    if not match or _HARMLESS_REST.search(match["rest"]):
        return None
    group = match.lastgroup or ""
    if group == "bare":
        is_secret = not (match["comma"] or match["call"]) and _is_bare_secret(match[group])
    elif (match["comma"] and _LISTED.match(match["rest"])) or (match["call"] and _reads(text, at)):
        is_secret = False
    else:
        is_secret = _is_secret(match[group])
    return match.span(group) if is_secret else None


def _reads(text: str, at: int) -> bool:
    """Tell whether the called name that goes on at `at` is none that sets or makes something: `get_token("name")`."""
    start = at
    while start > max(0, at - 40) and (text[start - 1].isalnum() or text[start - 1] == "_"):
        start -= 1
    return start < at and not _SETS.match(text, start, at)


def _plain_value(text: str, end: int, form: re.Pattern[str]) -> tuple[int, int] | None:
    match = form.match(text, end)
    if not match or _HARMLESS_REST.search(match["rest"]):
        return None
    group = match.lastgroup or ""
    return match.span(group) if _is_plain_secret(match[group]) else None


def _is_password(value: str) -> bool:
    if value.lower() in {"password", "passwd", "pass", "pwd", "secret", "pw", "token", "user", "port"}:
        return False
    return (
        len(value) > 2
        and set(value) != {FILLER}
        and not _PLACEHOLDER.search(value)
        and not value.startswith(("$", "%", "{", "["))
    )


def _is_secret(value: str) -> bool:
    """Tell whether a quoted value looks like a secret rather than like words, a name or a template."""
    if (
        " " in value
        or "://" in value
        or value.startswith(("/", "./"))
        or _PLACEHOLDER.search(value)
        or _WORDS.fullmatch(value)
    ):
        return False
    has_letter = any(char.isalpha() for char in value)
    has_other = any(char.isdigit() or char in "!@#$%^&+~?" for char in value)
    return has_letter and has_other and not any(char in value for char in "{([\\") and _bits(value) >= 2.5


def _is_bare_secret(value: str) -> bool:
    """Tell the same of a value without quotes, which is more often an expression."""
    if value.count(".") > 1 or value.startswith(("/", ".", "-", "@")):
        return False
    return _is_unpredictable(value)


def _is_plain_secret(value: str) -> bool:
    """Tell the same of a value in a language without expressions."""
    if value.count(".") > 1 or value.startswith((".", "-", "@")) or _QUANTITY.fullmatch(value):
        return False
    return _is_secret(value)


def _is_connection_password(value: str) -> bool:
    return _is_secret(value) and not _DOTTED.fullmatch(value)


def _is_basic_auth(value: str) -> bool:
    """Tell whether the value is `user:password` in base64, or unpredictable."""
    try:
        user, colon, password = base64.b64decode(value, validate=True).partition(b":")
    except binascii.Error:
        user, colon, password = b"", b"", b""
    if colon and user.isascii() and user and len(password) > 2 and (user + password).decode("latin-1").isprintable():
        return True
    return len(value) >= 16 and _is_unpredictable(value)


def _is_unpredictable(value: str) -> bool:
    if _PLACEHOLDER.search(value) or _WORDS.fullmatch(value):
        return False
    has_digit = any(char.isdigit() for char in value)
    has_letter = any(char.isalpha() for char in value)
    return has_digit and has_letter and _bits(value) >= 3.2  # random base64 has 4 and more, words have digits rarely


def _bits(value: str) -> float:
    """Return Shannon's entropy in bits a character."""
    total = len(value)
    return -sum(n / total * math.log2(n / total) for n in Counter(value).values())
