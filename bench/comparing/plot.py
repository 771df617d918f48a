"""Own the plot: quality against query time and against index time, as SVG that reads on light and dark pages.

Written by hand, for it is a dozen points; needs no library. Must not measure.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from comparing.compared import mean_ndcg, quantile, total
from comparing.published import figures_for
from comparing.rows import TITLES, Row
from comparing.tables import by_system, times

WIDTH, HEIGHT = 840, 320
_PANEL_W, _PANEL_H = 330, 230
_LEFTS, _TOP = (60, 470), 40
_RADIUS = 4.5
_LETTER_W, _LETTER_H = 6.8, 13  # pixels of a letter of a label, about
_SHORT = {
    "semble-bm25": "semble, BM25 + ranking",
    "semble-plain": "semble, BM25",
    "rg": "ripgrep",
    "semble": "semble",
}
_STYLE = """text{font-family:sans-serif;font-size:11px;fill:#57606a}.title{font-weight:bold}.grid{stroke:#8b949e;stroke-opacity:.3}
.ours{fill:#d9480f;stroke:#d9480f}.peer{fill:#1c7ed6;stroke:#1c7ed6}.other{fill:#868e96;stroke:#868e96}
.quoted{fill:none;stroke:#1c7ed6;stroke-width:1.5}text.ours{fill:#d9480f;stroke:none;font-weight:bold}
@media(prefers-color-scheme:dark){text{fill:#adbac7}text.ours{fill:#ff922b}.ours{fill:#ff922b;stroke:#ff922b}
.peer{fill:#4dabf7;stroke:#4dabf7}.quoted{stroke:#4dabf7}.other{fill:#adb5bd;stroke:#adb5bd}}"""


@dataclass(frozen=True, slots=True)
class Point:
    """A system in a panel."""

    title: str
    style: str  # ours, peer, other, quoted
    time: float
    quality: float


@dataclass(frozen=True, slots=True)
class Label:
    """A box that is written in, in pixels."""

    left: float
    top: float
    width: float
    height: float

    def meets(self, other: Label) -> bool:
        """Tell whether two boxes share a place."""
        beside = self.left >= other.left + other.width or other.left >= self.left + self.width
        return not (beside or self.top >= other.top + other.height or other.top >= self.top + self.height)


def draw(rows: Sequence[Row]) -> str:
    """Return the plot of a run."""
    systems = by_system(rows)
    queries, indexes = [], []
    for name, mine in systems.items():
        style = "ours" if name == "ours" else "peer" if name.startswith("semble") else "other"
        quality, p50, index_s = mean_ndcg(mine), quantile(times(mine), 0.5), total([row.index_s for row in mine])
        title = _SHORT.get(name, TITLES[name])
        if p50:
            queries.append(Point(title, style, p50, quality))
        if index_s:
            indexes.append(Point(title, style, index_s / len(mine), quality))
    for each in figures_for(row.repo for row in next(iter(systems.values()))):
        queries.append(Point(f"{each.short} (published)", "quoted", each.query_p50_ms, each.part_ndcg10))
        indexes.append(Point(f"{each.short} (published)", "quoted", each.index_s, each.part_ndcg10))
    panels = [
        panel(points, left, title)
        for points, left, title in (
            (queries, _LEFTS[0], "query p50, ms"),
            (indexes, _LEFTS[1], "indexing a repository, s (mean)"),
        )
        if points
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        f'role="img" aria-label="Quality of search against time"><style>{_STYLE}</style>\n'
        + "\n".join(panels)
        + "\n</svg>\n"
    )


def panel(points: Sequence[Point], left: int, title: str) -> str:
    """Return one panel: time to the right on a logarithmic scale, quality upwards."""
    low, high = bounds([point.quality for point in points])
    times_low, times_high = min(p.time for p in points) / 1.6, max(p.time for p in points) * 1.6

    def x(time: float) -> float:
        return left + _PANEL_W * math.log(time / times_low) / math.log(times_high / times_low)

    def y(quality: float) -> float:
        return _TOP + _PANEL_H * (high - quality) / (high - low)

    bottom = _TOP + _PANEL_H
    parts = [f'<text class="title" x="{left}" y="{_TOP - 18}">NDCG@10 against {escape(title)}</text>']
    for step in range(round(low * 20), round(high * 20) + 1):
        at = y(step / 20)
        parts.append(f'<path class="grid" d="M{left} {at:.1f}h{_PANEL_W}"/>')
        parts.append(f'<text x="{left - 6}" y="{at + 4:.1f}" text-anchor="end">{step / 20:.2f}</text>')
    for tick in ticks(times_low, times_high):
        parts.append(f'<path class="grid" d="M{x(tick):.1f} {_TOP}v{_PANEL_H}"/>')
        parts.append(f'<text x="{x(tick):.1f}" y="{bottom + 16}" text-anchor="middle">{tick:g}</text>')
    marks = [(x(point.time), y(point.quality)) for point in points]
    labels = placed(marks, [point.title for point in points], left)
    for point, mark, label in zip(points, marks, labels, strict=True):
        parts += drawn(point, mark, label)
    return "\n".join(parts)


def drawn(point: Point, mark: tuple[float, float], label: Label) -> list[str]:
    """Return a point's mark and its label."""
    shown = "text" if point.style != "ours" else 'text class="ours"'
    ends_here = label.left + label.width <= mark[0]  # the width is an estimate: a label keeps to its mark
    x, anchor = (label.left + label.width, "end") if ends_here else (label.left, "start")
    return [
        f'<circle class="{point.style}" cx="{mark[0]:.1f}" cy="{mark[1]:.1f}" r="{_RADIUS}"/>',
        f'<{shown} x="{x:.1f}" y="{label.top + 10:.1f}" text-anchor="{anchor}">{escape(point.title)}</text>',
    ]


def placed(marks: Sequence[tuple[float, float]], titles: Sequence[str], left: float) -> list[Label]:
    """Return a place for each label: beside, above or below its mark, where it covers the fewest others."""
    taken = [Label(x - _RADIUS, y - _RADIUS, 2 * _RADIUS, 2 * _RADIUS) for x, y in marks]
    labels = []
    for (x, y), title in zip(marks, titles, strict=True):
        width = _LETTER_W * len(title)
        beside = [(x + 9, y - 6.5), (x - 9 - width, y - 6.5)]
        around = [
            (x + shift, y + step) for step in (-19, 6, 19, -32, 32, -45, 45, -58) for shift in (-width / 2, -width, 0)
        ]
        places = [Label(at, top, width, _LETTER_H) for at, top in beside + around]
        within = [place for place in places if place.left >= left and place.left + width <= left + _PANEL_W]
        labels.append(min(within or places, key=lambda place: sum(place.meets(other) for other in taken)))
        taken.append(labels[-1])
    return labels


def bounds(values: Sequence[float]) -> tuple[float, float]:
    """Return the steps of 0.05 between which all values lie, at least one step apart."""
    low, high = math.floor(min(values) * 20 - 0.2) / 20, math.ceil(max(values) * 20 + 0.2) / 20
    return low, max(high, low + 0.05)


def ticks(low: float, high: float) -> list[float]:
    """Return round numbers in a range: powers of ten, with 2 and 5 where the range is short."""
    factors = (1, 2, 5) if high / low < 300 else (1,)
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    return [factor * 10.0**power for power in powers for factor in factors if low <= factor * 10.0**power <= high]
