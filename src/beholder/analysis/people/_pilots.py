"""Experiments drawn from pilot data: participants of an analysis of variance, answers of a mixed model, thresholds."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from beholder._core.errors import InputError, UnknownNameError
from beholder._core.seeds import make_generator
from beholder.analysis.people._designs import Design, sort_levels
from beholder.analysis.people._levels import choose_scale, count_levels, pool_counts
from beholder.analysis.people._mixed import fit_mixed_logistic
from beholder.statistics import (
    Effect,
    bootstrap_psychometric,
    draw_threshold_differences,
    fit_anova,
    fit_psychometric,
    make_effect,
)


def simulate_anova_power(
    design: Design, effect: str, n: int, *, scale: float, alpha: float, n_simulations: int, seed: int
) -> float:
    """Proportion of experiments of n participants (in each group) in which an effect comes out.

    Rows of the pilot are drawn with replacement within their group, their deviations from its mean enlarged for the
    pilot's own number, and the effect multiplied by ``scale``; p is corrected for sphericity.

    Raises
    ------
    UnknownNameError
        An effect that the design does not have.
    """
    factors = {**{name: sort_levels(levels) for name, levels in design.between.items()}, **design.within}
    wanted = effect.split(":")
    for name in wanted:
        if name not in factors:
            raise UnknownNameError("factor", name, factors)
    groups: dict[tuple[str, ...], np.ndarray] = {}
    for own in itertools.product(*(factors[name] for name in design.between)):
        chosen = [all(design.between[name][row] == level for name, level in zip(design.between, own, strict=True))
                  for row in range(len(design.rows))]  # fmt: skip
        groups[own] = design.values[np.array(chosen)]
    if n < 2 or min(len(rows) for rows in groups.values()) < 2:
        raise InputError("two participants or more in each group, of the pilot and of --n", got=f"{n}")
    means = np.array([rows.mean(axis=0) for rows in groups.values()])
    shape = [len(factors[name]) for name in factors]
    shift = (scale - 1) * _find_component(means.reshape(shape), [name in wanted for name in factors])
    shift = shift.reshape(means.shape)
    rng = make_generator(seed, "power", "anova", n)
    labels = {name: [own[place] for own in groups for _ in range(n)] for place, name in enumerate(design.between)}
    hits = 0
    for _ in range(n_simulations):
        parts = [
            mean + move + (rows[rng.integers(len(rows), size=n)] - mean) * math.sqrt(len(rows) / (len(rows) - 1))
            for rows, mean, move in zip(groups.values(), means, shift, strict=True)
        ]
        found = fit_anova(np.concatenate(parts), within=list(design.within), between=labels)
        own_effect = next(line for name, line in found.items() if set(name.split(":")) == set(wanted))
        hits += own_effect.p_gg < alpha
    return hits / n_simulations


def _find_component(means: np.ndarray, wanted: Sequence[bool]) -> np.ndarray:
    """What an effect adds to each cell: means over the other factors, without what its parts add."""
    axes = [place for place, own in enumerate(wanted) if own]
    others = tuple(place for place, own in enumerate(wanted) if not own)
    base = means.mean(axis=others, keepdims=True) if others else means
    total = np.zeros_like(base)
    for size in range(len(axes) + 1):
        for dropped in itertools.combinations(axes, size):
            total = total + (-1) ** size * (base.mean(axis=dropped, keepdims=True) if dropped else base)
    return np.broadcast_to(total, means.shape).copy()


def estimate_accuracy_effect(table: Mapping[str, Any], condition: str, scale: float) -> tuple[Effect, dict[str, Any]]:
    """The effect of two conditions on right answers and how much people and stimuli differ, by a mixed model.

    Raises
    ------
    InputError
        Not two conditions.
    """
    levels = sort_levels([str(each) for each in table[condition]])
    if len(levels) != 2:
        raise InputError(f"two levels of {condition}", got=f"{len(levels)}")
    second = np.array([str(each) == levels[1] for each in table[condition]])
    who, what = ([str(each) for each in table[name]] for name in ("participant", "stimulus"))
    data = {"correct": np.array([int(each) for each in table["correct"]]), "c": second - 0.5, "participant": who,
            "stimulus": what}  # fmt: skip
    both = [{name for name, own in zip(who, second, strict=True) if own == side} for side in (True, False)]
    within = len(both[0] & both[1]) > len(both[0] | both[1]) / 2
    things = [{name for name, own in zip(what, second, strict=True) if own == side} for side in (True, False)]
    shared = bool(things[0] & things[1])
    groups: dict[str, str | None] = {"participant": "c" if within else None, "stimulus": None}
    columns = {name: np.array(column) for name, column in data.items()}
    fit = fit_mixed_logistic(columns, "correct ~ c", groups)
    middle, step = (float(each) for each in fit.estimate)
    ends = (middle - scale * step / 2, middle + scale * step / 2)
    spread = fit.sds["participant"], fit.sds.get("participant: c", 0.0), fit.sds["stimulus"]
    effect = make_effect(
        ends, *spread, design="within" if within else "between", items="shared" if shared else "separate"
    )
    n_pairs = len({*zip(who, second.tolist(), strict=True)})
    told = {"levels": levels, "n_trials": round(len(who) / n_pairs), "warnings": list(fit.warnings),
            "sds": list(spread)}  # fmt: skip
    return effect, told


def draw_thresholds(
    table: Mapping[str, Any], by: Sequence[str], n_trials: int | None, *, function: str, log: bool, guess: float,
    lapse: float, scale: float, n_people: int, seed: int,
) -> tuple[np.ndarray, dict[str, Any]]:  # fmt: skip
    """Differences of thresholds between two conditions as drawn people show them, by the pilot's mean and spread.

    The spread between people is what the pilot's thresholds vary beyond the noise of their fits.

    Raises
    ------
    InputError
        Not two conditions, fewer than two people with a threshold in both.
    """
    counts = [each for each in count_levels(table, by) if not each.is_network]
    conditions = list(dict.fromkeys(each.condition for each in counts))
    if len(conditions) != 2:
        raise InputError("levels in two conditions", got=f"{len(conditions)}: {', '.join(conditions[:4])}")
    moved = choose_scale(counts, "log" if log else "linear", "auto")
    thresholds: dict[str, dict[str, float]] = {condition: {} for condition in conditions}
    noise: dict[str, list[float]] = {condition: [] for condition in conditions}
    for each in counts:
        if len(each.levels) < 2:
            continue
        x = moved.apply(each.levels)
        given = (x, each.n_right, each.n_shown)
        fit = fit_psychometric(*given, function, guess, lapse)
        if x.min() <= fit.threshold <= x.max():
            drawn = bootstrap_psychometric(fit, *given, lapse=lapse, n_draws=200, parametric=True, seed=seed)
            thresholds[each.condition][each.observer] = fit.threshold
            noise[each.condition].append(float(np.var(drawn.threshold)))
    first, second = conditions
    both = [name for name in thresholds[first] if name in thresholds[second]]
    if len(both) < 2:
        raise InputError("two people or more with a threshold within the levels in both conditions", got=str(len(both)))
    one, two = (np.array([thresholds[condition][name] for name in both]) for condition in conditions)
    error = sum(float(np.mean(noise[condition])) for condition in conditions)
    effect_sd = math.sqrt(max(0.0, float(np.var(two - one, ddof=1)) - error))
    between_sd = math.sqrt(max(0.0, float(np.var((one + two) / 2, ddof=1)) - error / 4))
    pooled = [pool_counts([each for each in counts if each.condition == condition]) for condition in conditions]
    levels = np.unique(np.concatenate([moved.apply(each.levels) for each in pooled]))
    shown = n_trials or max(1, round(float(np.mean(np.concatenate([each.n_shown for each in counts])))))
    middle, half = float((one + two).mean() / 2), scale * float((two - one).mean()) / 2
    fits = [
        _move(fit_psychometric(moved.apply(each.levels), each.n_right, each.n_shown, function, guess, lapse), at)
        for each, at in zip(pooled, (middle - half, middle + half), strict=True)
    ]
    drawn = draw_threshold_differences(
        (fits[0], fits[1]), levels, shown, between_sd=between_sd, effect_sd=effect_sd, n_people=n_people, seed=seed
    )
    sign = -1 if moved.falling else 1
    told = {
        "levels": conditions, "difference": sign * 2 * half, "between_sd": between_sd, "effect_sd": effect_sd,
        "n_trials": shown, "n_pilot": len(both), "share_without": float(np.isnan(drawn).mean()),
    }  # fmt: skip
    return drawn, told


def _move(fit: Any, threshold: float) -> Any:
    from dataclasses import replace

    return replace(fit, threshold=threshold)


def join_answers(table: Mapping[str, Any], networks: Sequence[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Right answers of two networks and of people to the stimuli that all of them answered.

    Returns
    -------
    correct_1, correct_2 : (n_stimuli,), bool
    people : (n_people, n_stimuli), bool

    Raises
    ------
    InputError
        Not two networks, one without answers, nobody else, fewer than two stimuli in common.
    """
    if len(networks) != 2:
        raise InputError("two networks whose kappas are compared: --compared NETWORK NETWORK", got=str(len(networks)))
    answers: dict[str, dict[str, list[float]]] = {}
    for who, what, right in zip(table["participant"], table["stimulus"], table["correct"], strict=True):
        answers.setdefault(str(who), {}).setdefault(str(what), []).append(float(right))
    for name in networks:
        if name not in answers:
            raise UnknownNameError("network among the answers", name, answers)
    others = [name for name in answers if name not in networks]
    if not others:
        raise InputError("answers of people", got=f"those of {' and '.join(networks)} alone")
    shared = set(answers[networks[0]]).intersection(*(answers[name] for name in answers))
    kept = others
    if len(shared) < 2:  # people who saw other stimuli each: one with the most of them
        sizes = {
            name: len(set(answers[name]) & set(answers[networks[0]]) & set(answers[networks[1]])) for name in others
        }
        kept = [max(others, key=lambda name: sizes[name])]
        shared = set(answers[networks[0]]) & set(answers[networks[1]]) & set(answers[kept[0]])
    if len(shared) < 2:
        raise InputError("two stimuli or more that all answered", got=str(len(shared)), hint="--id_pattern")
    stimuli = sort_levels(sorted(shared))

    def read(name: str) -> np.ndarray:
        return np.array([np.mean(answers[name][stimulus]) >= 0.5 for stimulus in stimuli])

    return read(networks[0]), read(networks[1]), np.array([read(name) for name in kept])
