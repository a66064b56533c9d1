"""A circular variable told from layers: how far off, and whether it is pulled to a reference or pushed away."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from beholder._core.errors import InputError
from beholder._core.progress import Advance
from beholder._core.seeds import make_generator
from beholder.analysis.decoding._sources import LabelledStore, weigh_bins
from beholder.analysis.decoding._table import FEWEST_ORDERS, list_compared, name_bin
from beholder.statistics import (
    compute_circular_bias,
    compute_permutation_p,
    correct_holm,
    decode_circular,
    find_half_width,
    wrap_difference,
)

_N_PARTS = 10


@final
@dataclass(frozen=True, eq=False)
class CircularTask:
    """What is decoded.

    Attributes
    ----------
    values : (n_stimuli,), float
    period : float
    folds : (n_stimuli,), int
    orders : (n_permutations, n_stimuli), float
        Values in other orders.
    groups : (n_stimuli,), int
        Stimuli that vary together.
    references : (n_stimuli,), float, or None
        NaN for none.
    seed : int
    """

    values: np.ndarray
    period: float
    folds: np.ndarray
    orders: np.ndarray
    groups: np.ndarray
    references: np.ndarray | None
    seed: int


@final
@dataclass(frozen=True, eq=False)
class CircularDecoded:
    """What was decoded from a layer.

    Attributes
    ----------
    decoded : (n_stimuli,), float in [0, period)
    without : (n_parts, n_stimuli), float
        The same when a tenth of the stimuli is not fitted to.
    null : (n_permutations,), float
        Mean absolute errors of values in other orders, fitted anew.
    """

    decoded: np.ndarray
    without: np.ndarray
    null: np.ndarray


def check_circle(values: np.ndarray, period: float) -> None:
    """Refuse values that are not within one period, or too few of them.

    Raises
    ------
    InputError
    """
    n = len(np.unique(values))
    if n < 3:
        raise InputError("three values of a circular variable or more", got=f"{n}")
    if not (period > 0 and np.ptp(values) < period):
        raise InputError(
            "values within one period", got=f"{values.min():g} to {values.max():g} with a period of {period:g}",
            hint="values modulo the period",
        )  # fmt: skip


def decode_layer(features: np.ndarray, task: CircularTask, advance: Advance) -> CircularDecoded:
    """Decode the variable from features, (n_stimuli, n_features), of stimuli that the decoder was not fitted to.

    ``advance`` is told of the layer: 1.
    """
    n_groups = int(task.groups.max()) + 1
    part_of = make_generator(task.seed, "circular parts", n_groups).permutation(n_groups) % min(_N_PARTS, n_groups)
    parts = part_of[task.groups]
    found = decode_circular(features, np.vstack([task.values, task.orders]), task.period, task.folds)
    without = [
        decode_circular(features, task.values, task.period, task.folds, left_out=parts == part)
        for part in range(int(parts.max()) + 1)
    ]
    errors = np.abs(wrap_difference(found[1:], task.orders, task.period)).mean(axis=1)
    advance(1)
    return CircularDecoded(found[0], np.stack(without), errors)


def make_circular_rows(
    task: CircularTask, sources: Sequence[LabelledStore], decoded: Sequence[Sequence[CircularDecoded]],
    start: dict[str, Any], depth_bins: int | None,
) -> list[dict[str, Any]]:  # fmt: skip
    """Rows of each layer, bin of relative depth and difference of networks."""
    rows: list[dict[str, Any]] = []
    for source, mine in zip(sources, decoded, strict=True):
        name = _name(source) | start
        errors, parts = _measure_errors(task, mine)
        nulls = np.stack([own.null for own in mine])
        has_test = nulls.shape[1] >= FEWEST_ORDERS
        chance = nulls.mean(axis=1) if has_test else np.full(len(mine), task.period / 4)
        for place, layer in enumerate(source.layers):
            weights = np.eye(len(mine))[place]
            row = name | {"layer": layer, "statistic": "circular-error", "chance": float(chance[place])}
            row |= {"depth": place / max(1, len(mine) - 1)} | _tell_mean(task, weights @ errors, weights @ parts)
            if has_test:  # small errors are the large values
                error = float(errors[place].mean())
                row |= {
                    "p": compute_permutation_p(-error, -nulls[place]),
                    "p_of_all_layers": compute_permutation_p(-error, -nulls.min(axis=0)),
                }
            rows.append(row)
        if task.references is not None:
            rows += _list_biases(task, source, mine, name)
        for number, weights in enumerate(weigh_bins(len(mine), depth_bins) if depth_bins else ()):
            if weights.any() and depth_bins:
                row = name | {"layer": name_bin(number, depth_bins), "statistic": "mean of depth bin"}
                row |= {"depth": (number + 0.5) / depth_bins}
                rows.append(row | _tell_mean(task, weights @ errors, weights @ parts))
    for (one, first), (two, second) in itertools.combinations(zip(sources, decoded, strict=True), 2):
        rows += _list_differences(task, (one, first), (two, second), start, depth_bins)
    return rows


def _name(source: LabelledStore) -> dict[str, Any]:
    return {"model": source.model} | ({"source": source.name} if source.name else {})


def _measure_errors(task: CircularTask, decoded: Sequence[CircularDecoded]) -> tuple[np.ndarray, np.ndarray]:
    """Absolute errors of each layer and stimulus, and of each layer and part left out their mean."""
    errors = np.stack([np.abs(wrap_difference(own.decoded, task.values, task.period)) for own in decoded])
    parts = [np.abs(wrap_difference(own.without, task.values, task.period)).mean(axis=1) for own in decoded]
    return errors, np.stack(parts)


def _tell_mean(task: CircularTask, values: np.ndarray, without: np.ndarray) -> dict[str, Any]:
    """A mean over stimuli with its interval: over the stimuli tested, and those fitted to."""
    estimate = float(values.mean())
    sums = np.bincount(task.groups, values - estimate)
    n, k = len(sums), len(without)
    tested = float(sums @ sums) * n / max(1, n - 1) / len(values) ** 2
    trained = float(np.square(without - without.mean()).sum()) * (k - 1) / k
    half = find_half_width((tested, trained), (n - 1, k - 1))
    return {"estimate": estimate, "low": estimate - half, "high": estimate + half}


def _list_biases(
    task: CircularTask, source: LabelledStore, decoded: Sequence[CircularDecoded], name: dict[str, Any]
) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    assert task.references is not None
    apart = wrap_difference(np.nan_to_num(task.references), task.values, task.period)
    near = 1e-9 * task.period
    counted = np.isfinite(task.references) & (np.abs(apart) > near) & (np.abs(apart) < task.period / 2 - near)
    sign = np.sign(apart[counted])
    fewer = CircularTask(
        task.values[counted], task.period, task.folds[counted], task.orders[:, counted],
        np.unique(task.groups[counted], return_inverse=True)[1], None, task.seed,
    )  # fmt: skip
    for layer, own in zip(source.layers, decoded, strict=True):
        bias = compute_circular_bias(own.decoded, task.values, task.references, task.period, seed=task.seed)
        towards = wrap_difference(own.decoded[counted], fewer.values, task.period) * sign
        without = (wrap_difference(own.without[:, counted], fewer.values, task.period) * sign).mean(axis=1)
        row = name | {"layer": layer, "statistic": "circular-bias", "p": bias.p, "n": bias.n}
        rows.append(row | _tell_mean(fewer, towards, without))
    for row, corrected in zip(rows, correct_holm([row["p"] for row in rows]), strict=True):
        row["p_of_all_layers"] = float(corrected)
    return rows


def _list_differences(
    task: CircularTask, one: tuple[LabelledStore, Sequence[CircularDecoded]],
    two: tuple[LabelledStore, Sequence[CircularDecoded]], start: dict[str, Any], n_bins: int | None,
) -> list[dict[str, Any]]:  # fmt: skip
    """Errors of the first network less those of the second: at layers of one name, and in bins of relative depth."""
    (source, first), (other, second) = one, two
    measured, compared = _measure_errors(task, first), _measure_errors(task, second)
    rows: list[dict[str, Any]] = []
    for layer, a, b in list_compared(source, other, n_bins):
        row = _name(source) | start | {"layer": layer, "statistic": "difference", "other_model": other.model}
        row |= {"other_source": other.name}
        errors, parts = (a @ mine - b @ theirs for mine, theirs in zip(measured, compared, strict=True))
        rows.append(row | _tell_mean(task, errors, parts))
    return rows
