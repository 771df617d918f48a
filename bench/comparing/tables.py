"""Own what is printed: Markdown tables of the rows, system beside system. Must not measure."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence

from comparing.compared import RESAMPLES, Difference, by_kind, difference, largest, mean_ndcg, quantile, total
from comparing.published import SOURCE, figures_for
from comparing.rows import TITLES, Row

Systems = Mapping[str, Sequence[Row]]

# Title, digits, the figure of a system's rows.
_FIGURES: tuple[tuple[str, int, Callable[[Sequence[Row]], float | None]], ...] = (
    ("NDCG@10", 3, mean_ndcg),
    ("index s", 1, lambda rows: total([row.index_s for row in rows])),
    ("one file changed s", 2, lambda rows: total([row.change_s for row in rows])),
    ("query p50 ms", 1, lambda rows: quantile(times(rows), 0.5)),
    ("query p95 ms", 1, lambda rows: quantile(times(rows), 0.95)),
    ("peak MB", 0, lambda rows: largest([row.peak_mb for row in rows])),
)


def by_system(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Return the rows of each system, ours first."""
    found = {name: [row for row in rows if row.system == name] for name in TITLES}
    return {name: mine for name, mine in found.items() if mine}


def times(rows: Sequence[Row]) -> list[float]:
    """Return the milliseconds of all questions."""
    return [ms for row in rows for ms in row.query_ms]


def summarize(rows: Sequence[Row]) -> str:
    """Return all that a run tells, as Markdown."""
    systems = by_system(rows)
    parts = [
        figures(systems),
        kinds(systems),
        languages(systems),
        differences(systems),
        quoted(systems),
        counts(systems),
    ]
    return "\n\n".join(part for part in parts if part)


def figures(systems: Systems) -> str:
    """Return quality, times and memory by system, and ours as a ratio to semble's."""
    lines = head(["system", *(title for title, _, _ in _FIGURES)])
    for name, rows in systems.items():
        lines.append(line([TITLES[name], *(show(of(rows), digits) for _, digits, of in _FIGURES)]))
    if "ours" in systems and "semble" in systems:
        ratios = [ratio(of(systems["ours"]), of(systems["semble"])) for _, _, of in _FIGURES]
        lines.append(line(["memcache-lsp ÷ semble", *ratios]))
    return "\n".join(lines)


def kinds(systems: Systems) -> str:
    """Return the quality by kind of question."""
    scores = {name: by_kind(rows) for name, rows in systems.items()}
    lines = head(["kind of question", "questions", *(TITLES[name] for name in systems)])
    for kind, first in next(iter(scores.values())).items():
        means = [show(statistics.mean(mine[kind]) if kind in mine else None, 3) for mine in scores.values()]
        lines.append(line([kind, str(len(first)), *means]))
    return "\n".join(lines)


def languages(systems: Systems) -> str:
    """Return the quality by language."""
    lines = head(["language", "repositories", *(TITLES[name] for name in systems)])
    first = next(iter(systems.values()))
    for language in [*sorted({row.language for row in first}), "all"]:
        chosen = {name: [row for row in rows if language in {row.language, "all"}] for name, rows in systems.items()}
        means = [show(mean_ndcg(mine) if mine else None, 3) for mine in chosen.values()]
        number = len(next(iter(chosen.values())))
        lines.append(line([f"**{language}**" if language == "all" else language, str(number), *means]))
    return "\n".join(lines)


def differences(systems: Systems) -> str:
    """Return how far ours is above each other system."""
    if "ours" not in systems or len(systems) == 1:
        return ""
    told: list[tuple[str, Difference]] = [
        (name, difference(systems["ours"], rows)) for name, rows in systems.items() if name != "ours"
    ]
    unit = told[0][1].unit
    lines = [
        f"Mean NDCG@10 of memcache-lsp less the other's, paired by {unit}, {RESAMPLES} bootstrap resamples:",
        "",
        *head(["against", "difference", "95 % interval", f"better, of so many {plural(unit)}", "worse"]),
    ]
    for name, found in told:
        lines.append(
            line([
                TITLES[name], f"{found.mean:+.3f}", f"{found.low:+.3f} to {found.high:+.3f}",
                f"{found.better} of {found.units}", str(found.worse),
            ])
        )  # fmt: skip
    return "\n".join(lines)


def quoted(systems: Systems) -> str:
    """Return what is published for these repositories."""
    found = figures_for(row.repo for row in next(iter(systems.values())))
    if not found:
        return ""
    lines = [
        f"Published ({SOURCE}), not measured here; the times are of its authors' machine:",
        "",
        *head(["system", "NDCG@10 here", "on all of the benchmark", "index s a repository", "query p50 ms"]),
    ]
    for each in found:
        words = [f"{each.part_ndcg10:.3f}", f"{each.ndcg10:.3f}", f"{each.index_s:g}", f"{each.query_p50_ms:g}"]
        lines.append(line([each.title, *words]))
    return "\n".join(lines)


def counts(systems: Systems) -> str:
    """Return what was indexed by ours, and what its client waits beyond the engine."""
    if "ours" not in systems:
        return ""
    rows = systems["ours"]
    told = {name: sum(getattr(row, name) for row in rows) for name in ("files", "chunks", "failed", "unanswered")}
    around = [ms for row in rows for ms in row.round_trip_ms]
    p50, p95 = show(quantile(around, 0.5), 1), show(quantile(around, 0.95), 1)
    return (
        "memcache-lsp: {files} files, {chunks} chunks, {failed} failed, {unanswered} queries unanswered; ".format(
            **told
        )
        + f"an editor's round trip {p50} ms at p50, {p95} ms at p95."
    )


def head(titles: Sequence[str]) -> list[str]:
    """Return the first two lines of a table."""
    return [line(titles), "|" + "---|" * len(titles)]


def line(words: Sequence[str]) -> str:
    """Return a line of a table."""
    return f"| {' | '.join(words)} |"


def show(value: float | None, digits: int) -> str:
    """Return a number as a table shows it."""
    return "–" if value is None else f"{value:.{digits}f}"


def ratio(ours: float | None, theirs: float | None) -> str:
    """Return how many times theirs ours is."""
    return "–" if ours is None or not theirs else f"× {ours / theirs:.2f}"


def plural(unit: str) -> str:
    """Return the word for several."""
    return "repositories" if unit == "repository" else f"{unit}s"
