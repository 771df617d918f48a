"""Own what a model says to itself before it answers: told from the answer, however the text is cut into pieces.

Pure. Must not import a model or events.
"""

from __future__ import annotations

import re

_OPENINGS = ("<think>", "<thinking>", "<thought>", "<reasoning>", "[THINK]")
_CLOSING = {each: each.replace("<", "</").replace("[", "[/") for each in _OPENINGS}
_OPENED = re.compile(rf"(?:{'|'.join(map(re.escape, _OPENINGS))})\s*\Z")  # as templates of reasoning models end
_LONGEST = max(map(len, _CLOSING.values()))
_LEAST_TOKENS, _MOST_TOKENS = 16, 4096
_SMALL_CONTEXT = 512  # is for question and evidence

TAGS = (*_OPENINGS, *_CLOSING.values())


class Thoughts:
    """Part the answer from the thoughts that stand before it; such tags within an answer are a part of it.

    An answer may begin with the name of a tag. From a model that is not expected to think it is text. Others break the
    line behind one that they mean: without that, and without the tag that closes it, it was text.
    """

    def __init__(self, *, expected: bool = True) -> None:
        self.seen = False
        self._going_on = False  # what comes is thought
        self._opening = ""
        self._held = ""
        self._began = not expected  # the answer

    def feed(self, piece: str) -> str:
        """Take the next piece of text and give what of it is the answer's."""
        if self._began:
            return piece
        self._held += piece
        while self._held:
            if self._going_on:
                _, closing, after = self._held.partition(_CLOSING[self._opening])
                if not closing:
                    if self._is_meant():
                        self._held = self._opening + "\n" + self._held[-_LONGEST:]
                    return ""
                self._going_on, self._held = False, after
            self._held = self._held.lstrip()
            opening = next((each for each in _OPENINGS if self._held.startswith(each)), None)
            if opening is not None:
                self.seen = True
                self._going_on, self._opening = True, opening
            elif any(each.startswith(self._held) for each in _OPENINGS):
                return ""
            else:
                return self.finish()
        return ""

    def finish(self, *, cut: bool = False) -> str:
        """Give what was held back for a piece that does not come; with `cut` the closing tag may have been to come."""
        if self._going_on and (cut or self._is_meant()):
            return ""
        self._began = bool(self._held)
        held, self._held = self._held, ""
        return held

    def _is_meant(self) -> bool:
        behind = self._held[len(self._opening) :].lstrip(" \t\r")
        return not behind or behind[0] == "\n"


def opened_by(prompt_end: str) -> str:
    """Return the tag that a prompt ends in, whose thoughts the model goes on with; empty where it ends in none."""
    found = _OPENED.search(prompt_end)
    if found is None:
        return ""
    return found[0] if "\n" in found[0] else found[0] + "\n"  # what a template opens is never text


def is_spoken_of(template: str) -> bool:
    """Tell whether a chat template knows of thoughts, as those of models that think do."""
    return any(tag in template for tag in TAGS)


def room_tokens(context_tokens: int) -> int:
    """Return how many tokens a model may think before its answer, which they leave no shorter."""
    return max(_LEAST_TOKENS, min(_MOST_TOKENS, (context_tokens - _SMALL_CONTEXT) // 3))
