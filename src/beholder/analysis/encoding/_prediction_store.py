"""Predicted responses as a store: what a layer says that units would answer, stimulus by stimulus."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, final

import numpy as np

from beholder.activations import Activations, write_activations
from beholder.analysis.encoding._participants import Participant
from beholder.analysis.encoding._splits import Split


@final
class Predictions:
    """Gathers predictions of test stimuli; a stimulus that several splits test has their mean.

    Parameters
    ----------
    layers : sequence of str
    n_stimuli, n_units : int
        All stimuli that are joined, all units of the recordings; NaN where nothing was predicted.
    """

    def __init__(self, layers: Sequence[str], n_stimuli: int, n_units: int) -> None:
        self._layers = list(layers)
        self._shape = (n_stimuli, n_units)
        self._sums: dict[str, np.ndarray] = {}
        self._counts: dict[str, np.ndarray] = {}

    def add(self, layer: str, person: Participant, splits: Sequence[Split], predicted: Sequence[np.ndarray]) -> None:
        """Add a participant's."""
        sums = self._sums.setdefault(layer, np.zeros(self._shape, dtype=np.float32))
        counts = self._counts.setdefault(layer, np.zeros(self._shape, dtype=np.int32))
        for (_, test), values in zip(splits, predicted, strict=True):
            place = np.ix_(person.rows[test], person.units)
            sums[place] += values
            counts[place] += 1

    def write(
        self, path: Path | str, stimulus_ids: Sequence[str], model: str, settings: Mapping[str, Any], *, overwrite: bool
    ) -> Activations:
        """Write a store whose layers are those that predicted and whose units are those of the recordings."""
        layers: dict[str, np.ndarray] = {}
        for name in self._layers:
            count = self._counts[name]
            layers[name] = np.divide(
                self._sums[name], count, out=np.full(self._shape, np.nan, np.float32), where=count > 0
            )
        return write_activations(path, layers, stimulus_ids, model=model, settings=settings, overwrite=overwrite)
