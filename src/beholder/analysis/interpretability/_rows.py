"""Rows of the table of interpretability."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from beholder.statistics import compare_groups, compute_bca_interval, compute_kappas, correlate_ranks, wilson_interval

UNIT, UNITS, PARTICIPANTS = "unit", "mean of units", "mean of participants"
CONFIDENCE, LAYER, DEPTH = "mean of units at confidence", "mean of units of layer", "rank correlation with depth"
NETWORKS, DIFFERENCE = "Kruskal-Wallis", "difference"
MODES, MODES_RANK = "difference of modes", "rank correlation of modes"
MACHINE, MACHINE_UNIT, MACHINE_R, MACHINE_RANK, MACHINE_KAPPA = (
    "machine mean of units", "unit of machine", "correlation with machine", "rank correlation with machine",
    "error consistency with machine",
)  # fmt: skip
_FEWEST = 5
_FEWEST_FOR_R = 6


@final
@dataclass(frozen=True)
class UnitSettings:
    """What is asked."""

    n_draws: int
    seed: int

    def measure(self, values: Any, statistic: Callable[[np.ndarray], Any] = np.mean) -> dict[str, Any]:
        """An estimate with its BCa interval over rows; without one where there are too few."""
        rows = np.asarray(values, dtype=np.float64)
        found: dict[str, Any] = {"n": len(rows), "seed": self.seed}
        estimate = float(statistic(rows)) if len(rows) else math.nan
        if len(rows) < _FEWEST or not math.isfinite(estimate):
            return found | {"estimate": estimate}
        interval = compute_bca_interval(rows, statistic, n_draws=self.n_draws, seed=self.seed)
        return found | {"estimate": interval.estimate, "low": interval.low, "high": interval.high}


def average_units(table: Any) -> Any:
    """Proportion correct of each unit in each mode: ``model, layer, unit, mode, n_right, n, share``."""
    grouped: Any = table.groupby(["model", "mode", "layer", "unit"], sort=True)["correct"].agg(["sum", "size"])
    found: Any = grouped.reset_index().rename(columns={"sum": "n_right", "size": "n_answers"})
    found["share"] = found["n_right"].astype(float) / found["n_answers"]
    return found


def iter_unit_rows(units: Any) -> Iterator[dict[str, Any]]:
    """A row a unit, with Wilson's interval."""
    low, high = wilson_interval(units["n_right"], units["n_answers"])
    for row, (a, b) in zip(units.to_dict("records"), zip(low, high, strict=True), strict=True):
        yield {
            "model": row["model"], "layer": row["layer"], "target": row["mode"], "statistic": UNIT,
            "estimate": row["share"], "low": float(a), "high": float(b), "n": row["n_answers"], "unit": row["unit"],
        }  # fmt: skip


def iter_mean_rows(
    table: Any, units: Any, orders: Mapping[str, Sequence[str]], asked: UnitSettings
) -> Iterator[dict[str, Any]]:
    """Means of units (over units), of participants (over participants), at each confidence, of each layer; depth.

    ``orders``: layers of each network in order.
    """
    for (model, mode), own in units.groupby(["model", "mode"], sort=True):
        layers = orders[str(model)]
        place = {name: index / (len(layers) - 1) if len(layers) > 1 else 0.5 for index, name in enumerate(layers)}
        answers = table[(table["model"] == model) & (table["mode"] == mode)]
        common = {"model": model, "target": mode}
        n_people = int(answers["participant"].nunique())
        more = {"n_answers": len(answers), "n_people": n_people}
        yield {**common, **more, "statistic": UNITS, **asked.measure(own["share"])}
        people: Any = answers.groupby("participant", sort=True)["correct"].mean()
        yield {**common, **more, "statistic": PARTICIPANTS, **asked.measure(people)}
        if "confidence" in answers.columns:
            for level, sure in answers[answers["confidence"].notna()].groupby("confidence", sort=True):
                shares: Any = sure.groupby("unit", sort=True)["correct"].mean()
                yield {
                    **common, "statistic": CONFIDENCE, "confidence": float(level), "n_answers": len(sure),
                    "n_people": int(sure["participant"].nunique()), **asked.measure(shares),
                }  # fmt: skip
        for layer in layers:
            shares = own[own["layer"] == layer]
            if len(shares):
                yield {
                    **common, "layer": layer, "statistic": LAYER, "depth": place[layer],
                    "n_answers": int(shares["n_answers"].sum()), **asked.measure(shares["share"]),
                }  # fmt: skip
        if own["layer"].nunique() > 1:
            depth = own["layer"].map(place).to_numpy(float)
            yield {**common, "statistic": DEPTH, **_correlate(depth, own["share"].to_numpy(float), asked, ranks=True)}


