"""What is told of a cache: its state, its files, what failed, since when it is offline.

Plain functions from the registry and the manifests to the specification's types, for the engine and for commands. Must
not import the engine or a session.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from memcache_lsp import paths
from memcache_lsp.caches import Cache, Ground, Place
from memcache_lsp.errors import MemcacheError
from memcache_lsp.protocol import parts
from memcache_lsp.reports import Progress, Report
from memcache_lsp.scan.folders import MISSING
from memcache_lsp.session.uris import from_path
from memcache_lsp.status import Status, read_status

_FAILED_SHOWN = 100
_TOLD = 3  # places of which a cache's own message speaks
Stamp = tuple[tuple[str, int, int, int], ...]
_NOT_INDEXING = Progress(0, 0)
_PRESSING: tuple[parts.CacheState, ...] = (
    "indexing", "failed", "offline", "paused", "cancelled", "unindexed", "ready",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of one index of a cache."""

    state: parts.CacheState
    status: Status | None
    progress: Progress = _NOT_INDEXING
    message: str | None = None
    report: Report | None = None  # of the last look at everything


def resting(ground: Ground) -> Known:
    """Return what is known of an index that nobody has open here."""
    try:
        status = read_status(ground.root, ground.part, is_real=True)
    except MemcacheError as error:
        return Known("failed", None, message=str(error))
    return Known("unindexed" if status is None else "ready", status)


class Resting:
    """What is known of indexes that nobody has open here, read again where their files have changed. For any thread."""

    def __init__(self) -> None:
        self._known: dict[Ground, tuple[Stamp, Known]] = {}

    def __call__(self, ground: Ground) -> Known:
        """Return what is known of an index."""
        stamp = _stamp(paths.index_dir(ground.root, ground.part, is_real=True))
        before = self._known.get(ground)
        if before is not None and before[0] == stamp:
            return before[1]
        known = resting(ground)
        may_change = known.state == "failed" or (known.status is not None and known.status.holder is not None)
        if not may_change:  # without a sign of it: a failure passes, and who holds it may write
            self._known[ground] = stamp, known
        return known


def _stamp(folder: Path) -> Stamp:
    found = []
    for name in ("manifest.sqlite", "manifest.sqlite-wal", "holder.json"):
        with contextlib.suppress(OSError):
            status = (folder / name).stat()
            if status.st_size:  # who only reads leaves an empty log behind
                found.append((name, status.st_ino, status.st_size, status.st_mtime_ns))
    return tuple(found)


def listed(caches: Sequence[Cache], known: Callable[[Ground], Known] = resting) -> tuple[parts.Cache, ...]:
    """Return what is told of caches, whose places were looked at."""
    return tuple(row(cache, {ground: known(ground) for ground in cache.grounds}) for cache in caches)


def row(cache: Cache, known: Mapping[Ground, Known]) -> parts.Cache:
    """Return what is told of a cache."""
    places = tuple(
        _place(cache.name, place, known[ground], reasons)
        for ground in cache.grounds
        for reasons in [_reasons(known[ground].status)]
        for place in cache.places_of(ground)
    )
    statuses = [(ground, each.status) for ground, each in known.items() if each.status is not None]
    failed = [problem for ground, status in statuses for problem in _failed(ground.root, status)]
    indexed = sum(status.indexed for _, status in statuses)
    going_on = [each.progress for each in known.values() if each.state == "indexing"]
    done, total = sum(p.done for p in going_on), sum(p.total for p in going_on)
    states = {place.state for place in places}
    return parts.Cache(
        name=cache.name,
        state=next((state for state in _PRESSING if state in states), "unindexed"),
        places=tuple(sorted(places, key=lambda place: place.uri)),
        files=parts.FileCounts(
            done=max(indexed, done),
            total=max(indexed, total),
            failed=len(failed),
            skipped=sum(len(status.skipped) for _, status in statuses),
        ),
        chunks=sum(status.chunks for _, status in statuses),
        failed=tuple(failed[:_FAILED_SHOWN]),
        reading=cache.reading,
        size_bytes=sum(status.size_bytes for _, status in statuses),
        report=_report([each.report for each in known.values() if each.report is not None]),
        message=_joined(place.message for place in places),
    )


def _joined(messages: Iterable[str | None]) -> str | None:
    """Return what is said of places in one text, as far as anybody reads it."""
    told = [message for message in dict.fromkeys(messages) if message]
    rest = [f"So it is with {len(told) - _TOLD} more."] if len(told) > _TOLD else []
    return " ".join([*told[:_TOLD], *rest]) or None


def away(name: str, place: Place) -> str:
    """Say that a place is offline."""
    since = time.strftime("%Y-%m-%d %H:%M", time.localtime(place.away_since))
    return (
        f"{place.path} of the cache {name} is offline since {since}: what is indexed of it is kept; connect its disk, "
        "or remove it from the cache."
    )


def _reasons(status: Status | None) -> dict[str, str]:
    """Return why files are not indexed, by their paths."""
    return {} if status is None else {each.path: each.reason for each in (*status.skipped, *status.failed)}


def _place(name: str, place: Place, known: Known, reasons: Mapping[str, str]) -> parts.CachePlace:
    kind: parts.PlaceKind = "folder" if place.is_folder else "file"
    uri = from_path(place.path)
    if place.away_since is not None:
        since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(place.away_since))
        message = away(name, place)
        return parts.CachePlace(uri=uri, kind=kind, state="offline", offline_since=since, message=message)
    reason = None if place.is_folder else reasons.get(place.path.name)
    told = known.message or (_left_out(place.path, reason) if reason else None)
    return parts.CachePlace(uri=uri, kind=kind, state=known.state, message=told)


def _left_out(path: Path, reason: str) -> str:
    """Say that a file which was named is not in the index."""
    if reason == MISSING:
        return f"There is no file {path} any more: add it by its new name, or remove it from the cache."
    return f"{path} is not indexed: {reason}."


def _report(reports: Sequence[Report]) -> parts.IndexReport | None:
    if not reports:
        return None
    return parts.IndexReport(
        added=sum(each.added for each in reports),
        changed=sum(each.changed for each in reports),
        removed=sum(each.removed for each in reports),
        unchanged=sum(each.unchanged for each in reports),
        chunks=sum(each.chunks for each in reports),
    )


def _failed(root: Path, status: Status) -> Iterator[parts.FileProblem]:
    for each in status.failed:
        yield parts.FileProblem(path=str(root / each.path), reason=each.reason)
