"""Kind of result: several RDMs together."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from beholder.analysis._result import (
    RESULT_KINDS,
    Drawing,
    Result,
    ResultKind,
    format_estimate,
    format_p,
)
from beholder.analysis.distances._registry import DISTANCES
from beholder.analysis.kinds._telling import format_value, get_figure
from beholder.figures import ModelScore, plot_model_scores, plot_value_matrix

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST_DRAWN = 6
_LEAST_PART = 0.005
_SCORES = ("single model", "best single model", "unweighted sum", "weighted sum")


def _ask(result: Result) -> str:
    models = list(result.settings["models"])
    which = " and ".join(models) if len(models) < 4 else f"{len(models)} models"
    return f"Do {which} together explain what none of them does alone?"


def _over_people(result: Result, target: str) -> Any:
    """Rows of a target over people, or of the only person."""
    table: Any = result.table
    own = table[table["target"] == target]
    means = own[own["subject"] == ""]
    return means if len(means) else own


def _targets(result: Result) -> list[str]:
    table: Any = result.table
    return [str(each) for each in dict.fromkeys(table["target"])]


def _tell(result: Result) -> list[str]:
    told: list[str] = []
    symbol = "r" if result.settings["method"] == "pearson" else "rank r"
    for target in _targets(result):
        rows = _over_people(result, target).set_index("statistic")
        together, best, gain = (rows.loc[name] for name in ("weighted sum", "best single model", "gain"))
        p = f", {format_p(float(together['p']))}" if np.isfinite(together["p"]) else ""
        p_gain = f", {format_p(float(gain['p']))}" if np.isfinite(gain["p"]) else ""
        told.append(
            f"{target}: on stimuli left out, the weighted sum has {symbol} = {format_value(together)}{p}; the best "
            f"single model ({best['chosen']}, chosen on the other stimuli) {format_value(best)}; the gain is "
            f"{format_value(gain)}{p_gain}."
        )
        if "variance total" in rows.index:
            told.append(_tell_parts(target, rows))
    return [*told, str(result.settings["joined"])]


def _tell_parts(target: str, rows: Any) -> str:
    found = rows.loc[["variance shared"]]
    total = format_estimate(float(rows.loc["variance total"]["estimate"]))
    told = ", ".join(
        f"{' and '.join(names)} {'together' if len(names) > 1 else 'alone'} {format_estimate(float(value))}"
        for names, value in zip((str(each).split(" & ") for each in found["layer"]), found["estimate"], strict=True)
        if abs(value) >= _LEAST_PART
    )
    n_small = int((found["estimate"].abs() < _LEAST_PART).sum())
    told += f"{', ' if told else ''}{n_small} further parts less than .005 each" if n_small else ""
    return f"{target}: of its variance the models explain {total}: {told}. These proportions describe and do not test."


def _describe(result: Result) -> str:
    asked = result.settings
    recorded = asked["recorded_distance"]
    table: Any = result.table
    parts = [
        f"RDMs of {asked['n_stimuli']} stimuli ({DISTANCES[asked['distance']].words}"
        + ("" if recorded == asked["distance"] else f"; of recordings {DISTANCES[recorded].words}")
        + f") were predicted by {len(asked['models'])} models ({', '.join(asked['models'])}) together: by their sum "
        "with weights of 0 or more, fitted by least squares, and by their unweighted sum, each scaled to a standard "
        f"deviation of 1 (Khaligh-Razavi & Kriegeskorte, 2014, PLoS Comput. Biol. 10:e1003915). Stimuli "
        f"were dealt into {asked['n_folds']} folds {asked['n_repeats']} times; weights were fitted to pairs outside of "
        f"a fold and scored by {'Pearson' if asked['method'] == 'pearson' else 'rank'} correlation on pairs inside of "
        "it, and so was the single model that did best outside of it.",
    ]  # fmt: skip
    if asked["n_permutations"]:
        parts.append(
            f"p of the weighted sum is from {asked['n_permutations']} orders of the stimuli, one-sided, all weights "
            "fitted anew; that of its gain from flipped signs of people, one-sided."
        )
    if (table["statistic"] == "variance total").any():
        parts.append(
            "Variance was divided by commonality analysis of R² "
            + ("of ranks " if asked["method"] == "spearman" else "")
            + "(Groen, I. I. A. et al., 2018, eLife 7:e32962)."
        )
    return " ".join([*parts, f"Seed {asked['seed']}."])


def _list_scores(result: Result, target: str) -> dict[str, ModelScore]:
    table: Any = result.table
    rows = _over_people(result, target)
    single = table[(table["target"] == target) & (table["subject"] != "")]
    found: dict[str, ModelScore] = {}
    for row in rows[rows["statistic"].isin(_SCORES)].to_dict("records"):
        own = single[(single["statistic"] == row["statistic"]) & (single["layer"] == row["layer"])]["estimate"]
        name = row["layer"] if row["statistic"] == "single model" else row["statistic"]
        people = own.to_numpy() if len(own) > 1 else np.empty(0)
        is_sum = row["statistic"].endswith(" sum")
        found[name] = ModelScore(row["estimate"], row["low"], row["high"], people, is_sum)
    return {name: score for name, score in found.items() if not score.is_sum} | {
        name: score for name, score in found.items() if score.is_sum
    }


def _plot(result: Result, ax: Axes | None) -> Axes:
    target = _targets(result)[0]
    kind = "r" if result.settings["method"] == "pearson" else "rank r"
    return plot_model_scores(
        _list_scores(result, target), ax, name=f"Agreement on stimuli left out ({kind})", title=target
    )


def _draw(result: Result) -> Iterator[Drawing]:
    kind = "r" if result.settings["method"] == "pearson" else "rank r"
    for number, target in enumerate(_targets(result)[:_MOST_DRAWN]):
        scores = _list_scores(result, target)
        ax = plot_model_scores(scores, name=f"Agreement on stimuli left out ({kind})", title=target)
        told = ", ".join(f"{name} {score.value:.2f}" for name, score in scores.items())
        yield Drawing(
            f"scores_{number + 1}", get_figure(ax), f"Scores for {target}: {told}",
            "Dots with lines: mean over people and its 95 % interval; small dots: single people. Orange: sums of all "
            "models. The best single model was chosen on the other stimuli; chance is 0.",
        )  # fmt: skip
    table: Any = result.table
    if (table["statistic"] == "variance shared").any():
        targets = _targets(result)
        rows = [_over_people(result, target) for target in targets]
        variances = [each[each["statistic"] == "variance shared"].set_index("layer")["estimate"] for each in rows]
        parts = list(variances[0].index)
        values = np.array([[each[part] for each in variances] for part in parts], dtype=np.float64)
        ax = plot_value_matrix(values, parts, targets, value_name="Proportion of variance")
        yield Drawing(
            "variance", get_figure(ax), "Matrix of proportions of variance by models and targets",
            "What a model explains alone, and what models explain in common and no others do. A proportion below 0 is "
            "one that another model suppresses.",
        )  # fmt: skip


RESULT_KINDS.add("combine", ResultKind(_ask, _tell, _describe, _plot, _draw))
