"""The model worker's program: hold one model, answer one question after another, stop when the shared byte says so.

    python -m memcache_lsp.workers.model_child [FD]     FD: a file of two bytes, the flag that stops the work

Reads no project: hits come in, events go out. Started by `model.ModelWorker` only.
"""

from __future__ import annotations

import mmap
import sys
from typing import TYPE_CHECKING

from memcache_lsp.errors import MemcacheError, ModelError, ServerError, UserError
from memcache_lsp.workers import inside
from memcache_lsp.workers.messages import Ask, Load, ModelFacts, Replay, Rest

if TYPE_CHECKING:
    from memcache_lsp.generator import Generator
    from memcache_lsp.workers.channel import Channel


class _Program:
    """The model of this process, if one is loaded, with the prefix that it remembers from question to question."""

    def __init__(self, channel: Channel, flag: mmap.mmap | None) -> None:
        self._channel = channel
        self._flag = flag
        self._generator: Generator | None = None
        self._loaded: Load | None = None

    def serve(self) -> None:
        """Do what is asked until this process is ended."""
        requests = inside.inbox(self._channel)
        while True:
            self._channel.send(Rest(self._do(requests.get()), self._facts()))

    def _do(self, request: object) -> MemcacheError | None:
        try:
            if isinstance(request, Load):
                self._load(request)
            elif isinstance(request, Ask):
                self._answer(request)
            elif isinstance(request, Replay):
                self._replay(request)
        except ServerError as error:
            self._drop()  # it may come back as another one
            return error
        except MemcacheError as error:
            return error
        except MemoryError as error:
            from memcache_lsp.generation.library import no_memory  # noqa: PLC0415 - after the greeting

            inside.log_failure(error)
            self._drop()
            return no_memory("the model")
        except Exception as error:  # noqa: BLE001 - the process boundary: the owner is told, the traceback is logged
            inside.log_failure(error)
            return UserError(f"The model failed ({type(error).__name__}): ask again, or see the log of the workers.")
        return None

    def _load(self, request: Load) -> None:
        from memcache_lsp.loading import open_model  # noqa: PLC0415 - so that the channel is up before

        if self._generator is not None and self._loaded == request:
            return
        self._drop()  # two at once may not fit in memory
        self._loaded = request
        self._generator = open_model(
            request.path,
            context_tokens=request.context_tokens,
            threads=request.threads,
            gpu_layers=request.gpu_layers,
        )

    def _drop(self) -> None:
        if self._generator is not None:
            self._generator.close()
            self._generator = None

    def _answer(self, request: Ask) -> None:
        from memcache_lsp.answering import answer  # noqa: PLC0415 - after the greeting
        from memcache_lsp.generator import StopFlag  # noqa: PLC0415

        if self._generator is None:
            raise ModelError("No model is loaded: name one that exists.")
        events = answer(
            request.question,
            request.hits,
            found=request.found,
            generator=self._generator,
            stop=StopFlag(self._flag),
            excerpts=request.excerpts,
            earlier=request.earlier,
            max_tokens=request.max_tokens,
        )
        for event in events:
            self._channel.send(event)

    def _replay(self, request: Replay) -> None:
        from memcache_lsp.events import Delta  # noqa: PLC0415
        from memcache_lsp.generation import LlamaGenerator  # noqa: PLC0415
        from memcache_lsp.generator import StopFlag  # noqa: PLC0415

        if not isinstance(self._generator, LlamaGenerator):
            raise ModelError("This answer was not made by a model of this machine: it cannot be replayed.")
        steps = self._generator.replay(
            request.prompt, request.computed, max_tokens=request.max_tokens, stop=StopFlag(self._flag)
        )
        for at, text in enumerate(step for step in steps if isinstance(step, str)):
            self._channel.send(Delta(at, text))

    def _facts(self) -> ModelFacts | None:
        if self._generator is None or self._loaded is None:
            return None
        model = self._generator
        return ModelFacts(self._loaded.path, model.name, model.context_tokens, model.prompt_speed, model.notes)


def main(arguments: list[str]) -> None:
    """Run the worker."""
    channel = inside.begin()
    flag = mmap.mmap(int(arguments[0]), 2) if arguments else None
    _Program(channel, flag).serve()


if __name__ == "__main__":
    main(sys.argv[1:])
