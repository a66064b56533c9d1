"""Inference on comparisons of RDMs: bootstrap over stimuli, people or both; permutation of stimuli."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, final

import numpy as np

from beholder._core.errors import InputError, UnknownNameError, suggest_keywords
from beholder._core.seeds import DEFAULT_SEED, make_generator
from beholder.statistics._rdm_comparison import (
    Pairs,
    PreparedRdms,
    check_rdm_method,
    compare_prepared,
    condense_rdm,
    count_stimuli,
)

Over = Literal["stimuli", "subjects", "both"]
_OVER = ("stimuli", "subjects", "both")
_FEWEST_DISTINCT = 3
_ROUNDING = 1e-12


@final
@dataclass(frozen=True, eq=False)
class RsaBootstrap:
    """Comparisons of models' RDMs with people's, and how they vary when stimuli and people are drawn anew.

    Attributes
    ----------
    values : (n_models, n_subjects)
        Each model with each person.
    draws : (n_draws, n_models, n_subjects)
        ``values`` for each draw of stimuli; empty where only people are drawn.
    over : {"stimuli", "subjects", "both"}
    n_stimuli, n_draws, seed : int
    """

    values: np.ndarray
    draws: np.ndarray
    over: Over
    n_stimuli: int
    n_draws: int
    seed: int

    @property
    def n_subjects(self) -> int:
        """People."""
        return self.values.shape[1]

    @property
    def estimates(self) -> np.ndarray:
        """Each model's mean over people, (n_models,)."""
        return self.values.mean(axis=1)

    @property
    def subject_weights(self) -> np.ndarray:
        """How often each person was drawn, over the number of people, (n_draws, n_subjects)."""
        n = self.n_subjects
        picked = make_generator(self.seed, "bootstrap", "subjects").integers(0, n, (self.n_draws, n))
        return np.stack([np.bincount(row, minlength=n) for row in picked]) / n

    def select(self, subjects: Sequence[int], over: Over | None = None) -> RsaBootstrap:
        """Some people alone, such as those of one region, where several were compared at once."""
        columns = list(subjects)
        return replace(self, values=self.values[:, columns], draws=self.draws[:, :, columns], over=over or self.over)

    def weigh(self, weights: Any) -> tuple[float, float]:
        """A weighted sum of ``values`` and its standard error, such as the difference of two models' means.

        Parameters
        ----------
        weights : (n_models, n_subjects)
            1 / n_subjects in a model's row is its mean over people.
        """
        weights = np.asarray(weights, dtype=np.float64)
        used = weights.any(axis=1)
        weights, values = weights[used], self.values[used]
        estimate = float((weights * values).sum())
        return estimate, math.sqrt(self._find_variance(weights, values, used))

    def interval(self, weights: Any, level: float = 0.95) -> tuple[float, float, float]:
        """Such a sum with the ends of its interval, by the t distribution: (estimate, low, high), or NaN."""
        from scipy.stats import t

        estimate, error = self.weigh(weights)
        df = self.find_df(weights)
        if math.isnan(df) or math.isnan(error):
            return estimate, math.nan, math.nan
        half = float(t.ppf((1 + level) / 2, df)) * error
        return estimate, estimate - half, estimate + half

    def test(self, weights: Any) -> float:
        """P of such a sum against 0, two-sided, by the t distribution; NaN where there is no standard error."""
        from scipy.stats import t

        estimate, error = self.weigh(weights)
        df = self.find_df(weights)
        if math.isnan(df) or math.isnan(error):
            return math.nan
        if error <= _ROUNDING:  # equal in every draw
            return 1.0 if abs(estimate) <= _ROUNDING else math.nan
        return float(2 * t.sf(abs(estimate) / error, df))

    def find_df(self, weights: Any) -> float:
        """Degrees of freedom: of the number drawn from; of both, by Satterthwaite from the parts of the variance.

        rsatoolbox takes the smaller number of the two, with which intervals at 8 people and 20 stimuli cover 98 %.
        """
        found = self.variances(weights)
        stimuli, subjects = found["stimuli"], found["subjects"]
        if self.over != "both":
            return float(self.n_stimuli - 1 if self.over == "stimuli" else self.n_subjects - 1) or math.nan
        parts = stimuli**2 / max(self.n_stimuli - 1, 1) + subjects**2 / max(self.n_subjects - 1, 1)
        if math.isnan(parts):
            return math.nan
        return (stimuli + subjects) ** 2 / parts if parts > 0 else float(min(self.n_stimuli, self.n_subjects) - 1)

    def mean_weights(self, model: int) -> np.ndarray:
        """Weights of a model's mean over people."""
        weights = np.zeros(self.values.shape)
        weights[model] = 1 / self.n_subjects
        return weights

    def variances(self, weights: Any) -> dict[str, float]:
        """Variances of a sum by what was drawn: ``stimuli``, ``subjects``, ``naive`` (both at once), ``corrected``."""
        weights = np.asarray(weights, dtype=np.float64)
        used = weights.any(axis=1)
        return self._find_variances(weights[used], self.values[used], used)

    def _find_variance(self, weights: np.ndarray, values: np.ndarray, used: np.ndarray) -> float:
        found = self._find_variances(weights, values, used)
        return found["corrected" if self.over == "both" else self.over]

    def _find_variances(self, weights: np.ndarray, values: np.ndarray, used: np.ndarray) -> dict[str, float]:
        n, m = self.n_subjects, self.n_stimuli
        found: dict[str, float] = dict.fromkeys(("stimuli", "subjects", "naive", "corrected"), math.nan)
        person = (weights * values).sum(axis=0)  # what each person adds
        if self.over != "stimuli" and n > 1:
            found["subjects"] = _vary(self.subject_weights @ person * n) * n / (n - 1)
        if self.over != "subjects":
            drawn = (self.draws[:, used] * weights).sum(axis=1)  # (n_draws, n_subjects)
            whole = np.isfinite(drawn).all(axis=1)
            found["stimuli"] = _vary(drawn[whole].sum(axis=1)) * m / (m - 1)
            if self.over == "both" and n > 1:
                found["naive"] = _vary((drawn * self.subject_weights * n).sum(axis=1)[whole])
                found["corrected"] = correct_variance(found["naive"], found["stimuli"], found["subjects"], m, n)
        return found


