"""How tuning analyses are told and drawn."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from beholder._core.wording import flow_text, format_count, format_share
from beholder.analysis._result import RESULT_KINDS, Drawing, Result, ResultKind, format_p
from beholder.analysis.kinds._telling import get_figure, select_rows
from beholder.figures import plot_layer_lines, plot_tuning_curves

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def _tell(result: Result) -> list[str]:
    """Proportions of tuned units against shuffles, and whether averaging keeps contrast."""
    told: list[str] = []
    asked = result.settings
    for _, row in select_rows(result, "proportion-tuned").iterrows():
        told.append(
            f"{row['layer']}: {format_share(row['estimate'])} of {format_count(int(row['n_units']), 'unit')} are "
            f"tuned to {asked['condition']} ({format_share(row['shuffled'])} after shuffling, "
            f"{format_p(float(row['p_of_all_layers']))} against all layers), "
            f"n = {format_count(int(row['n']), 'stimulus')}."
        )
    if not told:
        for _, row in select_rows(result, "selectivity").iterrows():
            told.append(
                f"{row['layer']}: median selectivity {float(row['estimate']):.2f} for {asked['condition']} over "
                f"{format_count(int(row['n_units']), 'unit')}; not tested against chance."
            )
    for _, row in select_rows(result, "contrast-kept").iterrows():
        told.append(
            f"{row['layer']}: averaged replicates keep {format_share(row['estimate'])} of the clean exposure's "
            f"contrast (median over {format_count(int(row['n_units']), 'unit')})."
        )
    return told


def _describe_methods(result: Result) -> str:
    """A paragraph for a paper."""
    asked = result.settings
    values: list[float] = asked["values"]
    if asked["period"]:
        how = f"""The preferred value is the direction of the mean vector of the curve above its minimum (period
            {asked["period"]:g}), selectivity 1 minus the circular variance (Ringach et al., 2002)"""
        cited = "Ringach, D. L., Shapley, R. M. & Hawken, M. J. (2002). Journal of Neuroscience 22, 5639-5651."
    else:
        how = """The preferred value is that of the largest mean response, selectivity the sparseness of the curve above
            its minimum (Vinje & Gallant, 2000)"""
        cited = "Vinje, W. E. & Gallant, J. L. (2000). Science 287, 1273-1276."
    test = (
        f"""A unit is tuned where the proportion of its variance over stimuli that lies between values is among the
        largest 5 % of {asked["n_permutations"]} shuffles of the values over stimuli; the proportion of tuned units was
        compared with that of the shuffles, and with the largest of all layers."""
        if len(select_rows(result, "proportion-tuned"))
        else ""
    )
    return flow_text(
        f"""Responses of units of {format_count(len(asked["layers"]), "layer")} of {asked["model"] or "a network"} to
        {format_count(asked["n_stimuli"], "stimulus")} were averaged for each of
        {format_count(len(values), "value")} of {asked["condition"]}
        ({values[0]:g} to {values[-1]:g}). {how}, bandwidth the full width at half height between the curve's minimum
        and maximum, by straight lines. {test} (Seed {asked["seed"]}.) {cited}"""
    )


def _plot(result: Result, ax: Axes | None = None) -> Axes:
    """Proportion of tuned units at each layer, beside that of shuffles; without a test the median selectivity."""
    tuned = select_rows(result, "proportion-tuned")
    name, rows = (
        ("Proportion of units", tuned) if len(tuned) else ("Median selectivity", select_rows(result, "selectivity"))
    )
    nothing = (np.nan, np.nan)
    lines = {
        "tuned" if len(tuned) else "": {str(r["layer"]): (float(r["estimate"]), *nothing) for _, r in rows.iterrows()}
    }
    if len(tuned):
        lines["shuffled"] = {str(r["layer"]): (float(r["shuffled"]), *nothing) for _, r in rows.iterrows()}
    return plot_layer_lines(
        lines, ax, value_name=name, interval=f"n = {format_count(result.settings['n_stimuli'], 'stimulus')}"
    )


def _draw(result: Result) -> Iterator[Drawing]:
    """Proportions over depth, and curves."""
    yield Drawing(
        "layers", get_figure(_plot(result)), "Proportion of tuned units at each layer.",
        "Units whose responses differ between values more than 95 % of shuffles do.",
    )  # fmt: skip
    curves, layer_of = result.arrays.get("curves"), result.arrays.get("curves_layer")
    if curves is None or layer_of is None:
        return
    layers: list[str] = result.settings["layers"]
    by_layer = {layer: curves[layer_of == i] for i, layer in enumerate(layers) if (layer_of == i).any()}
    fig = plot_tuning_curves(
        by_layer, result.settings["values"], value_name=str(result.settings["condition"]),
        period=result.settings["period"],
    )  # fmt: skip
    yield Drawing(
        "curves", fig, "Tuning curves of the most selective units of each layer.",
        "Each curve runs from its least to its largest response. Even untuned units have a most selective one.",
    )  # fmt: skip


RESULT_KINDS.register("tuning")(
    ResultKind(lambda _: "What are units tuned to?", _tell, _describe_methods, _plot, _draw)
)
