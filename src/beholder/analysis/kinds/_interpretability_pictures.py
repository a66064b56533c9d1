"""Pictures of the interpretability of units, from the result alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from beholder._core.wording import format_count
from beholder.analysis._result import Drawing, Result, format_estimate, format_interval
from beholder.analysis.kinds._interpretability_words import CHANCE, name_group
from beholder.analysis.kinds._telling import get_figure, pick_rows, shorten_model
from beholder.figures import (
    color_networks,
    plot_estimates,
    plot_layer_lines,
    plot_network_scatter,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_VALUE = "Proportion correct"
_MOST_ROWS = 40


def plot_units(result: Result, ax: Axes | None = None) -> Axes:
    """Mean of units of each network and mode, with single units."""
    rows = pick_rows(result, "mean of units")[:_MOST_ROWS]
    units = pick_rows(result, "unit")
    models = list(dict.fromkeys(shorten_model(row["model"]) for row in rows))
    own = color_networks(models)
    single: dict[str, list[float]] = {}
    for unit in units:
        single.setdefault(name_group(unit), []).append(unit["estimate"])
    return plot_estimates(
        {name_group(row): (row["estimate"], row["low"], row["high"]) for row in rows}, ax, value_name=_VALUE,
        interval=f"mean and 95 % interval (BCa) over units,\n{_count(rows)}; small dots: units",
        reference=CHANCE, reference_name="chance .50",
        single=single,
        colors={name_group(row): own[shorten_model(row["model"])] for row in rows},
    )  # fmt: skip


def _count(rows: list[dict[str, Any]]) -> str:
    counts = sorted({int(row["n"]) for row in rows})
    return f"n = {counts[0]}" if len(counts) == 1 else f"n = {counts[0]} to {counts[-1]}"


def draw_units(result: Result) -> Iterator[Drawing]:
    """All pictures."""
    yield Drawing(
        "units", get_figure(plot_units(result)), "Proportion correct of units by network and mode",
        "Dots with lines: mean of units and its 95 % interval; small dots: single units; dashed: chance.",
    )  # fmt: skip
    confidence = _list_lines(pick_rows(result, "mean of units at confidence"), "confidence")
    if any(len(line) > 1 for line in confidence.values()):
        ax = plot_layer_lines(
            confidence, value_name=_VALUE, interval="95 % interval (BCa) over units", chance=CHANCE,
            place_name="Confidence",
        )  # fmt: skip
        yield Drawing(
            "confidence", get_figure(ax), "Proportion correct by confidence",
            "Units are averaged among the answers given with each confidence.",
        )  # fmt: skip
    layers = _list_lines(pick_rows(result, "mean of units of layer"), "layer")
    if any(len(line) > 1 for line in layers.values()):
        ax = plot_layer_lines(
            layers, value_name=_VALUE, interval="95 % interval (BCa) over units,\nof layers with five or more",
            chance=CHANCE,
        )  # fmt: skip
        yield Drawing("layers", get_figure(ax), "Proportion correct by layer", "Mean of the units of each layer.")
    yield from _draw_machine(result)


def _list_lines(rows: list[dict[str, Any]], place: str) -> dict[str, dict[str, tuple[float, float, float]]]:
    lines: dict[str, dict[str, tuple[float, float, float]]] = {}
    for row in rows:
        name = f"{row[place]:g}" if isinstance(row[place], float) else str(row[place])
        lines.setdefault(name_group(row), {})[name] = (row["estimate"], row["low"], row["high"])
    return lines


def _draw_machine(result: Result) -> Iterator[Drawing]:
    rows = [row for row in pick_rows(result, "unit of machine") if row["estimate"] == row["estimate"]]
    if not rows:
        return
    people = {(unit["unit"], unit["target"]): unit["estimate"] for unit in pick_rows(result, "unit")}
    shown = [row for row in rows if (row["unit"], row["target"]) in people]
    found = pick_rows(result, "rank correlation with machine")
    words = "\n".join(
        f"{name_group(row)}: rank r = {format_estimate(row['estimate'])} {format_interval(row['low'], row['high'])}"
        for row in found[:3]
    )
    ax = plot_network_scatter(
        [row["estimate"] for row in shown], [people[row["unit"], row["target"]] for row in shown],
        ["" for _ in shown], x_name="Machine, proportion correct", y_name="People, proportion correct", words=words,
        groups=[name_group(row) for row in shown],
    )  # fmt: skip
    yield Drawing(
        "machine", get_figure(ax), "People's proportion correct on the machine's, a dot a unit",
        f"{format_count(len(shown), 'unit')}. On the diagonal people and the machine are right equally often.",
    )  # fmt: skip
