"""A daemon that knows nothing of projects, for tests of the front: `python toy_daemon.py`.

It answers `initialize`, echoes, and does on demand what a real one must not: die, stall, refuse.
"""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

from memcache_lsp.rendezvous import Listener


class Session:
    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer
        self.heard, self.begun, self.asked = [], None, {}

    def send(self, **message):
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self.writer.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))

    async def run(self):
        while True:
            length, line = None, b"?"
            while line.strip():
                line = await self.reader.readline()
                if not line:
                    return
                if line.lower().startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
            if length is None:  # lost: say so and leave
                self.send(id=None, error={"code": -32700, "message": "no boundary"})
                return
            message = await self.body(length)
            if message is None:
                self.send(id=None, error={"code": -32700, "message": "no message"})
            elif await self.handle(message):
                return
            await self.writer.drain()

    async def body(self, length):
        if length > 32 * 1024 * 1024:
            while length:
                length -= len(await self.reader.read(min(length, 1 << 20)))
            return {"method": "skipped"}
        data = await self.reader.readexactly(length)
        try:
            message = json.loads(data)
        except (ValueError, RecursionError):
            return None
        return message if isinstance(message, dict) else None

    async def handle(self, message):
        method, params, identity = message.get("method"), message.get("params"), message.get("id")
        if method is None:
            self.heard.append(message)
            if identity in self.asked:
                self.send(id=self.asked.pop(identity), result={"editor said": message.get("result")})
        elif "id" not in message:
            self.heard.append(message)
            return method == "exit"
        else:
            answers = getattr(self, method.replace("/", "_"), None)
            if answers is None:
                self.send(id=identity, result=params)
            else:
                await answers(identity, params)
        return False

    async def shutdown(self, identity, _params):
        self.send(id=identity, result=None)

    async def initialize(self, identity, params):
        self.begun = params
        if mode("die-at-initialize"):
            if mode("but-only-once"):
                switch("die-at-initialize").unlink()
            os.kill(os.getpid(), signal.SIGKILL)
        self.send(id=identity, result={"capabilities": {"positionEncoding": "utf-16"}, "pid": os.getpid()})

    async def toy_die(self, _identity, params):
        for token in params or []:
            self.send(method="$/progress", params={"token": token, "value": {"kind": "begin", "title": "t"}})
        await self.writer.drain()
        os.kill(os.getpid(), signal.SIGKILL)

    async def toy_half(self, _identity, _params):
        """Die within a frame."""
        self.writer.write(b"Content-Length: 1000\r\n\r\n{")
        await self.writer.drain()
        os.kill(os.getpid(), signal.SIGKILL)

    async def toy_stall(self, _identity, _params):
        """Never answer."""

    async def toy_deaf(self, _identity, _params):
        """Never answer, and never read again."""
        await asyncio.Event().wait()

    async def toy_ask(self, identity, params):
        number = len(self.asked) + 1
        self.asked[number] = identity
        self.send(id=number, method=params["method"], params=params.get("params"))

    async def toy_heard(self, identity, _params):
        self.send(id=identity, result={"heard": self.heard, "initialize": self.begun, "pid": os.getpid()})

    async def toy_big(self, identity, params):
        self.send(id=identity, result="x" * params)


def switch(name):
    return Path(os.environ["MEMCACHE_HOME"]) / name


def mode(name):
    """Tell whether the test wants this done."""
    return switch(name).exists()


async def main(listener):
    tasks, stops = set(), []
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, ended.set)

    async def serve(peer):
        reader, writer = await asyncio.open_connection(sock=peer, limit=1 << 20)
        try:
            await Session(reader, writer).run()
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def accept():
        while True:
            peer, hello = await listener.accept()
            if hello.role == "stop":
                stops.append(peer)
                ended.set()
            else:
                tasks.add(loop.create_task(serve(peer)))

    accepting = loop.create_task(accept())
    await ended.wait()
    accepting.cancel()


if __name__ == "__main__":
    log = Path(os.environ["MEMCACHE_HOME"]) / "starts"
    with open(log, "a") as starts:
        starts.write(f"{os.getpid()}\n")
    if mode("fail"):
        sys.exit("this daemon does not start")
    with Listener(version=os.environ.get("TOY_VERSION", "0.1.0"), patience_s=3) as listener:
        asyncio.run(main(listener))
