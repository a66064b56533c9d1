"""Pictures of people and networks side by side: curves over conditions, proportions row by row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from beholder._core.errors import InputError, suggest_keywords
from beholder._core.wording import format_count
from beholder.figures._labels import fit_labels
from beholder.figures._layer_lines import LayerLine
from beholder.figures._marks import add_legend, draw_chance, format_proportion
from beholder.figures._style import (
    MOST_NAMED,
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

_MM_PER_STAGE = 7.0
_MM_PER_LETTER = 1.25


def color_observers(observers: Sequence[str], people: str) -> tuple[dict[str, str], bool]:
    """People black, networks in their colours; beyond six networks grey, and False: they are not named."""
    networks = [name for name in dict.fromkeys(observers) if name != people]
    return {people: PEOPLE_COLOR, **color_networks(networks)}, len(networks) <= MOST_NAMED


@suggest_keywords
def plot_recognition_curves(
    panels: Mapping[str, Mapping[str, LayerLine]],
    *,
    people: str = "people",
    single: Mapping[str, Mapping[str, Sequence[float]]] | None = None,
    chance: float | None = None,
    place_name: str = "",
    is_ordered: bool = True,
    interval: str = "95 % interval",
) -> Figure:
    """Draw proportions correct over conditions, levels or layers: a panel a set of stimuli, a line an observer.

    Parameters
    ----------
    panels : mapping of str to mapping of str to mapping of str to (proportion, low, high)
        Title, observer, stage from left to right. Beyond six networks they are grey, and counted in the legend.
    people : str
        The observer that is people: black, in front.
    single : mapping of str to mapping of str to sequence of float, optional
        Title and stage to the proportions of single people, small grey dots.
    chance : float in (0, 1), optional
        Marked by a dashed line.
    place_name : str
        What the stages are.
    is_ordered : bool
        Whether they follow one another, and are joined.
    interval : str
        What the lines through the dots are, with n.
    """
    lines = [line for observers in panels.values() for line in observers.values()]
    if not lines or not all(lines):
        raise InputError("at least one panel, observer and stage", got="an empty mapping")
    colors, few = color_observers([name for observers in panels.values() for name in observers], people)
    stages = {title: list(dict.fromkeys(s for line in own.values() for s in line)) for title, own in panels.items()}
    longest = max(len(stage) for own in stages.values() for stage in own)
    most = max(len(own) for own in stages.values())
    n_columns = 1 if len(panels) == 1 else 2
    n_rows = -(-len(panels) // n_columns)
    with use_style():
        wanted = 26 + _MM_PER_STAGE * most
        width = TWO_COLUMNS_MM if n_columns > 1 else min(TWO_COLUMNS_MM, max(ONE_COLUMN_MM, wanted))
        fig = make_figure(width, 10 + n_rows * (54 + min(34.0, _MM_PER_LETTER * longest)))
        axes = fig.subplots(n_rows, n_columns, squeeze=False)
        handles: dict[str, Any] = {}
        for ax, (title, own) in zip(axes.flat, panels.items(), strict=False):
            for stage, dots in (single or {}).get(title, {}).items():
                if stage in stages[title]:
                    ax.plot(
                        np.full(len(dots), stages[title].index(stage) - 0.24), 100 * np.asarray(dots, float), "o",
                        color=NATURAL_COLOR, markersize=2, alpha=0.6, markeredgewidth=0, zorder=2, clip_on=False,
                    )  # fmt: skip
            order = sorted(own, key=lambda name: name == people)
            for index, name in enumerate(order):
                shift = 0.24 * ((index + 0.5) / len(order) - 0.5)
                front = name == people
                handles[name] = _draw_curve(ax, own[name], stages[title], shift, colors[name], front, is_ordered)
            ax.set_xticks(range(len(stages[title])), stages[title])
            ax.set_xlim(-0.5, len(stages[title]) - 0.5)
            ax.set_ylim(-2, 102)
            ax.set_yticks([0, 25, 50, 75, 100])
            ax.set_title(title)
            if chance is not None:
                draw_chance(ax, 100 * chance, text=f"chance\n{format_proportion(chance)}")
        for ax in axes.flat[len(panels) :]:
            ax.set_visible(False)
        for ax in axes[:, 0]:
            ax.set_ylabel("Correct (%)")
        fig.supxlabel("\n".join(word for word in (place_name, interval) if word), fontsize=8)
        named = [name for name in handles if few or name == people]
        if len(handles) > 1 or people not in handles:
            named.sort(key=lambda name: (name != people, name))
            if not few:
                others = [name for name in handles if name != people]
                named, handles[format_count(len(others), "network")] = (
                    [*named, format_count(len(others), "network")],
                    handles[others[0]],
                )
            columns = 1 if sum(map(len, named)) > 34 * (1 + (width > ONE_COLUMN_MM)) else len(named)
            fig.legend([handles[name] for name in named], named, loc="outside upper left", ncols=columns)
    fit_labels(fig)
    return fig


def _draw_curve(
    ax: Axes, line: LayerLine, stages: Sequence[str], shift: float, color: str, front: bool, joined: bool
) -> Any:
    places = np.array([stages.index(stage) for stage in line]) + shift
    proportions, lows, highs = 100 * np.array(list(line.values()), dtype=np.float64).T
    order = 4 if front else 3
    ax.vlines(places, lows, highs, color=color, linewidth=1.2 if front else 1.0, zorder=order)
    if joined:
        ax.plot(places, proportions, color=color, linewidth=0.9 if front else 0.7, alpha=0.7, zorder=order)
    (dots,) = ax.plot(places, proportions, "o", color=color, markersize=4, zorder=order + 2, clip_on=False)
    return dots


@suggest_keywords
def plot_observer_proportions(
    proportions: Mapping[str, LayerLine],
    ax: Axes | None = None,
    *,
    people: str = "people",
    single: Mapping[str, Sequence[float]] | None = None,
    value_name: str,
    interval: str,
    reference: float | None = None,
    reference_name: str | None = None,
    ends: tuple[str, str] = ("", ""),
) -> Axes:
    """Draw a proportion of every observer in every row, such as shape bias by category, dots beside one another.

    Parameters
    ----------
    proportions : mapping of str to mapping of str to (proportion, low, high)
        Observer, row from top to bottom.
    ax : matplotlib Axes, optional
        A figure of one-column width is made without it.
    people : str
        The observer that is people.
    single : mapping of str to sequence of float, optional
        Row to the proportions of single people, small grey dots.
    value_name, interval : str
        The quantity; what the lines are, with n.
    reference : float in [0, 1], optional
        Marked by a dashed line.
    reference_name : str, optional
        What stands on it.
    ends : (str, str)
        What 0 and 1 mean.
    """
    if not proportions or not all(proportions.values()):
        raise InputError("at least one observer with one row", got="none")
    rows = list(dict.fromkeys(row for line in proportions.values() for row in line))
    colors, few = color_observers(list(proportions), people)
    own = ax is None
    order = sorted(proportions, key=lambda name: (name != people, name))
    with use_style():
        if ax is None:
            legend = 4 * len(order) if few and any(len(line) > 1 for line in proportions.values()) else 2
            ax = make_figure(ONE_COLUMN_MM, 24 + legend + (3.4 + 1.3 * min(len(order), 7)) * len(rows)).subplots()
        apart = any(len(line) > 1 for line in proportions.values())
        for row, dots in (single or {}).items():
            if row in rows:
                ax.plot(
                    100 * np.asarray(dots, float), np.full(len(dots), rows.index(row) + 0.25), "o",
                    color=NATURAL_COLOR, markersize=2, alpha=0.6, markeredgewidth=0, zorder=2, clip_on=False,
                )  # fmt: skip
        for index, name in enumerate(order):
            shift = 0.6 * ((index + 0.5) / len(order) - 0.5) if apart else 0.0
            places = np.array([rows.index(row) for row in proportions[name]]) + shift
            values, lows, highs = 100 * np.array(list(proportions[name].values()), dtype=np.float64).T
            ax.hlines(places, lows, highs, color=colors[name], linewidth=1.0)
            ax.plot(values, places, "o", color=colors[name], markersize=3.5, label=name, zorder=3, clip_on=False)
        ax.set_yticks(range(len(rows)), rows)
        ax.set_ylim(len(rows) - 0.4, -0.6)
        ax.set_xlim(-2, 102)
        ax.set_xticks([0, 25, 50, 75, 100])
        words = f"{ends[0]} ← {value_name} → {ends[1]}" if all(ends) else value_name
        ax.set_xlabel(f"{words}\n{interval}")
        if reference is not None:
            draw_chance(ax, 100 * reference, axis="x", text=reference_name)
        if few and len(order) > 1 and apart:
            add_legend(ax, "outside upper left" if own else "best", n_columns=1)
    if own:
        fit_labels(ax)
    return ax
