"""Own what an editor tells of its documents, files and folders.

The document handlers never wait, so that a request sees the buffers as they were when it was sent.
Must not import the engine.
"""

from __future__ import annotations

from collections.abc import Iterable

from memcache_lsp.session.client import folder_paths
from memcache_lsp.session.context import MAX_FOLDERS, WARNING, Context
from memcache_lsp.session.documents import Buffer, Change
from memcache_lsp.session.lsp import Handler, Server, types
from memcache_lsp.session.positions import Position
from memcache_lsp.session.uris import to_path

_MANY = 500  # changes at once: it takes no longer to look at all files than to keep the loop with these


async def did_open(ls: Server, params: types.DidOpenTextDocumentParams) -> None:
    """Take an open document."""
    document = params.text_document
    _tell(ls.context, document.uri, ls.context.documents.open(document.uri, document.text))


async def did_change(ls: Server, params: types.DidChangeTextDocumentParams) -> None:
    """Take an edit; a document that is not open, or that we had no room for, is none of ours."""
    uri = params.text_document.uri
    if ls.context.documents.get(uri) is not None:
        _tell(ls.context, uri, ls.context.documents.change(uri, _changes(params.content_changes)))


async def did_close(ls: Server, params: types.DidCloseTextDocumentParams) -> None:
    """Forget a document."""
    buffer = ls.context.documents.close(params.text_document.uri)
    if buffer is not None and buffer.path is not None:
        still = ls.context.documents.at(buffer.path)
        ls.context.backend.buffer_changed(ls.context.id, buffer.path, still.content.text if still else None)


async def did_save(ls: Server, params: types.DidSaveTextDocumentParams) -> None:
    """Hint that a file changed."""
    path = to_path(params.text_document.uri)
    if path is not None:
        ls.context.backend.files_changed(ls.context.id, [path])


async def did_change_watched_files(ls: Server, params: types.DidChangeWatchedFilesParams) -> None:
    """Hint that files changed."""
    if len(params.changes) > _MANY:
        ls.context.backend.files_changed(ls.context.id, None)
        return
    paths = [path for change in params.changes if (path := to_path(change.uri)) is not None]
    if paths:
        ls.context.backend.files_changed(ls.context.id, paths)


async def did_change_workspace_folders(ls: Server, params: types.DidChangeWorkspaceFoldersParams) -> None:
    """Take folders that were added or removed."""
    removed = folder_paths([{"uri": folder.uri} for folder in params.event.removed])
    added = folder_paths([{"uri": folder.uri} for folder in params.event.added])
    context = ls.context
    kept = (folder for folder in context.folders if folder not in set(removed))
    context.folders = tuple(dict.fromkeys([*kept, *added]))[:MAX_FOLDERS]
    context.warn_of_many()
    await context.send_roots()


def _tell(context: Context, uri: str, buffer: Buffer | None) -> None:
    if buffer is None:
        context.log(WARNING, "memcache-lsp: too much text is open; a document is searched as it is on disk.")
    path = to_path(uri)
    if path is not None:
        context.backend.buffer_changed(context.id, path, None if buffer is None else buffer.content.text)


def _changes(events: Iterable[types.TextDocumentContentChangeEvent]) -> Iterable[Change]:
    for event in events:
        if isinstance(event, types.TextDocumentContentChangePartial):
            start, end = event.range.start, event.range.end
            yield Change(event.text, Position(start.line, start.character), Position(end.line, end.character))
        else:
            yield Change(event.text)


HANDLERS: dict[str, Handler] = {
    types.TEXT_DOCUMENT_DID_OPEN: did_open,
    types.TEXT_DOCUMENT_DID_CHANGE: did_change,
    types.TEXT_DOCUMENT_DID_CLOSE: did_close,
    types.TEXT_DOCUMENT_DID_SAVE: did_save,
    types.WORKSPACE_DID_CHANGE_WATCHED_FILES: did_change_watched_files,
    types.WORKSPACE_DID_CHANGE_WORKSPACE_FOLDERS: did_change_workspace_folders,
}
