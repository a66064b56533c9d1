"""Comparisons over time: a line a layer, with stretches that differ from chance below."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import numpy as np

from beholder._core.errors import InputError, suggest_keywords
from beholder.figures._labels import fit_labels
from beholder.figures._marks import draw_chance
from beholder.figures._style import TWO_COLUMNS_MM, colors_of_layers, make_figure, use_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST_BANDS = 4
_STEP = 0.035
"""Of the rows of stretches below the lines, as a part of the axis."""


@final
@dataclass(frozen=True, eq=False)
class TimeCourse:
    """One layer's values over time.

    Attributes
    ----------
    times : (n_times,), float, seconds
    values, low, high : (n_times,), float
        Means with the ends of their intervals; NaN where there is none.
    clusters : sequence of (float, float)
        First and last time of the stretches that are marked.
    """

    times: Any
    values: Any
    low: Any
    high: Any
    clusters: Sequence[tuple[float, float]] = ()


@suggest_keywords
def plot_time_course(courses: Mapping[str, TimeCourse], ax: Axes | None = None, *, name: str, title: str = "") -> Axes:
    """Draw one panel: a line a layer, its interval as a band where there are few, marked stretches below.

    Parameters
    ----------
    courses : mapping of str to TimeCourse
        Layer to its course.
    ax : matplotlib Axes, optional
        A figure of its own is made without it.
    name : str
        Of the values, for the axis.
    title : str
    """
    if not courses:
        raise InputError("at least one layer", got="none")
    own = ax is None
    with use_style():
        if ax is None:
            ax = make_figure(TWO_COLUMNS_MM, 80).subplots()
        _draw(ax, courses)
        ax.set_ylabel(name)
        ax.set_title(title)
        if own:
            _name_layers(ax)
    if own:
        fit_labels(ax)
    return ax


@suggest_keywords
def plot_time_courses(panels: Mapping[str, Mapping[str, TimeCourse]], *, name: str, note: str = "") -> Figure:
    """Draw a panel for each target below each other, on one scale.

    Parameters
    ----------
    panels : mapping of str to mapping of str to TimeCourse
        Target to its layers' courses.
    name : str
        Of the values, for the axes.
    note : str
        What lines and bars are, under the figure.
    """
    if not panels:
        raise InputError("at least one target", got="none")
    with use_style():
        fig = make_figure(TWO_COLUMNS_MM, 58 * len(panels) + 16)
        axes = fig.subplots(len(panels), 1, squeeze=False, sharex=True, sharey=True)[:, 0]
        for ax, (title, courses) in zip(axes, panels.items(), strict=True):
            _draw(ax, courses)
            ax.set_title(title)
            ax.set_ylabel(name)
            ax.label_outer()
            ax.set_ylabel(name)
        _name_layers(axes[0])
        if note:
            fig.supxlabel(note, fontsize=7)
    fit_labels(fig)
    return fig


def _draw(ax: Axes, courses: Mapping[str, TimeCourse]) -> None:
    colors = colors_of_layers(list(courses))
    draw_chance(ax, 0, text="chance 0")
    ends: list[np.ndarray] = [np.zeros(1)]
    for layer, course in courses.items():
        times = 1000 * np.asarray(course.times, dtype=np.float64)
        values, low, high = (np.asarray(each, dtype=np.float64) for each in (course.values, course.low, course.high))
        if len(courses) <= _MOST_BANDS and np.isfinite(low).any():
            ax.fill_between(times, low, high, color=colors[layer], alpha=0.15, linewidth=0, zorder=2)
            ends += [low, high]
        ax.plot(times, values, color=colors[layer], linewidth=1.2, zorder=3, label=layer)
        ends.append(values)
    known = np.concatenate([each[np.isfinite(each)] for each in ends])
    bottom, top = float(known.min()), float(known.max())
    span = top - bottom or 1.0
    marked = [layer for layer, course in courses.items() if len(course.clusters)]
    for place, layer in enumerate(marked):
        height = bottom - _STEP * span * (place + 1.5)
        for start, stop in courses[layer].clusters:
            ends_ms = _widen(1000 * start, 1000 * stop, 1000 * np.asarray(courses[layer].times, dtype=np.float64))
            ax.plot(ends_ms, [height, height], color=colors[layer], linewidth=2.5, solid_capstyle="butt", zorder=3)
    ax.set_ylim(bottom - _STEP * span * (len(marked) + 2.5), top + 0.06 * span)
    ax.set_xlabel("Time (ms)")


def _widen(start: float, stop: float, times: np.ndarray) -> list[float]:
    """A stretch of one moment is as wide as the step between moments."""
    half = float(np.diff(times).min()) / 2 if len(times) > 1 else 0.5
    return [start - half, stop + half]


def _name_layers(ax: Axes) -> None:
    fig = ax.get_figure(root=True)
    assert fig is not None
    handles, names = ax.get_legend_handles_labels()
    fig.legend(handles, names, loc="outside right upper", fontsize=7)
