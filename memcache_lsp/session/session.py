"""Own one editor's session: what is said at its beginning and end, its settings, and the way from method to handler.

Must not import the engine.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from memcache_lsp import __version__
from memcache_lsp.protocol.codec import to_json as own_to_json
from memcache_lsp.protocol.methods import CAPABILITY, METHODS, server_capability
from memcache_lsp.session import own, selection, symbols, sync
from memcache_lsp.session.backend import Backend, IndexProgress, News, SessionInfo
from memcache_lsp.session.client import read_client
from memcache_lsp.session.connection import ClientError, Connection
from memcache_lsp.session.context import MAX_FOLDERS, Context
from memcache_lsp.session.documents import Documents
from memcache_lsp.session.indexing import IndexingBars
from memcache_lsp.session.lsp import NAME, Server, is_notification, typed, types, warm
from memcache_lsp.session.settings import SECTION, SessionSettings, parse_settings, section_of, unknown_settings

_NOTIFICATIONS: dict[type, str] = {method.params: method.name for method in METHODS if method.kind == "notification"}
_HANDLERS = {**sync.HANDLERS, **own.HANDLERS, **symbols.HANDLERS, **selection.HANDLERS}

FIRST_SETTINGS_S = 2.0  # for an editor to tell its settings in, until indexing begins without them

_REGISTRATIONS = (
    {
        "id": "memcache-files",
        "method": "workspace/didChangeWatchedFiles",
        "registerOptions": {"watchers": [{"globPattern": "**/*"}]},
    },
    {
        "id": "memcache-settings",
        "method": "workspace/didChangeConfiguration",
        "registerOptions": {"section": SECTION},
    },
)


async def serve(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    backend: Backend,
    *,
    session_id: int = 1,
) -> int:
    """Serve one editor until it leaves; return the exit code that LSP asks for."""
    connection = Connection(reader, writer, name=f"session {session_id}")
    return await connection.run(Session(session_id, connection, backend))


def prepare() -> None:
    """Do once, before the first session, what would hold the loop in it."""
    warm(_HANDLERS, [*_HANDLERS, types.SET_TRACE, types.WORKSPACE_DID_CHANGE_CONFIGURATION, types.INITIALIZED])


class Session:
    """One editor's session; the endpoint of its connection."""

    def __init__(self, session_id: int, connection: Connection, backend: Backend) -> None:
        self._id = session_id
        self._connection = connection
        self._backend = backend
        self._server = Server(_HANDLERS)
        self._context: Context | None = None  # until the client has initialized
        self._bars: IndexingBars
        self._waits = False  # for the editor's settings, before it is indexed
        self._lifecycle: dict[str, Callable[[Any], Awaitable[Any]]] = {
            types.INITIALIZE: self._initialize,
            types.INITIALIZED: self._initialized,
            types.SHUTDOWN: self._shutdown,
            types.SET_TRACE: self._set_trace,
            types.WORKSPACE_DID_CHANGE_CONFIGURATION: self._configuration_changed,
            types.WINDOW_WORK_DONE_PROGRESS_CANCEL: self._cancel_progress,
        }

    def serves(self, method: str) -> bool:
        """Tell whether there is a request of this name."""
        return self._has(method) and not is_notification(method)

    def hears(self, method: str) -> bool:
        """Tell whether there is a notification of this name."""
        return self._has(method) and is_notification(method)

    async def request(self, method: str, params: Any) -> Any:
        """Give the result of a request."""
        if method == types.INITIALIZE:  # typed leniently, see `client`
            return await self._initialize(params)
        return await self._handle(method, params)

    async def notified(self, method: str, params: Any) -> None:
        """Take a notification."""
        await self._handle(method, params)

    def answered(self, method: str, outcome: str, seconds: float) -> None:
        """Write a line of trace where the client wants it."""
        if self._context is not None and self._context.trace != "off":
            line = {"message": f"{method} {outcome} in {seconds * 1000:.0f} ms"}
            self._connection.notify("$/logTrace", line, droppable=True)

    async def close(self) -> None:
        """End what is shown, and leave the backend."""
        if self._context is not None:
            self._context = None
            self._bars.close()
            await self._backend.close_session(self._id)

    def _has(self, method: str) -> bool:
        return method in self._lifecycle or self._server.handler(method) is not None

    async def _handle(self, method: str, params: Any) -> Any:
        taken = typed(method, params)
        own_handler = self._lifecycle.get(method)
        if own_handler is not None:
            return await own_handler(taken)
        handler = self._server.handler(method)
        assert handler is not None
        return await handler(taken)

    async def _initialize(self, params: Any) -> dict[str, Any]:
        client = read_client(params)
        context = Context(
            self._id,
            self._backend,
            self._connection,
            client,
            Documents(client.encoding),
            client.roots[:MAX_FOLDERS],
            trace=client.trace,
        )
        context.settings, problems = parse_settings(section_of(client.options))
        context.problems.extend(problems)
        self._server.context = self._context = context
        self._bars = IndexingBars(context)
        try:
            self._backend.subscribe(self._id, self._heard)
            await self._backend.open_session(SessionInfo(self._id, client.name, context.roots, self._first_settings()))
        except BaseException:
            await self.close()
            raise
        commands = own.command_names(ours=client.is_ours)
        capabilities = self._server.capabilities(encoding=client.encoding.value, commands=commands)
        capabilities["experimental"] = {CAPABILITY: server_capability()}
        return {"capabilities": capabilities, "serverInfo": {"name": NAME, "version": __version__}}

    async def _initialized(self, _params: Any) -> None:
        context = self._present
        for problem in context.problems:
            context.warn(problem)
        context.warn_of_many()
        for remark in unknown_settings(section_of(context.client.options)):
            context.note(remark)
        if context.client.gives_configuration:
            self._connection.spawn(self._pull_configuration())
        wanted = [each for each in _REGISTRATIONS if each["method"] in context.client.registrations]
        if wanted:  # of one that refuses the backend alone watches the files
            await self._connection.ask("client/registerCapability", {"registrations": wanted})

    def _first_settings(self) -> SessionSettings:
        """Return what the session begins with: nothing is indexed before an editor that can has told whether it may be."""
        settings = self._present.settings
        self._waits = self._present.client.gives_configuration and settings.index_on_start
        if not self._waits:
            return settings
        self._connection.spawn(self._begin_at_last())
        return replace(settings, index_on_start=False)

    async def _begin_at_last(self) -> None:
        await asyncio.sleep(FIRST_SETTINGS_S)
        self._begin()

    def _begin(self) -> None:
        if self._waits:
            self._waits = False
            self._backend.settings_changed(self._id, self._present.settings)

    async def _shutdown(self, _params: Any) -> None:
        for answer in self._present.shown_later.values():
            answer.cancel()
        self._bars.close()

    async def _set_trace(self, params: types.SetTraceParams) -> None:
        self._present.trace = params.value.value

    async def _configuration_changed(self, params: types.DidChangeConfigurationParams) -> None:
        if self._present.client.gives_configuration:
            await self._pull_configuration()
        elif isinstance(params.settings, dict) and SECTION in params.settings:
            self._configure(params.settings[SECTION])

    async def _pull_configuration(self) -> None:
        try:
            answer = await self._connection.ask("workspace/configuration", {"items": [{"section": SECTION}]})
        except ClientError:
            answer = None
        if isinstance(answer, list) and answer and answer[0] is not None:
            self._configure(answer[0])
        self._begin()

    def _configure(self, section: Any) -> None:
        """Take settings; what they leave out is as `initialize` had it."""
        context = self._present
        options = section_of(context.client.options)
        both = {**options, **section} if isinstance(options, dict) and isinstance(section, dict) else section
        settings, problems = parse_settings(both)
        for problem in problems:
            context.warn(problem)
        for remark in unknown_settings(both):
            context.note(remark)
        if settings != context.settings:
            context.settings = settings
            if not self._waits:
                self._backend.settings_changed(self._id, settings)

    async def _cancel_progress(self, params: types.WorkDoneProgressCancelParams) -> None:
        answer = self._present.shown_later.get(str(params.token))
        if answer is None:
            await self._bars.cancel(params.token)
        else:
            answer.cancel()

    def _heard(self, news: News) -> None:
        if self._context is None:
            return
        if isinstance(news, IndexProgress):
            self._bars.update(news)
        elif self._context.client.is_ours:
            self._connection.notify(_NOTIFICATIONS[type(news)], own_to_json(news))

    @property
    def _present(self) -> Context:
        assert self._context is not None
        return self._context
