"""A block of a layer or of an array as rows of features."""

from __future__ import annotations

import numpy as np


def flatten_rows(block: np.ndarray, averaged: bool) -> np.ndarray:
    """Rows of features, float32 or float64; a layer's replicates are averaged.

    Parameters
    ----------
    block : (n, ...) or, of a layer, (n, n_replicates, *features)
    averaged : bool
        The second axis is that of replicates.
    """
    if averaged:
        block = block[:, 0] if block.shape[1] == 1 else block.mean(axis=1, dtype=np.float64)
    rows = block.reshape(len(block), -1)
    if rows.dtype.kind != "f":
        return rows.astype(np.float64)
    return rows.astype(np.float32) if rows.dtype == np.float16 else rows
