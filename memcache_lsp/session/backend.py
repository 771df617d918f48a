"""The engine as one editor connection sees it; the daemon's hub is one, tests have another.

Every method may be cancelled by cancelling its task. Errors for the user are `errors.MemcacheError`. URIs in results
are `uris.from_path`; ranges are whole lines, which are the same in every
position encoding. Must not import the engine.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from memcache_lsp.protocol.spec import (
    AskParams,
    AskPartial,
    AskResult,
    CachesParams,
    CachesResult,
    DidChangeStatusParams,
    DidChangeThreadParams,
    DidReadDocumentParams,
    ExplainParams,
    ExplainResult,
    IndexParams,
    IndexResult,
    ModelsParams,
    ModelsResult,
    SearchParams,
    SearchResult,
    SimilarParams,
    StatusParams,
    StatusResult,
    ThreadsParams,
    ThreadsResult,
)
from memcache_lsp.session.settings import SessionSettings

MANY_HITS = 50  # that take the loop too long to be put into words


@dataclass(frozen=True, slots=True)
class SessionInfo:
    """Who is connected, with what."""

    id: int
    client: str
    roots: tuple[Path, ...]
    settings: SessionSettings


@dataclass(frozen=True, slots=True)
class IndexProgress:
    """How far the indexing of a root is; nothing comes after `finished` but a new beginning."""

    root: Path
    done: int
    total: int
    finished: bool = False


News = DidChangeStatusParams | DidChangeThreadParams | DidReadDocumentParams | IndexProgress


class Backend(Protocol):
    """One warm engine for any number of sessions."""

    async def open_session(self, session: SessionInfo) -> None:
        """Take a session in; its roots begin to be indexed."""

    async def close_session(self, session_id: int) -> None:
        """Forget a session with its buffers and what it has asked; called once for each that was opened."""

    async def set_roots(self, session_id: int, roots: Sequence[Path]) -> None:
        """Take the session's present roots."""

    def settings_changed(self, session_id: int, settings: SessionSettings) -> None:
        """Take the session's present settings. Cheap."""

    def buffer_changed(self, session_id: int, path: Path, text: str | None) -> None:
        """Take the present text of an open file, None once it is closed. Cheap."""

    def files_changed(self, session_id: int, paths: Sequence[Path] | None) -> None:
        """Take a hint that files changed on disk, any of them where no paths are given. Cheap."""

    def subscribe(
        self,
        session_id: int,
        listener: Callable[[News], None],
    ) -> None:
        """Tell the listener, on the loop, of what is news to it until the session is closed."""

    async def search(self, session_id: int, params: SearchParams) -> SearchResult:
        """Find hits."""

    async def similar(self, session_id: int, params: SimilarParams) -> SearchResult:
        """Find places that resemble a stretch of a document."""

    async def explain(self, session_id: int, params: ExplainParams) -> ExplainResult:
        """Tell why a document is or is not indexed, or what ranked a hit."""

    def ask(self, session_id: int, params: AskParams) -> AsyncGenerator[AskPartial | AskResult]:
        """Answer: partial results, then the result with answer and citations. Closing the generator stops the model.

        `AskUnsupported` counts characters here; the session converts.
        """

    async def status(self, session_id: int, params: StatusParams) -> StatusResult:
        """Tell what the engine is at."""

    async def index(self, session_id: int, params: IndexParams) -> IndexResult:
        """Steer the indexing."""

    async def caches(self, session_id: int, params: CachesParams) -> CachesResult:
        """List, add, remove caches."""

    async def models(
        self, session_id: int, params: ModelsParams, on_progress: Callable[[int, int], None]
    ) -> ModelsResult:
        """List, fetch, choose, unload, remove models; of a fetch the bytes done and in all are told, on the loop."""

    async def threads(self, session_id: int, params: ThreadsParams) -> ThreadsResult:
        """List, get, delete or replay threads."""

    def ask_again(self, session_id: int, params: ThreadsParams) -> AsyncGenerator[AskPartial | AskResult]:
        """Answer the question of a turn once more, as `ask` does."""
