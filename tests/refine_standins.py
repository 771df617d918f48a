"""What the tests of the refinement load in the real child instead of a model: vectors of three words, misdeeds on demand."""

import os
import threading
from pathlib import Path

import numpy as np

from memcache_lsp.errors import ModelError

WORDS = ("delay", "status", "webhook")


def steady(name):
    """Open a model that lies in a folder; a file there named `stuck` or `fatal` is what it does next."""
    if name == "missing":
        raise ModelError("The embedder missing needs sentence-transformers; install it.")
    return Standin(Path(name))


class Standin:
    dimension = len(WORDS) + 1

    def __init__(self, folder):
        self.folder = folder
        self.id = f"stand-in {(folder / 'id').read_text()}"

    def embed(self, texts):
        if (self.folder / "fatal").exists():
            (self.folder / "fatal").unlink()
            os._exit(9)
        with (self.folder / "texts").open("a", encoding="utf-8") as log:
            log.writelines(f"{os.nice(0)} {text.splitlines()[0]}\n" for text in texts)
        return np.array([self._vector(text) for text in texts], dtype=np.float32)

    def embed_query(self, text):
        if (self.folder / "stuck").exists():
            (self.folder / "stuck").rename(self.folder / "was stuck")
            threading.Event().wait()
        return np.array(self._vector(text), dtype=np.float32)

    def _vector(self, text):
        return [text.lower().count(word) for word in WORDS] + [0.01]
