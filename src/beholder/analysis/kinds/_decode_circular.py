"""How decodings of a circular variable are told and drawn."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from beholder._core.wording import flow_text, format_count
from beholder.analysis._result import RESULT_KINDS, Drawing, Result, ResultKind, format_p
from beholder.analysis.kinds._decode import (
    describe_bins,
    list_sources,
    make_curves,
    name_layers,
    pick_source,
    tell_differences,
)
from beholder.analysis.kinds._telling import select_rows, shorten_model
from beholder.figures import CurvePanel, plot_layer_curve, plot_layer_curves

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def _format(row: Any) -> str:
    """An estimate in the variable's units, with its interval and p."""
    estimate, low, high = (f"{round(float(row[name]), 1) + 0.0:.1f}" for name in ("estimate", "low", "high"))
    words = f"{estimate} [{low}, {high}]".replace("-", "−")
    p = float(row["p_of_all_layers"])
    return f"{row['layer']} {words}" + ("" if math.isnan(p) else f" ({format_p(p)})")


def _list_rows(rows: Any) -> str:
    parts = [_format(row) for _, row in rows.iterrows()]
    return "; ".join(parts[:6]) + (f"; and {format_count(len(parts) - 6, 'more layer')}" if len(parts) > 6 else "")


def _tell(result: Result) -> list[str]:
    """Errors against chance, and biases."""
    told: list[str] = []
    name = result.settings["labels"]
    for source in list_sources(result):
        where = f" from {shorten_model(source)}" if source else ""
        rows = pick_source(select_rows(result, "circular-error"), source)
        told.append(
            f"{name} is decoded{where} with a mean absolute error of {_list_rows(rows)}; chance is "
            f"{float(rows['chance'].mean()):.1f}, n = {format_count(int(rows['n'].iloc[0]), 'stimulus')}."
        )
        biases = pick_source(select_rows(result, "circular-bias"), source)
        if len(biases):
            told.append(
                f"Bias towards {_name_reference(result)}{where} (above 0 attraction, below 0 repulsion): "
                f"{_list_rows(biases)}, n = {format_count(int(biases['n'].iloc[0]), 'stimulus')} with one."
            )
    return told + tell_differences(result, digits=1)


def _name_reference(result: Result) -> str:
    reference = result.settings["reference"]
    return "the reference" if reference == "given" else str(reference)


def _describe_methods(result: Result) -> str:
    """A paragraph for a paper."""
    asked = result.settings
    groups = f", stimuli of one {asked['groups']} together" if asked["groups"] else ""
    has_bias = asked["reference"] is not None
    bias = (
        f"""Bias is the mean error towards {_name_reference(result)}, positive for attraction and negative for repulsion
        (Fischer & Whitney, 2014); its p is two-sided, by flipping signs, corrected for the number of layers by Holm's
        method."""
        if has_bias
        else ""
    )
    test = (
        f"""p of errors is one-sided: the proportion of {asked["n_permutations"]} random orders of the values, fitted
        anew, with an error as small, against the smallest of all layers."""
        if asked["n_permutations"]
        else ""
    )
    cited = "Fischer, J. & Whitney, D. (2014). Nature Neuroscience 17, 738-743." if has_bias else ""
    return flow_text(
        f"""{asked["labels"]} (period {asked["period"]:g}) was decoded from the activations of {name_layers(result)} to
        {format_count(asked["n_stimuli"], "stimulus")} by ridge regression to its cosine and sine, in
        {format_count(asked["n_folds"], "fold")}{groups}
        (seed {asked["seed"]}); features were scaled within the folds, and the penalty was the mean eigenvalue of their
        kernel. Errors are absolute, around the circle. Intervals are 95 %, over the stimuli that were decoded and those
        that were fitted. {describe_bins(result)} {test} {bias} {cited}"""
    )


def _make_panel(result: Result, statistic: str) -> CurvePanel:
    rows = select_rows(result, statistic)
    chance = float(rows["chance"].mean()) if statistic == "circular-error" else 0.0
    text = f"chance {chance:.1f}" if statistic == "circular-error" else "no bias"
    return CurvePanel(make_curves(result, rows), chance=chance, chance_text=text)


def _plot(result: Result, ax: Axes | None = None) -> Axes:
    """The mean absolute error at each layer."""
    return plot_layer_curve(_make_panel(result, "circular-error"), ax, name=_name_error(result))


def _name_error(result: Result) -> str:
    return f"Error of {result.settings['labels']} (period {result.settings['period']:g})"


def _draw_curves(result: Result, statistic: str, name: str) -> Figure:
    note = f"dot and line: mean and 95 % interval over stimuli, n = {int(select_rows(result, statistic)['n'].iloc[0])}"
    return plot_layer_curves({"": _make_panel(result, statistic)}, name=name, note=note)


def _draw(result: Result) -> Iterator[Drawing]:
    """Errors over depth, and biases."""
    yield Drawing(
        "layers", _draw_curves(result, "circular-error", _name_error(result)),
        "Mean absolute error of the decoded variable at each layer.",
        "Of stimuli that the decoder was not fitted to; lines are 95 % intervals over stimuli.",
    )  # fmt: skip
    if len(select_rows(result, "circular-bias")):
        yield Drawing(
            "bias", _draw_curves(result, "circular-bias", f"Bias towards {_name_reference(result)}"),
            "Mean error towards the reference at each layer.",
            "Above 0: attraction; below 0: repulsion. Lines are 95 % intervals over stimuli.",
        )  # fmt: skip


RESULT_KINDS.register("decode-circular")(
    ResultKind(
        lambda result: f"How well can {result.settings['labels']} be decoded, and is it biased?", _tell,
        _describe_methods, _plot, _draw,
    )
)  # fmt: skip
