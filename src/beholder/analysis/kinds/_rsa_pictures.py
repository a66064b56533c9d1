"""Pictures of an RSA, from the result alone: layer curves, layer × target heat map, RDMs, a map of the stimuli."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from beholder._core.wording import format_share
from beholder.analysis._behavior import POOLED
from beholder.analysis._result import Drawing, Result
from beholder.analysis.kinds._rsa_differences import has_times
from beholder.analysis.kinds._rsa_times import draw_times, make_courses
from beholder.analysis.kinds._rsa_words import SYMBOLS, find_ceiling, is_network
from beholder.analysis.kinds._telling import get_figure, mark_largest, shorten_model
from beholder.analysis.rsa._targets import strip_moment
from beholder.figures import (
    CurvePanel,
    LayerCurve,
    plot_layer_curve,
    plot_layer_curves,
    plot_rdms,
    plot_stimulus_map,
    plot_time_course,
    plot_value_matrix,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST_PANELS = 6
_MOST_COLUMNS = 60


def plot_rsa(result: Result, ax: Axes | None = None) -> Axes:
    """The layer curve of the target that layers are nearest to; another network's layers: the heat map."""
    if is_network(result):
        return _plot_matrix(result, ax)
    table: Any = result.table
    means = table[table["statistic"] == "mean over subjects"].sort_values("estimate", ascending=False, kind="stable")
    target = str(means["target"].iloc[0])
    if has_times(result):
        name = strip_moment(target, float(means["time"].iloc[0]))
        return plot_time_course(make_courses(result)[name], ax, name=_name_values(result), title=name)
    return plot_layer_curve(_make_panel(result, target), ax, name=_name_values(result), title=target)


def draw_rsa(result: Result) -> Iterator[Drawing]:
    """All pictures."""
    targets = list_targets(result)
    if has_times(result):
        yield draw_times(result, _name_values(result))
    elif not is_network(result):
        shown = targets[:_MOST_PANELS]
        panels = {name: _make_panel(result, name) for name in shown}
        fig = plot_layer_curves(panels, name=_name_values(result), note=tell_counts(result))
        told = "; ".join(_describe_panel(result, name) for name in shown)
        yield Drawing(
            "layers", fig, f"Curves over layers: {told}",
            "Dots with lines: mean over people and its 95 % interval; small black dots: single people. Grey band: the "
            "noise ceiling, where the best possible model would lie; dashed: chance."
            + (f" The first {_MOST_PANELS} of {len(targets)} targets." if len(targets) > _MOST_PANELS else ""),
        )  # fmt: skip
    if len(targets) > 1:
        yield Drawing(
            "heat_map", get_figure(_plot_matrix(result, None)), "Matrix of layers by targets",
            "Light: alike; the frame marks the largest value of each column.",
        )  # fmt: skip
    yield from _draw_rdms(result)
    if "map" in result.arrays:
        layer, proportion = str(result.arrays["map_layer"]), float(result.arrays["map_proportion"])
        pictures = result.arrays.get("thumbnails")
        categories = result.arrays.get("categories")
        ax = plot_stimulus_map(
            result.arrays["map"], pictures=pictures, names=[str(each) for each in result.arrays["stimulus_ids"]],
            categories=None if categories is None else [str(each) for each in categories],
            title=f"Stimuli as {layer} has them",
        )  # fmt: skip
        yield Drawing(
            "map", get_figure(ax), f"Map of the stimuli by their dissimilarities at {layer}",
            f"Stimuli that {layer} has alike lie near one another (classical multidimensional scaling; the plane holds "
            f"{format_share(proportion)} of their variance).",
        )  # fmt: skip


def list_targets(result: Result) -> list[str]:
    """Targets in the order of the table."""
    table: Any = result.table
    means = table[table["statistic"] == "mean over subjects"]
    return [str(name) for name in dict.fromkeys(means["target"]) if name]


def _name_values(result: Result) -> str:
    return f"Comparison of RDMs ({SYMBOLS[str(result.settings['method'])]})"


