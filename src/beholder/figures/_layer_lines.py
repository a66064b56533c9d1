"""Values over the depth of a network, a line a region or classifier; distributions of units at each layer."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from beholder._core.errors import InputError, suggest_keywords
from beholder._core.wording import format_count, format_share, format_span
from beholder.figures._labels import MOST_LETTERS, fit_labels
from beholder.figures._marks import draw_chance
from beholder.figures._style import (
    INK,
    MOST_NAMED,
    ONE_COLUMN_MM,
    PEOPLE_COLOR,
    TWO_COLUMNS_MM,
    color_networks,
    colors_of_layers,
    make_figure,
    use_style,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LayerLine = Mapping[str, tuple[float, float, float]]
"""Layer to (value, low, high); low and high may be NaN."""

_MM_PER_LAYER = 7.0
_MOST_ROWS = 16
_ROW_MM = 11.0
_N_BINS = 40


@suggest_keywords
def plot_layer_lines(
    lines: Mapping[str, LayerLine],
    ax: Axes | None = None,
    *,
    value_name: str,
    interval: str,
    chance: float | None = None,
    place_name: str = "Layer",
    people: Collection[str] = (),
) -> Axes:
    """Draw a value at each layer, or another ordered place, from left to right in network order, a line a name.

    Parameters
    ----------
    lines : mapping of str to mapping of str to (value, low, high)
        Beyond six lines they are grey and unnamed.
    ax : matplotlib Axes, optional
        A figure of its own is made without it.
    value_name : str
        The quantity with its unit.
    interval : str
        What the vertical lines are, with n.
    chance : float, optional
        Marked by a dashed line.
    place_name : str
        What the places are.
    people : collection of str
        Lines of people, which are black.
    """
    if not lines or not all(lines.values()):
        raise InputError("at least one line with one layer", got="none")
    layers = list(dict.fromkeys(layer for line in lines.values() for layer in line))
    others = [name for name in lines if name not in people]
    is_named = len(others) <= MOST_NAMED
    colors = color_networks(others)
    colors |= dict.fromkeys(people, PEOPLE_COLOR)
    own = ax is None
    with use_style():
        if ax is None:
            longest = max(map(len, layers))
            width = min(TWO_COLUMNS_MM, max(ONE_COLUMN_MM, 40 + _MM_PER_LAYER * len(layers)))
            n_legend = -(-len(lines) // _count_columns(lines, width)) if is_named else 0
            ax = make_figure(width, 58 + 1.25 * min(MOST_LETTERS, longest) + 4 * n_legend).subplots()
        for index, (name, line) in enumerate(lines.items()):
            shift = 0.3 * ((index + 0.5) / len(lines) - 0.5)
            places = np.array([layers.index(layer) for layer in line]) + shift
            values, lows, highs = np.array(list(line.values()), dtype=np.float64).T
            ax.plot(places, values, "o-", color=colors[name], linewidth=0.7, markersize=3.5, label=name or "all units")
            ax.vlines(places, lows, highs, color=colors[name], linewidth=1.0)
        ax.set_xticks(range(len(layers)), layers)
        ax.set_xlim(-0.5, len(layers) - 0.5)
        ax.set_ylabel(value_name)
        ax.set_xlabel(f"{place_name}\n{interval}")
        if chance is not None:
            draw_chance(ax, chance)
        if is_named and any(lines):
            fig: Any = ax.get_figure(root=True)
            n_columns = _count_columns(lines, 25.4 * fig.get_figwidth())
            ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=n_columns, borderaxespad=0.2)
    if own:
        fit_labels(ax)
    return ax


def _count_columns(names: Iterable[str], width_mm: float) -> int:
    """How many names stand beside each other in a legend."""
    return max(1, min(4, int((width_mm - 32) // (10 + 1.4 * max(map(len, names))))))


def _thin_out(columns: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Evenly spaced layers, where a page has no room for a row of each."""
    names = list(columns)
    if len(names) <= _MOST_ROWS:
        return columns
    places = np.linspace(0, len(names) - 1, _MOST_ROWS).round().astype(int)
    return {names[place]: columns[names[place]] for place in places}


@suggest_keywords
def plot_unit_histograms(
    values: Mapping[str, Any],
    ax: Axes | None = None,
    *,
    value_name: str,
    limit: float | None = None,
    all_layers: Sequence[str] | None = None,
) -> Axes:
    """Draw how a quantity of units is distributed at each layer, early above late, with the proportion above a limit.

    Parameters
    ----------
    values : mapping of str to array, (n_units,)
        Layer, in network order, to the quantity; NaN is left out. Of more than 16 layers as many are drawn, evenly
        spaced, the first and the last among them, and the axis says so.
    ax : matplotlib Axes, optional
        A figure of one-column width is made without it.
    value_name : str
        The quantity with its unit.
    limit : float, optional
        Marked; the proportion of units above it stands beside each histogram. Bars end at twice the limit, which holds
        what lies beyond.
    all_layers : sequence of str, optional
        The network's layers, so that colours agree with other pictures; those of ``values`` unless given.
    """
    columns = {layer: np.asarray(column, dtype=np.float64).ravel() for layer, column in values.items()}
    columns = {layer: column[np.isfinite(column)] for layer, column in columns.items()}
    if not columns or not all(column.size for column in columns.values()):
        raise InputError("units with a value at each layer", got=f"layers {list(values)}")
    colors = colors_of_layers(list(all_layers or columns))
    n_layers, columns = len(columns), _thin_out(columns)
    low = min(0.0, *(float(column.min()) for column in columns.values()))
    high = max(float(column.max()) for column in columns.values())
    high = min(high, 2 * limit) if limit is not None else high
    edges = np.linspace(low, high if high > low else low + 1, _N_BINS + 1)
    own = ax is None
    with use_style():
        if ax is None:
            ax = make_figure(ONE_COLUMN_MM, 18 + _ROW_MM * len(columns)).subplots()
        for place, (layer, column) in enumerate(columns.items()):
            counts, _ = np.histogram(np.clip(column, edges[0], edges[-1]), edges)
            base = place + 0.4
            ax.stairs(
                base - counts / counts.max() * 0.75, edges, baseline=base, fill=True, color=colors[layer], alpha=0.75
            )
            ax.plot([np.median(np.clip(column, low, high))] * 2, [base - 0.8, base], color=INK, linewidth=1.0)
            if limit is not None:
                proportion = f"{format_share((column > limit).mean())} above {limit:g}"
                ax.annotate(
                    proportion, (1, place), (3, 0), xycoords=("axes fraction", "data"), textcoords="offset points",
                    ha="left", va="center", fontsize=7, color=INK,
                )  # fmt: skip
        if limit is not None and edges[0] < limit < edges[-1]:
            draw_chance(ax, limit, axis="x", text=f"{limit:g}")
        ax.set_yticks(range(len(columns)), list(columns))
        ax.set_ylim(len(columns) - 0.4, -0.6)
        n = format_span([column.size for column in columns.values()], "unit")
        beyond = "\nthe last bar holds what lies beyond" if limit is not None and high == 2 * limit else ""
        shown = f"\n{len(columns)} of {format_count(n_layers, 'layer')}" if len(columns) < n_layers else ""
        ax.set_xlabel(f"{value_name}\nn = {n}; line: median{beyond}{shown}")
    if own:
        fit_labels(ax)
    return ax
