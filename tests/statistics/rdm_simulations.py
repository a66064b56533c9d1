"""People's RDMs of one true geometry, with noise of stimuli and people as studies have it."""

from __future__ import annotations

import numpy as np
from scipy.spatial.distance import pdist


def simulate_rdms(
    rng: np.random.Generator, n_stimuli: int, n_subjects: int, *, signal: float = 1.0, n_models: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """RDMs of models, the first of which shares ``signal`` with people, and of people: (n, n_pairs) each.

    Stimuli are new in each call, and so are people: each mixes the features that all share with ones of their own.
    """
    shared = rng.normal(size=(n_stimuli, 12))
    models = [shared + rng.normal(size=shared.shape)] + [rng.normal(size=shared.shape) for _ in range(n_models - 1)]
    people = [
        np.hstack([signal * shared * rng.gamma(2, 0.5, 12), rng.normal(size=(n_stimuli, 20))])
        for _ in range(n_subjects)
    ]
    return tuple(np.stack([np.asarray(pdist(each, "sqeuclidean")) for each in side]) for side in (models, people))  # type: ignore[return-value]
