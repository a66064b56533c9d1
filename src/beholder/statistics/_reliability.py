"""How reliable responses are over runs, by each formula under its own name."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any, Literal, cast, get_args

import numpy as np

from beholder._core.errors import InputError, UnknownNameError, suggest_keywords
from beholder._core.seeds import DEFAULT_SEED, make_generator

ReliabilityMethod = Literal[
    "split-half", "median-sb3", "mean-sb3", "median-sb", "mean-sb", "alpha", "ncsnr", "ncsnr-ceiling"
]
"""A way to measure reliability."""
RELIABILITY_METHODS: tuple[ReliabilityMethod, ...] = get_args(ReliabilityMethod)
"""Ways to measure reliability, by name."""

_MOST_SPLITS = 100
_LEAST_STIMULI = 3


@suggest_keywords
def compute_reliability(
    runs: Any,
    method: ReliabilityMethod = "median-sb3",
    *,
    floor: bool = False,
    constant: float = math.nan,
    seed: int = DEFAULT_SEED,
) -> Any:
    """How far responses to the same stimuli repeat from run to run, for each unit.

    ==================  ==========================================================================================
    method              what it is; k runs, m the correlation of two runs
    ==================  ==========================================================================================
    ``median-sb3``      3m/(1 + 2m), m the median over the three pairs of three runs (Feather et al. 2023)
    ``mean-sb3``        the same with the mean over pairs
    ``median-sb``       km/(1 + (k − 1)m), m the median over pairs, for any number of runs
    ``mean-sb``         the same with the mean over pairs
    ``split-half``      fr/(1 + (f − 1)r), r the mean over splits of the correlation of two averages of ⌊k/2⌋ runs,
                        f = k/⌊k/2⌋ (2, Spearman-Brown's, for an even number); all splits, at most 100 drawn
    ``alpha``           Cronbach's k/(k − 1) · (1 − Σ var(run)/var(sum of runs))
    ``ncsnr``           √(max(total − noise, 0)/noise): noise the mean over stimuli of the variance over runs, total
                        the variance of all responses (Allen et al. 2022)
    ``ncsnr-ceiling``   ncsnr²/(ncsnr² + 1/k): the proportion of the variance of the average over runs that is signal
    ==================  ==========================================================================================

    All but ``ncsnr`` are of the average over all runs. Values are signed; what is below 0 is chance. Formulas of the
    Spearman-Brown kind have a pole: where 1 + (k − 1)m is not above 0 the value is NaN.

    Parameters
    ----------
    runs : (n_stimuli, n_runs) or (n_stimuli, n_units, n_runs), float
        NaN for what was not measured. Pairs of runs take the stimuli that both have, the other methods those that all
        runs have, for each unit.
    method : str
    floor : bool
        Raise values below it, and NaN, to :func:`compute_reliability_floor` of n_stimuli, as the published corrected
        variance explained does before it divides. Not for ``ncsnr``.
    constant : float
        What the correlation with a run counts in which all stimuli have the same response; the published code takes
        0 for predictions. NaN leaves the pair out.
    seed : int
        Draws splits where there are more than 100.

    Returns
    -------
    float or (n_units,), float64
        NaN where nothing can be said: fewer than three stimuli, no variance.

    Raises
    ------
    InputError
        Fewer than two runs, not three for ``median-sb3`` and ``mean-sb3``, fewer than three stimuli, infinite values.

    Sources: Spearman (1910) and Brown (1910), British Journal of Psychology 3, 271-295 and 296-322; Cronbach (1951),
    Psychometrika 16, 297-334; Allen et al. (2022), Nature Neuroscience 25, 116-126; Feather et al. (2023), Nature
    Neuroscience 26, 2017-2034.

    Examples
    --------
    >>> runs = [[1, 2, 1], [2, 1, 2], [3, 4, 4], [5, 4, 4]]
    >>> round(float(compute_reliability(runs, "alpha")), 3)
    0.932
    """
    values = np.asarray(runs, dtype=np.float64)
    if method not in _FORMULAS:
        raise UnknownNameError("method of reliability", str(method), RELIABILITY_METHODS)
    if floor and method == "ncsnr":
        raise InputError("a reliability between 0 and 1 where there is a floor", got="ncsnr", hint="'ncsnr-ceiling'")
    _check_runs(values, method)
    units = values[:, None, :] if values.ndim == 2 else values
    found = _undefined(units.shape[1])
    for chosen, present in _iter_patterns(units):
        found[chosen] = _FORMULAS[method](units[:, chosen], present, constant, seed)
    if floor:
        found = np.fmax(found, compute_reliability_floor(len(values)))
    return found[0] if values.ndim == 2 else found


@suggest_keywords
def compute_reliability_floor(n_stimuli: int, alpha: float = 0.05) -> float:
    """The correlation of two unrelated normal variables over ``n_stimuli`` that chance exceeds with p = ``alpha``.

    r = t/√(n − 2 + t²), t the 1 − alpha quantile of Student's t with n − 2 degrees of freedom. The published floors
    .182 (83 training sounds) and .183 (82 test sounds) are its values.

    Parameters
    ----------
    n_stimuli : int, at least 3
    alpha : float in (0, 1)

    Source: Feather et al. (2023), voxel_regression_functions.py; Huth et al. (2016), Nature 532, 453-458.

    >>> round(compute_reliability_floor(83), 3), round(compute_reliability_floor(82), 3)
    (0.182, 0.183)
    """
    from scipy.special import stdtrit

    if n_stimuli < _LEAST_STIMULI or not 0 < alpha < 1:
        raise InputError("at least three stimuli and a p between 0 and 1", got=f"{n_stimuli} and {alpha:g}")
    t = float(stdtrit(n_stimuli - 2, 1 - alpha))
    return t / math.sqrt(n_stimuli - 2 + t**2)


@suggest_keywords
def step_up(reliability: Any, factor: float) -> np.ndarray:
    """Spearman-Brown: the reliability of ``factor`` times as many runs, fr/(1 + (f − 1)r); NaN at and below its pole.

    Parameters
    ----------
    reliability : array, in [-1, 1]
    factor : float, above 0

    >>> float(step_up(0.5, 3))
    0.75
    """
    r = np.asarray(reliability, dtype=np.float64)
    below = 1 + (factor - 1) * r
    return np.divide(factor * r, below, out=np.full(r.shape, np.nan), where=below > 0)


def _check_runs(values: np.ndarray, method: str) -> None:
    if values.ndim not in (2, 3):
        raise InputError("runs of shape (n_stimuli, n_runs) or (n_stimuli, n_units, n_runs)", got=f"{values.shape}")
    n_stimuli, n_runs = len(values), values.shape[-1]
    if n_stimuli < _LEAST_STIMULI:
        raise InputError("at least three stimuli for a reliability", got=f"{n_stimuli}")
    if n_runs < 2:
        raise InputError("at least two runs for a reliability", got=f"{n_runs}")
    if method.endswith("sb3") and n_runs != 3:
        general = repr(method.removesuffix("3"))
        raise InputError(f"three runs, which the formula of {method!r} is for", got=f"{n_runs}", hint=general)
    n_infinite = int(np.isinf(values).sum())
    if n_infinite:
        raise InputError("finite responses, or NaN for missing ones", got=f"{n_infinite} infinite values")


def _iter_patterns(units: np.ndarray) -> Iterator[tuple[Any, np.ndarray]]:
    """Units that lack the same responses, with what is there, (n_stimuli, n_runs)."""
    present = ~np.isnan(units)
    if present.all():
        yield slice(None), present[:, 0] if units.shape[1] else np.ones(units.shape[::2], dtype=bool)
        return
    by_unit = np.packbits(present.transpose(1, 0, 2).reshape(units.shape[1], -1), axis=1)
    _, first, which = np.unique(by_unit, axis=0, return_index=True, return_inverse=True)
    for number, unit in enumerate(first):
        yield np.flatnonzero(which.reshape(-1) == number), present[:, unit]


def _undefined(n_units: int) -> np.ndarray:
    return np.full(n_units, np.nan)


def _is_flat(values: np.ndarray) -> np.ndarray:
    """Whether a unit's values, along the first axis, are the same but for rounding."""
    return cast(np.ndarray, np.ptp(values, axis=0) <= np.abs(values).max(axis=0) * 1e-12)


def _correlate(a: np.ndarray, b: np.ndarray, constant: float) -> np.ndarray:
    """Pearson's r over the first axis, (n_units,)."""
    if len(a) < _LEAST_STIMULI:
        return _undefined(a.shape[1])
    norms: list[np.ndarray] = []
    flat = np.zeros(a.shape[1], dtype=bool)
    centred: list[np.ndarray] = []
    for values in (a, b):
        flat |= _is_flat(values)
        middle = values - values.mean(axis=0)
        centred.append(middle)
        norms.append(np.sqrt(np.einsum("su,su->u", middle, middle)))
    product = np.einsum("su,su->u", *centred)
    scale = norms[0] * norms[1]
    usable = ~flat & (scale > 0)
    r = np.divide(product, scale, out=_undefined(a.shape[1]), where=usable)
    return np.where(usable, np.clip(r, -1, 1), constant)


def _ignore_missing(values: list[np.ndarray], summary: Callable[..., Any]) -> np.ndarray:
    """Median or mean over the pairs that there are; NaN where there is none."""
    stacked = np.stack(values)
    some = ~np.isnan(stacked).all(axis=0)
    found = np.full(stacked.shape[1], np.nan)
    found[some] = summary(stacked[:, some], axis=0)
    return found


def _from_pairs(summary: Callable[..., Any]) -> Callable[[np.ndarray, np.ndarray, float, int], np.ndarray]:
    def compute(units: np.ndarray, present: np.ndarray, constant: float, _seed: int) -> np.ndarray:
        n_runs = units.shape[2]
        pairs: list[np.ndarray] = []
        for one, other in itertools.combinations(range(n_runs), 2):
            both = present[:, one] & present[:, other]
            pairs.append(_correlate(units[both, :, one], units[both, :, other], constant))
        return step_up(_ignore_missing(pairs, summary), n_runs)

    return compute


def _iter_splits(n_runs: int, seed: int) -> Iterator[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Two halves of ⌊n_runs/2⌋ runs each: every way, or 100 that are drawn."""
    half = n_runs // 2
    n_ways = math.comb(n_runs, half) * math.comb(n_runs - half, half) // 2
    if n_ways <= _MOST_SPLITS:
        for one in itertools.combinations(range(n_runs), half):
            rest = [run for run in range(n_runs) if run not in one]
            for other in itertools.combinations(rest, half):
                if one < other:
                    yield one, other
        return
    generator = make_generator(seed, "split-half")
    for _ in range(_MOST_SPLITS):
        order = generator.permutation(n_runs)
        yield tuple(order[:half]), tuple(order[half : 2 * half])


def _split_half(units: np.ndarray, present: np.ndarray, constant: float, seed: int) -> np.ndarray:
    whole, n_runs = units[present.all(axis=1)], units.shape[2]
    found: list[np.ndarray] = []
    for one, other in _iter_splits(n_runs, seed):
        found.append(_correlate(whole[:, :, one].mean(axis=2), whole[:, :, other].mean(axis=2), constant))
    return step_up(_ignore_missing(found, np.nanmean), n_runs / (n_runs // 2))


def _alpha(units: np.ndarray, present: np.ndarray, _constant: float, _seed: int) -> np.ndarray:
    whole, n_runs = units[present.all(axis=1)], units.shape[2]
    if len(whole) < _LEAST_STIMULI:
        return _undefined(units.shape[1])
    parts, sums = whole.var(axis=0, ddof=1).sum(axis=1), whole.sum(axis=2)
    ratio = np.divide(parts, sums.var(axis=0, ddof=1), out=_undefined(len(parts)), where=~_is_flat(sums))
    return n_runs / (n_runs - 1) * (1 - ratio)


def _split_variance(units: np.ndarray, present: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Variance of the signal and of the noise of one run, (n_units,) each; NaN for units that do not vary."""
    whole = units[present.all(axis=1)]
    if len(whole) < _LEAST_STIMULI:
        return _undefined(units.shape[1]), _undefined(units.shape[1])
    noise = whole.var(axis=2, ddof=1).mean(axis=0)
    responses = whole.transpose(0, 2, 1).reshape(-1, whole.shape[1])
    signal = np.maximum(responses.var(axis=0, ddof=1) - noise, 0)
    return np.where(_is_flat(responses), np.nan, signal), noise


def _ncsnr(units: np.ndarray, present: np.ndarray, _constant: float, _seed: int) -> np.ndarray:
    signal, noise = _split_variance(units, present)
    with np.errstate(divide="ignore"):
        return np.sqrt(signal / noise)


def _ncsnr_ceiling(units: np.ndarray, present: np.ndarray, _constant: float, _seed: int) -> np.ndarray:
    signal, noise = _split_variance(units, present)
    return signal / (signal + noise / units.shape[2])


_FORMULAS: dict[str, Callable[[np.ndarray, np.ndarray, float, int], np.ndarray]] = {
    "split-half": _split_half,
    "median-sb3": _from_pairs(np.nanmedian),
    "mean-sb3": _from_pairs(np.nanmean),
    "median-sb": _from_pairs(np.nanmedian),
    "mean-sb": _from_pairs(np.nanmean),
    "alpha": _alpha,
    "ncsnr": _ncsnr,
    "ncsnr-ceiling": _ncsnr_ceiling,
}
