"""Values of people and networks over conditions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from beholder._core.errors import InputError
from beholder.figures._labels import fit_labels
from beholder.figures._marks import draw_chance
from beholder.figures._style import (
    NATURAL_COLOR,
    ONE_COLUMN_MM,
    PEOPLE_COLOR,
    TWO_COLUMNS_MM,
    colors_of_models,
    make_figure,
    use_style,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST_COLORS = 6


def plot_over_conditions(
    lines: Mapping[str, Mapping[str, tuple[float, float, float]]],
    conditions: Sequence[str],
    ax: Axes | None = None,
    *,
    people: str = "people",
    name: str,
    chance: float | None = None,
    chance_text: str | None = None,
    note: str = "",
) -> Axes:
    """Draw estimates over conditions: a line for each network and for people, black, with intervals.

    Parameters
    ----------
    lines : mapping of str to mapping of str to (value, low, high)
        Observer, condition. Up to six networks have colours, more are grey and unnamed.
    conditions : sequence of str
        In the order of the axis.
    ax : matplotlib Axes, optional
    people : str
        Which of them is people: black.
    name : str
        Of the values, for the axis.
    chance : float, optional
        Marked by a dashed line.
    note : str
        What dots and lines are, below the axis.
    """
    if not lines or not conditions:
        raise InputError("at least one line and condition", got=f"{len(lines)} and {len(conditions)}")
    networks = [label for label in lines if label != people]
    few = len(networks) <= _MOST_COLORS
    colors = colors_of_models(networks) if few else dict.fromkeys(networks, NATURAL_COLOR)
    own = ax is None
    with use_style():
        if ax is None:
            ax = make_figure(min(TWO_COLUMNS_MM, max(ONE_COLUMN_MM, 30 + 9 * len(conditions))), 72).subplots()
        for index, (label, points) in enumerate(lines.items()):
            color = colors.get(label, PEOPLE_COLOR)
            shift = 0.3 * ((index + 0.5) / len(lines) - 0.5)
            places = np.array([conditions.index(each) for each in points]) + shift
            values, low, high = np.array(list(points.values()), dtype=np.float64).T
            ax.plot(places, values, color=color, linewidth=0.8, alpha=0.6)
            ax.vlines(places, low, high, color=color, linewidth=1.0)
            named = few or label == people
            ax.plot(places, values, "o", color=color, markersize=4, label=label if named else None)
        ax.set_xticks(range(len(conditions)), list(conditions))
        ax.set_xlim(-0.5, len(conditions) - 0.5)
        ax.set_ylabel(name)
        ax.set_xlabel(note, fontsize=7)
        if chance is not None:
            draw_chance(ax, chance, text=chance_text)
    if own:
        fig: Any = ax.get_figure(root=True)
        with use_style():
            fig.legend(loc="outside upper left", ncols=2)
        fit_labels(fig)
    return ax
