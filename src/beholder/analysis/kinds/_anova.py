"""How analyses of variance are told and drawn."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from beholder._core.wording import flow_text, format_count
from beholder.analysis._result import (
    RESULT_KINDS,
    Drawing,
    Result,
    ResultKind,
    format_estimate,
    format_interval,
    format_p,
)
from beholder.analysis.kinds._telling import get_figure
from beholder.figures import plot_layer_lines

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_VALUES = {"correct": "Proportion correct", "rt": "Response time (s)", "confidence": "Confidence"}
_PEOPLE = ("human", "humans", "people", "person", "participants")


def _ask(result: Result) -> str:
    factors = _list_factors(result.settings["designs"][0])
    if "observer" in factors and len(factors) > 1:
        other = next(name for name in factors if name != "observer")
        return f"Do people and the network differ, and otherwise at each {other}?"
    value = str(result.settings["value"])
    return f"Does {value if value not in _VALUES else _VALUES[value].lower()} differ with {' and '.join(factors)}?"


def _list_factors(design: dict[str, Any]) -> list[str]:
    return [name for name, _ in (*design["between"], *design["within"])]


def _own(result: Result, design: dict[str, Any], statistic: str) -> Any:
    table: Any = result.table
    return table[(table["model"] == design["name"]) & (table["statistic"] == statistic)]


def _tell(result: Result) -> list[str]:
    """A sentence for each design: its interaction first, then the other effects."""
    told: list[str] = []
    for design in result.settings["designs"]:
        rows = [row for row in _own(result, design, "F").to_dict("records") if row["effect"] != "(Intercept)"]
        rows.sort(key=lambda row: -row["effect"].count(":"))
        parts = "; ".join(_tell_effect(row) for row in rows)
        who = f"{design['name']}: " if design["name"] else ""
        told.append(f"{who}{parts}; n = {_tell_n(design)}.")
    return [*told, *result.settings["read"]]


def _tell_effect(row: dict[str, Any]) -> str:
    name = row["effect"].replace(":", " × ")
    if math.isnan(row["estimate"]):
        return f"{name}: not defined, since nothing varies"
    p, epsilon, corrected = row["p"], row["epsilon_gg"], ""
    if epsilon < 1:
        p, corrected = row["p_gg"], f" (Greenhouse-Geisser, ε = {format_estimate(epsilon)})"
    eta = f"{format_estimate(row['partial_eta_squared'])} {format_interval(row['eta_low'], row['eta_high'])}".strip()
    permuted = row["p_permutation"]
    drawn = "" if math.isnan(permuted) else f", {format_p(permuted)} by permutation"
    value = f"{row['estimate']:,.2f}" if math.isfinite(row["estimate"]) else "infinite"
    return f"{name}: F({row['df_1']:g}, {row['df_2']:g}) = {value}, {format_p(p)}{corrected}{drawn}, partial η² = {eta}"


def _tell_n(design: dict[str, Any]) -> str:
    if "observer" in dict(design["between"]):
        return f"{format_count(design['n_rows'], 'row')}"
    return format_count(design["n_rows"], "participant") if design["within"] else f"{design['n_rows']} observations"


def _describe_methods(result: Result) -> str:
    """A paragraph for a paper."""
    asked = result.settings
    kinds = " and ".join(dict.fromkeys(each["kind"] for each in asked["designs"]))
    first = asked["designs"][0]
    factors = [f"{name} between" for name, _ in first["between"]] + [f"{name} within" for name, _ in first["within"]]
    what = _VALUES.get(asked["value"], str(asked["value"]))
    within, permutes = (any(each[name] for each in asked["designs"]) for name in ("within", "permuted"))
    paired = (
        """The two rows of a participant's stimuli, the participant's own and the network's, were taken as a pair."""
        if asked["paired"]
        else ""
    )
    corrected = (
        """Degrees of freedom of effects within were corrected by Greenhouse and Geisser's epsilon of the covariance
        pooled within groups (1959); Huynh and Feldt's, as corrected by Lecoutre (1991), and the lower bound are in the
        table, with Mauchly's test of sphericity."""
        if within
        else ""
    )
    permuted = (
        f"""Permutation p are (1 + k) / (1 + N) of N =
        {format_count(asked["n_permutations"], "permutation")}: of the labels of rows
        for the factor between observers, of labels and of the places within each row for the interaction (Feather et
        al., 2023; seed {asked["seed"]})."""
        if permutes
        else ""
    )
    cited = ["Steiger, J. H. (2004). Psychological Methods 9, 164-182.", "Winer, B. J., Brown, D. R. & Michels, K. M. "
             "(1991). Statistical principles in experimental design. McGraw-Hill."]  # fmt: skip
    if within:
        cited += ["Greenhouse, S. W. & Geisser, S. (1959). Psychometrika 24, 95-112.",
                  "Lecoutre, B. (1991). Journal of Educational Statistics 16, 371-372."]  # fmt: skip
    if permutes:
        cited.append("Feather, J. et al. (2023). Nature Neuroscience 26, 2017-2034.")
    return flow_text(
        f"""{what} was compared by {kinds} analysis of variance ({", ".join(factors)} participants; sums of squares of
        type III; Winer et al., 1991). {paired} {corrected} {permuted} Intervals of partial eta squared are 95 %, from
        the noncentral F distribution (Steiger, 2004); those of means are Student's t over rows. References:
        {" ".join(sorted(cited))}"""
    )