def tell_counts(result: Result) -> str:
    """How many people and stimuli the dots of the curves are of."""
    n = {int(each) for each in result.table.query("statistic == 'mean over subjects'")["n"]}  # type: ignore[attr-defined]
    people = " to ".join(str(each) for each in sorted(n)[:: max(1, len(n) - 1)])
    told = f"n = {people} {'person' if n == {1} else 'people'}"
    told = "one RDM of all answers" if all(each.endswith(POOLED) for each in list_targets(result)) else told
    return f"dot and line: mean and 95 % interval, {told}, {result.settings['n_stimuli']:,} stimuli"


def _make_panel(result: Result, target: str) -> CurvePanel:
    table: Any = result.table
    own = table[table["target"] == target]
    means = own[own["statistic"] == "mean over subjects"]
    curves: dict[str, LayerCurve] = {}
    for (model, source), group in means.groupby(["model", "source"], sort=False):
        people = own[(own["statistic"] == "comparison") & (own["model"] == model) & (own["source"] == source)]
        wide = people.pivot(index="subject", columns="layer", values="estimate")
        layers = [str(layer) for layer in group["layer"]]
        dots = wide[layers].to_numpy() if len(wide) > 1 else np.empty((0, 0))
        curves[shorten_model(str(source or model))] = LayerCurve(
            layers, group["estimate"].to_numpy(), group["low"].to_numpy(), group["high"].to_numpy(), dots
        )
    ceiling = find_ceiling(result, target)
    if not ceiling:
        return CurvePanel(curves)
    above = ceiling["lower"] > ceiling["chance"]
    text = "noise ceiling" if above else "noise ceiling (not above its chance)"
    return CurvePanel(curves, (ceiling["lower"], ceiling["upper"]), text)


def _describe_panel(result: Result, target: str) -> str:
    table: Any = result.table
    means = table[(table["target"] == target) & (table["statistic"] == "mean over subjects")]
    best = means.loc[means["estimate"].idxmax()] if means["estimate"].notna().any() else None
    return target if best is None else f"{target} highest at {best['layer']} ({best['estimate']:.2f})"


def _plot_matrix(result: Result, ax: Axes | None) -> Axes:
    table: Any = result.table
    means = table[table["statistic"] == "mean over subjects"]
    several = means["source"].nunique() > 1
    rows = [
        f"{source} {layer}" if several else str(layer)
        for source, layer in zip(means["source"], means["layer"], strict=True)
    ]
    wide = means.assign(row=rows).pivot(index="row", columns="target", values="estimate")
    targets = list_targets(result)[:_MOST_COLUMNS]
    wide = wide.loc[list(dict.fromkeys(rows)), targets]
    values = wide.to_numpy()
    marks = mark_largest(values)
    return plot_value_matrix(
        values, list(wide.index), targets, ax, value_name=_name_values(result), marks=marks,
        column_name="layer of the other network" if is_network(result) else "",
    )  # fmt: skip


def _draw_rdms(result: Result) -> Iterator[Drawing]:
    from beholder.statistics import count_stimuli

    table: Any = result.table
    nearest = table[table["statistic"] == "nearest layer"].drop_duplicates("target")
    names = [pair for row in nearest.to_dict("records") for pair in _name_rdms(row["target"], row["layer"])]
    shown: dict[str, np.ndarray] = {}
    for name, title in names:
        pairs = result.arrays.get(name)
        if pairs is not None and np.isfinite(pairs).all():
            n = count_stimuli(len(pairs))
            square = np.zeros((n, n))
            square[np.triu_indices(n, 1)] = pairs
            shown[title] = square + square.T
    if shown:
        categories = result.arrays.get("categories")
        fig = plot_rdms(
            shown, categories=None if categories is None else [str(each) for each in categories], n_columns=4
        )
        yield Drawing(
            "rdms", fig, f"Dissimilarity matrices of {', '.join(shown)}",
            "Each square compares the stimulus of its row with that of its column. Dark: alike; light: unlike.",
        )  # fmt: skip


def _name_rdms(target: str, layer: str) -> tuple[tuple[str, str], tuple[str, str]]:
    """Arrays of a target and of its nearest layer, and their titles."""
    return (f"target {target}", target), (f"layer {layer}", f"{layer} (layer)")
