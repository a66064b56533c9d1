"""Confusion matrices: which wrong answers observers give, and whether they give the same ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from beholder._core.errors import InputError, suggest_keywords
from beholder._core.seeds import DEFAULT_SEED
from beholder.statistics._crossed import CrossedEstimates, Over, draw_counts

_FEWEST_CELLS = 3


@final
@dataclass(frozen=True, eq=False)
class ConfusionAgreement:
    """Correlation of confusion matrices with that of people.

    Attributes
    ----------
    counts : (n_observers, n_true, n_answers)
        Confusions of each observer, people first, then networks.
    with_others : (n_observers, n_people)
        Correlation of each observer with all people but one; on the people's own rows only their own place is defined.
    crossed : CrossedEstimates
        A value for each network, then the people's: means over the person that was left out.
    """

    counts: np.ndarray
    with_others: np.ndarray
    crossed: CrossedEstimates


@suggest_keywords
def correlate_confusions(one: Any, two: Any) -> np.ndarray:
    """Pearson's correlation of wrong answers in confusion matrices: proportions of each true class.

    Parameters
    ----------
    one, two : (..., n_true, n_answers)
        Counts; answer k is right for true class k, further ones never are. True classes without answers on a side are
        left out.

    Returns
    -------
    numpy.ndarray
        (...,); NaN where a side's wrong answers do not differ.

    Examples
    --------
    >>> people = [[8, 2, 0], [1, 8, 1], [0, 3, 7]]
    >>> round(float(correlate_confusions(people, [[5, 5, 0], [2, 6, 2], [0, 5, 5]])), 2)
    0.96
    """
    wrong_1, wrong_2 = _find_wrong(np.asarray(one, dtype=np.float64)), _find_wrong(np.asarray(two, dtype=np.float64))
    known = np.isfinite(wrong_1) & np.isfinite(wrong_2)
    n = known.sum(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        left, right = (
            np.where(known, side - (np.where(known, side, 0).sum(axis=-1) / n)[..., None], 0)
            for side in (wrong_1, wrong_2)
        )
        square = (left**2).sum(axis=-1) * (right**2).sum(axis=-1)
        found = (left * right).sum(axis=-1) / np.sqrt(square)
    return np.where((n >= _FEWEST_CELLS) & (square > 1e-24), found, np.nan)


@suggest_keywords
def compare_confusions(
    truth: Any,
    people: Any,
    networks: Any,
    n_answers: int,
    *,
    over: Over = "both",
    n_draws: int = 500,
    seed: int = DEFAULT_SEED,
) -> ConfusionAgreement:
    """Correlation of networks' confusions with those of people, and of each person's with the others', the ceiling.

    People are pooled, one left out in turn, for networks as for people; then the mean.

    Parameters
    ----------
    truth : (n_stimuli,), int
        True class of each stimulus, from 0.
    people, networks : (n_people, n_stimuli), (n_networks, n_stimuli), int
        Number of the answer; -1 where a stimulus was not answered.
    n_answers : int
        Those above the number of true classes are never right.
    over : {"both", "stimuli", "people"}
    n_draws, seed : int

    Raises
    ------
    InputError
        Fewer than two people.

    Notes
    -----
    After Rajalingham et al. 2018, Journal of Neuroscience 38, and Geirhos et al. 2018, NeurIPS 31.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> truth = np.repeat(np.arange(4), 20)
    >>> people = np.where(rng.random((3, 80)) < 0.5, truth, (truth + 1) % 4)
    >>> found = compare_confusions(truth, people, people[:1], 4, n_draws=50)
    >>> bool(found.crossed.values[0] > 0.9)
    True
    """
    truth, persons = np.asarray(truth, dtype=np.int64), np.asarray(people, dtype=np.int64)
    nets = np.asarray(networks, dtype=np.int64).reshape(-1, len(truth))
    if len(persons) < 2:
        raise InputError("two people or more, whose confusions are compared with one another's", got=str(len(persons)))
    n_true, n = int(truth.max()) + 1, len(persons)
    observers = np.concatenate([persons, nets])
    cells = [_code(truth, own, n_answers, n_true) for own in observers]
    shape = (n_true, n_answers)
    whole = np.stack([each.sum(axis=0).reshape(shape) for each in cells])[:, None]
    drawn_stimuli = draw_counts(len(truth), n_draws, seed, "stimuli", "confusions")
    drawn = np.stack([(drawn_stimuli @ each).reshape(-1, *shape) for each in cells])
    everyone, counts = np.ones((1, n)), draw_counts(n, n_draws, seed, "people")
    observed = _correlate_all(whole, everyone, n)
    crossed = CrossedEstimates(
        _average(observed, everyone, n)[0], _average(_correlate_all(drawn, everyone, n), everyone, n),
        _average(_correlate_all(whole, counts, n), counts, n), _average(_correlate_all(drawn, counts, n), counts, n),
        len(truth), n, over, most=1.0,
    )  # fmt: skip
    return ConfusionAgreement(whole[:, 0], observed[0], crossed)


def _find_wrong(counts: np.ndarray) -> np.ndarray:
    """Proportions of wrong answers, (..., n_true * (n_answers - 1)); NaN in rows without answers."""
    n_true, n_answers = counts.shape[-2:]
    wrong = np.arange(int(n_answers)) != np.arange(int(n_true))[:, None]
    with np.errstate(invalid="ignore", divide="ignore"):
        shares = counts / counts.sum(axis=-1, keepdims=True)
    return shares[..., wrong]


def _code(truth: np.ndarray, answers: np.ndarray, n_answers: int, n_true: int) -> np.ndarray:
    """Cell of the confusion matrix that each stimulus counts in, as (n_stimuli, n_cells)."""
    coded = np.zeros((len(truth), n_true * n_answers))
    there = np.flatnonzero(answers >= 0)
    coded[there, truth[there] * n_answers + answers[there]] = 1
    return coded


def _correlate_all(counts: np.ndarray, weights: np.ndarray, n: int) -> np.ndarray:
    """Of each observer with the people that are left, (n_draws, n_observers, n_people), by whom is left out.

    ``counts`` are (n_observers, n_draws or 1, n_true, n_answers), ``weights`` (n_draws or 1, n_people).
    """
    n_draws = max(counts.shape[1], len(weights))
    found = np.full((n_draws, len(counts), n), np.nan)
    for left_out in range(n):
        own = weights.copy()
        own[:, left_out] = 0
        pooled: Any = sum(own[:, i, None, None] * counts[i] for i in range(n))
        for observer in (left_out, *range(n, len(counts))):
            found[:, observer, left_out] = correlate_confusions(counts[observer], pooled)
    return found


def _average(found: np.ndarray, weights: np.ndarray, n: int) -> np.ndarray:
    """Means over whom is left out: of each network, then of the people, (n_draws, n_networks + 1)."""
    own = found[:, np.arange(n), np.arange(n)]
    rows: Sequence[np.ndarray] = [*(found[:, place] for place in range(n, found.shape[1])), own]
    means: list[np.ndarray] = []
    for row in rows:
        there = np.isfinite(row)
        weight = np.where(there, weights, 0)
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = (np.where(there, row, 0) * weight).sum(axis=1) / weight.sum(axis=1)
        means.append(np.where(weight.sum(axis=1) > 0, mean, np.nan))
    return np.stack(means, axis=1)
