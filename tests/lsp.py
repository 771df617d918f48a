"""A small client of the language server for tests: whole messages, or raw bytes, over any pair of streams."""

import asyncio
import functools
import itertools
import json
import os
import socket
from contextlib import asynccontextmanager

TIMEOUT_S = 20


def run(test):
    """Run an async test on a loop of its own."""

    @functools.wraps(test)
    def wrapped(*args, **kwargs):
        asyncio.run(test(*args, **kwargs))

    return wrapped


class ServerError(Exception):
    def __init__(self, error):
        super().__init__(error["message"])
        self.code = error["code"]
        self.message = error["message"]


class Client:
    """Send and receive messages; requests of the server are answered from `answers`, else with null."""

    def __init__(self, reader, writer):
        self.reader = reader
        self.writer = writer
        self.answers = {}  # method → value or function of the params
        self.notifications = []  # (method, params), in their order
        self.requests = []  # of the server, likewise
        self.replies = []  # every response as it came
        self._ids = itertools.count(1)
        self._pending = {}
        self._changed = asyncio.Condition()
        self._ended = False
        self._task = asyncio.create_task(self._read())

    def send_bytes(self, data):
        self.writer.write(data)

    def send(self, message):
        self.send_bytes(frame(json.dumps(message).encode()))

    def notify(self, method, params=None):
        self.send({"jsonrpc": "2.0", "method": method, "params": params})

    def start(self, method, params=None, *, key=None):
        """Send a request; return its id and the future of its result."""
        key = next(self._ids) if key is None else key
        future = self._pending[key] = asyncio.get_running_loop().create_future()
        self.send({"jsonrpc": "2.0", "id": key, "method": method, "params": params})
        return key, future

    async def request(self, method, params=None):
        _, future = self.start(method, params)
        async with asyncio.timeout(TIMEOUT_S):
            return await future

    async def execute(self, command, *arguments):
        return await self.request("workspace/executeCommand", {"command": command, "arguments": list(arguments)})

    async def initialize(self, root=None, *, capabilities=None, options=None, encodings=None):
        capabilities = dict(capabilities or {})
        if encodings:
            capabilities["general"] = {"positionEncodings": encodings}
        params = {
            "processId": os.getpid(),
            "clientInfo": {"name": "tests"},
            "rootUri": None if root is None else root.as_uri(),
            "capabilities": capabilities,
            "initializationOptions": options,
        }
        result = await self.request("initialize", params)
        self.notify("initialized", {})
        return result

    async def wait_for(self, condition):
        """Wait until `condition()` is true of what has come; it is looked at after every message."""
        async with asyncio.timeout(TIMEOUT_S), self._changed:
            await self._changed.wait_for(lambda: condition() or self._ended)
        assert condition()

    async def notification(self, method, where=lambda _params: True):
        """Wait for a notification, also one that has come already, and return its params."""

        def found():
            return [params for name, params in self.notifications if name == method and where(params)]

        await self.wait_for(found)
        return found()[0]

    def progress(self, token):
        """Return the values that came on a token so far."""
        return [p["value"] for name, p in self.notifications if name == "$/progress" and p["token"] == token]

    async def shutdown(self):
        await self.request("shutdown")
        self.notify("exit")
        await self.ended()

    async def ended(self):
        """Wait until the server has hung up."""
        async with asyncio.timeout(TIMEOUT_S):
            await asyncio.shield(self._task)

    async def close(self):
        self.writer.close()
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        for future in self._pending.values():
            future.cancel()

    async def _read(self):
        try:
            while True:
                message = await read_message(self.reader)
                if message is None:
                    return
                async with self._changed:
                    self._take(message)
                    self._changed.notify_all()
        except ConnectionError:
            pass
        finally:
            self._ended = True
            for future in self._pending.values():
                if not future.done():
                    future.set_exception(ConnectionError("the server hung up"))
                    future.exception()  # whoever does not await it need not hear of it
            async with self._changed:
                self._changed.notify_all()

    def _take(self, message):
        if "method" not in message:
            self.replies.append(message)
            future = self._pending.pop(message["id"], None)
            if future is not None and not future.done():
                if "error" in message:
                    future.set_exception(ServerError(message["error"]))
                else:
                    future.set_result(message["result"])
        elif "id" in message:
            self.requests.append((message["method"], message["params"]))
            answer = self.answers.get(message["method"])
            if isinstance(answer, Exception):
                reply = {"error": {"code": -32603, "message": str(answer)}}
            else:
                reply = {"result": answer(message["params"]) if callable(answer) else answer}
            if answer is not NEVER:
                self.send({"jsonrpc": "2.0", "id": message["id"], **reply})
        else:
            self.notifications.append((message["method"], message["params"]))


NEVER = object()  # among the answers: none at all


def frame(body, *headers):
    return b"".join(header + b"\r\n" for header in headers) + b"Content-Length: %d\r\n\r\n" % len(body) + body


async def read_message(reader):
    """Read one message; None at the end of the stream."""
    length = None
    while True:
        line = await reader.readline()
        if not line:
            return None
        if line == b"\r\n":
            break
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    try:
        return json.loads(await reader.readexactly(length))
    except asyncio.IncompleteReadError:
        return None


@asynccontextmanager
async def pair():
    """Give two connected ends, each a reader and a writer."""
    near, far = socket.socketpair()
    ends = [await asyncio.open_connection(sock=near), await asyncio.open_connection(sock=far)]
    try:
        yield ends
    finally:
        for _, writer in ends:
            writer.close()
            await asyncio.gather(writer.wait_closed(), return_exceptions=True)


@asynccontextmanager
async def process(*command, env=None, cwd=None):
    """Run a server as a process and give its client; it is killed by its id where it has not ended."""
    running = await asyncio.create_subprocess_exec(
        *map(str, command), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, env=env, cwd=cwd
    )
    client = Client(running.stdout, running.stdin)
    client.process = running
    try:
        yield client
    finally:
        await client.close()
        if running.returncode is None:
            running.kill()
        await running.wait()
