"""Tuning curves of units, a panel a layer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from beholder._core.errors import InputError, suggest_keywords
from beholder._core.wording import format_count
from beholder.figures._labels import fit_labels
from beholder.figures._style import NATURAL_COLOR, TWO_COLUMNS_MM, colors_of_layers, make_figure, use_style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_COLUMNS = 4


@suggest_keywords
def plot_tuning_curves(
    curves: Mapping[str, Any], values: Any, *, value_name: str, period: float | None = None, n_shown: int = 8
) -> Figure:
    """Draw the curves of each layer's units, each from its least to its largest response.

    Parameters
    ----------
    curves : mapping of str to (n_units, n_values), float
        Layer to curves, the most selective first.
    values : (n_values,), float
        Ascending.
    value_name : str
        The condition with its unit.
    period : float, optional
        Of a circular condition: curves close.
    n_shown : int
        Curves in a panel.
    """
    x = np.asarray(values, dtype=np.float64)
    layers = {name: np.asarray(own, dtype=np.float64)[:n_shown] for name, own in curves.items()}
    if not layers or not all(own.ndim == 2 and own.shape[1] == len(x) and len(own) for own in layers.values()):
        raise InputError(f"curves of {format_count(len(x), 'value')} at each layer", got=f"layers {list(curves)}")
    colors = colors_of_layers(list(layers))
    n_columns = min(_COLUMNS, len(layers))
    n_rows = -(-len(layers) // n_columns)
    at = x if period is None else np.append(x, x[0] + period)
    with use_style():
        fig = make_figure(max(70.0, TWO_COLUMNS_MM * n_columns / _COLUMNS), 14 + 36 * n_rows)
        axes = fig.subplots(n_rows, n_columns, squeeze=False, sharex=True, sharey=True)
        for place, (ax, (name, own)) in enumerate(zip(axes.flat, layers.items(), strict=False)):
            low, high = own.min(axis=1, keepdims=True), own.max(axis=1, keepdims=True)
            scaled = (own - low) / np.where(high > low, high - low, 1)
            shown = scaled if period is None else np.concatenate([scaled, scaled[:, :1]], axis=1)
            ax.plot(at, shown.T, color=NATURAL_COLOR, linewidth=0.5, alpha=0.7)
            ax.plot(at, shown[0], color=colors[name], linewidth=1.2)
            ax.set_title(name)
            ax.tick_params(labelbottom=place + n_columns >= len(layers))
        for ax in axes.flat[len(layers) :]:
            ax.set_visible(False)
        fig.supylabel("Response, least to largest", fontsize=8)
        fig.supxlabel(
            f"{value_name}\nup to {format_count(n_shown, 'unit')} a layer; coloured: the most selective", fontsize=8
        )
    fit_labels(fig)
    return fig
