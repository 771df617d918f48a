"""A backend for tests of the session: it records what it is told, and answers what it was given."""

import asyncio
from contextlib import asynccontextmanager
from pathlib import Path

from lsp import Client, pair

from memcache_lsp.protocol.parts import (
    Cited,
    Evidence,
    Hit,
    Location,
    Position,
    QueueStatus,
    Range,
    RootState,
    Timings,
    Usage,
)
from memcache_lsp.protocol.spec import (
    AskCitation,
    AskDelta,
    AskResult,
    AskSources,
    AskStage,
    CachesResult,
    ExplainResult,
    IndexResult,
    ModelsResult,
    SearchResult,
    StatusResult,
    ThreadsResult,
)
from memcache_lsp.session.session import serve
from memcache_lsp.session.uris import from_path

ROOT = Path("/project")


def location(path="src/retry.py", first=2, last=5):
    end = Position(line=last + 1, character=0)
    return Location(uri=from_path(ROOT / path), range=Range(start=Position(line=first, character=0), end=end))


def hit(symbol="Client.retry", kind="method", snippet="def retry():\n    pass"):
    return Hit(
        location=location(),
        path="src/retry.py",
        symbol=symbol,
        kind=kind,
        language="python",
        score=0.5,
        snippet=snippet,
        origin="index",
    )


CITED = Cited(n=1, location=location(), status="fresh")
RESULT = AskResult(
    thread_id="t1",
    turn_id="u1",
    finish_reason="stop",
    evidence=Evidence(read=1, found=2),
    usage=Usage(prompt_tokens=10, reused_tokens=0, answer_tokens=3),
    timings=Timings(first_text_seconds=0.1, total_seconds=0.2),
    answer="It retries 😀 [1].",
    citations=(CITED,),
)
EVENTS = (
    AskSources(items=(hit(), hit("other", "function"))),
    AskStage(stage="reading", percent=50),
    AskDelta(seq=0, text="It retries "),
    AskDelta(seq=1, text="😀 [1]."),
    AskCitation(n=1, location=location(), status="fresh"),
    RESULT,
)


class FakeBackend:
    """Answer `events` to questions; where `hold` is set, wait there for ever before the last two of them."""

    def __init__(self):
        self.calls = []
        self.events = EVENTS
        self.kept_threads = ()
        self.hold = False
        self.held = asyncio.Event()
        self.stopped = asyncio.Event()
        self.error = None
        self.listeners = {}
        self.hits = (hit(),)

    def told(self, name):
        return [args for called, *args in self.calls if called == name]

    def _note(self, *call):
        self.calls.append(call)
        if self.error is not None:
            raise self.error

    async def open_session(self, session):
        self._note("open_session", session)

    async def close_session(self, session_id):
        self.calls.append(("close_session", session_id))

    async def set_roots(self, session_id, roots):
        self._note("set_roots", session_id, tuple(roots))

    def settings_changed(self, session_id, settings):
        self._note("settings_changed", session_id, settings)

    def buffer_changed(self, session_id, path, text):
        self._note("buffer_changed", session_id, path, text)

    def files_changed(self, session_id, paths):
        self._note("files_changed", session_id, None if paths is None else tuple(paths))

    def subscribe(self, session_id, listener):
        self.listeners[session_id] = listener

    async def search(self, session_id, params):
        self._note("search", session_id, params)
        if self.hold:
            await self._held()
        return SearchResult(hits=self.hits[: params.limit], complete=True)

    async def similar(self, session_id, params):
        self._note("similar", session_id, params)
        return SearchResult(hits=self.hits[: params.limit], complete=True)

    async def explain(self, session_id, params):
        self._note("explain", session_id, params)
        return ExplainResult(indexed=True, reason="It is.", signals={"name": -0.5, "text": 1.25})

    async def ask(self, session_id, params):
        self._note("ask", session_id, params)
        try:
            for event in self.events[:-2]:
                yield event
            if self.hold:
                await self._held()
            for event in self.events[-2:]:
                yield event
        finally:
            self.stopped.set()

    async def status(self, session_id, params):
        self._note("status", session_id)
        return StatusResult(
            version="0",
            quiescent=True,
            health="ok",
            mode="in_process",
            pid=1,
            roots=(),
            embedder="e",
            sessions=(),
            workers=(),
            queue=QueueStatus(questions=0, files=0),
            memory_bytes=2**20,
        )

    async def index(self, session_id, params):
        self._note("index", session_id, params)
        return IndexResult(roots=(RootState(uri=from_path(ROOT), state="indexing"),))

    async def ask_again(self, session_id, params):
        self._note("ask_again", session_id, params)
        for event in self.events:
            yield event

    async def threads(self, session_id, params):
        self._note("threads", session_id, params)
        return ThreadsResult(threads=self.kept_threads)

    async def caches(self, session_id, params):
        self._note("caches", session_id, params)
        return CachesResult(caches=())

    async def models(self, session_id, params, _show):
        self._note("models", session_id, params)
        return ModelsResult(models=())

    async def _held(self):
        self.held.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.stopped.set()


@asynccontextmanager
async def connected(backend=None, *, session_id=1):
    """Serve a session on a pair of sockets and give its client; `client.served` is the task, its result the exit code."""
    backend = backend or FakeBackend()
    async with pair() as (near, far):
        served = asyncio.create_task(serve(*far, backend, session_id=session_id))
        client = Client(*near)
        client.backend, client.served = backend, served
        try:
            yield client
        finally:
            await client.close()
            async with asyncio.timeout(20):
                await asyncio.gather(served, return_exceptions=False)


@asynccontextmanager
async def session(backend=None, *, root=ROOT, **initialize):
    """Give the client of a session that is initialized."""
    async with connected(backend) as client:
        client.initialized = await client.initialize(root, **initialize)
        yield client
