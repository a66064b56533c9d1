"""Which stimuli a layer responds to as it does to a given one."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from beholder._core.errors import InputError, UnknownNameError
from beholder.activations.formats._rows import ROW_METHODS, flatten_rows, normalize_rows


def find_nearest(
    one: np.ndarray, place: int, blocks: Iterable[tuple[int, np.ndarray]], n: int, method: str
) -> tuple[np.ndarray, np.ndarray]:
    """The other rows that are least unlike one of them, and how unlike they are.

    Parameters
    ----------
    one : (n_replicates, *features)
        What they are compared with.
    place : int
        Which row that is.
    blocks : iterable of (int, (n_rows, n_replicates, *features))
        Blocks of all rows, each with the place of its first; replicates are averaged.
    n : int
        How many, 1 or more.
    method : {"correlation", "cosine", "euclidean"}

    Returns
    -------
    positions : (n,), int64
        The least unlike first; of equals, the earlier row. Rows without a direction are left out.
    distances : (n,), float64
        As :func:`beholder.compute_rdm` has them.
    """
    if method not in ROW_METHODS:
        raise UnknownNameError("dissimilarity method", method, ROW_METHODS)
    if n < 1:
        raise InputError("one neighbour or more", got=str(n))
    target = normalize_rows(flatten_rows(one[None], averaged=True), method)[0]
    if method != "euclidean" and not target.any():
        raise InputError("a stimulus whose responses differ", got="the same response throughout", hint="euclidean")
    positions, distances = [np.empty(0, np.int64)], [np.empty(0)]
    for start, block in blocks:
        rows = normalize_rows(flatten_rows(block, averaged=True), method)
        if method == "euclidean":
            found = np.linalg.norm(rows - target, axis=1)
        else:
            found = np.where(rows.any(axis=1), 1 - np.clip((rows @ target).astype(np.float64), -1, 1), np.nan)
        known = np.flatnonzero(np.isfinite(found) & (start + np.arange(len(found)) != place))
        positions.append(start + known)
        distances.append(found[known])
    places, values = np.concatenate(positions), np.concatenate(distances)
    order = np.argsort(values, kind="stable")[:n]
    return places[order], values[order]
