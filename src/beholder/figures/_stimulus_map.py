"""A map of stimuli in two dimensions: small pictures where there are some, else dots by category."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from beholder._core.errors import InputError, suggest_keywords
from beholder.figures._labels import cut_words
from beholder.figures._names import place_names
from beholder.figures._style import INK, NATURAL_COLOR, TWO_COLUMNS_MM, make_figure, use_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST_NAMED = 30
_MOST_LETTERS = 24
_MOST_CATEGORIES = 8
_PICTURE_MM = (5.0, 11.0)


@suggest_keywords
def plot_stimulus_map(
    places: Any,
    ax: Axes | None = None,
    *,
    pictures: Any = None,
    names: Sequence[str] | None = None,
    categories: Sequence[str] | None = None,
    title: str = "",
) -> Axes:
    """Draw stimuli at places in a plane, such as multidimensional scaling gives: near is alike.

    Parameters
    ----------
    places : (n_stimuli, 2), float
    ax : matplotlib Axes, optional
        A figure two columns wide is made without it.
    pictures : (n_stimuli, height, width, 3), uint8, optional
        Drawn at the places.
    names, categories : sequence of str, (n_stimuli,), optional
        Beside dots, where there are no pictures: names of up to 30 stimuli, as far as there is room
        (the picture counts them), or the name of each category at its middle.
    title : str
    """
    points = np.asarray(places, dtype=np.float64)
    if points.ndim != 2 or points.shape[1] != 2 or not len(points):
        raise InputError("places of shape (n_stimuli, 2)", got=f"shape {points.shape}")
    with use_style():
        if ax is None:
            ax = make_figure(TWO_COLUMNS_MM, 120).subplots()
        ax.set_aspect("equal", adjustable="datalim")
        ax.plot(points[:, 0], points[:, 1], "o", color=NATURAL_COLOR, markersize=3, zorder=1)
        has_categories = pictures is None and categories is not None and len(set(categories)) <= _MOST_CATEGORIES
        if pictures is not None:
            _draw_pictures(ax, points, np.asarray(pictures))
        elif has_categories and categories is not None:
            for category in dict.fromkeys(categories):
                inside = np.array([each == category for each in categories])
                middle = points[inside].mean(axis=0)
                ax.plot(points[inside, 0], points[inside, 1], "o", markersize=4, zorder=2)
                ax.text(middle[0], middle[1], category, fontsize=8, ha="center", va="center", color=INK, zorder=3)
        ax.margins(0.08)
        ax.set_axis_off()
        ax.set_title(title)
        if pictures is None and not has_categories and names is not None and len(names) <= _MOST_NAMED:
            place_names(ax, points, cut_words(names, _MOST_LETTERS))
    return ax


def _draw_pictures(ax: Axes, points: np.ndarray, pictures: np.ndarray) -> None:
    from matplotlib.offsetbox import AnnotationBbox, OffsetImage

    least, most = _PICTURE_MM
    side_mm = float(np.clip(75 / np.sqrt(len(points)), least, most))
    zoom = side_mm / 25.4 * 72 / pictures.shape[1]
    for picture, (x, y) in zip(pictures, points, strict=True):
        box = AnnotationBbox(OffsetImage(picture, zoom=zoom), (x, y), frameon=False, pad=0)
        ax.add_artist(box)
