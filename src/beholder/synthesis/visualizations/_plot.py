"""A picture of one unit's visualisations."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from beholder._core.errors import InputError
from beholder.figures import plot_stimulus_rows, use_style
from beholder.synthesis.visualizations._standing import SIGNS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from beholder.synthesis.visualizations._read import Visualizations


def plot_visualizations(visualizations: Visualizations, unit: int = 0, ax: Axes | None = None) -> Axes:
    """Min and max of one unit in rows, from weakest to strongest, with their activations.

    Parameters
    ----------
    visualizations : Visualizations
    unit : int
        Which of its units.
    ax : matplotlib Axes, optional
    """
    if not 0 <= unit < len(visualizations):
        raise InputError(f"a unit from 0 to {len(visualizations) - 1}", got=str(unit))
    images = visualizations.images
    rows = {sign: list(images[unit, i]) for i, sign in enumerate(SIGNS)}
    captions = {
        sign: [_format_activation(value) for value in visualizations.activations[unit, i]]
        for i, sign in enumerate(SIGNS)
    }
    axes = plot_stimulus_rows(rows, ax, captions=captions, value_range=images.value_range)
    with use_style():
        axes.set_title(str(visualizations.units[unit]))
    return axes


def _format_activation(value: np.floating) -> str:
    return f"{value:.3g}" if np.isfinite(value) else "–"
