"""Estimates with their intervals, one below the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from beholder._core.errors import InputError, suggest_keywords
from beholder.figures._labels import fit_labels
from beholder.figures._marks import draw_chance
from beholder.figures._style import (
    CHANCE_COLOR,
    INK,
    NATURAL_COLOR,
    ONE_COLUMN_MM,
    TWO_COLUMNS_MM,
    make_figure,
    use_style,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MM_PER_LETTER = 1.3
_SHORT_NAME = 14


@suggest_keywords
def plot_estimates(
    estimates: Mapping[str, tuple[float, float, float]],
    ax: Axes | None = None,
    *,
    value_name: str,
    interval: str,
    reference: float | None = None,
    reference_name: str | None = None,
    single: Mapping[str, Sequence[float]] | None = None,
    colors: Mapping[str, str] | None = None,
    ranges: Mapping[str, tuple[float, float]] | None = None,
    band: tuple[float, float] | None = None,
    band_name: str = "",
) -> Axes:
    """Draw numbers as dots with lines, the first on top.

    Parameters
    ----------
    estimates : mapping of str to (value, low, high)
        Name to a number and the ends of its interval, which may be NaN.
    ax : matplotlib Axes, optional
        A figure of one-column width is made without it.
    value_name : str
        The quantity with its unit.
    interval : str
        What the lines are, with n; in several lines where it is long.
    reference : float, optional
        Marked by a dashed line: no effect, chance.
    reference_name : str, optional
        What stands on that line.
    single : mapping of str to sequence of float, optional
        Values of single people behind a number, as small grey dots.
    colors : mapping of str to str, optional
        Of dots and lines; default black.
    ranges : mapping of str to (low, high), optional
        Between which a number could lie at all, as pale bars.
    band : (low, high), optional
        What is reached at best, such as people among themselves, as a pale band over all rows.
    band_name : str
        What stands above it.
    """
    if not estimates or not any(np.isfinite(each[0]) for each in estimates.values()):
        raise InputError("at least one estimate", got="none that is a number" if estimates else "none")
    own = ax is None
    with use_style():
        if ax is None:
            longer = _MM_PER_LETTER * max(0, max(map(len, estimates)) - _SHORT_NAME)
            width = min(TWO_COLUMNS_MM, ONE_COLUMN_MM + longer)
            ax = make_figure(width, 24 + 4 * interval.count("\n") + 6 * max(2, len(estimates))).subplots()
        if band is not None and np.isfinite(band).all():
            ax.axvspan(*band, color=NATURAL_COLOR, alpha=0.22, linewidth=0, zorder=0)
            ax.annotate(
                band_name, (sum(band) / 2, 1), (0, 11 if reference is not None else 2),
                xycoords=("data", "axes fraction"), textcoords="offset points", ha="center", va="bottom",
                color=CHANCE_COLOR, fontsize=7,
            )  # fmt: skip
        for place, name in enumerate(estimates):
            bar = (ranges or {}).get(name)
            if bar is not None and np.isfinite(bar).all():
                ax.hlines([place], [bar[0]], [bar[1]], color=NATURAL_COLOR, linewidth=4, alpha=0.28, zorder=1)
        for place, (name, (value, low, high)) in enumerate(estimates.items()):
            color = (colors or {}).get(name, INK)
            dots = np.asarray(list((single or {}).get(name, ())), dtype=np.float64)
            if len(dots):  # without any, the layout would keep a place for them
                ax.plot(
                    dots, np.full(len(dots), place + 0.22), "o", color=NATURAL_COLOR, markersize=2.5, alpha=0.6,
                    markeredgewidth=0, clip_on=False, zorder=2,
                )  # fmt: skip
            ax.hlines([place], [low], [high], color=color, linewidth=1.0)
            ax.plot([value], [place], "o", color=color, markersize=4, zorder=3)
        ax.set_yticks(range(len(estimates)), list(estimates))
        ax.set_ylim(len(estimates) - 0.4, -0.6)
        ax.set_xlabel(f"{value_name}\n{interval}")
        if reference is not None:
            draw_chance(ax, reference, axis="x", text=reference_name)
    if own:
        fit_labels(ax)
    return ax
