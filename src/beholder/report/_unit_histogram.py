"""The picture of a unit's activations: bars for all recorded stimuli, lanes of marks for those on the card.

Drawn as inline SVG whose lengths are per cent of its width, so that its words keep their size at any width; colours
are the page's own, light or dark.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from markupsafe import Markup, escape

from beholder._core.wording import count_items, format_number
from beholder.stimuli import UnitStimuli

_BAR_TOP, _BAR_BASE = 14.0, 62.0
_FIRST_LANE, _LANE, _WORDS = 72.0, 14.0, 24.0
_OUTLIER = 2.5
_MOST_SPANS = 3.0
_LETTER, _GAP, _NARROWEST = 6.4, 8.0, 220.0
"""Pixels of a letter, between words, and of the picture on a phone."""


def draw_histogram(unit: UnitStimuli, noun: str) -> Markup | None:
    """Bars and marks of one unit; None when nothing is known of its activations.

    Parameters
    ----------
    unit : UnitStimuli
    noun : str
        What the stimuli are, plural.
    """
    lanes = {
        "references": _list_values(unit, "natural", "reference"),
        "queries": _list_values(unit, "natural", "query"),
        "visualisations": _list_values(unit, "optimized", None),
    }
    lanes = {name: values for name, values in lanes.items() if values}
    natural = [*unit.edges[:1], *unit.edges[-1:]] or lanes.get("references", [])
    everything = [*natural, *(value for values in lanes.values() for value in values)]
    if not everything:
        return None
    axis = _Axis(natural or everything, everything)
    n = sum(unit.counts)
    places = {name: _FIRST_LANE + i * _LANE for i, name in enumerate(lanes)}
    height = _FIRST_LANE + (len(lanes) - 1) * _LANE + _WORDS
    parts = [_draw_bars(unit, axis), _draw_zero(axis)]
    parts += [_draw_lane(name, values, places[name], axis) for name, values in lanes.items()]
    parts.append(_draw_labels(axis, natural, lanes.get("visualisations", []), height - 4))
    words = f"Activations of {count_items(n, noun)}" if n else "Activations"
    told = "; ".join(
        f"{name} from {format_number(min(values))} to {format_number(max(values))}" for name, values in lanes.items()
    )
    heads = [(count_items(n, noun) if n else "", 0.5 * (_BAR_TOP + _BAR_BASE) + 4)]
    heads += [(name, places[name] + 3.5) for name in lanes]
    if unit.counts:  # the scale of the bars
        heads += [(f"{_find_top(unit)[0]:,.0f}", _BAR_TOP + 4), ("0", _BAR_BASE + 3.5)]
    names = Markup("").join(
        Markup('<text x="100%" y="{}" text-anchor="end" class="{}">{}</text>').format(y, name, name)
        for name, y in heads
        if name
    )
    return Markup(
        '<div class="histogram"><svg class="names" height="{height}" aria-hidden="true">{names}</svg>'
        '<svg class="plot" height="{height}" role="img" aria-label="{label}">{parts}</svg></div>'
    ).format(height=height, names=names, label=f"{words}; {told}" if told else words, parts=Markup("").join(parts))


class _Axis:
    """From activations to per cent of the width: the natural range, and up to three times its span beside it."""

    def __init__(self, natural: Sequence[float], everything: Sequence[float]) -> None:
        low, high = min(natural), max(natural)
        span = (high - low) or abs(high) or 1.0
        self.low = max(min(everything), low - _MOST_SPANS * span)
        self.high = min(max(everything), high + _MOST_SPANS * span)
        if self.low == self.high:
            self.low, self.high = self.low - span, self.high + span

    def find(self, value: float) -> float:
        """Place in per cent, 1.5 to 98.5, clipped."""
        proportion = (value - self.low) / (self.high - self.low)
        return 1.5 + 97.0 * min(1.0, max(0.0, proportion))

    def is_outside(self, value: float) -> bool:
        slack = 1e-9 * (self.high - self.low)
        return not self.low - slack <= value <= self.high + slack


def _list_values(unit: UnitStimuli, kind: str, role: str | None) -> list[float]:
    return [one.activation for one in unit.select(kind, role=role) if one.activation is not None]


def _draw_bars(unit: UnitStimuli, axis: _Axis) -> Markup:
    if not unit.counts:
        return Markup("")
    top, _ = _find_top(unit)
    bars = []
    for low, high, count in zip(unit.edges[:-1], unit.edges[1:], unit.counts, strict=True):
        if not count:
            continue
        left, right = axis.find(low), axis.find(high)
        is_cut = count > top
        height = (_BAR_BASE - _BAR_TOP) * min(1.0, count / top)
        bars.append(
            Markup('<rect x="{:.2f}%" y="{:.1f}" width="{:.2f}%" height="{:.1f}"/>').format(
                left, _BAR_BASE - height, max(right - left - 0.06, 0.1), height
            )
        )
        if is_cut:
            bars.append(_draw_clipped(0.5 * (left + right), right, count))
    line = Markup('<line class="axis" x1="0" x2="100%" y1="{0}" y2="{0}"/>').format(_BAR_BASE + 0.5)
    ticks = [Markup('<line class="axis" x1="-5" x2="0" y1="{0}" y2="{0}"/>').format(y) for y in (_BAR_TOP, _BAR_BASE)]
    return Markup('<g class="bars">{}</g>{}{}').format(Markup("").join(bars), line, Markup("").join(ticks))


def _find_top(unit: UnitStimuli) -> tuple[float, bool]:
    """The count at the upper end of the bars, and whether a bar that dwarfs the others is cut there."""
    ordered = sorted(unit.counts)
    second = max(1, ordered[-2]) if len(ordered) > 1 else ordered[-1]
    is_cut = ordered[-1] > _OUTLIER * second
    return (float(math.ceil(1.3 * second)) if is_cut else float(max(1, ordered[-1]))), is_cut


def _draw_clipped(middle: float, right: float, count: int) -> Markup:
    """A bar that is cut: a gap near its top, and its count."""
    gap = _BAR_TOP + 6
    mark = Markup('<line class="gap" x1="{0:.2f}%" x2="{1:.2f}%" y1="{2}" y2="{2}"/>').format(
        2 * middle - right - 0.5, right + 0.5, gap
    )
    anchor, x = ("start", right + 0.6) if middle < 80 else ("end", 2 * middle - right - 0.6)
    words = Markup('<text x="{:.2f}%" y="{}" text-anchor="{}">{} here</text>').format(x, 18, anchor, f"{count:,}")
    return mark + words


def _draw_zero(axis: _Axis) -> Markup:
    if not axis.low < 0 < axis.high:
        return Markup("")
    return Markup('<line class="zero" x1="{0:.2f}%" x2="{0:.2f}%" y1="{1}" y2="{2}"/>').format(
        axis.find(0.0), _BAR_TOP, _BAR_BASE
    )


def _draw_lane(name: str, values: Sequence[float], y: float, axis: _Axis) -> Markup:
    marks = []
    for x in sorted({round(4 * axis.find(value)) / 4 for value in values if not axis.is_outside(value)}):
        if name == "visualisations":
            marks.append(Markup('<circle cx="{}%" cy="{}" r="3.2"/>').format(x, y))
        else:
            marks.append(Markup('<line x1="{0}%" x2="{0}%" y1="{1}" y2="{2}"/>').format(x, y - 3.5, y + 3.5))
    outside = [value for value in values if axis.is_outside(value)]
    arrows = [("0.5%", "M6 -4 L0 0 L6 4 Z")] * any(value < axis.low for value in outside)
    arrows += [("99.5%", "M-6 -4 L0 0 L-6 4 Z")] * any(value > axis.high for value in outside)
    for x, path in arrows:
        marks.append(Markup('<svg x="{}" y="{}" overflow="visible"><path d="{}"/></svg>').format(x, y, path))
    return Markup('<g class="{}">{}</g>').format(name, Markup("").join(marks))


def _draw_labels(axis: _Axis, natural: Sequence[float], made: Sequence[float], y: float) -> Markup:
    """Values below the axis, the important ones first, none over another."""
    extremes = [(value, "visualisations") for value in ([max(made), min(made)] if made else [])]
    beyond = [one for one in extremes if natural and not min(natural) <= one[0] <= max(natural)]
    wanted: list[tuple[float, str]] = [*beyond, *((value, "") for value in natural), *extremes]
    wanted.append((0.0, ""))
    placed: list[tuple[float, float]] = []
    texts = []
    for value, kind in _drop_repeated(wanted):
        outside = axis.is_outside(value)
        if (outside and kind == "") or (value == 0.0 and not axis.low <= 0 <= axis.high):
            continue
        x = axis.find(value)
        anchor = "start" if x < 6 else "end" if x > 94 else "middle"
        width = _LETTER * len(format_number(value))
        left = _NARROWEST * x / 100 - {"start": 0.0, "middle": 0.5, "end": 1.0}[anchor] * width
        if any(left < end + _GAP and start < left + width + _GAP for start, end in placed):
            continue
        placed.append((left, left + width))
        texts.append(
            Markup('<text x="{:.2f}%" y="{}" text-anchor="{}" class="{}">{}</text>').format(
                x, y, anchor, escape(kind), format_number(value)
            )
        )
    return Markup("").join(texts)


def _drop_repeated(wanted: Iterable[tuple[float, str]]) -> list[tuple[float, str]]:
    first: dict[float, tuple[float, str]] = {}
    for value, kind in wanted:
        first.setdefault(value, (value, kind))
    return list(first.values())
