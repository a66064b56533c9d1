"""What chance gives, and how far the mean r would vary: by fitting again, to other orders of stimuli and to fewer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from beholder._core.seeds import make_generator
from beholder.analysis.encoding._predict import Procedure, predict_splits
from beholder.analysis.encoding._scores import count_orders, spread_over_tested, standardize
from beholder.analysis.encoding._splits import Split

MOST_UNITS = 200
"""Units of a region that tests and intervals are computed from, drawn by the seed."""
FEWEST_ORDERS = 20
_N_PARTS = 10
_COLUMNS = 4096


def draw_orders(n_stimuli: int, n_permutations: int, seed: int, groups: np.ndarray | None = None) -> np.ndarray:
    """Random orders of stimuli, (n_permutations, n_stimuli); the same for every layer.

    Groups move as wholes, and must be of one size. Empty where there are, or are asked for, fewer orders than a p below
    .05 needs.
    """
    nothing = np.empty((0, n_stimuli), dtype=np.int64)
    if n_permutations < FEWEST_ORDERS:
        return nothing
    generator = make_generator(seed, "orders", n_stimuli)
    if groups is None:
        if count_orders(n_stimuli) < FEWEST_ORDERS:
            return nothing
        return generator.permuted(np.tile(np.arange(n_stimuli), (n_permutations, 1)), axis=1)
    names, numbers = np.unique(groups.astype(str), return_inverse=True)
    sizes = np.bincount(numbers)
    if len(set(sizes.tolist())) > 1 or count_orders(len(names)) < FEWEST_ORDERS:
        return nothing
    members = np.argsort(numbers, kind="stable").reshape(len(names), -1)
    moved = generator.permuted(np.tile(np.arange(len(names)), (n_permutations, 1)), axis=1)
    orders = np.empty((n_permutations, n_stimuli), dtype=np.int64)
    orders[:, members.reshape(-1)] = members[moved].reshape(n_permutations, -1)
    return orders


def choose_units(units: np.ndarray, seed: int) -> np.ndarray:
    """All units, or as many as tests are computed from."""
    if len(units) <= MOST_UNITS:
        return units
    return np.sort(make_generator(seed, "tested units").choice(units, MOST_UNITS, replace=False))


def permute_mean_r(
    features: np.ndarray, responses: np.ndarray, splits: Sequence[Split], how: Procedure, orders: np.ndarray
) -> np.ndarray:
    """The mean r over units and folds when the stimuli have other orders, fitted anew, (n_permutations,).

    Giving other orders to the predictions alone would find p < .05 in one noise layer of eight: two stimuli meet twice,
    once as training and once as test stimulus.
    """
    n_units = responses.shape[1]
    step = 1 if how.method == "pls" else max(1, _COLUMNS // n_units)
    found: list[np.ndarray] = []
    for start in range(0, len(orders), step):
        some = orders[start : start + step]
        moved = responses[some].transpose(1, 0, 2).reshape(len(responses), -1)
        r = predict_splits(features, moved, None, splits, how).r
        found.append(r.reshape(len(splits), len(some), n_units).mean(axis=(0, 2)))
    return np.concatenate(found) if found else np.empty(0)


def find_interval(
    features: np.ndarray, responses: np.ndarray, splits: Sequence[Split], how: Procedure, r: float, seed: int
) -> tuple[float, float]:
    """95 % interval of the mean r over units and folds: over the stimuli it is tested on, and those it is fitted to.

    Both variances add up, and the degrees of freedom are Satterthwaite's. That of the training stimuli is the
    jackknife's that leaves out a tenth of them.

    Sources: Efron (1982), The jackknife, the bootstrap and other resampling plans, chapters 3 and 6; Satterthwaite
    (1946), Biometrics Bulletin 2, 110-114.
    """
    from scipy.special import stdtrit  # pyright: ignore[reportMissingTypeStubs]

    n = len(features)
    sizes = np.abs(responses - responses.mean(axis=0)).max(axis=0)
    predicted = predict_splits(features, responses, None, splits, how).predicted
    tested = spread_over_tested(
        [standardize(part, sizes, how.constant) for part in predicted],
        [standardize(responses[test]) for _, test in splits],
    )
    part_of = make_generator(seed, "parts", n).permutation(n) % _N_PARTS
    without = np.array(
        [
            predict_splits(features, responses, None, [(a[part_of[a] != part], b) for a, b in splits], how).r.mean()
            for part in range(_N_PARTS)
        ]
    )
    trained = float(np.square(without - without.mean()).sum()) * (_N_PARTS - 1) / _N_PARTS
    total = tested + trained
    freedom = (n - 2 * len(splits), _N_PARTS - 1)
    if not total > 0 or freedom[0] < 1:
        return np.nan, np.nan
    together = total**2 / (tested**2 / freedom[0] + trained**2 / freedom[1])
    half = float(stdtrit(together, 0.975)) * np.sqrt(total)
    return max(-1.0, r - half), min(1.0, r + half)
