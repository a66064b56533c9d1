"""Distributions of a quantity, a curve a layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from beholder._core.errors import InputError, suggest_keywords
from beholder._core.wording import format_span
from beholder.figures._labels import fit_labels
from beholder.figures._style import ONE_COLUMN_MM, colors_of_layers, make_figure, use_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_N_BINS = 60
_ROW_MM = 9.0


@suggest_keywords
def plot_distributions(
    values: Mapping[str, Any],
    name: str,
    ax: Axes | None = None,
    *,
    all_layers: Sequence[str] | None = None,
) -> Axes:
    """Draw how a quantity is distributed at each layer, early above late, with its maximum marked.

    Parameters
    ----------
    values : mapping of str to array, (n,)
        Layer, in network order, to the quantity.
    name : str
        The quantity with its unit, for the axis.
    ax : matplotlib Axes, optional
        A figure of one-column width is made without it.
    all_layers : sequence of str, optional
        The model's recorded layers, so that colours agree with other pictures; those of ``values`` unless given.
    """
    columns = {layer: np.asarray(column, dtype=np.float64).ravel() for layer, column in values.items()}
    if not columns or not all(column.size and np.isfinite(column).all() for column in columns.values()):
        raise InputError("finite values at each layer", got=f"layers {list(values)}")
    colors = colors_of_layers(list(all_layers or columns))
    low = min(float(column.min()) for column in columns.values())
    high = max(float(column.max()) for column in columns.values())
    edges = np.linspace(low, high if high > low else low + 1, _N_BINS + 1)
    own = ax is None
    with use_style():
        if ax is None:
            ax = make_figure(ONE_COLUMN_MM, 16 + _ROW_MM * len(columns)).subplots()
        for place, (layer, column) in enumerate(columns.items()):
            counts, _ = np.histogram(column, edges)
            base, top = place + 0.4, counts / counts.max() * 0.8
            ax.stairs(base - top, edges, baseline=base, fill=True, color=colors[layer], alpha=0.75, linewidth=0)
            ax.plot([column.max()] * 2, [base - 0.5, base], color=colors[layer], linewidth=1.0)
        ax.set_yticks(range(len(columns)), list(columns))
        ax.set_ylim(len(columns) - 0.5, -0.6)
        n = format_span([column.size for column in columns.values()], "pair")
        ax.set_xlabel(f"{name}\nn = {n}; line: maximum")
    if own:
        fit_labels(ax)
    return ax
