"""Own llama.cpp's context: the tokens that it has read, on how many threads it computes, what stops it.

A context is for one thread at a time. What it read is whole batches, for half of one could not be computed again as it was.
"""

from __future__ import annotations

import ctypes
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any

from memcache_lsp import machine
from memcache_lsp.errors import ModelError, Stopped
from memcache_lsp.generation.library import no_memory
from memcache_lsp.generator import Batches, StopFlag
from memcache_lsp.prefixes import LEAST_TOKENS, Prefix, Prefixes, joined, shared, singly

BATCH_TOKENS = 64  # small enough for progress in percent and for a stop between batches; larger ones read little faster, 10 % in noisy runs
_ABORTED = 2  # what llama_decode returns after the abort callback said so
_NO_MEMORY = -2  # what it returns where it could get none


class Context:
    """A context of a model; made by `opened`, freed by `close`."""

    def __init__(self, api: Any, handle: Any, *, threads: int | None) -> None:
        self.tokens = int(api.llama_n_ctx(handle))
        self.read: list[int] = []  # the tokens in its memory
        self.batches: list[Batches] = []  # in which they came there, one by one
        self.prefixes = Prefixes()
        self.free = machine.FreeCores(machine.cores())
        self._api = api
        self._handle = handle
        self._threads = threads  # the user's, None where they follow what is free
        self._computing = threads or machine.cores()  # threads that compute at present
        self._given: deque[int] = deque()  # the threads of the next batches, where an answer is computed again
        self._watched = StopFlag()

    @classmethod
    def opened(cls, api: Any, model: Any, tokens: int, *, threads: int | None) -> Context | None:
        """Make a context of so many tokens, on so many threads or as many as are free; None where there is no memory."""
        parameters = api.llama_context_default_params()
        parameters.n_ctx = tokens
        parameters.n_batch = parameters.n_ubatch = BATCH_TOKENS
        parameters.n_threads = parameters.n_threads_batch = threads or machine.cores()
        parameters.no_perf = True
        if not api.llama_supports_gpu_offload():  # there it is quicker; on a CPU it costs a fifth of what is written
            parameters.flash_attn_type = api.LLAMA_FLASH_ATTN_TYPE_DISABLED
        handle = api.llama_init_from_model(model, parameters)
        return cls(api, handle, threads=threads) if handle else None

    def close(self) -> None:
        """Free the memory."""
        self._api.llama_free(self._handle)
        self.prefixes.clear()

    def watch(self, stop: StopFlag) -> None:
        """Let llama.cpp itself look at the flag, in the middle of a batch and without the GIL.

        The abort callback is C's `strlen` and its argument the flag: not zero, that is true, once a byte is set. It
        works on a CPU back end; elsewhere, and where there is no such C library, the flag is seen between batches.
        """
        try:
            strlen = ctypes.cast(ctypes.CDLL(None).strlen, self._api.ggml_abort_callback)
        except (AttributeError, OSError, TypeError):
            return
        self._watched = stop  # llama.cpp keeps a bare pointer to its bytes
        self._api.llama_set_abort_callback(self._handle, strlen, stop.address)

    def recall(self, tokens: Sequence[int]) -> int:
        """Have as much of the prompt in the context as is known, at most all but one token; tell how much.

        What the context would lose thereby is kept, for the thread that goes on from it.
        """
        self._use_threads(self._threads or self.free.begin())
        wanted = list(tokens[:-1])
        known = shared(self.read, wanted)
        if len(self.read) - known >= LEAST_TOKENS:
            self._keep()
            if prefix := self.prefixes.best(wanted, least=known + LEAST_TOKENS):
                self._fetch(prefix)
        elif not self.read and (prefix := self.prefixes.best(wanted, least=LEAST_TOKENS)):
            self._fetch(prefix)
        self._forget_after(shared(self.read, wanted))
        return len(self.read)

    def known(self, tokens: Sequence[int]) -> int:
        """Return how many of a prompt's tokens `recall` would find, roughly; changes nothing."""
        return max(shared(self.read, tokens), self.prefixes.most_shared(tokens))

    def begin_again(self, threads: Iterable[int]) -> None:
        """Empty the context, and compute the next batches on these numbers of threads, one a batch."""
        self.end_again()
        self._clear()
        self._given.extend(threads)

    def end_again(self) -> None:
        """Compute on the threads of the moment."""
        self._given.clear()

    def decode(self, batch: list[int], stop: StopFlag) -> None:
        """Read tokens, at most `BATCH_TOKENS`; Stopped as soon as the flag is set, ModelError where it fails."""
        if stop.is_set():
            raise Stopped("Stopped.")
        self._use_threads(self._given.popleft() if self._given else self._threads or self.free.now())
        array = (self._api.llama_token * len(batch))(*batch)
        result = self._api.llama_decode(self._handle, self._api.llama_batch_get_one(array, len(batch)))
        if result == _ABORTED:
            raise Stopped("Stopped.")
        if result == _NO_MEMORY:
            raise no_memory("the answer")
        if result != 0:
            raise ModelError(f"llama.cpp failed to compute (code {result}): try again, or name a smaller model.")
        self.read += batch
        self.batches.append(Batches(len(batch), 1, self._computing))

    def likeliest(self, vocabulary: int) -> int:
        """Return the first of the likeliest next tokens, of so many: the same prompt gives the same answer."""
        import numpy as np  # noqa: PLC0415 - loaded by llama_cpp anyway

        logits = self._api.llama_get_logits_ith(self._handle, -1)
        return int(np.ctypeslib.as_array(logits, (vocabulary,)).argmax())

    def _use_threads(self, count: int) -> None:
        """Compute with so many threads from now on; the last bits of the numbers hang on it."""
        if count != self._computing:
            self._api.llama_set_n_threads(self._handle, count, count)
            self._computing = count

    def _keep(self) -> None:
        """Copy the state of the context out of it."""
        size = self._api.llama_state_seq_get_size(self._handle, 0)
        if not self.prefixes.takes(size):
            return
        try:
            state = (ctypes.c_uint8 * size)()
        except MemoryError:  # it is read again
            self.prefixes.clear()
            return
        if self._api.llama_state_seq_get_data(self._handle, state, size, 0) == size:
            self.prefixes.keep(Prefix(tuple(self.read), joined(self.batches), bytes(state)))

    def _fetch(self, prefix: Prefix) -> None:
        """Put a state that was kept back into the context; where llama.cpp refuses it, the context is empty."""
        self._clear()
        size = len(prefix.state)
        state = (ctypes.c_uint8 * size).from_buffer_copy(prefix.state)
        if self._api.llama_state_seq_set_data(self._handle, state, size, 0) == size:
            self.read, self.batches = list(prefix.tokens), singly(prefix.batches)
        else:
            self._clear()

    def _clear(self) -> None:
        self._api.llama_memory_clear(self._api.llama_get_memory(self._handle), True)
        self.read, self.batches = [], []

    def _forget_after(self, count: int) -> None:
        """Keep the batches that lie within the first tokens, and forget the rest."""
        kept, batches = 0, 0
        for batch in self.batches:
            if kept + batch.size > count:
                break
            kept += batch.size
            batches += 1
        memory = self._api.llama_get_memory(self._handle)
        if not self._api.llama_memory_seq_rm(memory, 0, kept, -1):  # a recurrent model cannot go back in part
            self._clear()
            return
        del self.read[kept:]
        del self.batches[batches:]
