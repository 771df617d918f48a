"""The types that several methods of the specification share: places in files, scopes, hits, citations.

Fields have snake_case names here and camelCase names in JSON. A field with a default may be left out; None is never
sent. Must not import anything beyond the standard library and `codec`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from memcache_lsp.protocol.codec import Between, IsUri, NotBlank

Uri = Annotated[str, IsUri]
Intent = Literal["ask", "explain", "summarize", "callers"]
FinishReason = Literal["stop", "length", "extract", "no_answer"]
CitationStatus = Literal["fresh", "moved", "stale"]
Health = Literal["ok", "warning", "error"]
ModelPlace = Literal["process", "llamafile", "endpoint"]
Origin = Literal["index", "buffer", "cache"]
IndexState = Literal["ready", "indexing", "paused", "cancelled", "unindexed", "failed"]
CacheState = Literal["ready", "indexing", "paused", "cancelled", "unindexed", "failed", "offline"]
PlaceKind = Literal["folder", "file"]
ProgressToken = int | str


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """A place in a document, as LSP has it."""

    line: Annotated[int, "Counted from 0."]
    character: Annotated[int, "Counted from 0 in the units of the negotiated position encoding."]


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """A stretch of a document, as LSP has it."""

    start: Annotated[Position, "Where it begins."]
    end: Annotated[Position, "Where it ends, exclusive."]

    def problem(self) -> str:
        """Tell what is wrong between the fields."""
        start, end = self.start, self.end
        backwards = (start.line, start.character) > (end.line, end.character)
        return "must not end before it starts" if backwards else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """A stretch of a file, as LSP has it, with its page or cell where the file is no text."""

    uri: Annotated[str, IsUri, "The file; of a page with `#page=N` behind it."]
    range: Annotated[Range, "The stretch; whole lines end at character 0 of the line after them."]
    page: Annotated[int | None, Between(1, 2**31), "The page of a PDF, counted from 1 as viewers do."] = None
    cell: Annotated[int | None, Between(1, 2**31), "The cell of a notebook, counted from 1, all kinds of cells."] = None
    extracted: Annotated[
        bool | None, "Whether the lines are those of a text that was read out of the file: no editor shows them."
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TextDocumentIdentifier:
    """A document, as LSP has it."""

    uri: Annotated[str, IsUri, "The document."]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What a search is confined to; a field that is left out or empty confines nothing."""

    roots: Annotated[tuple[Uri, ...], "Workspace folders; by default all of the session's."] = ()
    caches: Annotated[
        tuple[str, ...],
        "Names of added caches, which are asked in place of the workspace; it is asked too where `workspace` is among "
        "them, or where there are roots.",
    ] = ()
    globs: Annotated[tuple[str, ...], "Patterns of paths relative to the root, written as in .gitignore."] = ()
    kinds: Annotated[tuple[str, ...], "Kinds of hits, such as function, class, section."] = ()
    languages: Annotated[tuple[str, ...], "Languages, such as python, typescript, markdown."] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A piece of code or text that a search found."""

    location: Annotated[Location, "Where it is, in the text as it is now."]
    path: Annotated[str, "The file relative to its root, with forward slashes."]
    symbol: Annotated[str, "Qualified name of what is defined there, heading of a section, or empty."]
    kind: Annotated[str, "Kind of that definition; section in documents, block where nothing is defined."]
    language: Annotated[str, "Language of the file."]
    score: Annotated[float, "Greater is better; comparable within one search only."]
    snippet: Annotated[str, "The first lines of it, secrets made unreadable."]
    origin: Annotated[Origin, "Found in the index, in an open buffer, or in an added cache."]
    cache: Annotated[str | None, "The added cache that it was found in; left out for the workspace."] = None
    breadcrumb: Annotated[tuple[str, ...], "Names of the headings or definitions around it, outermost first."] = ()
    signals: Annotated[
        dict[str, float] | None, "What each signal brought, by its name; only where it was asked for."
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cited:
    """The lines that a `[n]` of an answer stands for."""

    n: Annotated[int, Between(1, 9999), "The number in the answer, which is also the place among the sources."]
    location: Annotated[Location, "The lines."]
    status: Annotated[CitationStatus, "Whether the lines still say what was read: as they were, elsewhere, or no more."]
    passage: Annotated[
        str | None, "What was read there, of an earlier answer and where no editor shows the lines (`extracted`)."
    ] = None
    at: Annotated[
        int | None,
        "Where the `[` of the mark stands in the answer's text, in the units of the negotiated position encoding: the same"
        " number may stand for other lines at each mark. Absent in what `didChangeThread` tells, which is of all marks of"
        " the number at these lines, and where it is not known.",
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """A stretch of an answer's text."""

    start: Annotated[int, "Where it begins, in the units of the negotiated position encoding."]
    end: Annotated[int, "Where it ends, exclusive."]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """How many hits went into an answer."""

    read: Annotated[int, "Hits that were read for it."]
    found: Annotated[int, "Hits that the search had."]


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens of the model; 0 where none was asked."""

    prompt_tokens: Annotated[int, "Tokens of the prompt."]
    reused_tokens: Annotated[int, "Those of them that did not have to be read again."]
    answer_tokens: Annotated[int, "Tokens of the answer."]


@dataclass(frozen=True, slots=True, kw_only=True)
class Timings:
    """Seconds since the hits were there."""

    first_text_seconds: Annotated[float, "Until the first text."]
    total_seconds: Annotated[float, "Until the end."]


@dataclass(frozen=True, slots=True, kw_only=True)
class FileProblem:
    """A file that could not be indexed."""

    path: Annotated[str, "The file relative to its root."]
    reason: Annotated[str, "Why, in words."]


@dataclass(frozen=True, slots=True, kw_only=True)
class FileCounts:
    """Files of a root."""

    done: Annotated[int, "Files whose index is up to date."]
    total: Annotated[int, "Files to be indexed in all."]
    failed: Annotated[int, "Files that could not be indexed."]
    skipped: Annotated[int, "Files that are left out on purpose."]


@dataclass(frozen=True, slots=True, kw_only=True)
class RootState:
    """What a root's index is at."""

    uri: Annotated[str, IsUri, "The root."]
    state: Annotated[IndexState, "The state of its index."]


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexReport:
    """What the last indexing of a root did, in files."""

    added: Annotated[int, "Files that were new."]
    changed: Annotated[int, "Files that had another content."]
    removed: Annotated[int, "Files that were gone."]
    unchanged: Annotated[int, "Files that were as before."]
    chunks: Annotated[int, "Pieces that were written."]


