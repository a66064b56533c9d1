"""Tests over people by flipping signs, and correction of several tests."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from beholder._core.errors import suggest_keywords
from beholder._core.seeds import DEFAULT_SEED, make_generator

_MOST_EXACT = 12


@final
@dataclass(frozen=True, eq=False)
class SignFlipTest:
    """Whether means over people are above 0, one-sided.

    Attributes
    ----------
    p, p_max : (n_models,)
        Of each model; corrected for all by the largest. NaN where the test cannot reach alpha and was not run.
    smallest_p : float
        What the number of people allows at best: 1 / 2^n.
    """

    p: np.ndarray
    p_max: np.ndarray
    smallest_p: float


@suggest_keywords
def flip_signs(
    values: Any, *, n_permutations: int = 5000, alpha: float = 0.05, seed: int = DEFAULT_SEED
) -> SignFlipTest:
    """Test means over people by flipping the sign of each person's values, equally in all models.

    All 2^n ways for up to 12 people, else drawn ones.

    Parameters
    ----------
    values : (n_models, n_subjects), float
        A model without a value in some person has no p.
    n_permutations, seed : int
    alpha : float
        A test whose smallest p is above it is not run.

    Notes
    -----
    Source: Nichols and Holmes, Human Brain Mapping 15, 2002.

    Examples
    --------
    >>> found = flip_signs([[0.1, 0.2, 0.1, 0.3, 0.2]])
    >>> found.p.tolist(), flip_signs([[0.1, 0.2, 0.1, 0.3]]).smallest_p
    ([0.03125], 0.0625)
    """
    values = np.asarray(values, dtype=np.float64)
    n_models, n = values.shape
    smallest = 0.5**n if n <= _MOST_EXACT else 1 / (1 + n_permutations)
    p, p_max = np.full(n_models, math.nan), np.full(n_models, math.nan)
    defined = np.isfinite(values).all(axis=1) if n else np.zeros(n_models, dtype=bool)
    if smallest > alpha or not defined.any():
        return SignFlipTest(p, p_max, smallest)
    observed = values[defined].mean(axis=1)
    if n <= _MOST_EXACT:
        signs = np.array(list(itertools.product((1.0, -1.0), repeat=n)))[1:]
    else:
        signs = 1.0 - 2.0 * make_generator(seed, "signs").integers(0, 2, (n_permutations, n))
    means = signs @ values[defined].T / n
    least = observed - 1e-12
    p[defined] = (1 + (means >= least).sum(axis=0)) / (1 + len(signs))
    p_max[defined] = (1 + (means.max(axis=1)[:, None] >= least).sum(axis=0)) / (1 + len(signs))
    return SignFlipTest(p, p_max, smallest)


@suggest_keywords
def correct_holm(p: Any) -> np.ndarray:
    """Holm's correction of p values for their number; NaN are no tests.

    Source: Holm, Scandinavian Journal of Statistics 6, 1979.

    >>> correct_holm([0.01, 0.04, float("nan"), 0.03]).tolist()
    [0.03, 0.06, nan, 0.06]
    """
    values = np.asarray(p, dtype=np.float64)
    found = np.full(values.shape, math.nan)
    tested = np.flatnonzero(np.isfinite(values))
    order = tested[np.argsort(values[tested], kind="stable")]
    steps = values[order] * np.arange(len(order), 0, -1)
    found[order] = np.minimum(np.maximum.accumulate(steps), 1) if len(order) else steps
    return found