def correct_variance(both: float, stimuli: float, subjects: float, n_stimuli: int, n_subjects: int) -> float:
    """Variance when stimuli and people are both new, from three bootstraps, without counting the noise twice.

    Drawing both adds the noise of single responses three times; what that is too much is taken off. No smaller than
    either part, no larger than what drawing both gives.

    Parameters
    ----------
    both : float
        Variance over draws of both.
    stimuli, subjects : float
        Over draws of one, times n / (n − 1).
    n_stimuli, n_subjects : int

    Notes
    -----
    Source: Schütt, Kipnis, Diedrichsen and Kriegeskorte, eLife 12:e82566, 2023, the formula for small samples.
    """
    m, n = n_stimuli, n_subjects
    beyond = both - stimuli * (m - 1) / m - subjects * (n - 1) / n
    found = stimuli + subjects - m * n / ((m - 1) * (n - 1)) * beyond
    return min(max(found, stimuli, subjects), max(both, stimuli, subjects))


@suggest_keywords
def bootstrap_rsa(
    model_rdms: Any,
    subject_rdms: Any,
    method: str = "spearman",
    *,
    over: Over = "both",
    n_draws: int = 1000,
    seed: int = DEFAULT_SEED,
) -> RsaBootstrap:
    """Compare models' RDMs with people's, and draw stimuli, people or both with replacement.

    RDMs are sorted once: a draw gives each pair of stimuli the weight m_i m_j, and ranks are cumulated weights. Pairs
    of a stimulus with itself are left out. Equal draws for all models, so that differences are paired.

    Parameters
    ----------
    model_rdms : array, (n_models, n_pairs) or (n_models, n_stimuli, n_stimuli)
    subject_rdms : array, (n_subjects, n_pairs) or (n_subjects, n_stimuli, n_stimuli)
        NaN where a person lacks a stimulus: the pair is left out for this person.
    method : str
        As for :func:`compare_rdms`.
    over : {"stimuli", "subjects", "both"}
        What is drawn: to conclude about other stimuli, other people, or both.
    n_draws, seed : int

    Returns
    -------
    RsaBootstrap

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> people = rng.random((4, 45))
    >>> found = bootstrap_rsa(people.mean(axis=0)[None], people, n_draws=200)
    >>> [round(float(each), 2) for each in found.estimates]
    [0.53]
    """
    check_rdm_method(method)
    if over not in _OVER:
        raise UnknownNameError("what to draw", over, _OVER)
    models, people = _stack(model_rdms), _stack(subject_rdms)
    if models.shape[1] != people.shape[1]:
        raise InputError("RDMs of the same stimuli", got=f"{models.shape[1]} and {people.shape[1]} pairs")
    n = count_stimuli(models.shape[1])
    groups = list(_group(models, people, method))
    values = _compare_groups(groups, (len(models), len(people)), None)
    draws = np.empty((0, *values.shape))
    if over != "subjects":
        generator = make_generator(seed, "bootstrap", "stimuli")
        draws = np.full((n_draws, *values.shape), np.nan)
        for draw in draws:
            drawn = np.bincount(generator.integers(0, n, n), minlength=n)
            if (drawn > 0).sum() >= _FEWEST_DISTINCT:
                draw[:] = _compare_groups(groups, values.shape, drawn)
    return RsaBootstrap(values, draws, over, n, n_draws, seed)


