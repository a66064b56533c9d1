"""How encoding analyses are told and drawn."""

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
from beholder.figures import plot_layer_lines, plot_unit_histograms

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def _pick(result: Result, **wanted: Any) -> Any:
    table: Any = result.table
    for name, value in wanted.items():
        table = table[table[name] == value]
    return table


def _list(result: Result, column: str) -> list[str]:
    table: Any = result.table
    return [str(value) for value in dict.fromkeys(table[column].tolist())]


def _everyone(result: Result) -> str:
    """The subject of the rows that sum up: empty where there are several participants."""
    subjects = _list(result, "subject")
    return "" if "" in subjects else subjects[0]


def _name_people(result: Result) -> str:
    n = len([name for name in _list(result, "subject") if name])
    return f"{n} participants" if n > 1 else "one participant" if n else "the recordings"


def _tell(result: Result) -> list[str]:
    """What was found, region by region."""
    told: list[str] = []
    subject = _everyone(result)
    for region in _list(result, "target"):
        rows = _pick(result, target=region, subject=subject, statistic="r")
        if not len(rows):
            continue
        where = region or "the units"
        best = _pick(result, target=region, subject=subject, statistic="r-best-layer")
        many = len({name for name in _list(result, "subject") if name}) > 1
        if len(best):
            row = best.iloc[0]
            how = f"the layer was chosen on {'each other' if many else ''}{'' if many else 'the training stimuli'}"
            how = "each participant's layer was chosen on the others" if many else how
            interval = format_interval(float(row["low"]), float(row["high"]))
            told.append(
                f"{row['layer']} predicts {where} best: mean r = {format_estimate(float(row['estimate']))}"
                f"{' ' + interval if interval else ''} on stimuli left out, {_name_people(result)}, "
                f"{int(row['n_units']):,} units; {how}."
            )
        else:
            for _, row in rows.iterrows():
                interval = format_interval(float(row["low"]), float(row["high"]))
                p = f", {format_p(float(row['p']))}" if np.isfinite(row["p"]) else ""
                told.append(
                    f"{row['layer']} predicts {where} with a mean r of {format_estimate(float(row['estimate']))}"
                    f"{' ' + interval if interval else ''}{p} on stimuli left out, {_name_people(result)}, "
                    f"{int(row['n_units']):,} units."
                )
    table: Any = result.table
    if "n_above_1" in table.columns:
        rows = table[(table["statistic"] == "corrected-r2") & (table["subject"] == subject)]
        above, n = int(rows["n_above_1"].sum()), int(rows["n_units"].sum())
        told.append(
            f"Corrected variance explained is above 1 in {above:,} of {n:,} pairs of unit and layer: kept, and counted."
        )
    return told


def _describe_methods(result: Result) -> str:
    """A paragraph for a paper."""
    asked = result.settings
    start = f"""Responses to {asked["n_stimuli"]} stimuli were predicted from each of {len(asked["layers"])} layers of
        {asked["model"] or "a network"}"""
    if asked["recipe"] == "published":
        return flow_text(
            f"""{start} by the procedure of Feather et al. (2023). In each of {asked["n_splits"]} random splits, half of
            the stimuli trained a ridge regression for each unit, its penalty one of 80 (10^-40 to 10^39) chosen by
            leave-one-out within the training stimuli; r² of predicted and measured responses to the other half was
            divided by the reliability of the training responses and by that of predictions from each of three runs
            (Spearman-Brown of the median of three pairs, not below the correlation that chance exceeds with p = .05).
            Values are medians over splits and over units; values above 1 were kept. Feather, J., Leclerc, G., Mądry, A.
            & McDermott, J. H. (2023). Nature Neuroscience 26, 2017-2034."""
        )
    inner = "leave-one-out" if asked["inner_folds"] is None else f"{asked['inner_folds']}-fold cross-validation"
    how = {
        "ridge": f"""by ridge regression, with a penalty for each unit chosen by {inner} within the training stimuli
            (Hoerl & Kennard, 1970)""",
        "pls": f"by partial least squares with {asked['n_components']} components",
        "banded": """from all layers jointly by banded ridge regression (Nunez-Elizalde et al., 2019) with himalaya
            (Dupré la Tour et al., 2022)""",
    }[asked["method"]]
    has_tests = asked["method"] != "banded"
    test = f"""p is one-sided: the share of {asked["n_permutations"]} random orders of the stimuli, fitted anew, with a
        mean r as large; against the largest of all layers where layers are compared. Tests and intervals are computed
        from 200 units of a region at most."""
    intervals = "Intervals are jackknife intervals over stimuli, or Student's over participants."
    return flow_text(
        f"""{start} {how}, in {asked["n_folds"]} folds of which each was predicted once from the others (seed
        {asked["seed"]}). Scores are Pearson's r, signed, averaged over folds and units. Corrected variance explained is
        r² divided by the reliability of the responses and by that of predictions made from single runs (Schoppe et al.,
        2016); values above 1 were kept. {intervals if has_tests else ""}
        {test if has_tests and asked["n_permutations"] else ""} Layers that are called best were chosen on other data
        than those that gave their r. Hoerl, A. E. & Kennard, R. W. (1970). Technometrics 12, 55-67. Schoppe, O. et al.
        (2016). Frontiers in Computational Neuroscience 10, 10."""
    )


def _plot(result: Result, ax: Axes | None = None) -> Axes:
    """Mean r at each layer, a line a region."""
    subject = _everyone(result)
    lines: dict[str, dict[str, tuple[float, float, float]]] = {}
    for region in _list(result, "target"):
        rows = _pick(result, target=region, subject=subject, statistic="r")
        lines[region] = {
            str(row["layer"]): (float(row["estimate"]), float(row["low"]), float(row["high"]))
            for _, row in rows.iterrows()
        }
    lines = {region: line for region, line in lines.items() if line}
    has_interval = any(np.isfinite(low) for line in lines.values() for _, low, _ in line.values())
    people = _name_people(result)
    over = "participants" if subject == "" and "participants" in people else "stimuli"
    words = f"line: 95 % interval over {over}; {people}" if has_interval else people
    return plot_layer_lines(lines, ax, value_name="Mean r of predicted and measured", interval=words, chance=0.0)


def _get_figure(ax: Axes) -> Figure:
    fig: Any = ax.get_figure(root=True)
    return fig


def _draw(result: Result) -> Iterator[Drawing]:
    """The layer curve, and how units are distributed."""
    yield Drawing(
        "layers", _get_figure(_plot(result)), "Mean correlation of predicted and measured responses at each layer.",
        "r is between predicted and measured responses to stimuli that the regression was not fitted to; 0 is chance.",
    )  # fmt: skip
    corrected = result.arrays.get("corrected")
    layers = _list(result, "layer")
    if corrected is not None and np.isfinite(corrected).any(axis=1).all():
        names = [name for name in result.settings["layers"] if name in layers]
        ax = plot_unit_histograms(
            dict(zip(names, corrected, strict=True)), value_name="Corrected variance explained", limit=1.0
        )
        yield Drawing(
            "units", _get_figure(ax), "Distribution over units of corrected variance explained, a row a layer.",
            "Values above 1 occur where reliabilities are low. They are kept: cutting them off would bias medians.",
        )  # fmt: skip


RESULT_KINDS.register("encode")(
    ResultKind(lambda _: "How well do layers predict responses?", _tell, _describe_methods, _plot, _draw)
)
