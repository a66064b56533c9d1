"""Psychometric functions of observers in conditions, as rows of a result."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, final

import numpy as np

from beholder._core.seeds import derive_seed
from beholder.analysis.people._levels import Counts, LevelScale, pool_counts
from beholder.statistics import (
    PsychometricBootstrap,
    PsychometricFit,
    bootstrap_psychometric,
    bootstrap_psychometrics,
    compute_mean_interval,
    correct_holm,
    fit_psychometric,
    fit_psychometrics,
)

Lapse = float | Literal["free", "shared"]
POOLED = "all people"
_MOST_NOTES = 8
_BAD_FIT = 0.01


@final
@dataclass(frozen=True)
class FitSettings:
    """How functions are fitted.

    ``function`` (``logit``, ``probit``, ``gumbel``), ``guess``, ``lapse``, ``prior``; ``p_correct`` of the threshold,
    None for the midpoint; ``n_draws`` and ``seed`` of the bootstrap.
    """

    function: str
    guess: float
    lapse: Lapse
    prior: Literal["none", "weak"]
    p_correct: float | None
    n_draws: int
    seed: int


def fit_thresholds(
    counts: Sequence[Counts], scale: LevelScale, how: FitSettings
) -> tuple[list[dict[str, Any]], list[str]]:
    """Rows of the result, and notes on what the answers do not tell.

    Parameters
    ----------
    counts : sequence of Counts
        Of all observers and conditions.
    scale : LevelScale
    how : FitSettings
    """
    rows: list[dict[str, Any]] = []
    notes: list[str] = []
    conditions = list(dict.fromkeys(each.condition for each in counts))
    people = [each for each in counts if not each.is_network]
    own = list(counts)
    if len({each.observer for each in people}) > 1:
        for condition in conditions:
            there = [each for each in people if each.condition == condition]
            own += [pool_counts(there, POOLED)] if there else []
    for observer in dict.fromkeys(each.observer for each in own):
        mine = [each for each in own if each.observer == observer]
        short = [each for each in mine if len(each.levels) < 2]
        if short:
            notes.append(_name(short[0]) + "one level alone tells no threshold.")
        for each, fit, drawn in _fit_observer([each for each in mine if len(each.levels) > 1], scale, how):
            made = _make_rows(each, fit, drawn, scale, how)
            rows += made
            notes += [f"{_name(each)}{warning}." for warning in _list_warnings(each, fit, made[0], how)]
    rows += _average(rows, conditions, scale)
    if len(notes) > _MOST_NOTES:
        notes = [*notes[:_MOST_NOTES], f"{len(notes) - _MOST_NOTES} further fits have such notes: see the table."]
    return rows, notes


def _list_warnings(counts: Counts, fit: PsychometricFit, threshold: dict[str, Any], how: FitSettings) -> list[str]:
    """What the answers do not tell, in units of levels."""
    told = [warning for warning in fit.warnings if not warning.startswith("the threshold")]
    value = threshold["estimate"]
    if math.isnan(value) and not math.isnan(fit.threshold):
        told.append(f"{100 * (how.p_correct or 0):.3g} % right are never reached")
    elif not math.isnan(value) and not threshold["inside"]:
        ends = f"{counts.levels.min():g} to {counts.levels.max():g}"
        told.append(f"the threshold {value:.3g} lies outside the levels {ends}")
    p = threshold["p_fit"]
    if p is not None and p < _BAD_FIT:
        told.append(
            f"the function does not fit (deviance {fit.deviance:.3g}, p = {p:.2g}); another one, or --lapse free"
        )
    return told


def _name(counts: Counts) -> str:
    return f"{counts.observer}{f' in {counts.condition}' if counts.condition else ''}: "


def _fit_observer(
    counts: Sequence[Counts], scale: LevelScale, how: FitSettings
) -> list[tuple[Counts, PsychometricFit, PsychometricBootstrap | None]]:
    """Fits of all conditions of one observer, with draws where the answers tell a threshold."""
    if not counts:
        return []
    xs = [scale.apply(each.levels) for each in counts]
    right, shown = [each.n_right for each in counts], [each.n_shown for each in counts]
    seed = derive_seed(how.seed, counts[0].observer)
    if how.lapse == "shared" and len(counts) > 1:
        fits = fit_psychometrics(xs, right, shown, how.function, how.guess, prior=how.prior)
        if how.n_draws and not any(math.isnan(fit.threshold) for fit in fits):
            drawn: list[PsychometricBootstrap | None] = list(
                bootstrap_psychometrics(fits, xs, right, shown, prior=how.prior, n_draws=how.n_draws, seed=seed)
            )
            return list(zip(counts, fits, drawn, strict=True))
        return [(each, fit, None) for each, fit in zip(counts, fits, strict=True)]
    lapse: float | Literal["free"] = "free" if isinstance(how.lapse, str) else how.lapse
    found: list[tuple[Counts, PsychometricFit, PsychometricBootstrap | None]] = []
    for each, x in zip(counts, xs, strict=True):
        given = (x, each.n_right, each.n_shown)
        fit = fit_psychometric(*given, how.function, how.guess, lapse, prior=how.prior)
        known = how.n_draws and not math.isnan(fit.threshold)
        own_seed = derive_seed(seed, each.condition)
        found.append(
            (each, fit, bootstrap_psychometric(fit, *given, lapse=lapse, prior=how.prior, n_draws=how.n_draws,
                                               seed=own_seed) if known else None)
        )  # fmt: skip
    return found


def _make_rows(
    counts: Counts, fit: PsychometricFit, drawn: PsychometricBootstrap | None, scale: LevelScale, how: FitSettings
) -> list[dict[str, Any]]:
    x, ends = fit.threshold, (math.nan, math.nan)
    if how.p_correct is not None and not math.isnan(x):
        reached = fit.guess < how.p_correct < 1 - fit.lapse
        x = fit.find_level(how.p_correct) if reached else math.nan
    if drawn is not None:
        values = drawn.threshold if how.p_correct is None else drawn.find_levels(fit, how.p_correct)
        known = values[np.isfinite(values)]
        if len(known) == len(values):
            ends = scale.invert_ends(*(float(end) for end in np.percentile(known, (2.5, 97.5))))
    moved = scale.apply(counts.levels)
    shared: dict[str, Any] = {
        "model": counts.observer if counts.is_network else "", "subject": "" if counts.is_network else counts.observer,
        "target": counts.condition, "method": fit.function, "n": counts.n, "seed": how.seed,
    }  # fmt: skip
    threshold = shared | {
        "statistic": "threshold", "estimate": float(scale.invert(x)), "low": ends[0], "high": ends[1],
        "at": fit.threshold, "width": fit.width, "guess": fit.guess, "lapse": fit.lapse, "deviance": fit.deviance,
        "p_fit": None if drawn is None else drawn.p, "n_levels": fit.n_levels,
        "inside": bool(not math.isnan(x) and moved.min() <= x <= moved.max()),
    }  # fmt: skip
    rows: list[dict[str, Any]] = [threshold]
    for name, value in (("width", fit.width), ("lapse", fit.lapse)):
        if name == "lapse" and not isinstance(how.lapse, str):
            continue
        low, high = (math.nan, math.nan) if drawn is None else drawn.interval(name)
        told = math.nan if math.isnan(fit.threshold) else value
        rows.append(shared | {"statistic": {"lapse": "lapse rate"}.get(name, name), "estimate": told, "low": low,
                              "high": high})  # fmt: skip
    return rows


def _average(rows: Sequence[dict[str, Any]], conditions: Sequence[str], scale: LevelScale) -> list[dict[str, Any]]:
    """Mean thresholds over people, and differences between conditions within people."""
    own: dict[str, dict[str, float]] = {condition: {} for condition in conditions}
    told: dict[str, int] = dict.fromkeys(conditions, 0)
    for row in rows:
        if row["statistic"] == "threshold" and row["subject"] not in ("", POOLED):
            told[row["target"]] += 1
            if row["inside"]:
                own[row["target"]][row["subject"]] = float(scale.apply(row["estimate"]))
    made: list[dict[str, Any]] = []
    for condition, people in own.items():
        if told[condition] > 1:
            mean = compute_mean_interval(list(people.values()))
            low, high = scale.invert_ends(mean.low, mean.high)
            made.append(
                {"target": condition, "statistic": "mean threshold", "method": "t", "n": mean.n, "low": low,
                 "high": high, "estimate": float(scale.invert(mean.estimate)), "n_asked": told[condition]}
            )  # fmt: skip
    made += _compare(own, scale)
    return made


def _compare(own: dict[str, dict[str, float]], scale: LevelScale) -> list[dict[str, Any]]:
    """Paired t-tests between conditions, of the people who have a threshold in both; p corrected by Holm."""
    from scipy.stats import t

    made: list[dict[str, Any]] = []
    for first, second in itertools.combinations(own, 2):
        both = [name for name in own[first] if name in own[second]]
        if len(both) < 2:
            continue
        sign = -1 if scale.falling else 1
        values = sign * np.array([own[first][name] - own[second][name] for name in both])
        mean = compute_mean_interval(values)
        spread = float(values.std(ddof=1))
        statistic = (
            mean.estimate / (spread / math.sqrt(len(both))) if spread else math.copysign(math.inf, mean.estimate)
        )
        p = float(2 * t.sf(abs(statistic), len(both) - 1)) if mean.estimate or spread else 1.0
        made.append(
            {"target": first, "other": second, "statistic": "difference", "n": len(both), "p": p,
             "method": "paired t of log10 levels" if scale.log else "paired t", "estimate": mean.estimate,
             "low": mean.low, "high": mean.high}
        )  # fmt: skip
    for row, p in zip(made, correct_holm([row["p"] for row in made]) if made else [], strict=True):
        row["p_corrected"] = float(p)
    return made
