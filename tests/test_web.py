"""A stream's silence: what was waited for in vain, and nothing else."""

import threading
import time
from http.server import BaseHTTPRequestHandler

import pytest
from loopback import Loopback, running

from memcache_lsp.web import Stream, WebError

LIMIT_S = 2.0  # nobody is silent for so long because the machine has other work


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        try:
            self.server.body(self.wfile.write)
        except OSError:  # the reader has hung up
            self.server.left.set()

    def log_message(self, *args):
        pass


class _Server(Loopback):
    block_on_close = False

    def __init__(self, body):
        super().__init__(_Handler, "127.0.0.1", 0)
        self.body = body
        self.left = threading.Event()


def stream_of(server, **options):
    return Stream("GET", server.url, headers={}, stopped=lambda: False, silence_s=LIMIT_S, **options)


def read_on(stream):
    for chunk in stream:
        if b"word" in chunk:
            stream.hear()


@pytest.mark.parametrize("said", [True, False])
def test_a_reader_that_paused_calls_nobody_silent(said):
    go_on, sent = threading.Event(), threading.Event()

    def body(write):
        write(b"one")
        assert go_on.wait(20)
        write(b"two")
        sent.set()

    with running(_Server(body)) as server, stream_of(server, said=said) as stream:
        chunks = iter(stream)
        assert next(chunks) == b"one"
        stream.hear()
        go_on.set()
        assert sent.wait(20)
        time.sleep(2 * LIMIT_S)  # as long as the limit and more, while the data lies there
        assert next(chunks) == b"two"


@pytest.mark.parametrize("words", [0, 1])
def test_signs_of_life_for_ever_end_after_the_limit(words):
    stop = threading.Event()

    def body(write):
        for _ in range(words):
            write(b"word")
        while not stop.wait(0.005):
            write(b": ping")

    began = time.monotonic()  # before the stream, for its clock begins with it
    with running(_Server(body)) as server, stream_of(server, said=True) as stream:
        with pytest.raises(WebError, match=r"not a word for 2 s"):
            read_on(stream)
        assert LIMIT_S < time.monotonic() - began < 20
        stop.set()


def test_bytes_count_where_words_are_not_asked_for():
    def body(write):
        for _ in range(20):
            time.sleep(LIMIT_S / 10)
            write(b".")

    with running(_Server(body)) as server, stream_of(server) as stream:
        assert b"".join(stream) == b"." * 20
