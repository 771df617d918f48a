"""Own llama.cpp as a library of this process: its import, its log, what it prints.

The only module that imports llama_cpp, and only inside functions, so that importing this one costs nothing.
"""

from __future__ import annotations

import ctypes
import os
import re
import sys
from collections import deque
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

from memcache_lsp.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Iterator

# What C++, the C library and its loader say of it.
_NO_MEMORY = re.compile(
    r"bad_alloc|(?:cannot|failed to|unable to) (?:allocate|map segment)|out of memory|not enough space", re.IGNORECASE
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


def is_no_memory(complaint: str) -> bool:
    """Tell whether a library says that memory ran out."""
    return _NO_MEMORY.search(complaint) is not None


def no_memory(name: str) -> ModelError:
    """Return what is said where a model does not fit."""
    return ModelError(f"There is not enough memory for {name}: close other programs, or name a smaller model.")


class Library:
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

    def had_no_memory(self) -> bool:
        """Tell whether it complained of memory."""
        return any(map(is_no_memory, self.said))

    def reason(self) -> str:
        """Give llama.cpp's first complaint, without the name of the function that made it."""
        first = next((line for line in self.said if line), "no reason given")
        return first.removeprefix("llama_model_load: ").removeprefix("error loading model: ").rstrip(".")


@cache
def library() -> Library:
    """Import llama.cpp; its log callback and its back end belong to the whole process, so there is one."""
    # Threads of GNU OpenMP spin at every barrier, for as long as this says; it is read once, when it is loaded. Not at all
    # costs a quarter of the speed on a quiet machine, and long spinning all of it in the moment until threads that have no
    # core of their own are taken back (see `machine.FreeCores`).
    spin = os.environ.get("GOMP_SPINCOUNT")
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
    try:
        import llama_cpp  # noqa: PLC0415 - heavy, and an extra
    except ModuleNotFoundError:
        raise ModelError(
            "A model needs the llama extra: install it with `pip install 'memcache-lsp[llama]'`."
        ) from None
    except (ImportError, OSError, RuntimeError) as error:
        if is_no_memory(str(error)):
            raise no_memory("llama.cpp") from None
        raise ModelError(f"llama-cpp-python is broken ({error}): install it again.") from None
    finally:
        if spin is None:
            del os.environ["GOMP_SPINCOUNT"]
    return Library(llama_cpp)


def tokenize(api: Any, vocab: Any, text: str, *, special: bool) -> list[int]:
    """Split a text into tokens; control tokens are recognised in it only if `special`."""
    data = text.encode("utf-8", "replace")
    room = len(data) + 8
    buffer = (api.llama_token * room)()
    count = api.llama_tokenize(vocab, data, len(data), buffer, room, False, special)
    if count < 0:
        raise ModelError("The model's vocabulary cannot read the prompt: name another model.")
    return list(buffer[:count])


def chat_formatter(template: str, eos: str, bos: str) -> Any:
    """Return llama.cpp's reader of a chat template; whatever the template does wrong is raised."""
    from llama_cpp.llama_chat_format import Jinja2ChatFormatter  # noqa: PLC0415

    return Jinja2ChatFormatter(template, eos, bos)
