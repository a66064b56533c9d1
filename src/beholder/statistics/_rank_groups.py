"""Groups compared by ranks: Kruskal and Wallis, Conover and Iman, Brunner and Munzel."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from beholder._core.errors import InputError, suggest_keywords
from beholder.statistics._sign_flips import correct_holm

_MOST_FOR_T = 50


@final
@dataclass(frozen=True)
class GroupPair:
    """Two groups.

    Attributes
    ----------
    first, second : str
    difference : float
        Of their means, the first's less the second's.
    t, p, p_holm : float
        Conover and Iman's t, two-sided, and corrected for the number of pairs.
    superiority : float in [0, 1]
        Probability that a value of the first is the larger one, ties counted half.
    brunner_munzel, brunner_munzel_p, brunner_munzel_p_holm : float
        The test of a superiority of 1/2; NaN where it is not defined (the groups do not overlap, or do not vary).
    """

    first: str
    second: str
    difference: float
    t: float
    p: float
    p_holm: float
    superiority: float
    brunner_munzel: float
    brunner_munzel_p: float
    brunner_munzel_p_holm: float


@final
@dataclass(frozen=True)
class GroupComparison:
    """Groups of values compared by their ranks.

    Attributes
    ----------
    h, p : float
        Kruskal and Wallis' H, corrected for ties; NaN where no value differs.
    df : int
        Groups less one.
    n : int
        Values.
    pairs : tuple of GroupPair
        Every pair of groups, in their order.
    """

    h: float
    p: float
    df: int
    n: int
    pairs: tuple[GroupPair, ...]


@suggest_keywords
def compare_groups(groups: Mapping[str, Any]) -> GroupComparison:
    r"""Do groups differ? Kruskal-Wallis, then every pair by Conover-Iman and by Brunner-Munzel, corrected by Holm.

    Conover and Iman: :math:`t = (\bar R_i - \bar R_j) / \sqrt{S^2 \frac{N - 1 - H}{N - k} (1/n_i + 1/n_j)}` on
    :math:`N - k` degrees of freedom, with the variance :math:`S^2` of all ranks.

    Parameters
    ----------
    groups : mapping of str to (n,), float
        Two groups or more, of two finite values or more each. Brunner-Munzel is by t up to 50 values of either, else
        normal.

    Raises
    ------
    InputError
        Fewer groups or values, or values that are not finite.

    Notes
    -----
    Sources: Kruskal & Wallis 1952, JASA 47; Conover & Iman 1979, LA-7677-MS; Brunner & Munzel 2000, Biometrical Journal
    42; Holm 1979, Scandinavian Journal of Statistics 6.

    Examples
    --------
    >>> found = compare_groups({"a": [1, 2, 3, 5, 1], "b": [12, 31, 54], "c": [10, 12, 6, 74, 11]})
    >>> [round(pair.p_holm, 8) for pair in found.pairs]
    [0.00119517, 0.00278329, 0.18672227]
    """
    values = {name: np.asarray(own, dtype=np.float64) for name, own in groups.items()}
    if len(values) < 2:
        raise InputError("two groups or more", got=str(len(values)))
    for name, own in values.items():
        if own.ndim != 1 or len(own) < 2 or not np.isfinite(own).all():
            raise InputError(f"two finite values or more in {name}", got=f"{np.isfinite(own).sum()} of {own.size}")
    from scipy.stats import kruskal, rankdata, t

    n, k = sum(map(len, values.values())), len(values)
    ranks = rankdata(np.concatenate(list(values.values())))
    own_ranks = dict(zip(values, np.split(ranks, np.cumsum([len(own) for own in values.values()])[:-1]), strict=True))
    spread = float(((ranks - (n + 1) / 2) ** 2).sum() / (n - 1))
    if spread == 0:
        h = p = math.nan
    else:
        found: Any = kruskal(*values.values())
        h, p = float(found.statistic), float(found.pvalue)
    rows: list[tuple[str, str, float, float, float, float, float, float]] = []
    for one, two in itertools.combinations(values, 2):
        scale = spread * max(n - 1 - h, 0) / (n - k) * (1 / len(values[one]) + 1 / len(values[two])) if n > k else 0.0
        apart = float(own_ranks[one].mean() - own_ranks[two].mean())
        score = apart / math.sqrt(scale) if scale > 0 else math.nan
        statistic, chance = _test_superiority(values[one], values[two])
        rows.append((
            one, two, float(values[one].mean() - values[two].mean()), score,
            float(2 * t.sf(abs(score), n - k)) if n > k else math.nan,
            compute_superiority(values[one], values[two]), statistic, chance,
        ))  # fmt: skip
    holm, holm_2 = correct_holm([row[4] for row in rows]), correct_holm([row[7] for row in rows])
    pairs = tuple(
        GroupPair(*row[:5], float(a), row[5], row[6], row[7], float(b))
        for row, a, b in zip(rows, holm, holm_2, strict=True)
    )
    return GroupComparison(h, p, k - 1, n, pairs)


@suggest_keywords
def compute_superiority(first: Any, second: Any) -> float:
    """Probability that a value of the first group is the larger one, ties counted half.

    >>> compute_superiority([1, 2], [0, 1])
    0.875
    """
    one, two = (np.asarray(each, dtype=np.float64) for each in (first, second))
    return float((one[:, None] > two).mean() + (one[:, None] == two).mean() / 2)


def _test_superiority(first: np.ndarray, second: np.ndarray) -> tuple[float, float]:
    """Brunner and Munzel's statistic, positive where the first is larger, and its p."""
    from scipy.stats import brunnermunzel

    if min(first) > max(second) or min(second) > max(first) or np.ptp(np.concatenate([first, second])) == 0:
        return math.nan, math.nan  # no overlap: the statistic is infinite
    distribution: Any = "t" if max(len(first), len(second)) <= _MOST_FOR_T else "normal"
    with np.errstate(invalid="ignore", divide="ignore"):
        found: Any = brunnermunzel(second, first, distribution=distribution)
    return float(found.statistic), float(found.pvalue)


@suggest_keywords
def correlate_ranks(first: np.ndarray, second: np.ndarray) -> float:
    """Spearman's rank correlation, ties by mid-ranks; NaN where a side does not vary.

    >>> correlate_ranks(np.array([1.0, 2, 3]), np.array([2.0, 9, 8]))
    0.5
    """
    from scipy.stats import rankdata

    left, right = (rankdata(each) - (len(each) + 1) / 2 for each in (first, second))
    square = float((left @ left) * (right @ right))
    return float(left @ right) / math.sqrt(square) if square > 0 else math.nan
