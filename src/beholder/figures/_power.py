"""Power over numbers of participants or stimuli."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from beholder._core.errors import InputError, suggest_keywords
from beholder.figures._labels import fit_labels
from beholder.figures._marks import draw_chance
from beholder.figures._style import ONE_COLUMN_MM, PEOPLE_COLOR, color_of_layer, make_figure, use_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@suggest_keywords
def plot_power(
    lines: Mapping[str, Sequence[tuple[float, float, float, float]]],
    ax: Axes | None = None,
    *,
    count_name: str,
    note: str,
    target: float | None = None,
) -> Axes:
    """Draw power over numbers, a line a design.

    Parameters
    ----------
    lines : mapping of str to sequence of (n, power, low, high)
    ax : matplotlib Axes, optional
        A figure of one-column width is made without it.
    count_name : str
        What is counted.
    note : str
        What the lines are.
    target : float in (0, 1), optional
        Marked by a dashed line.
    """
    if not lines or not all(len(line) for line in lines.values()):
        raise InputError("at least one number with its power", got="none")
    own = ax is None
    with use_style():
        if ax is None:
            ax = make_figure(ONE_COLUMN_MM, 62 + 4 * (len(lines) > 1)).subplots()
        for place, (name, line) in enumerate(lines.items()):
            n, power, low, high = np.array(line, dtype=np.float64).T
            color = PEOPLE_COLOR if len(lines) == 1 else color_of_layer(place, len(lines))
            ax.plot(n, power, "o-", color=color, markersize=3.5, linewidth=0.8, label=name)
            ax.vlines(n, low, high, color=color, linewidth=1.0)
        ax.set_ylim(0, 1.02)
        ax.set_ylabel("Power")
        ax.set_xlabel(f"{count_name}\n{note}")
        if target is not None:
            draw_chance(ax, target, text=f"{target:g}")
        if len(lines) > 1:
            ax.legend(loc="lower right")
    if own:
        fit_labels(ax)
    return ax
