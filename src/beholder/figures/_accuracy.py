"""Pictures of how often an observer was right."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from beholder._core.errors import InputError, suggest_keywords
from beholder._core.wording import format_count, format_span
from beholder.figures._labels import fit_labels
from beholder.figures._marks import draw_chance, format_proportion
from beholder.figures._style import INK, NATURAL_COLOR, ONE_COLUMN_MM, make_figure, use_style
from beholder.statistics import wilson_interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@suggest_keywords
def plot_accuracy(
    n_right: Any,
    n_shown: Any,
    categories: Sequence[str],
    ax: Axes | None = None,
    *,
    chance: float | None = None,
    color: str = INK,
    intervals: Any = None,
    note: str | None = None,
    single: Sequence[Sequence[float]] = (),
) -> Axes:
    """Draw the proportion of right answers in each category with its 95 % interval (Wilson's, or one handed in).

    Parameters
    ----------
    n_right, n_shown : array of int, (n_categories,)
        Right answers and stimuli shown in each category.
    categories : sequence of str, (n_categories,)
    ax : matplotlib Axes, optional
        A figure of one-column width is made without it.
    chance : float in [0, 1], optional
        Marked by a dashed line.
    color : str
        Of the dots: black for people, a network's own.
    intervals : array, (n_categories, 2), proportions in [0, 1], optional
        Ends of other intervals than Wilson's, which takes all answers for independent; NaN where there is none.
    note : str, optional
        What stands below the axis in place of the interval's name and n.
    single : sequence of (n_observers,), proportions in [0, 1], optional
        Each observer's own proportion in each category, as small grey dots.
    """
    right, shown = np.asarray(n_right, dtype=np.int64), np.asarray(n_shown, dtype=np.int64)
    if not right.shape == shown.shape == (len(categories),) or not len(categories):
        raise InputError(
            f"counts for {format_count(len(categories), 'category')}", got=f"shapes {right.shape} and {shown.shape}"
        )
    if (shown < 1).any() or (right < 0).any() or (right > shown).any():
        raise InputError("0 <= right <= shown, shown >= 1, in every category", got=f"{right} of {shown}")
    ends = np.stack(wilson_interval(right, shown), axis=1) if intervals is None else np.asarray(intervals, float)
    if ends.shape != (len(categories), 2) or (len(single) and len(single) != len(categories)):
        raise InputError(
            f"intervals and proportions of {format_count(len(categories), 'category')}",
            got=f"{ends.shape}, {len(single)}",
        )
    low, high = ends.T
    places = np.arange(len(categories))
    own = ax is None
    with use_style():
        if ax is None:
            ax = make_figure(ONE_COLUMN_MM, 22 + 4.2 * len(categories)).subplots()
        for place, each in zip(places, single, strict=False):
            ax.plot(
                100 * np.asarray(each, dtype=np.float64), np.full(len(each), place), "o", color=NATURAL_COLOR,
                markersize=3, alpha=0.6, markeredgewidth=0, clip_on=False, zorder=2,
            )  # fmt: skip
        ax.hlines(places, 100 * low, 100 * high, color=color, linewidth=1.0)
        ax.plot(100 * right / shown, places, "o", color=color, markersize=4, clip_on=False, zorder=3)
        ax.set_yticks(places, list(categories))
        ax.set_ylim(len(categories) - 0.4, -0.6)
        ax.set_xlim(0, 102)
        ax.set_xticks([0, 25, 50, 75, 100])
        n = format_span(shown.tolist(), "stimulus")
        note = f"line: 95 % interval (Wilson), n = {n} each" if note is None else note
        ax.set_xlabel(f"Right answers (%)\n{note}")
        if chance is not None:
            draw_chance(ax, 100 * chance, axis="x", text=f"chance {format_proportion(chance)}")
    if own:
        fit_labels(ax)
    return ax