def _plot(result: Result, ax: Axes | None = None, place: int = 0) -> Axes:
    """Means with intervals over the levels of the longest factor, a line for each level of the others."""
    design = result.settings["designs"][place]
    groups: dict[str, list[str]] = dict([*design["between"], *design["within"]])
    along = max((name for name, _ in design["within"] or design["between"]), key=lambda name: len(groups[name]))
    means = _own(result, design, "mean").to_dict("records")
    lines: dict[str, dict[str, tuple[float, float, float]]] = {}
    for levels, row in zip(itertools.product(*groups.values()), means, strict=True):
        cell = dict(zip(groups, levels, strict=True))
        name = ", ".join(level for factor, level in cell.items() if factor != along)
        if math.isfinite(row["estimate"]):
            lines.setdefault(name, {})[cell[along]] = (row["estimate"], row["low"], row["high"])
    n = sorted({row["n"] for row in means if row["n"]})
    words = f"line: 95 % interval over rows, n = {n[0]}" + (f" to {n[-1]}" if len(n) > 1 else "")
    return plot_layer_lines(
        lines, ax, value_name=_VALUES.get(str(result.settings["value"]), str(result.settings["value"])), interval=words,
        place_name=along.capitalize(), people=[name for name in lines if name.casefold() in _PEOPLE],
    )  # fmt: skip


def _draw(result: Result) -> Iterator[Drawing]:
    """A picture of the means of each design."""
    for place, design in enumerate(result.settings["designs"]):
        ax = _plot(result, None, place)
        if len(result.settings["designs"]) > 1:
            ax.set_title(design["name"], fontsize=8, loc="left", y=1.08)  # pyright: ignore[reportUnknownMemberType]
        figure = get_figure(ax)
        yield Drawing(
            f"means_{place}" if place else "means", figure,
            f"Means of {', '.join(_list_factors(design))}, with intervals." + _tell_name(design),
            "Mean of each cell over its rows. Differences within participants can be clear where intervals overlap.",
        )  # fmt: skip


def _tell_name(design: dict[str, Any]) -> str:
    return f" {design['name']}." if design["name"] else ""


def _plot_first(result: Result, ax: Axes | None) -> Axes:
    return _plot(result, ax)


RESULT_KINDS.add("anova", ResultKind(_ask, _tell, _describe_methods, _plot_first, _draw))
