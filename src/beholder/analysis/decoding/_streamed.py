"""A layer larger than memory, whose features are scaled by the training stimuli as it is read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import numpy as np

from beholder.analysis._join import LayerRows
from beholder.analysis._scaled_rows import ScaledRows, measure_scale, read_turned


@final
@dataclass(frozen=True, eq=False)
class StreamedFeatures:
    """Features of a layer that is read in blocks of stimuli and never held.

    Parameters
    ----------
    layer : (n_stimuli, n_replicates, *features)
        Read when sliced.
    name : str
        What messages call it.
    """

    layer: Any
    name: str

    def scale_by(self, train: np.ndarray) -> np.ndarray:
        """Coordinates of all stimuli, features divided by their standard deviation over the training stimuli.

        Turned onto the directions in which stimuli differ, so that they have the inner products of the scaled features;
        features that do not vary over the training stimuli are left out.

        Parameters
        ----------
        train : (n_train,), int

        Returns
        -------
        (n_stimuli, n), float64, n at most n_stimuli
        """
        learnt = LayerRows(self.layer, train, [str(place) for place in train])
        scale = measure_scale(ScaledRows(learnt, self.name), "the training stimuli")
        return read_turned(ScaledRows(self.layer, self.name, *scale))
