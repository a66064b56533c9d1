"""How units of layers respond to a numeric or circular condition."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from beholder._core.errors import InputError, suggest_keywords
from beholder._core.progress import show_progress
from beholder._core.seeds import DEFAULT_SEED, make_generator
from beholder._core.wording import format_count, format_share
from beholder.activations import Activations
from beholder.analysis._inputs import identify_inputs
from beholder.analysis._join import LayerRows, iter_layers, open_layers, read_condition
from beholder.analysis._result import Result, make_result
from beholder.analysis.tuning._curves import (
    average_by_value,
    compare_contrast,
    find_preferred,
    measure_bandwidth,
    measure_selectivity,
    shuffle_units,
)
from beholder.statistics import compute_permutation_p

_KEPT_CURVES = 200
_CONTRAST_LOST = 0.8


@suggest_keywords
def analyze_tuning(
    activations: Any,
    condition: str | Sequence[float] | np.ndarray,
    *,
    layers: Sequence[str] | None = None,
    period: float | None = None,
    n_permutations: int = 200,
    stimulus_ids: Sequence[str] | None = None,
    seed: int = DEFAULT_SEED,
) -> Result:
    """Tuning of each unit of each layer to a numeric or circular condition.

    Parameters
    ----------
    activations : Activations, path, or mapping of str to array, (n_stimuli, *features)
        A unit is a channel, its mean over space, time or tokens; arrays have channels first. Replicates are averaged,
        and the curves of the first exposure, which is clean, compared with those of the mean.
    condition : str or (n_stimuli,), float
        A column of the stimuli's table, or a number for each stimulus. Stimuli without one are left out.
    layers : sequence of str, optional
        Default all.
    period : float, optional
        Of a circular condition: 180 for orientation, 360 for direction or hue, in degrees.
    n_permutations : int
        Shuffles of the condition over stimuli; 0 for no test.
    stimulus_ids : sequence of str, optional
        Ids of activations that are arrays.
    seed : int

    Returns
    -------
    Result
        ``kind`` is ``tuning``. Statistics of a layer: ``proportion-tuned`` (``shuffled`` is what shuffling gives
        on average), medians over tuned units of ``selectivity`` and ``bandwidth``, and ``contrast-kept`` where there
        are replicates. Of each unit, in ``arrays``: ``preferred``, ``bandwidth``, ``selectivity``, ``p``, ``layer``.

    Raises
    ------
    InputError
        A condition that is no number, or has fewer than three values; a period that does not hold its values.

    Source: Ringach et al. (2002), Journal of Neuroscience 22, 5639-5651.

    Examples
    --------
    >>> import numpy as np
    >>> angle = np.tile(np.arange(0, 180, 30), 4)
    >>> response = np.cos(2 * np.pi * (angle - 60) / 180)[:, None]
    >>> result = analyze_tuning({"v1": response}, angle, period=180, stimulus_ids=[f"s{i}" for i in range(24)])
    >>> result.arrays["preferred"].round(6)
    array([60.])
    """
    store = open_layers(activations, stimulus_ids)
    numbers = _to_numbers(read_condition(store, condition, "condition"))
    known = np.flatnonzero(np.isfinite(numbers))
    values = numbers[known]
    _check(values, period)
    inputs = identify_inputs(activations=store, condition=values)
    names = list(layers or store.layers)
    generator = make_generator(seed, "tuning", len(values))
    orders = generator.permuted(np.tile(np.arange(len(values)), (n_permutations, 1)), axis=1)
    can_test = n_permutations >= 19 and np.unique(values, return_counts=True)[1].max() > 1
    found: list[dict[str, Any]] = []
    layer_rows = iter_layers(store, known, [store.stimulus_ids[row] for row in known], names)
    with show_progress("tuning", len(names), "layers", tells_end=False) as advance:
        for name, rows in layer_rows:
            axis = _find_channels(store, name)
            found.append(_tune(rows, name, axis, values, period, orders if can_test else None))
            advance(1)
    told = condition if isinstance(condition, str) else "condition"
    rows, warnings = _make_rows(names, found, told, period, len(values), seed)
    for row in rows:
        row["model"] = str(store.model)
    if len(known) < len(numbers):
        warnings.append(
            f"{len(numbers) - len(known)} of {format_count(len(numbers), 'stimulus')} have no value and were left out."
        )
    if n_permutations and not can_test:
        why = "each value has one stimulus" if n_permutations >= 19 else "19 shuffles are the fewest for a p of .05"
        warnings.append(f"No test was made: {why}.")
    settings = {
        "model": str(store.model), "layers": names, "condition": told, "period": period, "seed": seed,
        "n_permutations": n_permutations, "n_stimuli": len(values), "values": np.unique(values).tolist(),
        "inputs": inputs,
    }  # fmt: skip
    return make_result("tuning", rows, settings, warnings=warnings, arrays=_collect(found))


def _to_numbers(values: np.ndarray) -> np.ndarray:
    try:
        return np.array([np.nan if str(each).strip() in ("", "None", "nan") else float(each) for each in values])
    except ValueError as error:
        raise InputError("a condition of numbers", got=str(error), hint="analyze_decode, for categories") from error


def _check(values: np.ndarray, period: float | None) -> None:
    n = len(np.unique(values))
    if n < 3:
        raise InputError("three values of the condition or more", got=f"{n}")
    if period is not None and not (period > 0 and np.ptp(values) < period):
        raise InputError(
            "values within one period", got=f"{values.min():g} to {values.max():g} with a period of {period:g}",
            hint=f"--period {np.ptp(values) + (np.ptp(values) / (n - 1)):g}, or values modulo the period",
        )  # fmt: skip


def _find_channels(store: Any, name: str) -> int | None:
    """The axis of a layer's channels, (n_stimuli, n_replicates, *features); None where features are units."""
    if not isinstance(store, Activations):
        return 2
    dims = store[name].with_replicates.dims
    return dims.index("channel") if "channel" in dims else None


