"""How encoding analyses are told and drawn."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from beholder._core.wording import format_count
from beholder.analysis._result import (
    RESULT_KINDS,
    Drawing,
    Result,
    ResultKind,
    format_p,
)
from beholder.analysis.kinds._encode_methods import describe_methods
from beholder.analysis.kinds._telling import format_value, get_figure, list_estimates, mark_largest, select_rows
from beholder.figures import plot_layer_lines, plot_unit_histograms, plot_value_matrix

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def _list(result: Result, column: str) -> list[str]:
    table: Any = result.table
    return [str(value) for value in dict.fromkeys(table[column].tolist())]


def _everyone(result: Result) -> str:
    """The subject of the rows that sum up: empty where there are several participants."""
    subjects = _list(result, "subject")
    return "" if "" in subjects else subjects[0]


def _name_people(result: Result) -> str:
    n = len([name for name in _list(result, "subject") if name])
    return f"{format_count(n, 'participant')}" if n > 1 else "one participant" if n else "the recordings"


def _tell(result: Result) -> list[str]:
    """What was found, region by region."""
    told: list[str] = []
    subject = _everyone(result)
    for region in _list(result, "target"):
        rows = select_rows(result, "r", target=region, subject=subject)
        if not len(rows):
            continue
        where = region or "the units"
        best = select_rows(result, "r-best-layer", target=region, subject=subject)
        many = len({name for name in _list(result, "subject") if name}) > 1
        if len(best):
            row = best.iloc[0]
            how = f"the layer was chosen on {'each other' if many else ''}{'' if many else 'the training stimuli'}"
            how = "each participant's layer was chosen on the others" if many else how
            told.append(
                f"{row['layer']} predicts {where} best: mean {format_value(row, 'r')} on stimuli left out, "
                f"{_name_people(result)}, {format_count(int(row['n_units']), 'unit')}; {how}."
            )
        else:
            for _, row in rows.iterrows():
                p = f", {format_p(float(row['p']))}" if np.isfinite(row["p"]) else ""
                told.append(
                    f"{row['layer']} predicts {where} with a mean r of {format_value(row)}{p} on stimuli left out, "
                    f"{_name_people(result)}, {format_count(int(row['n_units']), 'unit')}."
                )
    table: Any = result.table
    if "n_above_1" in table.columns:
        rows = table[(table["statistic"] == "corrected-r2") & (table["subject"] == subject)]
        above, n = int(rows["n_above_1"].sum()), int(rows["n_units"].sum())
        if above:
            told.append(
                f"Corrected variance explained is above 1 in {above:,} of "
                f"{format_count(n, 'pair')} of unit and layer: kept, and "
                "counted."
            )
    return told


def _plot(result: Result, ax: Axes | None = None) -> Axes:
    """Mean r at each layer, a line a region."""
    subject = _everyone(result)
    lines: dict[str, dict[str, tuple[float, float, float]]] = {}
    for region in _list(result, "target"):
        rows = select_rows(result, "r", target=region, subject=subject)
        lines[region] = list_estimates(rows)
    lines = {region: line for region, line in lines.items() if line}
    has_interval = any(np.isfinite(low) for line in lines.values() for _, low, _ in line.values())
    people = _name_people(result)
    kinds = {str(each) for each in select_rows(result, "r", subject=subject).get("interval", [])} - {""}
    over = next(iter(kinds), "stimuli")
    words = f"line: 95 % interval over {over}; {people}" if has_interval else people
    return plot_layer_lines(lines, ax, value_name="Mean r of predicted and measured", interval=words, chance=0.0)


def _draw(result: Result) -> Iterator[Drawing]:
    """The layer curve, and how units are distributed."""
    yield Drawing(
        "layers", get_figure(_plot(result)), "Mean correlation of predicted and measured responses at each layer.",
        "r is between predicted and measured responses to stimuli that the regression was not fitted to; 0 is chance."
        " More than six regions are grey: the heat map names them.",
    )  # fmt: skip
    layers, regions = _list(result, "layer"), [region for region in _list(result, "target") if region]
    if len(result.settings["layers"]) > 1 and len(regions) > 1:
        ax, what = _plot_matrix(result)
        yield Drawing(
            "heat_map", get_figure(ax), f"{what} of layers by regions.",
            "Light: predicted well; the frame marks the largest value of each column, chosen on the data shown.",
        )  # fmt: skip
    corrected = result.arrays.get("corrected")
    if corrected is not None and np.isfinite(corrected).any(axis=1).all():
        names = [name for name in result.settings["layers"] if name in layers]
        ax = plot_unit_histograms(
            dict(zip(names, corrected, strict=True)), value_name="Corrected variance explained", limit=1.0
        )
        yield Drawing(
            "units", get_figure(ax), "Distribution over units of corrected variance explained, a row a layer.",
            "Values above 1 occur where reliabilities are low. They are kept: cutting them off would bias medians.",
        )  # fmt: skip
    elif np.isfinite(result.arrays["r"]).any(axis=1).all():
        ax = plot_unit_histograms(
            dict(zip(layers, result.arrays["r"], strict=False)), value_name="r of predicted and measured"
        )
        yield Drawing(
            "units", get_figure(ax), "Distribution over units of r, a row a layer.",
            "r is signed: noise lies on both sides of 0.",
        )  # fmt: skip


def _plot_matrix(result: Result) -> tuple[Axes, str]:
    """Each layer in each region: mean r, or its part of the R² of all layers jointly; and what it is."""
    statistic, what = ("r2-part", "Part of R²") if result.settings["method"] == "banded" else ("r", "Mean r")
    rows = select_rows(result, statistic)
    rows = rows.groupby(["layer", "target"], sort=False, as_index=False)["estimate"].mean()
    layers, regions = ([str(each) for each in dict.fromkeys(rows[column])] for column in ("layer", "target"))
    wide = rows.pivot(index="layer", columns="target", values="estimate").loc[layers, regions]
    values = wide.to_numpy()
    marks = mark_largest(values)
    return plot_value_matrix(values, layers, regions, value_name=what, marks=marks), what


RESULT_KINDS.register("encode")(
    ResultKind(lambda _: "How well do layers predict responses?", _tell, describe_methods, _plot, _draw)
)
