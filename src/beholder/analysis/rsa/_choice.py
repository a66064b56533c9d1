"""The layer that is nearest to a target, chosen on other people or stimuli than those that give its r."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import final

import numpy as np

from beholder._core.seeds import make_generator
from beholder.statistics import compare_halves

_FEWEST_PEOPLE = 3
_FEWEST_STIMULI = 8
_N_SPLITS = 20


@final
@dataclass(frozen=True, eq=False)
class Choice:
    """The nearest layer.

    Attributes
    ----------
    layer : int
        The one that was chosen most often.
    weights : (n_layers, n_subjects)
        What the values are weighted by to give the estimate.
    estimate : float
        Mean of what the chosen layers give in those that did not choose.
    n_agree, n_choices : int
        How often the layer was chosen, of how many choices.
    by : {"subjects", "stimuli"}
        What chose: other people, or other stimuli.
    """

    layer: int
    weights: np.ndarray
    estimate: float
    n_agree: int
    n_choices: int
    by: str


def choose_layer(
    values: np.ndarray, layer_rdms: np.ndarray, subject_rdms: np.ndarray, method: str, seed: int
) -> Choice | None:
    """Choose the layer with the largest mean comparison: for each person on the others, or on half of the stimuli.

    Parameters
    ----------
    values : (n_layers, n_subjects)
        Comparisons over all stimuli.
    layer_rdms, subject_rdms : (n, n_pairs)
    method : str
    seed : int

    Returns
    -------
    Choice or None
        None with fewer than three people and eight stimuli, or where nothing is defined.
    """
    defined = np.flatnonzero(np.isfinite(values).all(axis=1))
    n_people = values.shape[1]
    if not len(defined):
        return None
    weights = np.zeros(values.shape)
    if n_people >= _FEWEST_PEOPLE:
        chosen = list[int]()
        for person in range(n_people):
            others = np.delete(values[defined], person, axis=1).mean(axis=1)
            chosen.append(int(defined[np.argmax(others)]))
            weights[chosen[-1], person] += 1 / n_people
        estimate = float((weights[defined] * values[defined]).sum())
        return _make(chosen, weights, estimate, "subjects")
    n = round((1 + np.sqrt(1 + 8 * layer_rdms.shape[1])) / 2)
    if n < _FEWEST_STIMULI:
        return None
    generator = make_generator(seed, "choice of a layer")
    chosen, found = list[int](), list[float]()
    for _ in range(_N_SPLITS):
        half = np.zeros(n, dtype=bool)
        half[generator.permutation(n)[: n // 2]] = True
        on, off = compare_halves(layer_rdms[defined], subject_rdms, method, half)
        if not np.isfinite(on).any():
            continue
        best = int(np.nanargmax(on))
        if np.isfinite(off[best]):
            chosen.append(int(defined[best]))
            found.append(float(off[best]))
    if not chosen:
        return None
    for layer in chosen:
        weights[layer] += 1 / (len(chosen) * n_people)
    return _make(chosen, weights, float(np.mean(found)), "stimuli")


def _make(chosen: list[int], weights: np.ndarray, estimate: float, by: str) -> Choice:
    counts = Counter(chosen)
    layer = max(counts, key=lambda each: (counts[each], -each))
    return Choice(layer, weights, estimate, counts[layer], len(chosen), by)
