"""Own the model that another server runs: the protocol of OpenAI, as llama-server, llamafile, Ollama and others speak it.

Another implementation of `generator.Generator`. What is sent is redacted once more, and nothing in it can pass for a
control token. Must not read settings or projects; HTTP is `web`'s.
"""

from __future__ import annotations

import codecs
import json
import re
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from itertools import takewhile
from math import ceil
from typing import Any, Literal

from memcache_lsp.errors import ServerError
from memcache_lsp.generator import Finished, Reading, Step, StopFlag, Thinking
from memcache_lsp.models import Endpoint
from memcache_lsp.prompt import Message
from memcache_lsp.redact import redact
from memcache_lsp.thinking import Thoughts, room_tokens
from memcache_lsp.web import Reply, Short, Stream, WebError, shown

CONTEXT_TOKENS = 4096  # where neither the server nor the user tells: what Ollama has
FIRST_SPEED = 250.0  # tokens a second read, before any measure: a slow GPU's or a fast processor's
# For a server that is there, pings or not: one that loads a large model and reads a long prompt takes that long. It has
# not failed, "reading" is shown meanwhile, and a stop is heard at once; one that takes no requests is told in five seconds.
FIRST_WORD_S = 120.0
SILENCE_S = 30.0  # within an answer
MEASURED_TOKENS = 32
_REASON_S = 2.0  # for the reason of a refusal
_EXTRA_S = 1.0  # for what a server need not offer
_NEAR_S = 0.02  # a server further away is not asked to count tokens, which takes dozens of requests
_TURN_TOKENS = 8  # around each message, at most
_LINE_CHARACTERS = 1 << 20
_THOUGHTS = ("reasoning_content", "reasoning", "thinking")  # where servers put them, beside the content
_REMEMBERED_PROMPTS = 4  # as many as llama-server keeps apart
_CHARACTERS_A_TOKEN = 40  # no token is longer but blanks

_PIECES = re.compile(r"[A-Za-z]+|\s+|.", re.DOTALL)
_CONTROL = re.compile(r"<(?=[|\uff5c]|/?s>|(?:start|end)_of_turn>|[be]os>|<SYS>|</SYS>|/?think>)|\[(?=/?INST\])")


def estimate(text: str) -> int:
    """Count the tokens of a text without its tokenizer: never fewer than common ones make of it.

    Three letters of a word a token, each digit, mark and run of blanks one, each other character its UTF-8 bytes.
    """
    total = 0
    for piece in _PIECES.findall(text):
        if piece.isspace():
            total += 1 if len(piece) < 8 else ceil(len(piece) / 8)
        else:
            total += ceil(len(piece) / 3) if piece.isascii() else len(piece.encode("utf-8", "replace"))
    return total


def harmless(text: str) -> str:
    """Redact a text, and part what a server would read as the control tokens of a chat."""
    return _CONTROL.sub(lambda found: found[0] + " ", redact(text).text)


@dataclass(frozen=True, slots=True)
class _Met:
    """What the server told of itself."""

    model: str
    context_tokens: int
    tokenizes: bool
    notes: tuple[str, ...]


