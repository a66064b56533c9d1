"""Pictures of one matched layer: random pairs as bars with the metamers marked, and the losses on the way.

Inline SVG whose lengths are per cent of its width, in the page's own colours.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from markupsafe import Markup

from beholder._core.wording import count_items, format_number
from beholder.stimuli import NullHistogram

_TOP, _BASE, _LANE, _HEIGHT = 16.0, 62.0, 74.0, 98.0
_MOST_POINTS = 100
_NEAR, _FAR = 35.0, 65.0
"""Per cent of the width: where the limit is named right of its line, and where there is room left of it for a count."""
MARKS = {
    "passed": "M-3.2 0 A3.2 3.2 0 1 1 3.2 0 A3.2 3.2 0 1 1 -3.2 0 Z",
    "failed": "M-3.4 -3.4 L3.4 3.4 M-3.4 3.4 L3.4 -3.4",
}
MARKS["unknown"] = MARKS["passed"]


@final
@dataclass(frozen=True)
class Chart:
    """One small picture with its heading."""

    heading: str
    svg: Markup


def draw_null(
    heading: str, unit: str, histogram: NullHistogram | None, values: Sequence[float], verdicts: Sequence[str]
) -> Chart | None:
    """Bars for random pairs, a mark for each metamer below; None when there is nothing to draw.

    Parameters
    ----------
    heading, unit : str
        The measure.
    histogram : NullHistogram or None
        Of the null distribution; without it only the metamers are marked.
    values : (n_metamers,), float
        As saved.
    verdicts : (n_metamers,), str
        ``passed``, ``failed`` or ``unknown``.
    """
    finite = [(value, verdict) for value, verdict in zip(values, verdicts, strict=True) if math.isfinite(value)]
    edges = histogram.edges if histogram is not None else ()
    everything = [*edges, *(value for value, _ in finite)]
    if not everything:
        return None
    low, high = min(everything), max(everything)
    margin = 0.04 * (high - low) or max(abs(high), 1) * 0.05
    low, high = low - margin, high + margin

    def place(value: float) -> float:
        return 100 * (value - low) / (high - low)

    parts, words = [], []
    if histogram is not None and histogram.counts:
        parts.append(_draw_bars(histogram, place))
        limit = place(histogram.maximum)
        parts.append(
            Markup('<line class="limit" x1="{0:.2f}%" x2="{0:.2f}%" y1="6" y2="{1}"/>').format(limit, _LANE + 7)
        )
        parts.append(_draw_scale(max(histogram.counts), limit))
        anchor, shift = ("end", -4) if limit > _FAR else ("start", 4)
        parts.append(
            Markup('<text x="{:.2f}%" dx="{}" y="13" text-anchor="{}">max {}</text>').format(
                limit, shift, anchor, format_number(histogram.maximum)
            )
        )
        words.append(f"{histogram.n_pairs:,} random pairs up to {format_number(histogram.maximum)}")
    parts.append(Markup('<line class="axis" x1="0" x2="100%" y1="{0}" y2="{0}"/>').format(_BASE + 0.5))
    for value, verdict in finite:
        mark = Markup('<svg x="{:.2f}%" y="{}" overflow="visible"><path class="{}" d="{}"/></svg>')
        parts.append(mark.format(place(value), _LANE, verdict, MARKS[verdict]))
    made = [value for value, _ in finite]
    if made:
        words.append(f"metamers from {format_number(min(made))} to {format_number(max(made))}")
    parts.append(_draw_ends(low + margin, high - margin))
    svg = Markup('<svg class="plot" height="{}" role="img" aria-label="{}">{}</svg>').format(
        _HEIGHT, f"{heading}: {'; '.join(words)}", Markup("").join(parts)
    )
    return Chart(f"{heading}{f' ({unit})' if unit else ''}", svg)


def _draw_bars(histogram: NullHistogram, place) -> Markup:
    tallest = max(histogram.counts)
    bars = []
    for left, right, count in zip(histogram.edges[:-1], histogram.edges[1:], histogram.counts, strict=True):
        if count:
            height = (_BASE - _TOP) * count / tallest
            bars.append(
                Markup('<rect x="{:.2f}%" y="{:.1f}" width="{:.2f}%" height="{:.1f}"/>').format(
                    place(left), _BASE - height, max(place(right) - place(left), 0.4), height
                )
            )
    return Markup('<g class="bars">{}</g>').format(Markup("").join(bars))


def _draw_scale(tallest: int, limit: float) -> Markup:
    """A line at the height of the tallest bar, with its count on the side where the limit is not named."""
    place = Markup('x="0"') if limit > _NEAR else Markup('x="100%" text-anchor="end"')
    line = Markup('<line class="scale" x1="0" x2="100%" y1="{0}" y2="{0}"/>').format(_TOP)
    return line + Markup('<text {} y="13">{}</text>').format(place, count_items(tallest, "pairs"))


def _draw_ends(low: float, high: float) -> Markup:
    return Markup('<text x="0" y="{0}">{1}</text><text x="100%" y="{0}" text-anchor="end">{2}</text>').format(
        _HEIGHT - 4, format_number(low), format_number(high)
    )


def draw_losses(curves: Sequence[np.ndarray]) -> Chart | None:
    """A line a metamer, loss on a logarithmic axis over the proportion of steps; None without any.

    Parameters
    ----------
    curves : sequence of (n_steps,), float
        ‖rep − target‖ / ‖target‖ at each step.
    """
    known = [curve[np.isfinite(curve) & (curve > 0)] for curve in curves]
    known = [curve for curve in known if len(curve) > 1]
    if not known:
        return None
    low, high = (math.log10(float(end)) for end in (min(c.min() for c in known), max(c.max() for c in known)))
    span = high - low or 1.0
    lines = []
    for curve in known:
        steps = np.unique(np.linspace(0, len(curve) - 1, min(len(curve), _MOST_POINTS)).astype(int))
        xs, ys = 100 * steps / (len(curve) - 1), 100 * (high - np.log10(curve[steps])) / span
        points = " ".join(f"{x:.2f},{y:.2f}" for x, y in zip(xs, ys, strict=True))
        lines.append(Markup('<polyline points="{}"/>').format(points))
    steps = sorted({len(curve) for curve in known})
    n = f"{steps[0]:,}" if len(steps) == 1 else f"{steps[0]:,} to {steps[-1]:,}"
    height = _LANE - _TOP
    svg = Markup(
        '<svg class="plot" height="{total}" role="img" aria-label="{label}">'
        '<text x="0" y="11">{high}</text><svg class="curves" x="0" y="{top}" width="100%" height="{height}" '
        'viewBox="0 0 100 100" preserveAspectRatio="none" overflow="visible">{lines}</svg>'
        '<text x="0" y="{base}">{low}</text><text x="100%" y="{base}" text-anchor="end">{n} steps</text></svg>'
    ).format(
        total=_HEIGHT, top=_TOP, height=height, base=_HEIGHT - 4, n=n, lines=Markup("").join(lines),
        high=format_number(10**high), low=format_number(10**low),
        label=f"Loss of {len(known)} metamers from {format_number(10**high)} to {format_number(10**low)} in {n} steps",
    )  # fmt: skip
    return Chart("Loss (log)", svg)
