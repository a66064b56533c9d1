"""How decoding analyses are told and drawn."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from beholder._core.wording import flow_text, format_count
from beholder.analysis._result import (
    RESULT_KINDS,
    Drawing,
    Result,
    ResultKind,
    format_estimate,
    format_p,
)
from beholder.analysis.kinds._telling import format_value, get_figure, list_estimates, shorten_model
from beholder.figures import (
    CurvePanel,
    LayerCurve,
    plot_layer_curve,
    plot_layer_curves,
    plot_layer_lines,
    plot_proportion_matrix,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_NAMES = {
    "centroid": "the nearest class mean",
    "logistic": "logistic regression",
    "svm": "a linear support vector machine",
    "lda": "linear discriminant analysis",
}
_MOST_MATRICES = 4
_MOST_PANELS = 6


def _tell(result: Result) -> list[str]:
    """The range over layers, and where the classes are told above chance against the best of all layers."""
    table: Any = result.table
    asked = result.settings
    told: list[str] = []
    cells = [(pair, source) for pair in _list_pairs(result) for source in list_sources(result)]
    for (fitted, tested), source in cells:
        rows = pick_source(_pick(table, fitted, tested), source)
        where = f" after fitting in {fitted} and testing in {tested}" if fitted else ""
        where += f" from {shorten_model(source)}" if source else ""
        parts = [
            f"{row['layer']} {format_value(row)}"
            + (f" ({format_p(float(row['p_of_all_layers']))})" if np.isfinite(row["p_of_all_layers"]) else "")
            for _, row in rows.iterrows()
        ]
        shown = "; ".join(parts[:6]) + (f"; and {format_count(len(parts) - 6, 'more layer')}" if len(parts) > 6 else "")
        told.append(
            f"Balanced accuracy of {format_count(len(asked['classes']), 'class')} "
            f"of {asked['labels']}{where}: {shown}; chance is "
            f"{format_estimate(1 / len(asked['classes']))}, n = {format_count(int(rows['n'].iloc[0]), 'stimulus')}."
        )
    return told + tell_differences(result)


def tell_differences(result: Result, digits: int = 2) -> list[str]:
    """Networks whose means over a bin of depth differ by more than the interval."""
    table: Any = result.table
    rows = table[(table["statistic"] == "difference") & table["layer"].str.startswith("depth ")]
    if not len(rows):
        return []
    told = [
        f"{shorten_model(str(row['source']))} less {shorten_model(str(row['other_source']))} at {row['layer']}: "
        f"{format_value(row, digits=digits)}"
        + (f" (fitted in {row['fitted_in']}, tested in {row['tested_in']})" if "fitted_in" in rows.columns else "")
        for _, row in rows.iterrows()
        if row["low"] > 0 or row["high"] < 0
    ]
    if not told:
        return ["No two networks differ by more than the interval in any bin of relative depth."]
    return ["; ".join(told[:6]) + (f"; and {len(told) - 6} more differences." if len(told) > 6 else ".")]


def _list_pairs(result: Result) -> list[tuple[str, str]]:
    conditions: list[str] = result.settings["conditions"]
    return [(a, b) for a in conditions for b in conditions]


def list_sources(result: Result) -> list[str]:
    """Names that tell networks apart; one empty one where there is one network."""
    return [str(name) for name in result.settings["sources"]]


def pick_source(rows: Any, source: str) -> Any:
    """Rows of one network."""
    return rows[rows["source"] == source] if source else rows


def _pick(table: Any, fitted: str, tested: str, statistic: str = "balanced-accuracy") -> Any:
    table = table[table["statistic"] == statistic]
    if "fitted_in" not in table.columns:
        return table
    return table[(table["fitted_in"] == fitted) & (table["tested_in"] == tested)]


def _describe_methods(result: Result) -> str:
    """A paragraph for a paper."""
    asked = result.settings
    groups = f", stimuli of one {asked['groups']} together" if asked["groups"] else ""
    scaling = "divided by their standard deviation over the training stimuli" if asked["scale"] else "left unscaled"
    reduced = (
        f" and reduced to the {asked['n_components']} first principal components of the training stimuli"
        if asked["n_components"]
        else ""
    )
    condition = "condition" if asked["across"] == "given" else asked["across"]
    across = (
        f"""Classifiers fitted in each {condition} were tested in each, always on folds whose stimuli no classifier had
        seen in any."""
        if asked["across"]
        else ""
    )
    test = (
        f"""p is one-sided: the proportion of {asked["n_permutations"]} random orders of the labels, fitted anew, with
        an accuracy as high, against the best of all layers where layers are compared (Ojala & Garriga, 2010)."""
        if asked["n_permutations"]
        else ""
    )
    return flow_text(
        f"""The {format_count(len(asked["classes"]), "class")} of {asked["labels"]} were decoded from the activations of
        {name_layers(result)} to {format_count(asked["n_stimuli"], "stimulus")} by
        {_NAMES[asked["classifier"]]} (scikit-learn; Pedregosa
        et al., 2011), in {format_count(asked["n_folds"], "fold")} with every class in each{groups} (seed
        {asked["seed"]}). Features
        were {scaling}{reduced}, within the folds. {across}
        Accuracy is balanced: the mean over classes of the proportion correct. Intervals are 95 %, over the stimuli that
        were tested and those that were fitted. {describe_bins(result)} {test} Pedregosa, F. et al. (2011). Journal of
        Machine Learning Research 12, 2825-2830. Ojala, M. & Garriga, G. C. (2010). Journal of Machine Learning Research
        11, 1833-1863."""
    )


def name_layers(result: Result) -> str:
    """Whose layers were decoded."""
    asked = result.settings
    n = len(asked["layers"])
    if len(asked["sources"]) > 1:
        return f"the layers of {' and '.join(map(shorten_model, asked['sources']))}"
    return f"{'each of ' if n > 1 else ''}{n} layer{'s' if n > 1 else ''} of {asked['model'] or 'a network'}"


def describe_bins(result: Result) -> str:
    """How networks of unlike depth were compared."""
    n = result.settings["depth_bins"]
    return f"Layers were averaged in {n} bins of relative depth, from 0 at the first to 1 at the last." if n else ""


def _plot(result: Result, ax: Axes | None = None) -> Axes:
    """Balanced accuracy at each layer; with conditions, within and between them on average."""
    if len(list_sources(result)) > 1:
        fitted, tested = _list_pairs(result)[0]
        title = f"{fitted} to {tested}" if fitted else ""
        return plot_layer_curve(_make_panel(result, fitted, tested), ax, name="Balanced accuracy", title=title)
    table: Any = result.table
    lines: dict[str, dict[str, tuple[float, float, float]]] = {}
    pairs = _list_pairs(result)
    names = {(a, b): "" if len(pairs) == 1 else a if a == b else f"{a} to {b}" for a, b in pairs}
    for (fitted, tested), name in names.items():
        rows = _pick(table, fitted, tested)
        lines[name] = list_estimates(rows)
    words = f"line: 95 % interval over stimuli, n = {result.settings['n_stimuli']}"
    chance = 1 / len(result.settings["classes"])
    return plot_layer_lines(lines, ax, value_name="Balanced accuracy", interval=words, chance=chance)


def _make_panel(result: Result, fitted: str, tested: str) -> CurvePanel:
    chance = 1 / len(result.settings["classes"])
    rows = _pick(result.table, fitted, tested)
    return CurvePanel(make_curves(result, rows), chance=chance, chance_text=f"chance {format_estimate(chance)}")


def make_curves(result: Result, rows: Any) -> dict[str, LayerCurve]:
    """A curve over layers for each network."""
    curves: dict[str, LayerCurve] = {}
    for source in list_sources(result):
        mine = pick_source(rows, source)
        layers = [str(each) for each in mine["layer"]]
        columns = (mine[name].to_numpy(dtype=float) for name in ("estimate", "low", "high"))
        curves[shorten_model(source or str(result.settings["model"]))] = LayerCurve(layers, *columns)
    return curves


def _draw_curves(result: Result) -> Figure:
    if len(list_sources(result)) == 1:
        return get_figure(_plot(result))
    pairs = _list_pairs(result)[:_MOST_PANELS]
    panels = {f"{a} to {b}" if a else "": _make_panel(result, a, b) for a, b in pairs}
    note = f"dot and line: balanced accuracy and 95 % interval over stimuli, n = {result.settings['n_stimuli']}"
    return plot_layer_curves(panels, name="Balanced accuracy", note=note)


def _draw(result: Result) -> Iterator[Drawing]:
    """The depth curve, and generalisation matrices of the first, middle and last layers."""
    yield Drawing(
        "layers", _draw_curves(result), "Balanced accuracy at each layer, early to late.",
        "Proportion correct of stimuli that the classifier was not fitted to, each class counting the same.",
    )  # fmt: skip
    conditions: list[str] = result.settings["conditions"]
    layers: list[str] = result.settings["layers"]
    if len(conditions) < 2 or len(list_sources(result)) > 1:
        return
    places = np.unique(np.linspace(0, len(layers) - 1, min(_MOST_MATRICES, len(layers))).round().astype(int))
    table: Any = result.table
    for place in places.tolist():
        own = table[table["layer"] == layers[place]]
        matrix = np.array([[_pick(own, a, b)["estimate"].iloc[0] for b in conditions] for a in conditions])
        ax = plot_proportion_matrix(
            matrix, conditions, conditions, row_name="Fitted in", column_name="Tested in",
            value_name="Balanced accuracy (%)",
        )  # fmt: skip
        axes: Any = ax
        axes.set_title(layers[place], fontsize=8, loc="left")
        yield Drawing(
            f"generalisation_{place}", get_figure(ax), f"Balanced accuracy at {layers[place]} by conditions.",
            "Rows: the condition that the classifier was fitted in; columns: the one it was tested in.",
        )  # fmt: skip


RESULT_KINDS.register("decode")(
    ResultKind(lambda _: "What can be decoded from layers?", _tell, _describe_methods, _plot, _draw)
)
