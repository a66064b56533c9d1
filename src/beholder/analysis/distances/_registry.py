"""Distances between stimuli, filed by name: what ``--distance`` takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, cast, final

import numpy as np

from beholder._core.registry import Registry
from beholder.activations import compute_condensed_rdm
from beholder.analysis.distances._repeats import average_repeats, place_pairs


class ComputeDistance(Protocol):
    """From values to the condensed RDM."""

    def __call__(self, values: Any, *, folds: Any = None, precision: Any = None) -> np.ndarray:
        """(n_pairs,) of values (n_stimuli, n_repeats, *features)."""
        ...


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
        distance. Nothing may be held that is larger than some blocks of rows and n_stimuli × n_stimuli, unless repeats
        are needed. ``folds`` (n_repeats,) or (n_stimuli, n_repeats), the run of each repeat, and ``precision``
        (n_features, n_features), the inverse of the noise covariance, are read by those that need repeats.
    citation : str
        Authors, year, journal.
    needs_repeats : bool
        Whether it takes two repeats or more of each stimulus.
    can_be_negative : bool
        Whether chance is zero, so that values below it are kept.
    """

    words: str
    compute: ComputeDistance
    citation: str = ""
    needs_repeats: bool = False
    can_be_negative: bool = False


DISTANCES: Registry[Distance] = Registry("distance", "beholder.distances", modules="beholder.analysis.distances._*")
"""Distances between stimuli by name."""

_RSA = "Kriegeskorte, Mur & Bandettini, 2008, Frontiers in Systems Neuroscience 2:4"


def _from_means(method: str) -> ComputeDistance:
    """A distance between means over repeats, streamed from a store; missing repeats are left out of the means.

    Of an array, a stimulus with a value that is NaN in every repeat has no distance to any other: NaN.
    """

    def compute(values: Any, *, folds: Any = None, precision: Any = None) -> np.ndarray:
        if not isinstance(values, np.ndarray):
            return compute_condensed_rdm(values, method)
        means = average_repeats(cast(np.ndarray, values))
        means = means.reshape(len(means), -1)
        whole = np.flatnonzero(~np.isnan(means).any(axis=1))
        return place_pairs(whole, len(means), lambda: compute_condensed_rdm(means[whole], method))

    return compute


DISTANCES.add("correlation", Distance("1 − Pearson correlation", _from_means("correlation"), _RSA))
DISTANCES.add("cosine", Distance("1 − cosine", _from_means("cosine"), _RSA))
DISTANCES.add("euclidean", Distance("Euclidean distance", _from_means("euclidean"), _RSA))
DISTANCES.add(
    "squared-euclidean",
    Distance("squared Euclidean distance divided by the number of features", _from_means("squared-euclidean"), _RSA),
)
DISTANCES.add("gaussian", Distance("1 − a Gaussian kernel of Euclidean distance", _from_means("gaussian"), _RSA))
