"""A layer's activations as rows to fit to: in memory, turned onto their own directions, or read block by block."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import numpy as np

from beholder.analysis._features import IN_MEMORY_BYTES
from beholder.analysis._join import LayerRows
from beholder.analysis._scaled_rows import ScaledRows, measure_scale, read_turned
from beholder.statistics import SoftmaxFit, iter_blocks

_MOST_TURNED = 8000
"""Stimuli by stimuli products of more than so many are not taken apart."""


@final
@dataclass(frozen=True, eq=False)
class ProbeRows:
    """What a probe is fitted to and tested on.

    Attributes
    ----------
    parts : list of array or ScaledRows, (n_rows, n)
        Train, validation, test.
    whole : ScaledRows
        All of them, one part after the other.
    turned : (n_all, n), float64, optional
        Coordinates of all rows, where features were turned onto the directions in which rows differ.
    """

    parts: list[Any]
    whole: ScaledRows
    turned: np.ndarray | None

    def to_features(self, fit: SoftmaxFit) -> SoftmaxFit:
        """The same read-out of the layer's own features, which are neither turned nor scaled."""
        weights, bias = fit.weights, fit.bias
        if self.turned is not None:
            shares = weights @ (self.turned / np.square(self.turned).sum(axis=0)).T
            weights, total = np.zeros((len(bias), self.whole.shape[1])), np.zeros(self.whole.shape[1])
            for first, block in iter_blocks(self.whole):
                weights += shares[:, first : first + len(block)] @ block
                total += block.sum(axis=0)
            bias = bias - weights @ (total / self.whole.shape[0])
        if self.whole.mean is not None and self.whole.divisor is not None:
            weights = weights / self.whole.divisor
            bias = bias - weights @ self.whole.mean
        return SoftmaxFit(weights, bias, fit.converged)


def open_rows(layer: Any, rows: list[np.ndarray], name: str, *, scale: bool, turn: bool) -> ProbeRows:
    """The rows of three parts.

    Parameters
    ----------
    layer : (n_all, n_replicates, *features)
    rows : list of (n_rows,), int
        Of each part.
    name : str
        For messages.
    scale : bool
        Subtract the mean of the train part and divide by its standard deviation.
    turn : bool
        More features than stimuli may be turned onto the directions in which stimuli differ, outside of which a fit
        with an L2 penalty has no weight.
    """
    ids = [str(place) for place in range(int(layer.shape[0]))]

    def take(places: np.ndarray) -> LayerRows:
        chosen: list[int] = places.tolist()
        return LayerRows(layer, places, [ids[place] for place in chosen])

    mean = divisor = None
    if scale:
        mean, divisor = measure_scale(ScaledRows(take(rows[0]), name), "the train part")
    everything = np.concatenate(rows)
    whole = ScaledRows(take(everything), name, mean, divisor)
    n, n_features = whole.shape
    turned = None
    if turn and n < n_features and n <= _MOST_TURNED:
        values = turned = read_turned(whole)
    elif 8 * n * n_features <= IN_MEMORY_BYTES:
        values = whole[0:n]
    else:
        return ProbeRows([ScaledRows(take(each), name, mean, divisor) for each in rows], whole, None)
    return ProbeRows(np.split(values, np.cumsum([len(each) for each in rows])[:-1]), whole, turned)
