"""Rows of the table of an agreement."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from beholder._core.errors import InputError
from beholder.analysis.agreement._observers import ConditionAnswers, Observers
from beholder.statistics import (
    ConfusionAgreement,
    CrossedEstimates,
    MeanKappas,
    Over,
    average_kappas,
    compare_confusions,
    compute_error_consistency,
    correct_holm,
    plan_error_consistency,
)

KAPPA, CONFUSIONS = "error consistency", "confusion correlation"
PAIR, MEAN, CEILING = "pair", "mean over people", "people with one another"
DIFFERENCE, FROM_PEOPLE = "difference", "less people with one another"
ALL = "all conditions"


@final
@dataclass(frozen=True)
class AgreementSettings:
    """What is asked of an agreement."""

    width: float
    over: Over
    n_draws: int
    n_permutations: int
    seed: int


def iter_pairs(observers: Observers, condition: ConditionAnswers, asked: AgreementSettings) -> Iterator[dict[str, Any]]:
    """A row for every two observers with a stimulus in common: a network and a person, two people, two networks."""
    names, n_people = (*observers.people, *observers.networks), len(observers.people)
    for one, two in itertools.combinations(range(len(names)), 2):
        both = np.isfinite(condition.correct[one]) & np.isfinite(condition.correct[two])
        if not both.any():
            continue
        first, second = (two, one) if one < n_people <= two else (one, two)  # the network first
        found = compute_error_consistency(
            condition.correct[first, both], condition.correct[second, both], n_draws=asked.n_draws, seed=asked.seed
        )
        who = (
            {"subject": names[first], "other": names[second]}
            if first < n_people
            else {"model": names[first], "other": ""} | {"subject" if second < n_people else "other": names[second]}
        )
        yield {
            **who, "target": condition.name, "statistic": PAIR, "method": KAPPA, "estimate": found.kappa,
            "low": found.low, "high": found.high, "p": found.p, "n": found.n, "seed": asked.seed,
            "low_bound": found.low_bound, "high_bound": found.high_bound, "observed": found.observed,
            "expected": found.expected, "accuracy": found.accuracy_1, "accuracy_other": found.accuracy_2,
            "n_for_width": _plan(found.kappa, found.accuracy_1, found.accuracy_2, asked.width),
        }  # fmt: skip


def _plan(kappa: float, accuracy_1: float, accuracy_2: float, width: float) -> float:
    """Stimuli that an interval of that width takes; NaN where it cannot be told."""
    if math.isnan(kappa):
        return math.nan
    try:
        return float(plan_error_consistency(kappa, accuracy_1, accuracy_2, width))
    except InputError:
        return math.nan


def average_rows(
    observers: Observers, conditions: Sequence[ConditionAnswers], pairs: Sequence[dict[str, Any]],
    asked: AgreementSettings, *, differences: bool,
) -> list[dict[str, Any]]:  # fmt: skip
    """Means of error consistency over people: of networks, of people with one another, and their differences."""
    n = len(observers.people)
    found: MeanKappas = average_kappas(
        [each.correct[:n] for each in conditions], [each.correct[n:] for each in conditions], over=asked.over,
        n_draws=asked.n_draws, n_permutations=asked.n_permutations, seed=asked.seed,
    )  # fmt: skip
    target = conditions[0].name if len(conditions) == 1 else ALL
    inside = {each.name for each in conditions}
    own = [row for row in pairs if row["target"] in inside]
    rows = list(_iter_means(observers, found.crossed, KAPPA, target, asked, differences=differences))
    n_stimuli = sum(len(each.stimuli) for each in conditions)
    for row in rows:
        row["n"] = n_stimuli
        if row["statistic"] in (MEAN, CEILING):
            place = observers.networks.index(row["model"]) if row["statistic"] == MEAN else len(observers.networks)
            row |= {"p": float(found.p[place]), "p_corrected": float(found.p_corrected[place])}
            row |= _summarize_pairs(own, row)
    return rows


def _summarize_pairs(pairs: Sequence[dict[str, Any]], row: dict[str, Any]) -> dict[str, float]:
    """Means over the pairs behind a mean: accuracies, the range that they allow; the median number of stimuli."""
    if row["statistic"] == MEAN:
        behind = [each for each in pairs if each.get("model") == row["model"] and each.get("subject")]
    else:
        behind = [each for each in pairs if not each.get("model")]
    names = ("low_bound", "high_bound", "observed", "expected", "accuracy", "accuracy_other")
    told: dict[str, float] = {}
    for name in names:
        values = np.array([each[name] for each in behind if np.isfinite(each[name])], dtype=np.float64)
        told[name] = float(values.mean()) if len(values) else math.nan
    wanted = [each["n_for_width"] for each in behind if np.isfinite(each["n_for_width"])]
    told["n_for_width"] = float(np.median(wanted)) if wanted else math.nan
    told["n_undefined"] = float(sum(math.isnan(each["estimate"]) for each in behind))
    return told


def confusion_rows(
    observers: Observers, conditions: Sequence[ConditionAnswers], asked: AgreementSettings, *, differences: bool
) -> tuple[list[dict[str, Any]], np.ndarray]:
    """Means of the correlation of confusions with those of people, and the confusions, people's pooled first."""
    n = len(observers.people)
    truth = np.concatenate([each.truth for each in conditions])
    answers = np.concatenate([each.answers for each in conditions], axis=1)
    found: ConfusionAgreement = compare_confusions(
        truth, answers[:n], answers[n:], len(observers.classes), over=asked.over, n_draws=asked.n_draws, seed=asked.seed
    )
    target = conditions[0].name if len(conditions) == 1 else ALL
    rows = list(_iter_means(observers, found.crossed, CONFUSIONS, target, asked, differences=differences))
    for row in rows:
        row["n"] = len(truth)
    return rows, np.concatenate([found.counts[:n].sum(axis=0, keepdims=True), found.counts[n:]])


def _iter_means(
    observers: Observers, crossed: CrossedEstimates, method: str, target: str, asked: AgreementSettings, *,
    differences: bool,
) -> Iterator[dict[str, Any]]:  # fmt: skip
    """Rows of means, of people with one another, and of differences; p of differences corrected together by Holm."""
    n_nets, n_people = len(observers.networks), len(observers.people)
    common = {"target": target, "method": method, "seed": asked.seed, "n_people": n_people}

    def make(weights: np.ndarray, **more: Any) -> dict[str, Any]:
        estimate, low, high, p = crossed.interval(weights)
        return common | {"estimate": estimate, "low": low, "high": high, "p": p} | more

    unit = np.eye(n_nets + 1)
    for place, name in enumerate(observers.networks):
        yield make(unit[place], statistic=MEAN, model=name) | {"p": math.nan}
    if n_people > 1:
        yield make(unit[n_nets], statistic=CEILING) | {"p": math.nan}
    if not differences:
        return
    rows: list[dict[str, Any]] = []
    if n_people > 1:
        rows += [make(unit[i] - unit[n_nets], statistic=FROM_PEOPLE, model=name)
                 for i, name in enumerate(observers.networks)]  # fmt: skip
    for one, two in itertools.combinations(range(n_nets), 2):
        names = {"model": observers.networks[one], "other": observers.networks[two]}
        rows.append(make(unit[one] - unit[two], statistic=DIFFERENCE, **names))
    for kind in (FROM_PEOPLE, DIFFERENCE):
        chosen = [row for row in rows if row["statistic"] == kind]
        for row, p in zip(chosen, correct_holm([row["p"] for row in chosen]), strict=True):
            row["p_corrected"] = float(p)
    yield from rows
