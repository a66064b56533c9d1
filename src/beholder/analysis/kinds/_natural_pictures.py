"""How accuracy on natural stimuli is drawn."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from beholder._core.wording import format_count
from beholder.analysis._result import Drawing, Result
from beholder.analysis.accuracy._cells import ALL
from beholder.analysis.accuracy._rows import OF_CLASS
from beholder.analysis.kinds._natural_words import STATISTICS, get_chance, main_statistic, pick_cells
from beholder.analysis.kinds._telling import get_figure, pick_rows
from beholder.figures import (
    colors_of_models,
    plot_accuracy,
    plot_confusions,
    plot_estimates,
    plot_recognition_curves,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST_PANELS = 16
_MOST_CLASSES = 40
_LEAST_OF_CLASS = 5
_NO_CONDITION = "no condition"


def plot_natural(result: Result, ax: Axes | None) -> Axes:
    """The main picture: accuracies of all stimuli."""
    rows = {name: [row for row in pick_rows(result, name) if row["target"] == ALL] for name in STATISTICS}
    estimates = {
        words: (100 * row["estimate"], 100 * row["low"], 100 * row["high"])
        for name, words in STATISTICS.items()
        for row in rows[name]
    }
    statistic = main_statistic(result)
    n = sorted({int(row["n"]) for found in rows.values() for row in found})
    span = f"{n[0]:,}" if len(n) == 1 else f"{n[0]:,} to {n[-1]:,}"
    chance = 100 * get_chance(result, statistic)
    return plot_estimates(
        estimates, ax, value_name="Right answers (%)", interval=f"line: 95 % interval, n = {span} {_over(result)}",
        reference=chance, reference_name=f"chance {chance:.3g} % ({STATISTICS[statistic]})",
        colors=dict.fromkeys(estimates, _color(result)),
    )  # fmt: skip


def draw_natural(result: Result) -> Iterator[Drawing]:
    """Accuracies in all, by condition and level, by class; confusions."""
    yield Drawing(
        "all", get_figure(plot_natural(result, None)), f"How often {result.settings['model']} is right.",
        "A dot is a proportion of all stimuli that it can be told of.",
    )  # fmt: skip
    yield from _draw_levels(result)
    yield from _draw_classes(result)
    yield from _draw_confusions(result)


def _over(result: Result) -> str:
    return str(result.settings["over"])


def _color(result: Result) -> str:
    name = str(result.settings["model"])
    return colors_of_models([name])[name]


def _draw_levels(result: Result) -> Iterator[Drawing]:
    """A panel a condition, a line a statistic, over levels."""
    panels: dict[str, dict[str, dict[str, tuple[float, float, float]]]] = {}
    counts: set[int] = set()
    for name, words in STATISTICS.items():
        for row in pick_cells(result, name):
            if math.isnan(row["estimate"]):
                continue
            level = "" if math.isnan(row["level"]) else f"{row['level']:g}"
            line = panels.setdefault(str(row["condition"]) or _NO_CONDITION, {}).setdefault(words, {})
            line[level or "none"] = (row["estimate"], row["low"], row["high"])
            counts.add(int(row["n"]))
    if not panels:
        return
    if all(len(line) == 1 for lines in panels.values() for line in lines.values()):  # conditions without levels
        panels = _join_conditions(panels)
    shown = dict(list(panels.items())[:_MOST_PANELS])
    more = (
        f"; the first {_MOST_PANELS} of {format_count(len(panels), 'condition')}" if len(panels) > _MOST_PANELS else ""
    )
    span = f"{min(counts):,}" if len(counts) == 1 else f"{min(counts):,} to {max(counts):,}"
    has_levels = any(math.isfinite(cell["level"]) for cell in result.settings["cells"] if cell["level"] is not None)
    fig = plot_recognition_curves(
        shown, chance=get_chance(result, main_statistic(result)), place_name="Level" if has_levels else "Condition",
        is_ordered=has_levels, interval=f"line: 95 % interval, n = {span} {_over(result)} a dot{more}",
    )  # fmt: skip
    yield Drawing(
        "levels", fig, "Right answers by condition and level.",
        f"A panel is a kind of change to the stimuli; chance is that of {STATISTICS[main_statistic(result)]}.",
    )  # fmt: skip


def _join_conditions(panels: dict[str, Any]) -> dict[str, Any]:
    """One panel in which conditions are the stages."""
    joined: dict[str, dict[str, tuple[float, float, float]]] = {}
    for condition, lines in panels.items():
        for words, line in lines.items():
            joined.setdefault(words, {})[condition] = next(iter(line.values()))
    return {"": joined}


def _draw_classes(result: Result) -> Iterator[Drawing]:
    """Every class, or of many those that are named least often."""
    rows = [row for row in pick_rows(result, OF_CLASS) if row["n_answers"] > 0]
    if len(rows) < 2 or min(row["n"] for row in rows) < _LEAST_OF_CLASS:
        return
    shown = rows
    told = "Order: that of the network's outputs."
    if len(rows) > _MOST_CLASSES:
        shown = sorted(rows, key=lambda row: row["estimate"])[:_MOST_CLASSES]
        told = f"The {_MOST_CLASSES} of {format_count(len(rows), 'class')} that are named least often."
    is_wilson = all(row["n"] == row["n_answers"] for row in shown)
    ax = plot_accuracy(
        [row["n_right"] for row in shown], [row["n_answers"] for row in shown],
        [str(row["class_name"]) for row in shown], chance=get_chance(result, main_statistic(result)),
        color=_color(result),
        intervals=None if is_wilson else np.array([[row["low"], row["high"]] for row in shown]),
        note=None if is_wilson else "line: 95 % interval (bootstrap over stimuli)",
    )  # fmt: skip
    yield Drawing("classes", get_figure(ax), "Right answers by class.", told)


def _draw_confusions(result: Result) -> Iterator[Drawing]:
    counts = result.arrays.get("confusions")
    if counts is None or not counts.sum():
        return
    labels, answers = ([str(each) for each in result.arrays[f"confusion_{name}"]] for name in ("labels", "answers"))
    yield Drawing(
        "confusions", plot_confusions({result.settings["model"]: counts}, labels, answers),
        "Confusion matrix: which answers follow which class.", "Rows add up to 100 %; all conditions together.",
    )  # fmt: skip
