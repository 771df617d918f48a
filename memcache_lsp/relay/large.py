"""What can be told of a message that is too large to be held: its id and method, from its first and last bytes.

Editors write them before or behind the parameters, which are what is large. Pure; imports the standard library only.
"""

from __future__ import annotations

import json
import re
from typing import Any

_END_BYTES = 4096
_STRING = rb'"(?:[^"\\]|\\.)*"'
_PLAIN = rb"(?:" + _STRING + rb"|-?\d+(?:\.\d+)?)"
_MEMBER = rb"\s*(" + _STRING + rb")\s*:\s*(" + _PLAIN + rb")\s*"
_HEAD_MEMBER = re.compile(_MEMBER + rb",")
_TAIL = re.compile(rb"((?:," + _MEMBER + rb")+)\}\s*\Z")
_TAIL_MEMBER = re.compile(rb"," + _MEMBER)


class Large:
    """A large frame's content as it passes."""

    def __init__(self) -> None:
        self._head = b""
        self._tail = b""

    def pass_on(self, data: bytes) -> None:
        """Take the next part of it."""
        if len(self._head) < _END_BYTES:
            self._head = (self._head + data)[:_END_BYTES]
        self._tail = (self._tail + data)[-_END_BYTES:]

    def request(self) -> dict[str, Any] | None:
        """Return id and method at the end of the message; None where it is no request, or does not show that."""
        members = {**self._members(_TAIL.search(self._tail)), **self._first_members()}
        if "id" in members and isinstance(members.get("method"), str):
            return {"id": members["id"], "method": members["method"]}
        return None

    def _first_members(self) -> dict[str, Any]:
        head, at = self._head.lstrip(), 1
        found: dict[str, Any] = {}
        if head[:1] == b"{":
            while member := _HEAD_MEMBER.match(head, at):
                found |= _read(member)
                at = member.end()
        return found

    def _members(self, tail: re.Match[bytes] | None) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for member in _TAIL_MEMBER.finditer(tail[1]) if tail else ():
            found |= _read(member)
        return found


def _read(member: re.Match[bytes]) -> dict[str, Any]:
    try:
        return {json.loads(member[1]): json.loads(member[2])}
    except ValueError:
        return {}