@dataclass(frozen=True, slots=True, kw_only=True)
class Refinement:
    """What a larger model makes of a root in the background: a card for each file, for the ranking."""

    model: Annotated[str, NotBlank, "The model that the user named."]
    done: Annotated[int, "Files that have a card."]
    total: Annotated[int, "Files that are to have one; 0 until they are counted."]
    message: Annotated[str | None, "Why it does not go on, in one sentence."] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RootStatus(RootState):
    """A root and its index."""

    files: Annotated[FileCounts, "Its files."]
    chunks: Annotated[int, "Pieces that can be found."]
    failed: Annotated[tuple[FileProblem, ...], "Files that could not be indexed; the first 100."]
    message: Annotated[str | None, "One sentence for the user, where there is something to say."] = None
    size_bytes: Annotated[int | None, Between(0, 2**53), "Size of the index on disk."] = None
    report: Annotated[IndexReport | None, "What the last indexing did, where there was one."] = None
    refinement: Annotated[Refinement | None, "The background refinement, where the user switched it on."] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScopeStatus:
    """How far the index of what a scope names is."""

    indexing: Annotated[bool, "Whether any of it is being indexed, or is about to be."]
    complete: Annotated[bool, "Whether it is in step with the files; while indexing is paused it is not."]
    version: Annotated[
        int, Between(0, 2**53), "Another whenever the index or the files changed: what was found before may be old."
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class CachePlace:
    """A folder or a single file of a cache."""

    uri: Annotated[str, IsUri, "The folder or file."]
    kind: Annotated[PlaceKind, "What it is."]
    state: Annotated[CacheState, "The state of its index; offline where its disk or folder is not there."]
    offline_since: Annotated[str | None, "When it was first missed, in UTC, such as 2025-01-31T18:05:00Z."] = None
    message: Annotated[str | None, "One sentence for the user, where there is something to say."] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cache:
    """Folders and files that can be searched beside the project."""

    name: Annotated[str, NotBlank, "Its name, for scopes."]
    state: Annotated[CacheState, "What it is at: the most pressing state of its places; offline where all are."]
    places: Annotated[tuple[CachePlace, ...], "What it is made of, by path."]
    files: Annotated[FileCounts, "Its files."]
    chunks: Annotated[int, "Pieces that can be found."]
    failed: Annotated[tuple[FileProblem, ...], "Files that could not be indexed, by their full paths; the first 100."]
    reading: Annotated[bool, "Whether it is a reading folder, whose new files are told of."] = False
    size_bytes: Annotated[int | None, Between(0, 2**53), "Size of its index on disk."] = None
    report: Annotated[IndexReport | None, "What the last indexing of it did, where there was one."] = None
    message: Annotated[str | None, "One sentence for the user, where there is something to say."] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelStatus:
    """The language model."""

    name: Annotated[str, NotBlank, "Its name."]
    state: Annotated[Literal["missing", "unloaded", "loading", "ready", "answering"], "What it is at."]
    where: Annotated[ModelPlace, "A process of ours, a program that we start, a server that the user named."] = (
        "process"
    )
    context_tokens: Annotated[int | None, "Size of its context, where it is loaded."] = None
    prompt_speed: Annotated[float | None, "Tokens a second that it read last."] = None
    chosen: Annotated[tuple[str, ...], "What was chosen for this machine and why, a sentence each, once loaded."] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionStatus:
    """One connected editor or command line."""

    id: Annotated[int, "Its number in the log."]
    client: Annotated[str, "The client's name, empty where it told none."]
    roots: Annotated[tuple[Uri, ...], "Its workspace folders."]
    own: Annotated[bool, "Whether it is the one that asks."] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerStatus:
    """A child process."""

    name: Annotated[Literal["index", "model", "refine"], "What it does."]
    state: Annotated[Literal["stopped", "idle", "busy", "paused"], "What it is at."]
    pid: Annotated[int | None, "Its process id, where it runs."] = None
    memory_bytes: Annotated[int | None, Between(0, 2**53), "Its resident memory, where it runs."] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueStatus:
    """What waits."""

    questions: Annotated[int, "Questions that wait for the model, without the one that is being answered."]
    files: Annotated[int, "Files that wait to be indexed."]
