"""Magnitudes of the frequencies in a stimulus set, for phases to be learned with."""

from __future__ import annotations

import numpy as np

from beholder.models import Model, prepare_stimulus
from beholder.stimuli import StimulusSet
from beholder.synthesis.images._fourier import compute_spectrum


def measure_spectrum(model: Model, stimuli: StimulusSet, n_most: int = 500) -> np.ndarray:
    """Mean magnitude spectrum of a set's pictures as a network takes them, for :class:`PhaseOnly`.

    Parameters
    ----------
    model : Model
        Prepares the pictures.
    stimuli : StimulusSet
    n_most : int
        Pictures that are read, evenly spaced in the set, where it has more.

    Returns
    -------
    ndarray, (channels, height, width // 2 + 1), float32
    """
    step = max(1, -(-len(stimuli) // n_most))
    return compute_spectrum(prepare_stimulus(model.preprocessing, stimuli, i) for i in range(0, len(stimuli), step))
