"""Own the chat template of a GGUF file: messages into text, the template's own parts apart from theirs."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any

from memcache_lsp.errors import ModelError
from memcache_lsp.generation.library import chat_formatter
from memcache_lsp.prompt import Message
from memcache_lsp.thinking import is_spoken_of

_MOST_S = 1.0  # for one prompt, which takes a thousandth of it
_PLACEHOLDER = re.compile("\ue000([0-9]+)\ue001")  # stands for a message's text while the template is rendered


@contextmanager
def _deadline(seconds: float) -> Iterator[None]:
    """Raise TimeoutError in what runs longer: a template may loop, and a thread cannot be ended from outside."""
    end = time.monotonic() + seconds

    def look(_frame: FrameType, _event: str, _argument: object) -> Any:
        if time.monotonic() > end:
            raise TimeoutError
        return look

    before = sys.gettrace()
    sys.settrace(look)
    try:
        yield
    finally:
        sys.settrace(before)


class Template:
    """The chat template of a GGUF file: turns messages into text, its own parts apart from theirs."""

    def __init__(self, api: Any, model: Any, vocab: Any) -> None:
        self._formatter: Any = None
        self._failure = ""
        source = api.llama_model_chat_template(model, None)
        if source:
            names = [
                (api.llama_vocab_get_text(vocab, token) or b"").decode("utf-8", "replace") if token >= 0 else ""
                for token in (api.llama_vocab_eos(vocab), api.llama_vocab_bos(vocab))
            ]
            try:
                self._formatter = chat_formatter(source.decode("utf-8", "replace"), *names)
            except Exception as error:  # noqa: BLE001 - the file's own program, which may be none
                self._failure = f"{type(error).__name__}: {error}"
        self._is_given = bool(source)
        self.knows_thoughts = is_spoken_of((source or b"").decode("utf-8", "replace"))

    def check(self, name: str) -> None:
        """Refuse a template that cannot be used; a file without one is a base model's, and may continue plain text."""
        if not self._is_given or self._fill(["system", "user"]) is not None or self._fill(["user"]) is not None:
            return
        why = " ".join(self._failure.split())[:200].rstrip(".") or "it leaves out what is asked"
        raise ModelError(
            f"The chat template of the model {name} cannot be used ({why}): fetch the file again, or name another model."
        )

    def render(self, messages: Sequence[Message]) -> list[tuple[str, bool]]:
        """Give the prompt in pieces, each with whether it is the template's own and may hold control tokens."""
        rendered = self._fill([message.role for message in messages])
        if rendered is None:  # some templates know no system message: its text goes before the user's
            joined = "\n\n".join(message.text for message in messages)
            messages = [Message("user", joined)]
            rendered = self._fill(["user"])
        if rendered is None:  # no template, or one of no use: a base model continues plain text
            return [(messages[0].text, False), ("\n\nAnswer:", False)]
        pieces = _PLACEHOLDER.split(rendered)
        return [
            (messages[int(piece)].text, False) if at % 2 else (piece, True) for at, piece in enumerate(pieces) if piece
        ]

    def _fill(self, roles: Sequence[str]) -> str | None:
        """Render with a placeholder for each message; None where the template fails or drops one."""
        if self._formatter is None:
            return None
        turns = [{"role": role, "content": f"\ue000{at}\ue001"} for at, role in enumerate(roles)]
        try:
            with _deadline(_MOST_S):
                rendered = str(self._formatter(messages=turns).prompt)
        except TimeoutError:  # and it would each time
            self._formatter, self._failure = None, "it comes to no end"
            return None
        except Exception as error:  # noqa: BLE001 - a template is the file's own program and may raise anything
            self._failure = f"{type(error).__name__}: {error}"
            return None
        shown = [int(at) for at in _PLACEHOLDER.findall(rendered)]
        return rendered if sorted(shown) == list(range(len(roles))) else None
