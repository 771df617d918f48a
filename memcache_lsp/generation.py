"""Own the language model: load a GGUF file, read a prompt, stream an answer, stop at once.

The only module that imports llama_cpp, and only inside functions, so that importing this one costs nothing. Knows
nothing of questions, hits or citations; of `prompt` it takes the `Message`. Must never import `answering` or anything
that reads the project.
"""

from __future__ import annotations

import codecs
import ctypes
import os
import queue
import re
import sys
import threading
import time
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, Self

from memcache_lsp import machine
from memcache_lsp.errors import ModelError, Stopped
from memcache_lsp.generator import Batches, Computed, Finished, Generator, Reading, Step, StopFlag, looping
from memcache_lsp.prefixes import LEAST_TOKENS, Prefix, Prefixes, joined, shared, singly
from memcache_lsp.prompt import Message

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

__all__ = ["Finished", "Generator", "LlamaGenerator", "Reading", "Step", "StopFlag", "load", "stdout_elsewhere"]

CONTEXT_TOKENS = 4096  # memory grows with it (48 MB for a 0.5B model), and no more can be read in bearable time
BATCH_TOKENS = 64  # small enough for progress in percent and for a stop between batches; larger ones read little faster, 10 % in noisy runs
NEWEST_GGUF = 3
MEASURED_TOKENS = 32  # fewer than these say nothing about the reading speed

_PLACEHOLDER = re.compile("\ue000([0-9]+)\ue001")  # stands for a message's text while the template is rendered
_ALL_LAYERS = 999
_LEAST_CONTEXT = 512
_ABORTED = 2  # what llama_decode returns after the abort callback said so


def load(
    path: Path, *, context_tokens: int | None = None, threads: int | None = None, gpu_layers: int | None = None
) -> LlamaGenerator:
    """Load a GGUF file; what cannot be loaded is a `ModelError`. Numbers that are None are chosen for this machine."""
    _check_file(path)
    _check_memory(path)
    with stdout_elsewhere():
        library = _library()
        layers = _ALL_LAYERS if gpu_layers is None else gpu_layers
        if not layers or not library.api.llama_supports_gpu_offload():
            return _load(library, path, context_tokens, threads, 0)
        try:
            return _load(library, path, context_tokens, threads, layers)
        except ModelError:
            generator = _load(library, path, context_tokens, threads, 0)  # raises where the file is what is wrong
        generator.notes = ("The GPU has no room for this model, so the processor computes.", *generator.notes)
        return generator


def _load(
    library: _Library, path: Path, context_tokens: int | None, threads: int | None, gpu_layers: int
) -> LlamaGenerator:
    library.said.clear()
    parameters = library.api.llama_model_default_params()
    parameters.n_gpu_layers = gpu_layers
    model = library.api.llama_model_load_from_file(os.fsencode(path), parameters)
    if not model:
        raise ModelError(
            f"llama.cpp cannot load {path} ({library.reason()}): fetch the file again, or name another model."
        )
    generator = LlamaGenerator(library, model, path.stem)
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


@contextmanager
def stdout_elsewhere() -> Iterator[None]:
    """Point file descriptor 1 at stderr for a while: llama.cpp and its libraries print, and stdout is the protocol's."""
    if sys.stdout is not None:
        sys.stdout.flush()
    try:
        kept = os.dup(1)
    except OSError:  # closed: nothing can be spoilt
        yield
        return
    try:
        os.dup2(2, 1)
    except OSError:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.close(null)
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


class _Library:
    """llama.cpp, initialised once for the process, with what it last complained about."""

    def __init__(self, api: Any) -> None:
        self.api = api
        self.said: deque[str] = deque(maxlen=20)
        self._log = api.llama_log_callback(self._hear)  # llama.cpp keeps a bare pointer to it
        api.llama_log_set(self._log, ctypes.c_void_p(0))
        api.llama_backend_init()

    def _hear(self, level: int, text: bytes, _data: object) -> None:
        if level == 4:
            self.said.append(text.decode("utf-8", "replace").strip())

    def reason(self) -> str:
        """Give llama.cpp's first complaint, without the name of the function that made it."""
        first = next((line for line in self.said if line), "no reason given")
        return first.removeprefix("llama_model_load: ").removeprefix("error loading model: ").rstrip(".")


