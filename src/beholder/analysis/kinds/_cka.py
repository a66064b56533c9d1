"""Kind of result: centred kernel alignment."""

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
from beholder.analysis.kinds._telling import format_value, get_figure, shorten_model
from beholder.figures import plot_value_matrix

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def _ask(result: Result) -> str:
    asked = result.settings
    other = (shorten_model(asked["other"]) or "another network") if asked["is_network"] else "the recordings"
    return f"Which layers of {shorten_model(asked['model']) or 'the network'} and {other} are alike (CKA)?"


def _tell(result: Result) -> list[str]:
    table: Any = result.table
    has_means = (table["statistic"] == "mean over subjects").any()
    told = table[table["statistic"] == ("mean over subjects" if has_means else "cka")]
    known = told[np.isfinite(told["estimate"])]
    if not len(known):
        return ["No CKA is defined."]
    row: Any = known.loc[known["estimate"].idxmax()]
    p = f", {format_p(float(row['p']))} for the largest of all layers" if np.isfinite(row["p"]) else ""
    who = f" of {row['subject']}" if row["subject"] else ""
    people = f", mean over {format_count(int(row['n']), 'person')}" if has_means else ""
    kind = "debiased, 0 by chance" if result.settings["debiased"] else "biased"
    return [
        f"Of {format_count(len(known), 'pair')}, {row['layer']} and {row['target']}{who} are most alike: "
        f"{format_value(row, 'CKA')} ({kind}){p}, {format_count(int(row['n_stimuli']), 'stimulus')}{people}. "
        "The pair was chosen for being the largest, on the same stimuli.",
        str(result.settings["joined"]),
    ]


def _describe(result: Result) -> str:
    asked = result.settings
    table: Any = result.table
    means: Any = table[table["statistic"] == "mean over subjects"]
    over = {str(each) for each in means["interval"]} if len(means) else set[str]()
    estimator = (
        "its debiased estimate, in which the Hilbert-Schmidt independence criterion is the unbiased U-statistic of "
        "Song, L. et al. (2012), Journal of Machine Learning Research 13, 1393-1434"
        if asked["debiased"]
        else "its biased estimate"
    )
    test = (
        f" p is the proportion of {asked['n_permutations']} random orders of the stimuli in which the largest CKA of "
        f"any layer was as large, one-sided (seed {asked['seed']})."
        if asked["n_permutations"]
        else ""
    )
    people = (", and over people, less what both count" if "both" in over else "") + (
        "; those of means over people with unlike stimuli are Student's t over people" if "subjects" in over else ""
    )
    return (
        f"Representations of {format_count(asked['n_stimuli'], 'stimulus')} "
        "were compared by linear centred kernel alignment (CKA; "
        f"Kornblith, S. et al., 2019, ICML), {estimator}. Intervals (95 %) are by leaving out one stimulus at a time"
        f"{people} (jackknife; Efron, B. & Stein, C., 1981, Annals of Statistics 9, 586-596).{test}"
    )


def _plot(result: Result, ax: Axes | None) -> Axes:
    table: Any = result.table
    rows: list[str] = list(result.settings["layers"])
    columns: list[str] = list(dict.fromkeys(table["target"]))
    means = table[table["statistic"] == "cka"].groupby(["layer", "target"], sort=False)["estimate"].mean()
    values = np.array([[means.get((row, column), np.nan) for column in columns] for row in rows], dtype=np.float64)
    asked = result.settings
    return plot_value_matrix(
        values, rows, columns, ax, row_name=shorten_model(str(asked["model"])),
        column_name=shorten_model(str(asked["other"])) if asked["is_network"] else "",
        value_name="CKA" if asked["debiased"] else "CKA, biased",
    )  # fmt: skip


def _draw(result: Result) -> Iterator[Drawing]:
    figure = get_figure(_plot(result, None))
    yield Drawing(
        "heat_map", figure, "Matrix of layers by targets, their CKA as colour",
        "Light: alike. Mean over people where there are several. Chance is 0 for debiased CKA.",
    )  # fmt: skip


RESULT_KINDS.add("cka", ResultKind(_ask, _tell, _describe, _plot, _draw))
