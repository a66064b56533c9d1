"""Pictures of a quantity layer by layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from beholder._core.errors import InputError, suggest_keywords
from beholder._core.wording import format_span
from beholder.figures._labels import fit_labels
from beholder.figures._marks import draw_chance
from beholder.figures._style import INK, ONE_COLUMN_MM, colors_of_layers, make_figure, use_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SPREAD = 0.28


@suggest_keywords
def plot_layer_activations(
    values: Mapping[str, Any],
    ax: Axes | None = None,
    *,
    name: str,
    all_layers: Sequence[str] | None = None,
    chance: float | None = None,
    limits: tuple[float, float] | None = None,
) -> Axes:
    """Draw one quantity at each layer, early above late: every stimulus a dot, over them their mean and its interval.

    Parameters
    ----------
    values : mapping of str to array, (n_stimuli,)
        Layer, in network order, to the quantity for each stimulus, such as the proportion of active units.
    ax : matplotlib Axes, optional
        A figure of one-column width is made without it.
    name : str
        The quantity with its unit, for the axis.
    all_layers : sequence of str, optional
        The model's recorded layers, so that colours agree with other pictures; those of ``values`` unless given.
    chance : float, optional
        Marked by a dashed line.
    limits : (float, float), optional
        Ends of the axis.

    Returns
    -------
    matplotlib Axes
        Black marks: mean and the middle 95 % of the stimuli, with their number under the axis.
    """
    columns = {layer: np.asarray(column, dtype=np.float64).ravel() for layer, column in values.items()}
    if not columns or not all(column.size and np.isfinite(column).all() for column in columns.values()):
        raise InputError("finite values for at least one stimulus at each layer", got=f"layers {list(values)}")
    colors = colors_of_layers(list(all_layers or columns))
    own = ax is None
    with use_style():
        if ax is None:
            ax = make_figure(ONE_COLUMN_MM, 18 + 6.5 * len(columns)).subplots()
        for place, (layer, column) in enumerate(columns.items()):
            ax.plot(
                column, place + _spread_dots(column.size), "o", color=colors[layer], markersize=2,
                markeredgewidth=0, alpha=0.55, zorder=2, rasterized=column.size > 500,
            )  # fmt: skip
            low, high = np.percentile(column, [2.5, 97.5])
            ax.plot([low, high], [place, place], color=INK, linewidth=1.0, zorder=3)
            ax.plot([column.mean()], [place], "o", color=INK, markersize=4, zorder=4)
        ax.set_yticks(range(len(columns)), list(columns))
        ax.set_ylim(len(columns) - 0.4, -0.6)
        if limits:
            ax.set_xlim(*limits)
        n = format_span([column.size for column in columns.values()], "stimulus")
        ax.set_xlabel(f"{name}\ndot: mean, line: middle 95 % of n = {n}")
        if chance is not None:
            draw_chance(ax, chance, axis="x")
    if own:
        fit_labels(ax)
    return ax


def _spread_dots(n: int) -> np.ndarray:
    """Sideways places that look random and are the same each time (golden-ratio sequence)."""
    return _SPREAD * (2 * ((np.arange(n) * 0.6180339887498949) % 1) - 1)
