"""Own the language model: load a GGUF file, read a prompt, stream an answer, stop at once."""

from __future__ import annotations

import codecs
import ctypes
import os
import queue
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Self

from memcache_lsp import machine
from memcache_lsp.errors import ModelError, Stopped
from memcache_lsp.generation.context import BATCH_TOKENS, Context
from memcache_lsp.generation.library import Library, library, no_memory, stdout_elsewhere, tokenize
from memcache_lsp.generation.template import Template
from memcache_lsp.generator import Computed, Finished, Reading, Step, StopFlag, looping
from memcache_lsp.prefixes import joined, singly
from memcache_lsp.thinking import TAGS, Thoughts, opened_by, room_tokens

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from memcache_lsp.prompt import Message

CONTEXT_TOKENS = 4096  # memory grows with it (48 MB for a 0.5B model), and no more can be read in bearable time
NEWEST_GGUF = 3
MEASURED_TOKENS = 32  # fewer than these say nothing about the reading speed

_ALL_LAYERS = 999
_LEAST_CONTEXT = 512


def load(
    path: Path, *, context_tokens: int | None = None, threads: int | None = None, gpu_layers: int | None = None
) -> LlamaGenerator:
    """Load a GGUF file; what cannot be loaded is a `ModelError`. Numbers that are None are chosen for this machine."""
    _check_file(path)
    _check_memory(path)
    with stdout_elsewhere():
        llama = library()
        layers = _ALL_LAYERS if gpu_layers is None else gpu_layers
        if not layers or not llama.api.llama_supports_gpu_offload():
            return _load(llama, path, context_tokens, threads, 0)
        try:
            return _load(llama, path, context_tokens, threads, layers)
        except ModelError:
            generator = _load(llama, path, context_tokens, threads, 0)  # raises where the file is what is wrong
        generator.notes = ("The GPU has no room for this model, so the processor computes.", *generator.notes)
        return generator


def _load(
    llama: Library, path: Path, context_tokens: int | None, threads: int | None, gpu_layers: int
) -> LlamaGenerator:
    llama.said.clear()
    parameters = llama.api.llama_model_default_params()
    parameters.n_gpu_layers = gpu_layers
    model = llama.api.llama_model_load_from_file(os.fsencode(path), parameters)
    if not model:
        if llama.had_no_memory():
            raise no_memory(f"the model {path.stem}")
        raise ModelError(
            f"llama.cpp cannot load {path} ({llama.reason()}): fetch the file again, or name another model."
        )
    generator = LlamaGenerator(llama.api, model, path.stem)
    try:
        generator._open(context_tokens, threads)  # noqa: SLF001
    except BaseException:
        generator.close()
        raise
    if gpu_layers:
        count = "all" if gpu_layers >= _ALL_LAYERS else str(gpu_layers)
        generator.notes = (f"The GPU computes {count} layers.", *generator.notes)
    return generator


def _check_memory(path: Path) -> None:
    """Refuse a file that is larger than all memory that is free: reading it would stop the whole machine."""
    free, needed = machine.free_memory_bytes(), path.stat().st_size
    if free is not None and needed > free:
        raise ModelError(
            f"There is not enough memory for the model {path.stem} ({needed / 1e9:.1f} GB, and {free / 1e9:.1f} GB are"
            " free): close other programs, or name a smaller model."
        )


def _check_file(path: Path) -> None:
    """Refuse what is no GGUF file before llama.cpp sees it, for its own messages do not tell what to do."""
    try:
        if path.exists() and not path.is_file():  # a pipe would be waited for
            raise ModelError(f"{path} is not a GGUF file: name a model in GGUF format.")
        with path.open("rb") as file:
            head = file.read(8)
    except FileNotFoundError:
        raise ModelError(f"There is no model at {path}: name a GGUF file that exists.") from None
    except OSError as error:
        raise ModelError(
            f"The model {path} cannot be read ({error.strerror}): name a GGUF file that you may read."
        ) from None
    if head[:4] != b"GGUF" or len(head) < 8:
        raise ModelError(f"{path} is not a GGUF file: name a model in GGUF format.")
    version = int.from_bytes(head[4:8], "little")
    if version > NEWEST_GGUF:
        raise ModelError(
            f"{path} has GGUF version {version}, newer than {NEWEST_GGUF}: update llama-cpp-python, or name another model."
        )