def iter_network_rows(units: Any) -> Iterator[dict[str, Any]]:
    """Networks compared by their units' proportions, in each mode."""
    for mode, own in units.groupby("mode", sort=True):
        groups = {str(model): rows["share"].to_numpy(float) for model, rows in own.groupby("model", sort=True)}
        groups = {name: values for name, values in groups.items() if len(values) > 1}
        if len(groups) < 2:
            continue
        found = compare_groups(groups)
        yield {
            "target": mode, "statistic": NETWORKS, "estimate": found.h, "p": found.p, "n": found.n, "df": found.df,
        }  # fmt: skip
        for pair in found.pairs:
            yield {
                "model": pair.first, "other": pair.second, "target": mode, "statistic": DIFFERENCE,
                "estimate": pair.difference, "p": pair.p, "p_corrected": pair.p_holm, "t": pair.t,
                "n": len(groups[pair.first]) + len(groups[pair.second]), "superiority": pair.superiority,
                "brunner_munzel": pair.brunner_munzel, "brunner_munzel_p": pair.brunner_munzel_p,
                "brunner_munzel_p_corrected": pair.brunner_munzel_p_holm,
            }  # fmt: skip


def iter_mode_rows(units: Any, asked: UnitSettings) -> Iterator[dict[str, Any]]:
    """Modes compared on the same units of a network."""
    for model, own in units.groupby("model", sort=True):
        for one, two in itertools.combinations(sorted(set(own["mode"])), 2):
            sides = [own[own["mode"] == mode].set_index("unit")["share"] for mode in (one, two)]
            both = sorted(set(sides[0].index) & set(sides[1].index))
            if len(both) < 2:
                continue
            first, second = (side.loc[both].to_numpy(float) for side in sides)
            common = {"model": model, "target": one, "other": two}
            yield {**common, "statistic": MODES, **asked.measure(first - second)}
            yield {**common, "statistic": MODES_RANK, **_correlate(first, second, asked, ranks=True)}


def iter_machine_rows(table: Any, units: Any, machine: Any, asked: UnitSettings) -> Iterator[dict[str, Any]]:
    """A machine's score of the same units, and its agreement with people: over units, and on single trials."""
    scores = average_units(machine)
    for (model, mode), own in units.groupby(["model", "mode"], sort=True):
        theirs = scores[(scores["model"] == model) & (scores["mode"] == mode)].set_index("unit")["share"]
        people = own.set_index("unit")["share"]
        both = sorted(set(people.index) & set(theirs.index))
        if not both:
            continue
        common = {"model": model, "target": mode}
        x, y = theirs.loc[both].to_numpy(float), people.loc[both].to_numpy(float)
        yield {**common, "statistic": MACHINE, **asked.measure(x)}
        for unit, score, layer in zip(both, x, own.set_index("unit")["layer"].loc[both], strict=True):
            yield {**common, "layer": layer, "statistic": MACHINE_UNIT, "unit": unit, "estimate": float(score)}
        yield {**common, "statistic": MACHINE_R, **_correlate(x, y, asked, ranks=False)}
        yield {**common, "statistic": MACHINE_RANK, **_correlate(x, y, asked, ranks=True)}
        keys = [
            each[(each["model"] == model) & (each["mode"] == mode) & (each["trial_key"] != "")]
            for each in (table, machine)
        ]
        kappas = _find_kappas(*keys)
        if len(kappas):
            yield {**common, "statistic": MACHINE_KAPPA, **asked.measure(kappas), "n_people": len(kappas)}


def _find_kappas(table: Any, machine: Any) -> np.ndarray:
    """Error consistency of each person with the machine's more frequent answer to the same trials."""
    shares: Any = machine.groupby("trial_key", sort=True)["correct"].mean()
    shares = shares[shares != 0.5]
    own = table[table["trial_key"].isin(set(shares.index))].drop_duplicates(["participant", "trial_key"])
    if not len(own):
        return np.empty(0)
    wide: Any = own.assign(correct=own["correct"].astype(float)).pivot(
        index="participant", columns="trial_key", values="correct"
    )
    verdicts = (shares.loc[list(wide.columns)].to_numpy(float) > 0.5).astype(float)
    found = compute_kappas(verdicts[None], wide.to_numpy(float))[0]
    return found[np.isfinite(found)]


def _correlate(x: np.ndarray, y: np.ndarray, asked: UnitSettings, *, ranks: bool) -> dict[str, Any]:
    """Pearson's or Spearman's correlation over units with a BCa interval and p; NaN where a side does not vary."""
    from scipy.stats import pearsonr, spearmanr

    n = len(x)
    if n < _FEWEST_FOR_R or np.ptp(x) == 0 or np.ptp(y) == 0:
        return {"estimate": math.nan, "n": n}

    def compute(rows: np.ndarray) -> float:
        value = correlate_ranks(rows[:, 0], rows[:, 1]) if ranks else _pearson(rows[:, 0], rows[:, 1])
        return 0.0 if math.isnan(value) else value

    test: Any = spearmanr(x, y) if ranks else pearsonr(x, y)
    return asked.measure(np.stack([x, y], axis=1), compute) | {"p": float(test.pvalue)}


def _pearson(x: np.ndarray, y: np.ndarray) -> float:
    left, right = x - x.mean(), y - y.mean()
    square = float((left @ left) * (right @ right))
    return float(left @ right) / math.sqrt(square) if square > 0 else math.nan
