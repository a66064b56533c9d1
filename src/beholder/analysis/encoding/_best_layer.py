"""Which layer predicts best, chosen on other data than those that tell how well."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import final

import numpy as np

OTHERS = "other participants"
INNER = "training stimuli"


@final
@dataclass(frozen=True)
class Chosen:
    """A layer chosen for a participant, and how well it does.

    Attributes
    ----------
    layer : int
        Its place; of several, over folds, the one chosen most often.
    r : float
        Of the data that had no part in the choice.
    chosen_on : str
        ``other participants`` or ``training stimuli``.
    """

    layer: int
    r: float
    chosen_on: str


def choose_on_others(r: np.ndarray) -> list[Chosen]:
    """For each participant the layer that does best for the others on average.

    Parameters
    ----------
    r : (n_participants, n_layers), float
        Two participants or more.

    >>> choose_on_others(np.array([[0.1, 0.4], [0.3, 0.2]]))[0]
    Chosen(layer=0, r=0.1, chosen_on='other participants')
    """
    total = r.sum(axis=0)
    layers = [int(np.argmax(total - own)) for own in r]
    return [Chosen(layer, float(own[layer]), OTHERS) for layer, own in zip(layers, r, strict=True)]


def choose_on_training(r: np.ndarray, training: np.ndarray) -> Chosen:
    """For each fold the layer that does best within its training stimuli, scored on its test stimuli.

    Parameters
    ----------
    r, training : (n_layers, n_folds), float
        Of test stimuli, and cross-validated within the training stimuli.
    """
    layers: list[int] = training.argmax(axis=0).tolist()
    score = float(np.mean([r[layer, fold] for fold, layer in enumerate(layers)]))
    return Chosen(Counter(layers).most_common(1)[0][0], score, INNER)
