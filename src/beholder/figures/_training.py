"""How a network learnt: loss and accuracy over epochs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from beholder._core.errors import InputError, suggest_keywords
from beholder.figures._marks import draw_chance, format_proportion
from beholder.figures._style import INK, NATURAL_COLOR, OKABE_ITO, TWO_COLUMNS_MM, make_figure, use_style
from beholder.statistics import wilson_interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_SERIES = (
    ("train", "train_loss", "train_accuracy", "", NATURAL_COLOR, "learnt from"),
    ("held", "loss", "accuracy", "n", OKABE_ITO["orange"], "held out"),
    ("hit", "attacked_loss", "attacked_accuracy", "n_attacked", OKABE_ITO["blue"], ""),
)


@suggest_keywords
def plot_training(history: Sequence[Mapping[str, Any]], *, n_classes: int | None = None, attack: str = "pgd") -> Figure:
    """Draw loss and accuracy of each epoch: learnt from, held out, and held out under attack or in noise.

    Parameters
    ----------
    history : sequence of mapping
        A row an epoch: ``train_loss, train_accuracy, loss, accuracy, n, attacked_loss, attacked_accuracy, n_attacked,
        is_best``; what is absent is not drawn.
    n_classes : int, optional
        Marks chance.
    attack : {"none", "pgd", "noise"}
        What the last curve is called by.
    """
    if not history:
        raise InputError("an epoch or more", got="none")
    epochs = np.array([int(row["epoch"]) + 1 for row in history])
    with use_style():
        fig = make_figure(TWO_COLUMNS_MM, 62)
        left, right = fig.subplots(1, 2)
        ends = {
            left: _draw(left, history, epochs, 1, attack, 1.0),
            right: _draw(right, history, epochs, 2, attack, 100.0),
        }
        left.set_ylabel("Loss (nats)")
        left.set_ylim(bottom=0)
        right.set_ylabel("Right (%)\nband: 95 % interval (Wilson)")
        right.set_ylim(0, 102)
        best = [int(row["epoch"]) + 1 for row in history if row.get("is_best")]
        for ax, own in ends.items():
            _label_ends(ax, own, float(epochs[-1]))
            ax.set_xlabel("Epoch")
            ax.set_xlim(0.5, epochs[-1] + max(0.5, 0.3 * len(epochs)))
            ax.set_xticks(_pick_ticks(epochs))
            if best:
                ax.axvline(best[-1], color=INK, linewidth=0.5, linestyle=":", zorder=0)
        if best:
            left.set_title(f"dotted: best epoch, {best[-1]}")
        if n_classes:
            draw_chance(right, 100 / n_classes, axis="y", text=f"chance {format_proportion(1 / n_classes)}")
    return fig


def _draw(
    ax: Axes, history: Sequence[Mapping[str, Any]], epochs: np.ndarray, which: int, attack: str, scale: float
) -> list[tuple[float, str, str]]:
    """Draw the curves; of each where it ends, its name and its colour."""
    ends: list[tuple[float, str, str]] = []
    for series in _SERIES:
        values = np.array([np.nan if row.get(series[which]) is None else row[series[which]] for row in history], float)
        if np.isnan(values).all():
            continue
        words = series[5] or ("in noise" if attack == "noise" else "attacked")
        n = history[-1].get(series[3]) if series[3] else None
        if which == 2 and n:
            low, high = wilson_interval(np.rint(values * n).astype(int), np.full(len(values), int(n)))
            ax.fill_between(epochs, scale * low, scale * high, color=series[4], alpha=0.18, linewidth=0)
            words += f", n = {int(n):,}"
        ax.plot(epochs, scale * values, "-o", color=series[4], markersize=2.5 if len(epochs) < 30 else 0)
        ends.append((scale * float(values[-1]), words, series[4]))
    return ends


def _label_ends(ax: Axes, ends: list[tuple[float, str, str]], x: float) -> None:
    """Words at the ends of the curves, moved apart where they would overlap between the limits that the axes have."""
    low, high = ax.get_ylim()
    gap = (high - low) * 0.075
    placed: list[float] = []
    for y, words, color in sorted(ends):
        place = max([y, *(each + gap for each in placed[-1:])])
        placed.append(place)
        ax.annotate(words, (x, place), (4, 0), textcoords="offset points", va="center", fontsize=7, color=color)


def _pick_ticks(epochs: np.ndarray) -> list[int]:
    """Whole numbers, at most eight."""
    step = next(each for each in (1, 2, 5, 10, 20, 50, 100, 200, 500, 10**9) if len(epochs) / each <= 8)
    return [int(epoch) for epoch in epochs if epoch % step == 0] or [int(epochs[-1])]
