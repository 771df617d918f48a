"""What the tests of the workers run in real child processes: preparers and models that misbehave on demand."""

import os
import signal
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

from memcache_lsp.errors import ModelError, UserError
from memcache_lsp.events import Delta
from memcache_lsp.preparing import INDEXED, Prepared
from memcache_lsp.workers import inside
from memcache_lsp.workers.messages import Load, ModelFacts, Rest

SECRET = "secret text of the file"


class Poisoned:
    """A preparer that does to itself what a file's name says; `once-` files do it the first time only."""

    def __init__(self, recipe):
        self.root = recipe.root
        if recipe.embedder == "missing":
            raise ModelError("There is no such embedder: name another one.")
        if recipe.embedder == "broken":
            raise RuntimeError("broken")
        if recipe.embedder == "deadly":
            os._exit(9)

    def prepare(self, batch):
        return [self.one(job) for job in batch]

    def one(self, job):
        name = Path(job.found.path).name
        if name.startswith("once-"):
            name = name.removeprefix("once-")
            try:
                (self.root / f"{name}.done").touch(exist_ok=False)
            except FileExistsError:
                name = "good"
        prepared = Prepared(job.found, time.time_ns(), hash=name, status=INDEXED, language=str(os.nice(0)))
        misdeed = getattr(self, name.partition(".")[0], None)
        return misdeed(prepared) if misdeed else prepared

    def crash(self, _prepared):
        os.kill(os.getpid(), signal.SIGSEGV)

    def leave(self, _prepared):
        sys.exit(3)

    def vanish(self, _prepared):
        os._exit(0)

    def spin(self, _prepared):
        while True:
            pass

    def hang(self, _prepared):
        threading.Event().wait()

    def freeze(self, prepared):
        os.kill(os.getpid(), signal.SIGSTOP)
        return prepared

    def fail(self, _prepared):
        raise ValueError(SECRET)

    def refuse(self, _prepared):
        raise UserError("The embedder is gone: fetch it again.")

    def nonsense(self, _prepared):
        return "nonsense"

    def mistake(self, prepared):
        return replace(prepared, found=replace(prepared.found, path="another"))

    def unsendable(self, _prepared):
        return lambda: None

    def scribble(self, prepared):
        os.write(1, b"\xff" * 100)
        print("printed to stdout", flush=True)
        return prepared

    def garbage(self, prepared):
        write_garbage()
        return prepared


def write_garbage():
    """Write what is no message to the pipe itself, whichever descriptor that is."""
    for fd in range(3, 20):
        try:
            if os.readlink(f"/proc/self/fd/{fd}").startswith("pipe:"):
                os.write(fd, b"\xff" * 100)
        except OSError:
            continue


def model(behaviour):
    """Be a model worker that answers with its behaviour."""
    channel = inside.begin()
    facts = None
    requests = inside.inbox(channel)
    while True:
        request = requests.get()
        if isinstance(request, Load):
            if behaviour == "hang-at-load":
                threading.Event().wait()
            facts = ModelFacts(request.path, behaviour, 2048, None)
        else:
            channel.send(Delta(0, request.question))
            if behaviour == "die":
                os._exit(7)
            if behaviour.startswith("SIG"):
                os.kill(os.getpid(), signal.Signals[behaviour])
            if behaviour == "garbage":
                write_garbage()
                threading.Event().wait()
            if behaviour == "deaf" and request.question == "hang":
                threading.Event().wait()
            if behaviour == "freeze":
                os.kill(os.getpid(), signal.SIGSTOP)
        channel.send(Rest(None, facts))


if __name__ == "__main__":
    model(sys.argv[1])
