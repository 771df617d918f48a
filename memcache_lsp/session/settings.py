"""The settings that an editor may send: those that can run nothing and send nothing anywhere.

Editors read settings from projects too, so a model, a command, a URL or a key is never taken from here, and neither is
what decides an index that several editors share. Parsing reports what is wrong and uses the default.
Must not import the engine.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any

SECTION = "memcache"

Problems = tuple[str, ...]


def _flag(value: Any) -> str:
    return "" if isinstance(value, bool) else "must be true or false"


def _whole(least: int, most: int) -> Callable[[Any], str]:
    def check(value: Any) -> str:
        right = isinstance(value, int) and not isinstance(value, bool) and least <= value <= most
        return "" if right else f"must be a whole number from {least} to {most}"

    return check


def _setting(name: str, default: Any, check: Callable[[Any], str]) -> Any:
    return field(default=default, metadata={"name": name, "check": check})


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionSettings:
    """What an editor chose for itself."""

    code_actions: bool = _setting("codeActions", True, _flag)  # a light bulb at every selection is not for everyone
    index_on_start: bool = _setting("indexOnStart", True, _flag)  # False: only when `memcache/index` asks for it
    use_model: bool = _setting("useModel", True, _flag)  # False: answers are quotations
    keep_threads: bool = _setting("keepThreads", True, _flag)  # False: what is asked is not written to the disk
    answer_tokens: int = _setting("answerTokens", 256, _whole(16, 2048))  # the longest answer


def parse_settings(value: Any) -> tuple[SessionSettings, Problems]:
    """Read the section `memcache` of an editor's settings, null for none."""
    if value is None or value == []:  # Lua's empty table
        return SessionSettings(), ()
    if not isinstance(value, dict):
        return SessionSettings(), (f"The settings {SECTION} must be an object; the defaults are used.",)
    known = {each.metadata["name"]: each for each in fields(SessionSettings)}
    taken: dict[str, Any] = {}
    problems = []
    for name, given in value.items():
        if name in known and given is not None and (wrong := known[name].metadata["check"](given)):
            problems.append(f"{SECTION}.{name} {wrong}; its default is used.")
        elif name in known and given is not None:
            taken[known[name].name] = given
    return SessionSettings(**taken), tuple(problems)


def unknown_settings(value: Any) -> Problems:
    """Return a remark for each setting that is none of ours: an editor's client may have its own in our section."""
    known = [each.metadata["name"] for each in fields(SessionSettings)]
    return tuple(
        f"{SECTION}.{name[:50]} is not taken from an editor (there are {', '.join(known)}); "
        "what names models, servers or files belongs into the user's own config.toml."
        for name in (value if isinstance(value, dict) else {})
        if name not in known
    )


def section_of(options: Any) -> Any:
    """Return our section of settings that may be wrapped in its name."""
    return options[SECTION] if isinstance(options, dict) and SECTION in options else options