@cache
def _library() -> _Library:
    """Import llama.cpp; its log callback and its back end belong to the whole process, so there is one."""
    # Threads of GNU OpenMP spin at every barrier, for as long as this says; it is read once, when it is loaded. Not at all
    # costs a quarter of the speed on a quiet machine, and long spinning all of it in the moment until threads that have no
    # core of their own are taken back (see `machine.FreeCores`).
    spin = os.environ.get("GOMP_SPINCOUNT")
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
    try:
        import llama_cpp  # noqa: PLC0415 - heavy, and an extra
    except ImportError:
        raise ModelError(
            "A model needs the llama extra: install it with `pip install 'memcache-lsp[llama]'`."
        ) from None
    except (OSError, RuntimeError) as error:
        raise ModelError(f"llama-cpp-python is broken ({error}): install it again.") from None
    finally:
        if spin is None:
            del os.environ["GOMP_SPINCOUNT"]
    return _Library(llama_cpp)


@dataclass(frozen=True, slots=True)
class _Task:
    """One answer to be computed: a prompt, the longest answer, what stops it, who hears of it."""

    tokens: list[int]
    max_tokens: int
    stop: StopFlag
    emit: Any


class LlamaGenerator:
    """A model in memory and the context that remembers the last prompt; made by `load`, freed by `close`.

    One run at a time: a second `generate` waits for the first. What both prompts share from the start is read once.
    """

    def __init__(self, library: _Library, model: Any, name: str) -> None:
        self.name = name
        self.context_tokens = 0
        self.prompt_speed: float | None = None
        self.notes: tuple[str, ...] = ()
        self._threads: int | None = None  # the user's, None where they follow what is free
        self._computing = 0  # threads that compute at present
        self._given: deque[int] = deque()  # the threads of the next batches, where an answer is computed again
        self._free = machine.FreeCores(machine.cores())
        self._api = library.api
        self._library_name = f"llama-cpp-python {library.api.__version__}"
        self._model = model
        self._context: Any = None
        self._vocab = self._api.llama_model_get_vocab(model)
        self._known: list[int] = []  # the tokens in the context's memory
        self._batches: list[Batches] = []  # in which they came there, one by one
        self._prefixes = Prefixes()
        self._lock = threading.Lock()
        self._running: tuple[threading.Thread, StopFlag] | None = None
        self._watched = StopFlag()
        self._template = _Template(self._api, model, self._vocab)

    def _open(self, context_tokens: int | None, threads: int | None) -> None:
        self._template.check(self.name)
        cores = machine.cores()
        self._threads = min(threads, cores) if threads else None
        trained = self._api.llama_model_n_ctx_train(self._model)
        wanted = min(context_tokens or CONTEXT_TOKENS, trained)
        tokens = wanted
        free = machine.free_memory_bytes()
        if not context_tokens and free is not None:
            tokens = machine.context_that_fits(
                wanted,
                min(wanted, _LEAST_CONTEXT),
                token_bytes=self._token_bytes(),
                free_bytes=free - int(self._api.llama_model_size(self._model)),
            )
        parameters = self._api.llama_context_default_params()
        parameters.n_ctx = tokens
        parameters.n_batch = parameters.n_ubatch = BATCH_TOKENS
        parameters.n_threads = parameters.n_threads_batch = self._computing = self._threads or cores
        parameters.no_perf = True
        self._context = self._api.llama_init_from_model(self._model, parameters)
        if not self._context:
            raise ModelError(
                f"There is not enough memory for the model {self.name}: close other programs, or name a smaller model."
            )
        self.context_tokens = min(trained, self._api.llama_n_ctx(self._context))
        self.notes = _notes(
            self.context_tokens,
            trained,
            cut=tokens < wanted,
            set_by_user=bool(context_tokens),
            threads=self._threads,
            cores=cores,
        )

    def _token_bytes(self) -> int:
        """Tell how much memory a token of context takes: a key and a value of two bytes a number, in each layer."""
        width = self._api.llama_model_n_embd(self._model) // max(1, self._api.llama_model_n_head(self._model))
        heads = self._api.llama_model_n_layer(self._model) * self._api.llama_model_n_head_kv(self._model)
        return int(4 * heads * width)

    def _use_threads(self, count: int) -> None:
        """Compute with so many threads from now on; the last bits of the numbers hang on it."""
        if count != self._computing:
            self._api.llama_set_n_threads(self._context, count, count)
            self._computing = count

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
            if self._context:
                self._api.llama_free(self._context)
                self._context = None
                self._prefixes.clear()
            if self._model:
                self._api.llama_model_free(self._model)
                self._model = None

    def count_tokens(self, text: str) -> int:
        """Count the tokens of a plain text."""
        return len(tokenize(self._api, self._vocab, text, special=False))

    def prompt_tokens(self, messages: Sequence[Message]) -> int:
        """Count the tokens of the whole prompt, with what the chat template adds."""
        return len(self._tokens(messages))

    def _tokens(self, messages: Sequence[Message]) -> list[int]:
        """Tokenize the rendered template, control tokens only where they are the template's own."""
        tokens: list[int] = []
        for text, own in self._template.render(messages):
            tokens += tokenize(self._api, self._vocab, text, special=own)
        bos = self._api.llama_vocab_bos(self._vocab)
        if self._api.llama_vocab_get_add_bos(self._vocab) and tokens[:1] != [bos]:
            tokens.insert(0, bos)
        return tokens

    def generate(self, messages: Sequence[Message], *, max_tokens: int, stop: StopFlag) -> Iterator[Step]:
        """Do as `Generator.generate` says, in a thread, so that the consumer's can be interrupted."""
        tokens = self._tokens(messages)
        if len(tokens) + max_tokens > self.context_tokens:
            raise ModelError(
                f"The prompt of {len(tokens)} tokens and an answer of {max_tokens} do not fit the model's"
                f" {self.context_tokens}: ask for less, or name a model with a larger context."
            )
        yield from self._in_thread(lambda emit: self._run(_Task(tokens, max_tokens, stop, emit)), stop)

    def replay(
        self, messages: Sequence[Message], computed: Computed, *, max_tokens: int, stop: StopFlag
    ) -> Iterator[Step]:
        """Compute an answer again as it was computed then, from an empty context; raise ModelError where it cannot be."""
        tokens = self._tokens(messages)
        batches = singly(computed.prompt)
        if computed.library != self._library_name or computed.context_tokens != self.context_tokens:
            raise ModelError(
                f"The answer was made by {computed.library} with a context of {computed.context_tokens} tokens, and now there"
                f" is {self._library_name} with {self.context_tokens}: ask the question again instead."
            )
        if sum(batch.size for batch in batches) != len(tokens) or any(b.size > BATCH_TOKENS for b in batches):
            raise ModelError("The answer's record does not fit this model: ask the question again instead.")
        yield from self._in_thread(
            lambda emit: self._repeat(_Task(tokens, max_tokens, stop, emit), batches, computed), stop
        )

    def _in_thread(self, work: Callable[[Any], Finished], stop: StopFlag) -> Iterator[Step]:
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

    def _work(self, work: Callable[[Any], Finished], stop: StopFlag, emit: Any) -> None:
        """Run in the thread: whatever happens is handed to the consumer as the last thing."""
        try:
            with self._lock:
                if self._context:
                    self._watch(stop)
                    emit(work(emit))
                else:
                    emit(Stopped("The model was closed."))
        except Exception as error:  # noqa: BLE001 - the boundary of the thread; the consumer raises it again
            emit(error)

    def _watch(self, stop: StopFlag) -> None:
        """Let llama.cpp itself look at the flag, in the middle of a batch and without the GIL.

        The abort callback is C's `strlen` and its argument the flag: not zero, that is true, once a byte is set. It
        works on a CPU back end; elsewhere, and where there is no such C library, the flag is seen between batches.
        """
        try:
            strlen = ctypes.cast(ctypes.CDLL(None).strlen, self._api.ggml_abort_callback)
        except (AttributeError, OSError, TypeError):
            return
        self._watched = stop  # llama.cpp keeps a bare pointer to its bytes
        self._api.llama_set_abort_callback(self._context, strlen, stop.address)

    def _run(self, task: _Task) -> Finished:
        started = time.perf_counter()
        self._use_threads(self._threads or self._free.begin())
        tokens = task.tokens
        reused = self._recall(tokens)
        task.emit(Reading(reused, len(tokens)))
        speeds = []
        for start in range(reused, len(tokens), BATCH_TOKENS):
            before = time.perf_counter()
            batch = tokens[start : start + BATCH_TOKENS]
            self._decode(batch, task.stop)
            speeds.append((len(batch), time.perf_counter() - before))
            task.emit(Reading(start + len(batch), len(tokens)))
        self._measure(speeds)
        return self._finish(task, reused, started)

    def _repeat(self, task: _Task, batches: Sequence[Batches], computed: Computed) -> Finished:
        """Do what `_run` did then, from an empty context on."""
        started = time.perf_counter()
        self._clear()
        self._given.extend(batch.threads for batch in (*batches, *singly(computed.answer)))
        try:
            for batch in batches:
                at = len(self._known)
                self._decode(task.tokens[at : at + batch.size], task.stop)
                task.emit(Reading(at + batch.size, len(task.tokens)))
            return self._finish(task, 0, started)
        finally:
            self._given.clear()

    def _finish(self, task: _Task, reused: int, started: float) -> Finished:
        """Write the answer to a prompt that was read."""
        read, prompt = time.perf_counter(), len(self._batches)
        answer, reason = self._write(task.max_tokens, task.stop, task.emit)
        computed = Computed(
            self._library_name, self.context_tokens, joined(self._batches[:prompt]), joined(self._batches[prompt:])
        )
        took = read - started, time.perf_counter() - read
        return Finished(reason, len(task.tokens), reused, answer, *took, computed)

    def _measure(self, batches: list[tuple[int, float]]) -> None:
        """Remember the reading speed, without the first batch where there are more: it may wait for the disk."""
        steady = batches[1:] if sum(count for count, _ in batches[1:]) >= MEASURED_TOKENS else batches
        count = sum(count for count, _ in steady)
        if count >= MEASURED_TOKENS:
            self.prompt_speed = count / max(1e-6, sum(seconds for _, seconds in steady))

    def _recall(self, tokens: list[int]) -> int:
        """Have as much of the prompt in the context as is known, at most all but one token; tell how much.

        What the context would lose thereby is kept, for the thread that goes on from it. Whole batches are known or
        not: half of one could not be computed again as it was.
        """
        wanted = tokens[:-1]
        known = shared(self._known, wanted)
        if len(self._known) - known >= LEAST_TOKENS:
            self._keep()
            if prefix := self._prefixes.best(wanted, least=known + LEAST_TOKENS):
                self._fetch(prefix)
        elif not self._known and (prefix := self._prefixes.best(wanted, least=LEAST_TOKENS)):
            self._fetch(prefix)
        self._forget_after(shared(self._known, wanted))
        return len(self._known)

    def _keep(self) -> None:
        """Copy the state of the context out of it."""
        size = self._api.llama_state_seq_get_size(self._context, 0)
        if not self._prefixes.takes(size):
            return
        state = (ctypes.c_uint8 * size)()
        if self._api.llama_state_seq_get_data(self._context, state, size, 0) == size:
            self._prefixes.keep(Prefix(tuple(self._known), joined(self._batches), bytes(state)))

    def _fetch(self, prefix: Prefix) -> None:
        """Put a state that was kept back into the context; where llama.cpp refuses it, the context is empty."""
        self._clear()
        size = len(prefix.state)
        state = (ctypes.c_uint8 * size).from_buffer_copy(prefix.state)
        if self._api.llama_state_seq_set_data(self._context, state, size, 0) == size:
            self._known, self._batches = list(prefix.tokens), singly(prefix.batches)
        else:
            self._clear()

    def _clear(self) -> None:
        self._api.llama_memory_clear(self._api.llama_get_memory(self._context), True)
        self._known, self._batches = [], []

    def _forget_after(self, count: int) -> None:
        """Keep the batches that lie within the first tokens, and forget the rest."""
        kept, batches = 0, 0
        for batch in self._batches:
            if kept + batch.size > count:
                break
            kept += batch.size
            batches += 1
        memory = self._api.llama_get_memory(self._context)
        if not self._api.llama_memory_seq_rm(memory, 0, kept, -1):  # a recurrent model cannot go back in part
            self._clear()
            return
        del self._known[kept:]
        del self._batches[batches:]

    def _decode(self, batch: list[int], stop: StopFlag) -> None:
        if stop.is_set():
            raise Stopped("Stopped.")
        self._use_threads(self._given.popleft() if self._given else self._threads or self._free.now())
        array = (self._api.llama_token * len(batch))(*batch)
        result = self._api.llama_decode(self._context, self._api.llama_batch_get_one(array, len(batch)))
        if result == _ABORTED:
            raise Stopped("Stopped.")
        if result != 0:
            raise ModelError(f"llama.cpp failed to compute (code {result}): try again, or name a smaller model.")
        self._known += batch
        self._batches.append(Batches(len(batch), 1, self._computing))

    def _write(self, max_tokens: int, stop: StopFlag, emit: Any) -> tuple[int, Literal["stop", "length"]]:
        decoder = codecs.getincrementaldecoder("utf-8")("replace")  # a token may end inside of a character
        written: list[int] = []
        reason: Literal["stop", "length"] = "length"
        while len(written) < max_tokens and not looping(written):
            token = self._likeliest()
            if self._api.llama_vocab_is_eog(self._vocab, token):
                reason = "stop"
                break
            written.append(token)
            if text := decoder.decode(self._piece(token)):
                emit(text)
            if len(written) < max_tokens:
                self._decode([token], stop)
        if rest := decoder.decode(b"", final=True):
            emit(rest)
        return len(written), reason

    def _likeliest(self) -> int:
        """Take the first of the likeliest tokens: the same prompt gives the same answer."""
        import numpy as np  # noqa: PLC0415 - loaded by llama_cpp anyway

        logits = self._api.llama_get_logits_ith(self._context, -1)
        return int(np.ctypeslib.as_array(logits, (self._api.llama_vocab_n_tokens(self._vocab),)).argmax())

    def _piece(self, token: int) -> bytes:
        """Give a token's bytes; a control token has none."""
        size = 64
        while True:
            buffer = ctypes.create_string_buffer(size)
            length = int(self._api.llama_token_to_piece(self._vocab, token, buffer, size, 0, False))
            if length >= 0:
                return buffer.raw[:length]
            size = -length


