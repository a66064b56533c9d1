"""Scores of models and of their sums: a dot with its interval for each, people's dots around it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, final

import numpy as np

from beholder._core.errors import InputError, suggest_keywords
from beholder.figures._labels import fit_labels
from beholder.figures._style import CHANCE_COLOR, INK, OKABE_ITO, ONE_COLUMN_MM, PEOPLE_COLOR, make_figure, use_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MM_PER_ROW = 6.5


@final
@dataclass(frozen=True, eq=False)
class ModelScore:
    """One row.

    Attributes
    ----------
    value, low, high : float
        Mean with the ends of its interval; NaN where there is none.
    people : (n_people,), float
        May be empty.
    is_sum : bool
        Of several models, drawn in another colour.
    """

    value: float
    low: float = float("nan")
    high: float = float("nan")
    people: Any = field(default_factory=lambda: np.empty(0))
    is_sum: bool = False


@suggest_keywords
def plot_model_scores(scores: Mapping[str, ModelScore], ax: Axes | None = None, *, name: str, title: str = "") -> Axes:
    """Draw a row for each score, the first on top, chance (0) as a dashed line.

    Parameters
    ----------
    scores : mapping of str to ModelScore
    ax : matplotlib Axes, optional
        A figure of its own is made without it.
    name : str
        Of the values, for the axis.
    title : str
    """
    if not scores:
        raise InputError("at least one score", got="none")
    own = ax is None
    with use_style():
        if ax is None:
            ax = make_figure(ONE_COLUMN_MM, 24 + _MM_PER_ROW * len(scores)).subplots()
        ax.axvline(0, color=CHANCE_COLOR, linestyle=(0, (4, 2)), linewidth=0.8, zorder=1)
        ax.annotate(
            "chance 0", (0, 0), (3, 3), xycoords=("data", "axes fraction"), textcoords="offset points",
            ha="left", va="bottom", color=CHANCE_COLOR, fontsize=7,
        )  # fmt: skip
        for place, score in enumerate(scores.values()):
            color = OKABE_ITO["vermillion"] if score.is_sum else INK
            people = np.asarray(score.people, dtype=np.float64)
            aside = np.full(len(people), place + 0.22)
            ax.plot(people, aside, "o", color=PEOPLE_COLOR, markersize=2, markeredgewidth=0, alpha=0.7, zorder=2)
            ax.hlines(place, score.low, score.high, color=color, linewidth=1.2, zorder=3)
            ax.plot([score.value], [place], "o", color=color, markersize=4.5, zorder=4)
        ax.set_yticks(range(len(scores)), list(scores))
        ax.set_ylim(len(scores) + 0.1, -0.6)
        ax.set_xlabel(name)
        ax.set_title(title)
    if own:
        fit_labels(ax)
    return ax