class EndpointGenerator:
    """A model on a server; made, it has met the server. `on_close` ends a server that is ours."""

    def __init__(self, wanted: Endpoint, *, on_close: Callable[[], None] = lambda: None) -> None:
        self._wanted = wanted
        self._on_close = on_close
        headers = {"Authorization": f"Bearer {wanted.key}"} if wanted.key else {}
        self._headers = headers
        self._short = Short(wanted.url, headers)
        self.prompt_speed: float | None = FIRST_SPEED
        try:
            self._met = self._meet()
        except BaseException:
            self.close()
            raise
        self._sent: deque[tuple[Message, ...]] = deque(maxlen=_REMEMBERED_PROMPTS)
        self._count = lru_cache(maxsize=8192)(self._counted if self._met.tokenizes else estimate)

    @property
    def name(self) -> str:
        return self._met.model

    @property
    def context_tokens(self) -> int:
        return self._met.context_tokens

    @property
    def notes(self) -> tuple[str, ...]:
        return self._met.notes

    @property
    def thought_tokens(self) -> int:
        """Tell how many tokens the model may think; no server tells whether it does."""
        return room_tokens(self.context_tokens)

    def count_tokens(self, text: str) -> int:
        """Count by the server's tokenizer where it is near and offers it, else by an estimate that is never low."""
        return self._count(harmless(text))

    def prompt_tokens(self, messages: Sequence[Message]) -> int:
        """Count the whole prompt; the server's chat template is not known, so its part is the most it may be."""
        return sum(self.count_tokens(message.text) + _TURN_TOKENS for message in messages)

    def known_tokens(self, messages: Sequence[Message]) -> int:
        """Count what was sent in the last prompts: servers keep what they read of one, and few tell so."""
        common = max((_common(sent, messages) for sent in self._sent), default=0)
        return self.prompt_tokens(messages[:common])

    def close(self) -> None:
        """Hang up."""
        self._short.close()
        self._on_close()

    def generate(self, messages: Sequence[Message], *, max_tokens: int, stop: StopFlag) -> Iterator[Step]:
        """Do as `Generator.generate` says; a stop closes the connection, by which servers stop the model."""
        prompt_tokens = self.prompt_tokens(messages)
        if max_tokens == 0:
            yield Finished("stop", prompt_tokens, 0, 0, prompt_tokens / (self.prompt_speed or FIRST_SPEED), 0.0)
            return
        yield Reading(0, prompt_tokens)
        asked = {
            "model": self._met.model,
            "messages": [{"role": each.role, "content": harmless(each.text)} for each in messages],
            "max_tokens": max_tokens + self.thought_tokens,
            "temperature": 0,
            "seed": 0,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        began = time.perf_counter()
        try:
            with self._stream(asked, stop) as stream:
                if stream.status != 200:
                    raise self._refused(stream)
                answer = _Answer(max_tokens, self.thought_tokens)
                for text in answer.read(stream):
                    stream.hear()
                    if answer.first is None:
                        answer.first = time.perf_counter()
                        yield Reading(prompt_tokens, prompt_tokens)
                    yield text
        except WebError as error:
            raise self._lost(error) from error
        except _Told as told:
            raise ServerError(f"{self._who} failed ({told}): look at its log, then ask again.") from told
        self._sent.append((*messages, Message("assistant", "".join(answer.texts))))
        yield self._finished(answer, prompt_tokens, began)

    def _stream(self, asked: dict[str, Any], stop: StopFlag) -> Stream:
        return Stream(
            "POST",
            f"{self._wanted.api}/chat/completions",
            headers=self._headers,
            stopped=stop.is_set,
            silence_s=FIRST_WORD_S,
            then_s=SILENCE_S,
            json=asked,
            alive=f"{self._wanted.root}/health",
            said=True,
        )

    def _finished(self, answer: _Answer, prompt_tokens: int, began: float) -> Finished:
        ended = time.perf_counter()
        first = answer.first or ended
        read = answer.usage("prompt_tokens") or prompt_tokens
        reused = min(read, answer.reused)
        if answer.read_speed is not None:
            self.prompt_speed = answer.read_speed
        elif read - reused >= MEASURED_TOKENS:
            self.prompt_speed = (read - reused) / max(1e-3, first - began)
        return Finished(
            answer.reason,
            read,
            reused,
            answer.usage("completion_tokens") or estimate("".join(answer.texts)),
            first - began,
            ended - first,
        )

    # Meeting

    @property
    def _who(self) -> str:
        return self._wanted.called or f"The model server at {shown(self._wanted.url)}"

    def _meet(self) -> _Met:
        """Learn the model, its context and whether tokens can be counted; all of it takes less than five seconds."""
        try:
            reply = self._short.ask("GET", f"{self._wanted.api}/models", timeout_s=2.5)
        except WebError as error:
            raise self._lost(error) from error
        if reply.status in {401, 403}:
            raise ServerError(
                f"{self._who} wants another key: set MEMCACHE_ENDPOINT_KEY, or endpoint_key in config.toml."
            )
        listed = _models(reply)
        if listed is None:
            raise ServerError(
                f"{self._who} does not speak OpenAI's protocol (status {reply.status}): correct endpoint in config.toml."
            )
        model = self._chosen([str(each.get("id", "")) for each in listed])
        about = next((each for each in listed if each.get("id") == model), {})
        told = self._told_context() or _context_of(about)
        context = min(self._wanted.context_tokens or told or CONTEXT_TOKENS, told or 1_000_000)
        why = "as set" if self._wanted.context_tokens else "as the server tells" if told else "as it tells none"
        tokenizes = self._tokenizes()
        counts = "counted by the server" if tokenizes else "counted by an estimate that is never low"
        return _Met(model, context, tokenizes, (f"A context of {context} tokens, {why}.", f"Tokens are {counts}."))

    def _chosen(self, served: list[str]) -> str:
        if self._wanted.model:
            return self._wanted.model
        if len(served) == 1:
            return served[0]
        names = ", ".join(served[:8]) or "none that it names"
        raise ServerError(f"{self._who} serves several models ({names}): set endpoint_model in config.toml to one.")

    def _told_context(self) -> int | None:
        """Return what llama-server tells of its context."""
        try:
            reply = self._short.ask("GET", f"{self._wanted.root}/props", timeout_s=_EXTRA_S)
        except WebError:
            return None
        told = reply.json if reply.status == 200 and isinstance(reply.json, dict) else {}
        settings = told.get("default_generation_settings")
        return _positive(settings.get("n_ctx") if isinstance(settings, dict) else told.get("n_ctx"))

    def _tokenizes(self) -> bool:
        """Tell whether the server counts tokens, and soon enough: the best of three tries tells how far it is."""
        took = []
        try:
            for _ in range(3):
                began = time.perf_counter()
                if not self._counted("def main():", _EXTRA_S):
                    return False
                took.append(time.perf_counter() - began)
        except WebError:
            return False
        return min(took) < _NEAR_S

    def _counted(self, text: str, timeout_s: float = 2.0) -> int:
        try:
            reply = self._short.ask(
                "POST", f"{self._wanted.root}/tokenize", json={"content": text}, timeout_s=timeout_s
            )
        except WebError as error:
            if timeout_s == _EXTRA_S:
                raise
            raise self._lost(error) from error
        tokens = reply.json.get("tokens") if isinstance(reply.json, dict) else None
        if reply.status != 200 or not isinstance(tokens, list):
            return 0 if timeout_s == _EXTRA_S else estimate(text)
        return len(tokens)

    # Failing

    def _lost(self, error: WebError) -> ServerError:
        match error.failure:
            case "unreachable":
                what = f"cannot be reached ({error.why}): start it, or correct endpoint in config.toml"
            case "silent":
                what = f"does not answer ({error.why}): look at what it is at, then ask again"
            case _:
                what = f"hung up in the middle ({error.why}): look at its log, then ask again"
        return ServerError(f"{self._who} {what}.")

    def _refused(self, stream: Stream) -> ServerError:
        body = b""
        stream.hurry(_REASON_S)
        with suppress(WebError):  # what came of it has to do
            for chunk in stream:
                body += chunk
                if len(body) > _LINE_CHARACTERS:
                    break
        why = _reason(body) or "without a reason"
        if stream.status in {401, 403}:
            return ServerError(
                f"{self._who} wants another key: set MEMCACHE_ENDPOINT_KEY, or endpoint_key in config.toml."
            )
        advice = "set context_tokens in config.toml to its context" if "context" in why.lower() else "look at its log"
        return ServerError(
            f"{self._who} refused the question (status {stream.status}: {why}): {advice}, then ask again."
        )


class _Told(Exception):
    """The server said in the middle of an answer that it failed."""


class _Answer:
    """What has come of one answer."""

    def __init__(self, max_tokens: int, thought_tokens: int) -> None:
        self.texts: list[str] = []
        self.first: float | None = None
        self.reason: Literal["stop", "length"] = "length"
        self.reused = 0
        self.read_speed: float | None = None
        self._usage: dict[str, Any] = {}
        self._left = max_tokens  # of the answer
        self._room = (max_tokens + thought_tokens) * _CHARACTERS_A_TOKEN
        self._thoughts = Thoughts()
        self._ended = False

    def usage(self, name: str) -> int:
        """Return a number of the server's account, 0 where it gave none."""
        return _positive(self._usage.get(name)) or 0

    def read(self, chunks: Iterable[bytes]) -> Iterator[str | Thinking]:
        """Yield the pieces of text, and that it thinks; WebError where the stream ends before the answer."""
        for line in _lines(chunks):
            if not line.startswith("data:"):
                continue
            data = line[5:].strip()
            if data == "[DONE]":
                self._ended = True
                return
            try:
                event = json.loads(data)
            except ValueError:
                raise _Told("it sent what is no JSON") from None
            if not isinstance(event, dict):
                continue
            text, thought = self._take(event)
            if thought:
                yield Thinking()
            if text:
                self.texts.append(text)
                yield text
            if self._is_too_long(text, thought):
                self.reason, self._ended = "length", True
                return
        if not self._ended:
            raise WebError("cut", "the answer has no end")

    def _is_too_long(self, text: str, thought: str) -> bool:
        """Count what came; tell whether it goes beyond the length that the answer may have, or thoughts with it."""
        self._room -= len(text) + len(thought)
        if text and self._thoughts.feed(text):  # a piece is a token or more
            self._left -= max(1, len(text) // _CHARACTERS_A_TOKEN)
        return self._room < 0 or self._left < 0

    def _take(self, event: dict[str, Any]) -> tuple[str, str]:
        """Return the text of an event, and what the server tells of the model's thoughts."""
        if event.get("error"):
            raise _Told(_reason(json.dumps(event).encode()))
        if isinstance(usage := event.get("usage"), dict):
            self._usage = usage
            details = usage.get("prompt_tokens_details")
            self.reused = (_positive(details.get("cached_tokens")) if isinstance(details, dict) else 0) or 0
        if (
            isinstance(timings := event.get("timings"), dict)
            and (_positive(timings.get("prompt_n")) or 0) >= MEASURED_TOKENS
        ):
            speed = timings.get("prompt_per_second")
            self.read_speed = float(speed) if isinstance(speed, int | float) and speed > 0 else None
        choices = event.get("choices")
        choice = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else {}
        if choice.get("finish_reason"):
            self._ended = True
            self.reason = "length" if choice["finish_reason"] == "length" else "stop"
        delta = choice.get("delta")
        delta = delta if isinstance(delta, dict) else {}
        return _text(delta.get("content")), next(filter(None, (_text(delta.get(name)) for name in _THOUGHTS)), "")


def _common(one: Sequence[Message], other: Sequence[Message]) -> int:
    """Count the messages that two prompts begin with."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _lines(chunks: Iterable[bytes]) -> Iterator[str]:
    """Split the stream into lines, however its bytes are cut."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    rest = ""
    for chunk in chunks:
        *lines, rest = (rest + decoder.decode(chunk)).split("\n")
        yield from lines
        if len(rest) > _LINE_CHARACTERS:
            raise _Told("it sent a line without end")
    if rest:
        yield rest


def _models(reply: Reply) -> list[dict[str, Any]] | None:
    """Return the models that a server lists, None where it is no list of models."""
    data = reply.json.get("data") if reply.status == 200 and isinstance(reply.json, dict) else None
    return [each for each in data if isinstance(each, dict)] if isinstance(data, list) else None


def _context_of(about: dict[str, Any]) -> int | None:
    """Return the context that a server lists with a model, under the names that servers use."""
    meta = about.get("meta")
    for place in (about, meta if isinstance(meta, dict) else {}):
        for name in ("loaded_context_length", "max_model_len", "context_length", "n_ctx", "n_ctx_train"):
            if found := _positive(place.get(name)):
                return found
    return None


def _positive(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def _reason(body: bytes) -> str:
    """Return what a server says of its failure, shortened to a part of a sentence."""
    try:
        said = json.loads(body)
        said = said.get("error", said) if isinstance(said, dict) else said
        said = said.get("message", said) if isinstance(said, dict) else said
    except ValueError:
        said = body.decode("utf-8", "replace")
    words = " ".join(str(said).split())
    return (words if len(words) <= 200 else words[:200] + "…").rstrip(".")
