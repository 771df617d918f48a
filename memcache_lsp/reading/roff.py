r"""Read manual pages as they are written (man and mdoc macros): each line without its macros and escapes, in its place.

Standard library only.
"""

from __future__ import annotations

import re
from typing import Final

from memcache_lsp.reading.result import Reading
from memcache_lsp.values import Heading

_IS_ROFF: Final = re.compile(r"^[.'][ \t]*(?:TH|SH|Dd|Dt|Sh|so)\b", re.MULTILINE)
_MACRO: Final = re.compile(r"[.'][ \t]*([A-Za-z\\][A-Za-z0-9]{0,3}|\\\")?[ \t]*(.*)")
_ESCAPE: Final = re.compile(
    r"\\f(?:\[[^\]]{0,20}\]|\(..|.)|\\s[-+]?(?:\d{1,2}|\(..|\[[^\]]{0,9}\])|\\\*(?:\[[^\]]{0,40}\]|\(..|.)"
    r"|\\\((?P<two>..)|\\\[(?P<long>[^\]]{1,40})\]|\\[mMFk](?:\[[^\]]{0,40}\]|\(..|.)"
    r"|\\[hvwlLDobxX]'[^']{0,200}'|\\\"(?P<remark>.*)|\\(?P<one>.)|\\$"
)
_ONE: Final = {"-": "-", "e": "\\", "\\": "\\", ".": ".", " ": " ", "~": " ", "0": " ", "'": "'", "`": "`", "t": "\t"}
_NAMED: Final = {
    "aq": "'", "dq": '"', "lq": "“", "rq": "”", "oq": "‘", "cq": "’", "em": "—", "en": "–", "hy": "-", "bu": "•",  # noqa: RUF001
    "co": "©", "rg": "®", "tm": "™", "bv": "|", "ba": "|", "rs": "\\", "ti": "~", "ha": "^", "ga": "`", "sl": "/",
    "at": "@", "sh": "#", "lB": "[", "rB": "]", "lC": "{", "rC": "}", "<=": "≤", ">=": "≥", "->": "→", "mu": "×",  # noqa: RUF001
    "Do": "$", "Eu": "€", "de": "°", "+-": "±", "==": "≡", "!=": "≠", "ss": "ß", "la": "⟨", "ra": "⟩",
}  # fmt: skip
_SILENT: Final = frozenset(
    "TH Dd Dt Os PP P LP Pp sp br nf fi ad na hy nh in ti ta ne ie el if de ds nr rm tr so RS RE EX EE PD DT HP Bl El "
    "Bd Ed Bk Ek UE ME SY YS TS TE EQ EN ll cs ft ps vs bp ns rs als am ig while shift mso ev rr rn do ce pl po fam "
    "Sm Xc Xo".split()
)
_SECTIONS: Final = {"SH": 1, "Sh": 1, "SS": 2, "Ss": 2}
_JOINED: Final = frozenset("BR RB IR RI BI IB".split())  # arguments stand side by side
_MDOC: Final = re.compile(
    r"(?:^|(?<=\s))(?:Ar|Fl|Nm|Op|Pa|Xr|Sy|Em|Li|Cm|Ic|Dv|Ev|Va|Vt|Fn|Fa|Ft|Fo|Fc|In|Dq|Sq|Pq|Ns|No|Ql|Qq|Aq|Bq|Brq|"
    r"Oo|Oc|Po|Pc|Do|Dc|So|Sc|Bo|Bc|Ao|Ac|Er|Lk|Mt|An|St|At|Bx|Fx|Nx|Ox|Ux|Tn|Ad|Ms|Nd|Rs|Re|It|D1|Dl|Cd|Lb)(?=\s|$)"
)
_ARGUMENT: Final = re.compile(r'"((?:[^"]|"")*)"?|(\S+)')
_BLOCK_END: Final = re.compile(r"[.'][ \t]*\.")


def read(text: str) -> Reading | None:
    """Read a page; None for a text that is none."""
    if not _IS_ROFF.search(text):
        return None
    headings: list[Heading] = []
    lines: list[str] = []
    skips = waits = False  # inside the definition of a macro; a heading whose title is on the next line
    level = 0
    for number, line in enumerate(re.split(r"\r\n|\n|\r", text)):
        said, found = _line(line[:4000])
        if skips:
            skips, said = not _BLOCK_END.match(line), ""
        elif re.match(r"[.'][ \t]*(?:de|ig|am)\b", line):
            skips, said = True, ""
        if not skips and (found or (waits and said)):
            level = found or level
            if said:
                headings.append(Heading(level, said[:200], number, number))
            waits = not said
        lines.append(said)
    return Reading("\n".join(lines), tuple(headings))


def _line(line: str) -> tuple[str, int]:
    """Return what a line says, and the level of the heading that it begins, else 0."""
    if line[:1] not in {".", "'"}:
        return plain(line), 0
    macro = _MACRO.match(line)
    if macro is None or not macro[1] or macro[1].startswith("\\"):
        return "", 0
    name, rest = macro[1], macro[2]
    arguments = [plain(found[1] or found[2] or "") for found in _ARGUMENT.finditer(rest)]
    if name in _SECTIONS:
        return " ".join(arguments).strip(), _SECTIONS[name]
    if name in _SILENT:
        return "", 0
    if name == "Nd":
        return "— " + " ".join(arguments), 0
    if name in _JOINED:
        return "".join(arguments), 0
    if name in {"TP", "IP"}:
        return (arguments[0] if name == "IP" and arguments else ""), 0
    words = " ".join(arguments)
    if name[0].isupper() and len(name) == 2 and name[1].islower():  # mdoc: macros stand inside a line too
        words = ("-" if name == "Fl" else "") + re.sub(r"\s*\bNs\b\s*", "", re.sub(r"(?:^|(?<=\s))Fl\s+", "-", words))
        words = re.sub(r"\s+", " ", _MDOC.sub(" ", words)).strip()
    return words, 0


def plain(text: str) -> str:
    """Return a text without escapes."""
    return _ESCAPE.sub(_meant, text).rstrip() if "\\" in text else text.rstrip()


def _meant(found: re.Match[str]) -> str:
    if name := found["two"] or found["long"]:
        return _NAMED.get(name, name if len(name) == 1 else "")
    if (one := found["one"]) is not None:
        return _ONE.get(one, "" if one in "&|^/,cdu{}%:)zp!" else one)
    return ""
