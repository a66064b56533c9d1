"""How often natural stimuli drive a unit how much: the small file that a picture of it is drawn from."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from beholder.models import Unit

N_BINS = 64


def count_activations(values: np.ndarray, n_bins: int = N_BINS) -> tuple[np.ndarray, np.ndarray]:
    """Histogram of one unit's activations, in bins of equal width from the weakest to the strongest.

    Parameters
    ----------
    values : (n_stimuli,), float
        Finite, and not all the same.
    n_bins : int

    Returns
    -------
    edges : (n_bins + 1,), float64
    counts : (n_bins,), int64
        They sum to ``n_stimuli``: the last bin holds its upper edge too.

    Examples
    --------
    >>> edges, counts = count_activations(np.array([0.0, 0.0, 0.5, 2.0]), n_bins=2)
    >>> edges.tolist(), counts.tolist()
    ([0.0, 1.0, 2.0], [3, 1])
    """
    counts, edges = np.histogram(values.astype(np.float64), bins=n_bins)
    return edges, counts.astype(np.int64)


def format_distribution(unit: Unit, edges: np.ndarray, counts: np.ndarray) -> bytes:
    """The bytes of a ``distribution.json``: the unit's exact name, the bins' edges, the stimuli in each.

    Parameters
    ----------
    unit : Unit
    edges : (n_bins + 1,), float64
    counts : (n_bins,), int64
    """
    document: dict[str, Any] = {
        "layer": unit.layer,
        "channel": unit.channel,
        "n_stimuli": int(counts.sum()),
        "edges": [float(edge) for edge in edges],
        "counts": [int(count) for count in counts],
    }
    return (json.dumps(document, allow_nan=False) + "\n").encode()
