"""One exchange of each method, for the protocol page and the tests. Must not import more than the types."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from memcache_lsp.protocol import parts, spec

ROOT = "file:///home/me/courier"
_FILE = f"{ROOT}/src/retry.py"


@dataclass(frozen=True, slots=True)
class Example:
    """What a client sends, what it gets meanwhile and in the end; a notification has parameters only."""

    params: Any
    result: Any = None
    partials: tuple[Any, ...] = ()


def _lines(first: int, last: int) -> parts.Location:
    start = parts.Position(line=first - 1, character=0)
    return parts.Location(uri=_FILE, range=parts.Range(start=start, end=parts.Position(line=last, character=0)))


_DOCUMENT = parts.TextDocumentIdentifier(uri=_FILE)
_HIT = parts.Hit(
    location=_lines(12, 31),
    path="src/retry.py",
    symbol="Retry.next_delay",
    kind="method",
    language="python",
    score=2.4183,
    snippet="    def next_delay(self, attempt):\n        return min(self.limit_s, self.base_s * 2**attempt)",
    origin="index",
)
_CITED = parts.Cited(n=1, location=_lines(13, 13), status="fresh")
_ANSWERED = spec.AskResult(
    thread_id="t1",
    turn_id="1",
    finish_reason="stop",
    evidence=parts.Evidence(read=6, found=12),
    usage=parts.Usage(prompt_tokens=1180, reused_tokens=212, answer_tokens=24),
    timings=parts.Timings(first_text_seconds=2.114, total_seconds=3.02),
)
_TURN = spec.Turn(
    turn_id="1",
    question="How long does a retry wait?",
    answer="It doubles from base_s up to limit_s [1].",
    citations=(_CITED,),
    finish_reason="stop",
)
_ROOT_STATUS = parts.RootStatus(
    uri=ROOT,
    state="indexing",
    files=parts.FileCounts(done=40, total=212, failed=1, skipped=9),
    chunks=388,
    failed=(parts.FileProblem(path="docs/old.txt", reason="It cannot be read: permission denied."),),
    size_bytes=2_310_144,
    refinement=parts.Refinement(model="all-minilm-l6-v2", done=40, total=128),
)
_CACHE = parts.Cache(
    name="handbook",
    state="indexing",
    places=(parts.CachePlace(uri="file:///home/me/handbook", kind="folder", state="indexing"),),
    files=parts.FileCounts(done=20, total=64, failed=0, skipped=3),
    chunks=214,
    failed=(),
    size_bytes=1_204_224,
)
_STATUS = spec.StatusResult(
    version="0.1.0",
    quiescent=False,
    health="ok",
    mode="daemon",
    pid=4711,
    roots=(_ROOT_STATUS,),
    embedder="static-code-256",
    sessions=(parts.SessionStatus(id=1, client="Neovim", roots=(ROOT,)),),
    workers=(
        parts.WorkerStatus(name="index", state="busy", pid=4712, memory_bytes=150_011_904),
        parts.WorkerStatus(name="model", state="stopped"),
    ),
    queue=parts.QueueStatus(questions=0, files=172),
    scope=parts.ScopeStatus(indexing=True, complete=False, version=3),
    memory_bytes=97_517_568,
    model=parts.ModelStatus(
        name="qwen2.5-coder-0.5b-instruct",
        state="ready",
        context_tokens=4096,
        prompt_speed=118.4,
        chosen=(
            "A context of 4096 tokens, as more takes too long to read.",
            "As many of 2 cores as are free compute.",
        ),
    ),
)

EXAMPLES = {
    "memcache/ask": Example(
        spec.AskParams(question="How long does a retry wait?", text_document=_DOCUMENT, partial_result_token="ask-1"),  # noqa: S106 - of the protocol
        _ANSWERED,
        (
            spec.AskSources(items=(_HIT,)),
            spec.AskStage(stage="reading", percent=40),
            spec.AskDelta(seq=0, text="It doubles from base_s up to limit_s [1]."),
            spec.AskCitation(n=1, location=_CITED.location, status="fresh"),
            spec.AskUnsupported(start=3, end=10),
        ),
    ),
    "memcache/search": Example(
        spec.SearchParams(query="retry delay", limit=5, scope=parts.Scope(languages=("python",))),
        spec.SearchResult(hits=(_HIT,), complete=True),
    ),
    "memcache/similar": Example(
        spec.SimilarParams(text_document=_DOCUMENT, range=_lines(12, 31).range, limit=5),
        spec.SearchResult(hits=(_HIT,), complete=True),
    ),
    "memcache/explain": Example(
        spec.ExplainParams(text_document=parts.TextDocumentIdentifier(uri=f"{ROOT}/package-lock.json")),
        spec.ExplainResult(indexed=False, reason="It is not indexed: lock file: written by a package manager."),
    ),
    "memcache/status": Example(spec.StatusParams(scope=parts.Scope(caches=("handbook",))), _STATUS),
    "memcache/index": Example(
        spec.IndexParams(action="pause", root=ROOT),
        spec.IndexResult(roots=(parts.RootState(uri=ROOT, state="paused"),)),
    ),
    "memcache/threads": Example(
        spec.ThreadsParams(action="get", thread_id="t1"),
        spec.ThreadsResult(
            threads=(
                spec.Thread(
                    thread_id="t1", title="How long does a retry wait?", updated="2025-01-31T18:05:00Z", turns=(_TURN,)
                ),
            )
        ),
    ),
    "memcache/caches": Example(
        spec.CachesParams(action="add", name="handbook", uris=("file:///home/me/handbook",)),
        spec.CachesResult(caches=(_CACHE,)),
    ),
    "memcache/models": Example(
        spec.ModelsParams(action="use", name="qwen2.5-coder-0.5b-instruct"),
        spec.ModelsResult(
            models=(
                spec.Model(
                    name="qwen2.5-coder-0.5b-instruct",
                    size_bytes=491_400_064,
                    fetched=True,
                    used=True,
                    use="answer",
                    memory_bytes=791_400_064,
                    fits=True,
                    licence="Apache-2.0",
                ),
            )
        ),
    ),
    "memcache/didChangeStatus": Example(spec.DidChangeStatusParams(health="ok", quiescent=True)),
    "memcache/didReadDocument": Example(
        spec.DidReadDocumentParams(
            cache="reading", uri="file:///home/me/pages/backoff.html", title="Exponential backoff and jitter"
        )
    ),
    "memcache/didChangeThread": Example(
        spec.DidChangeThreadParams(
            thread_id="t1", turn_id="1", stale=(parts.Cited(n=1, location=_lines(15, 15), status="moved"),)
        )
    ),
}
