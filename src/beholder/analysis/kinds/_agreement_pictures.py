"""Pictures of an agreement, from the result alone."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from beholder._core.wording import format_count
from beholder.analysis._result import Drawing, Result
from beholder.analysis.kinds._agreement_words import CEILING, CONFUSIONS, KAPPA, MEAN, PAIR, pick_rows
from beholder.analysis.kinds._telling import get_figure
from beholder.figures import color_networks, plot_estimates, plot_layer_lines, plot_value_matrix

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PEOPLE = "people with one another"
_NAMES = {KAPPA: "Error consistency (κ)", CONFUSIONS: "Correlation of confusions (r)"}
_MOST_ROWS = 60


def plot_agreement(result: Result, ax: Axes | None = None) -> Axes:
    """Error consistency of each network with people; without people, the matrix of all observers."""
    if not result.settings["people"]:
        return _plot_matrix(result, ax)
    return _plot_means(result, KAPPA, ax)


def draw_agreement(result: Result) -> Iterator[Drawing]:
    """All pictures."""
    asked = result.settings
    if asked["people"] and _has_means(result, KAPPA):
        yield Drawing(
            "kappas", get_figure(_plot_means(result, KAPPA, None)), "Error consistency of each network with people",
            "Dots with lines: means and 95 % intervals; small dots: single people; pale bar: what accuracies allow; "
            "band: people with one another, their interval.",
        )  # fmt: skip
        if len(asked["conditions"]) > 1:
            yield Drawing(
                "conditions", get_figure(_plot_conditions(result)), "Error consistency over conditions",
                "Black: people with one another. Where all are right or all wrong little can be told.",
            )  # fmt: skip
    if len(asked["people"]) + len(asked["networks"]) > 2 or not asked["people"]:
        yield Drawing(
            "matrix", get_figure(_plot_matrix(result, None)), "Matrix of error consistency of all observers",
            "Every observer with every other, the mean over conditions. Light: they fail on the same stimuli.",
        )  # fmt: skip
    if _has_means(result, CONFUSIONS):
        yield Drawing(
            "confusions", get_figure(_plot_means(result, CONFUSIONS, None)),
            "Correlation of wrong answers with those of people",
            "Correlation of wrong answers with those of all people but one; band: of one person with the others.",
        )  # fmt: skip


def _has_means(result: Result, method: str) -> bool:
    return any(pick_rows(result, statistic, method)["estimate"].notna().any() for statistic in (MEAN, CEILING))


def _plot_means(result: Result, method: str, ax: Axes | None) -> Axes:
    ceiling = pick_rows(result, CEILING, method).to_dict("records")
    means = pick_rows(result, MEAN, method).sort_values("estimate", ascending=False, kind="stable")
    singles = _list_singles(result) if method == KAPPA else {}
    rows = ceiling + means.to_dict("records")[:_MOST_ROWS]
    names = [str(row["model"]) or PEOPLE for row in rows]
    networks = names[len(ceiling) :]
    colors = color_networks(networks)
    ranges = {name: (row["low_bound"], row["high_bound"]) for name, row in zip(names, rows, strict=True)
              if row["model"] and method == KAPPA}  # fmt: skip
    asked = result.settings
    interval = (
        f"mean and 95 % interval,\nn = {format_count(len(asked['people']), 'person')}, "
        f"{format_count(asked['n_stimuli'], 'stimulus')}"
    )
    band = (ceiling[0]["low"], ceiling[0]["high"]) if ceiling and networks else None
    return plot_estimates(
        {name: (row["estimate"], row["low"], row["high"]) for name, row in zip(names, rows, strict=True)}, ax,
        value_name=_NAMES[method], interval=interval + ("\npale bar: what accuracies allow" if ranges else ""),
        reference=0, reference_name="chance 0", single={name: singles.get(name, []) for name in names},
        colors=colors, ranges=ranges, band=band,
    )  # fmt: skip


def _list_singles(result: Result) -> dict[str, list[float]]:
    """Of each network, and of people with all others, means over conditions of single people."""
    table: Any = result.table
    pairs = table[(table["statistic"] == PAIR) & table["estimate"].notna()]
    found: dict[str, list[float]] = {}
    with_people = pairs[(pairs["model"] != "") & (pairs["subject"] != "")]
    for model, own in with_people.groupby("model", sort=False):
        found[str(model)] = [float(each) for each in own.groupby("subject", sort=False)["estimate"].mean()]
    among = pairs[pairs["model"] == ""]
    for who in result.settings["people"]:
        own = among[(among["subject"] == who) | (among["other"] == who)]
        if len(own):
            found.setdefault(PEOPLE, []).append(float(own["estimate"].mean()))
    return found


def _plot_conditions(result: Result) -> Axes:
    table: Any = result.table
    conditions = [str(each) for each in result.settings["conditions"]]
    own = table[(table["method"] == KAPPA) & table["target"].isin(conditions)]
    order = pick_rows(result, MEAN).sort_values("estimate", ascending=False, kind="stable")["model"]
    chosen = [(PEOPLE, own[own["statistic"] == CEILING])]
    chosen += [(str(each), own[(own["statistic"] == MEAN) & (own["model"] == each)]) for each in order]
    lines = {
        name: {str(row["target"]): (row["estimate"], row["low"], row["high"]) for row in rows.to_dict("records")}
        for name, rows in chosen[: _MOST_ROWS + 1]
        if len(rows)
    }
    note = f"mean and 95 % interval; n = {format_count(len(result.settings['people']), 'person')}"
    return plot_layer_lines(
        lines, value_name=_NAMES[KAPPA], interval=note, chance=0, place_name="Condition", people=[PEOPLE]
    )


def _plot_matrix(result: Result, ax: Axes | None) -> Axes:
    """Means over conditions of every two observers."""
    table: Any = result.table
    names = [str(each) for each in (*result.settings["people"], *result.settings["networks"])][:_MOST_ROWS]
    place = {name: index for index, name in enumerate(names)}
    pairs = table[table["statistic"] == PAIR]
    sums, counts = np.zeros((len(names),) * 2), np.zeros((len(names),) * 2)
    for row in pairs.to_dict("records"):
        a, b = [str(row[name]) for name in ("model", "subject", "other") if row[name]]
        value = float(row["estimate"])
        if a in place and b in place and math.isfinite(value):
            for i, j in ((place[a], place[b]), (place[b], place[a])):
                sums[i, j] += value
                counts[i, j] += 1
    values = np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
    return plot_value_matrix(values, names, names, ax, value_name="Error consistency (κ)")
