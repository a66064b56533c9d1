"""Pictures of single answers compared: people's proportions on a network's, confusion matrices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from beholder._core.errors import InputError, suggest_keywords
from beholder.figures._labels import fit_labels
from beholder.figures._marks import add_legend, draw_chance, format_proportion
from beholder.figures._rdm import add_colorbar
from beholder.figures._style import (
    CHANCE_COLOR,
    ONE_COLUMN_MM,
    PEOPLE_COLOR,
    TWO_COLUMNS_MM,
    colors_of_layers,
    make_figure,
    use_style,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLORMAP = "cividis"
_MM_PER_CELL = 3.3
_MM_PER_LETTER = 1.25
_MOST_LETTERS = 18
"""Of a stage, so that two stand beside one another in a legend of one column's width."""


@suggest_keywords
def plot_matched_scatter(
    values: Any, stages: Sequence[str], ax: Axes | None = None, *, network: str, chance: float | None = None
) -> Axes:
    """Draw each person's proportion correct on a network's on the very same stimuli, a dot a person and stage.

    Parameters
    ----------
    values : (n_participants, n_stages, 2), float in [0, 1]
        People, then the network; NaN where there is none.
    stages : sequence of str, (n_stages,)
        Early dark, late light; one stage alone is black.
    ax : matplotlib Axes, optional
        A figure of one-column width is made without it.
    network : str
    chance : float in (0, 1), optional
        Marked on both axes.
    """
    proportions = 100 * np.asarray(values, dtype=np.float64)
    if (
        proportions.ndim != 3
        or proportions.shape[1:] != (len(stages), 2)
        or not np.isfinite(proportions).all(axis=2).any()
    ):
        raise InputError(f"values (n_participants, {len(stages)}, 2)", got=f"shape {proportions.shape}")
    colors = colors_of_layers(list(stages)) if len(stages) > 1 else {stages[0]: PEOPLE_COLOR}
    own = ax is None
    n_columns = 2 if max(map(len, stages)) <= _MOST_LETTERS else 1
    with use_style():
        if ax is None:
            n_rows = -(-len(stages) // n_columns) if len(stages) > 1 else 0
            ax = make_figure(ONE_COLUMN_MM, 74 + 4 * n_rows).subplots()
        ax.plot([0, 100], [0, 100], color=CHANCE_COLOR, linewidth=0.7, zorder=1)
        for place, stage in enumerate(stages):
            ax.plot(
                proportions[:, place, 1], proportions[:, place, 0], "o", color=colors[stage], markersize=3.5, alpha=0.8,
                markeredgewidth=0, label=stage, zorder=3, clip_on=False,
            )  # fmt: skip
        ax.set_xlim(0, 102)
        ax.set_ylim(0, 102)
        ax.set_xticks([0, 25, 50, 75, 100])
        ax.set_yticks([0, 25, 50, 75, 100])
        ax.set_aspect("equal")
        ax.set_title(network)
        ax.set_xlabel("Network on the same stimuli, correct (%)\na dot is a person and stage, the line equality")
        ax.set_ylabel("Person, correct (%)")
        if chance is not None:
            draw_chance(ax, 100 * chance, text=f"chance\n{format_proportion(chance)}")
            draw_chance(ax, 100 * chance, axis="x", text="")
        if len(stages) > 1:
            add_legend(ax, "outside lower center" if own else "best", n_columns=n_columns)
    if own:
        fit_labels(ax)
    return ax


@suggest_keywords
def plot_confusions(
    matrices: Mapping[str, Any], labels: Sequence[str], answers: Sequence[str], *, value_name: str = "Answers (%)"
) -> Figure:
    """Draw confusion matrices side by side on one scale: the proportion of each answer among those to each label.

    Parameters
    ----------
    matrices : mapping of str to (n_labels, n_answers), counts
        A label without answers is left white.
    labels, answers : sequence of str
        Of rows and columns.
    value_name : str
    """
    counts = {name: np.asarray(matrix, dtype=np.float64) for name, matrix in matrices.items()}
    bad = [name for name, matrix in counts.items() if matrix.shape != (len(labels), len(answers)) or matrix.sum() <= 0]
    if not counts or bad:
        raise InputError(f"counts of shape ({len(labels)}, {len(answers)}), some above 0", got=f"{bad or 'none'}")
    n_columns = min(2, len(counts))
    n_rows = -(-len(counts) // n_columns)
    longest = _MM_PER_LETTER * max(map(len, (*labels, *answers)))
    with use_style():
        width = ONE_COLUMN_MM if n_columns == 1 and len(answers) <= 18 else TWO_COLUMNS_MM
        fig = make_figure(width, 12 + n_rows * (16 + longest + max(24.0, _MM_PER_CELL * len(labels))))
        axes = fig.subplots(n_rows, n_columns, squeeze=False)
        image: Any = None
        for ax, (name, matrix) in zip(axes.flat, counts.items(), strict=False):
            totals = matrix.sum(axis=1, keepdims=True)
            proportions = np.divide(100 * matrix, totals, out=np.full_like(matrix, np.nan), where=totals > 0)
            image = ax.imshow(proportions, cmap=_COLORMAP, vmin=0, vmax=100, aspect="auto")
            ax.set_xticks(range(len(answers)), answers, rotation=90)
            ax.set_yticks(range(len(labels)), labels)
            ax.set_title(f"{name}, n = {int(matrix.sum()):,}")
            ax.set_xlabel("Answer")
            ax.set_ylabel("Shown")
            ax.tick_params(length=0)
            for spine in ax.spines.values():
                spine.set_visible(False)
        for ax in axes.flat[len(counts) :]:
            ax.set_visible(False)
        add_colorbar(fig, image, list(axes.flat[: len(counts)]), name=value_name)
    fit_labels(fig)
    return fig