def _notes(
    context: int, trained: int, *, cut: bool, set_by_user: bool, threads: int | None, cores: int
) -> tuple[str, str]:
    """Tell what was chosen, and why."""
    if set_by_user:
        why = "as set" if context < trained else "all that the model was trained for"
    elif cut:
        why = "as much as memory has room for"
    else:
        why = "all that the model was trained for" if context == trained else "as more takes too long to read"
    how = f"{threads} of {cores} cores, as set" if threads else f"As many of {cores} cores as are free"
    return f"A context of {context} tokens, {why}.", f"{how}, compute."


def tokenize(api: Any, vocab: Any, text: str, *, special: bool) -> list[int]:
    """Split a text into tokens; control tokens are recognised in it only if `special`."""
    data = text.encode("utf-8", "replace")
    room = len(data) + 8
    buffer = (api.llama_token * room)()
    count = api.llama_tokenize(vocab, data, len(data), buffer, room, False, special)
    if count < 0:
        raise ModelError("The model's vocabulary cannot read the prompt: name another model.")
    return list(buffer[:count])


class _Template:
    """The chat template of a GGUF file: turns messages into text, its own parts apart from theirs."""

    def __init__(self, api: Any, model: Any, vocab: Any) -> None:
        self._formatter: Any = None
        self._failure = ""
        source = api.llama_model_chat_template(model, None)
        if source:
            from llama_cpp.llama_chat_format import Jinja2ChatFormatter  # noqa: PLC0415

            names = [
                (api.llama_vocab_get_text(vocab, token) or b"").decode("utf-8", "replace") if token >= 0 else ""
                for token in (api.llama_vocab_eos(vocab), api.llama_vocab_bos(vocab))
            ]
            try:
                self._formatter = Jinja2ChatFormatter(source.decode("utf-8", "replace"), *names)
            except Exception as error:  # noqa: BLE001 - the file's own program, which may be none
                self._failure = f"{type(error).__name__}: {error}"
        self._is_given = bool(source)

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
            rendered = str(self._formatter(messages=turns).prompt)
        except Exception as error:  # noqa: BLE001 - a template is the file's own program and may raise anything
            self._failure = f"{type(error).__name__}: {error}"
            return None
        shown = [int(at) for at in _PLACEHOLDER.findall(rendered)]
        return rendered if sorted(shown) == list(range(len(roles))) else None
