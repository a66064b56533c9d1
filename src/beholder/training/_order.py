"""The order in which stimuli are learnt from: a pure function of seed and epoch."""

from __future__ import annotations

import numpy as np

from beholder._core.seeds import make_generator


def count_batches(n_stimuli: int, batch_size: int) -> int:
    """Updates in an epoch: whole batches, or one of all stimuli where these are fewer than a batch.

    >>> count_batches(100, 32), count_batches(10, 32)
    (3, 1)
    """
    return max(1, n_stimuli // batch_size)


def list_batches(n_stimuli: int, batch_size: int, *, epoch: int, seed: int) -> np.ndarray:
    """Stimuli of each update of an epoch, shuffled anew in each; what does not fill a batch is left out of it.

    Parameters
    ----------
    n_stimuli, batch_size : int
    epoch : int
    seed : int

    Returns
    -------
    (n_batches, min(batch_size, n_stimuli)), int64

    Examples
    --------
    >>> list_batches(5, 2, epoch=0, seed=1).shape
    (2, 2)
    """
    order = make_generator(seed, "order", epoch).permutation(n_stimuli)
    n_batches = count_batches(n_stimuli, batch_size)
    return order[: n_batches * min(batch_size, n_stimuli)].reshape(n_batches, -1)


def cut_batches(n_stimuli: int, batch_size: int) -> list[np.ndarray]:
    """All stimuli in their order, in batches; the last may be shorter."""
    return [np.arange(start, min(start + batch_size, n_stimuli)) for start in range(0, n_stimuli, batch_size)]
