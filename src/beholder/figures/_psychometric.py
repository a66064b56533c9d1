"""Psychometric functions: proportions correct at levels, and the curves fitted to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, final

import numpy as np

from beholder._core.errors import InputError, suggest_keywords
from beholder._core.wording import format_count
from beholder.figures._labels import fit_labels
from beholder.figures._marks import draw_chance, format_proportion
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


@final
@dataclass(frozen=True, eq=False)
class PsychometricCurve:
    """One observer, or people together, in one panel.

    Attributes
    ----------
    levels, proportions, low, high : (n_levels,), float
        Proportions correct in [0, 1] and the ends of their intervals.
    x, y : (n_points,), float
        The fitted function; empty where there is none.
    threshold, threshold_proportion : float
        The point of it that is the threshold; NaN where there is none.
    is_people : bool
    single : sequence of (n_points,), float
        Functions of single people on the same x, thin.
    """

    levels: np.ndarray
    proportions: np.ndarray
    low: np.ndarray
    high: np.ndarray
    x: np.ndarray
    y: np.ndarray
    threshold: float = float("nan")
    threshold_proportion: float = float("nan")
    is_people: bool = True
    single: Sequence[np.ndarray] = field(default_factory=list[np.ndarray])


@suggest_keywords
def plot_psychometrics(
    panels: Mapping[str, Mapping[str, PsychometricCurve]], ax: Axes | None = None, *, level_name: str, note: str,
    chance: float | None = None, log: bool = False,
) -> Figure:  # fmt: skip
    """Draw a panel for each condition: people black, networks in their colours; one axis where levels are the same.

    Parameters
    ----------
    panels : mapping of str to mapping of str to PsychometricCurve
        Condition to name to curve.
    ax : matplotlib Axes, optional
        The first condition alone is drawn into it.
    level_name : str
        Of the horizontal axis.
    note : str
        What dots, lines and curves are, with n.
    chance : float in [0, 1], optional
        Marked by a dashed line.
    log : bool
        Whether levels stand on a logarithmic axis.
    """
    if not panels or not all(panels.values()):
        raise InputError("at least one curve in each condition", got="none")
    curves = [(name, curve) for panel in panels.values() for name, curve in panel.items()]
    networks = sorted({name for name, curve in curves if not curve.is_people})
    named = len(networks) <= MOST_NAMED
    colors = color_networks(networks)
    with use_style():
        if ax is not None:
            _draw(ax, next(iter(panels.values())), colors, chance, log)
            ax.set_xlabel(f"{level_name}\n{note}")
            ax.set_ylabel("Right answers (%)")
            fig: Any = ax.get_figure(root=True)
            return fig
        n_columns = min(2, len(panels))
        n_rows = -(-len(panels) // n_columns)
        several = len({name for name, _ in curves}) > 1
        fig = make_figure(TWO_COLUMNS_MM if n_columns > 1 else ONE_COLUMN_MM, 14 + 46 * n_rows + 5 * several)
        ends = {
            tuple(np.ptp(np.concatenate([curve.levels for curve in panel.values()]), keepdims=True).tolist())
            for panel in panels.values()
        }
        alike = len(ends) == 1
        axes = fig.subplots(n_rows, n_columns, squeeze=False, sharey=True, sharex=alike)
        for place, (own, (title, panel)) in enumerate(zip(axes.flat, panels.items(), strict=False)):
            _draw(own, panel, colors, chance, log)
            own.set_title(title)
            if place % n_columns == 0:
                own.set_ylabel("Right answers (%)")
            own.tick_params(labelbottom=not alike or place + n_columns >= len(panels))
        for own in list(axes.flat)[len(panels) :]:
            own.set_visible(False)
        fig.supxlabel(f"{level_name}\n{note}", fontsize=7)
        if several:
            labels: dict[str, Any] = {}
            for own in axes.flat:
                labels |= {name: handle for handle, name in zip(*own.get_legend_handles_labels(), strict=True)}
            if not named:
                own_names = [name for name in labels if name in networks]
                labels = {f"{format_count(len(networks), 'network')}": labels[own_names[0]]} | {
                    name: handle for name, handle in labels.items() if name not in networks
                }
            fig.legend(labels.values(), labels, loc="outside upper left", ncols=3)
    fit_labels(fig)
    return fig


def _draw(
    ax: Axes, panel: Mapping[str, PsychometricCurve], colors: Mapping[str, str], chance: float | None, log: bool
) -> None:
    if log:
        ax.set_xscale("log")
    if chance:
        draw_chance(ax, 100 * chance, text=f"chance\n{format_proportion(chance)}")
    for name, curve in panel.items():
        color = PEOPLE_COLOR if curve.is_people else colors[name]
        for y in curve.single:
            ax.plot(curve.x, 100 * np.asarray(y), color=NATURAL_COLOR, linewidth=0.5, alpha=0.7, zorder=2)
        if len(curve.x):
            ax.plot(curve.x, 100 * curve.y, color=color, linewidth=1.2, zorder=3)
        if np.isfinite(curve.threshold):
            ax.plot(
                [curve.threshold] * 2, [0, 100 * curve.threshold_proportion], color=color, linewidth=0.7,
                linestyle=(0, (1, 1.5)), zorder=2,
            )  # fmt: skip
        ax.vlines(curve.levels, 100 * curve.low, 100 * curve.high, color=color, linewidth=0.9, zorder=3)
        ax.plot(
            curve.levels, 100 * curve.proportions, "o", color=color, markersize=3.5, zorder=4, label=name, clip_on=False
        )
    ax.set_ylim(0, 102)
    ax.set_yticks([0, 25, 50, 75, 100])
