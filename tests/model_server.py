"""A stand-in for a server of OpenAI's protocol, in a thread of a test, or as a program that is named as a llamafile.

python model_server.py [--host H] [--port N] [--api-key-file FILE] …      as llama-server is started
"""

import contextlib
import json
import os
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler
from pathlib import Path

from loopback import Loopback, running

WORDS = ("A retry ", "waits twice ", "as long [1]", ".")


class ModelServer(Loopback):
    """Answer WORDS to every question; what it does wrong is set by attributes, what it was asked is in `asked`."""

    block_on_close = False

    def __init__(self, host="127.0.0.1", port=0, key=""):
        super().__init__(_Handler, host, port)
        self.key = key
        self.models = [{"id": "tiny", "meta": {"n_ctx_train": 8192}}]
        self.props = {"default_generation_settings": {"n_ctx": 2048}}
        self.tokenizes = True
        self.words = WORDS
        self.error = None  # (status, message) to a question
        self.hangs = False  # takes connections and says nothing more
        self.waits = None  # an event before the first word; other requests are answered meanwhile
        self.drips = False  # sends the list of its models a byte at a time
        self.endless = False  # sends a list of models without end
        self.pings = ""  # a line of the stream that it sends for ever, in place of the second word
        self.stalls = False  # after the first word, says nothing more to anything
        self.cut = None  # "quiet" ends the stream after the first word, "rude" breaks it off
        self.says = None  # a line of the stream in place of the second word
        self.asked = []
        self.began = threading.Event()  # a question was read
        self.headers = []
        self.left = threading.Event()  # a client hung up within an answer
        self.paths = []


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.server.paths.append(self.path)
        self._hang_if(self.server.hangs)
        if self.path == "/health":
            self._json(200, {"status": "ok"})
        elif self.path == "/v1/models" and (self.server.drips or self.server.endless):
            self._drip()
        elif self.path == "/v1/models":
            self._json(*((200, {"object": "list", "data": self.server.models}) if self._may() else (401, {})))
        elif self.path == "/props" and self.server.props:
            self._json(200, self.server.props)
        else:
            self._json(404, {"error": {"message": "File Not Found"}})

    def do_POST(self):
        self.server.paths.append(self.path)
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self._hang_if(self.server.hangs)
        if not self._may():
            self._json(401, {"error": {"message": "Invalid API Key"}})
        elif self.path == "/tokenize" and self.server.tokenizes:
            self._json(200, {"tokens": body["content"].split()})
        elif self.path == "/v1/chat/completions":
            self.server.asked.append(body)
            self._answer()
        else:
            self._json(404, {"error": {"message": "File Not Found"}})

    def _answer(self):
        server = self.server
        server.began.set()
        if server.error:
            self._json(server.error[0], {"error": {"message": server.error[1]}})
            return
        if server.waits is not None:
            self._until_left(server.waits)
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        try:
            self._stream()
        except OSError:
            server.left.set()

    def _stream(self):
        server = self.server
        for number, word in enumerate(server.words):
            if number == 1 and server.pings:
                while True:
                    self.wfile.write(f"{server.pings}\n\n".encode())
                    time.sleep(0.01)
            if number == 1 and server.says is not None:
                self.wfile.write(f"data: {server.says}\n\n".encode())
                continue
            choice = {"index": 0, "delta": {"content": word}, "finish_reason": None}
            self.wfile.write(f"data: {json.dumps({'choices': [choice]})}\n\n".encode())
            self.wfile.flush()
            if number == 0 and server.cut:
                if server.cut == "rude":
                    self.connection.close()
                return
            if number == 0 and server.stalls:
                server.hangs = True
                self._until_left(threading.Event())
                raise OSError
        end = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
        usage = {"choices": [], "usage": {"prompt_tokens": 120, "completion_tokens": len(server.words)}}
        self.wfile.write(f"data: {json.dumps(end)}\n\ndata: {json.dumps(usage)}\n\ndata: [DONE]\n\n".encode())

    def _drip(self):
        """Send what has no end, a byte now and then or as fast as can be."""
        self.send_response(200)
        self.end_headers()
        with contextlib.suppress(OSError):
            while True:
                self.wfile.write(b" " if self.server.drips else b" " * 65536)
                if self.server.drips:
                    time.sleep(0.02)
        self.close_connection = True

    def _until_left(self, event):
        """Wait for an event, or until the client hangs up."""
        self.connection.settimeout(0.02)
        while not event.is_set():
            with contextlib.suppress(TimeoutError):
                if self.connection.recv(1) == b"":
                    self.server.left.set()
                    raise OSError
        self.connection.settimeout(None)

    def _hang_if(self, hangs):
        if hangs:
            self._until_left(threading.Event())

    def _may(self):
        self.server.headers.append(dict(self.headers))
        return not self.server.key or self.headers["Authorization"] == f"Bearer {self.server.key}"

    def _json(self, status, value):
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args):
        pass


def serving(**options):
    """Run a server in a thread."""
    return running(ModelServer(**options))


def program(path, *, behaviour="serve"):
    """Write an executable that does as a llamafile does."""
    path.write_text(f'#!/bin/sh\nexec {sys.executable} {Path(__file__).resolve()} {behaviour} "$@"\n')
    path.chmod(0o700)
    return path


def main(arguments):
    behaviour, *rest = arguments
    if note := os.environ.get("MODEL_SERVER_NOTE"):
        Path(note).write_text(json.dumps({"pid": os.getpid(), "arguments": rest}))
    if behaviour == "fail":
        sys.exit("error: unknown argument: --server")
    if behaviour == "never":
        time.sleep(600)
    options = {name: rest[rest.index(name) + 1] for name in ("--host", "--port", "--api-key-file") if name in rest}
    server = ModelServer(options["--host"], int(options["--port"]), Path(options["--api-key-file"]).read_text())
    if behaviour == "loads":
        server.hangs = True
    if behaviour == "stuck":
        server.waits = threading.Event()
    server.serve_forever()


if __name__ == "__main__":
    main(sys.argv[1:])
