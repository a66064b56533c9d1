"""Tests of RSA: stimuli shuffled, equally in all people."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from beholder._core.errors import InputError, suggest_keywords
from beholder._core.seeds import DEFAULT_SEED, make_generator
from beholder._core.threads import hold_products
from beholder.statistics._rdm_comparison import Pairs, PreparedRdms, check_rdm_method, compare_prepared, count_stimuli
from beholder.statistics._rdm_groups import find_alike, square_rdm, stack_rdms

_WORK_AT_ONCE = 5e8


def smallest_p(n_orders: int) -> float:
    """The smallest p that a permutation test of so many orders can give.

    >>> smallest_p(24)
    0.041666666666666664
    """
    return 1 / n_orders


@suggest_keywords
def compute_permutation_p(observed: float, null: np.ndarray, *, tolerance: float = 1e-12) -> float:
    """One-sided p of a permutation test: (1 + draws as large) / (1 + draws).

    Parameters
    ----------
    observed : float
    null : (n_permutations,), float
        The same of permuted data.
    tolerance : float
        By how much a draw may be smaller and count as large, for rounding.

    Raises
    ------
    InputError
        No permutations.

    Examples
    --------
    >>> compute_permutation_p(0.4, np.array([0.1, 0.4, 0.5]))
    0.75
    """
    if not len(null):
        raise InputError("permutations", got="none")
    return (1 + int((null >= observed - tolerance).sum())) / (1 + len(null))


@suggest_keywords
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
    shuffles = plan_stimulus_shuffles(
        model_rdms, subject_rdms, method, n_permutations=n_permutations, alpha=alpha, seed=seed
    )
    with hold_products():
        return shuffles.sum_up(shuffles.prepare()(0, shuffles.n_rows) if shuffles.is_run else np.empty(0))


@suggest_keywords
def plan_stimulus_shuffles(
    model_rdms: Any, subject_rdms: Any, method: str, *, n_permutations: int, alpha: float, seed: int
) -> StimulusShuffles:
    """What :func:`permute_stimuli` of the same computes, to be computed in parts.

    Raises
    ------
    InputError
        As for :func:`permute_stimuli`.
    """
    check_rdm_method(method)
    models, people = stack_rdms(model_rdms), stack_rdms(subject_rdms)
    there = list(_find_stimuli(people))
    fewest = min((len(stimuli) for _, stimuli in there), default=0)
    n_orders = count_orders(fewest, n_permutations)
    if not there or smallest_p(n_orders) > alpha or count_stimuli(models.shape[1]) < 3:
        return StimulusShuffles(models, people, method, n_orders, seed, is_run=False)
    return StimulusShuffles(models, people, method, n_orders, seed)


@final
@dataclass(frozen=True, eq=False)
class StimulusShuffles:
    """Mean comparisons of models' RDMs with people's whose stimuli are shuffled: what :func:`permute_stimuli` computes.

    Row 0 says which comparisons are defined, each other one which of them a shuffle reaches, by itself and by the
    largest of all.

    Parameters
    ----------
    models : (n_models, n_pairs)
    people : (n_subjects, n_pairs)
    method : str
    n_orders : int
        The observed one among them.
    seed : int
    is_run : bool
        Whether the test can reach its alpha.
    """

    models: np.ndarray
    people: np.ndarray
    method: str
    n_orders: int
    seed: int
    is_run: bool = True

    @property
    def n_rows(self) -> int:
        """Rows, the first among them; none of a test that is not run."""
        return self.n_orders if self.is_run else 0

    @property
    def rows_at_once(self) -> int:
        """Rows that take some seconds."""
        return max(1, int(_WORK_AT_ONCE / (self.models.shape[1] * (2 + len(self.models)))))

    def prepare(self) -> Callable[[int, int], np.ndarray]:
        """Rank the RDMs; gives ``compute(start, stop)``, rows (stop - start, 2, n_models), 0 or 1."""
        blocks = [
            _Block(self.models, self.people[rows], there, self.method) for rows, there in _find_stimuli(self.people)
        ]
        share = np.array([len(block.people) for block in blocks]) / len(self.people)

        def compare(order: np.ndarray | None) -> np.ndarray:
            parts = [weight * block.compare(order) for weight, block in zip(share, blocks, strict=True)]
            return np.asarray(sum(parts))

        observed = compare(None)
        orders = functools.partial(
            _iter_orders, count_stimuli(self.models.shape[1]), self.n_orders, exact=len(blocks) == 1, seed=self.seed
        )

        def compute(start: int, stop: int) -> np.ndarray:
            found = np.empty((stop - start, 2, len(self.models)), dtype=np.uint8)
            if start == 0:
                found[0] = np.isfinite(observed)
            chosen = itertools.islice(orders(), max(start - 1, 0), stop - 1)
            for own, order in zip(found[int(start == 0) :], chosen, strict=True):
                shuffled = compare(order)
                top = np.max(shuffled[np.isfinite(shuffled)], initial=-np.inf)
                own[0], own[1] = shuffled >= observed - 1e-12, top >= observed - 1e-12
            return found

        return compute

    def sum_up(self, rows: np.ndarray) -> PermutationTest:
        """The test that these rows, all of them, are of; of a test that is not run, whatever comes."""
        if not self.is_run:
            empty = np.full(len(self.models), math.nan)
            return PermutationTest(empty, empty.copy(), smallest_p(max(self.n_orders, 1)))
        n_done = len(rows) - 1
        p, p_max = (1 + rows[1:].sum(axis=0, dtype=np.int64)) / (1 + n_done)
        undefined = rows[0, 0] == 0
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
            self._squares = [square_rdm(row, len(stimuli)) for row in own.values]
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
        self._mean, self._own = square_rdm(mean[:n_pairs], len(stimuli)), mean[n_pairs:]

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


def _iter_orders(n: int, n_orders: int, *, exact: bool, seed: int) -> Iterator[np.ndarray]:
    """Orders of stimuli other than the observed one: all, where those are as few as asked for, else drawn."""
    if exact and n < 20 and math.factorial(n) == n_orders:
        yield from (np.array(order) for order in itertools.islice(itertools.permutations(range(n)), 1, None))
        return
    generator = make_generator(seed, "permutation")
    for _ in range(n_orders - 1):
        yield generator.permutation(n)


def _find_stimuli(people: np.ndarray) -> Iterator[tuple[list[int], np.ndarray]]:
    """People with the same stimuli, and which those are: stimuli whose distances to one another are all known."""
    n = count_stimuli(people.shape[1])
    for rows in find_alike(np.isfinite(people)):
        table = square_rdm(np.isfinite(people[rows[0]]).astype(np.float64), n) > 0
        there = np.flatnonzero(table.any(axis=1))
        inner = table[np.ix_(there, there)]
        if inner.sum() != len(there) * (len(there) - 1):
            raise InputError(
                "RDMs in which a stimulus is there with all its pairs or missing with all, to permute stimuli",
                got="single pairs that are NaN",
            )
        yield rows, there