@dataclass(frozen=True, slots=True)
class _Task:
    """One answer to be computed: a prompt, the longest answer, what stops it, who hears of it."""

    tokens: list[int]
    opened: str  # the tag of thoughts that the prompt ends in
    max_tokens: int
    stop: StopFlag
    emit: Any


class LlamaGenerator:
    """A model in memory and the context that remembers the last prompt; made by `load`, freed by `close`.

    One run at a time: a second `generate` waits for the first. What both prompts share from the start is read once.
    """

    def __init__(self, api: Any, model: Any, name: str) -> None:
        self.name = name
        self.context_tokens = 0
        self.prompt_speed: float | None = None
        self.notes: tuple[str, ...] = ()
        self._api = api
        self._library_name = f"llama-cpp-python {api.__version__}"
        self._model = model
        self._context: Context | None = None
        self._vocab = api.llama_model_get_vocab(model)
        self._lock = threading.Lock()
        self._running: tuple[threading.Thread, StopFlag] | None = None
        self._template = Template(api, model, self._vocab)
        tags = (tokenize(api, self._vocab, tag, special=True) for tag in TAGS)
        self._tags = frozenset(tag[0] for tag in tags if len(tag) == 1)  # only models that think have tokens of them

    @property
    def thought_tokens(self) -> int:
        """Tell how many tokens it may think before an answer; its template or its vocabulary shows whether it does."""
        return room_tokens(self.context_tokens) if self._tags or self._template.knows_thoughts else 0

    def _open(self, context_tokens: int | None, threads: int | None) -> None:
        self._template.check(self.name)
        cores = machine.cores()
        threads = min(threads, cores) if threads else None
        trained = self._api.llama_model_n_ctx_train(self._model)
        wanted = min(context_tokens or CONTEXT_TOKENS, trained)
        tokens = wanted
        free = machine.free_memory_bytes()
        if free is not None:
            tokens = machine.context_that_fits(
                wanted,
                min(wanted, _LEAST_CONTEXT),
                token_bytes=self._token_bytes(),
                free_bytes=free - int(self._api.llama_model_size(self._model)),
            )
        self._context = Context.opened(self._api, self._model, tokens, threads=threads)
        if self._context is None:
            raise no_memory(f"the model {self.name}")
        self.context_tokens = min(trained, self._context.tokens)
        self.notes = _notes(
            self.context_tokens,
            trained,
            cut=tokens < wanted,
            set_tokens=context_tokens or 0,
            threads=threads,
            cores=cores,
        )

    def _token_bytes(self) -> int:
        """Tell how much memory a token of context takes: a key and a value of two bytes a number, in each layer."""
        width = self._api.llama_model_n_embd(self._model) // max(1, self._api.llama_model_n_head(self._model))
        heads = self._api.llama_model_n_layer(self._model) * self._api.llama_model_n_head_kv(self._model)
        return int(4 * heads * width)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop what runs and free the memory; may be called twice."""
        if self._running is not None:
            thread, stop = self._running
            stop.set()
            if thread.ident is not None:  # an interrupt may come while it begins; then the lock is waited for
                thread.join()
        with self._lock:
            if self._context is not None:
                self._context.close()
                self._context = None
            if self._model:
                self._api.llama_model_free(self._model)
                self._model = None

    def count_tokens(self, text: str) -> int:
        """Count the tokens of a plain text."""
        return len(tokenize(self._api, self._vocab, text, special=False))

    def prompt_tokens(self, messages: Sequence[Message]) -> int:
        """Count the tokens of the whole prompt, with what the chat template adds."""
        return len(self._tokens(messages)[0])

    def known_tokens(self, messages: Sequence[Message]) -> int:
        """Count the tokens of the prompt that need not be read again."""
        with self._lock:
            return 0 if self._context is None else self._context.known(self._tokens(messages)[0])

    def _tokens(self, messages: Sequence[Message]) -> tuple[list[int], str]:
        """Tokenize the rendered template, control tokens only where they are its own; and tell what thought it opens."""
        tokens: list[int] = []
        text, own = "", False
        for text, own in self._template.render(messages):
            tokens += tokenize(self._api, self._vocab, text, special=own)
        bos = self._api.llama_vocab_bos(self._vocab)
        if self._api.llama_vocab_get_add_bos(self._vocab) and tokens[:1] != [bos]:
            tokens.insert(0, bos)
        return tokens, opened_by(text) if own else ""

    def generate(self, messages: Sequence[Message], *, max_tokens: int, stop: StopFlag) -> Iterator[Step]:
        """Do as `Generator.generate` says, in a thread, so that the consumer's can be interrupted."""
        tokens, opened = self._tokens(messages)
        if len(tokens) + max_tokens > self.context_tokens:
            raise ModelError(
                f"The prompt of {len(tokens)} tokens and an answer of {max_tokens} do not fit the model's"
                f" {self.context_tokens}: ask for less, or name a model with a larger context."
            )
        yield from self._in_thread(
            lambda context, emit: self._run(context, _Task(tokens, opened, max_tokens, stop, emit)), stop
        )

    def replay(
        self, messages: Sequence[Message], computed: Computed, *, max_tokens: int, stop: StopFlag
    ) -> Iterator[Step]:
        """Compute an answer again as it was computed then, from an empty context; raise ModelError where it cannot be."""
        tokens, opened = self._tokens(messages)
        batches = singly(computed.prompt)
        if computed.library != self._library_name or computed.context_tokens != self.context_tokens:
            raise ModelError(
                f"The answer was made by {computed.library} with a context of {computed.context_tokens} tokens, and now there"
                f" is {self._library_name} with {self.context_tokens}: ask the question again instead."
            )
        if sum(batch.size for batch in batches) != len(tokens) or any(b.size > BATCH_TOKENS for b in batches):
            raise ModelError("The answer's record does not fit this model: ask the question again instead.")
        yield from self._in_thread(
            lambda context, emit: self._repeat(context, _Task(tokens, opened, max_tokens, stop, emit), computed), stop
        )

    def _in_thread(self, work: Callable[[Context, Any], Finished], stop: StopFlag) -> Iterator[Step]:
        steps: queue.SimpleQueue[Step | Exception] = queue.SimpleQueue()
        thread = threading.Thread(target=self._work, args=(work, stop, steps.put), name="generate")
        self._running = thread, stop
        thread.start()
        step: Step | Exception = ""
        try:
            while not isinstance(step, Finished):
                step = steps.get()
                if isinstance(step, Exception):
                    raise step
                yield step
        finally:
            if not isinstance(step, Finished | Exception):  # the consumer left: the thread must not outlive it
                stop.set()
            thread.join()

    def _work(self, work: Callable[[Context, Any], Finished], stop: StopFlag, emit: Any) -> None:
        """Run in the thread: whatever happens is handed to the consumer as the last thing."""
        try:
            with self._lock:
                if self._context is None:
                    raise Stopped("The model was closed.")  # noqa: TRY301 - handed over as any failure is
                self._context.watch(stop)
                emit(work(self._context, emit))
        except Exception as error:  # noqa: BLE001 - the boundary of the thread; the consumer raises it again
            emit(error)

    def _run(self, context: Context, task: _Task) -> Finished:
        started = time.perf_counter()
        tokens = task.tokens
        reused = context.recall(tokens)
        task.emit(Reading(reused, len(tokens)))
        speeds = []
        for start in range(reused, len(tokens), BATCH_TOKENS):
            before = time.perf_counter()
            batch = tokens[start : start + BATCH_TOKENS]
            context.decode(batch, task.stop)
            speeds.append((len(batch), time.perf_counter() - before))
            task.emit(Reading(start + len(batch), len(tokens)))
        self._measure(speeds)
        return self._finish(context, task, reused, started)

    def _repeat(self, context: Context, task: _Task, computed: Computed) -> Finished:
        """Do what `_run` did then, from an empty context on."""
        started = time.perf_counter()
        batches = singly(computed.prompt)
        context.begin_again(batch.threads for batch in (*batches, *singly(computed.answer)))
        try:
            for batch in batches:
                at = len(context.read)
                context.decode(task.tokens[at : at + batch.size], task.stop)
                task.emit(Reading(at + batch.size, len(task.tokens)))
            return self._finish(context, task, 0, started)
        finally:
            context.end_again()

    def _finish(self, context: Context, task: _Task, reused: int, started: float) -> Finished:
        """Write the answer to a prompt that was read."""
        read, prompt = time.perf_counter(), len(context.batches)
        answer, reason = self._write(context, task)
        computed = Computed(
            self._library_name, self.context_tokens, joined(context.batches[:prompt]), joined(context.batches[prompt:])
        )
        took = read - started, time.perf_counter() - read
        return Finished(reason, len(task.tokens), reused, answer, *took, computed)

    def _measure(self, batches: list[tuple[int, float]]) -> None:
        """Remember the reading speed, without the first batch where there are more: it may wait for the disk."""
        steady = batches[1:] if sum(count for count, _ in batches[1:]) >= MEASURED_TOKENS else batches
        count = sum(count for count, _ in steady)
        if count >= MEASURED_TOKENS:
            self.prompt_speed = count / max(1e-6, sum(seconds for _, seconds in steady))

    def _write(self, context: Context, task: _Task) -> tuple[int, Literal["stop", "length"]]:
        decoder = codecs.getincrementaldecoder("utf-8")("replace")  # a token may end inside of a character
        written: list[int] = []
        vocabulary = self._api.llama_vocab_n_tokens(self._vocab)
        reason: Literal["stop", "length"] = "length"
        thoughts, answers = Thoughts(expected=self.thought_tokens > 0), False
        room = (
            min(task.max_tokens + self.thought_tokens, self.context_tokens - len(task.tokens)) if task.max_tokens else 0
        )
        if task.opened and room:  # the answer begins within the prompt
            task.emit(task.opened)
            thoughts.feed(task.opened)
        while len(written) < room and not looping(written):
            token = context.likeliest(vocabulary)
            if self._api.llama_vocab_is_eog(self._vocab, token):
                reason = "stop"
                break
            written.append(token)
            if text := decoder.decode(self._piece(token)):
                task.emit(text)
                if not answers and thoughts.feed(text):
                    answers, room = True, min(room, len(written) - 1 + task.max_tokens)
            if len(written) < room:
                context.decode([token], task.stop)
        if rest := decoder.decode(b"", final=True):
            task.emit(rest)
        return len(written), reason

    def _piece(self, token: int) -> bytes:
        """Give a token's bytes; a control token has none, but for the tags of thoughts."""
        size = 64
        while True:
            buffer = ctypes.create_string_buffer(size)
            length = int(self._api.llama_token_to_piece(self._vocab, token, buffer, size, 0, token in self._tags))
            if length >= 0:
                return buffer.raw[:length]
            size = -length


def _notes(
    context: int, trained: int, *, cut: bool, set_tokens: int, threads: int | None, cores: int
) -> tuple[str, str]:
    """Tell what was chosen, and why."""
    if set_tokens and cut:
        why = f"not {set_tokens} as set, for memory has no room for more"
    elif set_tokens:
        why = "as set" if context < trained else "all that the model was trained for"
    elif cut:
        why = "as much as memory has room for"
    else:
        why = "all that the model was trained for" if context == trained else "as more takes too long to read"
    how = f"{threads} of {cores} cores, as set" if threads else f"As many of {cores} cores as are free"
    return f"A context of {context} tokens, {why}.", f"{how}, compute."
