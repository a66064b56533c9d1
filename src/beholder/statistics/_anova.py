"""Analysis of variance: between, within and mixed designs, sums of squares of type III, corrections for sphericity."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, final

import numpy as np

from beholder._core.errors import InputError, suggest_keywords
from beholder._core.seeds import DEFAULT_SEED, make_generator

INTERCEPT = "(Intercept)"
_CHUNK = 500


@final
@dataclass(frozen=True)
class AnovaEffect:
    """One line of an analysis of variance.

    Attributes
    ----------
    sum_sq, error_sum_sq : float
        Sums of squares (type III) of the effect and of the error that it is tested against.
    df_1, df_2 : float
        Their degrees of freedom, uncorrected.
    F, p : float
    p_gg, p_hf, p_lb : float
        With both degrees of freedom times Greenhouse and Geisser's epsilon, Huynh and Feldt's (as corrected by
        Lecoutre), and the lower bound. Equal to ``p`` where sphericity is no question.
    epsilon_gg, epsilon_hf, epsilon_lb : float in (0, 1]
    partial_eta_squared, generalized_eta_squared : float in [0, 1]
        The second with all factors manipulated.
    mauchly_w, mauchly_p : float
        Mauchly's test of sphericity; NaN where there are fewer than three levels, or fewer participants than levels.
    """

    sum_sq: float
    error_sum_sq: float
    df_1: float
    df_2: float
    F: float
    p: float
    p_gg: float
    p_hf: float
    p_lb: float
    epsilon_gg: float
    epsilon_hf: float
    epsilon_lb: float
    partial_eta_squared: float
    generalized_eta_squared: float
    mauchly_w: float
    mauchly_p: float


@suggest_keywords
def fit_anova(
    values: Any,
    *,
    within: Sequence[str] = (),
    between: Mapping[str, Sequence[Any]] | None = None,
    intercept: bool = False,
) -> dict[str, AnovaEffect]:
    r"""An analysis of variance with any factors within and between participants.

    Each effect is tested in contrasts :math:`Z = Y C` of the participants' values, C orthonormal: the hypothesis
    :math:`\operatorname{tr} H` against the residual :math:`\operatorname{tr} E` of a linear model of the factors
    between participants (effect-coded, so that the sums of squares are of type III). Epsilons come from :math:`E`, that
    is, from the covariance within the groups.

    Parameters
    ----------
    values : (n_participants,) or (n_participants, *n_levels of each factor in within), float
    within : sequence of str
        Names of the factors along the further axes.
    between : mapping of str to sequence, optional
        By name, the level of each participant.
    intercept : bool
        Also the line ``(Intercept)``: is the mean of all cells 0?

    Returns
    -------
    dict of str to AnovaEffect
        By the names of the factors, joined by ``:``; factors between participants come first, before all the intercept.

    Raises
    ------
    InputError
        Shapes that do not fit the factors, values that are not finite, an empty cell, no participants left for error.

    Notes
    -----
    Source: Winer, Brown & Michels (1991), Statistical principles in experimental design, chapters 4 to 7; epsilons:
    Greenhouse & Geisser 1959, Psychometrika 24; Huynh & Feldt 1976, Journal of Educational Statistics 1; Lecoutre 1991,
    ibid. 16; generalized eta squared: Olejnik & Algina 2003, Psychological Methods 8.

    Examples
    --------
    >>> found = fit_anova([[1.0, 2.0], [2.0, 4.0], [3.0, 3.0]], within=["stage"])
    >>> round(found["stage"].F, 6), found["stage"].df_2
    (3.0, 2.0)
    """
    y = np.asarray(values, dtype=np.float64)
    _check(y, within, between or {})
    n, levels = len(y), y.shape[1:]
    flat = y.reshape(n, -1)
    terms = list(_code_between(between or {}, n))
    design = np.concatenate([columns for _, columns in terms], axis=1)
    df_residual = n - design.shape[1]
    if df_residual < 1:
        raise InputError(f"more than {design.shape[1]} participants, so that some error is left", got=str(n))
    inverse = np.linalg.inv(design.T @ design)
    strata = [
        _fit_stratum(name, flat @ contrasts, terms, design, inverse)
        for name, contrasts in _list_contrasts(within, levels)
    ]
    all_errors = sum(stratum.error_sum_sq for stratum in strata)
    found: dict[str, AnovaEffect] = {}
    for stratum in strata:
        for name, sum_sq, df in stratum.effects:
            if name or intercept:
                found[name or INTERCEPT] = _test(sum_sq, df, stratum, df_residual, all_errors)
    return dict(sorted(found.items(), key=lambda item: (item[0] != INTERCEPT, item[0].count(":"))))


@suggest_keywords
def permute_mixed_anova(
    values: Any, groups: Sequence[Any], *, n_permutations: int = 10_000, seed: int = DEFAULT_SEED
) -> tuple[float, float]:
    r"""Permutation p of the main effect of group and of group × stage in a mixed design.

    Group: labels of participants are dealt anew, stages averaged. Interaction: labels are dealt anew and the stages of
    each participant are shuffled. p = (1 + number of permuted F at least as large) / (1 + n_permutations).

    Parameters
    ----------
    values : (n_participants, n_stages), float
    groups : (n_participants,)
        Two or more groups.
    n_permutations, seed : int

    Returns
    -------
    p_group, p_interaction : float

    Notes
    -----
    Source: Feather et al. 2023, Nature Neuroscience 26, Methods, "Statistical tests"; p: Phipson & Smyth 2010,
    Statistical Applications in Genetics and Molecular Biology 9.

    >>> permute_mixed_anova([[0, 1.0], [0, 2.0], [5, 1.5], [5, 2.5]], [0, 0, 1, 1], n_permutations=99)[0] > 0.2
    True
    """
    y = np.asarray(values, dtype=np.float64)
    labels = list(groups)
    _check(y, ["stage"], {"group": labels})
    order = {label: number for number, label in enumerate(dict.fromkeys(labels))}
    member = np.zeros((len(order), len(y)))
    member[[order[label] for label in labels], np.arange(len(y))] = 1
    if len(y) <= len(order):
        raise InputError(f"more than {len(order)} participants, so that some error is left", got=str(len(y)))
    sizes = member.sum(axis=1)
    means = y.mean(axis=1, keepdims=True)
    rng = make_generator(seed, "permutations", "anova")
    counts = np.zeros(2)
    observed = [float(_compute_f(part[None], member[None], sizes)[0]) for part in (means, y - means)]
    for start in range(0, n_permutations, _CHUNK):
        size = min(_CHUNK, n_permutations - start)
        dealt = rng.permuted(np.broadcast_to(np.arange(len(y)), (size, len(y))), axis=1)
        member_dealt = np.moveaxis(member[:, dealt], 1, 0)
        shuffled = rng.permuted(np.broadcast_to(y - means, (size, *y.shape)), axis=2)
        for place, part in enumerate((np.broadcast_to(means, (size, *means.shape)), shuffled)):
            # What differs by rounding only is equal.
            counts[place] += (_compute_f(part, member_dealt, sizes) >= observed[place] * (1 - 1e-10)).sum()
    p = (1 + counts) / (1 + n_permutations)
    return float(p[0]), float(p[1])


@final
@dataclass(frozen=True)
class _Stratum:
    effects: list[tuple[str, float, int]]
    error_sum_sq: float
    error: np.ndarray


def _check(y: np.ndarray, within: Sequence[str], between: Mapping[str, Sequence[Any]]) -> None:
    names = [*within, *between]
    if y.ndim != 1 + len(within) or not len(y) or min(y.shape) < 1:
        shape = ", ".join(["n_participants", *(f"levels of {name}" for name in within)])
        raise InputError(f"values ({shape})", got=f"shape {y.shape}")
    if len(set(names)) != len(names) or not names:
        raise InputError("names of factors, each once", got=", ".join(names) or "none")
    if any(size < 2 for size in y.shape[1:]):
        raise InputError("at least two levels of each factor", got=f"shape {y.shape}")
    if not np.isfinite(y).all():
        rows = np.flatnonzero(~np.isfinite(y.reshape(len(y), -1)).all(axis=1))
        raise InputError(
            "a value of each participant in each cell", got=f"{len(rows)} participants without, row {rows[0]} first",
            hint="leave them out, or a mixed model, which takes unequal numbers",
        )  # fmt: skip
    for name, labels in between.items():
        if len(labels) != len(y):
            raise InputError(f"{len(y)} levels of {name}, one a participant", got=str(len(labels)))
        if len(set(labels)) < 2:
            raise InputError(f"at least two levels of {name}", got=str(len(set(labels))))


def _code_between(between: Mapping[str, Sequence[Any]], n: int) -> Iterator[tuple[str, np.ndarray]]:
    """Names of terms and their effect-coded columns, the intercept first."""
    yield "", np.ones((n, 1))
    coded: dict[str, np.ndarray] = {}
    for name, labels in between.items():
        levels = list(dict.fromkeys(labels))
        code = np.concatenate([np.eye(len(levels) - 1), -np.ones((1, len(levels) - 1))])
        coded[name] = code[[levels.index(label) for label in labels]]
    for size in range(1, len(coded) + 1):
        for names in combinations(coded, size):
            columns = np.ones((n, 1))
            for name in names:
                columns = (columns[:, :, None] * coded[name][:, None, :]).reshape(n, -1)
            if len({tuple(between[name][row] for name in names) for row in range(n)}) < math.prod(
                len(set(between[name])) for name in names
            ):
                raise InputError(
                    "participants in every combination of the levels", got=f"none in one of {':'.join(names)}"
                )
            yield ":".join(names), columns


def _list_contrasts(within: Sequence[str], levels: Sequence[int]) -> Iterator[tuple[str, np.ndarray]]:
    """Names of terms within participants and orthonormal contrasts, the mean over all cells first."""
    for size in range(len(within) + 1):
        for names in combinations(within, size):
            contrasts = np.ones((1, 1))
            for name, k in zip(within, levels, strict=True):
                contrasts = np.kron(contrasts, _contrast(k) if name in names else np.full((k, 1), k**-0.5))
            yield ":".join(names), contrasts


def _contrast(k: int) -> np.ndarray:
    """Orthonormal contrasts of k levels, (k, k - 1), by Helmert."""
    columns = np.zeros((k, k - 1))
    for j in range(1, k):
        columns[:j, j - 1], columns[j, j - 1] = 1, -j
        columns[:, j - 1] /= math.sqrt(j * (j + 1))
    return columns


def _fit_stratum(
    name: str, z: np.ndarray, terms: list[tuple[str, np.ndarray]], design: np.ndarray, inverse: np.ndarray
) -> _Stratum:
    weights = inverse @ design.T @ z
    residual = z - design @ weights
    effects: list[tuple[str, float, int]] = []
    start = 0
    for term, columns in terms:
        place = slice(start, start + columns.shape[1])
        start = place.stop
        full = ":".join(each for each in (term, name) if each)
        found = weights[place]
        sum_sq = float(np.trace(found.T @ np.linalg.solve(inverse[place, place], found)))
        effects.append((full, sum_sq, columns.shape[1] * z.shape[1]))
    return _Stratum(effects, float((residual**2).sum()), residual.T @ residual)


def _test(sum_sq: float, df: int, stratum: _Stratum, df_residual: int, all_errors: float) -> AnovaEffect:
    from scipy.stats import f as f_distribution

    d = len(stratum.error)
    df_2, error = df_residual * d, stratum.error_sum_sq
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = float(np.float64(sum_sq / df) / np.float64(error / df_2))
        shares = [float(np.float64(sum_sq) / np.float64(sum_sq + whole)) for whole in (error, all_errors)]
    gg, hf, lb = _find_epsilons(stratum.error, df_residual)
    w, p_w = _test_sphericity(stratum.error, df_residual)

    def tail(epsilon: float) -> float:
        return float(f_distribution.sf(ratio, df * epsilon, df_2 * epsilon))

    return AnovaEffect(
        sum_sq, error, float(df), float(df_2), ratio, tail(1.0), tail(gg), tail(hf), tail(lb), gg, hf, lb,
        shares[0], shares[1], w, p_w,
    )  # fmt: skip


def _find_epsilons(error: np.ndarray, df_residual: int) -> tuple[float, float, float]:
    """Greenhouse and Geisser's, Huynh and Feldt's (Lecoutre) and the lowest possible epsilon."""
    d = len(error)
    square = float((error**2).sum())
    if d == 1 or square == 0:
        return 1.0, 1.0, 1.0
    gg = float(np.trace(error)) ** 2 / (d * square)
    below = d * (df_residual - d * gg)
    hf = ((df_residual + 1) * d * gg - 2) / below if below > 0 else 1.0
    return gg, max(min(hf, 1.0), gg), 1 / d


def _test_sphericity(error: np.ndarray, df_residual: int) -> tuple[float, float]:
    """Mauchly's W and its p by the chi-square approximation."""
    from scipy.stats import chi2

    d = len(error)
    if d < 2 or df_residual < d or not np.trace(error):
        return math.nan, math.nan
    sign, log_det = np.linalg.slogdet(error)
    if sign <= 0:
        return 0.0, 0.0
    log_w = float(log_det) - d * math.log(float(np.trace(error)) / d)
    scale = df_residual - (2 * d**2 + d + 2) / (6 * d)
    return math.exp(log_w), float(chi2.sf(-scale * log_w, d * (d + 1) / 2 - 1))


def _compute_f(values: np.ndarray, member: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """F of group over all columns together, (n_draws,): values (n_draws, n, k), member (n_draws, n_groups, n)."""
    n = values.shape[1]
    grand = values.mean(axis=1)
    means = member @ values / sizes[:, None]
    between = (sizes[:, None] * (means - grand[:, None]) ** 2).sum(axis=(1, 2))
    total = (values**2).sum(axis=(1, 2)) - n * (grand**2).sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return (between / (len(sizes) - 1)) / (np.maximum(total - between, 0) / (n - len(sizes)))
