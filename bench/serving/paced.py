"""Be a daemon whose model is taken to read so many tokens a second: its one argument.

How much evidence a model gets follows the speed at which it reads. Here it does not, so that a question has the same
answer on a busy machine as on a quiet one. With `--child` it is the process of that model.
"""

from __future__ import annotations

import asyncio
import os
import sys

from memcache_lsp import daemon
from memcache_lsp.config import load_user_settings
from memcache_lsp.generation import LlamaGenerator
from memcache_lsp.hub import Hub
from memcache_lsp.rendezvous import Listener
from memcache_lsp.workers import model_child
from memcache_lsp.workers.model import ModelWorker

READS = "MEMCACHE_BENCH_READS"
_CHILD = (sys.executable, "-P", "-m", "serving.paced", "--child")


def _hub(mode: str) -> Hub:
    user = lambda: load_user_settings()[0]  # noqa: E731 - as the daemon has it
    return Hub(user=user, setup=daemon.Setups(), mode=mode, model=ModelWorker(command=_CHILD))


def _be_child(arguments: list[str]) -> None:
    reads = float(os.environ[READS])
    LlamaGenerator.prompt_speed = property(lambda _: reads, lambda *_: None)  # type: ignore[assignment]
    model_child.main(arguments)


def main() -> None:
    if sys.argv[1] == "--child":
        _be_child(sys.argv[2:])
        return
    os.environ[READS] = sys.argv[1]
    daemon.make_hub = _hub
    daemon.log_to_stderr()
    with Listener() as listener:
        asyncio.run(daemon.run_daemon(listener))


if __name__ == "__main__":
    main()
