"""The one specification of our methods: types of parameters, results and partial results.

The protocol page and the clients' definitions under editors/ are generated from it (`generate`), requests are checked
with it (`codec.parse`). Must not import anything beyond the standard library, errors, `codec` and `parts`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from memcache_lsp.protocol.codec import AtMost, Between, IsUri, NotBlank
from memcache_lsp.protocol.parts import (
    Cache,
    Cited,
    Evidence,
    FinishReason,
    Health,
    Hit,
    Intent,
    ModelStatus,
    ProgressToken,
    QueueStatus,
    Range,
    RootState,
    RootStatus,
    Scope,
    ScopeStatus,
    SessionStatus,
    Stretch,
    TextDocumentIdentifier,
    Timings,
    Uri,
    Usage,
    WorkerStatus,
)

LONGEST_QUESTION = 1_000_000  # characters; of a long one its beginning and its end are read, see `pasted`

VERSION = 1  # of these methods; grows when a client has to change

PartialToken = Annotated[
    ProgressToken | None, "Where partial results are sent by `$/progress`; without it everything comes in the result."
]
WorkToken = Annotated[ProgressToken | None, "Where LSP's work-done progress is sent by `$/progress`."]


@dataclass(frozen=True, slots=True, kw_only=True)
class AskParams:
    """A question, and what it is about."""

    question: Annotated[
        str,
        NotBlank,
        AtMost(LONGEST_QUESTION),
        "The question, in words, 1,000,000 characters at most; of a long log its beginning and its end are read.",
    ]
    intent: Annotated[Intent, "What is wanted: an answer, an explanation, a summary, or who calls it."] = "ask"
    thread_id: Annotated[str | None, "The thread to go on with; without it a new one is opened."] = None
    text_document: Annotated[TextDocumentIdentifier | None, "The document the user is at."] = None
    selection: Annotated[Range | None, "What is selected in it."] = None
    scope: Annotated[Scope | None, "Where evidence is looked for."] = None
    partial_result_token: PartialToken = None
    work_done_token: WorkToken = None

    def problem(self) -> str:
        """Tell what is wrong between the fields."""
        lost = self.selection is not None and self.text_document is None
        return "must name the textDocument that the selection is in" if lost else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AskResult:
    """How an answer ended, and the answer itself where no partial results were asked for."""

    thread_id: Annotated[str, "The thread it is in; empty where it was not kept."]
    turn_id: Annotated[str, "The turn of the thread."]
    finish_reason: Annotated[
        FinishReason, "The model was done, was cut at its limit; there was no model (quotations), or no evidence."
    ]
    evidence: Annotated[Evidence, "How many hits were read."]
    usage: Annotated[Usage, "Tokens of the model."]
    timings: Annotated[Timings, "How long it took."]
    answer: Annotated[str | None, "The whole answer, in Markdown; only without partialResultToken."] = None
    citations: Annotated[tuple[Cited, ...] | None, "Its citations; only without partialResultToken."] = None
    unsupported: Annotated[
        tuple[Stretch, ...] | None, "Sentences that their citations do not bear out; only without partialResultToken."
    ] = None
    message: Annotated[str | None, "One sentence for the user, where there is something to say."] = None
    cached: Annotated[bool, "Whether it is an answer that was kept: to the same question over the same evidence."] = (
        False
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class AskSources:
    """The hits that the answer may draw on, sent first; `[n]` is the n-th, counted from `first`."""

    type: Annotated[Literal["sources"], "The kind of this partial result."] = "sources"
    items: Annotated[tuple[Hit, ...], "The hits, best first."]
    first: Annotated[
        int, Between(1, 9999), "The number of the first one; lower ones are sources of earlier turns of the thread."
    ] = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class AskStage:
    """What is going on."""

    type: Annotated[Literal["stage"], "The kind of this partial result."] = "stage"
    stage: Annotated[
        Literal["waiting", "loading", "reading", "thinking", "writing"],
        "Waiting for the model, loading it, it reads the evidence, it reasons before it answers, it writes.",
    ]
    percent: Annotated[int, Between(0, 100), "How much of the stage is done; 0 where that is not known."]


@dataclass(frozen=True, slots=True, kw_only=True)
class AskDelta:
    """The next piece of the answer; all pieces in order are the answer."""

    type: Annotated[Literal["delta"], "The kind of this partial result."] = "delta"
    seq: Annotated[int, "Number of the piece, counted from 0 without gaps."]
    text: Annotated[str, "The piece."]


@dataclass(frozen=True, slots=True, kw_only=True)
class AskCitation(Cited):
    """The lines that a `[n]` in the text so far stands for, once for each mark."""

    type: Annotated[Literal["citation"], "The kind of this partial result."] = "citation"


@dataclass(frozen=True, slots=True, kw_only=True)
class AskUnsupported:
    """A stretch of the answer that its citations do not bear out."""

    type: Annotated[Literal["unsupported"], "The kind of this partial result."] = "unsupported"
    start: Annotated[int, "Where it begins in the text so far, in the units of the negotiated position encoding."]
    end: Annotated[int, "Where it ends, exclusive."]


AskPartial = AskSources | AskStage | AskDelta | AskCitation | AskUnsupported


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchParams:
    """What to search for, and where."""

    query: Annotated[
        str,
        NotBlank,
        AtMost(LONGEST_QUESTION),
        "Words, names, or a question, 1,000,000 characters at most; of a long log its beginning and its end are read.",
    ]
    limit: Annotated[int, Between(1, 1000), "How many hits at most."] = 20
    scope: Annotated[Scope | None, "Where to search."] = None
    text_document: Annotated[TextDocumentIdentifier | None, "The document the user is at."] = None
    explain: Annotated[bool, "Whether hits carry their signals."] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchResult:
    """What was found."""

    hits: Annotated[tuple[Hit, ...], "The hits, best first."]
    complete: Annotated[bool, "False while files that could matter are still being indexed."]
    notes: Annotated[
        tuple[str, ...] | None,
        "A sentence for each part of the scope that was not asked, such as a cache that is offline.",
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SimilarParams:
    """The stretch of a document that others are compared with."""

    text_document: Annotated[TextDocumentIdentifier, "The document."]
    range: Annotated[Range, "The stretch; whole lines are compared."]
    limit: Annotated[int, Between(1, 1000), "How many hits at most."] = 20
    scope: Annotated[Scope | None, "Where to search."] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainParams:
    """A document, or a hit and the query that found it."""

    text_document: Annotated[TextDocumentIdentifier | None, "The document whose place in the index is asked for."] = (
        None
    )
    hit: Annotated[Hit | None, "The hit whose rank is asked for."] = None
    query: Annotated[str | None, AtMost(LONGEST_QUESTION), "The query that found the hit."] = None

    def problem(self) -> str:
        """Tell what is wrong between the fields."""
        if (self.hit is None) is not (self.query is None):
            return "must name a hit together with its query"
        if (self.hit is None) is (self.text_document is None):
            return "must name either a textDocument or a hit and its query"
        return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainResult:
    """Why something is in the index or not, and what ranked it."""

    indexed: Annotated[bool, "Whether it is in the index."]
    reason: Annotated[str, "Why, in one sentence."]
    signals: Annotated[dict[str, float] | None, "What each signal brought to the hit's score, by its name."] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusParams:
    """What is asked of in particular."""

    scope: Annotated[Scope | None, "What is meant to be searched or asked: the result tells how far its index is."] = (
        None
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusResult:
    """What the server is at."""

    version: Annotated[str, "Version of the server."]
    quiescent: Annotated[bool, "Whether nothing of the workspace is being indexed."]
    health: Annotated[Health, "Whether something is wrong."]
    mode: Annotated[Literal["daemon", "in_process"], "One daemon for all editors, or a server of this editor's own."]
    pid: Annotated[int, "Process id of the server."]
    roots: Annotated[tuple[RootStatus, ...], "The session's roots."]
    embedder: Annotated[str, "What makes vectors of text."]
    sessions: Annotated[tuple[SessionStatus, ...], "Who is connected."]
    workers: Annotated[tuple[WorkerStatus, ...], "The child processes."]
    queue: Annotated[QueueStatus, "What waits."]
    memory_bytes: Annotated[int, Between(0, 2**53), "Resident memory of the server without its workers."]
    outside: Annotated[
        tuple[str, ...], "What the user allowed to leave the machine or to listen on it, a sentence each."
    ] = ()
    caches: Annotated[tuple[Cache, ...], "The added caches, by name."] = ()
    message: Annotated[str | None, "What is wrong, in one sentence."] = None
    model: Annotated[ModelStatus | None, "The language model; without one answers are quotations."] = None
    last_read: Annotated[
        Evidence | None, "How much the latest answer was made from: this session's, else any; absent before the first."
    ] = None
    scope: Annotated[ScopeStatus | None, "How far the index of the scope is, where one was given."] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexParams:
    """What to do with the index of a root."""

    action: Annotated[
        Literal["start", "pause", "resume", "cancel", "rebuild", "drop"],
        "What to do; drop forgets all that is kept of the root until it is asked for again.",
    ]
    root: Annotated[
        str | None, IsUri, "The workspace folder, however large if it is named; by default each of the session's."
    ] = None
    cache: Annotated[str | None, "The added cache that is meant, in place of any workspace folder."] = None
    work_done_token: WorkToken = None


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexResult:
    """What was accepted; the work itself goes on after it."""

    roots: Annotated[tuple[RootState, ...], "Each root that was meant, in its new state."]


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadsParams:
    """What to do with which thread."""

    action: Annotated[
        Literal["list", "get", "delete", "askAgain", "replay"],
        "What to do; askAgain answers from the files as they are now, replay computes an answer once more from its record.",
    ]
    thread_id: Annotated[str | None, "The thread; needed for all but list."] = None
    turn_id: Annotated[str | None, "The turn that is asked again or replayed; by default the last one."] = None
    all_roots: Annotated[bool, "Whether threads are listed that know none of the session's roots."] = False
    partial_result_token: PartialToken = None
    work_done_token: WorkToken = None

    def problem(self) -> str:
        """Tell what is wrong between the fields."""
        lost = self.action != "list" and not self.thread_id
        return f"must name the threadId for the action {self.action}" if lost else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerRecord:
    """What an answer was computed from; the same again gives the same answer to the byte."""

    model: Annotated[str, NotBlank, "The model's name."]
    model_sha256: Annotated[str, "Hash of the model's file."]
    prompt_sha256: Annotated[str, "Hash of all that the model was told."]
    evidence_sha256: Annotated[tuple[str, ...], "Hashes of the excerpts, in their order."]
    sampling: Annotated[str, "How words were chosen; greedy is always the likeliest."]
    seed: Annotated[int, "What chance began with; 0 where nothing is left to it."]
    max_tokens: Annotated[int, "Length of the answer at most."]
    library: Annotated[str, "What computed it, with its version."]
    context_tokens: Annotated[int, "Size of the model's context."]
    threads: Annotated[int, "Threads that computed."]
    batches: Annotated[str, "Batches in which the prompt was read, such as 3x64 1x17."]


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """A question and its answer."""

    turn_id: Annotated[str, "Its name within the thread."]
    question: Annotated[str, "The question."]
    answer: Annotated[str, "The answer, in Markdown."]
    citations: Annotated[tuple[Cited, ...], "Its citations, with their present status."]
    finish_reason: Annotated[FinishReason | None, "How the answer ended; left out where it was cancelled."] = None
    stale: Annotated[bool, "Whether lines that it cites do not say any more what was read."] = False
    predecessor: Annotated[str | None, "The turn whose question was asked again here."] = None
    record: Annotated[AnswerRecord | None, "What the answer was computed from, where a model wrote it."] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Thread:
    """Questions that belong together."""

    thread_id: Annotated[str, "Its name."]
    title: Annotated[str, "Its first question, shortened."]
    updated: Annotated[str, "When something was last asked, in UTC, such as 2025-01-31T18:05:00Z."]
    turns: Annotated[tuple[Turn, ...] | None, "Its turns in order; left out by the action list."] = None
    stale: Annotated[bool, "Whether an answer in it is stale that was not asked again."] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """What came of computing an answer once more."""

    answer: Annotated[str, "What the model said now, before anything was done with it."]
    identical: Annotated[bool, "Whether that is what it said then, to the byte."]


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadsResult:
    """The threads that were listed, got or deleted, or the new answer."""

    threads: Annotated[tuple[Thread, ...], "The threads, latest first."]
    asked: Annotated[AskResult | None, "How the new answer ended; only for the action askAgain."] = None
    replayed: Annotated[Replayed | None, "Only for the action replay."] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CachesParams:
    """What to do with which added cache."""

    action: Annotated[
        Literal["list", "add", "remove"],
        "What to do; add makes a cache or adds to one, remove forgets all that is kept of what it takes away.",
    ]
    name: Annotated[str | None, "The cache; needed for all but list."] = None
    uris: Annotated[
        tuple[Uri, ...], "Folders and files: those to add, or of remove those to take away, by default the whole cache."
    ] = ()
    reading: Annotated[bool, "Whether the cache that is added is a reading folder, whose new files are told of."] = (
        False
    )
    work_done_token: WorkToken = None

    def problem(self) -> str:
        """Tell what is wrong between the fields."""
        if self.action != "list" and not self.name:
            return f"must name the cache for the action {self.action}"
        return "must have the uris of what to add" if self.action == "add" and not self.uris else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CachesResult:
    """The added caches after the action; what was added is indexed from now on."""

    caches: Annotated[tuple[Cache, ...], "The caches, by name."]
    message: Annotated[str | None, "One sentence for the user, where there is something to say."] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelsParams:
    """What to do with which model."""

    action: Annotated[Literal["list", "pull", "use", "unload", "remove"], "What to do."]
    name: Annotated[
        str | None,
        "A model of the list, needed for pull, use and remove; any other source is named on the command line only.",
    ] = None
    work_done_token: WorkToken = None

    def problem(self) -> str:
        """Tell what is wrong between the fields."""
        lost = self.action in {"pull", "use", "remove"} and not self.name
        return f"must name the model for the action {self.action}" if lost else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A language model that is known here."""

    name: Annotated[str, "Its name."]
    size_bytes: Annotated[int, Between(0, 2**53), "Size of its file."]
    fetched: Annotated[bool, "Whether it is on this machine."]
    used: Annotated[bool, "Whether it is the one that answers."]
    use: Annotated[Literal["answer", "embed"], "What it is for."]
    memory_bytes: Annotated[int, Between(0, 2**53), "What it takes in memory while it answers."]
    fits: Annotated[bool, "Whether so much is free now."]
    licence: Annotated[str | None, "Its licence, where it is known."] = None
    sha256: Annotated[str | None, "The hash of its file, where that is pinned."] = None
    sources: Annotated[tuple[str, ...] | None, "Where it is fetched from, in order."] = None
    note: Annotated[str | None, "What it is worth, in words."] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelsResult:
    """The known models after the action."""

    models: Annotated[tuple[Model, ...], "The models: curated ones by size, then others that are here."]
    unloaded: Annotated[bool | None, "Whether one was in memory; only for the action unload."] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DidChangeStatusParams:
    """What the server is at now."""

    health: Annotated[Health, "Whether something is wrong."]
    quiescent: Annotated[bool, "Whether nothing of the workspace is being indexed."]
    message: Annotated[str | None, "One sentence for the user, where there is something to say."] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DidChangeThreadParams:
    """The citations of an answer that no longer hold as they are."""

    thread_id: Annotated[str, "The thread."]
    turn_id: Annotated[str, "The turn whose answer is meant."]
    stale: Annotated[
        tuple[Cited, ...],
        "All its citations whose lines moved or no longer say what was read; none where they do again.",
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class DidReadDocumentParams:
    """A document that a reading folder took in: it can be found from now on."""

    cache: Annotated[str, NotBlank, "The cache that the folder is."]
    uri: Annotated[str, IsUri, "The document."]
    title: Annotated[str | None, "Its first heading, where it has one."] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkdownResult:
    """What a command gives to a client that did not declare our capability, besides the fields of its result."""

    markdown: Annotated[str, "The result as text to be shown."]
