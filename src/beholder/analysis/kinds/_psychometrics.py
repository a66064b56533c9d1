"""Kind of result: thresholds, sensitivity, response times."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from beholder._core.wording import format_count
from beholder.analysis._result import RESULT_KINDS, Drawing, Result, ResultKind
from beholder.analysis.kinds._psychometrics_words import (
    ask_psychometrics,
    describe_psychometrics,
    name_condition,
    tell_psychometrics,
)
from beholder.analysis.kinds._telling import get_figure, pick_rows
from beholder.analysis.people._levels import LevelScale
from beholder.analysis.people._thresholds import POOLED
from beholder.figures import PsychometricCurve, color_networks, plot_estimates, plot_psychometrics

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST_PANELS = 8
_N_POINTS = 201
_MEASURES = {
    "d'": "Sensitivity d'", "criterion": "Criterion c (above 0: no is said more readily)",
    "median response time, right answers": "Response time (s), median of right answers",
}  # fmt: skip


def _plot(result: Result, ax: Axes | None = None) -> Axes:
    """Functions in the first condition; without levels the first measure."""
    if "counts level" in result.arrays:
        fig = _draw_panels(result, ax)
        return ax if ax is not None else fig.axes[0]
    for name in _MEASURES:
        if pick_rows(result, name):
            return _plot_measure(result, name, ax)
    return _plot_measure(result, "estimate of the procedure", ax)


def _draw(result: Result) -> Iterator[Drawing]:
    """Panels of functions, thresholds by condition, sensitivity, response times."""
    if "counts level" in result.arrays:
        yield Drawing(
            "functions", _draw_panels(result), "Proportion of right answers at each level, with fitted functions.",
            "Black: people together, thin grey lines each of them; colours: networks. Dotted: thresholds.",
        )  # fmt: skip
    for name, end in (("threshold", "thresholds"), ("d'", "sensitivity"), ("criterion", "criterion"),
                      ("median response time, right answers", "times")):  # fmt: skip
        rows = [row for row in pick_rows(result, name) if math.isfinite(row["estimate"])]
        rows = [row for row in rows if name != "threshold" or row["inside"]]
        if rows and (name != "threshold" or len({row["target"] for row in rows}) > 1 or len(rows) > 2):
            figure = get_figure(_plot_measure(result, name))
            yield Drawing(
                end, figure, f"{name} in each condition, with intervals.",
                "Black: mean over people with its interval; grey: each of them; colours: networks.",
            )  # fmt: skip


def _draw_panels(result: Result, ax: Axes | None = None) -> Figure:
    import numpy as np

    asked = result.settings
    counts = {name.removeprefix("counts "): array for name, array in result.arrays.items()}
    everywhere = list(dict.fromkeys(counts["condition"].tolist()))
    conditions = everywhere[:_MOST_PANELS]
    scale = LevelScale(asked["scale"] == "log", bool(asked["falling"]))
    fits = {(row["model"] or row["subject"], row["target"]): row for row in pick_rows(result, "threshold")}
    panels: dict[str, dict[str, PsychometricCurve]] = {}
    for condition in conditions:
        here = counts["condition"] == condition
        ends = float(counts["level"][here].min()), float(counts["level"][here].max())
        x = np.geomspace(*ends, _N_POINTS) if scale.log else np.linspace(*ends, _N_POINTS)
        panel: dict[str, PsychometricCurve] = {}
        people = here & ~counts["network"].astype(bool)
        own = list(dict.fromkeys(counts["observer"][people].tolist()))
        if own:
            name = POOLED if len(own) > 1 else own[0]
            single = [_predict(fits.get((each, condition)), x, scale) for each in own] if len(own) > 1 else []
            panel["people" if len(own) > 1 else name] = _make_curve(
                counts, people, fits.get((name, condition)), x, scale, [each for each in single if len(each)]
            )
        for network in asked["networks"]:
            chosen = here & (counts["observer"] == network)
            if chosen.any():
                panel[network] = _make_curve(counts, chosen, fits.get((network, condition)), x, scale, [], people=False)
        panels[condition] = panel
    n = len({*counts["observer"][~counts["network"].astype(bool)].tolist()})
    who = "line: 95 % interval over people" if n > 1 else "line: 95 % interval (Wilson)"
    note = (
        f"{who}, n = {n}; {format_count(int(counts['n_shown'].sum()), 'answer')}"
        if n
        else "line: 95 % interval (Wilson)"
    )
    if len(everywhere) > len(conditions):
        note += f"; the first {len(conditions)} of {format_count(len(everywhere), 'condition')}"
    level = "Level (log scale)" if scale.log else "Level"
    return plot_psychometrics(
        panels, ax, level_name=level, note=note, chance=float(asked["guess"]) or None, log=scale.log
    )


def _make_curve(
    counts: dict[str, np.ndarray], chosen: np.ndarray, fit: dict[str, Any] | None, x: np.ndarray, scale: LevelScale,
    single: list[np.ndarray], *, people: bool = True,
) -> PsychometricCurve:  # fmt: skip
    """Dots with intervals (over people where there are several, else Wilson's) and the curve of a fit."""
    import numpy as np

    from beholder.statistics import compute_mean_interval, wilson_interval

    levels = np.unique(counts["level"][chosen])
    several = len(set(counts["observer"][chosen].tolist())) > 1
    proportions: list[tuple[float, float, float]] = []
    for level in levels:
        own = chosen & (counts["level"] == level)
        right, shown = counts["n_right"][own], counts["n_shown"][own]
        if several:
            mean = compute_mean_interval(right / shown, (0, 1))
            proportions.append((mean.estimate, mean.low, mean.high))
        else:
            low, high = wilson_interval(right.sum(), shown.sum())
            proportions.append((float(right.sum() / shown.sum()), float(low), float(high)))
    values, low, high = np.array(proportions).T
    y = _predict(fit, x, scale)
    threshold = float(fit["estimate"]) if fit is not None and fit["inside"] else math.nan
    at = float(_predict(fit, np.array([threshold]), scale)[0]) if math.isfinite(threshold) and len(y) else math.nan
    return PsychometricCurve(levels, values, low, high, x if len(y) else y, y, threshold, at, people, single)


def _predict(fit: dict[str, Any] | None, x: np.ndarray, scale: LevelScale) -> np.ndarray:
    import numpy as np

    from beholder.statistics import PsychometricFit

    if fit is None or not math.isfinite(fit["at"]):
        return np.empty(0)
    made = PsychometricFit(
        fit["at"],
        fit["width"],
        fit["guess"],
        fit["lapse"],
        0.0,
        0.0,
        fit["method"],
        int(fit["n_levels"]),
        int(fit["n"]),
    )
    return made.predict(scale.apply(x))


def _plot_measure(result: Result, name: str, ax: Axes | None = None) -> Axes:
    """A measure in each condition: mean over people with dots of each, networks in their colours."""
    rows = [row for row in pick_rows(result, name) if row["subject"] != POOLED]
    n_all, conditions = len(rows), list(dict.fromkeys(row["target"] for row in rows))
    if name == "threshold":
        rows = [row for row in rows if row["inside"]]
    means = {row["target"]: row for row in pick_rows(result, f"mean {name}")}
    networks: list[str] = result.settings["networks"]
    colors_of = color_networks(networks)
    shown: dict[str, tuple[float, float, float]] = {}
    single: dict[str, list[float]] = {}
    colors: dict[str, str] = {}
    for condition in conditions:
        here = [row for row in rows if row["target"] == condition]
        people = [row for row in here if not row["model"]]
        label = name_condition(condition)
        if condition in means and people:
            mean = means[condition]
            key = ", ".join(each for each in ("people", label) if each)
            shown[key] = (mean["estimate"], mean["low"], mean["high"])
            single[key] = [row["estimate"] for row in people if math.isfinite(row["estimate"])]
            people = []
        for row in [*people, *(row for row in here if row["model"])]:
            key = ", ".join(each for each in (row["model"] or row["subject"], label) if each)
            if math.isfinite(row["estimate"]):
                shown[key] = (row["estimate"], row["low"], row["high"])
                colors |= {key: colors_of[row["model"]]} if row["model"] else {}
    words = "Threshold (level)" if "threshold" in name or "procedure" in name else _MEASURES[name]
    n = max((int(row["n"]) for row in means.values()), default=0)
    interval = "line: 95 % interval" + (f" (people: over n = {n})" if n else "")
    if len(rows) < n_all:
        interval += f",\n{n_all - len(rows)} without one inside the levels are not drawn"
    drawn = plot_estimates(shown, ax, value_name=words, interval=interval, single=single, colors=colors)
    if name == "threshold" and "counts level" in result.arrays:  # intervals may have no end to speak of
        levels = result.arrays["counts level"]
        margin = 0.1 * float(levels.max() - levels.min())
        low, high = drawn.get_xlim()
        drawn.set_xlim(max(low, float(levels.min()) - margin), min(high, float(levels.max()) + margin))
    return drawn


RESULT_KINDS.add(
    "psychometrics", ResultKind(ask_psychometrics, tell_psychometrics, describe_psychometrics, _plot, _draw)
)
