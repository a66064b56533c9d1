"""How decoding analyses are told and drawn."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from beholder._core.wording import flow_text
from beholder.analysis._result import (
    RESULT_KINDS,
    Drawing,
    Result,
    ResultKind,
    format_estimate,
    format_interval,
    format_p,
)
from beholder.figures import plot_layer_lines, plot_proportion_matrix

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


def _tell(result: Result) -> list[str]:
    """The range over layers, and where the classes are told above chance against the best of all layers."""
    table: Any = result.table
    asked = result.settings
    told: list[str] = []
    for fitted, tested in _list_pairs(result):
        rows = _pick(table, fitted, tested)
        where = f" after fitting in {fitted} and testing in {tested}" if fitted else ""
        parts = [
            f"{row['layer']} {format_estimate(float(row['estimate']))} "
            f"{format_interval(float(row['low']), float(row['high']))}".strip()
            + (f" ({format_p(float(row['p_of_all_layers']))})" if np.isfinite(row["p_of_all_layers"]) else "")
            for _, row in rows.iterrows()
        ]
        shown = "; ".join(parts[:6]) + (f"; and {len(parts) - 6} more layers" if len(parts) > 6 else "")
        told.append(
            f"Balanced accuracy of {len(asked['classes'])} classes of {asked['labels']}{where}: {shown}; chance is "
            f"{format_estimate(1 / len(asked['classes']))}, n = {int(rows['n'].iloc[0])} stimuli."
        )
    return told


def _list_pairs(result: Result) -> list[tuple[str, str]]:
    conditions: list[str] = result.settings["conditions"]
    return [(a, b) for a in conditions for b in conditions]


def _pick(table: Any, fitted: str, tested: str) -> Any:
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
        f"""p is one-sided: the share of {asked["n_permutations"]} random orders of the labels, fitted anew, with an
        accuracy as high, against the best of all layers where layers are compared (Ojala & Garriga, 2010)."""
        if asked["n_permutations"]
        else ""
    )
    return flow_text(
        f"""The {len(asked["classes"])} classes of {asked["labels"]} were told from the activations of each of
        {len(asked["layers"])} layers of {asked["model"] or "a network"} to {asked["n_stimuli"]} stimuli by
        {_NAMES[asked["classifier"]]} (scikit-learn; Pedregosa et al., 2011), in {asked["n_folds"]} folds with every
        class in each{groups} (seed {asked["seed"]}). Features were {scaling}{reduced}, within the folds. {across}
        Accuracy is balanced: the mean over classes of the share told right. Intervals are 95 %, over the stimuli that
        were tested and those that were fitted. {test} Pedregosa, F. et al. (2011). Journal of Machine Learning Research
        12, 2825-2830. Ojala, M. & Garriga, G. C. (2010). Journal of Machine Learning Research 11, 1833-1863."""
    )


def _plot(result: Result, ax: Axes | None = None) -> Axes:
    """Balanced accuracy at each layer; with conditions, within and between them on average."""
    table: Any = result.table
    lines: dict[str, dict[str, tuple[float, float, float]]] = {}
    pairs = _list_pairs(result)
    names = {(a, b): "" if len(pairs) == 1 else a if a == b else f"{a} to {b}" for a, b in pairs}
    for (fitted, tested), name in names.items():
        rows = _pick(table, fitted, tested)
        lines[name] = {
            str(row["layer"]): (float(row["estimate"]), float(row["low"]), float(row["high"]))
            for _, row in rows.iterrows()
        }
    words = f"line: 95 % interval over stimuli, n = {result.settings['n_stimuli']}"
    chance = 1 / len(result.settings["classes"])
    return plot_layer_lines(lines, ax, value_name="Balanced accuracy", interval=words, chance=chance)


def _get_figure(ax: Axes) -> Figure:
    fig: Any = ax.get_figure(root=True)
    return fig


def _draw(result: Result) -> Iterator[Drawing]:
    """The depth curve, and generalisation matrices of the first, middle and last layers."""
    yield Drawing(
        "layers", _get_figure(_plot(result)), "Balanced accuracy at each layer, early to late.",
        "Share told right of stimuli that the classifier was not fitted to, each class counting the same.",
    )  # fmt: skip
    conditions: list[str] = result.settings["conditions"]
    layers: list[str] = result.settings["layers"]
    if len(conditions) < 2:
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
            f"generalisation_{place}", _get_figure(ax), f"Balanced accuracy at {layers[place]} by conditions.",
            "Rows: the condition that the classifier was fitted in; columns: the one it was tested in.",
        )  # fmt: skip


RESULT_KINDS.register("decode")(
    ResultKind(lambda _: "What can be told from layers?", _tell, _describe_methods, _plot, _draw)
)
