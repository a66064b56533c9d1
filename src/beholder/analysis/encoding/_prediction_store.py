"""Predicted responses as a store: what a layer says that units would answer, stimulus by stimulus."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, final

import numpy as np

from beholder._core.wording import format_count
from beholder.activations import write_activations
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
    ) -> list[str]:
        """Write a store whose layers are those that predicted and whose units are those of the recordings; no gaps.

        Units that nothing was fitted to are left out (``units`` of the settings tells the others' places among those of
        the recordings), then stimuli of which some unit has no prediction; where no stimulus would be left, those have
        NaN.

        Returns
        -------
        list of str
            Sentences on what is not in the store.
        """
        known = np.all([self._counts[name] > 0 for name in self._layers], axis=0)
        units = np.flatnonzero(known.any(axis=0))
        rows = np.flatnonzero(known[:, units].all(axis=1))
        n_stimuli, n_units = self._shape
        notes: list[str] = []
        if not len(rows):
            rows = np.flatnonzero(known[:, units].any(axis=1))
            notes.append(
                "Predictions have gaps: no stimulus was predicted for all units. Predictions of one participant "
                "(subject) have none."
            )
        if len(units) < n_units:
            notes.append(
                f"{n_units - len(units)} of {format_count(n_units, 'unit')}, "
                "to which nothing was fitted, have no predictions."
            )
        if len(rows) < n_stimuli:
            notes.append(
                f"{n_stimuli - len(rows)} of {format_count(n_stimuli, 'stimulus')} "
                "were not predicted for all units: left out."
            )
        layers: dict[str, np.ndarray] = {}
        for name in self._layers:
            sums, count = self._sums[name][np.ix_(rows, units)], self._counts[name][np.ix_(rows, units)]
            layers[name] = np.divide(sums, count, out=np.full(sums.shape, np.nan, np.float32), where=count > 0)
        ids = [stimulus_ids[row] for row in rows.tolist()]
        write_activations(
            path, layers, ids, model=model, settings={**settings, "units": units.tolist()}, overwrite=overwrite
        )
        return notes