def smallest_p(n_orders: int) -> float:
    """The smallest p that a permutation test of so many orders can give.

    >>> smallest_p(24)
    0.041666666666666664
    """
    return 1 / n_orders


def count_orders(n_stimuli: int, n_permutations: int) -> int:
    """Orders that a permutation test of stimuli looks at, the observed one among them: all, where those are fewer."""
    return min(math.factorial(min(n_stimuli, 20)), n_permutations + 1)


@final
@dataclass(frozen=True, eq=False)
class PermutationTest:
    """Whether mean comparisons are above what shuffled stimuli give, one-sided.

    Attributes
    ----------
    p : (n_models,)
        Of each model; NaN where the test cannot reach alpha and was not run.
    p_max : (n_models,)
        Corrected for all models by the largest of them in each shuffle.
    smallest_p : float
        What the number of stimuli and shuffles allows at best.
    """

    p: np.ndarray
    p_max: np.ndarray
    smallest_p: float


@suggest_keywords
def permute_stimuli(
    model_rdms: Any,
    subject_rdms: Any,
    method: str = "spearman",
    *,
    n_permutations: int = 1000,
    alpha: float = 0.05,
    seed: int = DEFAULT_SEED,
) -> PermutationTest:
    """Test mean comparisons over people by shuffling which stimulus is which, equally in all people.

    Parameters
    ----------
    model_rdms, subject_rdms, method
        As for :func:`bootstrap_rsa`. A person without some stimuli is shuffled among those that there are.
    n_permutations : int
        With few stimuli, all orders are looked at instead.
    alpha : float
        A test whose smallest p is above it is not run.
    seed : int

    Notes
    -----
    p = (1 + k) / (1 + n). Source: Nichols and Holmes, Human Brain Mapping 15, 2002 (the largest statistic); Phipson and
    Smyth, Statistical Applications in Genetics and Molecular Biology 9, 2010 (p is never 0).
    """
    check_rdm_method(method)
    models, people = _stack(model_rdms), _stack(subject_rdms)
    n = count_stimuli(models.shape[1])
    blocks = [_Block(models, people[rows], there, method) for rows, there in _find_stimuli(people)]
    fewest = min((len(block.stimuli) for block in blocks), default=0)
    n_orders = count_orders(fewest, n_permutations)
    if not blocks or smallest_p(n_orders) > alpha or n < 3:
        empty = np.full(len(models), math.nan)
        return PermutationTest(empty, empty.copy(), smallest_p(max(n_orders, 1)))
    share = np.array([len(block.people) for block in blocks]) / len(people)
    observed = sum(weight * block.compare(None) for weight, block in zip(share, blocks, strict=True))
    reached, reached_max, n_done = np.zeros(len(models)), np.zeros(len(models)), 0
    for order in _iter_orders(n, n_orders, exact=len(blocks) == 1, seed=seed):
        shuffled: Any = sum(weight * block.compare(order) for weight, block in zip(share, blocks, strict=True))
        reached += shuffled >= observed - 1e-12
        top = np.max(shuffled[np.isfinite(shuffled)], initial=-np.inf)
        reached_max += top >= observed - 1e-12
        n_done += 1
    p, p_max = (1 + reached) / (1 + n_done), (1 + reached_max) / (1 + n_done)
    undefined = ~np.isfinite(np.asarray(observed))
    p[undefined], p_max[undefined] = math.nan, math.nan
    return PermutationTest(p, p_max, smallest_p(1 + n_done))


class _Block:
    """People with the same stimuli, and the models at these."""

    def __init__(self, models: np.ndarray, people: np.ndarray, stimuli: np.ndarray, method: str) -> None:
        self.stimuli, self.people, self.method = stimuli, people, method
        n = count_stimuli(models.shape[1])
        inside = np.isin(np.arange(n), stimuli)
        first, second = np.triu_indices(n, 1)
        chosen = inside[first] & inside[second]
        self.pairs = Pairs(len(stimuli))
        self.models = PreparedRdms(models[:, chosen], self.pairs, method)
        own = PreparedRdms(people[:, chosen], self.pairs, method)
        self._tau = method in ("tau-a", "tau-b")
        if self._tau:
            self._squares = [_square(row, len(stimuli)) for row in own.values]
            return
        left, weights = self.models.center()
        right, _ = own.center()
        scale = np.sqrt(np.outer((left**2) @ weights, (right**2) @ weights))
        if method == "rho-a":
            total = weights.sum()
            scale = np.full(scale.shape, (total**3 - total) / 12)
        with np.errstate(invalid="ignore", divide="ignore"):
            lengths = scale[0] / scale[0, :1] if len(scale) else scale
            self._left = left * weights / (scale[:, :1])
            mean = (right / lengths[:, None]).mean(axis=0)
        n_pairs = len(self.pairs)
        self._mean, self._own = _square(mean[:n_pairs], len(stimuli)), mean[n_pairs:]

    def compare(self, order: np.ndarray | None) -> np.ndarray:
        """Mean over these people of each model's comparison when stimuli are in another order, (n_models,)."""
        n = len(self.stimuli)
        places = np.arange(n) if order is None else np.argsort(np.argsort(order[self.stimuli]))
        first, second = places[self.pairs.first], places[self.pairs.second]
        if self._tau:
            moved = PreparedRdms(np.stack([each[first, second] for each in self._squares]), self.pairs, self.method)
            return compare_prepared(self.models, moved).mean(axis=1)
        moved = self._mean[first, second]
        return self._left @ (np.concatenate([moved, self._own[places]]) if len(self._own) else moved)


