"""Servers of the tests' own on the loopback, and models that are fetched from nowhere else."""

import contextlib
import os
import threading
from http.server import ThreadingHTTPServer


class Loopback(ThreadingHTTPServer):
    """A server whose clients may hang up as they like."""

    daemon_threads = True

    def __init__(self, handler, host="127.0.0.1", port=0):
        super().__init__((host, port), handler)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request, client_address):
        pass


@contextlib.contextmanager
def running(server):
    """Run a server in a thread."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def fetch_from(index, monkeypatch):
    """Have pip know no other package index, and nobody a proxy or settings of the machine."""
    for name in [n for n in os.environ if n.startswith(("PIP_", "HF_")) or n.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", f"{index}/simple/")
    monkeypatch.setenv("PIP_RETRIES", "0")


def left_over():
    """Name what lies in the models folder beside models and locks."""
    from memcache_lsp import models  # what is started as a server of its own does without

    return sorted(p.name for p in models.models_dir().iterdir() if p.suffix not in {".gguf", ".lock"})
