"""Curves over the layers of networks, against the noise ceiling and chance: a panel for each target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, final

import numpy as np

from beholder._core.errors import InputError, suggest_keywords
from beholder.figures._labels import MOST_LETTERS, cut_words, fit_labels
from beholder.figures._marks import draw_chance
from beholder.figures._style import (
    CHANCE_COLOR,
    INK,
    NATURAL_COLOR,
    ONE_COLUMN_MM,
    PEOPLE_COLOR,
    TWO_COLUMNS_MM,
    color_networks,
    make_figure,
    use_style,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MM_PER_LAYER = 3.2
_MM_PER_LETTER = 1.25
_MOST_IN_TITLE = 48


@final
@dataclass(frozen=True, eq=False)
class LayerCurve:
    """One network's values over its layers.

    Attributes
    ----------
    layers : sequence of str
        Early to late.
    values, low, high : (n_layers,), float
        Means with the ends of their intervals; NaN where there is none.
    people : (n_people, n_layers), float
        Each person's values, drawn as small dots; may be empty.
    """

    layers: Sequence[str]
    values: Any
    low: Any
    high: Any
    people: Any = field(default_factory=lambda: np.empty((0, 0)))


@final
@dataclass(frozen=True)
class CurvePanel:
    """What is compared with one target.

    Attributes
    ----------
    curves : mapping of str to LayerCurve
        Network (or condition) to its curve.
    ceiling : (float, float) or None
        Ends of the noise ceiling.
    ceiling_text : str
    chance : float or None
    chance_text : str
    """

    curves: Mapping[str, LayerCurve]
    ceiling: tuple[float, float] | None = None
    ceiling_text: str = "noise ceiling"
    chance: float | None = 0.0
    chance_text: str = "chance 0"


@suggest_keywords
def plot_layer_curve(panel: CurvePanel, ax: Axes | None = None, *, name: str, title: str = "") -> Axes:
    """Draw one panel: means and intervals over layers, people's dots, the ceiling as a band, chance as a dashed line.

    Parameters
    ----------
    panel : CurvePanel
    ax : matplotlib Axes, optional
        A figure of its own is made without it.
    name : str
        Of the values, for the axis.
    title : str
    """
    if not panel.curves or not all(len(curve.layers) for curve in panel.curves.values()):
        raise InputError("at least one network with a layer", got="none")
    own = ax is None
    with use_style():
        if ax is None:
            ax = make_figure(_find_width([panel], 1), 70 + _find_names_mm([panel])).subplots()
        _draw_panel(ax, panel)
        ax.set_ylabel(name)
        ax.set_title(title)
    if own:
        fit_labels(ax)
    return ax


@suggest_keywords
def plot_layer_curves(panels: Mapping[str, CurvePanel], *, name: str, note: str = "") -> Figure:
    """Draw a panel for each target on one scale, two in a row.

    Parameters
    ----------
    panels : mapping of str to CurvePanel
        Target, such as a region, to what is compared with it.
    name : str
        Of the values, for the axes.
    note : str
        What lines and dots are, under the figure.
    """
    if not panels:
        raise InputError("at least one target", got="none")
    shown = list(panels.values())
    n_columns = min(2, len(panels))
    n_rows = -(-len(panels) // n_columns)
    curves = [curve for panel in shown for curve in panel.curves.values()]
    ends = [np.asarray(each, dtype=np.float64) for curve in curves for each in (curve.values, curve.low, curve.high)]
    ends += [np.asarray(curve.people, dtype=np.float64).ravel() for curve in curves]
    ends += [np.array([*(panel.ceiling or ()), 0.0 if panel.chance is None else panel.chance]) for panel in shown]
    known = np.concatenate([each[np.isfinite(each)] for each in ends])
    low, high = float(known.min()), float(known.max())
    margin = 0.06 * (high - low or 1)
    with use_style():
        several = len(shown[0].curves) > 1
        height = n_rows * (52 + _find_names_mm(shown)) + 8 + 5 * several
        fig = make_figure(_find_width(shown, n_columns), height)
        axes = fig.subplots(n_rows, n_columns, squeeze=False)
        titles = cut_words(list(panels), _MOST_IN_TITLE)
        for place, (ax, title, panel) in enumerate(zip(axes.flat, titles, shown, strict=False)):
            _draw_panel(ax, panel)
            ax.set_ylim(low - margin, high + margin)
            ax.set_title(title)
            if place % n_columns == 0:
                ax.set_ylabel(name)
        for ax in list(axes.flat)[len(panels) :]:
            ax.set_visible(False)
        if note:
            fig.supxlabel(note, fontsize=7)
        if several:
            handles, names = axes.flat[0].get_legend_handles_labels()
            fig.legend(handles, names, loc="outside upper left", ncols=2)
    fit_labels(fig)
    return fig


def _draw_panel(ax: Axes, panel: CurvePanel) -> None:
    names = list(panel.curves)
    colors = color_networks(names)
    if panel.ceiling is not None:
        low, high = panel.ceiling
        ax.axhspan(low, high, color=NATURAL_COLOR, alpha=0.22, linewidth=0, zorder=0)
        ax.annotate(
            panel.ceiling_text, (0, high), (2, 1), xycoords=("axes fraction", "data"), textcoords="offset points",
            ha="left", va="bottom", color=CHANCE_COLOR, fontsize=7,
        )  # fmt: skip
    if panel.chance is not None:
        draw_chance(ax, panel.chance, text=panel.chance_text)
    longest = max(panel.curves.values(), key=lambda curve: len(curve.layers))
    one_axis = all(list(curve.layers) == list(longest.layers) for curve in panel.curves.values())
    for index, (name, curve) in enumerate(panel.curves.items()):
        n = len(curve.layers)
        places = np.arange(n, dtype=np.float64)
        if not one_axis:  # networks of unlike depth share an axis from the first layer to the last
            places = np.linspace(0, 1, n) if n > 1 else np.array([0.5])
        shift = (0.12 if one_axis else 0.008) * (index - (len(names) - 1) / 2)
        values, low, high = (np.asarray(each, dtype=np.float64) for each in (curve.values, curve.low, curve.high))
        ax.plot(places + shift, values, color=colors[name], linewidth=0.8, alpha=0.6, zorder=2)
        ax.vlines(places + shift, low, high, color=colors[name], linewidth=1.0, zorder=3)
        ax.plot(places + shift, values, "o", color=colors[name], markersize=4, zorder=4, label=name)
        people, aside = np.asarray(curve.people, dtype=np.float64), 0.15 if one_axis else 0.02
        if people.size and len(names) == 1:
            for row in people:
                ax.plot(
                    places - aside, row, "o", color=PEOPLE_COLOR, markersize=2, markeredgewidth=0, alpha=0.7, zorder=2
                )
    if one_axis:
        ax.set_xticks(range(len(longest.layers)), list(longest.layers))
        ax.set_xlim(-0.5, len(longest.layers) - 0.5)
    else:
        ax.set_xticks([0, 0.5, 1], ["first layer", "relative depth", "last"])
        ax.set_xlim(-0.04, 1.04)
    ax.spines["bottom"].set_color(INK)


def _find_width(panels: Sequence[CurvePanel], n_columns: int) -> float:
    n_layers = max(len(curve.layers) for panel in panels for curve in panel.curves.values())
    wanted = 22 + max(_MM_PER_LAYER * n_layers, 50)
    return TWO_COLUMNS_MM if n_columns > 1 or wanted > ONE_COLUMN_MM else ONE_COLUMN_MM


def _find_names_mm(panels: Sequence[CurvePanel]) -> float:
    """Height that names of layers take when they are turned."""
    longest = max(len(layer) for panel in panels for curve in panel.curves.values() for layer in curve.layers)
    return _MM_PER_LETTER * min(MOST_LETTERS, longest)