def _square(pairs: np.ndarray, n: int) -> np.ndarray:
    square = np.zeros((n, n))
    square[np.triu_indices(n, 1)] = pairs
    return square + square.T


def _iter_orders(n: int, n_orders: int, *, exact: bool, seed: int) -> Iterator[np.ndarray]:
    """Orders of stimuli other than the observed one: all, where those are as few as asked for, else drawn."""
    if exact and n < 20 and math.factorial(n) == n_orders:
        yield from (np.array(order) for order in itertools.islice(itertools.permutations(range(n)), 1, None))
        return
    generator = make_generator(seed, "permutation")
    for _ in range(n_orders - 1):
        yield generator.permutation(n)


def _stack(rdms: Any) -> np.ndarray:
    rows = [condense_rdm(rdm) for rdm in rdms]
    if not rows or len({len(row) for row in rows}) > 1:
        raise InputError(
            "at least one RDM, all of the same stimuli", got=f"{len(rows)} of unlike size" if rows else "none"
        )
    return np.stack(rows)


def _group(
    models: np.ndarray, people: np.ndarray, method: str
) -> Iterator[tuple[list[int], list[int], PreparedRdms, PreparedRdms]]:
    """Models and people with the same known pairs, prepared together."""
    n = count_stimuli(models.shape[1])
    for of_models in _find_alike(np.isfinite(models)):
        for of_people in _find_alike(np.isfinite(people)):
            known = np.isfinite(models[of_models[0]]) & np.isfinite(people[of_people[0]])
            pairs = Pairs(n, known)
            sides = (models[of_models], people[of_people])
            one, two = (PreparedRdms(side[:, known], pairs, method) for side in sides)
            yield of_models, of_people, one, two


def _compare_groups(
    groups: Sequence[tuple[list[int], list[int], PreparedRdms, PreparedRdms]],
    shape: tuple[int, ...],
    drawn: np.ndarray | None,
) -> np.ndarray:
    found = np.full(shape, np.nan)
    for of_models, of_people, one, two in groups:
        if len(one.pairs):
            found[np.ix_(np.array(of_models), np.array(of_people))] = compare_prepared(one, two, drawn)
    return found


def _find_alike(known: np.ndarray) -> list[list[int]]:
    found: dict[bytes, list[int]] = {}
    for row, each in enumerate(known):
        found.setdefault(np.packbits(each).tobytes(), []).append(row)
    return list(found.values())


def _find_stimuli(people: np.ndarray) -> Iterator[tuple[list[int], np.ndarray]]:
    """People with the same stimuli, and which those are: stimuli whose distances to one another are all known."""
    n = count_stimuli(people.shape[1])
    for rows in _find_alike(np.isfinite(people)):
        table = _square(np.isfinite(people[rows[0]]).astype(np.float64), n) > 0
        there = np.flatnonzero(table.any(axis=1))
        inner = table[np.ix_(there, there)]
        if inner.sum() != len(there) * (len(there) - 1):
            raise InputError(
                "RDMs in which a stimulus is there with all its pairs or missing with all, to permute stimuli",
                got="single pairs that are NaN",
            )
        yield rows, there


def _vary(values: np.ndarray) -> float:
    values = values[np.isfinite(values)]
    return float(values.var()) if len(values) > 1 else math.nan


def compare_halves(
    model_rdms: np.ndarray, subject_rdms: np.ndarray, method: str, half: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Each model's mean comparison over people within some stimuli, and within the others, (n_models,) each.

    Parameters
    ----------
    model_rdms, subject_rdms : (n, n_pairs)
    method : str
    half : (n_stimuli,), bool
    """
    groups = list(_group(model_rdms, subject_rdms, method))
    shape = (len(model_rdms), len(subject_rdms))
    one, two = (_compare_groups(groups, shape, part.astype(np.int64)).mean(axis=1) for part in (half, ~half))
    return one, two
