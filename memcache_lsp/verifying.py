"""Hold hits and citations against the files as they are now: on disk, or in an open buffer.

Owns what is done with lines that moved, changed or went. Reading is passed in. Must not import the engine or a model.

**Invariant:** what it returns names a file that is there and lines that are in it, which say what `text` or `status` says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from memcache_lsp.anchoring import Anchor, anchored
from memcache_lsp.events import Citation, Event, Result
from memcache_lsp.evidence import EVIDENCE_HITS, Evidence, chosen, gathered
from memcache_lsp.lines import lines_of, offsets_of
from memcache_lsp.values import Hit, Span, Spot

Where = Callable[[str, int], Spot | None]  # where a line of a path's present text lies, None where it is the file's own
Read = Callable[[str], str | None]  # a path's present text, secrets made unreadable; None where there is none


class _Texts:
    """Present texts, each read once for one look."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self._lines: dict[str, list[str] | None] = {}
        self.texts: dict[str, str] = {}

    def lines(self, path: str) -> list[str] | None:
        if path not in self._lines:
            text = self.texts[path] = self._read(path) or ""
            self._lines[path] = lines_of(text) if text else None
        return self._lines[path]


def _nowhere(_path: str, _line: int) -> None:
    return None


def refreshed(hits: Sequence[Hit], read: Read, spot: Where = _nowhere) -> list[Hit]:
    """Return the hits with their present lines and text; those whose file or text is gone are left out."""
    texts = _Texts(read)
    found = (_refreshed(hit, texts, spot) for hit in hits)
    return [hit for hit in found if hit is not None]


def _refreshed(hit: Hit, texts: _Texts, spot: Where) -> Hit | None:
    now = texts.lines(hit.path)
    was, read = hit.span, lines_of(hit.text)
    at = now and anchored(now, read, first=was.start_line, start=was.start_line, end=was.start_line + len(read) - 1)
    if not at or not now:
        return None
    if at.status == "fresh":
        return hit
    text = texts.texts[hit.path]
    start, end = offsets_of(text, at.start_line, at.end_line)
    if at.status == "moved":  # it may have begun within its first line
        start = max(start, text.find(read[0], start))
        end = min(end, start + len(hit.text))
    span = Span(start, end, at.start_line, at.end_line)
    return replace(hit, span=span, text=text[start:end], spot=spot(hit.path, at.start_line))


def drawn(
    hits: Sequence[Hit], read: Read, *, limit: int = EVIDENCE_HITS, parted: bool = False, spot: Where = _nowhere
) -> tuple[tuple[Hit, ...], tuple[Evidence, ...]]:
    """Return of what was found the hits that an answer may draw on, as they are now, and what a model reads of them.

    With `parted` the hits stay as they are and in their order.
    """
    texts = _Texts(read)
    wanted = tuple(hits[:limit]) if parted else chosen(hits, limit)
    now = [_refreshed(hit, texts, spot) for hit in wanted]
    if lost := now.count(None):  # those behind them move up
        now += [_refreshed(hit, texts, spot) for hit in [hit for hit in hits if hit not in wanted][: 2 * lost]]
    evidence = tuple(each for each in now if each is not None)[:limit]
    return evidence, gathered(evidence, texts.lines, parted=parted)


class Verifier:
    """Hold the citations of one answer against the present texts of the files that its excerpts were read from.

    In a thread the answer's own numbers begin with `first`; lower ones are of the `earlier` excerpts, which were read when
    the files may have been others.
    """

    def __init__(
        self,
        excerpts: Sequence[Evidence],
        read: Read,
        spot: Where = _nowhere,
        *,
        earlier: Sequence[Evidence] = (),
        first: int = 1,
    ) -> None:
        self._spot = spot
        self._excerpts = tuple(replace(excerpt, n=excerpt.n + first - 1) for excerpt in excerpts)
        self._earlier = tuple(earlier)
        self._first = first
        self._read = read

    def checked(self, citations: Iterable[Citation]) -> tuple[Citation, ...]:
        """Return citations with their present lines and status, without those that point to nothing any more."""
        texts = _Texts(self._read)
        found = (self._checked(citation, texts) for citation in citations)
        return tuple(dict.fromkeys(citation for citation in found if citation is not None))

    def events(self, event: Event) -> tuple[Event, ...]:
        """Return an event of the answer as it may be sent: none where a citation does not hold."""
        if isinstance(event, Citation):
            return self.checked([event])
        if isinstance(event, Result):
            return (replace(event, citations=self.checked(event.citations)),)
        return (event,)

    def _checked(self, citation: Citation, texts: _Texts) -> Citation | None:
        now = texts.lines(citation.path)
        if now is None:
            return None
        read = self._excerpts if citation.n >= self._first else self._earlier
        for excerpt in sorted(read, key=lambda excerpt: excerpt.n != citation.n):  # its own first: hits may be merged
            if excerpt.path == citation.path and excerpt.start_line <= citation.start_line <= excerpt.end_line:
                at = self._anchored(citation, excerpt, now)
                if at is not None:
                    spot = self._spot(citation.path, at.start_line)
                    return replace(
                        citation, start_line=at.start_line, end_line=at.end_line, status=at.status, spot=spot
                    )
        return None

    def _anchored(self, citation: Citation, excerpt: Evidence, now: Sequence[str]) -> Anchor | None:
        read = lines_of(excerpt.text)
        return anchored(now, read, first=excerpt.start_line, start=citation.start_line, end=citation.end_line)