def _read_units(layer: LayerRows, axis: int | None) -> np.ndarray:
    """(n_stimuli, n_replicates, n_units), float64, a block of stimuli at a time."""
    blocks: list[np.ndarray] = []
    for start in range(0, len(layer), 64):
        block = np.asarray(layer[start : start + 64])
        if axis is None:
            block = block.reshape(*block.shape[:2], -1)
        else:
            block = np.moveaxis(block, axis, 2)
            block = block.reshape(*block.shape[:3], -1).mean(axis=3, dtype=np.float64)
        blocks.append(block.astype(np.float64))
    return np.concatenate(blocks)


def _tune(
    layer: LayerRows, name: str, axis: int | None, values: np.ndarray, period: float | None, orders: np.ndarray | None
) -> dict[str, Any]:
    units = _read_units(layer, axis)
    if not np.isfinite(units).all():
        raise InputError("finite activations", got=f"NaN or infinite values in {name}")
    responses = units.mean(axis=1)
    known, curves = average_by_value(responses, values)
    found: dict[str, Any] = {
        "preferred": find_preferred(known, curves, period), "bandwidth": measure_bandwidth(known, curves, period),
        "selectivity": measure_selectivity(known, curves, period), "p": np.full(curves.shape[1], np.nan),
        "flat": int((np.ptp(curves, axis=0) <= 1e-12 * np.abs(curves).max(axis=0)).sum()),
    }  # fmt: skip
    best = np.argsort(-found["selectivity"], kind="stable")[:_KEPT_CURVES]
    found["curves"] = curves[:, best].T.astype(np.float32)
    if orders is not None:
        _, found["p"], found["proportion"], found["shuffled"] = shuffle_units(responses, values, orders)
    if units.shape[1] > 1:
        found["kept"] = compare_contrast(average_by_value(units[:, 0], values)[1], curves)
        found["n_replicates"] = units.shape[1]
    return found


def _make_rows(
    layers: Sequence[str], found: Sequence[dict[str, Any]], condition: str, period: float | None, n: int, seed: int
) -> tuple[list[dict[str, Any]], list[str]]:
    rows: list[dict[str, Any]] = []
    warnings: list[str] = []
    has_test = all("proportion" in own for own in found)
    largest = np.max([own["shuffled"] for own in found], axis=0) if has_test else np.empty(0)
    for layer, own in zip(layers, found, strict=True):
        start = {
            "layer": layer, "target": condition, "method": "circular" if period else "numeric", "n": n, "seed": seed,
            "n_units": len(own["preferred"]),
        }  # fmt: skip
        tuned = np.ones(len(own["preferred"]), dtype=bool)
        if has_test:
            tuned = own["p"] <= 0.05
            rows.append(
                start | {
                    "statistic": "proportion-tuned", "estimate": own["proportion"],
                    "p": compute_permutation_p(own["proportion"], own["shuffled"]),
                    "shuffled": float(own["shuffled"].mean()),
                    "p_of_all_layers": compute_permutation_p(own["proportion"], largest),
                }
            )  # fmt: skip
        for statistic in ("selectivity", "bandwidth"):
            known = own[statistic][tuned & np.isfinite(own[statistic])]
            if len(known):
                rows.append(
                    start | {"statistic": statistic, "estimate": float(np.median(known)), "n_units": len(known)}
                )
        if "kept" in own:
            known = own["kept"][tuned & np.isfinite(own["kept"])]
            if len(known):
                kept = float(np.median(known))
                rows.append(start | {"statistic": "contrast-kept", "estimate": kept, "n_units": len(known)})
                if kept < _CONTRAST_LOST:
                    warnings.append(
                        f"Averaged over {format_count(own['n_replicates'], 'replicate')}, "
                        f"tuning curves of {layer} keep {format_share(kept)} of "
                        "the clean exposure's contrast: the jitter blurs what is measured."
                    )
        if own["flat"]:
            warnings.append(
                f"{own['flat']} of {format_count(len(own['preferred']), 'unit')} "
                f"of {layer} give all values one response."
            )
    return rows, warnings


def _collect(found: Sequence[dict[str, Any]]) -> dict[str, np.ndarray]:
    """Numbers of all units one after the other, with the place of their layer; curves of the most selective ones."""
    arrays = {
        name: np.concatenate([own[name] for own in found]) for name in ("preferred", "bandwidth", "selectivity", "p")
    }
    arrays["layer"] = np.concatenate([np.full(len(own["p"]), i) for i, own in enumerate(found)])
    arrays["curves"] = np.concatenate([own["curves"] for own in found])
    arrays["curves_layer"] = np.concatenate([np.full(len(own["curves"]), i) for i, own in enumerate(found)])
    return arrays
