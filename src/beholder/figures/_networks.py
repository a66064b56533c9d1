"""Pictures of networks against one another: who recognises whose stimuli, at which layer; one measure on another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from beholder._core.errors import InputError, suggest_keywords
from beholder._core.renamed import accept_old_keywords
from beholder._core.wording import format_count
from beholder.figures._labels import fit_labels
from beholder.figures._marks import add_legend, draw_chance, format_proportion
from beholder.figures._names import place_names
from beholder.figures._rdm import finish_matrix
from beholder.figures._style import (
    INK,
    MOST_NAMED,
    ONE_COLUMN_MM,
    TWO_COLUMNS_MM,
    color_networks,
    colors_of_models,
    make_figure,
    use_style,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MATRIX_COLORMAP = "cividis"
_MM_PER_LETTER = 1.2
_MM_PER_CELL = 16.0
_LONG_NAME = 28
_FEW = 5
_LEAST_LAYERS = 3
Line = Mapping[str, tuple[float, float, float]]


@accept_old_keywords(shares="proportions")
@suggest_keywords
def plot_proportion_matrix(
    proportions: Any,
    rows: Sequence[str],
    columns: Sequence[str],
    ax: Axes | None = None,
    *,
    row_name: str,
    column_name: str,
    value_name: str,
) -> Axes:
    """Draw a matrix of proportions, each cell with its value in per cent.

    Parameters
    ----------
    proportions : (n_rows, n_columns), float in [0, 1]
        NaN where there is none.
    rows, columns : sequence of str
    ax : matplotlib Axes, optional
        A figure of its own is made without it.
    row_name, column_name, value_name : str
        What the rows, the columns and the colours are.
    """
    values = np.asarray(proportions, dtype=np.float64)
    if values.shape != (len(rows), len(columns)) or not values.size:
        raise InputError(f"proportions of shape ({len(rows)}, {len(columns)})", got=str(values.shape))
    if np.nanmin(values, initial=0) < 0 or np.nanmax(values, initial=1) > 1:
        raise InputError("proportions in [0, 1]", got=f"{np.nanmin(values):g} to {np.nanmax(values):g}")
    own = ax is None
    with use_style():
        if ax is None:
            words = [_MM_PER_LETTER * max(map(len, names)) for names in (rows, columns)]
            width = min(TWO_COLUMNS_MM, max(ONE_COLUMN_MM, 32 + words[0] + _MM_PER_CELL * len(columns)))
            turned = words[1] > (width - 32 - words[0]) / len(columns)
            ax = make_figure(width, 22 + max(24, 9 * len(rows)) + turned * words[1]).subplots()
        image = ax.imshow(100 * values, cmap=_MATRIX_COLORMAP, vmin=0, vmax=100, aspect="auto")
        for (row, column), value in np.ndenumerate(values):
            words = "–" if np.isnan(value) else f"{100 * value:.0f}"
            ink = INK if np.isnan(value) or value > 0.55 else "#ffffff"
            ax.text(column, row, words, ha="center", va="center", color=ink, fontsize=7)
        fig = finish_matrix(ax, image, rows, columns, row_name, column_name, value_name)
    if own:
        fit_labels(fig)
    return ax


@suggest_keywords
def plot_proportions_by_layer(
    panels: Mapping[str, Mapping[str, Line]], *, chance: float | None = None, interval: str = "95 % interval"
) -> Figure:
    """Draw proportions of right verdicts at each layer, early above late: a panel a network, a line a judge.

    Parameters
    ----------
    panels : mapping of str to mapping of str to mapping of str to (proportion, low, high)
        Network, judge, layer. Judges have the same colour in all panels; beyond six they are grey and unnamed.
    chance : float in [0, 1], optional
        Marked by a dashed line.
    interval : str
        What the lines through the dots are.
    """
    lines = [line for judges in panels.values() for line in judges.values()]
    if not lines or not all(lines):
        raise InputError("at least one network, judge and layer", got="an empty mapping")
    judges = list(dict.fromkeys(judge for own in panels.values() for judge in own))
    named = len(judges) <= MOST_NAMED
    colors = color_networks(judges)
    n_columns = min(2, len(panels))
    n_rows = -(-len(panels) // n_columns)
    layers = {
        name: list(dict.fromkeys(layer for line in own.values() for layer in line)) for name, own in panels.items()
    }
    tallest = max(len(names) for names in layers.values())
    with use_style():
        width = ONE_COLUMN_MM if n_columns == 1 else TWO_COLUMNS_MM
        per_layer = 5.5 + 1.2 * min(len(judges), MOST_NAMED)
        fig = make_figure(width, 14 + n_rows * (16 + per_layer * max(tallest, _LEAST_LAYERS)))
        axes = fig.subplots(n_rows, n_columns, squeeze=False)
        handles: dict[str, Any] = {}
        for ax, (name, own) in zip(axes.flat, panels.items(), strict=False):
            for index, (judge, line) in enumerate(own.items()):
                shift = 0.5 * ((index + 0.5) / len(own) - 0.5)
                handles[judge] = _draw_line(ax, line, layers[name], shift, colors[judge])
            ax.set_yticks(range(len(layers[name])), layers[name])
            ax.set_ylim(len(layers[name]) - 0.4, -0.6)
            ax.set_xlim(-2, 102)
            ax.set_xticks([0, 25, 50, 75, 100])
            ax.set_title(f"Metamers of {name}" if len(name) < _LONG_NAME else name, pad=12 if chance is not None else 4)
            if chance is not None:
                draw_chance(ax, 100 * chance, axis="x", text=f"chance {format_proportion(chance)}")
        for ax in axes.flat[len(panels) :]:
            ax.set_visible(False)
        fig.supxlabel(f"Recognised (%)\nline: {interval}", fontsize=8)
        if named:
            fig.legend(
                list(handles.values()), list(handles), loc="outside upper left", ncols=2 if n_columns == 1 else 4,
                title="Judged by", title_fontsize=7, alignment="left",
            )  # fmt: skip
    fit_labels(fig)
    return fig


def _draw_line(ax: Axes, line: Line, layers: Sequence[str], shift: float, color: str) -> Any:
    places = np.array([layers.index(layer) for layer in line]) + shift
    proportions, lows, highs = (100 * np.array([values[i] for values in line.values()]) for i in range(3))
    ax.hlines(places, lows, highs, color=color, linewidth=1.0)
    # A line joins layers only: the original is no layer.
    inner = [i for i, layer in enumerate(line) if layer != "original"]
    ax.plot(proportions[inner], places[inner], color=color, linewidth=0.6, alpha=0.55)
    (dots,) = ax.plot(proportions, places, "o", color=color, markersize=4, clip_on=False, zorder=3)
    return dots


@suggest_keywords
def plot_network_scatter(
    x: Any,
    y: Any,
    names: Sequence[str],
    ax: Axes | None = None,
    *,
    x_name: str,
    y_name: str,
    words: str = "",
    groups: Sequence[str] | None = None,
) -> Axes:
    """Draw one measure of networks (or of their stages) on another, with the correlation in words.

    Parameters
    ----------
    x, y : (n,), float
        In the unit of the axes' names.
    names : sequence of str, (n,)
        Written beside the dots where there are at most 12.
    ax : matplotlib Axes, optional
    x_name, y_name : str
    words : str
        Written above: r, its interval, n.
    groups : sequence of str, (n,), optional
        The network of each dot, which gives its colour.
    """
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if x.ndim != 1 or not x.shape == y.shape == (len(names),) or not len(names):
        raise InputError(
            f"two values for each of {format_count(len(names), 'name')}", got=f"shapes {x.shape} and {y.shape}"
        )
    owners = list(names if groups is None else groups)
    few = len(set(owners)) <= MOST_NAMED
    colors = colors_of_models(owners) if few else dict.fromkeys(owners, INK)
    own = ax is None
    with use_style():
        if ax is None:
            n_lines = len(set(owners)) if groups is not None and few else 0
            ax = make_figure(ONE_COLUMN_MM, 78 + 4 * n_lines).subplots()
        for owner in dict.fromkeys(owners):
            chosen = [i for i, each in enumerate(owners) if each == owner]
            ax.plot(x[chosen], y[chosen], "o", color=colors[owner], label=owner, clip_on=False)
        ax.set_xlabel(x_name)
        ax.set_ylabel(y_name)
        ax.set_title(words)
        if len(names) < _FEW:
            _widen(ax, x, y)
        if groups is not None and few and len(set(owners)) > 1:
            add_legend(ax, "outside lower center" if own else "best", n_columns=1)
        elif groups is None and len(names) <= 12:
            place_names(ax, np.stack([x, y], axis=1), names)
    if own:
        fit_labels(ax)
    return ax


def _widen(ax: Axes, x: np.ndarray, y: np.ndarray) -> None:
    """Few dots lie in a range that means something: all of per cent, else as much again around them."""
    for values, name, set_limits in ((x, ax.get_xlabel(), ax.set_xlim), (y, ax.get_ylabel(), ax.set_ylim)):
        low, high = float(values.min()), float(values.max())
        if "(%)" in name and low >= 0 and high <= 100:
            set_limits(-2, 102)
        else:
            room = (high - low) / 2 or abs(high) / 2 or 1.0
            set_limits(low - room, high + room)
