"""Distances between stimuli, filed by name: what ``--distance`` takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast, final

import numpy as np

from beholder._core.registry import Registry
from beholder.activations import compute_rdm


@final
@dataclass(frozen=True)
class Distance:
    """One way to tell how unlike two stimuli are to a layer, a region or a unit table.

    Attributes
    ----------
    words : str
        In a sentence of a Methods paragraph: "1 − Pearson correlation".
    compute : callable
        From values (n_stimuli, n_repeats, *features), an array or a store's layer that is read when sliced, NaN where a
        repeat is missing, to the condensed RDM, (n_pairs,): the upper triangle by rows, NaN for a pair that has no
        distance. Nothing may be held that is larger than some blocks of rows and n_stimuli × n_stimuli.
    citation : str
        Authors, year, journal.
    needs_repeats : bool
        Whether it takes two repeats or more of each stimulus.
    can_be_negative : bool
        Whether chance is zero, so that values below it are kept.
    """

    words: str
    compute: Callable[[Any], np.ndarray]
    citation: str = ""
    needs_repeats: bool = False
    can_be_negative: bool = False


DISTANCES: Registry[Distance] = Registry("distance", modules="beholder.analysis.distances._*")

_RSA = "Kriegeskorte, Mur & Bandettini, 2008, Frontiers in Systems Neuroscience 2:4"


def condense(rdm: np.ndarray) -> np.ndarray:
    """The upper triangle of a square RDM by rows, (n_pairs,)."""
    return np.asarray(rdm)[np.triu_indices(len(rdm), 1)]


def _from_means(method: str) -> Callable[[Any], np.ndarray]:
    """A distance between means over repeats, streamed from a store; missing repeats are left out of the means.

    Of an array, a stimulus with a value that is NaN in every repeat has no distance to any other: NaN.
    """

    def compute(values: Any) -> np.ndarray:
        if not isinstance(values, np.ndarray):
            return condense(compute_rdm(values, method))
        means = average_repeats(cast(np.ndarray, values))
        whole = ~np.isnan(means.reshape(len(means), -1)).any(axis=1)
        rdm = np.full((len(means), len(means)), np.nan)
        if whole.sum() > 1:
            rdm[np.ix_(whole, whole)] = compute_rdm(means[whole], method)
        return condense(rdm)

    return compute


def average_repeats(values: np.ndarray) -> np.ndarray:
    """Mean over repeats that are not missing: (n_stimuli, n_repeats, *features) to (n_stimuli, *features).

    NaN where all repeats are missing.
    """
    known = ~np.isnan(values)
    n_known = known.sum(axis=1)
    total = np.where(known, values, 0).sum(axis=1, dtype=np.float64)
    return np.where(n_known > 0, total / np.maximum(n_known, 1), np.nan)


DISTANCES.add("correlation", Distance("1 − Pearson correlation", _from_means("correlation"), _RSA))
DISTANCES.add("cosine", Distance("1 − cosine", _from_means("cosine"), _RSA))
DISTANCES.add("euclidean", Distance("Euclidean distance", _from_means("euclidean"), _RSA))
DISTANCES.add("gaussian", Distance("1 − a Gaussian kernel of Euclidean distance", _from_means("gaussian"), _RSA))
